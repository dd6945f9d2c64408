// SPDX-License-Identifier: Apache-2.0
import Observability
import Persistence
import Postgres
import Runtime

/// `switchyard migrate …`: works on a connection of its own and says what it did.
struct MigrateCommand {
    private let command: Command

    init(_ command: Command) {
        self.command = command
    }

    /// - Returns: what to print.
    func run(_ configuration: Configuration) async throws -> String {
        let loops = try EventLoopGroup(count: 1)
        defer { loops.shutDown() }
        let connection = try await PostgresConnection.connect(
            try configuration.postgres(application: "switchyard/migrate"), on: loops.next(),
            blocking: BlockingPool(threadCount: 1, queueLimit: 16), logger: .discard)
        let migrator = Migrator(connection: connection, logger: .discard)
        let text: String
        switch command {
        case .migrateDown(let number):
            text = Self.list(try await migrator.down(to: number), "reverted", nothing: "nothing to revert")
        case .migrateStatus:
            text = try await migrator.status().steps.map { step in
                "\(step.number)  \(step.name)  \(step.appliedAt.map { "applied \($0)" } ?? "pending")"
            }.joined(separator: "\n")
        case .migrateUp(let number):
            text = Self.list(try await migrator.up(to: number), "applied", nothing: "the database is current")
        default: text = ""
        }
        await connection.close()
        return text
    }

    private static func list(_ migrations: [Migration], _ verb: String, nothing: String) -> String {
        if migrations.isEmpty { return nothing }
        return migrations.map { "\(verb) \($0.number) \($0.name)" }.joined(separator: "\n")
    }
}

extension Configuration {
    /// The database of `DATABASE_URL`.
    ///
    /// - Throws: ``ConfigurationError`` when it is missing or cannot be read.
    func postgres(application: String) throws -> PostgresConfiguration {
        guard let url = databaseURL else {
            throw ConfigurationError(problems: ["DATABASE_URL must name the database; ops/run sets up a private one"])
        }
        do throws(PostgresError) {
            var postgres = try PostgresConfiguration(url: url.revealed())
            postgres.applicationName = application
            return postgres
        } catch {
            throw ConfigurationError(problems: ["DATABASE_URL cannot be read as an address of a database"])
        }
    }
}
