// SPDX-License-Identifier: Apache-2.0
import Chat
import Postgres

/// Beats, and what is seen of the others' beats.
enum LivenessStatements {
    /// The lock that says «this worker's session is open». Taken once a session; free when the session ends.
    static func lock(_ worker: WorkerID) -> SQL {
        "SELECT pg_try_advisory_lock(\(Int64(bitPattern: worker.low)))"
    }

    /// One beat. A row that a rescuer removed comes back: the worker lives after all. Index: workers_pkey.
    static func beat(_ worker: WorkerID, slots: Int32, version: String, draining: Bool, recent: String) -> SQL {
        """
        INSERT INTO workers (id, beat, draining, slots, version, recent, beat_at)
        VALUES (\(worker), 1, \(draining), \(slots), \(version), \(recent), clock_timestamp())
        ON CONFLICT (id) DO UPDATE SET beat = workers.beat + 1, draining = excluded.draining,
               recent = excluded.recent, beat_at = excluded.beat_at
        """
    }

    /// All workers, and those that hold leases without a row, each with whether its session is open. The lock's
    /// key is the id's second half; `pg_locks` shows it as two unsigned halves.
    static let observe: SQL = """
        WITH known AS (
            SELECT id, beat FROM workers
            UNION ALL
            SELECT DISTINCT worker, -1 FROM running r WHERE NOT EXISTS (SELECT FROM workers w WHERE w.id = r.worker)
        ), held AS MATERIALIZED (
            SELECT classid::bigint << 32 | objid::bigint AS key FROM pg_locks
            WHERE locktype = 'advisory' AND granted AND objsubid = 1
              AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
        )
        SELECT id, beat,
               ('x' || substr(replace(id::text, '-', ''), 17, 16))::bit(64)::bigint IN (SELECT key FROM held)
        FROM known
        """

    /// A worker that has left, or whose jobs are rescued. One that beats again comes back by itself.
    static func forget(_ worker: WorkerID) -> SQL {
        "DELETE FROM workers WHERE id = \(worker)"
    }
}
