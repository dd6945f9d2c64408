-- Gates, pauses, fair shares, unique keys, retries by hand, recurring upkeep. Why it is so: docs/queue.md.

-- Kinds that no worker may claim. Nearly always empty; read by each claim.
CREATE TABLE paused_kinds (
    kind  text        PRIMARY KEY,
    since timestamptz NOT NULL DEFAULT now()
);

-- Tenants that get more or less of a lane than others, who have 1. Only where several have jobs in it.
CREATE TABLE tenant_weights (
    user_id uuid PRIMARY KEY,
    weight  real NOT NULL CHECK (weight BETWEEN 0.01 AND 10)
);

-- The line knows its tenants: where the last job of each stands decides where the next one goes.
ALTER TABLE ready ADD COLUMN user_id uuid, ADD COLUMN priority smallint;
UPDATE ready SET user_id = j.user_id, priority = j.priority FROM jobs j WHERE j.id = ready.job;
ALTER TABLE ready ALTER COLUMN user_id SET NOT NULL, ALTER COLUMN priority SET NOT NULL;
CREATE INDEX ready_tenant ON ready (user_id, lane, gate, priority, tag);

-- Where the next job of a tenant goes in a line, and how far behind it the one after it.
--
-- A tag is a virtual start time in microseconds. While the line is empty it is the time. Otherwise it is that of the
-- first job in line, or ten microseconds (by weight) after the tenant's last one, whichever is later. So tenants with
-- jobs in line take turns, one that comes new is soon served, and one that was alone is not charged for it. No row is
-- written for this, so nobody waits for anybody; what others are about to commit is not seen, and shares a place.
-- Steps are that small so that tags fall behind the clock while a line is worked off: then an empty line, which
-- begins with the time again, is never behind what was there before. A step of priority is a minute.
--
-- Index: ready_pkey (first entry), ready_tenant (last entry beyond it, so that what was taken is not walked over).
CREATE FUNCTION next_tag(
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

-- Keys under which at most one unfinished job of a user and kind exists. Freed when the job ends, whoever ends it.
ALTER TABLE jobs ADD COLUMN unique_key text;
CREATE TABLE unique_keys (
    user_id uuid NOT NULL,
    kind    text NOT NULL,
    key     text NOT NULL CHECK (length(key) BETWEEN 1 AND 500),
    job     uuid NOT NULL,
    PRIMARY KEY (user_id, kind, key)
);
CREATE FUNCTION free_unique_key() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM unique_keys
    WHERE user_id = NEW.user_id AND kind = NEW.kind AND key = NEW.unique_key AND job = NEW.id;
    RETURN NULL;
END $$;
CREATE TRIGGER jobs_free_unique_key AFTER UPDATE OF state ON jobs FOR EACH ROW
    WHEN (NEW.unique_key IS NOT NULL AND NEW.state IS NOT NULL AND OLD.state IS NULL)
    EXECUTE FUNCTION free_unique_key();

-- Stores a job and puts it where it belongs: 0 in line, 1 until it is due, 2 behind the head of its serial key.
-- Null when nothing was stored: the id was there, or the unique key was another job's, which `standing` then names.
--
-- The row of the serial key is locked until the commit: that orders the enqueues and ends of a key. Statements of this
-- function see what was committed before them, so the position behind the key's last is taken after that lock and
-- needs no clock. Lock order, here and at every end and retry: serial key, unique key, job.
-- Index: primary keys, and those of next_tag.
CREATE FUNCTION enqueue_job(
    new_id uuid, new_kind text, new_lane smallint, new_gate smallint, new_user uuid, new_serial_key uuid,
    new_payload text, new_priority smallint, new_max_attempts smallint, new_deadline_ms bigint,
    new_run_at timestamptz, new_unique_key text, OUT place smallint, OUT standing uuid
) LANGUAGE plpgsql AS $$
DECLARE
    head         uuid := new_id;
    is_new_key   boolean := false;
    took_unique  boolean := false;
    new_tag      bigint;
BEGIN
    standing := new_id;
    WHILE new_serial_key IS NOT NULL LOOP
        INSERT INTO serial_heads (serial_key, job) VALUES (new_serial_key, new_id) ON CONFLICT DO NOTHING;
        is_new_key := FOUND;
        EXIT WHEN is_new_key;
        SELECT h.job INTO head FROM serial_heads h WHERE h.serial_key = new_serial_key FOR UPDATE;
        EXIT WHEN FOUND;
        -- Its last job has ended in between.
    END LOOP;
    WHILE new_unique_key IS NOT NULL LOOP
        INSERT INTO unique_keys (user_id, kind, key, job) VALUES (new_user, new_kind, new_unique_key, new_id)
        ON CONFLICT DO NOTHING;
        took_unique := FOUND;
        EXIT WHEN took_unique;
        SELECT u.job INTO standing FROM unique_keys u
        WHERE u.user_id = new_user AND u.kind = new_kind AND u.key = new_unique_key;
        EXIT WHEN FOUND;
        -- The job that had it has ended in between.
        standing := new_id;
    END LOOP;
    IF new_unique_key IS NULL OR took_unique THEN
        new_tag := (SELECT t.first FROM next_tag(new_lane, new_gate, new_user, new_priority) t);
        INSERT INTO jobs (id, kind, lane, gate, tag, user_id, serial_key, payload, priority, max_attempts, deadline_ms,
                          created_at, run_at, unique_key)
        VALUES (new_id, new_kind, new_lane, new_gate, new_tag, new_user, new_serial_key, new_payload, new_priority,
                new_max_attempts, new_deadline_ms, now(), coalesce(new_run_at, now()), new_unique_key)
        ON CONFLICT (id) DO NOTHING;
    END IF;
    IF NOT FOUND OR (new_unique_key IS NOT NULL AND NOT took_unique) THEN
        -- Nothing was stored, so nothing is held.
        IF is_new_key THEN DELETE FROM serial_heads h WHERE h.serial_key = new_serial_key; END IF;
        IF took_unique THEN
            DELETE FROM unique_keys u
            WHERE u.user_id = new_user AND u.kind = new_kind AND u.key = new_unique_key;
        END IF;
    ELSIF head <> new_id THEN
        place := 2;
        INSERT INTO waiting (serial_key, position, job, lease, attempt, crashes, had_output)
        VALUES (new_serial_key,
                coalesce((SELECT w.position FROM waiting w WHERE w.serial_key = new_serial_key
                          ORDER BY w.serial_key DESC, w.position DESC LIMIT 1), 0) + 1,
                new_id, 0, 0, 0, false);
    ELSIF new_run_at > now() THEN
        place := 1;
        INSERT INTO deferred (due, job, lease, attempt, crashes, had_output, reason)
        VALUES (new_run_at, new_id, 0, 0, 0, false, 'scheduled');
    ELSE
        place := 0;
        INSERT INTO ready (lane, gate, tag, job, lease, attempt, crashes, had_output, user_id, priority)
        VALUES (new_lane, new_gate, new_tag, new_id, 0, 0, 0, false, new_user, new_priority);
    END IF;
END $$;

-- A UUID of version 7: jobs are found, and their events' partitions, by the time in it.
CREATE FUNCTION new_job_id() RETURNS uuid LANGUAGE sql VOLATILE AS $$
    SELECT encode(set_bit(set_bit(overlay(uuid_send(gen_random_uuid())
        PLACING substring(int8send(floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint) FROM 3) FROM 1 FOR 6),
        52, 1), 53, 1), 'hex')::uuid
$$;

-- Enqueues a job within the transaction of whoever calls it: psql, a trigger, a program in any language.
--
--   SELECT enqueue('noop', '{}', '0190…', lane => 'title', unique_key => 'nightly');
--
-- Same result as the program's own enqueue: the job is seen when the transaction commits, or never. Returns the id of
-- the job that stands: the new one, or the unfinished one of the same user, kind and unique key. Workers are told at the
-- commit; `notify => false` leaves it to their next look, at most 5 seconds later, and is for transactions that enqueue
-- much or wait long in their commit, because a notifying commit holds a lock of the whole database.
CREATE FUNCTION enqueue(
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
    PERFORM payload::json;
    SELECT e.place, e.standing INTO place, standing
    FROM enqueue_job(coalesce(id, new_job_id()), kind, number, gate::smallint, user_id, serial_key, payload,
                     priority::smallint, max_attempts::smallint, (extract(epoch FROM run_limit) * 1000)::bigint,
                     run_at, unique_key) e;
    IF notify AND place = 0 THEN PERFORM pg_notify('jobs', number::text); END IF;
    RETURN standing;
END $$;
CREATE FUNCTION enqueue(
    kind text, payload jsonb, user_id uuid, lane text DEFAULT 'embedding', run_at timestamptz DEFAULT NULL,
    priority integer DEFAULT 0, unique_key text DEFAULT NULL, serial_key uuid DEFAULT NULL,
    gate integer DEFAULT 0, max_attempts integer DEFAULT 5, run_limit interval DEFAULT '15 minutes',
    id uuid DEFAULT NULL, notify boolean DEFAULT true
) RETURNS uuid LANGUAGE sql VOLATILE AS $$
    SELECT enqueue(kind, payload::text, user_id, lane, run_at, priority, unique_key, serial_key, gate, max_attempts,
                   run_limit, id, notify)
$$;

-- What is to be done once in a while by one process of all, and when one last began it.
CREATE TABLE schedules (
    name      text        PRIMARY KEY,
    last_tick timestamptz NOT NULL
);
