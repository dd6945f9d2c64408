// SPDX-License-Identifier: Apache-2.0
import Postgres

/// Counts for people who look at the whole system. Each ends at a bound, whatever the queue holds.
enum OverviewStatements {
    /// How many jobs of each lane can run now, up to a maximum, and for how long the one that was made first could,
    /// in microseconds. Index: ready_pkey (lane) for each lane, index only; jobs_pkey once a lane.
    static func lines(maximum: Int32) -> SQL {
        """
        SELECT l.lane, d.depth,
               (extract(epoch FROM clock_timestamp() - greatest(j.created_at, j.run_at)) * 1000000)::bigint
        FROM (VALUES (0::smallint), (1::smallint), (2::smallint), (3::smallint)) l (lane)
        CROSS JOIN LATERAL (
            SELECT count(*) AS depth, min(job::text COLLATE "C")::uuid AS oldest
            FROM (SELECT job FROM ready WHERE lane = l.lane ORDER BY lane, gate, tag, job LIMIT \(maximum)) line
        ) d
        LEFT JOIN jobs j ON j.id = d.oldest
        ORDER BY l.lane
        """
    }

    /// Unfinished jobs by lane, kind, stage and reason to wait; of each lane's line, and of each other table, at most a
    /// maximum is looked at. The records are looked up one by one: joined as a whole, a plan may walk all jobs there
    /// ever were. Index: ready_pkey (lane), waiting_pkey, running_pkey and deferred_pkey from their beginning; jobs_pkey
    /// for each row.
    static func kinds(maximum: Int32) -> SQL {
        """
        WITH live AS MATERIALIZED (
            SELECT 'ready' AS stage, '' AS reason, q.job
            FROM (VALUES (0::smallint), (1::smallint), (2::smallint), (3::smallint)) l (lane)
            CROSS JOIN LATERAL (
                SELECT job FROM ready WHERE lane = l.lane ORDER BY lane, gate, tag, job LIMIT \(maximum)) q
            UNION ALL
            (SELECT 'waiting', '', job FROM waiting ORDER BY serial_key, position, job LIMIT \(maximum))
            UNION ALL
            (SELECT 'running', '', job FROM running ORDER BY job LIMIT \(maximum))
            UNION ALL
            (SELECT 'deferred', reason, job FROM deferred ORDER BY due, job LIMIT \(maximum))
        )
        SELECT j.lane, j.kind, v.stage, v.reason, count(*),
               (extract(epoch FROM clock_timestamp() - min(j.since)) * 1000000)::bigint
        FROM live v CROSS JOIN LATERAL (
            SELECT lane, kind, greatest(created_at, run_at) AS since FROM jobs WHERE id = v.job OFFSET 0) j
        GROUP BY j.lane, j.kind, v.stage, v.reason
        ORDER BY j.lane, j.kind, v.stage, v.reason
        LIMIT 1000
        """
    }

    /// Kinds that no worker claims. Index: paused_kinds_pkey.
    static let pausedKinds: SQL = "SELECT kind, since FROM paused_kinds ORDER BY kind LIMIT 1000"

    /// Worker processes, those that came first before the others, with how many jobs each holds.
    /// Index: workers is small and read as a whole; running_worker for each, as many rows as it has slots.
    static let workers: SQL = """
        SELECT w.id, w.version, w.slots, (SELECT count(*) FROM running r WHERE r.worker = w.id), w.draining,
               w.started_at, w.beat_at, w.recent, clock_timestamp()
        FROM workers w ORDER BY w.started_at, w.id LIMIT 1000
        """
}
