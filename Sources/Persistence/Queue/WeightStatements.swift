// SPDX-License-Identifier: Apache-2.0
import Chat
import Postgres

/// The weights of tenants in a lane: read by every enqueue (`next_tag`), set by who runs the system.
enum WeightStatements {
    /// Index: tenant_weights_pkey.
    static func all(limit: Int32) -> SQL {
        "SELECT user_id, weight FROM tenant_weights ORDER BY user_id LIMIT \(limit)"
    }

    /// Only for a user that there is. Index: users_pkey, tenant_weights_pkey.
    static func set(_ weight: Double, for user: UserID) -> SQL {
        """
        INSERT INTO tenant_weights (user_id, weight) SELECT id, \(weight) FROM users WHERE id = \(user)
        ON CONFLICT (user_id) DO UPDATE SET weight = excluded.weight
        """
    }

    /// Index: tenant_weights_pkey.
    static func reset(_ user: UserID) -> SQL { "DELETE FROM tenant_weights WHERE user_id = \(user)" }
}
