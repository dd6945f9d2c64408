// SPDX-License-Identifier: Apache-2.0
import Foundation
import Observability
import Persistence
import Postgres
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(1)), .enabled(if: TestCluster.url != nil))
struct MigratorTests {
    private func onEmptyDatabase(
        options: String = "", _ body: (_ name: String, PostgresConnection) async throws -> Void
    ) async throws {
        try await TestCluster.withDatabase(template: "template0", options: options) { name in
            try await TestCluster.withConnection(to: name) { try await body(name, $0) }
        }
    }

    private func objects(_ connection: PostgresConnection) async throws -> Set<String> {
        let rows = try await connection.query(
            """
            SELECT relkind::text || ' ' || relname FROM pg_class WHERE relnamespace = 'public'::regnamespace
            UNION ALL SELECT 'f ' || proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace
            """)
        return Set(try rows.decode(String.self))
    }

    @Test func `the list names exactly the files of the folder`() throws {
        let folder = URL(filePath: #filePath).deletingLastPathComponent()
            .appending(path: "../../Sources/Persistence/Migrations").standardized
        let files = try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
        let expected = Migration.all.flatMap { migration in
            ["down", "up"].map { String(format: "m%04d_%@.%@.sql", migration.number, migration.name, $0) }
        }
        #expect(files == expected)
        for migration in Migration.all {
            let name = String(format: "m%04d_%@", migration.number, migration.name)
            let up = try String(contentsOf: folder.appending(path: "\(name).up.sql"), encoding: .utf8)
            let down = try String(contentsOf: folder.appending(path: "\(name).down.sql"), encoding: .utf8)
            #expect(migration.up == up && migration.down == down)
            #expect(migration.name.allSatisfy { $0.isLowercase || $0.isNumber || $0 == "_" })
        }
    }

    @Test func `up, down and up again leave the same schema`() async throws {
        try await onEmptyDatabase { _, connection in
            let migrator = Migrator(connection: connection, logger: .discard)
            #expect(try await migrator.status().isCurrent == false)
            #expect(try await migrator.up().map(\.number) == Migration.all.map(\.number))
            let first = try await objects(connection)
            #expect(try await migrator.status().isCurrent)
            #expect(try await migrator.down(to: 0).map(\.number) == Migration.all.map(\.number).reversed())
            #expect(try await objects(connection) == ["r schema_migrations", "i schema_migrations_pkey"])
            #expect(try await migrator.up(to: 1).map(\.number) == [1])
            #expect(
                try await migrator.status().pending.map(\.number).elementsEqual(Migration.all.map(\.number).dropFirst())
            )
            _ = try await migrator.up()
            #expect(try await objects(connection) == first)
            #expect(try await migrator.up().isEmpty)
        }
    }

    @Test func `of many migrators at once one applies each step`() async throws {
        try await TestCluster.withDatabase(template: "template0") { name in
            let applied = try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 0..<4 {
                    group.addTask {
                        try await TestCluster.withConnection(to: name) { connection in
                            try await Migrator(connection: connection, logger: .discard).up().count
                        }
                    }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(applied.sorted() == [0, 0, 0, Migration.all.count])
        }
    }

    @Test func `a failing step leaves nothing of itself behind`() async throws {
        try await onEmptyDatabase { _, connection in
            try await connection.runScript("CREATE TABLE usage ()")
            let migrator = Migrator(connection: connection, logger: .discard)
            #expect(try await code { _ = try await migrator.up() } == .internal)
            let left = Migration.all.map(\.number).dropFirst()
            #expect(try await migrator.status().pending.map(\.number).first == 2)
            #expect(try await objects(connection).contains("r users") == false)
            // The lock was given back and the connection still works.
            try await connection.runScript("DROP TABLE usage")
            #expect(try await migrator.up().map(\.number).elementsEqual(left))
        }
    }

    @Test func `a newer breaking step is refused and a newer harmless one is not`() async throws {
        try await onEmptyDatabase { name, connection in
            let migrator = Migrator(connection: connection, logger: .discard)
            _ = try await migrator.up()
            try await connection.execute(
                "INSERT INTO schema_migrations (number, name, breaking) VALUES (9001, 'harmless', false)")
            #expect(try await migrator.status().isCurrent)
            #expect(try await migrator.up().isEmpty)
            #expect(try await code { _ = try await migrator.down(to: 0) } == .incompatible)
            try await connection.execute(
                "INSERT INTO schema_migrations (number, name, breaking) VALUES (9002, 'other', true)")
            #expect(try await code { _ = try await migrator.up() } == .incompatible)
            try await TestDatabase.with(name) { database in
                let status = try await SchemaStatus.read(from: database.database)
                #expect(!status.isCurrent)
                #expect(status.incompatible.map(\.number) == [9002])
                #expect(try await code { try status.requireCurrent() } == .incompatible)
            }
        }
    }

    @Test func `a database that was never migrated is not current`() async throws {
        try await onEmptyDatabase { name, _ in
            try await TestDatabase.with(name) { database in
                let status = try await SchemaStatus.read(from: database.database)
                #expect(status.pending.count == Migration.all.count)
                #expect(try await code { try status.requireCurrent() } == .incompatible)
            }
        }
    }

    @Test(arguments: [
        "ENCODING 'UTF8' LOCALE_PROVIDER libc LOCALE 'C'",
        "ENCODING 'SQL_ASCII' LOCALE_PROVIDER libc LOCALE 'C'",
    ])
    func `a database without the letters of Unicode is refused`(options: String) async throws {
        try await onEmptyDatabase(options: options) { _, connection in
            let migrator = Migrator(connection: connection, logger: .discard)
            let refusal = try await code { _ = try await migrator.up() }
            let objects = try await objects(connection)
            #expect(refusal == .incompatible && objects.isEmpty)
        }
    }
}
