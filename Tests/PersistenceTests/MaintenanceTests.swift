// SPDX-License-Identifier: Apache-2.0
import Chat
import Jobs
import Observability
import Postgres
import Runtime
import TestSupport
import Testing

@testable import Persistence

/// Upkeep: once for all processes, and nothing that is still wanted is deleted.
@Suite(.timeLimit(.minutes(1)), .enabled(if: TestCluster.url != nil))
struct MaintenanceTests {
    private func service(_ database: TestDatabase, jobRetention: Duration = .seconds(3600)) -> MaintenanceService {
        MaintenanceService(
            database: database.database, queue: database.queue, eventRetention: .seconds(86_400),
            jobRetention: jobRetention, wake: { _ in }, announce: { _ in }, logger: .discard, metrics: MetricsRegistry()
        )
    }

    private func runAll(_ services: [MaintenanceService]) async -> [MaintenanceService.Step] {
        await withTaskGroup(of: [MaintenanceService.Step].self) { group in
            for service in services { group.addTask { await service.runDue() } }
            return await group.reduce(into: []) { $0 += $1 }
        }
    }

    @Test func `of three processes one runs each step, once a tick`() async throws {
        try await TestDatabase.withMigrated { database in
            let services = (0..<3).map { _ in service(database) }
            let all = MaintenanceService.Step.allCases.map(\.rawValue).sorted()
            #expect(await runAll(services).map(\.rawValue).sorted() == all)
            #expect(await runAll(services).isEmpty)
            try await database.pool.execute(
                "UPDATE schedules SET last_tick = last_tick - interval '10 s' WHERE name = 'queue'")
            #expect(await runAll(services) == [.queue])
            // Long ago, or by a clock that was set back since.
            for offset: SQL in ["- interval '1 day'", "+ interval '1 day'"] {
                try await database.pool.execute("UPDATE schedules SET last_tick = last_tick \(fragment: offset)")
                #expect(await runAll(services).map(\.rawValue).sorted() == all)
                #expect(await runAll(services).isEmpty)
            }
        }
    }

    @Test func `a step that failed is due again at once`() async throws {
        try await TestDatabase.withMigrated { database in
            let service = service(database)
            try await database.pool.execute("ALTER TABLE idempotency_keys RENAME TO elsewhere")
            #expect(await service.runDue() == [.queue, .partitions, .history])
            #expect(await service.runDue().isEmpty)
            try await database.pool.execute("ALTER TABLE elsewhere RENAME TO idempotency_keys")
            #expect(await service.runDue() == [.expiry])
        }
    }

    @Test func `ended jobs are deleted after their retention, with their history, and nothing else`() async throws {
        try await TestDatabase.withMigrated { database in
            let fixture = try await Fixture.make(in: database)
            let test = QueueUnderTest(queue: database.queue, events: { _ in [] }) { _ in }
            let session = try await fixture.session().id
            var jobs: [JobID] = []
            for number in UInt64(0)..<6 {
                var job = test.job(.embedding)
                // Made in 2020.
                job.id = JobID(high: 1_600_000_000_000 << 16 | 0x7000, low: 1 << 63 | number)
                _ = try await test.queue.enqueue([job])
                jobs.append(job.id)
            }
            let young = jobs[1]
            let claimed = try await test.claim(5)
            for job in claimed.dropLast() {
                _ = try await test.settle(job, .failed(JobFailure(.fatal, .internalError, "x")))
            }
            // All but one ended before the retention began.
            try await database.pool.execute(
                "UPDATE jobs SET finished_at = finished_at - interval '3 hours' WHERE id <> \(young)")
            try await fixture.message("…", in: session, under: nil, role: .assistant, status: .streaming, job: jobs[2])
            try await fixture.message("…", in: session, under: nil, role: .assistant, status: .complete, job: jobs[3])
            let service = service(database)
            _ = await service.runDue()
            let left = try await database.pool.query("SELECT id FROM jobs ORDER BY id").decode(JobID.self)
            #expect(left == [jobs[1], jobs[2], jobs[4], jobs[5]])
            let errors = try await database.pool.query("SELECT job FROM job_errors ORDER BY job").decode(JobID.self)
            #expect(errors == [jobs[1], jobs[2]])
            #expect(try await test.state(jobs[4]) == .running)
            #expect(try await test.state(jobs[5]) == .ready)
        }
    }

    @Test func `a backlog of ended jobs is deleted in pages and what is young is not looked at`() async throws {
        try await TestDatabase.withMigrated { database in
            try await database.pool.execute(
                """
                INSERT INTO jobs (id, kind, lane, tag, user_id, payload, max_attempts, deadline_ms, created_at, run_at,
                                  state, finished_at)
                SELECT ('00000000' || substr(md5(n::text), 9))::uuid, 'noop', 3, 0,
                       gen_random_uuid(), '{}', 1, 1000, now(), now(), CASE WHEN n % 5 > 0 THEN 4 END, '2020-01-01'
                FROM generate_series(1, 2500) n
                """)
            _ = await service(database).runDue()
            let left = try await database.pool.query("SELECT count(*) FROM jobs").decodeFirst(Int.self)
            #expect(left == 500)
        }
    }

    @Test func `a healthy queue has nothing to mend`() async throws {
        try await TestDatabase.withMigrated { database in
            let test = QueueUnderTest(queue: database.queue, events: { _ in [] }) { _ in }
            for key in UInt64(0)..<3 {
                for _ in 0..<3 { try await test.enqueue(key: SerialKey(high: 1, low: key)) }
            }
            _ = try await test.claim(2)
            try await test.queue.pause(.noop)
            _ = try await test.claim()
            let mended = try await database.queue.mend()
            #expect(mended.promotedKeys == 0 && mended.rescue.endedCount == 0 && mended.rescue.wake.isEmpty)
        }
    }
}
