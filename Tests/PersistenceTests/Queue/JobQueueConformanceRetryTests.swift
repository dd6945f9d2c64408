// SPDX-License-Identifier: Apache-2.0
import Chat
import Jobs
import TestSupport
import Testing

/// What every queue promises of unique keys, of retries by hand and of the error history.
@Suite(.timeLimit(.minutes(1)))
struct JobQueueConformanceRetryTests {
    static let key = SerialKey(high: 5, low: 5)

    private func unique(_ test: QueueUnderTest, _ key: String = "k", kind: JobKind = .noop, of tenant: UserID? = nil)
        -> NewJob
    {
        var job = test.job(kind: kind, of: tenant)
        job.uniqueKey = key
        return job
    }

    @Test(arguments: QueueImplementation.allCases)
    func `a unique key makes one job of many, each told which`(_ queue: QueueImplementation) async throws {
        try await queue.with { test in
            let jobs = (0..<12).map { _ in unique(test) }
            let standing = try await withThrowingTaskGroup(of: [JobID].self) { group in
                for job in jobs { group.addTask { try await test.queue.enqueue([job]).standing } }
                return try await group.reduce(into: []) { $0 += $1 }
            }
            #expect(standing.count == 12 && Set(standing).count == 1)
            #expect(jobs.map(\.id).contains(standing[0]))
            #expect(try await test.claim().map(\.lease.job) == [standing[0]])
            // While it runs, too; and another kind, owner or key is another job.
            #expect(try await test.queue.enqueue([unique(test)]) == Enqueued(wake: [], standing: [standing[0]]))
            let others = [unique(test, "l"), unique(test, kind: .title), unique(test, of: Fixture.id())]
            #expect(try await test.queue.enqueue(others).standing == others.map(\.id))
            #expect(try await test.claim().count == 3)
        }
    }

    @Test(arguments: QueueImplementation.allCases, JobQueueConformanceSerialTests.HeadEnd.allCases)
    func `a unique key is free on every end`(
        _ queue: QueueImplementation, end: JobQueueConformanceSerialTests.HeadEnd
    ) async throws {
        try await queue.with { test in
            var job = unique(test)
            job.runAt = end == .cancelledWhileDeferred ? QueueUnderTest.far : nil
            _ = try await test.queue.enqueue([job])
            _ = try await test.finish(job.id, end)
            let next = unique(test)
            #expect(try await test.queue.enqueue([next]).standing == [next.id])
            // A repeated enqueue of the ended job takes it from nobody.
            #expect(try await test.queue.enqueue([job]).wake.isEmpty)
            #expect(try await test.queue.enqueue([unique(test)]).standing == [next.id])
            #expect(try await test.claim().map(\.lease.job) == [next.id])
        }
    }

