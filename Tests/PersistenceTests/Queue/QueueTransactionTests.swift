// SPDX-License-Identifier: Apache-2.0
import Chat
import Jobs
import Observability
import Runtime
import TestSupport
import Testing

@testable import Persistence
@testable import Postgres

/// What only the queue on PostgreSQL can be asked: transactions, races between them, the token log.
@Suite(.timeLimit(.minutes(2)), .enabled(if: TestCluster.url != nil))
struct QueueTransactionTests {
    @Test func `a commit behind which the server is told to end may have committed`() async throws {
        try await TestDatabase.withMigrated { database in
            let name = try #require(
                try await database.pool.query("SELECT current_database()::text").decodeFirst(String.self))
            try await PostgresProxy.with(database: name) { proxy, url in
                let connection = try await PostgresConnection.connect(
                    PostgresConfiguration(url: url), on: try TestCluster.loops.get().next(),
                    blocking: TestCluster.blocking, logger: .discard)
                proxy.withholdSyncOnce(behind: "COMMIT")
                async let failure = Self.failure {
                    try await connection.withTransaction {
                        _ = try await $0.execute("INSERT INTO paused_kinds (kind) VALUES ('seen')")
                    }
                }
                while try await database.pool.query("SELECT FROM paused_kinds").isEmpty { await Task.yield() }
                try await database.pool.execute("SELECT pg_terminate_backend(\(connection.serverProcessID), 5000)")
                #expect(await failure?.code == .connectionLost(mayHaveCommitted: true))
                await connection.close()
            }
        }
    }

    private static func failure(_ body: @Sendable () async throws -> Void) async -> PostgresError? {
        do { try await body() } catch { return error as? PostgresError }
        return nil
    }

    private struct RolledBack: Error {}

    @Test func `what was enqueued in a transaction that is rolled back is never seen`() async throws {
        try await TestDatabase.withMigrated { database in
            let test = QueueUnderTest(queue: database.queue, events: { _ in [] }) { _ in }
            let new = test.job(key: SerialKey(high: 1, low: 1))
            await #expect(throws: RolledBack.self) {
                try await database.pool.withTransaction { transaction in
                    _ = try await PostgresJobQueue.enqueue(new, in: transaction)
                    throw RolledBack()
                }
            }
            #expect(try await test.claim().isEmpty)
            #expect(try await test.queue.record(new.id, owner: test.user) == nil)
            // Its key is not left either, and the id is free.
            let next = try await test.enqueue(key: new.serialKey)
            #expect(try await test.claim().map(\.lease.job) == [next])
        }
    }

    @Test func `a rescue ends none of the leases that a living worker has taken since`() async throws {
        try await TestDatabase.withMigrated { database in
            let test = QueueUnderTest(queue: database.queue, events: { _ in [] }) { _ in }
            let (healthy, cancelled) = (try await test.enqueue(), try await test.enqueue())
            #expect(try await test.claim().count == 2)
            _ = try await test.queue.cancel(cancelled, owner: test.user)
            let remaining = try await database.pool.query(RescueStatements.remaining(of: test.worker))
                .decode(JobID.self, Int64.self, Bool.self, UserID.self, SerialKey?.self)
            #expect(remaining.map(\.0) == [cancelled])
            #expect(try await test.state(healthy) == .running)
        }
    }

    /// Each unfinished job stands in one place, and each waiting one has a head.
    private func check(_ database: TestDatabase, seed: UInt64) async throws {
        let places = try await database.pool.query(
            """
            SELECT j.state IS NULL, (SELECT count(*) FROM ready WHERE job = j.id)
                 + (SELECT count(*) FROM waiting WHERE job = j.id) + (SELECT count(*) FROM deferred WHERE job = j.id)
                 + (SELECT count(*) FROM running WHERE job = j.id)
            FROM jobs j
            """
        ).decode(Bool.self, Int.self)
        #expect(places.allSatisfy { $0.1 == ($0.0 ? 1 : 0) }, "seed \(seed): \(places)")
        let orphans = try await database.pool.query(RescueStatements.orphanedKeys(limit: 10)).decode(SerialKey.self)
        #expect(orphans.isEmpty, "seed \(seed)")
        let headless = try await database.pool.query(
            "SELECT count(*) FROM waiting w WHERE NOT EXISTS (SELECT FROM serial_heads h WHERE h.serial_key = w.serial_key)"
        ).decodeFirst(Int.self)
        #expect(headless == 0, "seed \(seed)")
    }

    @Test(arguments: 0..<4)
    func `enqueues and ends of a key at the same time leave nobody behind`(seed: UInt64) async throws {
        try await TestDatabase.withMigrated { database in
            let test = QueueUnderTest(queue: database.queue, events: { _ in [] }) { _ in }
            let key = SerialKey(high: 1, low: seed)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<3 { group.addTask { for _ in 0..<25 { try await test.enqueue(key: key) } } }
                group.addTask {
                    var ended = 0
                    while ended < 75 {
                        let claimed = try await test.claim()
                        #expect(claimed.count <= 1)
                        for job in claimed where try await test.settle(job) != .stale { ended += 1 }
                    }
                }
                try await group.waitForAll()
            }
            try await check(database, seed: seed)
        }
    }
}
