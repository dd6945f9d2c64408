// SPDX-License-Identifier: Apache-2.0
package import Chat
package import Jobs
package import Observability
package import Runtime
import Synchronization

/// How a worker uses its slots.
package struct WorkerConfiguration: Sendable {
    /// Jobs that run at once (`WORKER_SLOTS`); chat jobs wait on the network, they hold no threads.
    package var slots: Int
    /// Slots that lower lanes never take.
    package var slotsReservedForChat: Int
    /// Time for runs to end by themselves after a request to shut down (`SHUTDOWN_GRACE_MS`).
    package var shutdownGrace: Duration
    /// How often to look without being told, while notifications work.
    package var idlePoll: Duration = .seconds(5)
    /// How often while they do not.
    package var blindPoll: Duration = .milliseconds(250)
    /// What one claim takes at most: while these begin and end, the next claim is under way.
    package var claimSize = 512

    /// Reserves a quarter of the slots for chat unless told otherwise.
    package init(slots: Int, slotsReservedForChat: Int? = nil, shutdownGrace: Duration) {
        self.slots = max(1, slots)
        self.slotsReservedForChat = min(slotsReservedForChat ?? slots / 4, max(0, slots - 1))
        self.shutdownGrace = shutdownGrace
    }
}

/// Claims jobs for its free slots and runs them, until it is shut down.
///
/// One claim is under way at a time and asks for as many jobs as there are free slots. It claims when told of new
/// work, when a slot becomes free, after a full batch, and now and then without any reason: a lost notification
/// costs time, never a job. Told of chat alone, for which a person waits, it looks nowhere else first.
package final class WorkerService: Service {
    /// See `Service`.
    package let name = "worker"
    private let queue: any JobSource
    private let runner: JobRunner
    private let registry: RunRegistry
    private let id: WorkerID
    private let configuration: WorkerConfiguration
    private let loop: EventLoop
    private let isListening: @Sendable () -> Bool
    private let mayClaim: @Sendable () -> Bool
    private let onDrain: @Sendable () -> Void
    private let logger: Logger
    private let metrics: WorkerMetrics
    private let wakeUp = BoundedChannel<Void>(capacity: 1)
    private let background = Atomic<Int>(0)
    /// Whether others than the chat lane may have something new.
    private let hasOtherNews = Atomic<Bool>(false)
    /// Claims that are not durable yet, nor on the way to the disk.
    private let unpersisted = Mutex<[Lease]>([])

    /// Starts nothing yet: ``run(_:)`` does.
    ///
    /// - Parameters:
    ///   - id: under which claims are made and beats are sent.
    ///   - queue: where jobs are claimed.
    ///   - runner: runs one claimed job to its end.
    ///   - registry: the runs of this process; its count is the count of used slots.
    ///   - configuration: slots, grace and polling.
    ///   - loop: where claims and timers are.
    ///   - isListening: whether notifications of new work arrive at present.
    ///   - mayClaim: whether others know that this worker lives; nothing is claimed while they do not.
    ///   - onDrain: called once when it stops claiming.
    ///   - logger: told of failed claims and of the drain.
    ///   - metrics: claims, claimed and running jobs.
    package init(
        id: WorkerID, queue: any JobSource, runner: JobRunner, registry: RunRegistry,
        configuration: WorkerConfiguration, loop: EventLoop, isListening: @escaping @Sendable () -> Bool,
        mayClaim: @escaping @Sendable () -> Bool, onDrain: @escaping @Sendable () -> Void, logger: Logger,
        metrics: WorkerMetrics
    ) {
        self.id = id
        self.queue = queue
        self.runner = runner
        self.registry = registry
        self.configuration = configuration
        self.loop = loop
        self.isListening = isListening
        self.mayClaim = mayClaim
        self.onDrain = onDrain
        self.logger = logger
        self.metrics = metrics
        metrics.slots.set(configuration.slots)
    }

    /// Tells the claimer that lanes have work, or that it has room for some; never blocks.
    package func wake(_ lanes: Set<Lane> = Lane.all) {
        if lanes.contains(where: { $0 != .chat }) { hasOtherNews.store(true, ordering: .relaxed) }
        _ = wakeUp.send(())
    }

    /// See `Service`. Shut down, it claims no more and returns when its runs have ended or were handed back.
    package func run(_ shutdown: ShutdownSignal) async throws {
        let home = LoopDomain(loop)
        await home.run { await claimUntilStopped(shutdown, on: home) }
    }

    private func claimUntilStopped(_ shutdown: ShutdownSignal, on home: isolated LoopDomain) async {
        shutdown.onTrigger { [wakeUp] in _ = wakeUp.send(()) }
        let tasks = LoopTasks()
        var (isTold, looksAtAll) = (true, true)
        var lastLookAtAll = ContinuousClock.now
        while !shutdown.isTriggered && !Task.isCancelled {
            if ContinuousClock.now - lastLookAtAll > configuration.idlePoll { looksAtAll = true }
            if looksAtAll { lastLookAtAll = .now }
            let limit = freeSlots(chatAlone: !looksAtAll)
            let claimed = limit.total > 0 ? await claim(limit) : nil
            if !isTold, claimed?.isEmpty == false { metrics.missedWakeUps.increment() }
            isTold = true
            if let claimed, claimed.count == limit.total {
                // The next claim is on its way before these runs have the loop.
                tasks.start(on: home) { [self] home in start(claimed, in: tasks, on: home) }
                looksAtAll = true
                continue
            }
            if let claimed { start(claimed, in: tasks, on: home) }
            if claimed == nil && looksAtAll { hasOtherNews.store(true, ordering: .relaxed) }
            isTold = await waitForWork(hadError: limit.total > 0 && claimed == nil, on: home)
            looksAtAll = hasOtherNews.exchange(false, ordering: .relaxed) || !isTold
        }
        drain()
        await tasks.waitForAll()
    }

    private func freeSlots(chatAlone: Bool) -> ClaimLimit {
        let total = configuration.slots - registry.count
        let room =
            chatAlone
            ? 0 : configuration.slots - configuration.slotsReservedForChat - background.load(ordering: .relaxed)
        return ClaimLimit(
            total: min(total, configuration.claimSize), background: min(room, configuration.claimSize))
    }

    private struct Claimed {
        let job: ClaimedJob
        let abort: AbortSignal
    }

    /// The claimed jobs, all in the registry, or nil when the database did not answer, or nothing may be claimed now.
    private func claim(_ limit: ClaimLimit) async -> [Claimed]? {
        guard mayClaim() else { return nil }
        registry.claimBegins()
        defer { registry.claimEnds() }
        do throws(JobQueueError) {
            let jobs = try await queue.claim(limit, worker: id)
            background.wrappingAdd(jobs.count { $0.lane != .chat }, ordering: .relaxed)
            metrics.claimed(jobs, at: runner.now())
            return jobs.map { Claimed(job: $0, abort: registry.add($0.lease)) }
        } catch {
            if error != .cancelled { logger.warning("claim failed", [.errorDetail: "\(error)"]) }
            return nil
        }
    }

    private func start(_ claimed: [Claimed], in tasks: LoopTasks, on home: isolated LoopDomain) {
        for job in claimed { start(job, in: tasks, on: home) }
        let shown = claimed.filter { $0.job.lane == .chat }.map(\.job.lease)
        if shown.isEmpty { return }
        let isFirst = unpersisted.withLock { leases in
            defer { leases += shown }
            return leases.isEmpty
        }
        if isFirst { tasks.start(on: home) { [self] home in await persist(on: home) } }
    }

    /// How long claims gather before they are made durable together: the runs, which load and ask meanwhile, go first.
    private static let persistWindow: Duration = .milliseconds(1)

    /// Waits for the disk beside the runs.
    private func persist(on home: isolated LoopDomain) async {
        await home.pause(for: Self.persistWindow)
        let leases = unpersisted.withLock { leases in
            defer { leases = [] }
            return leases
        }
        let backoff = Backoff(base: .milliseconds(20), cap: .seconds(1))
        var attempt = 0
        while !Task.isCancelled {
            do throws(JobQueueError) {
                try await queue.persist()
                return runner.release(leases)
            } catch {
                attempt += 1
                do { try await ContinuousClock().sleep(for: backoff.delay(attempt: attempt)) } catch { return }
            }
        }
    }

    private func start(_ claimed: Claimed, in tasks: LoopTasks, on home: isolated LoopDomain) {
        let (job, abort) = (claimed.job, claimed.abort)
        let isBackground = job.lane != .chat
        metrics.began(job)
        runner.start(job, abort: abort, in: tasks, on: home) { [self] in
            if isBackground { background.wrappingSubtract(1, ordering: .relaxed) }
            metrics.isOver(job)
            wake()
        }
    }

    /// Returns whether it was told to look again, by whomever, before it was time to look anyway.
    private func waitForWork(hadError: Bool, on home: isolated LoopDomain) async -> Bool {
        let base = hadError || !isListening() ? configuration.blindPoll : configuration.idlePoll
        let deadline = ContinuousClock.now + base * Double.random(in: 0.75...1.25)
        let wakeUp = wakeUp
        let isTime = Flag()
        let timer = home.loop.schedule(at: deadline) {
            isTime.raise()
            _ = wakeUp.send(())
        }
        _ = await wakeUp.nextBatch()
        home.loop.cancel(timer)
        return !isTime.isRaised
    }

    /// Lets runs end by themselves within the grace, then takes them back to the line.
    private func drain() {
        logger.info("worker stops claiming", [.count: "\(registry.count)"])
        onDrain()
        let registry = registry
        let deadline = ContinuousClock.now + configuration.shutdownGrace
        loop.execute { [loop] in _ = loop.schedule(at: deadline) { registry.abortAll(.shutdown) } }
        if configuration.shutdownGrace <= .zero { registry.abortAll(.shutdown) }
    }
}

/// Raised once, by a timer.
private final class Flag: Sendable {
    private let raised = Atomic<Bool>(false)
    var isRaised: Bool { raised.load(ordering: .relaxed) }
    func raise() { raised.store(true, ordering: .relaxed) }
}
