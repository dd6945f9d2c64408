-- Where lines begin while a transaction that stays open keeps what was claimed from being cleared away: docs/queue.md.

-- Below `front` nothing was in line when a claimer last looked. Written once a second by those whose claims are slow,
-- empty or void else. Unlogged: its commit waits for no disk, and after a crash nobody needs it.
CREATE UNLOGGED TABLE line_fronts (
    lane  smallint    NOT NULL,
    gate  smallint    NOT NULL,
    front bigint      NOT NULL,
    until timestamptz NOT NULL,
    PRIMARY KEY (lane, gate)
);

-- As before (m0005), but the first entry is looked for behind the front, if there is one that holds. A job below it,
-- which came back or has a higher priority, is then not the first, and if it is the only one the line counts as empty:
-- a new job then stands further behind than it might, but never before its tenant's own: of those at or behind `first`
-- the last is looked for in any case.
--
-- Index: line_fronts_pkey, ready_pkey (first entry), ready_tenant (last entry beyond it).
CREATE OR REPLACE FUNCTION next_tag(
    in_lane smallint, in_gate smallint, tenant uuid, in_priority smallint, OUT first bigint, OUT step bigint
) LANGUAGE plpgsql AS $$
DECLARE
    ahead bigint := in_priority * 60000000::bigint;
    last  bigint;
    front bigint := (SELECT f.front FROM line_fronts f
                     WHERE f.lane = in_lane AND f.gate = in_gate AND f.until > clock_timestamp());
BEGIN
    step := coalesce((SELECT round(10 / weight)::bigint FROM tenant_weights WHERE user_id = tenant), 10);
    first := (SELECT q.tag + q.priority * 60000000::bigint FROM ready q WHERE q.lane = in_lane AND q.gate = in_gate
                AND q.tag >= coalesce(front, -9223372036854775808)
              ORDER BY q.lane, q.gate, q.tag, q.job LIMIT 1) - ahead;
    IF first IS NULL THEN
        first := (extract(epoch FROM clock_timestamp()) * 1000000)::bigint - ahead;
        IF front IS NULL THEN RETURN; END IF;
    END IF;
    -- Compared as rows, so that no plan can walk the lane and look for the tenant in it.
    last := (SELECT q.tag FROM ready q
             WHERE (q.user_id, q.lane, q.gate, q.priority, q.tag) >= (tenant, in_lane, in_gate, in_priority, first)
               AND (q.user_id, q.lane, q.gate, q.priority) <= (tenant, in_lane, in_gate, in_priority)
             ORDER BY q.user_id DESC, q.lane DESC, q.gate DESC, q.priority DESC, q.tag DESC LIMIT 1);
    IF last IS NOT NULL THEN first := last + step; END IF;
END $$;
