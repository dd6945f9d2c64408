// SPDX-License-Identifier: Apache-2.0
package import Chat
import Postgres

/// Accounts. Every call is one or two round trips and throws ``PersistenceError``.
package struct UserStore: Sendable {
    /// The name of the one user of a system without log-ins.
    package static let singleUsername = "admin"

    private let database: Database

    /// Without state of its own.
    package init(database: Database) { self.database = database }

    /// Makes an account; the first one of all becomes ADMIN, however many register at once.
    /// - Throws: `conflict` with `users_username` or `users_email`.
    package func create(_ new: NewUser) async throws(PersistenceError) -> User {
        try await insert(new, role: nil)
    }

    /// - Returns: `nil` when there is no such user.
    package func find(_ id: UserID) async throws(PersistenceError) -> User? {
        try await first(UserStatements.find(id))
    }

    /// By user name or mail address, without regard to case.
    package func find(login: String) async throws(PersistenceError) -> User? {
        try await first(UserStatements.find(login: login))
    }

    /// Changes the password and revokes every refresh token, both or neither. `verifiedHash` is what the current
    /// password was verified against.
    /// - Throws: `stale` when the password was changed since, or the user is gone.
    package func changePassword(
        of id: UserID, from verifiedHash: String, to newHash: String
    ) async throws(PersistenceError) {
        try await database.withTransaction { transaction in
            // The row's lock first: see RefreshTokenStatements.
            let changed = try await transaction.execute(
                UserStatements.changePassword(id, from: verifiedHash, to: newHash))
            guard changed == 1 else { throw PersistenceError(.stale) }
            try await transaction.execute(RefreshTokenStatements.revokeAll(of: id))
        }
    }

    /// Stores another hash of the same password; log-ins stay. `verifiedHash` is what the password was verified against.
    /// - Throws: `stale` when the hash was changed since, or the user is gone.
    package func replaceHash(
        of id: UserID, from verifiedHash: String, to newHash: String
    ) async throws(PersistenceError) {
        let changed = try await database.execute(UserStatements.changePassword(id, from: verifiedHash, to: newHash))
        guard changed == 1 else { throw PersistenceError(.stale) }
    }

    /// The user that a system without log-ins acts as: an ADMIN named `admin`, made when there is none, without a
    /// usable password. An account of that name that exists is taken as it is.
    ///
    /// - Parameter newID: its id, if it is made now.
    /// - Returns: its id.
    /// - Throws: `unavailable` and the like; never `conflict`.
    package func ensureSingleUser(newID: UserID) async throws(PersistenceError) -> UserID {
        if let user = try await find(username: Self.singleUsername) { return user.id }
        do throws(PersistenceError) {
            let new = NewUser(
                id: newID, username: Self.singleUsername, passwordHash: User.unusablePasswordHash)
            return try await insert(new, role: .admin).id
        } catch {
            // Another process was faster.
            guard case .conflict = error.code, let user = try await find(username: Self.singleUsername) else {
                throw error
            }
            return user.id
        }
    }

    private func find(username: String) async throws(PersistenceError) -> User? {
        guard let user = try await find(login: username), user.username.lowercased() == username else { return nil }
        return user
    }

    private func insert(_ new: NewUser, role: UserRole?) async throws(PersistenceError) -> User {
        try await database.withTransaction { transaction in
            try await transaction.execute(UserStatements.lockFirst)
            let rows = try await transaction.query(
                UserStatements.insert(
                    new.id, username: new.username, email: new.email, passwordHash: new.passwordHash,
                    role: role?.rawValue))
            return try Self.user(rows, orThrow: .internal)
        }
    }

    private func first(_ sql: SQL) async throws(PersistenceError) -> User? {
        let rows = try await database.query(sql)
        return rows.isEmpty ? nil : try Self.user(rows, orThrow: .notFound)
    }

    private static func user(
        _ rows: PostgresRows, orThrow code: PersistenceError.Code
    ) throws(PersistenceError) -> User {
        guard let row = rows.first else { throw PersistenceError(code) }
        var columns = ColumnReader(row)
        return try User(&columns)
    }
}
