// SPDX-License-Identifier: Apache-2.0
import Chat
import Jobs
import Postgres

/// Lining up again what has failed or was cancelled. One transaction; lock order: serial key, job, unique key (the job is
/// an ended one that nobody else waits for while holding another lock), session, message.
enum RetryStatements {
    /// Index: jobs_pkey.
    static func find(_ job: JobID, owner: UserID?) -> SQL {
        """
        SELECT state, serial_key, user_id FROM jobs
        WHERE id = \(job) AND (\(owner)::uuid IS NULL OR user_id = \(owner))
        """
    }

    /// Locks the key and makes the job its head, unless it has one, which is returned. Index: serial_heads_pkey.
    static func lockOrHead(_ key: SerialKey, _ job: JobID) -> SQL {
        """
        INSERT INTO serial_heads (serial_key, job) VALUES (\(key), \(job))
        ON CONFLICT (serial_key) DO UPDATE SET serial_key = excluded.serial_key
        RETURNING job
        """
    }

    /// Takes the end back. Matches nothing when another was first. The number of the last lease stays: who asks whether
    /// it ended the job is told the truth, and the next claim is above it. A gate that has gone since, with its model
    /// or its limits, is none: no claim looks behind it. Index: jobs_pkey, providers_gate_key, those of next_tag.
    static func reopen(_ job: JobID) -> SQL {
        """
        UPDATE jobs j SET state = NULL, attempt = NULL, finished_at = NULL, result = NULL, error_code = NULL,
               error_message = NULL, gate = g.gate,
               tag = (SELECT first FROM next_tag(j.lane, g.gate, j.user_id, j.priority))
        FROM (SELECT coalesce((SELECT p.gate FROM providers p JOIN jobs o ON o.gate = p.gate WHERE o.id = \(job)), 0)
                     ::smallint AS gate) g
        WHERE j.id = \(job) AND j.state IN (\(JobState.failed.rawValue), \(JobState.cancelled.rawValue))
        RETURNING unique_key
        """
    }

    /// Takes the job's unique key again, or tells which other job has it. Index: unique_keys_pkey, jobs_pkey.
    static func takeUniqueKey(_ job: JobID) -> SQL {
        """
        INSERT INTO unique_keys AS u (user_id, kind, key, job)
        SELECT user_id, kind, unique_key, id FROM jobs WHERE id = \(job)
        ON CONFLICT (user_id, kind, key) DO UPDATE SET job = u.job
        RETURNING job
        """
    }

    /// Into the line, or behind the last of its key. `had_output`: the next lease begins with `restart`.
    /// Index: jobs_pkey, waiting_pkey.
    static func lineUp(_ job: JobID, isHead: Bool) -> SQL {
        """
        WITH again AS MATERIALIZED (
            SELECT id, lane, gate, tag, user_id, priority, serial_key, coalesce(lease, 0) AS lease
            FROM jobs WHERE id = \(job)
        ), behind AS (
            INSERT INTO waiting (serial_key, position, job, lease, attempt, crashes, had_output)
            SELECT serial_key,
                   coalesce((SELECT w.position FROM waiting w WHERE w.serial_key = a.serial_key
                             ORDER BY w.serial_key DESC, w.position DESC LIMIT 1), 0) + 1,
                   id, lease, 0, 0, true
            FROM again a WHERE NOT \(isHead)
        )
        INSERT INTO ready (lane, gate, tag, job, lease, attempt, crashes, had_output, user_id, priority)
        SELECT lane, gate, tag, id, lease, 0, 0, true, user_id, priority FROM again WHERE \(isHead)
        RETURNING lane
        """
    }

    /// The session of the job's reply, before that: moved to the front of its owner's list, and its version raised.
    /// Index: messages_job, sessions_pkey.
    static func touchSession(ofReplyOf job: JobID) -> SQL {
        """
        UPDATE sessions s SET updated_at = now(), version = s.version + 1
        FROM messages m WHERE m.job_id = \(job) AND s.id = m.session_id AND s.user_id = m.user_id
        RETURNING s.version
        """
    }

    /// The reply is to come again. Index: messages_job.
    static func reopenReply(_ job: JobID) -> SQL {
        """
        UPDATE messages SET status = 'queued', content = '', finish_reason = NULL, error_code = NULL,
               error_message = NULL, usage = NULL
        WHERE job_id = \(job) RETURNING id, session_id
        """
    }

    /// Puts another event in the place of the one that told readers that nothing follows; the log stays without gaps.
    /// Returns the places. Index: events' primary key.
    static func reopenLog(_ job: JobID, with event: StreamEvent, since: Timestamp) -> SQL {
        """
        UPDATE events SET kind = \(event.kind.rawValue), data = \(String(decoding: event.json, as: UTF8.self))
        WHERE job = \(job) AND written >= \(since)
          AND kind IN (\(StreamEventKind.complete.rawValue), \(StreamEventKind.error.rawValue))
        RETURNING lease, seq, written
        """
    }
}
