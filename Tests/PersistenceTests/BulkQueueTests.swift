// SPDX-License-Identifier: Apache-2.0
import Chat
import Jobs
import Observability
import Postgres
import TestSupport
import Testing

@testable import Persistence

/// The statements that take many jobs at once: the bulk enqueue and the batched end.
@Suite(.timeLimit(.minutes(1)), .migratedDatabase)
struct BulkQueueTests {
    private struct Queue {
        let queue: PostgresJobQueue
        let pool: PostgresPool
        let user: UserID
        let worker: WorkerID = Fixture.id()

        /// A queue with nothing in it: the suite's own database is shared by its tests.
        static func with(_ body: (Queue) async throws -> Void) async throws {
            try await TestDatabase.withMigrated { database in
                let fixture = try await Fixture.make(in: database)
                let clock = DatabaseClock(database: database.database, generator: Fixture.ids, logger: .discard)
                let queue = PostgresJobQueue(pool: database.pool, claimer: database.pool, clock: clock)
                try await body(Queue(queue: queue, pool: database.pool, user: fixture.user))
            }
        }

        func job(_ lane: Lane = .embedding) -> NewJob {
            NewJob(id: Fixture.id(), kind: .noop, lane: lane, userID: user, payload: Array("{}".utf8))
        }

        func claim(_ count: Int) async throws -> [ClaimedJob] {
            try await queue.claim(ClaimLimit(total: count, background: count), worker: worker)
        }

        func runs(_ jobs: [ClaimedJob], result: String? = nil) -> [CompletedRun] {
            jobs.map { CompletedRun(lease: $0.lease, result: result.map { Array($0.utf8) }) }
        }

        func count(_ statement: SQL) async throws -> Int64? {
            try await pool.query(statement).decodeFirst(Int64.self)
        }
    }

    @Test func `jobs enqueued in bulk start in order of their ids and none twice`() async throws {
        try await Queue.with { queue in
            let jobs = (0..<300).map { _ in queue.job() }
            #expect(try await queue.queue.enqueue(jobs.shuffled()).wake == [.embedding])
            #expect(try await queue.queue.enqueue(jobs).wake.isEmpty)
            let claimed = try await queue.claim(1000)
            #expect(claimed.map(\.lease.job) == jobs.map(\.id))
            #expect(claimed.allSatisfy { $0.kind == .noop && $0.attempt == 1 && $0.payload == Array("{}".utf8) })
        }
    }

    @Test func `a bulk enqueue that repeats some jobs stores the others, also one that names a job twice`() async throws
    {
        try await Queue.with { queue in
            let jobs = (0..<6).map { _ in queue.job() }
            _ = try await queue.queue.enqueue(Array(jobs.prefix(3)))
            #expect(try await queue.queue.enqueue(jobs).wake == [.embedding])
            let twice = queue.job()
            _ = try await queue.queue.enqueue([twice, twice])
            #expect(try await queue.claim(100).map(\.lease.job) == jobs.map(\.id) + [twice.id])
        }
    }

    @Test func `jobs of several kinds, limits and lanes keep what is theirs and their order`() async throws {
        try await Queue.with { queue in
            let jobs = (0..<60).map { index in
                var job = queue.job(index.isMultiple(of: 7) ? .title : .embedding)
                job.kind = JobKind(rawValue: "kind-\(index % 3)")
                job.maximumAttempts = Int16(1 + index % 2)
                job.runLimit = .seconds(1 + index % 5)
                job.payload = Array("\(index)".utf8)
                return job
            }
            #expect(try await queue.queue.enqueue(jobs).wake == [.title, .embedding])
            let claimed = try await queue.claim(100)
            let expected = jobs.filter { $0.lane == .title } + jobs.filter { $0.lane == .embedding }
            #expect(claimed.map(\.lease.job) == expected.map(\.id))
            for (job, new) in zip(claimed, expected) {
                #expect(job.kind == new.kind && job.maximumAttempts == new.maximumAttempts)
                #expect(job.runLimit == new.runLimit && job.payload == new.payload && job.lane == new.lane)
            }
        }
    }

