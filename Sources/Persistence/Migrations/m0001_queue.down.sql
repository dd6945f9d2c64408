DROP FUNCTION lease_floor();
DROP FUNCTION drop_event_partition(timestamptz);
DROP FUNCTION ensure_event_partitions(interval, interval);
DROP TABLE events, workers, deferred, running, waiting, serial_heads, ready, job_errors, jobs;
