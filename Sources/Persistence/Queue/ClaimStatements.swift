// SPDX-License-Identifier: Apache-2.0
import Chat
import Jobs
import Postgres

/// The claim, and what a worker asks about what it holds.
enum ClaimStatements {
    /// Takes the best jobs for the free slots, of all lanes at once.
    ///
    /// The locked rows are deleted by `ctid` (a TID scan): joining the locked set against `ready` reads all of it.
    /// The locking subqueries are materialized: under a nested loop a `LIMIT … SKIP LOCKED` can be executed again
    /// and take more than it was asked for. Commits synchronously: a reply must not run twice after a crash.
    ///
    /// Index: ready_pkey (lane, gate, tag), jobs_pkey.
    static func claim(_ limit: ClaimLimit, worker: WorkerID) -> SQL {
        """
        WITH chat AS MATERIALIZED (
            SELECT ctid FROM ready WHERE lane = 0 AND gate = 0
            ORDER BY lane, gate, tag, job LIMIT \(Int64(limit.total)) FOR UPDATE SKIP LOCKED
        ), rest AS MATERIALIZED (
            SELECT ctid FROM ready WHERE lane > 0
            ORDER BY lane, gate, tag, job
            LIMIT greatest(0, least(\(Int64(limit.background)), \(Int64(limit.total)) - (SELECT count(*) FROM chat)))
            FOR UPDATE SKIP LOCKED
        ), taken AS (
            DELETE FROM ready
            WHERE ctid = ANY (ARRAY (SELECT ctid FROM chat UNION ALL SELECT ctid FROM rest))
            RETURNING job, lease, attempt, crashes, had_output
        ), started AS MATERIALIZED (
            SELECT t.job, greatest(t.lease + 1, f.number) AS lease, t.attempt + 1 AS attempt, t.crashes, t.had_output,
                   j.kind, j.lane, j.tag, j.user_id, j.serial_key, j.payload, j.max_attempts, j.deadline_ms
            FROM taken t CROSS JOIN (SELECT lease_floor() AS number) f JOIN jobs j ON j.id = t.job
        ), leased AS (
            INSERT INTO running (job, lease, worker, attempt, crashes, had_output, started_at, deadline)
            SELECT job, lease, \(worker), attempt, crashes, had_output, clock_timestamp(),
                   clock_timestamp() + deadline_ms * interval '1 millisecond'
            FROM started
        )
        SELECT job, lease, kind, lane, user_id, serial_key, payload, attempt::smallint, max_attempts, crashes,
               had_output, deadline_ms
        FROM started ORDER BY lane, tag, job
        """
    }

    /// What the database believes a worker to hold, and which of it is to be cancelled. Index: running_worker.
    static func held(by worker: WorkerID) -> SQL {
        "SELECT job, lease, cancel_requested FROM running WHERE worker = \(worker)"
    }
}
