// SPDX-License-Identifier: Apache-2.0
import Jobs
import Postgres

/// Statements that bring jobs into the queue.
enum EnqueueStatements {
    /// Stores a job and puts it where it belongs: in line, behind the head of its serial key, or until it is due.
    ///
    /// The function is the one behind `enqueue`, which other programs call. One trip in the caller's transaction. Where
    /// it stands is null when nothing was stored: the id was there, or an unfinished job has its unique key; which job
    /// stands then is told.
    ///
    /// Index: as the function says. Lock order: serial key, unique key, job.
    /// Returns 0 = in line, 1 = scheduled, 2 = behind another.
    static func enqueue(_ job: NewJob) -> SQL {
        """
        SELECT place, standing FROM \(fragment: placing(job))
        """
    }

    private static func placing(_ job: NewJob) -> SQL {
        """
        enqueue_job(\(job.id), \(job.kind.rawValue), \(job.lane.rawValue), \(job.gate), \(job.userID),
                    \(job.serialKey), \(String(decoding: job.payload, as: UTF8.self)), \(job.priority),
                    \(job.maximumAttempts), \(job.runLimit.wholeMilliseconds), \(job.runAt), \(job.uniqueKey))
        """
    }

    /// The same as a transaction of its own that wakes the workers and is not waited for on the disk: what follows it
    /// does that. Without notices, which a full queue of the database does not take, somebody else tells them.
    ///
    /// Index and lock order: as ``enqueue(_:)``. Returns the place, null when nothing was stored.
    static func submit(_ job: NewJob, notifies: Bool) -> SQL {
        """
        SELECT e.place, CASE WHEN e.place = 0 AND \(notifies) THEN pg_notify('jobs', \("\(job.lane.rawValue)"))::text END
        FROM set_config('synchronous_commit', 'off', true)
        CROSS JOIN LATERAL \(fragment: placing(job)) e
        """
    }

    /// Stores many jobs without keys: one statement over arrays, whatever their number.
    /// The jobs of a tenant stand in the order given, and a repeated id changes nothing. Where the first of a tenant
    /// goes is asked once a tenant, lane and priority (a share); each further one is a step behind.
    ///
    /// Index: primary keys, those of next_tag. Lock order: as given, so the caller sorts by id. Returns the lanes that
    /// have new work.
    static func enqueueMany(_ jobs: [NewJob]) -> SQL {
        let shares = LineShares(of: jobs)
        return """
            WITH share AS MATERIALIZED (
                SELECT s.number, t.first, t.step
                FROM unnest(\(shares.keys.map(\.lane.rawValue)), \(shares.keys.map(\.gate)),
                            \(shares.keys.map(\.userID)), \(shares.keys.map(\.priority)))
                     WITH ORDINALITY AS s (lane, gate, user_id, priority, number)
                CROSS JOIN LATERAL next_tag(s.lane, s.gate, s.user_id, s.priority) t
            ), record AS (
                INSERT INTO jobs (id, kind, lane, gate, tag, user_id, payload, priority, max_attempts, deadline_ms,
                                  created_at, run_at)
                SELECT g.id, g.kind, g.lane, g.gate, share.first + g.place * share.step, g.user_id, g.payload,
                       g.priority, g.max_attempts, g.deadline_ms, now(), coalesce(g.run_at, now())
                FROM unnest(\(jobs.map(\.id)), \(jobs.map(\.kind.rawValue)), \(jobs.map(\.lane.rawValue)),
                            \(jobs.map(\.gate)), \(jobs.map(\.userID)),
                            \(jobs.map { String(decoding: $0.payload, as: UTF8.self) }),
                            \(jobs.map(\.priority)), \(jobs.map(\.maximumAttempts)),
                            \(jobs.map(\.runLimit.wholeMilliseconds)), \(jobs.map(\.runAt)), \(shares.numbers),
                            \(shares.places))
                     AS g (id, kind, lane, gate, user_id, payload, priority, max_attempts, deadline_ms, run_at, share,
                           place)
                JOIN share ON share.number = g.share
                ON CONFLICT (id) DO NOTHING
                RETURNING id, lane, gate, tag, user_id, priority, run_at
            ), lined AS (
                INSERT INTO ready (lane, gate, tag, job, lease, attempt, crashes, had_output, user_id, priority)
                SELECT lane, gate, tag, id, 0, 0, 0, false, user_id, priority FROM record WHERE run_at <= now()
            ), later AS (
                INSERT INTO deferred (due, job, lease, attempt, crashes, had_output, reason)
                SELECT run_at, id, 0, 0, 0, false, 'scheduled' FROM record WHERE run_at > now()
            )
            SELECT DISTINCT lane FROM record WHERE run_at <= now()
            """
    }

