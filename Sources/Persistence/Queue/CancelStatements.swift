// SPDX-License-Identifier: Apache-2.0
import Chat
import Jobs
import Postgres

/// Finding a job to cancel. Each probe is a statement of its own: a single one could miss a job that a claim
/// moves from one table to the next while it runs. The caller holds the key's lock and repeats until one hits.
enum CancelStatements {
    /// What a cancel needs to know first. Index: jobs_pkey.
    static func find(_ job: JobID, owner: UserID) -> SQL {
        "SELECT state, serial_key, lane FROM jobs WHERE id = \(job) AND user_id = \(owner)"
    }

    /// By the tag that the record remembers, and by all columns of both indexes: each of them finds the row at once,
    /// whichever a plan takes that was made when the line was empty. Index: ready_pkey or ready_tenant, jobs_pkey.
    static func fromReady(_ job: JobID) -> SQL {
        """
        DELETE FROM ready
        WHERE (lane, gate, tag, job, user_id, priority)
            = (SELECT lane, gate, tag, id, user_id, priority FROM jobs WHERE id = \(job))
        RETURNING lease, attempt
        """
    }

    /// Index: deferred_job.
    static func fromDeferred(_ job: JobID) -> SQL {
        "DELETE FROM deferred WHERE job = \(job) RETURNING lease, attempt"
    }

    /// Index: waiting_pkey.
    static func fromWaiting(_ job: JobID, key: SerialKey) -> SQL {
        "DELETE FROM waiting WHERE serial_key = \(key) AND job = \(job) RETURNING lease, attempt"
    }

    /// Only marks: the run ends itself, told by a notification or by its next beat. Index: running_pkey.
    static func markRunning(_ job: JobID) -> SQL {
        "UPDATE running SET cancel_requested = true WHERE job = \(job) RETURNING lease"
    }

    /// The next lease number for a writer that holds no run: whoever ends a job from outside.
    static func nextLease(after lease: Int64) -> SQL {
        "SELECT greatest(\(lease) + 1, lease_floor())"
    }

    /// Every unfinished job of a session, the running one last, so that no follower starts in between.
    /// Index: messages_session_parent, jobs_pkey.
    static func unfinished(in session: SessionID, owner: UserID) -> SQL {
        """
        SELECT j.id FROM messages m JOIN jobs j ON j.id = m.job_id
        WHERE m.session_id = \(session) AND m.user_id = \(owner) AND m.status IN ('queued', 'streaming')
          AND j.state IS NULL
        ORDER BY m.id DESC
        """
    }
}
