// SPDX-License-Identifier: Apache-2.0
import Chat
import Postgres

/// What keeps the tables in shape.
enum MaintenanceStatements {
    /// Begins a recurring step for all processes: of those that ask at the same time one gets a row, and no other until
    /// the interval is over. A time in the future is that of another clock. Index: schedules_pkey.
    static func beginTick(_ name: String, intervalSeconds: Int64) -> SQL {
        """
        INSERT INTO schedules AS s (name, last_tick) VALUES (\(name), clock_timestamp())
        ON CONFLICT (name) DO UPDATE SET last_tick = excluded.last_tick
        WHERE s.last_tick <= clock_timestamp() - \(intervalSeconds) * interval '1 second'
           OR s.last_tick > clock_timestamp() + \(intervalSeconds) * interval '1 second'
        RETURNING true
        """
    }

    /// A step that failed is due again at once. Index: schedules_pkey.
    static func giveTickBack(_ name: String) -> SQL {
        "UPDATE schedules SET last_tick = '-infinity' WHERE name = \(name)"
    }

    /// Looks at a page of jobs made before the retention began, in order of their ids, which is that of their making,
    /// and deletes those that have ended long enough ago and whose reply is not being written; with their history.
    /// Returns how many were deleted and where the page ended, null after the last.
    /// Index: jobs_pkey, messages_job, job_errors_pkey.
    static func deleteEndedJobs(after job: PostgresUUID, retentionSeconds: Int64, page: Int32) -> SQL {
        """
        WITH horizon AS MATERIALIZED (
            SELECT clock_timestamp() - \(retentionSeconds) * interval '1 second' AS at
        ), page AS MATERIALIZED (
            SELECT id, state, finished_at FROM jobs
            WHERE id > \(job)
              AND id < (SELECT (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid
                        FROM horizon)
            ORDER BY id LIMIT \(page)
        ), old AS MATERIALIZED (
            SELECT p.id FROM page p
            WHERE p.state IS NOT NULL AND p.finished_at < (SELECT at FROM horizon)
              AND NOT EXISTS (SELECT FROM messages m WHERE m.job_id = p.id AND m.status IN ('queued', 'streaming'))
        ), gone AS (
            DELETE FROM jobs j USING old WHERE j.id = old.id AND j.state IS NOT NULL RETURNING j.id
        ), history AS (
            DELETE FROM job_errors e USING gone WHERE e.job = gone.id
        )
        SELECT (SELECT count(*) FROM gone), (SELECT id FROM page ORDER BY id DESC LIMIT 1)
        """
    }
}
