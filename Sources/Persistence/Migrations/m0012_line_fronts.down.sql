CREATE OR REPLACE FUNCTION next_tag(
    in_lane smallint, in_gate smallint, tenant uuid, in_priority smallint, OUT first bigint, OUT step bigint
) LANGUAGE plpgsql AS $$
DECLARE
    ahead bigint := in_priority * 60000000::bigint;
    last  bigint;
BEGIN
    step := coalesce((SELECT round(10 / weight)::bigint FROM tenant_weights WHERE user_id = tenant), 10);
    first := (SELECT q.tag + q.priority * 60000000::bigint FROM ready q WHERE q.lane = in_lane AND q.gate = in_gate
              ORDER BY q.lane, q.gate, q.tag, q.job LIMIT 1) - ahead;
    IF first IS NULL THEN
        first := (extract(epoch FROM clock_timestamp()) * 1000000)::bigint - ahead;
        RETURN;
    END IF;
    -- Compared as rows, so that no plan can walk the lane and look for the tenant in it.
    last := (SELECT q.tag FROM ready q
             WHERE (q.user_id, q.lane, q.gate, q.priority, q.tag) >= (tenant, in_lane, in_gate, in_priority, first)
               AND (q.user_id, q.lane, q.gate, q.priority) <= (tenant, in_lane, in_gate, in_priority)
             ORDER BY q.user_id DESC, q.lane DESC, q.gate DESC, q.priority DESC, q.tag DESC LIMIT 1);
    IF last IS NOT NULL THEN first := last + step; END IF;
END $$;
DROP TABLE line_fronts;
