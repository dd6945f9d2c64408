// SPDX-License-Identifier: Apache-2.0
package import Postgres

/// The pool as the stores see it: one statement or one transaction, with this module's errors.
package struct Database: Sendable {
    /// For what needs a connection of its own.
    package let pool: PostgresPool

    /// Wraps a pool that the caller runs.
    package init(_ pool: PostgresPool) { self.pool = pool }

    /// Runs one statement.
    func query(_ sql: SQL) async throws(PersistenceError) -> PostgresRows {
        do throws(PostgresError) {
            return try await pool.query(sql)
        } catch {
            throw PersistenceError(error)
        }
    }

    /// Runs one statement for its effect; returns the rows it affected.
    @discardableResult
    func execute(_ sql: SQL) async throws(PersistenceError) -> Int { try await query(sql).affectedRows }

    /// Runs statements in one round trip and one implicit transaction.
    func pipeline(_ statements: [SQL]) async throws(PersistenceError) -> [PostgresRows] {
        do throws(PostgresError) {
            return try await pool.pipeline(statements)
        } catch {
            throw PersistenceError(error)
        }
    }

    /// Commits when the body returns, rolls back when it throws. Read committed: each statement of the body sees what
    /// others committed before it, which the locking ones rely on.
    ///
    /// - Throws: the body's error as it is understood here; of the commit, `unavailable` with `mayHaveCommitted` when
    ///   its answer was lost.
    package func withTransaction<Value: Sendable>(
        _ body: (PostgresTransaction) async throws -> Value
    ) async throws(PersistenceError) -> Value {
        do {
            return try await pool.withTransaction { try await body($0) }
        } catch {
            throw PersistenceError(error)
        }
    }
}
