// SPDX-License-Identifier: Apache-2.0
import Chat
import Jobs
import Postgres

/// The ledger: one row a provider call. Not fenced: what was spent was spent, whoever holds the lease now.
enum UsageStatements {
    /// Before the call, with our count of the prompt. Repeated after an ambiguous commit it changes nothing.
    /// Index: usage_pkey.
    static func open(_ call: ProviderCall, promptTokens: Int, contextLimitTokens: Int) -> SQL {
        """
        INSERT INTO usage (job, lease, call, user_id, session_id, message_id, model, provider, prompt_tokens,
                           context_limit)
        VALUES (\(call.lease.job), \(call.lease.number), \(call.number), \(call.userID), \(call.sessionID),
                \(call.messageID), \(call.model), \(call.provider), \(Int32(clamping: promptTokens)),
                \(Int32(clamping: contextLimitTokens)))
        ON CONFLICT (job, lease, call) DO NOTHING
        """
    }

    /// After the call, also when the row was never opened. A truth replaces an estimate, nothing replaces a truth.
    /// Index: usage_pkey.
    static func close(_ call: ProviderCall, _ usage: Usage) -> SQL {
        """
        INSERT INTO usage (job, lease, call, user_id, session_id, message_id, model, provider, prompt_tokens,
                           completion_tokens, context_limit, estimated, closed)
        VALUES (\(call.lease.job), \(call.lease.number), \(call.number), \(call.userID), \(call.sessionID),
                \(call.messageID), \(call.model), \(call.provider), \(Int32(clamping: usage.promptTokens)),
                \(Int32(clamping: usage.completionTokens ?? 0)), \(Int32(clamping: usage.contextLimit)),
                \(usage.isEstimated), true)
        ON CONFLICT (job, lease, call) DO UPDATE
        SET prompt_tokens = excluded.prompt_tokens, completion_tokens = excluded.completion_tokens,
            context_limit = excluded.context_limit, estimated = excluded.estimated, closed = true
        WHERE usage.estimated AND usage.user_id = excluded.user_id
        """
    }

    /// Everything a session has cost: its turns, their repetitions, its titles and summaries. Index: usage_session.
    static func totals(of session: SessionID, user: UserID) -> SQL {
        """
        SELECT count(*), coalesce(sum(prompt_tokens), 0)::bigint, coalesce(sum(completion_tokens), 0)::bigint,
               coalesce(bool_or(estimated), false)
        FROM usage WHERE session_id = \(session) AND user_id = \(user)
        """
    }

    /// The calls of the run that closed last among those that wrote a reply, as one round. Index: usage_session for
    /// the run, usage_pkey for its calls.
    static func lastRound(of session: SessionID, user: UserID) -> SQL {
        """
        WITH last AS (
            SELECT job, lease FROM usage
            WHERE session_id = \(session) AND user_id = \(user) AND closed AND message_id IS NOT NULL
            ORDER BY created_at DESC, job DESC, lease DESC LIMIT 1
        )
        SELECT sum(u.prompt_tokens)::bigint, sum(u.completion_tokens)::bigint, bool_or(u.estimated),
               (array_agg(u.context_limit ORDER BY u.call DESC))[1], (array_agg(u.model ORDER BY u.call DESC))[1],
               (array_agg(u.provider ORDER BY u.call DESC))[1], min(u.created_at)
        FROM last JOIN usage u ON u.job = last.job AND u.lease = last.lease
        WHERE u.closed AND u.user_id = \(user)
        HAVING count(*) > 0
        """
    }

    /// The newest call that writes or wrote a reply: how full the window is now. Index: usage_session.
    static func current(of session: SessionID, user: UserID) -> SQL {
        """
        SELECT prompt_tokens, completion_tokens, context_limit FROM usage
        WHERE session_id = \(session) AND user_id = \(user) AND message_id IS NOT NULL
        ORDER BY created_at DESC, job DESC, lease DESC, call DESC LIMIT 1
        """
    }
}
