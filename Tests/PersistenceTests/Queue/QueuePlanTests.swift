// SPDX-License-Identifier: Apache-2.0
import Chat
import Jobs
import Observability
import TestSupport
import Testing

@testable import Persistence
@testable import Postgres

/// The queue's statements at several depths of the line, with the settings of the product's connections: an index for
/// everything, also by a plan that was made when there was nothing.
@Suite(.timeLimit(.minutes(4)), .enabled(if: TestCluster.url != nil))
struct QueuePlanTests {
    private struct Case {
        let name: String
        let sql: SQL
        let expected: [String]
    }

    /// Ids in order, as real ones nearly are: a million random ones take twice as long to index.
    private func fill(_ connection: PostgresConnection, depth: Int) async throws {
        try await connection.runScript(
            """
            INSERT INTO jobs (id, kind, lane, tag, user_id, serial_key, payload, max_attempts, deadline_ms, created_at,
                              run_at)
            SELECT lpad(to_hex(n), 32, '0')::uuid, 'noop', n % 4, n, lpad(to_hex(n / 10), 32, '0')::uuid,
                   lpad(to_hex(n / 2), 32, '0')::uuid, '{}', 1, 1000, now(), now()
            FROM generate_series(1, \(depth)) n;
            INSERT INTO ready SELECT lane, 0, tag, id, 0, 0, 0, false, user_id, 0 FROM jobs;
            INSERT INTO waiting SELECT serial_key, tag, id, 0, 0, 0, false FROM jobs;
            INSERT INTO deferred SELECT run_at + tag * interval '1 second', id, 0, 0, 0, false, '' FROM jobs;
            INSERT INTO running SELECT id, 1, gen_random_uuid(), 1, 0, false, now(), now() FROM jobs LIMIT 2000;
            INSERT INTO events SELECT id, 1, s, 4, '{}', now() FROM jobs, generate_series(1, 3) s WHERE tag < 20000;
            """)
        try await connection.runScript("VACUUM ANALYZE jobs")
        try await connection.runScript("VACUUM ANALYZE ready")
        try await connection.runScript("VACUUM ANALYZE waiting")
        try await connection.runScript("VACUUM ANALYZE deferred")
        try await connection.runScript("VACUUM ANALYZE running")
        try await connection.runScript("ANALYZE events")
    }

