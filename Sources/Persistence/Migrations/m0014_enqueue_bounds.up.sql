-- Bounds of a time, a run's length and a gate that come from other programs. What `enqueue` does: m0005.
CREATE OR REPLACE FUNCTION enqueue(
    kind text, payload text, user_id uuid, lane text DEFAULT 'embedding', run_at timestamptz DEFAULT NULL,
    priority integer DEFAULT 0, unique_key text DEFAULT NULL, serial_key uuid DEFAULT NULL,
    gate integer DEFAULT 0, max_attempts integer DEFAULT 5, run_limit interval DEFAULT '15 minutes',
    id uuid DEFAULT NULL, notify boolean DEFAULT true
) RETURNS uuid LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
    number   smallint := array_position(ARRAY['chat', 'title', 'summary', 'embedding'], lane) - 1;
    place    smallint;
    standing uuid;
BEGIN
    IF number IS NULL THEN
        RAISE EXCEPTION 'lane is none of chat, title, summary, embedding' USING ERRCODE = '22023';
    ELSIF priority NOT BETWEEN -100 AND 100 OR max_attempts NOT BETWEEN 1 AND 1000 OR run_limit <= '0' THEN
        RAISE EXCEPTION 'priority, max_attempts or run_limit is out of bounds' USING ERRCODE = '22023';
    END IF;
    -- What no worker could read, run or find, and every claim would meet again.
    IF run_at NOT BETWEEN '2000-01-01' AND '9999-12-31' THEN
        RAISE EXCEPTION 'run_at is out of bounds' USING ERRCODE = '22023';
    ELSIF run_limit > interval '30 days' THEN
        RAISE EXCEPTION 'run_limit is above 30 days' USING ERRCODE = '22023';
    ELSIF gate <> 0 AND NOT EXISTS (SELECT FROM providers p WHERE p.gate = enqueue.gate) THEN
        RAISE EXCEPTION 'no model has this gate' USING ERRCODE = '22023';
    END IF;
    PERFORM payload::json;
    SELECT e.place, e.standing INTO place, standing
    FROM enqueue_job(coalesce(id, new_job_id()), kind, number, gate::smallint, user_id, serial_key, payload,
                     priority::smallint, max_attempts::smallint, (extract(epoch FROM run_limit) * 1000)::bigint,
                     run_at, unique_key) e;
    IF notify AND place = 0 THEN PERFORM pg_notify('jobs', number::text); END IF;
    RETURN standing;
END $$;
