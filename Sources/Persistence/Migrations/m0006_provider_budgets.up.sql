-- What all processes together may ask of a provider configuration: docs/providers.md.

ALTER TABLE models
    ADD COLUMN max_concurrent      integer CHECK (max_concurrent > 0),
    ADD COLUMN requests_per_minute integer CHECK (requests_per_minute > 0),
    ADD COLUMN tokens_per_minute   integer CHECK (tokens_per_minute > 0);

-- One row a configuration that is limited, blocked or in trouble; none for the others. `model` is no foreign key: the
-- environment's configurations are stored nowhere. `gate` is the configuration's own place in the line. What was taken
-- of a budget is kept by slots of a second (a parallel pair of arrays). `breaker_…` is the circuit breaker's state.
CREATE TABLE providers (
    model               uuid        PRIMARY KEY,
    gate                smallint    UNIQUE CHECK (gate > 0),
    max_concurrent      integer     CHECK (max_concurrent > 0),
    requests_per_minute integer     CHECK (requests_per_minute > 0),
    tokens_per_minute   integer     CHECK (tokens_per_minute > 0),
    request_slots       bigint[]    NOT NULL DEFAULT '{}',
    request_amounts     bigint[]    NOT NULL DEFAULT '{}',
    token_slots         bigint[]    NOT NULL DEFAULT '{}',
    token_amounts       bigint[]    NOT NULL DEFAULT '{}',
    place_wanted        boolean     NOT NULL DEFAULT false,
    blocked_until       timestamptz,
    blocked_reason      text,
    breaker_state       smallint    NOT NULL DEFAULT 0,
    breaker_failures    integer     NOT NULL DEFAULT 0,
    breaker_openings    integer     NOT NULL DEFAULT 0,
    breaker_failed_at   timestamptz,
    breaker_until       timestamptz,
    updated_at          timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);

-- How many calls at once each process may have under way. A dead process's row goes 15 s after its last beat.
CREATE TABLE provider_places (
    model  uuid    NOT NULL,
    worker uuid    NOT NULL,
    places integer NOT NULL CHECK (places >= 0),
    PRIMARY KEY (model, worker)
) WITH (fillfactor = 50);

-- Only for jobs of limited configurations, and by a column that never changes: ends of jobs stay heap-only updates.
CREATE INDEX jobs_gate ON jobs (gate) WHERE gate > 0;