    @Test(arguments: QueueImplementation.allCases, [true, false])
    func `an ended job is lined up again by hand with fresh attempts`(
        _ queue: QueueImplementation, isCancelled: Bool
    ) async throws {
        try await queue.with { test in
            let id = try await test.enqueue()
            let first = try await test.claimOne()
            let failure = JobFailure(.fatal, .providerAuth, "401")
            _ = try await test.settle(first, isCancelled ? .cancelled : .failed(failure))
            #expect(try await test.queue.retry(id, owner: Fixture.id()) == .notFound)
            #expect(try await test.queue.retry(Fixture.id(), owner: nil) == .notFound)
            #expect(try await test.queue.retry(id, owner: test.user) == .linedUp(wake: [.chat]))
            #expect(try await test.queue.retry(id, owner: nil) == .alreadyUnfinished)
            let record = try #require(try await test.queue.record(id, owner: test.user))
            #expect(record.state == .ready && record.attempt == 0 && record.errorCode == nil)
            #expect(record.finishedAt == nil && record.lease == first.lease.number)
            let second = try await test.claimOne()
            #expect(second.lease.job == id && second.lease.number > first.lease.number)
            #expect(second.attempt == 1 && second.crashes == 0 && second.needsRestart)
            #expect(try await test.queue.retry(id, owner: nil) == .alreadyUnfinished)
            #expect(try await test.settle(second) == .held(wake: []))
            #expect(try await test.queue.retry(id, owner: nil) == .completed)
            #expect(
                try await test.queue.errors(of: id, owner: test.user).map(\.code)
                    == (isCancelled ? [] : ["provider_auth"]))
            #expect(try await test.queue.errors(of: id, owner: Fixture.id()).isEmpty)
        }
    }

    @Test(arguments: QueueImplementation.allCases)
    func `of many wishes to try again one counts`(_ queue: QueueImplementation) async throws {
        try await queue.with { test in
            let id = try await test.enqueue(key: Self.key)
            _ = try await test.queue.cancel(id, owner: test.user)
            let results = try await withThrowingTaskGroup(of: Retrial.self) { group in
                for _ in 0..<8 { group.addTask { try await test.queue.retry(id, owner: test.user) } }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(results.count { $0 == .linedUp(wake: [.chat]) } == 1)
            #expect(results.count { $0 == .alreadyUnfinished } == 7)
            #expect(try await test.claim().map(\.lease.job) == [id])
        }
    }

    @Test(arguments: QueueImplementation.allCases)
    func `a job that is tried again waits behind its serial key and leads it when it is alone`(
        _ queue: QueueImplementation
    ) async throws {
        try await queue.with { test in
            let failed = try await test.enqueue(key: Self.key)
            let follower = try await test.enqueue(key: Self.key)
            _ = try await test.settle(
                try await test.claimOne(), .failed(JobFailure(.fatal, .internalError, "x")))
            let last = try await test.enqueue(key: Self.key)
            #expect(try await test.queue.retry(failed, owner: test.user) == .linedUp(wake: []))
            for expected in [follower, last, failed] {
                let claimed = try await test.claim()
                #expect(claimed.map(\.lease.job) == [expected])
                _ = try await test.settle(claimed[0], .failed(JobFailure(.fatal, .internalError, "x")))
            }
            #expect(try await test.queue.retry(last, owner: test.user) == .linedUp(wake: [.chat]))
            let next = try await test.enqueue(key: Self.key)
            let claimed = try await test.claim()
            #expect(claimed.map(\.lease.job) == [last])
            _ = try await test.settle(claimed[0])
            #expect(try await test.claim().map(\.lease.job) == [next])
        }
    }

    @Test(arguments: QueueImplementation.allCases)
    func `a job whose unique key another has is not tried again`(_ queue: QueueImplementation) async throws {
        try await queue.with { test in
            let (first, second) = (unique(test), unique(test))
            _ = try await test.queue.enqueue([first])
            _ = try await test.queue.cancel(first.id, owner: test.user)
            _ = try await test.queue.enqueue([second])
            #expect(try await test.queue.retry(first.id, owner: test.user) == .replaced(by: second.id))
            #expect(try await test.state(first.id) == .cancelled)
            _ = try await test.settle(try await test.claimOne())
            #expect(try await test.queue.retry(first.id, owner: test.user) == .linedUp(wake: [.chat]))
            #expect(try await test.queue.enqueue([unique(test)]).standing == [first.id])
        }
    }

    @Test(arguments: QueueImplementation.allCases)
    func `every failed run and every end from outside leaves a line of history`(
        _ queue: QueueImplementation
    ) async throws {
        try await queue.with { test in
            let id = try await test.enqueue()
            _ = try await test.settle(try await test.claimOne(), test.again(after: .zero))
            _ = try await test.queue.moveDue()
            for _ in 0..<3 {
                _ = try await test.claimOne()
                _ = try await test.queue.rescue(test.worker)
            }
            let poison = try #require(try await test.queue.record(id, owner: test.user))
            #expect(poison.state == .failed && poison.startedAt != nil && poison.attempt == 4)
            #expect(try await test.queue.retry(id, owner: test.user) == .linedUp(wake: [.chat]))
            _ = try await test.queue.cancel(id, owner: test.user)
            let errors = try await test.queue.errors(of: id, owner: test.user)
            #expect(errors.map(\.code) == ["provider_unavailable", "poison", "cancelled"])
            #expect(errors.map(\.attempt) == [1, 4, 0])
            #expect(zip(errors, errors.dropFirst()).allSatisfy { $0.lease < $1.lease })
            #expect(try await test.queue.record(id, owner: test.user)?.startedAt == poison.startedAt)
        }
    }
}
