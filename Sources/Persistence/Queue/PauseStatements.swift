// SPDX-License-Identifier: Apache-2.0
import Jobs
import Postgres

/// Kinds that are not to be claimed. Their jobs lie in `deferred` without a time.
enum PauseStatements {
    /// Seen by every claim that begins after the commit. Index: paused_kinds_pkey.
    static func pause(_ kind: JobKind) -> SQL {
        "INSERT INTO paused_kinds (kind) VALUES (\(kind.rawValue)) ON CONFLICT DO NOTHING"
    }

    /// Index: paused_kinds_pkey.
    static func resume(_ kind: JobKind) -> SQL {
        "DELETE FROM paused_kinds WHERE kind = \(kind.rawValue)"
    }

    /// Takes a page of the line, in its order, and moves what is of a paused kind out of it; returns where the page
    /// ended, null after the last. What it misses because others hold it, the claims move.
    /// Index: ready_pkey from the place on, jobs_pkey.
    static func moveAside(lane: Int16, gate: Int16, tag: Int64, job: PostgresUUID, page: Int32) -> SQL {
        """
        WITH page AS MATERIALIZED (
            SELECT lane, gate, tag, job FROM ready
            WHERE (lane, gate, tag, job) > (\(lane), \(gate), \(tag), \(job))
            ORDER BY lane, gate, tag, job LIMIT \(page)
        ), paused AS MATERIALIZED (
            SELECT q.ctid FROM page p JOIN jobs j ON j.id = p.job
            JOIN ready q ON (q.lane, q.gate, q.tag, q.job, q.user_id, q.priority)
                          = (p.lane, p.gate, p.tag, p.job, j.user_id, j.priority)
            WHERE j.kind = ANY (ARRAY (SELECT kind FROM paused_kinds))
            FOR UPDATE OF q SKIP LOCKED
        ), gone AS (
            DELETE FROM ready WHERE ctid = ANY (ARRAY (SELECT ctid FROM paused))
            RETURNING job, lease, attempt, crashes, had_output
        ), aside AS (
            INSERT INTO deferred (due, job, lease, attempt, crashes, had_output, reason)
            SELECT 'infinity', job, lease, attempt, crashes, had_output, 'paused' FROM gone
        )
        SELECT lane, gate, tag, job FROM page ORDER BY lane DESC, gate DESC, tag DESC, job DESC LIMIT 1
        """
    }

    /// Puts a page of jobs without a time, whose kind is not paused any more, back where they were; returns their
    /// lanes, and where the page ended. Index: deferred_pkey (due), jobs_pkey.
    static func moveBack(after job: PostgresUUID, page: Int32) -> SQL {
        """
        WITH page AS MATERIALIZED (
            SELECT job FROM deferred WHERE due = 'infinity' AND job > \(job) ORDER BY due, job LIMIT \(page)
        ), free AS MATERIALIZED (
            SELECT d.ctid FROM page p JOIN jobs j ON j.id = p.job
            JOIN deferred d ON d.due = 'infinity' AND d.job = p.job
            WHERE j.kind <> ALL (ARRAY (SELECT kind FROM paused_kinds))
            FOR UPDATE OF d SKIP LOCKED
        ), gone AS (
            DELETE FROM deferred WHERE ctid = ANY (ARRAY (SELECT ctid FROM free))
            RETURNING job, lease, attempt, crashes, had_output
        ), lined AS (
            INSERT INTO ready (lane, gate, tag, job, lease, attempt, crashes, had_output, user_id, priority)
            SELECT j.lane, j.gate, j.tag, g.job, g.lease, g.attempt, g.crashes, g.had_output,
                   j.user_id, j.priority
            FROM gone g JOIN jobs j ON j.id = g.job
            RETURNING lane
        )
        SELECT (SELECT coalesce(array_agg(DISTINCT lane), '{}') FROM lined), max(job::text)::uuid FROM page
        """
    }
}
