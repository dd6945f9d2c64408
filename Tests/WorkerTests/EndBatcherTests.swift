// SPDX-License-Identifier: Apache-2.0
import Chat
import Jobs
import Persistence
import Runtime
import Synchronization
import TestSupport
import Testing

@testable import Worker

/// What goes into a batch, when it is sent, and what becomes of those in it.
@Suite(.timeLimit(.minutes(1)))
struct EndBatcherTests {
    /// A settler that remembers what it was asked and answers as told.
    private final class Settler: BatchSettler {
        struct Asked {
            var batches: [[Lease]] = []
            var singles: [Lease] = []
        }

        let asked = Mutex(Asked())
        let stale: Set<Lease>
        let refusal: JobQueueError?
        /// Every batch waits for it.
        let gate: Gate?

        init(stale: Set<Lease> = [], refusal: JobQueueError? = nil, gate: Gate? = nil) {
            self.stale = stale
            self.refusal = refusal
            self.gate = gate
        }

        var batches: [[Lease]] { asked.withLock { $0.batches } }
        var singles: [Lease] { asked.withLock { $0.singles } }

        func settle(
            _ job: ClaimedJob, _ end: RunEnd, events: [StampedEvent], effect: RunEffect
        ) async throws(JobQueueError) -> Settlement {
            asked.withLock { $0.singles.append(job.lease) }
            return .held(wake: [.title])
        }

        func abandon(_ job: ClaimedJob, _ failure: JobFailure) async throws(JobQueueError) -> Rescue {
            Rescue(putBackCount: 0, endedCount: 1, wake: [], events: [])
        }

        func complete(_ runs: [CompletedRun]) async throws(JobQueueError) -> [Settlement] {
            asked.withLock { $0.batches.append(runs.map(\.lease)) }
            await gate?.wait()
            if let refusal { throw refusal }
            return runs.map { stale.contains($0.lease) ? .stale : .held(wake: []) }
        }
    }

    private static func job(_ number: Int64, key: SerialKey? = nil) -> ClaimedJob {
        ClaimedJob(
            lease: Lease(job: JobID(high: 1, low: UInt64(number)), number: number), kind: .noop, lane: .embedding,
            userID: UserID(high: 0, low: 1), serialKey: key, payload: [], attempt: 1, maximumAttempts: 5, crashes: 0,
            needsRestart: false, runLimit: .seconds(1))
    }

