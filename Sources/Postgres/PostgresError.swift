// SPDX-License-Identifier: Apache-2.0

/// What went wrong with the database.
///
/// `description` is safe for logs: codes and names of the schema. What the server said may quote values a person
/// typed; it is in `debugDescription` only.
package struct PostgresError: Error, Sendable, Hashable, CustomStringConvertible, CustomDebugStringConvertible {
    /// What happened, and with it what the caller may do.
    package enum Code: Sendable, Hashable {
        /// The server refused the statement. Five characters, as in the manual's appendix A.
        case sqlState(String)
        /// No connection came about: refused, not resolved, wrong password, deadline. `sqlState` says more, if known.
        case connectionFailed
        /// The connection broke. `mayHaveCommitted` is false when the statement was not sent, true when it was
        /// and nothing is known: read before repeating what must not happen twice.
        case connectionLost(mayHaveCommitted: Bool)
        /// The connection, the pool or the transaction was closed by us before the call.
        case closed
        /// Nothing was lent within the deadline.
        case poolTimeout
        /// As many wait as may wait.
        case queueFull
        /// The task was cancelled. A statement that had begun was cancelled on the server and rolled back.
        case cancelled
        /// The statement's own deadline passed; it was cancelled on the server, or never sent.
        case deadlineExceeded
        /// The transaction had failed before its commit, and the body did not say so: it was rolled back.
        case transactionAborted
        /// A column cannot be read as asked.
        case decoding(PostgresDecodingFailure)
        /// The statement cannot be sent: U+0000 in a text, more than 65 535 values, more than 1 GB.
        case invalidStatement
        /// The connection string or a setting cannot be used.
        case invalidConfiguration
    }

    /// What happened.
    package let code: Code
    /// The server's SQLSTATE, for a failed connection too when the server gave one.
    package var sqlState: String?
    /// The constraint that was violated.
    package var constraint: String?
    /// The table it concerns.
    package var table: String?
    /// The column it concerns; for `decoding`, the column that was read.
    package var column: String?
    /// The constant text of the statement.
    package var statement: String?
    /// What was said; may hold what a person typed. For a debugger, not for logs.
    package var detail: String?

    init(_ code: Code, detail: String? = nil, column: String? = nil) {
        self.code = code
        self.detail = detail
        self.column = column
        if case .sqlState(let state) = code { sqlState = state }
    }

    /// Whether the same call may succeed later. After `connectionLost(mayHaveCommitted: true)` the caller must know
    /// that repeating is harmless.
    package var isRetryable: Bool {
        switch code {
        case .sqlState(let state): state == "40001" || state == "40P01" || state == "55P03" || Self.isAway(state)
        case .connectionFailed: !isMisconfigured
        case .connectionLost, .poolTimeout, .queueFull: true
        case .closed, .cancelled, .deadlineExceeded, .transactionAborted, .decoding, .invalidStatement,
            .invalidConfiguration:
            false
        }
    }

    /// The transaction was rolled back because of another one: repeat all of it.
    package var isSerializationFailure: Bool { sqlState == "40001" || sqlState == "40P01" }

    /// A row with the same key exists; `constraint` names the key.
    package var isUniqueViolation: Bool { sqlState == "23505" }

    /// The database is away or too busy to take the call, as opposed to refusing it: clients are told 503.
    package var isUnavailable: Bool {
        switch code {
        case .sqlState(let state): Self.isAway(state)
        case .connectionFailed, .connectionLost, .poolTimeout, .queueFull: true
        default: false
        }
    }

    /// A failed connection that will fail again until someone changes a setting.
    var isMisconfigured: Bool {
        guard let sqlState else { return false }
        return sqlState.hasPrefix("28") || sqlState == "3D000" || sqlState == "42501"
    }

    /// A bounded set of words, for metrics.
    package var label: String {
        switch code {
        case .sqlState(let state): state
        case .connectionFailed: "connection_failed"
        case .connectionLost: "connection_lost"
        case .closed: "closed"
        case .poolTimeout: "pool_timeout"
        case .queueFull: "queue_full"
        case .cancelled: "cancelled"
        case .deadlineExceeded: "deadline_exceeded"
        case .transactionAborted: "transaction_aborted"
        case .decoding: "decoding"
        case .invalidStatement: "invalid_statement"
        case .invalidConfiguration: "invalid_configuration"
        }
    }

    /// Without values, messages or statements.
    package var description: String {
        var text = "postgres \(label)"
        if case .connectionLost(let mayHaveCommitted) = code, mayHaveCommitted { text += " after sending" }
        if case .decoding(let failure) = code { text += " \(failure)" }
        if let sqlState, sqlState != label { text += " sqlstate \(sqlState)" }
        if let constraint { text += " constraint \(constraint)" }
        if let table { text += " table \(table)" }
        if let column { text += " column \(column)" }
        return text
    }

    /// Everything.
    package var debugDescription: String {
        var text = description
        if let detail { text += ": \(detail)" }
        if let statement { text += " in: \(statement)" }
        return text
    }

    /// Administrator's shutdown, crash, starting up, too many connections, and the connection classes.
    private static func isAway(_ state: String) -> Bool {
        state.hasPrefix("57P0") || state.hasPrefix("08") || state == "53300"
    }

    /// The same error with the statement it happened in.
    func during(_ statement: String) -> PostgresError {
        var error = self
        error.statement = statement
        return error
    }
}
