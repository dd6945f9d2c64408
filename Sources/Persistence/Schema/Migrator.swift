// SPDX-License-Identifier: Apache-2.0
package import Observability
package import Postgres

/// Applies and reverts migrations. Any number may run at once: a lock of the session lets one work, and the others then
/// find nothing left to do.
///
/// A step and its record are one transaction, the record first, so that even without the lock a step is never applied
/// twice. A statement that cannot run in a transaction cannot be a migration.
package struct Migrator: Sendable {
    /// PostgreSQL 16.
    static let minimumServerVersion = 160_000

    private let connection: PostgresConnection
    private let migrations: [Migration]
    private let logger: Logger

    /// The connection is the migrator's alone while it works, and leads directly to the server: the lock is a session's.
    package init(connection: PostgresConnection, migrations: [Migration] = Migration.all, logger: Logger) {
        precondition(
            zip(migrations, migrations.dropFirst()).allSatisfy { $0.number < $1.number },
            "migrations are in the order of their numbers")
        self.connection = connection
        self.migrations = migrations
        self.logger = logger
    }

    /// Applies what is missing, up to a number.
    ///
    /// - Parameters:
    ///   - target: the last to apply; `nil` for all.
    ///   - deadline: of the wait for another migrator and of each step.
    /// - Returns: what was applied.
    /// - Throws: `incompatible` when the server or the schema is not one this program runs on; `unavailable`; `internal`
    ///   when a step failed, which is then undone as a whole.
    package func up(
        to target: Int? = nil, deadline: ContinuousClock.Instant? = nil
    ) async throws(PersistenceError) -> [Migration] {
        try await locked(deadline) { () async throws(PersistenceError) in
            try await checkServer()
            try await perform(SchemaStatements.createTable, deadline)
            let status = try await status()
            if let step = status.incompatible.first {
                throw PersistenceError(
                    .incompatible,
                    detail: "the database has migration \(step.number) of a newer version, which this one cannot run on"
                )
            }
            let missing = Set(status.pending.map(\.number))
            let due = migrations.filter { missing.contains($0.number) && $0.number <= target ?? .max }
            for step in due {
                try await run(
                    """
                    INSERT INTO schema_migrations (number, name, breaking)
                    VALUES (\(step.number), '\(step.name)', \(step.isBreaking));
                    \(step.up)
                    """, deadline)
                logger.info(
                    "migration applied", [.migrationNumber: LogValue(step.number), .migrationName: .string(step.name)])
            }
            return due
        }
    }

    /// Reverts steps, the newest first, until the given number is the last applied; 0 reverts all. Data is lost.
    ///
    /// - Returns: what was reverted.
    /// - Throws: as ``up(to:deadline:)``; `incompatible` also when a step that this program does not know is in the way.
    package func down(
        to target: Int, deadline: ContinuousClock.Instant? = nil
    ) async throws(PersistenceError) -> [Migration] {
        try await locked(deadline) { () async throws(PersistenceError) in
            try await perform(SchemaStatements.createTable, deadline)
            var reverted: [Migration] = []
            for step in try await status().steps.reversed() where step.appliedAt != nil && step.number > target {
                guard let migration = migrations.first(where: { $0.number == step.number }) else {
                    throw PersistenceError(
                        .incompatible, detail: "migration \(step.number) is of a newer version, which has to revert it")
                }
                try await run(
                    """
                    DELETE FROM schema_migrations WHERE number = \(migration.number);
                    \(migration.down)
                    """, deadline)
                logger.info(
                    "migration reverted",
                    [.migrationNumber: LogValue(migration.number), .migrationName: .string(migration.name)])
                reverted.append(migration)
            }
            return reverted
        }
    }

    /// What the database has and what this program knows.
    package func status() async throws(PersistenceError) -> SchemaStatus {
        var rows: PostgresRows?
        do throws(PostgresError) {
            rows = try await connection.query(SchemaStatements.applied)
        } catch {
            guard error.sqlState == "42P01" else { throw PersistenceError(error) }
        }
        return try SchemaStatus(applied: rows, known: migrations)
    }

    /// The server must be recent, hold Unicode, and know its letters: search would not find `ä` for `Ä` otherwise.
    private func checkServer() async throws(PersistenceError) {
        let rows = try await perform(SchemaStatements.server, nil)
        guard let row = rows.first else { throw PersistenceError(.internal, detail: "the server told nothing") }
        var columns = ColumnReader(row)
        let version: Int = try columns.next()
        let knowsLetters: Bool = try columns.next()
        let encoding: String = try columns.next()
        let hasVector: Bool = try columns.next()
        guard version >= Self.minimumServerVersion else {
            throw PersistenceError(
                .incompatible, detail: "the server is PostgreSQL \(version / 10_000); 16 or later is needed")
        }
        guard encoding == "UTF8" else {
            throw PersistenceError(.incompatible, detail: "the database's encoding is \(encoding); UTF8 is needed")
        }
        guard knowsLetters else {
            throw PersistenceError(
                .incompatible,
                detail: "the database's locale knows only the letters of ASCII; create it with the locale C.UTF-8")
        }
        if !hasVector {
            logger.warning("the extension vector is not available: documents cannot be searched by meaning")
        }
    }

    private func locked<Value>(
        _ deadline: ContinuousClock.Instant?, _ body: () async throws(PersistenceError) -> Value
    ) async throws(PersistenceError) -> Value {
        try await perform(SchemaStatements.lock, deadline)
        let value: Value
        do throws(PersistenceError) {
            value = try await body()
        } catch {
            await unlock()
            throw error
        }
        await unlock()
        return value
    }

    /// A connection that cannot do it is closed: the lock ends with the session.
    private func unlock() async {
        do throws(PostgresError) {
            try await connection.execute(SchemaStatements.unlock)
        } catch {
            logger.warning("the migrator's lock was not given back", [.errorCode: .string(error.label)])
            await connection.close()
        }
    }

    @discardableResult
    private func perform(
        _ sql: SQL, _ deadline: ContinuousClock.Instant?
    ) async throws(PersistenceError) -> PostgresRows {
        do throws(PostgresError) {
            return try await connection.query(sql, deadline: deadline)
        } catch {
            throw PersistenceError(error)
        }
    }

    /// Several statements as one transaction.
    private func run(_ script: String, _ deadline: ContinuousClock.Instant?) async throws(PersistenceError) {
        do throws(PostgresError) {
            try await connection.runScript(script, deadline: deadline)
        } catch {
            throw PersistenceError(error)
        }
    }
}
