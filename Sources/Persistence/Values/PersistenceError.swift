// SPDX-License-Identifier: Apache-2.0
package import Postgres

/// Why something could not be stored or found.
///
/// `description` is safe for logs; `debugDescription` may hold what a person typed.
package struct PersistenceError: Error, Sendable, CustomStringConvertible, CustomDebugStringConvertible {
    /// What happened, and with it what a client is told.
    package enum Code: Sendable, Hashable {
        /// There is no such thing, or it is another user's; the two are not told apart.
        case notFound
        /// A unique name is taken; `constraint` names the index.
        case conflict(constraint: String)
        /// It cannot go while so many others refer to it.
        case inUse(count: Int)
        /// The database is away or too busy: 503, and the same call may succeed later.
        case unavailable
        /// The lease or version that was to be written under is no longer the current one.
        case stale
        /// The task was cancelled; nothing was changed.
        case cancelled
        /// The database holds a schema, a server or a locale that this program does not run on.
        case incompatible
        /// A fault of the program or of what is stored.
        case `internal`
    }

    /// What happened.
    package let code: Code
    /// What the database said, where it is the cause.
    package let underlying: PostgresError?
    /// What it concerns, without what a person typed.
    package let detail: String

    /// An error of this module's own.
    package init(_ code: Code, detail: String = "") {
        self.code = code
        self.detail = detail
        underlying = nil
    }

    /// What a database error means here.
    package init(_ error: PostgresError) {
        underlying = error
        detail = ""
        code =
            if error.isUniqueViolation {
                .conflict(constraint: error.constraint ?? "")
            } else if error.code == .cancelled {
                .cancelled
            } else if error.isUnavailable || error.isSerializationFailure || error.code == .deadlineExceeded {
                .unavailable
            } else {
                .internal
            }
    }

    /// What a transaction's body threw, whatever it was.
    package init(_ error: any Error) {
        switch error {
        case let error as PersistenceError: self = error
        case let error as PostgresError: self.init(error)
        case is CancellationError: self.init(.cancelled)
        default: self.init(.internal, detail: String(describing: type(of: error)))
        }
    }

    /// Whether the same call may succeed later. After a lost commit the caller must know that repeating is harmless.
    package var isRetryable: Bool { code == .unavailable }

    /// Whether the change may have been made all the same: read before repeating what must not happen twice.
    package var mayHaveCommitted: Bool { underlying?.code == .connectionLost(mayHaveCommitted: true) }

    /// A bounded set of words, for metrics.
    package var label: String {
        switch code {
        case .notFound: "not_found"
        case .conflict: "conflict"
        case .inUse: "in_use"
        case .unavailable: "unavailable"
        case .stale: "stale"
        case .cancelled: "cancelled"
        case .incompatible: "incompatible"
        case .internal: "internal"
        }
    }

    /// Code and cause, without values.
    package var description: String {
        var text = "persistence \(label)"
        if !detail.isEmpty { text += ": \(detail)" }
        if let underlying { text += " (\(underlying))" }
        return text
    }

    /// With the statement and what the server said.
    package var debugDescription: String {
        underlying.map { "\(description): \(String(reflecting: $0))" } ?? description
    }
}

extension PersistenceError {
    /// Listeners have not read for so long that the database takes no more notifications (`too_many_…`, 54000).
    var hasNoRoomForNotifications: Bool { underlying?.sqlState == "54000" }
}
