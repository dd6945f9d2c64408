// SPDX-License-Identifier: Apache-2.0
import Observability
import Runtime
import Synchronization

/// How much a transaction sees of others.
package enum PostgresIsolation: Sendable {
    /// Each statement sees what was committed before it began.
    case readCommitted
    /// All statements see what was committed before the first; writers may fail with 40001.
    case repeatableRead
    /// As if one after the other; any statement may fail with 40001.
    case serializable

    var begin: SQL {
        switch self {
        case .readCommitted: ("BEGIN ISOLATION LEVEL READ COMMITTED" as SQL).unprepared
        case .repeatableRead: ("BEGIN ISOLATION LEVEL REPEATABLE READ" as SQL).unprepared
        case .serializable: ("BEGIN ISOLATION LEVEL SERIALIZABLE" as SQL).unprepared
        }
    }
}

/// A transaction under way, for the body of `withTransaction`; afterwards its calls throw `closed`.
package struct PostgresTransaction: Sendable {
    let connection: PostgresConnection
    let number: UInt64
    let deadline: ContinuousClock.Instant?
    let followUps = FollowUps()

    /// What is done once the transaction has committed.
    final class FollowUps: Sendable {
        private let bodies = Mutex<[@Sendable () -> Void]>([])

        func append(_ body: @escaping @Sendable () -> Void) { bodies.withLock { $0.append(body) } }

        func run() {
            for body in bodies.withLock({ $0 }) { body() }
        }
    }

    /// Runs a body after the commit, in the order given, on the task that committed; never after a rollback, nor after
    /// a commit whose answer was lost. For what may be missed: notices that others would find out later. Must not block.
    package func afterCommit(_ body: @escaping @Sendable () -> Void) { followUps.append(body) }

    /// Runs one statement; see ``PostgresConnection/query(_:deadline:)``.
    package func query(_ sql: SQL) async throws(PostgresError) -> PostgresRows {
        guard let rows = try await pipeline([sql]).first else {
            throw PostgresError(.connectionLost(mayHaveCommitted: false))
        }
        return rows
    }

    /// Runs one statement for its effect; returns the rows it affected.
    @discardableResult
    package func execute(_ sql: SQL) async throws(PostgresError) -> Int { try await query(sql).affectedRows }

    /// Runs statements in one round trip.
    package func pipeline(_ statements: [SQL]) async throws(PostgresError) -> [PostgresRows] {
        if statements.isEmpty { return [] }
        return try await connection.perform(.statements(statements), owner: number, deadline: deadline)
    }
}

extension PostgresConnection {
    // Not prepared: they must work when the transaction has failed and nothing else does.
    private static let commit = ("COMMIT" as SQL).unprepared
    private static let rollBack = ("ROLLBACK" as SQL).unprepared

    /// Runs a body in a transaction that has the connection to itself: commits when it returns, rolls back when it
    /// throws. BEGIN travels with the first statement, so the transaction costs one round trip more than its body.
    ///
    /// The deadline is that of every statement, of the waiting for the connection, and of the commit.
    ///
    /// Throws the body's error; of the commit `sqlState`, `transactionAborted` when the body hid a failed
    /// statement, `connectionLost(mayHaveCommitted: true)` when its answer never came, or the server was ending.
    nonisolated package func withTransaction<Value>(
        _ isolation: PostgresIsolation = .readCommitted, deadline: ContinuousClock.Instant? = nil,
        _ body: (PostgresTransaction) async throws -> Value
    ) async throws -> Value {
        let number = try await beginExclusive(isolation, deadline)
        let transaction = PostgresTransaction(connection: self, number: number, deadline: deadline)
        let value: Value
        do {
            value = try await body(transaction)
        } catch {
            await rollBack(number)
            throw error
        }
        try await commit(number, deadline)
        transaction.followUps.run()
        return value
    }

    private func beginExclusive(
        _ isolation: PostgresIsolation, _ deadline: ContinuousClock.Instant?
    ) async throws(PostgresError) -> UInt64 {
        // The call's number becomes the transaction's.
        let number = nextNumber()
        _ = try await perform(.exclusive, owner: nil, deadline: deadline, number: number)
        ownerBegin = isolation.begin
        return number
    }

    private func commit(_ number: UInt64, _ deadline: ContinuousClock.Instant?) async throws(PostgresError) {
        guard owner == number, ownerHasBegun else { return release(number) }
        if Task.isCancelled {
            await rollBack(number)
            throw PostgresError(.cancelled)
        }
        defer { release(number) }
        let rows: [PostgresRows]
        do throws(PostgresError) {
            rows = try await perform(.statements([Self.commit]), owner: number, deadline: deadline, shielded: true)
        } catch {
            // A server that is told to end during a commit may say so only behind it.
            guard error.sqlState?.hasPrefix("57P0") == true else { throw error }
            throw PostgresError(.connectionLost(mayHaveCommitted: true), detail: error.detail)
        }
        if rows.first?.result.commandTag != "COMMIT" { throw PostgresError(.transactionAborted) }
    }

    private func rollBack(_ number: UInt64) async {
        defer { release(number) }
        guard state == .open, owner == number, ownerHasBegun else { return }
        do throws(PostgresError) {
            let deadline = ContinuousClock.now + configuration.cancelGrace
            _ = try await perform(.statements([Self.rollBack]), owner: number, deadline: deadline, shielded: true)
        } catch {
            logger.warning("a transaction could not be rolled back", [.errorCode: .string(error.label)])
            end(.lost, detail: "a transaction could not be rolled back")
        }
    }

    private func release(_ number: UInt64) {
        guard owner == number else { return }
        owner = nil
        ownerHasBegun = false
        // A call that outlived the body, from a task the body did not wait for.
        for exchange in ownerWaiting.removeAll() { finish(exchange, .failure(PostgresError(.closed))) }
        pump()
    }
}
