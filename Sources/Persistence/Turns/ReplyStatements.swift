// SPDX-License-Identifier: Apache-2.0
import Chat
import Jobs
import Postgres

/// The reply's row during and at the end of its run.
enum ReplyStatements {
    /// The run has begun. Index: messages_pkey.
    static func begin(_ message: MessageID, owner: UserID, model: String, provider: String) -> SQL {
        """
        UPDATE messages SET status = 'streaming', model = \(model), provider = \(provider)
        WHERE id = \(message) AND user_id = \(owner) AND status IN ('queued', 'streaming')
        """
    }

    /// Tells open pages that the run has begun; before ``begin(_:owner:model:provider:)``, because everybody locks a
    /// session's row before those of its messages. Index: sessions_pkey, messages_pkey.
    static func raiseAtBegin(_ session: SessionID, message: MessageID, owner: UserID) -> SQL {
        """
        UPDATE sessions SET version = version + 1
        WHERE id = \(session) AND user_id = \(owner)
          AND EXISTS (SELECT FROM messages
                      WHERE id = \(message) AND user_id = \(owner) AND status IN ('queued', 'streaming'))
        RETURNING version
        """
    }

    /// The end of a run. A message that is gone matches nothing, and the usage is stored all the same.
    static func end(_ reply: ReplyEnd) -> SQL {
        """
        UPDATE messages SET content = \(reply.content), status = \(reply.status.rawValue),
               finish_reason = \(reply.finishReason?.rawValue), error_code = \(reply.failure?.code.rawValue),
               error_message = \(reply.failure?.message), usage = \(StoredJSON.text(reply.usage)),
               model = \(reply.model), provider = \(reply.provider)
        WHERE id = \(reply.messageID) AND user_id = \(reply.owner)
        """
    }

    /// Moves the session to the front of its owner's list and raises the version, by which open pages see that it
    /// changed; before the message's row is written. Index: sessions_pkey.
    static func touchSession(_ session: SessionID, owner: UserID) -> SQL {
        """
        UPDATE sessions SET updated_at = now(), version = version + 1
        WHERE id = \(session) AND user_id = \(owner)
        RETURNING version
        """
    }

    /// A generated title; never over one that the person wrote.
    static func setTitle(_ session: SessionID, owner: UserID, title: String) -> SQL {
        """
        UPDATE sessions SET title = \(title), title_source = 'generated', version = version + 1
        WHERE id = \(session) AND user_id = \(owner) AND title_source <> 'user'
        RETURNING version
        """
    }

    /// The reply that a job makes, if it makes one. Index: messages_job.
    static func ofJob(_ job: JobID) -> SQL {
        "SELECT id, session_id, user_id, model, provider FROM messages WHERE job_id = \(job)"
    }

    /// What was counted for a job's calls. Index: usage_pkey.
    static func usageOfJob(_ job: JobID) -> SQL {
        """
        SELECT prompt_tokens, completion_tokens, context_limit FROM usage WHERE job = \(job)
        ORDER BY lease DESC, call DESC LIMIT 1
        """
    }
}
