// SPDX-License-Identifier: Apache-2.0
import Chat
import Jobs
import Postgres

/// What is done for workers that have gone, and for rows that nobody explains.
enum RescueStatements {
    /// Puts a dead worker's jobs back into the line, but for those that must end instead. The attempt is spent.
    /// `had_output` is set whatever was shown: that cannot be known. Index: running_worker, jobs_pkey.
    static func putBackAll(of worker: WorkerID) -> SQL {
        """
        WITH lost AS (
            DELETE FROM running WHERE worker = \(worker) AND NOT cancel_requested
              AND crashes + 1 < \(RetryPolicy.poisonCrashes)
            RETURNING job, lease, attempt, crashes, started_at
        ), kept AS (
            UPDATE jobs j SET started_at = l.started_at FROM lost l WHERE j.id = l.job
        )
        INSERT INTO ready (lane, gate, tag, job, lease, attempt, crashes, had_output, user_id, priority)
        SELECT j.lane, j.gate, j.tag, l.job, l.lease, l.attempt, l.crashes + 1, true, j.user_id, j.priority
        FROM lost l JOIN jobs j ON j.id = l.job
        RETURNING lane, job
        """
    }

    /// What is left of a dead worker: cancelled or poisonous. A worker that was held to be dead and lives may have
    /// claimed since: those leases are none of a rescue's business. Index: running_worker.
    static func remaining(of worker: WorkerID) -> SQL {
        """
        SELECT r.job, r.lease, r.cancel_requested, j.user_id, j.serial_key
        FROM running r JOIN jobs j ON j.id = r.job
        WHERE r.worker = \(worker) AND (r.cancel_requested OR r.crashes + 1 >= \(RetryPolicy.poisonCrashes))
        """
    }

    /// A lease that its worker does not know: its claim's answer was lost, or its run was aborted without writing an
    /// end. The attempt is given back; `had_output` is set, because the aborted run may have shown some.
    static func putBackUnknown(_ lease: Lease, worker: WorkerID) -> SQL {
        """
        WITH lost AS (
            DELETE FROM running WHERE job = \(lease.job) AND lease = \(lease.number) AND worker = \(worker)
              AND NOT cancel_requested
            RETURNING job, lease, attempt, crashes, started_at
        ), kept AS (
            UPDATE jobs j SET started_at = l.started_at FROM lost l WHERE j.id = l.job
        )
        INSERT INTO ready (lane, gate, tag, job, lease, attempt, crashes, had_output, user_id, priority)
        SELECT j.lane, j.gate, j.tag, l.job, l.lease, l.attempt - 1, l.crashes, true, j.user_id, j.priority
        FROM lost l JOIN jobs j ON j.id = l.job
        RETURNING lane, job
        """
    }

    /// The same lease when it was cancelled, which ends it. Index: running_pkey, jobs_pkey.
    static func cancelledUnknown(_ lease: Lease, worker: WorkerID) -> SQL {
        """
        SELECT j.user_id, j.serial_key FROM running r JOIN jobs j ON j.id = r.job
        WHERE r.job = \(lease.job) AND r.lease = \(lease.number) AND r.worker = \(worker) AND r.cancel_requested
        """
    }

    /// Leases past their deadline and a grace, of workers however healthy.
    static func overdue(graceMilliseconds: Int64, limit: Int32) -> SQL {
        """
        SELECT r.job, r.lease, r.cancel_requested, j.user_id, j.serial_key
        FROM running r JOIN jobs j ON j.id = r.job
        WHERE r.deadline < clock_timestamp() - \(graceMilliseconds) * interval '1 millisecond'
        LIMIT \(limit)
        """
    }

    /// Keys whose head is in no table of live jobs. Must find nothing; what it finds is mended and counted.
    static func orphanedKeys(limit: Int32) -> SQL {
        """
        SELECT h.serial_key FROM serial_heads h
        WHERE NOT EXISTS (SELECT FROM running r WHERE r.job = h.job)
          AND NOT EXISTS (SELECT FROM deferred d WHERE d.job = h.job)
          AND NOT EXISTS (SELECT FROM jobs j JOIN ready q ON (q.lane, q.gate, q.tag, q.job, q.user_id, q.priority)
                                        = (j.lane, j.gate, j.tag, j.id, j.user_id, j.priority)
                          WHERE j.id = h.job)
        LIMIT \(limit)
        """
    }

    /// Whether a key's head is in no table of live jobs, asked again under the key's lock.
    static func isOrphaned(_ key: SerialKey) -> SQL {
        """
        SELECT NOT EXISTS (SELECT FROM running r WHERE r.job = h.job)
           AND NOT EXISTS (SELECT FROM deferred d WHERE d.job = h.job)
           AND NOT EXISTS (SELECT FROM jobs j JOIN ready q ON (q.lane, q.gate, q.tag, q.job, q.user_id, q.priority)
                                        = (j.lane, j.gate, j.tag, j.id, j.user_id, j.priority)
                           WHERE j.id = h.job)
        FROM serial_heads h WHERE h.serial_key = \(key)
        """
    }
}
