// SPDX-License-Identifier: Apache-2.0
import Chat
import Jobs
import Observability
import Persistence
import Postgres
import TestSupport
import Testing

/// The implementations that have to keep the queue's promises.
enum QueueImplementation: String, CaseIterable, Sendable, CustomTestStringConvertible {
    case memory
    case postgres

    var testDescription: String { rawValue }

    /// An empty queue for the length of a body.
    func with(_ body: @Sendable (QueueUnderTest) async throws -> Void) async throws {
        switch self {
        case .memory:
            let queue = InMemoryJobQueue()
            try await body(
                QueueUnderTest(
                    queue: queue, events: { await queue.events(of: $0).map(\.event) },
                    makeDue: { job in if let due = await queue.due(job) { await queue.advance(to: due) } },
                    setWeight: { await queue.setWeight($1, of: $0) },
                    age: { await queue.advance(to: await queue.now.advanced(by: $0)) }))
        case .postgres:
            guard TestCluster.url != nil else { try Test.cancel("SWITCHYARD_TEST_DATABASE_URL is not set") }
            try await TestDatabase.withMigrated { database in
                let queue = database.queue
                let reader = EventLogReader(pool: database.pool)
                try await body(
                    QueueUnderTest(
                        queue: queue, events: { try await reader.read($0, after: .beginning) },
                        makeDue: { job in
                            try await database.pool.execute(
                                "UPDATE deferred SET due = clock_timestamp() - interval '1 ms' WHERE job = \(job)")
                        },
                        setWeight: { tenant, weight in
                            try await database.pool.execute(
                                "INSERT INTO tenant_weights VALUES (\(tenant), \(weight)::float8)")
                        },
                        age: { age in
                            let microseconds = age.components.seconds * 1_000_000
                            try await database.pool.execute("UPDATE jobs SET tag = tag - \(microseconds)")
                            try await database.pool.execute("UPDATE ready SET tag = tag - \(microseconds)")
                        }))
            }
        }
    }
}

extension TestDatabase {
    var clock: DatabaseClock {
        DatabaseClock(database: database, generator: UUIDv7Generator { 1_790_000_000_000 }, logger: .discard)
    }

    var queue: PostgresJobQueue { PostgresJobQueue(pool: pool, claimer: pool, clock: clock) }
}

/// An empty queue and what its tests need besides the protocol.
struct QueueUnderTest: Sendable {
    static let far = Timestamp(millisecondsSince1970: 4_000_000_000_000)
    static let past = Timestamp(millisecondsSince1970: 1_000_000_000_000)

    let queue: any JobQueue
    /// The log of a job.
    let events: @Sendable (JobID) async throws -> [LoggedEvent]
    /// Lets a deferred job's time come.
    let makeDue: @Sendable (JobID) async throws -> Void
    /// Gives a tenant another share than 1.
    var setWeight: @Sendable (UserID, Double) async throws -> Void = { _, _ in }
    /// Lets all that is in line have come so much earlier.
    var age: @Sendable (Duration) async throws -> Void = { _ in }
    let user: UserID = Fixture.id()
    let worker: WorkerID = Fixture.id()

    func job(
        _ lane: Lane = .chat, kind: JobKind = .noop, gate: Int16 = 0, key: SerialKey? = nil, runAt: Timestamp? = nil,
        priority: Int16 = 0, of tenant: UserID? = nil
    ) -> NewJob {
        var job = NewJob(
            id: Fixture.id(), kind: kind, lane: lane, userID: tenant ?? user, serialKey: key, payload: Array("{}".utf8))
        job.gate = gate
        job.runAt = runAt
        job.priority = priority
        return job
    }

    /// Enqueues one job by itself.
    @discardableResult
    func enqueue(
        _ lane: Lane = .chat, kind: JobKind = .noop, gate: Int16 = 0, key: SerialKey? = nil, runAt: Timestamp? = nil,
        priority: Int16 = 0
    ) async throws -> JobID {
        let job = job(lane, kind: kind, gate: gate, key: key, runAt: runAt, priority: priority)
        _ = try await queue.enqueue([job])
        return job.id
    }

    func claim(
        _ total: Int = 100, background: Int? = nil, gates: [GateAllowance] = [], by worker: WorkerID? = nil
    ) async throws -> [ClaimedJob] {
        try await queue.claim(
            ClaimLimit(total: total, background: background ?? total, gates: gates), worker: worker ?? self.worker)
    }

    func claimOne(by worker: WorkerID? = nil) async throws -> ClaimedJob {
        try #require(try await claim(1, by: worker).first)
    }

    func settle(_ job: ClaimedJob, _ end: RunEnd = .completed(result: nil)) async throws -> Settlement {
        try await queue.settle(job, end, events: [])
    }

    func state(_ job: JobID) async throws -> JobState? { try await queue.record(job, owner: user)?.state }

    func again(
        after delay: Duration = .seconds(3600), attemptSpent: Bool = true, hadOutput: Bool = false
    ) -> RunEnd {
        .again(
            after: delay, attemptSpent: attemptSpent, hadOutput: hadOutput,
            failure: JobFailure(.retry, .providerUnavailable, "503"))
    }
}
