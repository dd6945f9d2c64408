// SPDX-License-Identifier: Apache-2.0
import Chat
import Jobs
import Postgres

/// Ends of runs. Each transaction: lock the serial key, take the lease away, then write everything else.
enum SettleStatements {
    /// Locks the key's row; first in every transaction that ends a job of it. Index: serial_heads_pkey.
    static func lockKey(_ key: SerialKey) -> SQL {
        "SELECT job FROM serial_heads WHERE serial_key = \(key) FOR UPDATE"
    }

    /// The fence: takes the lease out of `running`, or matches nothing when it is stale. Index: running_pkey.
    static func takeLease(_ lease: Lease) -> SQL {
        """
        DELETE FROM running WHERE job = \(lease.job) AND lease = \(lease.number)
        RETURNING attempt, crashes, started_at, cancel_requested
        """
    }

    /// Writes the end into the record. `finished_at` is the commit's own time. Index: jobs_pkey.
    static func endJob(
        _ job: JobID, lease: Int64, state: JobState, attempt: Int16, startedAt: Timestamp?, result: String?,
        errorCode: String?, errorMessage: String?
    ) -> SQL {
        """
        UPDATE jobs SET state = \(state.rawValue), lease = \(lease), attempt = \(attempt),
               started_at = coalesce(\(startedAt), started_at), finished_at = now(), result = \(result),
               error_code = \(errorCode), error_message = \(errorMessage)
        WHERE id = \(job)
        """
    }

    /// Ends many runs of jobs without serial key and without effects elsewhere: one statement, fenced row by row. The
    /// leases are looked up in the order given, so the caller sorts by id, and two batches do not lock each other out.
    /// A lease that a cancel is just marking is waited for and taken with its mark. Index: running_pkey, jobs_pkey.
    static func completeMany(jobs: [JobID], leases: [Int64], results: [String?]) -> SQL {
        """
        WITH ended AS (
            DELETE FROM running r USING unnest(\(jobs), \(leases), \(results)) AS g (job, lease, result)
            WHERE r.job = g.job AND r.lease = g.lease
            RETURNING r.job, r.lease, r.attempt, r.started_at, r.cancel_requested, g.result
        )
        UPDATE jobs j SET state = CASE WHEN e.cancel_requested THEN 6 ELSE 4 END, lease = e.lease,
               attempt = e.attempt, started_at = e.started_at, finished_at = now(),
               result = CASE WHEN NOT e.cancel_requested THEN e.result END
        FROM ended e WHERE j.id = e.job
        RETURNING j.id
        """
    }

    /// Of ends that found no lease, those that had been committed before: their answer was lost. Index: jobs_pkey.
    static func endedBefore(jobs: [JobID], leases: [Int64]) -> SQL {
        """
        SELECT j.id FROM unnest(\(jobs), \(leases)) AS g (job, lease)
        JOIN jobs j ON j.id = g.job AND j.lease = g.lease
        """
    }

    /// Makes the next job of a key its head, in line or until it is due, or forgets the key. The caller holds the key's
    /// lock. Its place in line is the one it got when it was enqueued, but never behind where a new job of its tenant
    /// would go. Returns the lane of a job that came into the line. Index: waiting_pkey, jobs_pkey, those of next_tag.
    static func promote(_ key: SerialKey) -> SQL {
        """
        WITH next AS (
            DELETE FROM waiting WHERE ctid = (
                SELECT ctid FROM waiting WHERE serial_key = \(key) ORDER BY serial_key, position, job LIMIT 1)
            RETURNING job, lease, attempt, crashes, had_output
        ), follows AS (
            UPDATE serial_heads SET job = next.job FROM next WHERE serial_key = \(key)
        ), over AS (
            DELETE FROM serial_heads WHERE serial_key = \(key) AND NOT EXISTS (SELECT FROM next)
        ), head AS MATERIALIZED (
            SELECT next.*, j.lane, j.gate, j.user_id, j.priority, j.tag AS old_tag, least(j.tag, n.first) AS tag,
                   j.run_at, j.run_at > clock_timestamp() AS is_early
            FROM next JOIN jobs j ON j.id = next.job
            CROSS JOIN LATERAL next_tag(j.lane, j.gate, j.user_id, j.priority) n
        ), moved AS (
            UPDATE jobs j SET tag = head.tag FROM head WHERE j.id = head.job AND head.tag <> head.old_tag
        ), later AS (
            INSERT INTO deferred (due, job, lease, attempt, crashes, had_output, reason)
            SELECT run_at, job, lease, attempt, crashes, had_output, 'scheduled' FROM head WHERE is_early
        )
        INSERT INTO ready (lane, gate, tag, job, lease, attempt, crashes, had_output, user_id, priority)
        SELECT lane, gate, tag, job, lease, attempt, crashes, had_output, user_id, priority FROM head
        WHERE NOT is_early
        RETURNING lane
        """
    }

    /// Back into the line at once. Index: jobs_pkey.
    static func putBack(_ lease: Lease, attempt: Int16, crashes: Int16, hadOutput: Bool) -> SQL {
        """
        INSERT INTO ready (lane, gate, tag, job, lease, attempt, crashes, had_output, user_id, priority)
        SELECT lane, gate, tag, id, \(lease.number), \(attempt), \(crashes), \(hadOutput), user_id, priority
        FROM jobs WHERE id = \(lease.job)
        RETURNING lane
        """
    }

    /// When the run that is over began, for who looks at the job before its next one. Index: jobs_pkey.
    static func keepStart(_ job: JobID, startedAt: Timestamp) -> SQL {
        "UPDATE jobs SET started_at = \(startedAt) WHERE id = \(job)"
    }

    /// Away until it is due.
    static func deferJob(
        _ lease: Lease, attempt: Int16, crashes: Int16, hadOutput: Bool, delayMilliseconds: Int64, reason: String
    ) -> SQL {
        """
        INSERT INTO deferred (due, job, lease, attempt, crashes, had_output, reason)
        VALUES (clock_timestamp() + \(delayMilliseconds) * interval '1 millisecond', \(lease.job), \(lease.number),
                \(attempt), \(crashes), \(hadOutput), \(reason))
        """
    }

    /// One line of the job's error history; a repeated end of the same lease adds none.
    static func recordError(_ lease: Lease, attempt: Int16, code: String, message: String) -> SQL {
        """
        INSERT INTO job_errors (job, lease, at, attempt, code, message)
        VALUES (\(lease.job), \(lease.number), now(), \(attempt), \(code), \(message))
        ON CONFLICT (job, lease) DO NOTHING
        """
    }

    /// The error history of a job, oldest first. Index: jobs_pkey, job_errors_pkey.
    static func errors(of job: JobID, owner: UserID, limit: Int32) -> SQL {
        """
        SELECT e.lease, e.at, e.attempt, e.code, e.message FROM jobs j JOIN job_errors e ON e.job = j.id
        WHERE j.id = \(job) AND j.user_id = \(owner) ORDER BY e.lease LIMIT \(limit)
        """
    }

    /// The lease that ended a job: tells a worker whose commit was ambiguous whether it was its own.
    static func endedBy(_ job: JobID) -> SQL {
        "SELECT state, lease FROM jobs WHERE id = \(job)"
    }
}
