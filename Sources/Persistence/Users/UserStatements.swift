// SPDX-License-Identifier: Apache-2.0
import Chat
import Postgres

/// People. Names and addresses are compared by `lower()`, as their unique indexes are.
enum UserStatements {
    /// Held to the end of the transaction by whoever may make the first user: two of them would both see none.
    /// First of the transaction's locks.
    static let lockFirst: SQL = """
        SELECT pg_advisory_xact_lock(723711797, 2)
        """

    /// Makes a user; without a role, the first one an ADMIN. A statement of its own after the lock, so that it sees
    /// what the lock's last holder committed. Index: users_username, users_email.
    static func insert(
        _ id: UserID, username: String, email: String?, passwordHash: String, role: String?
    ) -> SQL {
        """
        INSERT INTO users (id, username, email, password_hash, role)
        VALUES (\(id), \(username), \(email), \(passwordHash),
                coalesce(\(role), CASE WHEN EXISTS (SELECT FROM users) THEN 'USER' ELSE 'ADMIN' END))
        RETURNING id, username, email, password_hash, role, created_at, updated_at
        """
    }

    /// Index: users_pkey.
    static func find(_ id: UserID) -> SQL {
        """
        SELECT id, username, email, password_hash, role, created_at, updated_at FROM users WHERE id = \(id)
        """
    }

    /// A name goes before another user's address that is spelt the same. Index: users_username, users_email.
    static func find(login: String) -> SQL {
        """
        SELECT id, username, email, password_hash, role, created_at, updated_at FROM users
        WHERE lower(username) = lower(\(login)) OR lower(email) = lower(\(login))
        ORDER BY (lower(username) = lower(\(login))) DESC LIMIT 1
        """
    }

    /// Only over the hash that was verified: of two changes at once, one wins. Index: users_pkey.
    static func changePassword(_ id: UserID, from old: String, to new: String) -> SQL {
        """
        UPDATE users SET password_hash = \(new), updated_at = now() WHERE id = \(id) AND password_hash = \(old)
        """
    }
}