    @Test func `a bulk enqueue keeps time, priority and serial keys`() async throws {
        try await Queue.with { queue in
            var later = queue.job()
            later.runAt = Timestamp(microsecondsSince1970: 4_000_000_000_000_000)
            var urgent = queue.job(.title)
            urgent.priority = 3
            let plain = queue.job(.title)
            var (head, follower) = (queue.job(.chat), queue.job(.chat))
            head.serialKey = Fixture.id()
            follower.serialKey = head.serialKey
            let lanes = try await queue.queue.enqueue([later, plain, urgent, head, follower]).wake
            let claimed = try await queue.claim(10).map(\.lease.job)
            let deferred = try await queue.count("SELECT count(*) FROM deferred WHERE job = \(later.id)")
            let waiting = try await queue.count("SELECT count(*) FROM waiting WHERE job = \(follower.id)")
            #expect(lanes == [.chat, .title])
            #expect(claimed == [head.id, urgent.id, plain.id])
            #expect(deferred == 1 && waiting == 1)
        }
    }

    @Test func `a bulk enqueue that is refused stores nothing`() async throws {
        try await Queue.with { queue in
            var broken = queue.job()
            broken.payload = [0]
            let jobs = [queue.job(), broken, queue.job()]
            await #expect(throws: JobQueueError.self) { _ = try await queue.queue.enqueue(jobs) }
            let stored = try await queue.count("SELECT count(*) FROM jobs")
            #expect(stored == 0)
        }
    }

    @Test func `a batch of ends writes the records and frees the leases`() async throws {
        try await Queue.with { queue in
            _ = try await queue.queue.enqueue((0..<300).map { _ in queue.job() })
            let claimed = try await queue.claim(300)
            let settled = try await queue.queue.complete(queue.runs(claimed, result: #"{"a":1}"#))
            #expect(settled == claimed.map { _ in .held(wake: []) })
            #expect(try await queue.count("SELECT count(*) FROM running") == 0)
            #expect(
                try await queue.count(
                    """
                    SELECT count(*) FROM jobs
                    WHERE state = 4 AND result = '{"a":1}' AND attempt = 1 AND finished_at >= started_at
                    """) == 300)
        }
    }

    @Test func `a stale end in a batch changes nothing and spoils no other`() async throws {
        try await Queue.with { queue in
            _ = try await queue.queue.enqueue((0..<3).map { _ in queue.job() })
            let claimed = try await queue.claim(3)
            var runs = queue.runs(claimed)
            let stale = Lease(job: claimed[1].lease.job, number: claimed[1].lease.number - 1)
            runs[1] = CompletedRun(lease: stale, result: nil)
            #expect(try await queue.queue.complete(runs) == [.held(wake: []), .stale, .held(wake: [])])
            #expect(try await queue.count("SELECT lease FROM running") == claimed[1].lease.number)
            #expect(try await queue.count("SELECT count(*) FROM jobs WHERE state IS NULL") == 1)
        }
    }

    @Test func `a batch whose answer was lost is found written when it is repeated`() async throws {
        try await Queue.with { queue in
            _ = try await queue.queue.enqueue((0..<2).map { _ in queue.job() })
            let runs = queue.runs(try await queue.claim(2))
            _ = try await queue.queue.complete(runs)
            #expect(try await queue.queue.complete(runs) == [.held(wake: []), .held(wake: [])])
        }
    }

    @Test func `a cancelled run in a batch ends cancelled`() async throws {
        try await Queue.with { queue in
            _ = try await queue.queue.enqueue((0..<2).map { _ in queue.job() })
            let claimed = try await queue.claim(2)
            let cancelled = claimed[0].lease
            #expect(try await queue.queue.cancel(cancelled.job, owner: queue.user) == .requested(cancelled))
            _ = try await queue.queue.complete(queue.runs(claimed, result: "1"))
            let record = try await queue.queue.record(cancelled.job, owner: queue.user)
            #expect(record?.state == .cancelled && record?.result == nil)
            #expect(try await queue.queue.record(claimed[1].lease.job, owner: queue.user)?.state == .completed)
        }
    }
}
