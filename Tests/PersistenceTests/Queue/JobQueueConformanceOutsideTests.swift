// SPDX-License-Identifier: Apache-2.0
import Chat
import Jobs
import TestSupport
import Testing

/// What every queue promises of cancels and of rescues.
@Suite(.timeLimit(.minutes(1)))
struct JobQueueConformanceOutsideTests {
    @Test(arguments: QueueImplementation.allCases)
    func `a job can be cancelled wherever it stands`(_ queue: QueueImplementation) async throws {
        try await queue.with { test in
            let ready = try await test.enqueue()
            #expect(try await test.queue.cancel(ready, owner: test.user) == .ended(wake: [], events: []))
            let deferred = try await test.enqueue(runAt: QueueUnderTest.far)
            #expect(try await test.queue.cancel(deferred, owner: test.user) == .ended(wake: [], events: []))
            let retrying = try await test.enqueue()
            _ = try await test.settle(try await test.claimOne(), test.again())
            #expect(try await test.queue.cancel(retrying, owner: test.user) == .ended(wake: [], events: []))
            #expect(try await test.queue.record(retrying, owner: test.user)?.attempt == 1)
            for job in [ready, deferred, retrying] {
                #expect(try await test.state(job) == .cancelled)
                #expect(try await test.queue.cancel(job, owner: test.user) == .alreadyEnded)
            }
            let running = try await test.enqueue()
            let claimed = try await test.claimOne()
            #expect(try await test.queue.cancel(running, owner: test.user) == .requested(claimed.lease))
            #expect(try await test.queue.cancel(running, owner: test.user) == .requested(claimed.lease))
            _ = try await test.settle(claimed, .cancelled)
            #expect(try await test.queue.cancel(running, owner: test.user) == .alreadyEnded)
            #expect(try await test.queue.moveDue() == DueMove(wake: [], nextDue: nil))
            #expect(try await test.claim().isEmpty)
        }
    }

    @Test(arguments: QueueImplementation.allCases)
    func `nobody cancels or sees another's job`(_ queue: QueueImplementation) async throws {
        try await queue.with { test in
            let other: UserID = Fixture.id()
            let job = try await test.enqueue()
            #expect(try await test.queue.cancel(job, owner: other) == .notFound)
            #expect(try await test.queue.record(job, owner: other) == nil)
            #expect(try await test.queue.cancel(Fixture.id(), owner: test.user) == .notFound)
            let claimed = try await test.claimOne()
            #expect(try await test.queue.cancel(job, owner: other) == .notFound)
            #expect(try await test.settle(claimed) == .held(wake: []))
            #expect(try await test.queue.cancel(job, owner: other) == .notFound)
        }
    }

    @Test(arguments: QueueImplementation.allCases, JobQueueConformanceTests.ends.indices)
    func `a run that was cancelled ends in no other way`(_ queue: QueueImplementation, end: Int) async throws {
        try await queue.with { test in
            let id = try await test.enqueue()
            let claimed = try await test.claimOne()
            _ = try await test.queue.cancel(id, owner: test.user)
            let end = JobQueueConformanceTests.ends[end]
            let isCancelled = end.state == .cancelled
            #expect(try await test.settle(claimed, end) == (isCancelled ? .held(wake: []) : .cancelRequested))
            #expect(try await test.state(id) == (isCancelled ? .cancelled : .running))
            #expect(try await test.settle(claimed, .cancelled) == .held(wake: []))
            #expect(try await test.state(id) == .cancelled)
        }
    }

