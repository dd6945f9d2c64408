// SPDX-License-Identifier: Apache-2.0
import Chat
import Jobs
import Observability
import TestSupport
import Testing

@testable import Persistence
@testable import Postgres

/// Lines whose beginning is full of what was claimed and cannot be cleared away, because a transaction is open.
@Suite(.timeLimit(.minutes(2)), .enabled(if: TestCluster.url != nil))
struct LineFrontsTests {
    private static let claimed = 50_000

    /// A queue that has claimed much since a transaction began that stays open.
    private func withHeld(
        _ body: (QueueUnderTest, LineFronts, TestDatabase, PostgresConnection) async throws -> Void
    ) async throws {
        try await TestDatabase.withMigrated { database in
            let name = try #require(
                try await database.pool.query("SELECT current_database()::text").decodeFirst(String.self))
            let fronts = LineFronts(pool: database.pool)
            let queue = PostgresJobQueue(
                pool: database.pool, claimer: database.pool, clock: database.clock, fronts: fronts)
            let test = QueueUnderTest(queue: queue, events: { _ in [] }) { _ in }
            try await TestCluster.withConnection(to: name) { holder in
                try await holder.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
                _ = try await holder.query("SELECT count(*) FROM ready")
                for _ in 0..<Self.claimed / 5000 {
                    _ = try await queue.enqueue((0..<5000).map { _ in test.job(.embedding) })
                    #expect(try await test.claim(5000).count == 5000)
                }
                try await TestCluster.withConnection(to: name) { connection in
                    for (name, value) in try TestCluster.configuration().forClaims.runtimeParameters {
                        _ = try await connection.query("SELECT set_config(\(name), \(value), false)")
                    }
                    try await body(test, fronts, database, connection)
                }
                try await holder.execute("ROLLBACK")
            }
        }
    }

    /// What a statement reads, which is then taken back.
    private func pages(of sql: SQL, _ connection: PostgresConnection) async throws -> Int {
        try await connection.execute("BEGIN")
        let plan = try await connection.query("EXPLAIN (ANALYZE, BUFFERS, COSTS off, TIMING off) \(fragment: sql)")
            .decode(String.self)
        try await connection.execute("ROLLBACK")
        let line = try #require(plan.first { $0.contains("Buffers: shared") })
        return line.split(separator: " ").compactMap { word in
            word.hasPrefix("hit=") || word.hasPrefix("read=") ? Int(word.drop { $0 != "=" }.dropFirst()) : nil
        }.reduce(0, +)
    }

    /// Bounds as two looks of the keeper make them.
    private func looked(_ fronts: LineFronts) async throws -> ClaimBounds {
        fronts.claimTook(.seconds(1), jobs: 1)
        for _ in 0..<2 { #expect(try await fronts.look() == LineFronts.Look(unseen: [], wasLong: true)) }
        return try #require(fronts.bounds(for: ClaimLimit(total: 1, background: 1)))
    }

    @Test func `claims and enqueues read few pages behind what an open transaction keeps`() async throws {
        try await withHeld { test, fronts, database, connection in
            let enqueue = EnqueueStatements.enqueue(test.job(.embedding))
            let open = ClaimLimit(total: 4, background: 4)
            let gated = ClaimLimit(total: 4, background: 4, gates: [GateAllowance(gate: 9, atMost: 4)])
            func claims(_ bounds: ClaimBounds?) -> [SQL] {
                [
                    ClaimStatements.claim(open, worker: Fixture.id(), from: bounds),
                    ClaimStatements.claim(open, worker: Fixture.id(), aged: (.summary, .embedding), from: bounds),
                    ClaimStatements.claim(gated, worker: Fixture.id(), aged: (.summary, .embedding), from: bounds),
                ]
            }
            for statement in claims(nil) + [enqueue] {
                let read = try await pages(of: statement, connection)
                #expect(read > 1000, "nothing is in the way: \(read)")
            }
            let bounds = try await looked(fronts)
            for statement in claims(bounds) {
                let read = try await pages(of: statement, connection)
                #expect(read < 200, "\(read)")
            }
            // Holds for as long as the machine may take.
            try await database.pool.execute("UPDATE line_fronts SET until = 'infinity'")
            for _ in 0..<2 { try await test.enqueue(.embedding) }
            let read = try await pages(of: enqueue, connection)
            #expect(read < 200, "\(read)")
            for statement in claims(bounds) {
                let read = try await pages(of: statement, connection)
                #expect(read < 200, "\(read)")
            }
            #expect(try await test.claim(4).count == 2)
        }
    }

    @Test func `what lies below the bound is claimed after the next look`() async throws {
        try await withHeld { test, fronts, database, _ in
            let bounds = try await looked(fronts)
            // A dead worker's job comes back to where it was, and a higher priority stands before the bound.
            try await database.pool.execute(
                """
                UPDATE running SET worker = \(Fixture.id() as WorkerID)
                WHERE job <> (SELECT job FROM running ORDER BY job LIMIT 1)
                """)
            _ = try await test.queue.rescue(test.worker)
            try await test.enqueue(.embedding, priority: 1)
            let tags = try await database.pool.query("SELECT tag FROM ready").decode(Int64.self)
            #expect(tags.count == 2 && tags.allSatisfy { $0 < bounds.front(.embedding, gate: 0) })
            _ = try await fronts.look()
            #expect(try await test.claim(4).count == 2)
        }
    }

    @Test(arguments: [Int64.min, -3600, 3600])
    func `wherever a line is said to begin, a tenant's jobs keep their order`(
        seconds: Int64
    ) async throws {
        try await TestDatabase.withMigrated { database in
            let test = QueueUnderTest(queue: database.queue, events: { _ in [] }) { _ in }
            var mine = [try await test.enqueue(.title)]
            try await database.pool.execute(
                """
                INSERT INTO line_fronts
                SELECT 1, 0, CASE WHEN \(seconds) < -3600 THEN \(seconds)
                                  ELSE ((extract(epoch FROM now()) + \(seconds)::float8) * 1000000)::bigint END, 'infinity'
                """)
            for _ in 0..<4 { mine.append(try await test.enqueue(.title)) }
            let batch = (0..<20).map { _ in test.job(.title) }
            _ = try await test.queue.enqueue(batch)
            mine += batch.map(\.id).sorted()
            let others = [test.job(.title, of: Fixture.id()), test.job(.title, of: Fixture.id())]
            for other in others { _ = try await test.queue.enqueue([other]) }
            mine.append(try await test.enqueue(.title))
            var claimed: [JobID] = []
            while let job = try await test.claim(1).first { claimed.append(job.lease.job) }
            let those = Set(others.map(\.id))
            #expect(claimed.filter { !those.contains($0) } == mine)
            let lastOfOthers = try #require(claimed.lastIndex(where: those.contains))
            // Said to begin behind its end, the line is first come, first served until a look puts that right.
            #expect(lastOfOthers < 10 || seconds > 0, "\(lastOfOthers)")
        }
    }
}
