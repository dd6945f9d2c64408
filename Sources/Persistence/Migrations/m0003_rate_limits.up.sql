-- How much of each limit is used within a window. A row counts what processes have drawn, not what they have used:
-- each draws a few permits at a time and answers from memory while it has some.
--
-- Unlogged: a draw writes no WAL, so its commit waits for no disk and no standby. A crash of the database empties
-- it, and the window of the crash begins anew.
CREATE UNLOGGED TABLE rate_limits (
    kind         smallint    NOT NULL,
    key          uuid        NOT NULL,
    window_start timestamptz NOT NULL,
    ends_at      timestamptz NOT NULL,
    maximum      integer     NOT NULL,
    used         integer     NOT NULL,
    granted      integer     NOT NULL,
    PRIMARY KEY (kind, key, window_start)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000,
        autovacuum_vacuum_cost_delay = 0);
CREATE INDEX rate_limits_end ON rate_limits (ends_at);
