// SPDX-License-Identifier: Apache-2.0
import Chat
import Jobs
import Observability
import Runtime
import TestSupport
import Testing

@testable import Worker

@Suite(.timeLimit(.minutes(1)))
struct WorkerServiceTests {
    /// Who runs at the moment, and what has been.
    private struct Load: Sendable {
        var running: [Lane: Int] = [:]
        var mostRunning = 0
        var mostBackground = 0
        var ended = 0

        var total: Int { running.values.reduce(0, +) }
        var begun: Int { total + ended }
        var background: Int { total - running[.chat, default: 0] }
    }

    private struct Harness: Sendable {
        let queue: InMemoryJobQueue
        let service: WorkerService
        let load: Watched<Load>
        /// Every run waits for it.
        let gate: Gate
        let shutdown: ShutdownSignal
        let metrics: WorkerMetrics

        @discardableResult
        func enqueue(
            _ count: Int, _ lane: Lane, telling: Bool = true, of lanes: Set<Lane> = Set(Lane.allCases)
        ) async throws -> [JobID] {
            let jobs = (0..<count).map { _ in
                NewJob(id: WorkerFixture.id(), kind: .noop, lane: lane, userID: Self.user, payload: [])
            }
            _ = try await queue.enqueue(jobs)
            if telling { service.wake(lanes) }
            return jobs.map(\.id)
        }

        static let user: UserID = WorkerFixture.id()
    }

