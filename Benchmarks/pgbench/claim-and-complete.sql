-- SPDX-License-Identifier: Apache-2.0
-- The statements of ClaimStatements.claim, without gates and with a look at aged lanes, and
-- SettleStatements.completeMany as they stand there: what the database does with them when nothing else is in the way.
-- A transaction is a batch.
WITH chat AS MATERIALIZED (
    SELECT ctid AS place FROM ready q WHERE lane = 0 AND gate = 0 ORDER BY lane, gate, tag, job LIMIT :batch::bigint FOR UPDATE SKIP LOCKED
), room AS MATERIALIZED (
    SELECT greatest(0, least(:batch::bigint, :batch::bigint - (SELECT count(*) FROM chat)))
        AS places
), aged AS MATERIALIZED (
    SELECT r.ctid AS place
    FROM (VALUES (1, 3::smallint, 60000000::bigint), (2, 2::smallint, 30000000::bigint)) l (number, lane, wait)
    CROSS JOIN LATERAL (
        SELECT q.ctid FROM ready q WHERE q.lane = l.lane AND q.gate = 0 AND q.tag < (extract(epoch FROM now()) * 1000000)::bigint - l.wait
        ORDER BY q.lane, q.gate, q.tag, q.job LIMIT 1 FOR UPDATE SKIP LOCKED) r
    LIMIT (SELECT places FROM room)
), rest AS MATERIALIZED (
    (SELECT place FROM (
        SELECT place FROM (SELECT ctid AS place FROM ready q WHERE lane = 1 AND gate = 0 ORDER BY lane, gate, tag, job FOR UPDATE SKIP LOCKED) title
        UNION ALL SELECT place FROM (SELECT ctid AS place FROM ready q WHERE lane = 2 AND gate = 0 ORDER BY lane, gate, tag, job FOR UPDATE SKIP LOCKED) summary
        UNION ALL SELECT place FROM (SELECT ctid AS place FROM ready q WHERE lane = 3 AND gate = 0 ORDER BY lane, gate, tag, job FOR UPDATE SKIP LOCKED) embedding) r
     WHERE place <> ALL (ARRAY (SELECT place FROM aged))
     LIMIT (SELECT places - (SELECT count(*) FROM aged) FROM room))
    UNION ALL SELECT place FROM aged
), taken AS (
    DELETE FROM ready WHERE ctid = ANY (ARRAY (SELECT place FROM chat UNION ALL SELECT place FROM rest))
    RETURNING job, lease, attempt, crashes, had_output
), started AS MATERIALIZED (
    SELECT t.job, CASE WHEN j.kind <> ALL (ARRAY (SELECT kind FROM paused_kinds))
                       THEN greatest(t.lease + 1, f.number) END AS lease,
           t.lease AS old, t.attempt, t.crashes, t.had_output, j.kind, j.lane, j.gate, j.tag, j.user_id,
           j.serial_key, j.payload, j.max_attempts, j.deadline_ms
    FROM taken t CROSS JOIN (SELECT lease_floor() AS number) f JOIN jobs j ON j.id = t.job
), leased AS (
    INSERT INTO running (job, lease, worker, attempt, crashes, had_output, started_at, deadline)
    SELECT job, lease, '00000000-0000-7000-8000-000000000001'::uuid, attempt + 1, crashes, had_output, clock_timestamp(),
           clock_timestamp() + deadline_ms * interval '1 millisecond'
    FROM started WHERE lease IS NOT NULL
), aside AS (
    INSERT INTO deferred (due, job, lease, attempt, crashes, had_output, reason)
    SELECT 'infinity', job, old, attempt, crashes, had_output, 'paused' FROM started WHERE lease IS NULL
)
SELECT coalesce(array_agg(job ORDER BY lane, tag, job)::text, '{}') AS jobs,
       coalesce(array_agg(lease ORDER BY lane, tag, job)::text, '{}') AS leases,
       coalesce(array_agg(NULL::text)::text, '{}') AS results
FROM started \gset
WITH ended AS (
    DELETE FROM running r USING unnest(:jobs::uuid[], :leases::bigint[], :results::text[]) AS g (job, lease, result)
    WHERE r.job = g.job AND r.lease = g.lease
    RETURNING r.job, r.lease, r.attempt, r.started_at, r.cancel_requested, g.result
)
UPDATE jobs j SET state = CASE WHEN e.cancel_requested THEN 6 ELSE 4 END, lease = e.lease,
       attempt = e.attempt, started_at = e.started_at, finished_at = now(),
       result = CASE WHEN NOT e.cancel_requested THEN e.result END
FROM ended e WHERE j.id = e.job
RETURNING j.id;
