// SPDX-License-Identifier: Apache-2.0
import Chat
import Postgres

/// Conversations. Lock order: the session's serial key, then its row: whoever ends a job holds the key first.
enum SessionStatements {
    /// Index: sessions_pkey.
    static func insert(_ new: NewSession) -> SQL {
        """
        INSERT INTO sessions (id, user_id, title, title_source, model_id, instructions, tags)
        VALUES (\(new.id), \(new.userID), \(new.title), \(new.titleSource.rawValue), \(new.modelID),
                \(new.instructions), \(new.tags))
        RETURNING id, title, title_source, model_id, instructions, leaf_id, message_count, archived, tags, version,
                  created_at, updated_at
        """
    }

    /// Newest activity first, after a cursor; the first page begins at infinity. Index: sessions_user_updated.
    static func list(
        of user: UserID, beforeTime: PostgresTimestamp, beforeID: PostgresUUID, archived: Bool?, limit: Int
    ) -> SQL {
        """
        SELECT id, title, title_source, model_id, instructions, leaf_id, message_count, archived, tags, version,
               created_at, updated_at
        FROM sessions
        WHERE user_id = \(user) AND (updated_at, id) < (\(beforeTime), \(beforeID))
          AND (\(archived)::boolean IS NULL OR archived = \(archived))
        ORDER BY updated_at DESC, id DESC LIMIT \(limit)
        """
    }

    /// Index: sessions_pkey.
    static func find(_ id: SessionID, user: UserID) -> SQL {
        """
        SELECT id, title, title_source, model_id, instructions, leaf_id, message_count, archived, tags, version,
               created_at, updated_at
        FROM sessions WHERE id = \(id) AND user_id = \(user)
        """
    }

    /// Writes what a person changed and raises the version, by which open pages see it. Index: sessions_pkey.
    static func update(_ id: SessionID, user: UserID, _ changes: SessionChanges) -> SQL {
        """
        UPDATE sessions
        SET title = coalesce(\(changes.title), title),
            title_source = CASE WHEN \(changes.title)::text IS NULL THEN title_source ELSE 'user' END,
            model_id = CASE WHEN \(changes.modelID.isSet) THEN \(changes.modelID.value) ELSE model_id END,
            instructions = CASE WHEN \(changes.instructions.isSet) THEN \(changes.instructions.value)
                                ELSE instructions END,
            archived = coalesce(\(changes.archived), archived), tags = coalesce(\(changes.tags), tags),
            version = version + 1, updated_at = now()
        WHERE id = \(id) AND user_id = \(user)
        RETURNING id, title, title_source, model_id, instructions, leaf_id, message_count, archived, tags, version,
                  created_at, updated_at
        """
    }

    /// Raises the version for a change of the session's job that touches nothing else of it. Index: sessions_pkey.
    static func raise(_ id: SessionID, owner: UserID) -> SQL {
        """
        UPDATE sessions SET version = version + 1 WHERE id = \(id) AND user_id = \(owner) RETURNING version
        """
    }

    /// As ``raise(_:owner:)`` for the sessions of many jobs; not within the transaction that moved the jobs, because
    /// that one holds no lock of their keys. Index: jobs_pkey, sessions_pkey.
    static func raise(ofJobs jobs: [JobID]) -> SQL {
        """
        UPDATE sessions s SET version = s.version + 1 FROM jobs j
        WHERE j.id = ANY (\(jobs)) AND s.id = j.serial_key AND s.user_id = j.user_id
        RETURNING s.id, s.version
        """
    }

    /// Taken after the jobs' locks, before the last look for new ones. Index: sessions_pkey.
    static func lock(_ id: SessionID, user: UserID) -> SQL {
        """
        SELECT id FROM sessions WHERE id = \(id) AND user_id = \(user) FOR UPDATE
        """
    }

    /// Its messages go with it; its usage stays. Index: sessions_pkey, messages_session_parent.
    static func delete(_ id: SessionID, user: UserID) -> SQL {
        """
        DELETE FROM sessions WHERE id = \(id) AND user_id = \(user)
        """
    }
}
