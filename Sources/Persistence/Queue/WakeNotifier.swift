// SPDX-License-Identifier: Apache-2.0
import Chat
package import Jobs
package import Observability
import Postgres
package import Runtime
import Synchronization

/// Tells workers of new work and of cancelled runs, and readers of events stored outside a run and of changed sessions:
/// after the commit and apart from it, because a notifying transaction that waits for the disk would hold up every other commit of the
/// database.
///
/// Idle it sends at once; after a send it gathers for ``window``. What cannot be sent is dropped: workers poll.
package final class WakeNotifier: Service {
    /// Tells of lanes with new work; the payload is the lane's number.
    package static let jobsChannel = "jobs"
    /// Tells of leases to abort; the payload is `<job> <lease>`.
    package static let cancelChannel = "cancel"
    /// Tells that `providers` is to be read again: a block, a breaker or a limit has changed. Without a payload.
    package static let providersChannel = "providers"

    private enum Notice: Sendable {
        case wake(Lane)
        case cancel(Lease)
        case announce([StampedEvent])
        case providers
        /// Changes of sessions have waited long enough.
        case changes
    }

    /// Pages that stay open can wait for a moment; a worker must not wait behind them.
    private struct Changes {
        var waiting: [SessionChange] = []
        var isDue = false
    }

    private static let window: Duration = .milliseconds(2)
    /// Of sessions, between two sends.
    private static let maximumChanges = 4096

    /// See `Service`.
    package let name = "notifier"
    private let connection: DedicatedConnection
    private let notices = BoundedChannel<Notice>(capacity: 4096)
    private let changes = Mutex(Changes())
    private let logger: Logger
    private let sent: Counter
    private let dropped: Counter
    private let coalesced: Counter

    /// - Parameters:
    ///   - connection: commits asynchronously.
    ///   - logger: told when notices could not be sent.
    ///   - metrics: counts notices sent and dropped.
    package init(connection: DedicatedConnection, logger: Logger, metrics: MetricsRegistry) {
        self.connection = connection
        self.logger = logger
        sent = metrics.counter(
            "switchyard_notifications_sent_total",
            help: "Notices sent to workers and readers, before coalescing; turns and jobs alone wake by their commit.")
        coalesced = metrics.counter(
            "switchyard_notifications_coalesced_total",
            help: "Wake-ups and cancels that another one of the same send stood for.")
        dropped = metrics.counter(
            "switchyard_notifications_dropped_total", help: "Notices that could not be sent.")
    }

    /// Hands over lanes whose new work is committed.
    package func wake(_ lanes: Set<Lane>) {
        for lane in lanes where notices.send(.wake(lane)) == .full { dropped.increment() }
    }

    /// Hands over a run that is to end.
    package func cancel(_ lease: Lease) {
        if notices.send(.cancel(lease)) == .full { dropped.increment() }
    }

    /// Hands over that `providers` has changed.
    package func providersChanged() {
        if notices.send(.providers) == .full { dropped.increment() }
    }

    /// Hands over events that are in the log since a commit of the caller's, for those who watch: grouped by job and in
    /// order within it. Unannounced ones are found in the log, later.
    package func announce(_ events: [StampedEvent]) {
        guard !events.isEmpty else { return }
        if notices.send(.announce(events)) == .full { dropped.increment() }
    }

    /// Hands over a change of a session that is committed, for pages that show it. Untold ones are found by comparing
    /// versions, later. Goes with the next notice of another kind, or by itself after ``window``.
    package func changed(_ change: SessionChange) {
        let (isTaken, isFirst) = changes.withLock { changes in
            guard changes.waiting.count < Self.maximumChanges else { return (false, false) }
            changes.waiting.append(change)
            defer { changes.isDue = true }
            return (true, !changes.isDue)
        }
        if !isTaken { dropped.increment() }
        guard isFirst else { return }
        let (loop, due) = (connection.loop, ContinuousClock.now + Self.window)
        loop.execute { [notices] in _ = loop.schedule(at: due) { _ = notices.send(.changes) } }
    }

    /// See `Service`. Shut down, it sends what waits and ends.
    package func run(_ shutdown: ShutdownSignal) async throws {
        shutdown.onTrigger { [notices] in notices.finish() }
        let home = LoopDomain(connection.loop)
        await home.run { await sendUntilFinished(on: home) }
    }

    private func sendUntilFinished(on home: isolated LoopDomain) async {
        while true {
            let batch = await notices.nextBatch()
            let hasSent = await send(batch)
            if batch.isEmpty { return }
            guard hasSent else { continue }
            // Not a wait for anything: the least time between two sends.
            await home.pause(for: Self.window)
        }
    }

    /// - Returns: whether there was anything to send.
    private func send(_ batch: [Notice]) async -> Bool {
        var lanes = Set<Lane>()
        var cancels = Set<Lease>()
        var (wakeCount, cancelCount) = (0, 0)
        var events: [StampedEvent] = []
        var hasProviders = false
        let changes = self.changes.withLock { changes in
            defer { changes = Changes() }
            return changes.waiting
        }
        for notice in batch {
            switch notice {
            case .wake(let lane):
                lanes.insert(lane)
                wakeCount += 1
            case .cancel(let lease):
                cancels.insert(lease)
                cancelCount += 1
            case .announce(let stored): events += stored
            case .providers: hasProviders = true
            case .changes: break
            }
        }
        var statements: [SQL] = []
        func add(_ channel: String, _ payloads: [String]) {
            if !payloads.isEmpty { statements.append(EventStatements.notify(channel: channel, payloads: payloads)) }
        }
        // Before the wake-ups, so that a change of the woken worker's is heard after the one that woke it.
        add(SessionNotification.channel, SessionNotification.encode(changes))
        add(Self.jobsChannel, lanes.map { "\($0.rawValue)" })
        add(Self.cancelChannel, cancels.map { "\($0.job) \($0.number)" })
        add(Self.providersChannel, hasProviders ? [""] : [])
        add(StreamNotification.channel, StreamNotification.encode(events))
        if statements.isEmpty { return false }
        do throws(PostgresError) {
            _ = try await connection.connection().pipeline(statements)
            sent.increment(by: batch.count + changes.count)
            coalesced.increment(by: wakeCount + cancelCount - lanes.count - cancels.count)
        } catch {
            dropped.increment(by: batch.count + changes.count)
            logger.warning("wake-ups were not sent", [.errorDetail: "\(error)"])
        }
        return true
    }

    /// The lease of a payload of ``cancelChannel``.
    package static func lease(from payload: String) -> Lease? {
        let words = payload.split(separator: " ")
        guard words.count == 2, let job = JobID(String(words[0])), let number = Int64(words[1]) else { return nil }
        return Lease(job: job, number: number)
    }
}