    private var cases: [Case] {
        let job: JobID = Fixture.id()
        let lease = Lease(job: job, number: 1)
        let event = StampedEvent(
            job: job, event: LoggedEvent(.end, at: StreamCursor(lease: 1, sequence: 1)),
            written: Timestamp(millisecondsSince1970: 1_790_000_000_000))
        let bounds = ClaimBounds(fronts: [Line(lane: 0, gate: 0): 1, Line(lane: 3, gate: 2): 5])
        let new = NewJob(
            id: job, kind: .noop, lane: .chat, userID: Fixture.id(), serialKey: SerialKey(high: 1, low: 1), payload: [])
        return [
            Case(
                name: "claim", sql: ClaimStatements.claim(ClaimLimit(total: 16, background: 12), worker: Fixture.id()),
                expected: [
                    "using ready_pkey on ready q ", "using ready_pkey on ready q_3", "Tid Scan on ready",
                    "using jobs_pkey",
                ]),
            Case(
                name: "claim of chat alone",
                sql: ClaimStatements.claim(ClaimLimit(total: 16, background: 0), worker: Fixture.id()),
                expected: ["using ready_pkey on ready q", "Tid Scan on ready", "using jobs_pkey"]),
            Case(
                name: "claim of chat alone with bounds and gates",
                sql: ClaimStatements.claim(
                    ClaimLimit(total: 16, background: 0, gates: [GateAllowance(gate: 2, atMost: 3)]),
                    worker: Fixture.id(), from: bounds),
                expected: ["using ready_pkey on ready q", "AND (tag >= ", "Tid Scan on ready", "using jobs_pkey"]),
            Case(
                name: "threads of what was claimed", sql: ClaimedThreads.statement(worker: Fixture.id()),
                expected: ["running_worker", "messages_job"]),
            Case(
                name: "claim with a look at aged lanes",
                sql: ClaimStatements.claim(
                    ClaimLimit(total: 16, background: 12), worker: Fixture.id(), aged: (.embedding, .summary)),
                expected: [
                    "using ready_pkey on ready q ", "using ready_pkey on ready q_4", "Tid Scan on ready",
                    "using jobs_pkey",
                ]),
            Case(
                name: "claim with gates",
                sql: ClaimStatements.claim(
                    ClaimLimit(total: 16, background: 12, gates: [GateAllowance(gate: 2, atMost: 3)]),
                    worker: Fixture.id()),
                expected: [
                    "using ready_pkey on ready q ", "using ready_pkey on ready q_8", "Tid Scan on ready",
                    "using jobs_pkey",
                ]),
            Case(
                name: "claim with bounds",
                sql: ClaimStatements.claim(
                    ClaimLimit(total: 16, background: 12), worker: Fixture.id(), from: bounds),
                expected: [
                    "using ready_pkey on ready q ", "using ready_pkey on ready q_3", "(gate = 0) AND (tag >= ",
                    "Tid Scan on ready", "using jobs_pkey",
                ]),
            Case(
                name: "claim with bounds and a look at aged lanes",
                sql: ClaimStatements.claim(
                    ClaimLimit(total: 16, background: 12), worker: Fixture.id(), aged: (.embedding, .summary),
                    from: bounds),
                expected: [
                    "using ready_pkey on ready q ", "using ready_pkey on ready q_4", "(gate = 0) AND (tag >= ",
                    "Tid Scan on ready", "using jobs_pkey",
                ]),
            Case(
                name: "claim with bounds and gates",
                sql: ClaimStatements.claim(
                    ClaimLimit(total: 16, background: 12, gates: [GateAllowance(gate: 2, atMost: 3)]),
                    worker: Fixture.id(), aged: (.embedding, .summary), from: bounds),
                expected: [
                    "using ready_pkey on ready q ", "using ready_pkey on ready q_8", "AND (tag >= ",
                    "Tid Scan on ready", "using jobs_pkey",
                ]),
            Case(
                name: "look at fronts", sql: FrontStatements.look([Line(lane: 0, gate: 0), Line(lane: 1, gate: 2)]),
                expected: ["using ready_pkey on ready q"]),
            Case(name: "tell fronts", sql: FrontStatements.tell(bounds), expected: []),
            Case(
                name: "move aside",
                sql: PauseStatements.moveAside(
                    lane: 0, gate: 0, tag: 0, job: PostgresUUID(high: 0, low: 0), page: 1000),
                expected: ["ready_pkey on ready ", "Tid Scan on ready"]),
            Case(
                name: "move back", sql: PauseStatements.moveBack(after: PostgresUUID(high: 0, low: 0), page: 1000),
                expected: ["using deferred_", "Tid Scan on deferred"]),
            Case(name: "held", sql: ClaimStatements.held(by: Fixture.id()), expected: ["running_worker"]),
            Case(
                name: "backlog", sql: ProviderStatements.backlog(gates: [1, 2], limit: 64), expected: ["ready_"]),
            Case(
                name: "put off",
                sql: ProviderStatements.putOff(jobs: [job], leases: [1], delays: [1], reasons: ["provider_busy"]),
                expected: ["using running_pkey", "Tid Scan on running"]),
            Case(name: "enqueue", sql: EnqueueStatements.enqueue(new), expected: []),
            Case(name: "submit", sql: EnqueueStatements.submit(new, notifies: true), expected: []),
            Case(
                name: "move due", sql: EnqueueStatements.moveDue(limit: 100),
                expected: ["using deferred_pkey", "Tid Scan on deferred", "using jobs_pkey"]),
            Case(name: "next due", sql: EnqueueStatements.untilNextDue, expected: ["using deferred_pkey"]),
            Case(name: "take lease", sql: SettleStatements.takeLease(lease), expected: ["using running_pkey"]),
            Case(
                name: "complete many", sql: SettleStatements.completeMany(jobs: [job], leases: [1], results: [nil]),
                expected: ["Nested Loop", "using running_pkey on running r", "using jobs_pkey"]),
            Case(
                name: "promote", sql: SettleStatements.promote(SerialKey(high: 1, low: 1)),
                expected: ["waiting_pkey", "using serial_heads_pkey", "using jobs_pkey"]),
            Case(name: "cancel in line", sql: CancelStatements.fromReady(job), expected: ["ready_", "jobs_pkey"]),
            Case(name: "cancel deferred", sql: CancelStatements.fromDeferred(job), expected: ["deferred_job"]),
            Case(
                name: "cancel waiting", sql: CancelStatements.fromWaiting(job, key: SerialKey(high: 1, low: 1)),
                expected: ["waiting_pkey"]),
            Case(name: "cancel running", sql: CancelStatements.markRunning(job), expected: ["running_pkey"]),
            Case(
                name: "record", sql: JobRecordStatements.record(job, owner: Fixture.id()),
                expected: ["jobs_", "running_pkey", "deferred_job", "ready_", "tag = j.tag)"]),
            Case(
                name: "list of jobs",
                sql: JobRecordStatements.list(
                    of: Fixture.id(), before: PostgresUUID(high: .max, low: .max), kind: nil, state: 3, looked: 100,
                    limit: 20),
                expected: ["jobs_user", "running_pkey", "deferred_job", "ready_"]),
            Case(
                name: "standings", sql: EventStatements.standings(of: [job]),
                expected: ["jobs_pkey", "deferred_job", "ready_", "waiting_pkey"]),
            Case(
                name: "append", sql: EventStatements.append([event]),
                expected: ["Nested Loop", "using running_pkey on running r"]),
            Case(
                name: "read", sql: EventStatements.read(job, after: .beginning, since: job.madeAt, limit: 100),
                expected: ["_pkey on events_"]),
            Case(
                name: "last sequences", sql: EventStatements.lastSequences(jobs: [job], leases: [1]),
                expected: ["_pkey on events_"]),
            Case(
                name: "rescue", sql: RescueStatements.putBackAll(of: Fixture.id()),
                expected: ["running_worker", "jobs_pkey"]),
        ]
    }