    @Test(arguments: QueueImplementation.allCases)
    func `a dead worker's jobs are put back with their attempt spent`(_ queue: QueueImplementation) async throws {
        try await queue.with { test in
            let dead: WorkerID = Fixture.id()
            let id = try await test.enqueue(.title)
            let cancelled = try await test.enqueue(.title)
            let first = try await test.claim(by: dead)
            #expect(first.count == 2)
            _ = try await test.queue.cancel(cancelled, owner: test.user)
            let others = try await test.enqueue()
            _ = try await test.claimOne()
            let rescue = try await test.queue.rescue(dead)
            #expect(rescue == Rescue(putBackCount: 1, endedCount: 1, wake: [.title], events: []))
            #expect(try await test.state(cancelled) == .cancelled)
            #expect(try await test.state(others) == .running)
            #expect(try await test.queue.record(id, owner: test.user)?.attempt == 1)
            for job in first { #expect(try await test.settle(job) == .stale) }
            let second = try await test.claimOne()
            #expect(second.lease.job == id && second.attempt == 2 && second.crashes == 1 && second.needsRestart)
            #expect(
                try await test.queue.rescue(dead) == Rescue(putBackCount: 0, endedCount: 0, wake: [], events: []))
        }
    }

    @Test(arguments: QueueImplementation.allCases)
    func `a job that takes three workers down is poison`(_ queue: QueueImplementation) async throws {
        try await queue.with { test in
            let id = try await test.enqueue()
            for crash in 1...3 {
                let claimed = try await test.claimOne()
                #expect(claimed.crashes == Int16(crash) - 1)
                let rescue = try await test.queue.rescue(test.worker)
                #expect(rescue.putBackCount == (crash < 3 ? 1 : 0))
                #expect(rescue.endedCount == (crash < 3 ? 0 : 1))
            }
            let record = try #require(try await test.queue.record(id, owner: test.user))
            #expect(record.state == .failed && record.errorCode == "poison" && record.attempt == 3)
            #expect(try await test.claim().isEmpty)
        }
    }

    @Test(arguments: QueueImplementation.allCases)
    func `crashes are remembered over hand-overs and retries`(_ queue: QueueImplementation) async throws {
        try await queue.with { test in
            let id = try await test.enqueue()
            for _ in 0..<2 {
                _ = try await test.claimOne()
                _ = try await test.queue.rescue(test.worker)
            }
            _ = try await test.settle(try await test.claimOne(), .handedOver(hadOutput: true))
            _ = try await test.settle(try await test.claimOne(), test.again(after: .zero))
            _ = try await test.queue.moveDue()
            #expect(try await test.claimOne().crashes == 2)
            #expect(try await test.queue.rescue(test.worker).endedCount == 1)
            #expect(try await test.state(id) == .failed)
        }
    }

    @Test(arguments: QueueImplementation.allCases)
    func `an unknown lease is given back with its attempt`(_ queue: QueueImplementation) async throws {
        try await queue.with { test in
            let id = try await test.enqueue(.summary)
            let claimed = try await test.claimOne()
            let stranger: WorkerID = Fixture.id()
            #expect(try await test.queue.putBackUnknown(claimed.lease, worker: stranger).putBackCount == 0)
            let back = try await test.queue.putBackUnknown(claimed.lease, worker: test.worker)
            #expect(back == Rescue(putBackCount: 1, endedCount: 0, wake: [.summary], events: []))
            #expect(try await test.queue.putBackUnknown(claimed.lease, worker: test.worker).putBackCount == 0)
            #expect(try await test.settle(claimed) == .stale)
            let again = try await test.claimOne()
            #expect(again.lease.job == id && again.attempt == 1 && again.crashes == 0)
            // Its run may have been aborted in the middle, after readers saw some of it.
            #expect(again.needsRestart)
        }
    }

    @Test(arguments: QueueImplementation.allCases)
    func `an unknown lease that was cancelled is ended`(_ queue: QueueImplementation) async throws {
        try await queue.with { test in
            let id = try await test.enqueue()
            let claimed = try await test.claimOne()
            _ = try await test.queue.cancel(id, owner: test.user)
            let back = try await test.queue.putBackUnknown(claimed.lease, worker: test.worker)
            #expect(back == Rescue(putBackCount: 0, endedCount: 1, wake: [], events: []))
            #expect(try await test.state(id) == .cancelled)
            #expect(try await test.settle(claimed, .cancelled) == .stale)
        }
    }
}
