// SPDX-License-Identifier: Apache-2.0
import Chat
import Postgres

/// The rows of a submitted turn.
enum TurnStatements {
    /// Locks the session against other submissions; after the serial key's lock, never before it.
    /// Index: sessions_pkey.
    static func lockSession(_ session: SessionID, owner: UserID) -> SQL {
        """
        SELECT leaf_id, message_count, title_source FROM sessions
        WHERE id = \(session) AND user_id = \(owner) FOR UPDATE
        """
    }

    /// Index: messages_pkey.
    static func messageExists(_ message: MessageID, session: SessionID, owner: UserID) -> SQL {
        """
        SELECT EXISTS (SELECT FROM messages
                       WHERE id = \(message) AND session_id = \(session) AND user_id = \(owner))
        """
    }

    /// The turn and the placeholder of its reply.
    static func insert(_ turn: NewTurn, parent: MessageID?, parts: String?) -> SQL {
        """
        INSERT INTO messages (id, user_id, session_id, parent_id, role, content, parts, status, job_id)
        VALUES (\(turn.userMessageID), \(turn.userID), \(turn.sessionID), \(parent), 'user', \(turn.content),
                \(parts), 'complete', NULL),
               (\(turn.messageID), \(turn.userID), \(turn.sessionID), \(turn.userMessageID), 'assistant', '', NULL,
                'queued', \(turn.jobID))
        """
    }

    /// The new leaf, which also moves the session to the front of its owner's list.
    static func advance(_ session: SessionID, owner: UserID, leaf: MessageID) -> SQL {
        """
        UPDATE sessions SET leaf_id = \(leaf), message_count = message_count + 2, updated_at = now(),
               version = version + 1
        WHERE id = \(session) AND user_id = \(owner)
        RETURNING version
        """
    }

}