    /// The same for jobs that have no time either and whose ids nobody has stored: an id that is there fails the
    /// statement, which costs half of what it costs to look for it and to read the new rows again for the line. What is
    /// the same for many (a form) is sent once.
    ///
    /// Index, lock order and result: as ``enqueueMany(_:)``.
    static func enqueueNew(_ jobs: [NewJob]) -> SQL {
        let shares = LineShares(of: jobs)
        let forms = JobForms(of: jobs, in: shares)
        return """
            WITH share AS MATERIALIZED (
                SELECT s.number, s.lane, s.gate, s.user_id, s.priority, t.first, t.step
                FROM unnest(\(shares.keys.map(\.lane.rawValue)), \(shares.keys.map(\.gate)),
                            \(shares.keys.map(\.userID)), \(shares.keys.map(\.priority)))
                     WITH ORDINALITY AS s (lane, gate, user_id, priority, number)
                CROSS JOIN LATERAL next_tag(s.lane, s.gate, s.user_id, s.priority) t
            ), form AS MATERIALIZED (
                SELECT f.number AS form, f.kind, f.max_attempts, f.deadline_ms, share.*
                FROM unnest(\(forms.keys.map(\.share)), \(forms.keys.map(\.kind.rawValue)),
                            \(forms.keys.map(\.maximumAttempts)), \(forms.keys.map(\.runLimit.wholeMilliseconds)))
                     WITH ORDINALITY AS f (share, kind, max_attempts, deadline_ms, number)
                JOIN share ON share.number = f.share
            ), record AS (
                INSERT INTO jobs (id, kind, lane, gate, tag, user_id, payload, priority, max_attempts, deadline_ms,
                                  created_at, run_at)
                SELECT g.id, f.kind, f.lane, f.gate, f.first + g.place * f.step, f.user_id, g.payload, f.priority,
                       f.max_attempts, f.deadline_ms, now(), now()
                FROM (SELECT unnest(\(jobs.map(\.id))) AS id, unnest(\(forms.numbers)) AS form,
                             unnest(\(shares.places)) AS place,
                             unnest(\(jobs.map { String(decoding: $0.payload, as: UTF8.self) })) AS payload) g
                JOIN form f ON f.form = g.form
            ), lined AS (
                INSERT INTO ready (lane, gate, tag, job, lease, attempt, crashes, had_output, user_id, priority)
                SELECT s.lane, s.gate, s.first + g.place * s.step, g.id, 0, 0, 0, false, s.user_id, s.priority
                FROM (SELECT unnest(\(jobs.map(\.id))) AS id, unnest(\(shares.numbers)) AS share,
                             unnest(\(shares.places)) AS place) g
                JOIN share s ON s.number = g.share
            )
            SELECT DISTINCT lane FROM share
            """
    }

    /// Moves what is due into the line, at most a batch. What was scheduled gets its place now, as if it were enqueued
    /// now; what had a run before keeps its place, which is at the front, and never stands behind a new job of its
    /// tenant. Index: deferred_pkey (due), jobs_pkey, those of next_tag.
    static func moveDue(limit: Int32) -> SQL {
        """
        WITH due AS MATERIALIZED (
            SELECT ctid FROM deferred WHERE due <= clock_timestamp()
            ORDER BY due, job LIMIT \(limit) FOR UPDATE SKIP LOCKED
        ), moved AS (
            DELETE FROM deferred WHERE ctid = ANY (ARRAY (SELECT ctid FROM due))
            RETURNING due, job, lease, attempt, crashes, had_output
        ), told AS MATERIALIZED (
            SELECT m.*, j.lane, j.gate, j.user_id, j.priority, j.tag AS old_tag,
                   row_number() OVER (PARTITION BY j.lane, j.gate, j.user_id, j.priority, m.lease = 0
                                      ORDER BY m.due, m.job) - 1 AS place
            FROM moved m JOIN jobs j ON j.id = m.job
        ), share AS MATERIALIZED (
            SELECT s.*, n.first, n.step FROM (SELECT DISTINCT lane, gate, user_id, priority FROM told) s
            CROSS JOIN LATERAL next_tag(s.lane, s.gate, s.user_id, s.priority) n
        ), tagged AS MATERIALIZED (
            SELECT told.*, CASE WHEN lease = 0 THEN first + place * step ELSE least(old_tag, first) END AS tag
            FROM told JOIN share USING (lane, gate, user_id, priority)
        ), kept AS (
            UPDATE jobs j SET tag = t.tag FROM tagged t WHERE j.id = t.job AND t.tag <> t.old_tag
        )
        INSERT INTO ready (lane, gate, tag, job, lease, attempt, crashes, had_output, user_id, priority)
        SELECT lane, gate, tag, job, lease, attempt, crashes, had_output, user_id, priority FROM tagged
        RETURNING lane
        """
    }

    /// Microseconds until the next job is due, null when none is deferred. Index: deferred_pkey.
    static let untilNextDue: SQL = """
        SELECT (extract(epoch FROM (SELECT min(due) FROM deferred WHERE due < 'infinity') - clock_timestamp()) * 1000000)::bigint
        """
}
