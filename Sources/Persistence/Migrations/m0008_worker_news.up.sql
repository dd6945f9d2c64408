-- What a worker tells with its beats for people who look at the system. The rules of liveness use none of it: they know
-- the counter and no clock.
ALTER TABLE workers
    ADD COLUMN beat_at timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN recent  text        NOT NULL DEFAULT '[]';
