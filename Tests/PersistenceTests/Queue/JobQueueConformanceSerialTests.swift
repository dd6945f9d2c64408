// SPDX-License-Identifier: Apache-2.0
import Chat
import Jobs
import TestSupport
import Testing

/// What every queue promises of serial keys: one at a time, in order, and never a follower without a head.
@Suite(.timeLimit(.minutes(1)))
struct JobQueueConformanceSerialTests {
    static let key = SerialKey(high: 7, low: 7)

    @Test(arguments: QueueImplementation.allCases)
    func `jobs of a key run one at a time and in order`(_ queue: QueueImplementation) async throws {
        try await queue.with { test in
            var jobs: [JobID] = []
            for _ in 0..<4 { jobs.append(try await test.enqueue(key: Self.key)) }
            let other = try await test.enqueue(key: SerialKey(high: 8, low: 8))
            var order: [JobID] = []
            var claimed = try await test.claim()
            #expect(claimed.map(\.lease.job) == [jobs[0], other])
            claimed.removeLast()
            while let job = claimed.first {
                order.append(job.lease.job)
                #expect(try await test.claim().isEmpty)
                let isLast = order.count == jobs.count
                #expect(try await test.settle(job) == .held(wake: isLast ? [] : [.chat]))
                claimed = try await test.claim()
                #expect(claimed.count == (isLast ? 0 : 1))
            }
            #expect(order == jobs)
            // The key is forgotten: the next job is a head again.
            let next = try await test.enqueue(key: Self.key)
            #expect(try await test.claim().map(\.lease.job) == [next])
        }
    }

    /// Every way in which a head ends.
    enum HeadEnd: CaseIterable, Sendable {
        case completed, failed, cancelledRun, cancelledInLine, cancelledWhileDeferred, poison, lostAndCancelled
        case unknownAndCancelled
    }

    @Test(arguments: QueueImplementation.allCases, HeadEnd.allCases)
    func `the next job of a key is promoted on every end`(_ queue: QueueImplementation, end: HeadEnd) async throws {
        try await queue.with { test in
            let head = try await test.enqueue(
                key: Self.key, runAt: end == .cancelledWhileDeferred ? QueueUnderTest.far : nil)
            let follower = try await test.enqueue(.title, key: Self.key)
            let last = try await test.enqueue(key: Self.key)
            #expect(try await test.finish(head, end) == [.title])
            #expect(try await test.state(head)?.isEnd == true)
            let claimed = try await test.claim()
            #expect(claimed.map(\.lease.job) == [follower])
            #expect(try await test.settle(claimed[0]) == .held(wake: [.chat]))
            #expect(try await test.claim().map(\.lease.job) == [last])
        }
    }

    @Test(arguments: QueueImplementation.allCases)
    func `a head keeps its key while it retries, is handed over or rescued`(_ queue: QueueImplementation) async throws {
        try await queue.with { test in
            let head = try await test.enqueue(key: Self.key)
            let follower = try await test.enqueue(key: Self.key)
            _ = try await test.settle(try await test.claimOne(), test.again())
            #expect(try await test.claim().isEmpty)
            try await test.makeDue(head)
            _ = try await test.queue.moveDue()
            _ = try await test.settle(try await test.claimOne(), .handedOver(hadOutput: false))
            #expect(try await test.claim(100).map(\.lease.job) == [head])
            #expect(try await test.queue.rescue(test.worker).wake == [.chat])
            let again = try await test.claim()
            #expect(again.map(\.lease.job) == [head])
            _ = try await test.queue.putBackUnknown(again[0].lease, worker: test.worker)
            let last = try await test.claim()
            #expect(last.map(\.lease.job) == [head])
            #expect(try await test.settle(last[0]) == .held(wake: [.chat]))
            #expect(try await test.claim().map(\.lease.job) == [follower])
        }
    }

