// SPDX-License-Identifier: Apache-2.0
package import Chat

/// What a person may do. The raw value is stored and is what clients see.
package enum UserRole: String, Sendable, Hashable, CaseIterable {
    /// Runs the system.
    case admin = "ADMIN"
    /// Uses it.
    case user = "USER"
}

/// A person with an account.
package struct User: Sendable, Hashable {
    /// Stored in place of a hash for the one user of a system without log-ins: no password verifies against it.
    package static let unusablePasswordHash = "!"

    /// The owner of everything that carries a `user_id`.
    package let id: UserID
    /// Unique without regard to case, spelt as registered.
    package let username: String
    /// Unique without regard to case.
    package let email: String?
    /// For the password hasher; never shown.
    package let passwordHash: String
    /// What they may do.
    package let role: UserRole
    /// By the database's clock.
    package let createdAt: Timestamp
    /// By the database's clock.
    package let updatedAt: Timestamp

    /// Whether a password can verify at all; without one, the hasher would refuse the stored text as malformed.
    package var hasPassword: Bool { passwordHash != Self.unusablePasswordHash }

    init(_ columns: inout ColumnReader) throws(PersistenceError) {
        id = try columns.next()
        username = try columns.next()
        email = try columns.next()
        passwordHash = try columns.next()
        role = try columns.nextWord()
        createdAt = try columns.next()
        updatedAt = try columns.next()
    }
}

/// A person who registers.
package struct NewUser: Sendable {
    /// UUIDv7, chosen by the caller.
    package var id: UserID
    /// Checked by the caller.
    package var username: String
    /// Checked by the caller.
    package var email: String?
    /// From the password hasher.
    package var passwordHash: String

    /// See the properties.
    package init(id: UserID, username: String, email: String? = nil, passwordHash: String) {
        self.id = id
        self.username = username
        self.email = email
        self.passwordHash = passwordHash
    }
}
