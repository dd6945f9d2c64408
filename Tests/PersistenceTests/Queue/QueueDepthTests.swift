// SPDX-License-Identifier: Apache-2.0
import Chat
import Jobs
import Observability
import TestSupport
import Testing

@testable import Persistence
@testable import Postgres

/// What a claim costs when much waits in other lines, in pages it has to look at, which no other load can change.
@Suite(.timeLimit(.minutes(2)), .enabled(if: TestCluster.url != nil))
struct QueueDepthTests {
    /// Generates a backlog as if it had been enqueued.
    private func fill(
        _ connection: PostgresConnection, _ count: Int, tenant: UserID, lane: Lane, gate: Int16 = 0,
        isAnalyzed: Bool = true
    ) async throws {
        try await connection.runScript(
            """
            WITH made AS (
                INSERT INTO jobs (id, kind, lane, gate, tag, user_id, payload, max_attempts, deadline_ms, created_at,
                                  run_at)
                SELECT md5(random()::text || n)::uuid, 'noop', \(lane.rawValue), \(gate),
                       (extract(epoch FROM now()) * 1000000)::bigint + n * 10, '\(tenant)', '{}', 1, 1000, now(), now()
                FROM generate_series(1, \(count)) n
                RETURNING id, lane, gate, tag, user_id
            )
            INSERT INTO ready SELECT lane, gate, tag, id, 0, 0, 0, false, user_id, 0 FROM made
            """)
        guard isAnalyzed else { return }
        try await connection.runScript("VACUUM ANALYZE jobs")
        try await connection.runScript("VACUUM ANALYZE ready")
    }

    private func pages(of sql: SQL, _ connection: PostgresConnection) async throws -> Int {
        let plan = try await connection.query("EXPLAIN (ANALYZE, BUFFERS, COSTS off, TIMING off) \(fragment: sql)")
            .decode(String.self)
        let line = try #require(plan.first { $0.contains("Buffers: shared") })
        let numbers = line.split(separator: " ").compactMap { word -> Int? in
            guard word.hasPrefix("hit=") || word.hasPrefix("read=") else { return nil }
            return Int(word.drop { $0 != "=" }.dropFirst())
        }
        return numbers.reduce(0, +)
    }