    @Test(arguments: QueueImplementation.allCases)
    func `a scheduled head keeps its followers behind it`(_ queue: QueueImplementation) async throws {
        try await queue.with { test in
            let head = try await test.enqueue(key: Self.key, runAt: QueueUnderTest.far)
            let follower = try await test.enqueue(key: Self.key)
            #expect(try await test.state(head) == .scheduled)
            #expect(try await test.state(follower) == .ready)
            #expect(try await test.claim().isEmpty)
            try await test.makeDue(head)
            #expect(try await test.queue.moveDue().wake == [.chat])
            let claimed = try await test.claim()
            #expect(claimed.map(\.lease.job) == [head])
            _ = try await test.settle(claimed[0])
            #expect(try await test.claim().map(\.lease.job) == [follower])
        }
    }

    @Test(arguments: QueueImplementation.allCases)
    func `a promoted follower still waits for its own time`(_ queue: QueueImplementation) async throws {
        try await queue.with { test in
            try await test.enqueue(key: Self.key)
            let follower = try await test.enqueue(key: Self.key, runAt: QueueUnderTest.far)
            let last = try await test.enqueue(key: Self.key)
            #expect(try await test.settle(try await test.claimOne()) == .held(wake: []))
            #expect(try await test.claim().isEmpty)
            #expect(try await test.state(follower) == .scheduled)
            try await test.makeDue(follower)
            #expect(try await test.queue.moveDue().wake == [.chat])
            let claimed = try await test.claim()
            #expect(claimed.map(\.lease.job) == [follower])
            _ = try await test.settle(claimed[0])
            #expect(try await test.claim().map(\.lease.job) == [last])
        }
    }

    @Test(arguments: QueueImplementation.allCases)
    func `a cancelled follower leaves the line around it as it was`(_ queue: QueueImplementation) async throws {
        try await queue.with { test in
            let head = try await test.enqueue(key: Self.key)
            let follower = try await test.enqueue(key: Self.key)
            let last = try await test.enqueue(key: Self.key)
            #expect(try await test.queue.cancel(follower, owner: test.user) == .ended(wake: [], events: []))
            let claimed = try await test.claim()
            #expect(claimed.map(\.lease.job) == [head])
            #expect(try await test.settle(claimed[0]) == .held(wake: [.chat]))
            #expect(try await test.claim().map(\.lease.job) == [last])
            #expect(try await test.state(follower) == .cancelled)
        }
    }
}

extension QueueUnderTest {
    /// Ends a head in one of the ways there are. Returns the lanes to wake.
    func finish(_ head: JobID, _ end: JobQueueConformanceSerialTests.HeadEnd) async throws -> Set<Lane> {
        func woken(_ settlement: Settlement) -> Set<Lane> { if case .held(let wake) = settlement { wake } else { [] } }
        switch end {
        case .completed: return woken(try await settle(try await claimOne()))
        case .failed:
            return woken(try await settle(try await claimOne(), .failed(JobFailure(.fatal, .internalError, "x"))))
        case .cancelledRun:
            let job = try await claimOne()
            #expect(try await queue.cancel(head, owner: user) == .requested(job.lease))
            #expect(try await settle(job) == .cancelRequested)
            return woken(try await settle(job, .cancelled))
        case .cancelledInLine, .cancelledWhileDeferred:
            guard case .ended(let wake, _) = try await queue.cancel(head, owner: user) else { return [] }
            return wake
        case .poison:
            for _ in 0..<2 {
                _ = try await claimOne()
                #expect(try await queue.rescue(worker).putBackCount == 1)
            }
            _ = try await claimOne()
            return try await queue.rescue(worker).wake
        case .lostAndCancelled:
            _ = try await claimOne()
            _ = try await queue.cancel(head, owner: user)
            return try await queue.rescue(worker).wake
        case .unknownAndCancelled:
            let job = try await claimOne()
            _ = try await queue.cancel(head, owner: user)
            return try await queue.putBackUnknown(job.lease, worker: worker).wake
        }
    }
}
