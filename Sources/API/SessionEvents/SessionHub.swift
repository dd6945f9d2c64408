// SPDX-License-Identifier: Apache-2.0
package import Chat
package import HTTPServer
import Observability
import Persistence
import Runtime

/// Relays changes of sessions to the pages that show them. Part of a ``StreamHub``, which listens for it and runs it.
///
/// What is heard says what has changed and under which version; rows are read for all who watch with one round trip at
/// a time. Nothing is logged, so whoever has missed something is sent a snapshot. Confined to the hub's loop; there is
/// no task behind a page, and nobody waits for a slow one.
package actor SessionHub {
    nonisolated let loop: EventLoop
    /// The loop's.
    nonisolated package var unownedExecutor: UnownedSerialExecutor { unsafe loop.asUnownedSerialExecutor() }

    let reader: SessionWatchReader
    let timing: StreamHub.Timing
    let logger: Logger
    let metrics: SessionStreamMetrics
    /// Says that something is to be read. Holds one word, because one is enough.
    nonisolated let readWanted = BoundedChannel<Void>(capacity: 1)

    var sessions: [SessionID: WatchedSession] = [:]
    var viewers: [UInt64: SessionViewer] = [:]
    /// Sessions with a viewer that wants a snapshot.
    var wantingSnapshot: Set<SessionID> = []
    /// Sessions with messages to be read.
    var wantingMessages: Set<SessionID> = []
    var wantsComparison = false
    var lastComparison: ContinuousClock.Instant
    var hasReadFailed = false
    private var lastNumber: UInt64 = 0
    private var hasStopped = false

    init(source: StreamSource, logger: Logger, metrics: MetricsRegistry, timing: StreamHub.Timing) {
        loop = source.loop
        reader = source.sessions
        self.logger = logger.adding([.component: "session-hub"])
        self.metrics = SessionStreamMetrics(metrics)
        self.timing = timing
        lastComparison = .now
    }

    /// Sends a page a snapshot of a session, then what changes, until it leaves, the session is deleted or the process
    /// ends. Any thread; returns at once.
    ///
    /// - Parameters:
    ///   - session: one that exists; a deleted one ends the stream.
    ///   - owner: whose it is, checked again by every read.
    ///   - writer: only the hub writes to it from here on.
    nonisolated package func watch(_ session: SessionID, owner: UserID, to writer: EventStreamWriter) {
        onLoop { $0.add(SessionWatchReader.Place(session: session, owner: owner), writer) }
    }

    /// How many sessions somebody watches.
    var watchedCount: Int { sessions.count }

    /// Runs a body on the hub's loop, in order.
    nonisolated func onLoop(_ body: @escaping @Sendable (isolated SessionHub) -> Void) {
        loop.execute { [weak self] in self?.assumeIsolated { body($0) } }
    }

    private func add(_ place: SessionWatchReader.Place, _ writer: EventStreamWriter) {
        guard !hasStopped else { return writer.finish() }
        let session = sessions[place.session] ?? WatchedSession(place)
        // A session never changes hands; a stranger's place is another one, and nothing is shared with it.
        guard session.place == place else { return writer.finish() }
        sessions[place.session] = session
        lastNumber += 1
        let number = lastNumber
        let viewer = SessionViewer(number: number, session: session, writer: writer)
        viewers[number] = viewer
        session.viewers.append(viewer)
        metrics.viewers.increment()
        metrics.sessions.set(sessions.count)
        writer.onClose { [weak self] in self?.onLoop { $0.closed(number) } }
        wantSnapshot(viewer)
    }

    // MARK: What is heard

    func isWatched(_ session: SessionID) -> Bool { sessions[session] != nil }

    /// A change of a session that is watched, or of another one.
    func heard(_ change: SessionChange) {
        guard let session = sessions[change.session] else { return }
        if change.kind == .deleted { return end(session) }
        switch session.versions.heard(change.version, now: .now) {
        case .ignore: break
        case .relay: relay(change, of: session)
        case .snapshot: resnapshot(session)
        }
    }

    private func relay(_ change: SessionChange, of session: WatchedSession) {
        switch change.kind {
        case .title(let title):
            guard change.version > session.titleVersion else { return }
            session.titleVersion = change.version
            send(SessionFrame.title(title, of: session.id), change.version, to: session)
        case .messages(let ids):
            guard session.changed.count + ids.count <= SessionVersions.aheadLimit else { return resnapshot(session) }
            for id in ids { session.changed[id] = max(change.version, session.changed[id] ?? 0) }
            wantingMessages.insert(session.id)
            signalRead()
        case .standing: resnapshot(session)
        case .other, .deleted: break
        }
    }

    /// The listener hears again. What was said meanwhile was missed, and a database that crashed may have taken back
    /// what was heard before and give its version to another change.
    func heardAgain() {
        for session in sessions.values {
            session.versions.forget()
            session.titleVersion = 0
            resnapshot(session)
        }
    }

    // MARK: What is sent

    func send(_ frame: [UInt8], _ version: Int64, to session: WatchedSession) {
        for viewer in session.viewers {
            let step = viewer.machine.event(
                version, sizeBytes: frame.count, bufferedBytes: viewer.writer.bufferedBytes)
            if step == .send { metrics.events.increment() }
            take(step, frame, viewer)
        }
    }

    func take(_ step: SessionViewerMachine.Step, _ frame: [UInt8], _ viewer: SessionViewer) {
        switch step {
        case .ignore: break
        // One that is gone is forgotten when its writer says so.
        case .send: viewer.writer.send(frame)
        case .awaitDrain(let belowBytes):
            metrics.overflows.increment()
            let number = viewer.number
            viewer.writer.onDrained(below: belowBytes) { [weak self] in self?.onLoop { $0.drained(number) } }
        }
    }

    /// Everyone who watches needs to see all of it.
    func resnapshot(_ session: WatchedSession) {
        for viewer in session.viewers where viewer.machine.wantSnapshot() { wantSnapshot(viewer) }
    }

    func wantSnapshot(_ viewer: SessionViewer) {
        wantingSnapshot.insert(viewer.session.id)
        signalRead()
    }

    /// A full channel has been told already.
    func signalRead() { _ = readWanted.send(()) }

    private func drained(_ number: UInt64) {
        guard let viewer = viewers[number], viewer.machine.drained() else { return }
        wantSnapshot(viewer)
    }

    // MARK: Ends

    /// The session is gone: says so and ends the streams.
    func end(_ session: WatchedSession) {
        let frame = SessionFrame.deleted(session.id)
        for viewer in session.viewers {
            viewer.writer.send(frame)
            viewer.writer.finish()
            forget(viewer)
        }
        drop(session)
    }

    /// Ends what is open; its pages re-attach elsewhere.
    func stop() {
        hasStopped = true
        for viewer in viewers.values {
            viewer.writer.finish()
            forget(viewer)
        }
        for session in Array(sessions.values) { drop(session) }
    }

    private func closed(_ number: UInt64) {
        guard let viewer = viewers[number] else { return }
        forget(viewer)
        viewer.session.viewers.removeAll { $0 === viewer }
        if viewer.session.viewers.isEmpty { drop(viewer.session) }
    }

    private func forget(_ viewer: SessionViewer) {
        guard !viewer.isGone else { return }
        viewer.isGone = true
        viewers[viewer.number] = nil
        metrics.viewers.decrement()
    }

    private func drop(_ session: WatchedSession) {
        guard sessions[session.id] === session else { return }
        sessions[session.id] = nil
        session.viewers = []
        wantingSnapshot.remove(session.id)
        wantingMessages.remove(session.id)
        metrics.sessions.set(sessions.count)
    }
}
