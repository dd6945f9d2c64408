-- Partitions of the token log go without anybody waiting for it, also while a transaction is open that has read them.
-- That takes three steps, which no function can take: docs/queue.md.

-- The partition that is to go next, by the number in its name, and which step it waits for: 'detaching', begun and not
-- finished (one at most, and no other can begin meanwhile); 'detached', by this program, which says so in a comment, and
-- not dropped; 'attached', the oldest that ends before `horizon`. Null when there is none.
CREATE FUNCTION old_event_partition(horizon timestamptz, OUT number bigint, OUT stage text)
LANGUAGE sql STABLE AS $$
    SELECT p.number, p.stage
    FROM (
        SELECT substring(c.relname FROM 8)::bigint AS number,
               CASE WHEN i.inhrelid IS NULL THEN 'detached' WHEN i.inhdetachpending THEN 'detaching' ELSE 'attached'
               END AS stage,
               substring(pg_get_expr(c.relpartbound, c.oid) FROM 'TO \(''([^'']+)''\)')::timestamptz AS upper_bound,
               obj_description(c.oid, 'pg_class') AS mark
        FROM pg_class c LEFT JOIN pg_inherits i ON i.inhrelid = c.oid
        WHERE c.relnamespace = (SELECT e.relnamespace FROM pg_class e WHERE e.oid = 'events'::regclass)
          AND c.relkind = 'r' AND c.relname ~ '^events_[0-9]{1,18}$'
          AND coalesce(i.inhparent, 'events'::regclass) = 'events'::regclass
    ) p
    WHERE CASE p.stage WHEN 'detached' THEN p.mark = 'to be dropped' WHEN 'attached' THEN p.upper_bound <= horizon
          ELSE true END
    ORDER BY p.stage = 'attached', p.stage = 'detached', p.number LIMIT 1
$$;

-- For programs of before, which know this function alone: now it ends what another has begun.
CREATE OR REPLACE FUNCTION drop_event_partition(horizon timestamptz) RETURNS text
LANGUAGE plpgsql SET lock_timeout = '100ms' AS $$
DECLARE
    old  record;
    name text;
BEGIN
    SELECT o.number, o.stage INTO old FROM old_event_partition(horizon) o;
    IF old.number IS NOT NULL THEN
        name := 'events_' || old.number;
        IF old.stage <> 'detached' THEN
            EXECUTE format('ALTER TABLE events DETACH PARTITION %I%s', name,
                           CASE old.stage WHEN 'detaching' THEN ' FINALIZE' ELSE '' END);
        END IF;
        EXECUTE format('DROP TABLE %I', name);
    END IF;
    RETURN name;
END $$;

-- The least weight is one that the column can hold: 0.01 as a `real` is less than 0.01, and was refused.
ALTER TABLE tenant_weights ALTER COLUMN weight TYPE double precision USING weight::text::double precision;
