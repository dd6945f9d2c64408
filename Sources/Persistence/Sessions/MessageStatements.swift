// SPDX-License-Identifier: Apache-2.0
import Chat
import Postgres

/// Messages as a tree. Walks go from a leaf to the root by primary key, one row a step, and end at a missing parent, at
/// the session's border, or at their bounds, which also end a walk that goes in a circle.
enum MessageStatements {
    /// What ``StoredMessage`` reads, in its order, of a row `m`.
    static let columns: SQL = """
        m.id, m.session_id, m.parent_id, m.role, m.content, m.parts, m.status, m.finish_reason, m.error_code,
        m.error_message, m.usage, m.model, m.provider, m.job_id, m.created_at
        """

    /// The path to a leaf, without the leaf itself when `isExclusive`: then it is the cursor of the page before.
    /// Places among siblings count both branches of answers and of roots.
    /// Index: messages_pkey for the walk, messages_session_parent for the siblings.
    static func path(
        to leaf: MessageID, isExclusive: Bool, session: SessionID, user: UserID, limit: Int
    ) -> SQL {
        """
        WITH RECURSIVE path AS (
            SELECT id, parent_id, 1 AS depth FROM messages
            WHERE id = \(leaf) AND session_id = \(session) AND user_id = \(user)
            UNION ALL
            SELECT m.id, m.parent_id, p.depth + 1
            FROM path p JOIN messages m ON m.id = p.parent_id
            WHERE m.session_id = \(session) AND m.user_id = \(user) AND p.depth < \(limit)
        )
        SELECT \(fragment: columns), s.place, s.total
        FROM path p JOIN messages m ON m.id = p.id CROSS JOIN LATERAL (
            SELECT count(*) FILTER (WHERE a.id < m.id) AS place, count(*) AS total FROM (
                SELECT id FROM messages WHERE session_id = m.session_id AND parent_id = m.parent_id
                UNION ALL
                SELECT id FROM messages
                WHERE m.parent_id IS NULL AND session_id = m.session_id AND parent_id IS NULL
            ) a
        ) s
        WHERE p.depth > \(isExclusive ? 1 : 0) AND m.user_id = \(user)
        ORDER BY p.depth
        """
    }

    /// Index: messages_pkey, messages_session_parent for the siblings.
    static func find(_ id: MessageID, user: UserID) -> SQL {
        """
        SELECT \(fragment: columns), s.place, s.total
        FROM messages m CROSS JOIN LATERAL (
            SELECT count(*) FILTER (WHERE a.id < m.id) AS place, count(*) AS total FROM (
                SELECT id FROM messages WHERE session_id = m.session_id AND parent_id = m.parent_id
                UNION ALL
                SELECT id FROM messages
                WHERE m.parent_id IS NULL AND session_id = m.session_id AND parent_id IS NULL
            ) a
        ) s
        WHERE m.id = \(id) AND m.user_id = \(user)
        """
    }

    /// The reply that a job writes. Index: messages_job.
    static func find(job: JobID, user: UserID) -> SQL {
        """
        SELECT \(fragment: columns) FROM messages m WHERE m.job_id = \(job) AND m.user_id = \(user)
        """
    }

    /// What a prompt may be made of: a leaf and what lies above it, the leaf first. The walk ends with the message
    /// that reaches one of the bounds. Index: messages_pkey.
    static func thread(endingAt leaf: MessageID, user: UserID, maximumCount: Int, maximumBytes: Int) -> SQL {
        """
        WITH RECURSIVE path AS (
            SELECT id, parent_id, session_id, 1 AS depth,
                   octet_length(content) + coalesce(octet_length(parts), 0)::bigint AS bytes
            FROM messages WHERE id = \(leaf) AND user_id = \(user)
            UNION ALL
            SELECT m.id, m.parent_id, m.session_id, p.depth + 1,
                   p.bytes + octet_length(m.content) + coalesce(octet_length(m.parts), 0)
            FROM path p JOIN messages m ON m.id = p.parent_id
            WHERE m.session_id = p.session_id AND m.user_id = \(user)
              AND p.depth < \(maximumCount) AND p.bytes < \(maximumBytes)
        )
        SELECT \(fragment: columns)
        FROM path p JOIN messages m ON m.id = p.id
        WHERE m.user_id = \(user)
        ORDER BY p.depth
        """
    }
}
