-- The queue, the token log and the workers. Why each table is its own: docs/queue.md.

-- The record of a job: written at enqueue, updated once at its end. Where a live job stands is told by the one
-- of ready, waiting, running and deferred that holds it; `state` is set when none does.
CREATE TABLE jobs (
    id            uuid PRIMARY KEY,
    kind          text        NOT NULL,
    lane          smallint    NOT NULL,
    gate          smallint    NOT NULL DEFAULT 0,
    tag           bigint      NOT NULL,
    user_id       uuid        NOT NULL,
    serial_key    uuid,
    payload       text        NOT NULL,
    priority      smallint    NOT NULL DEFAULT 0,
    max_attempts  smallint    NOT NULL,
    deadline_ms   bigint      NOT NULL,
    created_at    timestamptz NOT NULL,
    run_at        timestamptz NOT NULL,
    state         smallint,
    lease         bigint,
    attempt       smallint,
    started_at    timestamptz,
    finished_at   timestamptz,
    result        text,
    error_code    text,
    error_message text
);
CREATE INDEX jobs_user ON jobs (user_id, id);

-- What went wrong in each attempt, oldest first; kept with the job.
CREATE TABLE job_errors (
    job      uuid        NOT NULL,
    lease    bigint      NOT NULL,
    at       timestamptz NOT NULL,
    attempt  smallint    NOT NULL,
    code     text        NOT NULL,
    message  text        NOT NULL,
    PRIMARY KEY (job, lease)
);

-- The line. Insert and delete only, and only what can run: the claim walks its key from the front.
CREATE TABLE ready (
    lane       smallint NOT NULL,
    gate       smallint NOT NULL,
    tag        bigint   NOT NULL,
    job        uuid     NOT NULL,
    lease      bigint   NOT NULL,
    attempt    smallint NOT NULL,
    crashes    smallint NOT NULL,
    had_output boolean  NOT NULL,
    PRIMARY KEY (lane, gate, tag, job)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0);

-- One row a serial key that has live jobs: its head, and the lock that orders its enqueues and ends.
CREATE TABLE serial_heads (
    serial_key uuid PRIMARY KEY,
    job        uuid NOT NULL
) WITH (fillfactor = 70);

-- Jobs behind the head of their serial key.
CREATE TABLE waiting (
    serial_key uuid     NOT NULL,
    position   bigint   NOT NULL,
    job        uuid     NOT NULL,
    lease      bigint   NOT NULL,
    attempt    smallint NOT NULL,
    crashes    smallint NOT NULL,
    had_output boolean  NOT NULL,
    PRIMARY KEY (serial_key, position, job)
);

-- The leases. Every write made for a running job holds only while (job, lease) stands here.
CREATE TABLE running (
    job              uuid        PRIMARY KEY,
    lease            bigint      NOT NULL,
    worker           uuid        NOT NULL,
    attempt          smallint    NOT NULL,
    crashes          smallint    NOT NULL,
    had_output       boolean     NOT NULL,
    started_at       timestamptz NOT NULL,
    deadline         timestamptz NOT NULL,
    cancel_requested boolean     NOT NULL DEFAULT false
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000, autovacuum_vacuum_cost_delay = 0);
CREATE INDEX running_worker ON running (worker);

-- Scheduled, retrying and parked jobs, by the time they are due.
CREATE TABLE deferred (
    due        timestamptz NOT NULL,
    job        uuid        NOT NULL,
    lease      bigint      NOT NULL,
    attempt    smallint    NOT NULL,
    crashes    smallint    NOT NULL,
    had_output boolean     NOT NULL,
    reason     text        NOT NULL,
    PRIMARY KEY (due, job)
);
CREATE UNIQUE INDEX deferred_job ON deferred (job);

-- One row a worker process. The counter moves while all is well with it; no clock is involved.
CREATE TABLE workers (
    id         uuid        PRIMARY KEY,
    beat       bigint      NOT NULL DEFAULT 0,
    draining   boolean     NOT NULL DEFAULT false,
    slots      integer     NOT NULL,
    version    text        NOT NULL,
    started_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 50);

-- The token log: append only, one dense sequence a lease. The cursor of a reader is (lease, seq).
CREATE TABLE events (
    job     uuid        NOT NULL,
    lease   bigint      NOT NULL,
    seq     integer     NOT NULL,
    kind    smallint    NOT NULL,
    data    text        NOT NULL,
    written timestamptz NOT NULL,
    PRIMARY KEY (job, lease, seq, written)
) PARTITION BY RANGE (written);

-- Makes the partitions that cover [now - 1 h, now + ahead], each `width` long on multiples of it. Attaching a
-- finished table takes a weaker lock than CREATE … PARTITION OF, so appends do not wait.
CREATE FUNCTION ensure_event_partitions(width interval, ahead interval) RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
    seconds bigint := extract(epoch FROM width)::bigint;
    slot    bigint := floor((extract(epoch FROM clock_timestamp()) - 3600) / seconds)::bigint;
    last    bigint := floor((extract(epoch FROM clock_timestamp() + ahead)) / seconds)::bigint;
    name    text;
    made    integer := 0;
BEGIN
    PERFORM pg_advisory_xact_lock(723711797, 1);
    WHILE slot <= last LOOP
        name := 'events_' || (slot * seconds);
        IF to_regclass(name) IS NULL THEN
            EXECUTE format('CREATE TABLE %I (LIKE events INCLUDING ALL)', name);
            EXECUTE format('ALTER TABLE events ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', name,
                           to_timestamp(slot * seconds), to_timestamp((slot + 1) * seconds));
            made := made + 1;
        END IF;
        slot := slot + 1;
    END LOOP;
    RETURN made;
END $$;

-- Drops the oldest partition that ends before `horizon` and says its name, or null when there is none. Waits at
-- most 100 ms for its lock: appends queue behind it meanwhile. The caller repeats.
CREATE FUNCTION drop_event_partition(horizon timestamptz) RETURNS text
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

-- The number a claim gives: above every lease of the job, and above what any earlier timeline or clock gave.
CREATE FUNCTION lease_floor() RETURNS bigint
LANGUAGE sql VOLATILE AS $$
    SELECT ('x' || substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8))::bit(32)::bigint << 52
         | ((extract(epoch FROM clock_timestamp()) * 1000)::bigint - 1577836800000) << 10
$$;

SELECT ensure_event_partitions('6 hours', '48 hours');
