// SPDX-License-Identifier: Apache-2.0
import Cryptography
import Glibc
package import Observability
import Persistence
package import Postgres
package import Runtime
import Synchronization

/// The server that tests share, named by `SWITCHYARD_TEST_DATABASE_URL`, and the threads that talk to it. They live as
/// long as the process of the tests.
package enum TestCluster {
    /// Where the server is; `nil` when none was given, and then nothing that needs one is tested.
    package static let url: String? = {
        guard let value = unsafe getenv("SWITCHYARD_TEST_DATABASE_URL") else { return nil }
        return unsafe String(cString: value)
    }()

    /// Loops for connections.
    package static let loops = Result { try EventLoopGroup(count: 2) }
    /// For names and cancels.
    package static let blocking = BlockingPool(threadCount: 2, queueLimit: 1024)

    private static let lastNumber = Atomic<Int>(0)

    /// A name that no other database of this server has.
    static func newName() -> String {
        let random = RandomBytes.generate(count: 4).reduce(0) { $0 << 8 | UInt64($1) }
        return "test_\(getpid())_\(lastNumber.add(1, ordering: .relaxed).newValue)_\(random)"
    }

    /// How to reach a database of the server.
    /// - Throws: when no server was given.
    package static func configuration(database: String? = nil) throws -> PostgresConfiguration {
        guard let url else { throw MissingServer() }
        let configuration = try PostgresConfiguration(url: url)
        return database.map(configuration.withDatabase) ?? configuration
    }

    /// No `SWITCHYARD_TEST_DATABASE_URL`.
    package struct MissingServer: Error {}

    /// A connection for the length of a body.
    package static func withConnection<Value>(
        to database: String? = nil, logger: Logger = .discard, _ body: (PostgresConnection) async throws -> Value
    ) async throws -> Value {
        try await withConnection(at: try configuration(database: database), logger: logger, body)
    }

    /// A connection to any server for the length of a body.
    package static func withConnection<Value>(
        at configuration: PostgresConfiguration, logger: Logger = .discard,
        _ body: (PostgresConnection) async throws -> Value
    ) async throws -> Value {
        let connection = try await PostgresConnection.connect(
            configuration, on: try loops.get().next(), blocking: blocking, logger: logger)
        do {
            let value = try await body(connection)
            await connection.close()
            return value
        } catch {
            await connection.close()
            throw error
        }
    }

    /// Makes a database for the length of a body: a copy of the template, which nothing must be connected to, with
    /// further options of CREATE DATABASE.
    package static func withDatabase<Value>(
        template: String = "template1", options: String = "", _ body: (_ name: String) async throws -> Value
    ) async throws -> Value {
        let name = newName()
        try await withConnection { try await $0.runScript("CREATE DATABASE \(name) TEMPLATE \(template) \(options)") }
        let value: Value
        do {
            value = try await body(name)
        } catch {
            try await drop(name)
            throw error
        }
        try await drop(name)
        return value
    }

    private static func drop(_ name: String) async throws {
        try await withConnection { try await $0.runScript("DROP DATABASE \(name) WITH (FORCE)") }
    }

    /// The name of a database that all migrations have run in. Made by the first who asks, of all processes that use
    /// this server, and kept: its name tells which migrations it has.
    package static func migratedTemplate() async throws -> String {
        let text = Migration.all.map { $0.up + $0.down }.joined()
        let name = "template_" + Hexadecimal.encode(Array(SHA256.hash(Array(text.utf8)).prefix(8)))
        try await withConnection { administrator in
            try await administrator.execute("SELECT pg_advisory_lock(723711797, 1000)")
            let rows = try await administrator.query(
                "SELECT datistemplate FROM pg_database WHERE datname = \(name)")
            let isReady = try rows.decodeFirst(Bool.self)
            if isReady == true { return }
            if isReady == false { try await administrator.runScript("DROP DATABASE \(name) WITH (FORCE)") }
            try await administrator.runScript("CREATE DATABASE \(name)")
            try await withConnection(to: name) { connection in
                _ = try await Migrator(connection: connection, logger: .discard).up()
            }
            try await administrator.runScript("ALTER DATABASE \(name) WITH IS_TEMPLATE true")
        }
        return name
    }
}
