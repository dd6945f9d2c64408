// SPDX-License-Identifier: Apache-2.0
import Observability
package import Persistence
package import Postgres
import Runtime

/// A migrated database of its own with a pool, for the length of a suite or a test.
package struct TestDatabase: Sendable {
    /// The one of the suite that runs; see ``MigratedDatabase``.
    @TaskLocal package static var current: TestDatabase?

    /// How to reach it.
    package let configuration: PostgresConfiguration
    /// At most four connections.
    package let pool: PostgresPool
    /// The pool as stores take it.
    package var database: Database { Database(pool) }

    /// The current one.
    /// - Throws: when no suite provides one.
    package static func required() throws -> TestDatabase {
        guard let current else { throw NotProvided() }
        return current
    }

    /// The suite lacks the trait `.migratedDatabase`.
    package struct NotProvided: Error {}

    /// Copies the migrated template, runs a pool on it, and drops it when the body ends.
    package static func withMigrated<Value: Sendable>(
        _ body: (TestDatabase) async throws -> Value
    ) async throws -> Value {
        let template = try await TestCluster.migratedTemplate()
        return try await TestCluster.withDatabase(template: template) { name in
            try await with(name, body)
        }
    }

    /// Runs a pool on a database that exists.
    package static func with<Value: Sendable>(
        _ name: String, _ body: (TestDatabase) async throws -> Value
    ) async throws -> Value {
        let configuration = try TestCluster.configuration(database: name)
        var limits = PostgresPool.Limits()
        limits.maximumConnections = 4
        let pool = PostgresPool(
            name: name, configuration, limits: limits, loops: try TestCluster.loops.get().loops,
            blocking: TestCluster.blocking, logger: .discard, metrics: MetricsRegistry())
        let shutdown = ShutdownSignal()
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await pool.run(shutdown) }
            let value: Value
            do {
                value = try await body(TestDatabase(configuration: configuration, pool: pool))
            } catch {
                shutdown.trigger()
                try await group.waitForAll()
                throw error
            }
            shutdown.trigger()
            try await group.waitForAll()
            return value
        }
    }
}
