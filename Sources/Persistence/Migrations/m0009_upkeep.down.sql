ALTER TABLE tenant_weights ALTER COLUMN weight TYPE real USING greatest(weight, 0.0100001)::real;
CREATE OR REPLACE FUNCTION drop_event_partition(horizon timestamptz) RETURNS text
LANGUAGE plpgsql SET lock_timeout = '100ms' AS $$
DECLARE
    name text := (
        SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'events'::regclass
          AND substring(pg_get_expr(c.relpartbound, c.oid) FROM 'TO \(''([^'']+)''\)')::timestamptz <= horizon
        ORDER BY c.relname LIMIT 1);
BEGIN
    IF name IS NOT NULL THEN
        EXECUTE format('ALTER TABLE events DETACH PARTITION %I', name);
        EXECUTE format('DROP TABLE %I', name);
    END IF;
    RETURN name;
END $$;
DROP FUNCTION old_event_partition(timestamptz);
