-- A turn of a conversation in one statement, because a person waits for it: as statements of a transaction it was four
-- round trips. Why it commits asynchronously, and how the caller makes it durable: docs/architecture.md, Durability.

-- Stores the turn, the placeholder of its reply, the reply's job with the first events of its stream and, for a first
-- turn whose session has no title, the title's job; wakes the workers. Where the job stands: 0 in line, 2 behind another.
-- Or it changes nothing and `refusal` says why: `session` or `parent` for one that is not there, `busy`, `repeated` for
-- an id that was stored before.
--
-- A conflict with a deletion that commits meanwhile is a serialization failure; run again, it finds the thing gone.
-- Lock order: serial key, session, as everywhere. Index: primary keys, and those of enqueue_job.
CREATE FUNCTION submit_turn(
    owner uuid, in_session uuid, turn uuid, reply uuid, reply_job uuid, new_title_job uuid, new_content text, new_parts text,
    wanted_parent uuid, reply_payload text, reply_gate smallint, reply_attempts smallint, reply_deadline_ms bigint,
    title_payload text, title_gate smallint, title_attempts smallint, title_deadline_ms bigint, rejects_busy boolean,
    event_kinds smallint[], event_data text[], event_written timestamptz, notifies boolean,
    OUT place smallint, OUT refusal text, OUT new_version bigint
) LANGUAGE plpgsql AS $$
DECLARE
    parent uuid;
    turns  integer;
    title  text;
BEGIN
    PERFORM set_config('synchronous_commit', 'off', true);
    IF EXISTS (SELECT FROM jobs j WHERE j.id = reply_job) THEN
        refusal := 'repeated';
    ELSIF NOT EXISTS (SELECT FROM sessions s WHERE s.id = in_session AND s.user_id = owner) THEN
        refusal := 'session';
    ELSIF wanted_parent IS NOT NULL AND NOT EXISTS (
        SELECT FROM messages m WHERE m.id = wanted_parent AND m.session_id = in_session AND m.user_id = owner
    ) THEN
        refusal := 'parent';
    ELSIF rejects_busy AND EXISTS (SELECT FROM serial_heads h WHERE h.serial_key = in_session) THEN
        refusal := 'busy';
    END IF;
    IF refusal IS NOT NULL THEN RETURN; END IF;

    SELECT e.place INTO place
    FROM enqueue_job(reply_job, 'chat', 0::smallint, reply_gate, owner, in_session, reply_payload, 0::smallint,
                     reply_attempts, reply_deadline_ms, NULL, NULL) e;
    SELECT s.leaf_id, s.message_count, s.title_source INTO parent, turns, title
    FROM sessions s WHERE s.id = in_session AND s.user_id = owner FOR UPDATE;
    -- What was so a moment ago has changed since.
    IF NOT FOUND OR place IS NULL OR (place = 2 AND rejects_busy) OR wanted_parent IS NOT NULL AND NOT EXISTS (
        SELECT FROM messages m WHERE m.id = wanted_parent AND m.session_id = in_session AND m.user_id = owner
    ) THEN
        RAISE EXCEPTION 'the session has changed' USING ERRCODE = 'serialization_failure';
    END IF;

    -- The last of the events is for those who wait behind another.
    INSERT INTO events (job, lease, seq, kind, data, written)
    SELECT reply_job, 0, e.seq, e.kind, e.data, event_written
    FROM unnest(event_kinds, event_data) WITH ORDINALITY AS e (kind, data, seq)
    WHERE place = 2 OR e.seq < cardinality(event_kinds);
    INSERT INTO messages (id, user_id, session_id, parent_id, role, content, parts, status, job_id)
    VALUES (turn, owner, in_session, coalesce(wanted_parent, parent), 'user', new_content, new_parts, 'complete', NULL),
           (reply, owner, in_session, turn, 'assistant', '', NULL, 'queued', reply_job);
    UPDATE sessions s SET leaf_id = reply, message_count = turns + 2, updated_at = now(), version = s.version + 1
    WHERE s.id = in_session AND s.user_id = owner
    RETURNING s.version INTO new_version;
    IF place = 0 AND notifies THEN PERFORM pg_notify('jobs', '0'); END IF;

    IF title_payload IS NOT NULL AND turns = 0 AND title = 'default' THEN
        PERFORM enqueue_job(new_title_job, 'title', 1::smallint, title_gate, owner, NULL, title_payload, 0::smallint,
                            title_attempts, title_deadline_ms, NULL, NULL);
        IF notifies THEN PERFORM pg_notify('jobs', '1'); END IF;
    END IF;
END $$;
