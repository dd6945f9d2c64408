// SPDX-License-Identifier: Apache-2.0
import Chat
import Postgres

/// What a request with a key has made.
enum IdempotencyStatements {
    /// Takes the key, or inserts nothing when it is taken. While another transaction has inserted it and not ended,
    /// this one waits for it. First of the transaction's statements that write. Index: idempotency_keys_pkey.
    static func insert(_ key: IdempotencyKey, job: JobID?, outcome: String) -> SQL {
        """
        INSERT INTO idempotency_keys (user_id, route, key, body_hash, job, outcome)
        VALUES (\(key.userID), \(key.route), \(key.key), \(key.bodyHash), \(job), \(outcome))
        ON CONFLICT (user_id, route, key) DO NOTHING
        """
    }

    /// What holds the key. Index: idempotency_keys_pkey.
    static func find(_ key: IdempotencyKey) -> SQL {
        """
        SELECT body_hash, job, outcome FROM idempotency_keys
        WHERE user_id = \(key.userID) AND route = \(key.route) AND key = \(key.key)
        """
    }

    /// A batch of keys that are old enough to be forgotten. Index: idempotency_keys_created.
    static func deleteOld(hours: Int32, limit: Int32) -> SQL {
        """
        DELETE FROM idempotency_keys WHERE ctid = ANY (ARRAY (
            SELECT ctid FROM idempotency_keys WHERE created_at < now() - \(hours) * interval '1 hour'
            ORDER BY created_at LIMIT \(limit) FOR UPDATE SKIP LOCKED))
        """
    }
}