    @Test func `a chat job is claimed in a few pages whatever else waits, behind open and closed gates`() async throws {
        try await TestDatabase.withMigrated { database in
            let name = try #require(
                try await database.pool.query("SELECT current_database()::text").decodeFirst(String.self))
            let test = QueueUnderTest(queue: database.queue, events: { _ in [] }) { _ in }
            try await TestCluster.withConnection(to: name) { connection in
                for (name, value) in try TestCluster.configuration().forClaims.runtimeParameters {
                    _ = try await connection.query("SELECT set_config(\(name), \(value), false)")
                }
                try await fill(connection, 60_000, tenant: Fixture.id(), lane: .embedding)
                try await fill(connection, 30_000, tenant: Fixture.id(), lane: .title, gate: 3)
                try await fill(connection, 10_000, tenant: Fixture.id(), lane: .chat, gate: 3)
                let limits = [
                    ClaimLimit(total: 4, background: 0),
                    ClaimLimit(total: 4, background: 0, gates: [GateAllowance(gate: 9, atMost: 4)]),
                ]
                for limit in limits {
                    for _ in 0..<4 { try await test.enqueue() }
                    let pages = try await pages(of: ClaimStatements.claim(limit, worker: Fixture.id()), connection)
                    #expect(pages < 150, "\(pages)")
                    let held = try await database.pool.query("SELECT count(*) FROM running").decodeFirst(Int.self)
                    #expect(held == 4)
                    try await database.pool.execute("DELETE FROM running")
                }
                // And one that has room for the background does not walk over a closed gate either.
                let all = ClaimLimit(total: 8, background: 8)
                let pages = try await pages(
                    of: ClaimStatements.claim(all, worker: Fixture.id(), aged: (.summary, .embedding)), connection)
                #expect(pages < 250, "\(pages)")
                let held = try await database.pool.query("SELECT count(*) FROM running").decodeFirst(Int.self)
                #expect(held == 8)
            }
        }
    }

    @Test func `ten jobs beside another tenant's hundred thousand are claimed within a few claims`() async throws {
        try await TestDatabase.withMigrated { database in
            let name = try #require(
                try await database.pool.query("SELECT current_database()::text").decodeFirst(String.self))
            let test = QueueUnderTest(queue: database.queue, events: { _ in [] }) { _ in }
            try await TestCluster.withConnection(to: name) { connection in
                try await fill(connection, 95_000, tenant: Fixture.id(), lane: .embedding)
            }
            let many: UserID = Fixture.id()
            _ = try await test.queue.enqueue((0..<5000).map { _ in test.job(.embedding, of: many) })
            #expect(try await test.claim(16).count == 16)
            let few: UserID = Fixture.id()
            let theirs = (0..<10).map { _ in test.job(.embedding, of: few) }
            for job in theirs { _ = try await test.queue.enqueue([job]) }
            var left = theirs.map(\.id)
            for _ in 0..<3 {
                let claimed = try await test.claim(16).map(\.lease.job)
                left.removeAll(where: claimed.contains)
            }
            #expect(left.isEmpty)
        }
    }

    @Test(arguments: [true, false])
    func `an enqueue reads a few rows of the line however long it is`(isAnalyzed: Bool) async throws {
        try await TestDatabase.withMigrated { database in
            let name = try #require(
                try await database.pool.query("SELECT current_database()::text").decodeFirst(String.self))
            let test = QueueUnderTest(queue: database.queue, events: { _ in [] }) { _ in }
            try await TestCluster.withConnection(to: name) { connection in
                for (name, value) in try TestCluster.configuration().withIndexedPlans.runtimeParameters {
                    _ = try await connection.query("SELECT set_config(\(name), \(value), false)")
                }
                let tenant: UserID = Fixture.id()
                // Enough for plans to be made and kept while the line is empty.
                try await connection.execute("BEGIN")
                for _ in 0..<12 {
                    _ = try await connection.query(EnqueueStatements.enqueue(test.job(.embedding, of: tenant)))
                }
                try await connection.execute("ROLLBACK")
                try await fill(
                    connection, 50_000, tenant: Fixture.id(), lane: .embedding, isAnalyzed: isAnalyzed)
                try await connection.execute("BEGIN")
                for _ in 0..<10 {
                    _ = try await connection.query(
                        EnqueueStatements.enqueue(
                            test.job(.embedding, key: SerialKey(high: 1, low: 1), of: tenant)))
                    _ = try await connection.query(EnqueueStatements.enqueue(test.job(.embedding, of: tenant)))
                }
                let rows = try await connection.query(
                    """
                    SELECT relname::text, seq_scan, idx_tup_fetch FROM pg_stat_xact_user_tables
                    WHERE relname IN ('jobs', 'ready', 'waiting', 'serial_heads', 'unique_keys')
                    """
                ).decode(String.self, Int64.self, Int64?.self)
                try await connection.execute("ROLLBACK")
                #expect(rows.count == 5)
                for (table, scans, fetched) in rows {
                    #expect(scans == 0 && fetched ?? 0 <= 60, "\(table): \(scans) scans, \(fetched ?? 0) rows")
                }
            }
        }
    }

    @Test func `the end of a job finds room beside its record, and touches no index`() async throws {
        try await TestDatabase.withMigrated { database in
            let tenant: UserID = Fixture.id()
            let test = QueueUnderTest(queue: database.queue, events: { _ in [] }) { _ in }
            _ = try await database.queue.enqueue((0..<1000).map { _ in test.job(.embedding, of: tenant) })
            try await database.pool.execute("CREATE TABLE place AS SELECT id, ctid::text AS row FROM jobs")
            let claimed = try await database.queue.claim(
                ClaimLimit(total: 1000, background: 1000), worker: Fixture.id())
            #expect(claimed.count == 1000)
            _ = try await database.queue.complete(claimed.map { CompletedRun(lease: $0.lease, result: nil) })
            let (written, moved) = try #require(
                try await database.pool.query(
                    """
                    SELECT count(*) FILTER (WHERE j.ctid::text <> p.row),
                           count(*) FILTER (WHERE (j.ctid::text::point)[0] <> (p.row::point)[0])
                    FROM jobs j JOIN place p USING (id) WHERE j.state = 4
                    """
                ).decodeFirst(Int64.self, Int64.self))
            #expect(written == 1000)
            #expect(moved == 0)
        }
    }
}
