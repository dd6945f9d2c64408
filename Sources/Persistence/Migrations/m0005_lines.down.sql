-- Without pauses nothing would find what a pause has set aside.
UPDATE deferred SET due = now() WHERE due = 'infinity';
DROP FUNCTION enqueue(text, text, uuid, text, timestamptz, integer, text, uuid, integer, integer, interval, uuid, boolean);
DROP FUNCTION enqueue(text, jsonb, uuid, text, timestamptz, integer, text, uuid, integer, integer, interval, uuid, boolean);
DROP FUNCTION enqueue_job(uuid, text, smallint, smallint, uuid, uuid, text, smallint, smallint, bigint, timestamptz, text);
DROP FUNCTION new_job_id();
DROP TRIGGER jobs_free_unique_key ON jobs;
DROP FUNCTION free_unique_key();
DROP FUNCTION next_tag(smallint, smallint, uuid, smallint);
DROP INDEX ready_tenant;
ALTER TABLE ready DROP COLUMN user_id, DROP COLUMN priority;
ALTER TABLE jobs DROP COLUMN unique_key;
DROP TABLE schedules, unique_keys, tenant_weights, paused_kinds;
