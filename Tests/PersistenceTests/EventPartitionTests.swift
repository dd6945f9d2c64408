// SPDX-License-Identifier: Apache-2.0
import Chat
import Observability
import Postgres
import TestSupport
import Testing

@testable import Persistence

/// Old partitions of the token log go without anybody waiting for it, whatever stands in the way and whoever dies.
@Suite(.timeLimit(.minutes(1)), .enabled(if: TestCluster.url != nil))
struct EventPartitionTests {
    private static let retention: Duration = .seconds(86_400)
    private static let name = "events_1577836800"

    /// A database whose log has a partition of 2020.
    private func withOldPartition(
        _ body: @Sendable (TestDatabase, _ name: String) async throws -> Void
    ) async throws {
        try await TestDatabase.withMigrated { database in
            let name = try #require(
                try await database.pool.query("SELECT current_database()::text").decodeFirst(String.self))
            try await TestCluster.withConnection(to: name) { connection in
                try await connection.runScript(
                    """
                    CREATE TABLE \(Self.name) (LIKE events INCLUDING ALL);
                    ALTER TABLE events ATTACH PARTITION \(Self.name)
                    FOR VALUES FROM ('2020-01-01 00:00:00+00') TO ('2020-01-01 06:00:00+00');
                    INSERT INTO events VALUES (gen_random_uuid(), 1, 1, 0, '{}', '2020-01-01 01:00:00+00');
                    """)
            }
            try await body(database, name)
        }
    }

    /// Runs a body beside a transaction that has read the log, and rolls that back when told to, or after the body.
    private func besideReader(
        of name: String, _ body: (_ rollBack: () async throws -> Void) async throws -> Void
    ) async throws {
        try await TestCluster.withConnection(to: name) { reader in
            try await reader.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
            _ = try await reader.query("SELECT count(*) FROM events")
            try await body { try await reader.execute("ROLLBACK") }
        }
    }

    private func count(_ sql: SQL, _ database: TestDatabase) async throws -> Int {
        try #require(try await database.pool.query(sql).decodeFirst(Int.self))
    }

    private func partitions(_ database: TestDatabase) async throws -> Int {
        try await count("SELECT count(*) FROM pg_class WHERE relname = \(Self.name)", database)
    }

    private func keep(_ database: TestDatabase, patience: Duration) async throws -> [String] {
        var dropped: [String] = []
        try await EventPartitions(database: database.database, patience: patience)
            .keep(retention: Self.retention) { dropped.append($0) }
        return dropped
    }

    @Test func `a partition goes after its retention, and none that is younger`() async throws {
        try await withOldPartition { database, _ in
            let before = try await count("SELECT count(*) FROM pg_inherits", database)
            #expect(try await keep(database, patience: .seconds(30)) == [Self.name])
            #expect(try await partitions(database) == 0)
            #expect(try await count("SELECT count(*) FROM pg_inherits", database) < before)
            let left = try await count("SELECT count(*) FROM pg_inherits", database)
            #expect(try await keep(database, patience: .seconds(30)) == [])
            #expect(try await count("SELECT count(*) FROM pg_inherits", database) == left)
        }
    }

    @Test func `nobody waits behind the end of a partition that a transaction still reads`() async throws {
        try await withOldPartition { database, name in
            try await besideReader(of: name) { rollBack in
                async let dropped = keep(database, patience: .seconds(30))
                let waiting: SQL = """
                    SELECT count(*) FROM pg_stat_activity
                    WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%DETACH%'
                    """
                while try await count(waiting, database) == 0 {}
                // Whoever stood in line behind it would fail.
                try await TestCluster.withConnection(to: name) { connection in
                    try await connection.execute("SET lock_timeout = '1ms'")
                    try await connection.execute(
                        "INSERT INTO events VALUES (gen_random_uuid(), 1, 1, 0, '{}', clock_timestamp())")
                    let read = try await connection.query("SELECT count(*) FROM events").decodeFirst(Int.self)
                    #expect(read == 1)
                }
                try await rollBack()
                #expect(try await dropped == [Self.name])
            }
            #expect(try await partitions(database) == 0)
        }
    }

    /// Whether what was begun is ended by the function that programs of before call.
    @Test(arguments: [false, true])
    func `what was interrupted is ended by a later round`(byOldProgram: Bool) async throws {
        try await withOldPartition { database, name in
            let pending: SQL = "SELECT count(*) FROM pg_inherits WHERE inhdetachpending"
            try await besideReader(of: name) { rollBack in
                for _ in 0..<2 {
                    let error = await #expect(throws: PersistenceError.self) {
                        try await keep(database, patience: .milliseconds(50))
                    }
                    #expect(error?.code == .unavailable)
                    #expect(try await count(pending, database) == 1)
                    #expect(try await partitions(database) == 1)
                }
                // Nobody who comes now sees it, and the log can grow.
                #expect(try await count("SELECT count(*) FROM events", database) == 0)
                #expect(try await count("SELECT ensure_event_partitions('6 hours', '60 hours')", database) > 0)
                try await rollBack()
            }
            if byOldProgram {
                let drop: SQL = "SELECT coalesce(drop_event_partition(clock_timestamp() - interval '1 day'), '')"
                for expected in [Self.name, ""] {
                    let dropped = try await database.pool.query(drop).decodeFirst(String.self)
                    #expect(dropped == expected)
                }
            } else {
                #expect(try await keep(database, patience: .seconds(30)) == [Self.name])
            }
            #expect(try await count(pending, database) == 0)
            #expect(try await partitions(database) == 0)
        }
    }

    @Test func `a partition that was detached and not dropped goes, and what others have detached stays`() async throws
    {
        try await withOldPartition { database, name in
            try await TestCluster.withConnection(to: name) { connection in
                try await connection.runScript("ALTER TABLE events DETACH PARTITION \(Self.name)")
                try await connection.runScript("CREATE TABLE events_1577858400 (LIKE events)")
            }
            #expect(try await keep(database, patience: .seconds(30)) == [])
            #expect(try await partitions(database) == 1)
            try await TestCluster.withConnection(to: name) { connection in
                try await connection.runScript(PartitionStatements.mark(1_577_836_800))
            }
            #expect(try await keep(database, patience: .seconds(30)) == [Self.name])
            #expect(try await partitions(database) == 0)
            let others = try await count("SELECT count(*) FROM pg_class WHERE relname = 'events_1577858400'", database)
            #expect(others == 1)
        }
    }
}
