// SPDX-License-Identifier: Apache-2.0
package import Chat
package import Cryptography
import Postgres

/// What became of a refresh token that a client sent.
package enum RefreshOutcome: Sendable, Hashable {
    /// It was good; the next one is stored in its place.
    case rotated(UserID)
    /// It had been used before: someone has a copy. Every token of that log-in is revoked.
    case reused(UserID)
    /// It is not known, revoked, or expired.
    case unknown
}

/// Refresh tokens, by hash. Each can be used once; see ``RefreshOutcome``.
package struct RefreshTokenStore: Sendable {
    private static let batch: Int32 = 1000

    private let database: Database
    private let lifetimeDays: Int32

    /// Each token lives so many days; a rotated one starts anew.
    package init(database: Database, lifetimeDays: Int = 30) {
        self.database = database
        self.lifetimeDays = Int32(clamping: lifetimeDays)
    }

    /// Begins a log-in. `verifiedHash` is the stored hash that a password was verified against; none after a
    /// registration.
    /// - Throws: `stale` when the password was changed meanwhile, or the user is gone.
    package func issue(
        _ token: OpaqueToken, to user: UserID, verifiedHash: String? = nil
    ) async throws(PersistenceError) {
        let family = RandomBytes.generate(count: 16)
        func half(_ bytes: ArraySlice<UInt8>) -> UInt64 { bytes.reduce(0) { $0 << 8 | UInt64($1) } }
        let issued = try await database.execute(
            RefreshTokenStatements.issue(
                token.hash, family: PostgresUUID(high: half(family[..<8]), low: half(family[8...])), to: user,
                passwordHash: verifiedHash, days: lifetimeDays))
        guard issued == 1 else { throw PersistenceError(.stale) }
    }

    /// Uses a token up and stores the next of its family.
    package func rotate(
        _ token: OpaqueToken, to next: OpaqueToken
    ) async throws(PersistenceError) -> RefreshOutcome {
        try await database.withTransaction { transaction in
            try await transaction.execute(RefreshTokenStatements.lockOwner(of: token.hash))
            let rows = try await transaction.query(RefreshTokenStatements.lock(token.hash))
            guard
                let (family, user, isUsed, isExpired) = try rows.decodeFirst(
                    PostgresUUID.self, UserID.self, Bool.self, Bool.self)
            else { return .unknown }
            if isUsed {
                try await transaction.execute(RefreshTokenStatements.revokeFamily(family, of: user))
                return .reused(user)
            }
            if isExpired { return .unknown }
            try await transaction.execute(
                RefreshTokenStatements.replace(token.hash, by: next.hash, days: lifetimeDays))
            return .rotated(user)
        }
    }

    /// Ends the log-in that a token belongs to; an unknown token is no error.
    package func revoke(_ token: OpaqueToken) async throws(PersistenceError) {
        try await database.execute(RefreshTokenStatements.revoke(token.hash))
    }

    /// Deletes what has expired, in batches that hold their locks briefly.
    /// - Returns: how many.
    package func deleteExpired() async throws(PersistenceError) -> Int {
        var total = 0
        while true {
            let deleted = try await database.execute(RefreshTokenStatements.deleteExpired(limit: Self.batch))
            total += deleted
            if deleted < Int(Self.batch) { return total }
        }
    }
}