    private func withWorker(
        slots: Int, reserved: Int, grace: Duration = .seconds(60), idlePoll: Duration = .seconds(5),
        claimSize: Int = 512, claims: Recorder<[ObservedClaim]> = Recorder([]),
        mayClaim: @escaping @Sendable () -> Bool = { true },
        _ body: @Sendable (Harness) async throws -> Void
    ) async throws {
        let queue = InMemoryJobQueue()
        let load = Watched(Load())
        let gate = Gate()
        let shutdown = ShutdownSignal()
        let loop = try TestCluster.loops.get().next()
        let source = ObservedSource(queue: queue, loop: loop, begun: { load.value.begun }, claims: claims)
        try await WorkerFixture.withPublisher(ScriptedAppender()) { publisher in
            let registry = RunRegistry()
            let metrics = WorkerMetrics(MetricsRegistry())
            let handler = ScriptedHandler { job, _ in
                load.withLock {
                    $0.running[job.lane, default: 0] += 1
                    $0.mostRunning = max($0.mostRunning, $0.total)
                    $0.mostBackground = max($0.mostBackground, $0.background)
                }
                await Self.wait(for: gate)
                load.withLock {
                    $0.running[job.lane, default: 0] -= 1
                    $0.ended += 1
                }
                return nil
            }
            let runner = JobRunner(
                handlers: [.noop: handler], settler: queue, publisher: publisher, registry: registry,
                policy: RetryPolicy(), wake: { _ in }, now: { WorkerFixture.now }, logger: .discard, metrics: metrics)
            var configuration = WorkerConfiguration(
                slots: slots, slotsReservedForChat: reserved, shutdownGrace: grace)
            configuration.idlePoll = idlePoll
            configuration.claimSize = claimSize
            let service = WorkerService(
                id: WorkerFixture.id(), queue: source, runner: runner, registry: registry,
                configuration: configuration,
                loop: loop, isListening: { true }, mayClaim: mayClaim, onDrain: {}, logger: .discard, metrics: metrics)
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await service.run(shutdown) }
                let harness = Harness(
                    queue: queue, service: service, load: load, gate: gate, shutdown: shutdown, metrics: metrics)
                do {
                    try await body(harness)
                } catch {
                    gate.open()
                    shutdown.trigger()
                    throw error
                }
                shutdown.trigger()
                try await group.waitForAll()
            }
        }
    }

    /// Until the gate opens or the task is cancelled.
    private static func wait(for gate: Gate) async {
        let signal = ShutdownSignal()
        gate.whenOpened { signal.trigger() }
        await signal.wait()
    }

    @Test func `lower lanes leave the reserved slots to chat and no slot is used twice`() async throws {
        try await withWorker(slots: 4, reserved: 1) { worker in
            try await worker.enqueue(10, .embedding)
            await worker.load.wait { $0.background == 3 }
            try await worker.enqueue(5, .chat)
            await worker.load.wait { $0.total == 4 }
            #expect(worker.load.value.running[.chat] == 1)
            worker.gate.open()
            await worker.load.wait { $0.ended == 15 }
            worker.shutdown.trigger()
            #expect(worker.load.value.mostRunning <= 4)
            #expect(worker.load.value.mostBackground <= 3)
        }
    }

    @Test func `work that nobody tells of is found when a look is due, and counted`() async throws {
        try await withWorker(slots: 2, reserved: 0, idlePoll: .milliseconds(5)) { worker in
            worker.gate.open()
            #expect(worker.metrics.slots.value == 2)
            // A job may come just before a look that was asked for: at the start, or when a slot became free.
            var count = 0
            while worker.metrics.missedWakeUps.value == 0 {
                count += 1
                let expected = count
                try await worker.enqueue(1, .title, telling: false)
                await worker.load.wait { $0.ended == expected }
            }
            #expect(worker.metrics.missedWakeUps.value <= UInt64(count))
        }
        try await withWorker(slots: 2, reserved: 0) { worker in
            worker.gate.open()
            try await worker.enqueue(1, .title)
            await worker.load.wait { $0.ended == 1 }
            #expect(worker.metrics.missedWakeUps.value == 0)
        }
    }

    @Test func `told of chat alone it leaves the other lanes for the next look`() async throws {
        try await withWorker(slots: 4, reserved: 0) { worker in
            try await worker.enqueue(1, .title, telling: false)
            // The look at the start may still come, and finds it: then it was not this wake-up that did.
            try await worker.enqueue(1, .chat, of: [.chat])
            await worker.load.wait { $0.running[.chat] == 1 }
            try await worker.enqueue(2, .embedding, telling: false)
            try await worker.enqueue(1, .chat, of: [.chat])
            await worker.load.wait { $0.running[.chat] == 2 }
            #expect(worker.load.value.running[.embedding, default: 0] == 0)
            // Another lane's wake-up is a look at all of them.
            worker.service.wake([.title])
            await worker.load.wait { $0.total == 4 }
            worker.gate.open()
            await worker.load.wait { $0.ended == 5 }
        }
    }

    @Test func `nothing is claimed while others cannot know that the worker lives`() async throws {
        let isKnown = Recorder(false)
        let asked = Gate()
        let claims = Recorder<[ObservedClaim]>([])
        try await withWorker(
            slots: 4, reserved: 0, claims: claims,
            mayClaim: {
                asked.open()
                return isKnown.withLock { $0 }
            }
        ) { worker in
            try await worker.enqueue(1, .chat)
            await asked.wait()
            #expect(claims.withLock { $0.isEmpty })
            isKnown.withLock { $0 = true }
            worker.service.wake()
            worker.gate.open()
            await worker.load.wait { $0.ended == 1 }
        }
    }

    @Test func `the claim behind a full one is on its way before the runs of that one begin`() async throws {
        let claims = Recorder<[ObservedClaim]>([])
        try await withWorker(slots: 8, reserved: 0, claimSize: 2, claims: claims) { worker in
            try await worker.enqueue(4, .embedding)
            await worker.load.wait { $0.total == 4 }
            worker.gate.open()
            await worker.load.wait { $0.ended == 4 }
        }
        let all = claims.withLock { $0 }
        let first = try #require(all.firstIndex { $0.taken == 2 })
        #expect(all[first + 1] == ObservedClaim(begunBefore: 0, taken: 2))
    }

    @Test func `a slot that becomes free is for every lane`() async throws {
        try await withWorker(slots: 1, reserved: 0) { worker in
            try await worker.enqueue(1, .chat, of: [.chat])
            await worker.load.wait { $0.total == 1 }
            try await worker.enqueue(1, .embedding, telling: false)
            worker.gate.open()
            await worker.load.wait { $0.ended == 2 }
        }
    }

    @Test func `while it is told of chat alone, the other lanes are looked at when a look is due`() async throws {
        try await withWorker(slots: 8, reserved: 0, idlePoll: .milliseconds(5)) { worker in
            try await worker.enqueue(1, .embedding, telling: false)
            while worker.load.value.running[.embedding, default: 0] == 0 {
                worker.service.wake([.chat])
                await Task.yield()
            }
            worker.gate.open()
            await worker.load.wait { $0.ended == 1 }
        }
    }

    @Test func `chat may use every slot`() async throws {
        try await withWorker(slots: 3, reserved: 1) { worker in
            try await worker.enqueue(1, .title)
            try await worker.enqueue(7, .chat)
            await worker.load.wait { $0.total == 3 }
            worker.gate.open()
            await worker.load.wait { $0.ended == 8 }
            #expect(worker.load.value.mostRunning == 3)
        }
    }

    @Test(arguments: 0..<4)
    func `random work is all done within the slots`(seed: UInt64) async throws {
        try await withWorker(slots: 5, reserved: 2) { worker in
            var random = SeededGenerator(seed: seed)
            worker.gate.open()
            var count = 0
            for _ in 0..<40 {
                let batch = Int.random(in: 1...9, using: &random)
                count += batch
                try await worker.enqueue(batch, Lane.allCases.randomElement(using: &random) ?? .chat)
            }
            let expected = count
            await worker.load.wait { $0.ended == expected }
            #expect(worker.load.value.mostRunning <= 5 && worker.load.value.mostBackground <= 3, "seed \(seed)")
        }
    }

    @Test func `a draining worker ends what runs and claims no more`() async throws {
        let records = Recorder<[JobState?]>([])
        try await withWorker(slots: 2, reserved: 0) { worker in
            let jobs = try await worker.enqueue(4, .chat)
            await worker.load.wait { $0.total == 2 }
            worker.shutdown.trigger()
            worker.gate.open()
            await worker.load.wait { $0.ended == 2 }
            // The ends are written before the worker has left; the rest of the line stays.
            var unfinished = await worker.queue.unfinishedCount
            while unfinished > 2 {
                await Task.yield()
                unfinished = await worker.queue.unfinishedCount
            }
            for job in jobs {
                let state = try await worker.queue.record(job, owner: Harness.user)?.state
                records.withLock { $0.append(state) }
            }
        }
        #expect(records.withLock { $0 } == [.completed, .completed, .ready, .ready])
    }

    @Test func `what runs after the grace is handed over with its attempt`() async throws {
        let queue = Recorder<(InMemoryJobQueue, [JobID])?>(nil)
        try await withWorker(slots: 2, reserved: 0, grace: .zero) { worker in
            let jobs = try await worker.enqueue(2, .chat)
            await worker.load.wait { $0.total == 2 }
            queue.withLock { $0 = (worker.queue, jobs) }
        }
        let (left, jobs) = try #require(queue.withLock { $0 })
        for job in jobs {
            let record = try #require(try await left.record(job, owner: Harness.user))
            #expect(record.state == .ready && record.attempt == 0)
        }
    }
}

/// A claim as the queue saw it.
private struct ObservedClaim: Sendable, Equatable {
    /// Runs that had begun when its statement left.
    let begunBefore: Int
    let taken: Int
}

/// Claims whose statement leaves in the loop's next turn, as that of a connection on it does.
private struct ObservedSource: JobSource {
    let queue: InMemoryJobQueue
    let loop: EventLoop
    let begun: @Sendable () -> Int
    let claims: Recorder<[ObservedClaim]>

    func claim(_ limit: ClaimLimit, worker: WorkerID) async throws(JobQueueError) -> [ClaimedJob] {
        let before = await withCheckedContinuation { left in
            loop.execute { left.resume(returning: begun()) }
        }
        let jobs = try await queue.claim(limit, worker: worker)
        claims.withLock { $0.append(ObservedClaim(begunBefore: before, taken: jobs.count)) }
        return jobs
    }

    func persist() async throws(JobQueueError) { try await queue.persist() }
}
