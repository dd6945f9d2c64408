-- Jobs of a gate would be found by no claim of a program that knows none.
UPDATE ready SET gate = 0 WHERE gate > 0;
UPDATE jobs SET gate = 0 WHERE gate > 0;
DROP INDEX jobs_gate;
DROP TABLE provider_places, providers;
ALTER TABLE models DROP COLUMN max_concurrent, DROP COLUMN requests_per_minute, DROP COLUMN tokens_per_minute;