    @Test(arguments: [0, 10, 1_000_000])
    func `the queue's statements use their index at any depth`(depth: Int) async throws {
        try await TestCluster.withDatabase(template: try await TestCluster.migratedTemplate()) { name in
            try await TestCluster.withConnection(to: name) { connection in
                try await fill(connection, depth: depth)
                for (name, value) in try TestCluster.configuration().withIndexedPlans.runtimeParameters {
                    _ = try await connection.query("SELECT set_config(\(name), \(value), false)")
                }
                try await check(connection, depth: depth, isGeneric: false)
                try await connection.execute("SET plan_cache_mode = force_generic_plan")
                try await check(connection, depth: depth, isGeneric: true)
            }
        }
    }

    /// Explains every statement; `isGeneric` without a look at its values.
    private func check(_ connection: PostgresConnection, depth: Int, isGeneric: Bool) async throws {
        for test in cases {
            var types: [String] = []
            for bind in test.sql.binds {
                let type = Int64(bind.type.oid)
                types += try await connection.query("SELECT format_type(\(type)::oid, NULL)").decode(
                    String.self)
            }
            let parameters = types.isEmpty ? "" : "(\(types.joined(separator: ", ")))"
            try await connection.runScript("PREPARE probe\(parameters) AS \(test.sql.text)")
            // A time, so that not all of the log's partitions are ruled out before they are planned for.
            let values = SQL.joined(
                types.map { $0 == "timestamp with time zone" ? "now()" : "NULL" as SQL }, separator: ", ")
            let statement: SQL =
                isGeneric ? "EXPLAIN EXECUTE probe (\(fragment: values))" : "EXPLAIN \(fragment: test.sql)"
            let plan = try await connection.query(
                test.sql.binds.isEmpty ? "EXPLAIN \(fragment: test.sql)" : statement
            ).decode(String.self).joined(separator: "\n")
            try await connection.runScript("DEALLOCATE probe")
            #expect(!plan.contains("Seq Scan"), "\(test.name): \(plan)")
            // Of an empty table, all indexes are alike.
            for index in test.expected where depth > 0 || !index.contains("jobs_") {
                #expect(plan.contains(index), "\(test.name): \(plan)")
            }
        }
    }
}
