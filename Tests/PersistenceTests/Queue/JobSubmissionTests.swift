// SPDX-License-Identifier: Apache-2.0
import Chat
import Jobs
import Persistence
import TestSupport
import Testing

/// One job at a time, as a request brings it.
@Suite(.timeLimit(.minutes(1)), .enabled(if: TestCluster.url != nil))
struct JobSubmissionTests {
    private func with(
        _ body: @Sendable (QueueUnderTest, PostgresJobQueue, JobNotices) async throws -> Void
    ) async throws {
        try await TestDatabase.withMigrated { database in
            try await JobNotices.hear(in: database) { notices in
                let test = QueueUnderTest(queue: database.queue, events: { _ in [] }) { _ in }
                try await body(test, database.queue, notices)
            }
        }
    }

    /// - Returns: the lanes that are left to be told.
    private func submit(_ job: NewJob, to queue: PostgresJobQueue) async throws -> Set<Lane> {
        guard case .accepted(let wake) = try await queue.submit(job, key: nil) else { throw NotAccepted() }
        return wake
    }

    private struct NotAccepted: Error {}

    @Test func `workers hear of a job with its commit, of one that cannot run yet not at all`() async throws {
        try await with { test, queue, notices in
            #expect(try await submit(test.job(.title), to: queue).isEmpty)
            #expect(try await notices.next() == ["jobs 1"])
            let later = test.job(runAt: QueueUnderTest.far)
            #expect(try await submit(later, to: queue).isEmpty)
            let key = SerialKey(high: 1, low: 1)
            _ = try await test.enqueue(key: key)
            #expect(try await submit(test.job(key: key), to: queue).isEmpty)
            #expect(try await notices.next().isEmpty)
            #expect(try await test.claim(8).count == 2)
        }
    }

    @Test func `a repeated job is stored once, and its lane is told again`() async throws {
        try await with { test, queue, notices in
            let job = test.job(.summary)
            _ = try await queue.submit(job, key: nil)
            #expect(try await submit(job, to: queue) == [.summary])
            #expect(try await notices.next() == ["jobs 2"])
            #expect(try await test.claim(8).map(\.lease.job) == [job.id])
        }
    }

    @Test func `of many at the same time each is stored, and its lane told or left to be told`() async throws {
        try await with { test, queue, notices in
            let jobs = (0..<60).map { _ in test.job(.embedding) }
            let left = try await withThrowingTaskGroup(of: Int.self) { group in
                for job in jobs {
                    group.addTask { try await submit(job, to: queue).count }
                }
                return try await group.reduce(0, +)
            }
            #expect(try await notices.next().count + left == jobs.count)
            #expect(Set(try await test.claim(100).map(\.lease.job)) == Set(jobs.map(\.id)))
        }
    }

    @Test func `what the database refuses is an error and leaves nothing`() async throws {
        try await with { test, queue, notices in
            var refused = test.job(.title)
            refused.payload = Array("{\"a\":\"\0\"}".utf8)
            let job = refused
            await #expect(throws: PersistenceError.self) { try await queue.submit(job, key: nil) }
            let (told, record) = (try await notices.next(), try await queue.record(job.id, owner: test.user))
            #expect(told.isEmpty && record == nil)
        }
    }
}
