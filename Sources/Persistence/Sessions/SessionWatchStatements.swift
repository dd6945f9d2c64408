// SPDX-License-Identifier: Apache-2.0
import Chat
import Postgres

/// What is read for pages that stay open: few columns of many sessions, each with its owner.
enum SessionWatchStatements {
    /// Title, leaf, version and the first job of the line, for each session that its owner still has.
    /// Index: sessions_pkey, serial_heads_pkey, messages_job, running_pkey, deferred_job.
    static func snapshots(of sessions: [SessionID], owners: [UserID]) -> SQL {
        """
        SELECT g.place, s.title, s.title_source, s.leaf_id, s.version, h.job, m.id,
               (\(fragment: JobRecordStatements.liveState))::smallint
        FROM unnest(\(sessions)::uuid[], \(owners)::uuid[]) WITH ORDINALITY AS g (session, owner, place)
        JOIN sessions s ON s.id = g.session AND s.user_id = g.owner
        LEFT JOIN serial_heads h ON h.serial_key = s.id
        LEFT JOIN LATERAL (SELECT id FROM messages WHERE job_id = h.job AND user_id = g.owner LIMIT 1) m ON true
        LEFT JOIN running r ON r.job = h.job
        LEFT JOIN deferred d ON d.job = h.job
        """
    }

    /// The versions of all watched sessions at once; those that are gone are missing. Index: sessions_pkey.
    static func versions(of sessions: [SessionID], owners: [UserID]) -> SQL {
        """
        SELECT g.place, s.version
        FROM unnest(\(sessions)::uuid[], \(owners)::uuid[]) WITH ORDINALITY AS g (session, owner, place)
        JOIN sessions s ON s.id = g.session AND s.user_id = g.owner
        """
    }

    /// Messages as a page shows them, but for those that are too large to be told to all who watch.
    /// Index: messages_pkey, messages_session_parent for the siblings.
    static func messages(_ ids: [MessageID], owners: [UserID], maximumBytes: Int) -> SQL {
        """
        SELECT \(fragment: MessageStatements.columns), s.place, s.total
        FROM unnest(\(ids)::uuid[], \(owners)::uuid[]) AS g (id, owner)
        JOIN messages m ON m.id = g.id AND m.user_id = g.owner CROSS JOIN LATERAL (
            SELECT count(*) FILTER (WHERE a.id < m.id) AS place, count(*) AS total FROM (
                SELECT id FROM messages WHERE session_id = m.session_id AND parent_id = m.parent_id
                UNION ALL
                SELECT id FROM messages
                WHERE m.parent_id IS NULL AND session_id = m.session_id AND parent_id IS NULL
            ) a
        ) s
        WHERE octet_length(m.content) + coalesce(octet_length(m.parts), 0) <= \(maximumBytes)
        """
    }
}
