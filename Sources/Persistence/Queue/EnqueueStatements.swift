// SPDX-License-Identifier: Apache-2.0
import Jobs
import Postgres

/// Statements that bring jobs into the queue.
enum EnqueueStatements {
    /// Stores a job and puts it where it belongs: in line, behind the head of its serial key, or until it is due.
    ///
    /// One statement, so that it costs one trip in the caller's transaction. A repeated id changes nothing and
    /// returns no row. `head` locks the key's row until commit: that orders the enqueues and ends of a key, and
    /// without it a follower could be left behind a head that has just gone. The position is taken after that
    /// lock is held, so it follows the order of commits.
    ///
    /// Index: primary keys. Lock order: key, then job. Returns 0 = in line, 1 = scheduled, 2 = behind another.
    static func enqueue(_ job: NewJob) -> SQL {
        """
        WITH record AS (
            INSERT INTO jobs (id, kind, lane, gate, tag, user_id, serial_key, payload, priority, max_attempts,
                              deadline_ms, created_at, run_at)
            VALUES (\(job.id), \(job.kind.rawValue), \(job.lane.rawValue), \(job.gate),
                    (extract(epoch FROM clock_timestamp()) * 1000000)::bigint - \(Int64(job.priority)) * 60000000,
                    \(job.userID), \(job.serialKey), \(String(decoding: job.payload, as: UTF8.self)),
                    \(job.priority), \(job.maximumAttempts), \(job.runLimit.wholeMilliseconds),
                    now(), coalesce(\(job.runAt), now()))
            ON CONFLICT (id) DO NOTHING
            RETURNING id, lane, gate, tag, serial_key, run_at
        ), head AS (
            INSERT INTO serial_heads (serial_key, job)
            SELECT serial_key, id FROM record WHERE serial_key IS NOT NULL
            ON CONFLICT (serial_key) DO UPDATE SET serial_key = excluded.serial_key
            RETURNING serial_heads.job
        ), placed AS MATERIALIZED (
            SELECT record.*,
                   CASE WHEN serial_key IS NOT NULL AND (SELECT job FROM head) <> id THEN 2::smallint
                        WHEN run_at > now() THEN 1::smallint
                        ELSE 0::smallint END AS place
            FROM record
        ), lined AS (
            INSERT INTO ready (lane, gate, tag, job, lease, attempt, crashes, had_output)
            SELECT lane, gate, tag, id, 0, 0, 0, false FROM placed WHERE place = 0
        ), later AS (
            INSERT INTO deferred (due, job, lease, attempt, crashes, had_output, reason)
            SELECT run_at, id, 0, 0, 0, false, 'scheduled' FROM placed WHERE place = 1
        ), behind AS (
            INSERT INTO waiting (serial_key, position, job, lease, attempt, crashes, had_output)
            SELECT serial_key, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint, id, 0, 0, 0, false
            FROM placed WHERE place = 2
        )
        SELECT place FROM placed
        """
    }

    /// Stores many jobs that have neither serial key nor opening events: one statement over arrays, whatever their
    /// number. They stand in the order given, and a repeated id changes nothing.
    ///
    /// Index: primary keys. Lock order: as given, so the caller sorts by id. Returns the lanes that have new work.
    static func enqueueMany(_ jobs: [NewJob]) -> SQL {
        """
        WITH record AS (
            INSERT INTO jobs (id, kind, lane, gate, tag, user_id, payload, priority, max_attempts, deadline_ms,
                              created_at, run_at)
            SELECT g.id, g.kind, g.lane, g.gate,
                   (extract(epoch FROM clock_timestamp()) * 1000000)::bigint - g.priority * 60000000::bigint,
                   g.user_id, g.payload, g.priority, g.max_attempts, g.deadline_ms, now(), coalesce(g.run_at, now())
            FROM unnest(\(jobs.map(\.id)), \(jobs.map(\.kind.rawValue)), \(jobs.map(\.lane.rawValue)), \(jobs.map(\.gate)),
                        \(jobs.map(\.userID)), \(jobs.map { String(decoding: $0.payload, as: UTF8.self) }),
                        \(jobs.map(\.priority)), \(jobs.map(\.maximumAttempts)),
                        \(jobs.map(\.runLimit.wholeMilliseconds)), \(jobs.map(\.runAt)))
                 AS g (id, kind, lane, gate, user_id, payload, priority, max_attempts, deadline_ms, run_at)
            ON CONFLICT (id) DO NOTHING
            RETURNING id, lane, gate, tag, run_at
        ), lined AS (
            INSERT INTO ready (lane, gate, tag, job, lease, attempt, crashes, had_output)
            SELECT lane, gate, tag, id, 0, 0, 0, false FROM record WHERE run_at <= now()
        ), later AS (
            INSERT INTO deferred (due, job, lease, attempt, crashes, had_output, reason)
            SELECT run_at, id, 0, 0, 0, false, 'scheduled' FROM record WHERE run_at > now()
        )
        SELECT DISTINCT lane FROM record WHERE run_at <= now()
        """
    }

    /// Moves what is due into the line, at most a batch; a job that waits behind nobody keeps its tag, so it goes
    /// before what came after it. Index: deferred_pkey (due), jobs_pkey.
    static func moveDue(limit: Int32) -> SQL {
        """
        WITH due AS MATERIALIZED (
            SELECT ctid FROM deferred WHERE due <= clock_timestamp()
            ORDER BY due, job LIMIT \(limit) FOR UPDATE SKIP LOCKED
        ), moved AS (
            DELETE FROM deferred WHERE ctid = ANY (ARRAY (SELECT ctid FROM due))
            RETURNING job, lease, attempt, crashes, had_output
        )
        INSERT INTO ready (lane, gate, tag, job, lease, attempt, crashes, had_output)
        SELECT j.lane, j.gate, j.tag, m.job, m.lease, m.attempt, m.crashes, m.had_output
        FROM moved m JOIN jobs j ON j.id = m.job
        RETURNING lane
        """
    }

    /// Microseconds until the next job is due, null when none is deferred. Index: deferred_pkey.
    static let untilNextDue: SQL = """
        SELECT (extract(epoch FROM (SELECT min(due) FROM deferred WHERE due < 'infinity') - clock_timestamp()) * 1000000)::bigint
        """
}
