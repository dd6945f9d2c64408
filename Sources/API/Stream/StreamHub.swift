// SPDX-License-Identifier: Apache-2.0
package import Chat
package import HTTPServer
package import Jobs
package import Observability
package import Persistence
package import Runtime
import Synchronization

/// Relays token streams from the database to whoever watches them in this process.
///
/// One connection listens, from the start and for all; what it hears is encoded once and handed to every reader of the
/// job. What it does not hear is read from the log, for all readers with one statement at a time. Confined to one
/// loop; there is no task behind a reader, and nobody waits for a slow one.
package actor StreamHub: Service {
    /// How often is looked for what was not heard.
    package struct Timing: Sendable {
        /// A watched job that was silent for so long is looked up.
        package var sweepInterval: Duration = .seconds(1)
        /// The same while the listener does not hear.
        package var deafSweepInterval: Duration = .milliseconds(250)
        /// How often the hub looks who is due, and tries a read again that failed.
        package var tickInterval: Duration = .milliseconds(250)
        /// How often the versions of all watched sessions are compared with what was heard of them.
        package var compareInterval: Duration = .seconds(5)
        /// The same while the listener does not hear.
        package var deafCompareInterval: Duration = .seconds(1)
        /// How long a change of a session may be known of before it is heard, until a snapshot replaces it.
        package var missingGrace: Duration = .milliseconds(500)
        /// For one read, the wait for a connection included.
        package var readTimeout: Duration = .seconds(5)

        /// The product's.
        package init() {}
    }

    /// Makes the bytes of another protocol from an event; called on the hub's loop, in the stream's order. None are
    /// sent when it returns none.
    package typealias FrameTransform = @Sendable (LoggedEvent) -> [UInt8]

    /// For the log.
    nonisolated package let name = "stream-hub"
    /// Relays what becomes of sessions, from the same listener and on the same loop.
    nonisolated package let sessions: SessionHub
    nonisolated let loop: EventLoop
    /// The loop's.
    nonisolated package var unownedExecutor: UnownedSerialExecutor { unsafe loop.asUnownedSerialExecutor() }

    nonisolated private let source: StreamSource
    nonisolated private let registry: MetricsRegistry
    nonisolated private let hears = Atomic<Bool>(false)
    let timing: Timing
    let logger: Logger
    let metrics: StreamMetrics
    /// Says that someone wants a read. Holds one word, because one is enough.
    nonisolated let readWanted = BoundedChannel<Void>(capacity: 1)

    var jobs: [JobID: WatchedJob] = [:]
    var subscribers: [UInt64: Subscriber] = [:]
    var line: [Subscriber] = []
    var endsToCheck: Set<JobID> = []
    /// Jobs that may wait, to be looked for with the next read.
    var standingsToCheck: Set<JobID> = []
    /// The watched jobs of each session.
    var jobsOfSession: [SessionID: Set<JobID>] = [:]
    var lastNumber: UInt64 = 0
    var hasStopped = false
    var hasReadFailed = false
    private var ticker: TimerID?

    /// A hub that does not listen before it runs; readers may subscribe before.
    ///
    /// - Parameters:
    ///   - source: its loop is the hub's.
    ///   - logger: losing the log and having it back.
    ///   - metrics: the hub adds its own, named `switchyard_stream_…`.
    ///   - timing: tests have other times.
    package init(source: StreamSource, logger: Logger, metrics: MetricsRegistry, timing: Timing = Timing()) {
        self.source = source
        loop = source.loop
        self.logger = logger.adding([.component: "stream-hub"])
        self.metrics = StreamMetrics(metrics)
        self.timing = timing
        registry = metrics
        sessions = SessionHub(source: source, logger: logger, metrics: metrics, timing: timing)
    }

    /// The log that the hub reads, for who has to look before subscribing.
    nonisolated package var log: EventLogReader { source.reader }

    /// Whether notifications come in; while they do not, streams are slower and no less complete. Any thread.
    nonisolated package var isListening: Bool { hears.load(ordering: .acquiring) }

    /// Listens and reads until the shutdown; then ends what is still open. Its readers re-attach elsewhere.
    nonisolated package func run(_ shutdown: ShutdownSignal) async throws {
        let listener = makeListener()
        onLoop { $0.tick() }
        try await withThrowingDiscardingTaskGroup { group in
            group.addTask { try await listener.run(shutdown) }
            group.addTask { await self.readUntilStopped() }
            group.addTask { await self.sessions.readUntilStopped() }
            await shutdown.wait()
            readWanted.finish()
            sessions.readWanted.finish()
        }
        await stop()
    }

    /// Sends a reader what follows its cursor, then what comes, and ends the stream after the job's last event.
    /// Any thread; returns at once.
    ///
    /// - Parameters:
    ///   - job: one that exists; when it has ended, so does the stream after what is in the log.
    ///   - cursor: the last event that the reader has.
    ///   - known: what follows the cursor in the log, of a job that was just made: sent without a read.
    ///   - writer: only the hub writes to it from here on.
    ///   - transform: nil sends the frames of `/api`, and live notices of a wait and of a title with them.
    ///   - session: of the reply, where it is known; its titles are told.
    ///   - state: as the job's record says; nil for a job that was just made.
    nonisolated package func subscribe(
        _ job: JobID, after cursor: StreamCursor, known: [LoggedEvent] = [], to writer: EventStreamWriter,
        transform: FrameTransform? = nil, session: SessionID? = nil, state: JobState? = nil
    ) {
        onLoop { hub in
            hub.add(hub.watched(job, session, state), after: cursor, known, writer, transform)
            // It stood there a moment ago: no need to wait until it has been silent for a while.
            if state == .scheduled { hub.checkStanding(of: job) }
        }
    }

    /// How many jobs someone watches.
    var watchedJobCount: Int { jobs.count }

    /// Runs a body on the hub's loop, in order.
    nonisolated func onLoop(_ body: @escaping @Sendable (isolated StreamHub) -> Void) {
        loop.execute { [weak self] in self?.assumeIsolated { body($0) } }
    }

    nonisolated private func makeListener() -> any Service {
        source.listener(
            logger: logger, metrics: registry,
            StreamSource.Callbacks(
                onPayload: { [weak self] payload in self?.assumeIsolated { $0.heard(payload) } },
                onSessions: { [weak self] payload in self?.assumeIsolated { $0.heardSessions(payload) } },
                onConnected: { [weak self] in
                    self?.hears.store(true, ordering: .releasing)
                    self?.onLoop { $0.sweepAll() }
                    self?.sessions.onLoop { $0.heardAgain() }
                },
                onLost: { [weak self] in self?.hears.store(false, ordering: .releasing) }))
    }

    private func tick() {
        guard !hasStopped else { return }
        sweep(now: .now)
        let isListening = isListening
        sessions.assumeIsolated { $0.tick(isListening: isListening, now: .now) }
        ticker = loop.schedule(at: .now + timing.tickInterval) { [weak self] in
            self?.assumeIsolated { $0.tick() }
        }
    }

    private func stop() {
        hasStopped = true
        if let ticker { loop.cancel(ticker) }
        for subscriber in subscribers.values {
            subscriber.writer.finish()
            drop(subscriber)
        }
        for job in jobs.values { release(job, .stopped) }
        jobs = [:]
        jobsOfSession = [:]
        sessions.assumeIsolated { $0.stop() }
    }
}