    private static func with(
        _ settler: Settler, runCount: @escaping @Sendable () -> Int = { .max },
        _ body: @Sendable (EndBatcher) async throws -> Void
    ) async throws {
        let loops = try EventLoopGroup(count: 1)
        defer { loops.shutDown() }
        let batcher = EndBatcher(settler: settler, loop: loops.loops[0], runCount: runCount)
        let shutdown = ShutdownSignal()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await batcher.run(shutdown) }
            while !batcher.isOpen { await Task.yield() }
            do { try await body(batcher) } catch {
                shutdown.trigger()
                throw error
            }
            shutdown.trigger()
            try await group.waitForAll()
        }
    }

    /// The settlements of jobs that end at the same time.
    private static func endAll(_ jobs: [ClaimedJob], _ batcher: EndBatcher) async -> [Lease: Result<
        Settlement, JobQueueError
    >] {
        await withTaskGroup(of: (Lease, Result<Settlement, JobQueueError>).self) { group in
            for job in jobs {
                group.addTask {
                    do throws(JobQueueError) {
                        let settled = try await batcher.settle(job, .completed(result: nil), events: [], effect: .none)
                        return (job.lease, .success(settled))
                    } catch {
                        return (job.lease, .failure(error))
                    }
                }
            }
            return await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
        }
    }

    @Test func `a single end is sent without company`() async throws {
        let settler = Settler()
        try await Self.with(settler) { batcher in
            let job = Self.job(1)
            #expect(await Self.endAll([job], batcher) == [job.lease: .success(.held(wake: []))])
            #expect(settler.batches == [[job.lease]])
        }
    }

    @Test func `ends of many runs share statements and each has its own answer`() async throws {
        let jobs = (1...2000).map { Self.job($0) }
        let settler = Settler(stale: [jobs[6].lease])
        try await Self.with(settler) { batcher in
            let settled = await Self.endAll(jobs, batcher)
            #expect(settled.count == 2000)
            #expect(settled.filter { $0.value == .success(.stale) }.keys.elementsEqual([jobs[6].lease]))
        }
        #expect(settler.singles.isEmpty)
        #expect(settler.batches.allSatisfy { $0.count <= EndBatcher.maximumSize })
        #expect(settler.batches.flatMap(\.self).count == 2000)
        #expect(settler.batches.count < 500)
    }

    @Test func `while as many batches as may be are under way the next one gathers`() async throws {
        let gate = Gate()
        let settler = Settler(gate: gate)
        let jobs = (1...1500).map { Self.job($0) }
        try await Self.with(settler) { batcher in
            async let settled = Self.endAll(jobs, batcher)
            while settler.batches.count < EndBatcher.maximumFlights { await Task.yield() }
            let airborne = settler.batches.map(\.count).reduce(0, +)
            while batcher.waitingCount < jobs.count - airborne { await Task.yield() }
            #expect(settler.batches.count == EndBatcher.maximumFlights)
            gate.open()
            #expect(await settled.count == jobs.count)
        }
        #expect(Set(settler.batches.flatMap(\.self)) == Set(jobs.map(\.lease)))
    }

    @Test func `ends that no other run can join are sent while another batch is under way`() async throws {
        let gate = Gate()
        let settler = Settler(gate: gate)
        try await Self.with(settler, runCount: { 2 }) { batcher in
            async let first = Self.endAll([Self.job(1)], batcher)
            while settler.batches.isEmpty { await Task.yield() }
            async let second = Self.endAll([Self.job(2)], batcher)
            while settler.batches.count < 2 { await Task.yield() }
            gate.open()
            #expect(await first.count + second.count == 2)
        }
    }

    @Test func `what writes more than its own job is settled by itself`() async throws {
        let settler = Settler()
        try await Self.with(settler) { batcher in
            let (keyed, plain) = (Self.job(1, key: SerialKey(high: 0, low: 1)), Self.job(2))
            let title = RunEffect.title(session: SessionID(high: 0, low: 1), owner: plain.userID, title: "t")
            let failure = JobFailure(.fatal, .internalError, "x")
            _ = try await batcher.settle(keyed, .completed(result: nil), events: [], effect: .none)
            _ = try await batcher.settle(plain, .completed(result: nil), events: [], effect: title)
            _ = try await batcher.settle(plain, .failed(failure), events: [], effect: .none)
            _ = try await batcher.settle(plain, .cancelled, events: [], effect: .none)
        }
        #expect(settler.batches.isEmpty)
        #expect(settler.singles.count == 4)
    }

    @Test func `when a batch is refused each end tries by itself`() async throws {
        let settler = Settler(refusal: .failed("a text holds U+0000"))
        let jobs = (1...5).map { Self.job($0) }
        try await Self.with(settler) { batcher in
            let settled = await Self.endAll(jobs, batcher)
            #expect(settled.values.allSatisfy { $0 == .success(.held(wake: [.title])) })
        }
        #expect(Set(settler.singles) == Set(jobs.map(\.lease)))
    }

    @Test func `when the database is away each run is told and repeats`() async throws {
        let settler = Settler(refusal: .unavailable)
        let jobs = (1...5).map { Self.job($0) }
        try await Self.with(settler) { batcher in
            let settled = await Self.endAll(jobs, batcher)
            #expect(settled.values.allSatisfy { $0 == .failure(.unavailable) })
        }
        #expect(settler.singles.isEmpty)
    }

    @Test func `without its service an end passes through`() async throws {
        let loops = try EventLoopGroup(count: 1)
        defer { loops.shutDown() }
        let settler = Settler()
        let batcher = EndBatcher(settler: settler, loop: loops.loops[0]) { .max }
        let job = Self.job(1)
        #expect(await Self.endAll([job], batcher) == [job.lease: .success(.held(wake: [.title]))])
        #expect(settler.singles == [job.lease])
    }
}
