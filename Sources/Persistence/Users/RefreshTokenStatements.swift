// SPDX-License-Identifier: Apache-2.0
import Chat
import Postgres

/// Refresh tokens, by the hash of their text. Lock order: the user's row, then the token's.
///
/// The user's row is locked in share mode by whoever makes a token: a password change, which updates that row and then
/// deletes the tokens, thereby sees every token made before it, and none is made from a password that no longer holds.
enum RefreshTokenStatements {
    /// Makes the first token of a family, if the password hash that was verified is still the user's.
    /// Index: users_pkey.
    static func issue(_ hash: [UInt8], family: PostgresUUID, to user: UserID, passwordHash: String?, days: Int32) -> SQL
    {
        """
        WITH owner AS MATERIALIZED (
            SELECT id FROM users
            WHERE id = \(user) AND (\(passwordHash)::text IS NULL OR password_hash = \(passwordHash)) FOR SHARE
        )
        INSERT INTO refresh_tokens (hash, family, user_id, expires_at)
        SELECT \(hash), \(family), id, now() + \(days) * interval '1 day' FROM owner
        """
    }

    /// Index: refresh_tokens_pkey, users_pkey.
    static func lockOwner(of hash: [UInt8]) -> SQL {
        """
        SELECT id FROM users WHERE id = (SELECT user_id FROM refresh_tokens WHERE hash = \(hash)) FOR SHARE
        """
    }

    /// Index: refresh_tokens_pkey.
    static func lock(_ hash: [UInt8]) -> SQL {
        """
        SELECT family, user_id, used_at IS NOT NULL, expires_at <= now() FROM refresh_tokens
        WHERE hash = \(hash) FOR UPDATE
        """
    }

    /// Marks a token as used and makes the next of its family. Index: refresh_tokens_pkey.
    static func replace(_ hash: [UInt8], by next: [UInt8], days: Int32) -> SQL {
        """
        WITH used AS (
            UPDATE refresh_tokens SET used_at = now() WHERE hash = \(hash) RETURNING family, user_id
        )
        INSERT INTO refresh_tokens (hash, family, user_id, expires_at)
        SELECT \(next), family, user_id, now() + \(days) * interval '1 day' FROM used
        """
    }

    /// Index: refresh_tokens_family.
    static func revokeFamily(_ family: PostgresUUID, of user: UserID) -> SQL {
        """
        DELETE FROM refresh_tokens WHERE family = \(family) AND user_id = \(user)
        """
    }

    /// The whole login of a token, used ones too. Index: refresh_tokens_pkey, refresh_tokens_family.
    static func revoke(_ hash: [UInt8]) -> SQL {
        """
        DELETE FROM refresh_tokens t USING refresh_tokens given
        WHERE given.hash = \(hash) AND t.family = given.family AND t.user_id = given.user_id
        """
    }

    /// Index: refresh_tokens_user.
    static func revokeAll(of user: UserID) -> SQL {
        """
        DELETE FROM refresh_tokens WHERE user_id = \(user)
        """
    }

    /// A batch of what has expired; a used one is kept until then, so that its reuse is noticed.
    /// Index: refresh_tokens_expiry.
    static func deleteExpired(limit: Int32) -> SQL {
        """
        DELETE FROM refresh_tokens WHERE ctid = ANY (ARRAY (
            SELECT ctid FROM refresh_tokens WHERE expires_at <= now()
            ORDER BY expires_at LIMIT \(limit) FOR UPDATE SKIP LOCKED))
        """
    }
}
