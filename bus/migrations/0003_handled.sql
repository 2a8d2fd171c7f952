-- Commands that are handled in the transaction that accepts them, and events that have no position yet.

-- Events of transactions that commit beside each other. Whoever locks the log next gives them their positions: so there
-- are no holes, and what was committed before another began stands before it.
CREATE TABLE staged (
    seq BIGINT GENERATED ALWAYS AS IDENTITY,
    xid BIGINT NOT NULL DEFAULT (pg_current_xact_id()::text)::bigint,
    message_id UUID NOT NULL,
    name TEXT NOT NULL,
    version BIGINT NOT NULL,
    command_id UUID,
    conversation_id UUID,
    initiator_id UUID,
    at_ms BIGINT NOT NULL,
    body TEXT NOT NULL,
    -- It says what became of a command, whose row notes its position.
    is_status BOOLEAN NOT NULL
) WITH (autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_scale_factor = 0);
CREATE INDEX staged_xid ON staged (xid);

-- Every transaction before this one has ended, and what it staged has its positions: a search begins there, and not
-- at the remains of what was removed.
ALTER TABLE log ADD COLUMN staged_from BIGINT NOT NULL DEFAULT 0;

-- Gives positions after `last`, while the log is locked.
CREATE FUNCTION number_staged(last BIGINT) RETURNS BIGINT LANGUAGE plpgsql
    SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    added BIGINT;
    low BIGINT;
BEGIN
    WITH moved AS (
            DELETE FROM staged WHERE xid >= (SELECT staged_from FROM log) RETURNING *
        ), numbered AS (
            SELECT m.*, last + row_number() OVER (ORDER BY m.seq) AS position FROM moved m
        ), logged AS (
            INSERT INTO event (position, message_id, name, version, command_id, conversation_id, initiator_id, at_ms,
                body)
            SELECT n.position, n.message_id, n.name, n.version, n.command_id, n.conversation_id, n.initiator_id,
                n.at_ms, n.body
            FROM numbered n
        ), noted AS (
            UPDATE inbox i SET positions = i.positions || s.positions
            FROM (
                SELECT n.command_id, array_agg(n.position ORDER BY n.position) AS positions
                FROM numbered n WHERE n.is_status GROUP BY n.command_id) s
            WHERE i.command_id = s.command_id
        )
    SELECT count(*), (pg_snapshot_xmin(pg_current_snapshot())::text)::bigint INTO added, low FROM numbered;
    UPDATE log SET head = last + added, staged_from = low;
    PERFORM wake(0, 'e');
    RETURN last + added;
END
$$;

CREATE OR REPLACE FUNCTION lock_log() RETURNS BIGINT LANGUAGE plpgsql AS $$
DECLARE
    last BIGINT;
    low BIGINT;
BEGIN
    SELECT head, staged_from INTO STRICT last, low FROM log FOR UPDATE;
    PERFORM set_config('idle_in_transaction_session_timeout', '10s', TRUE);
    IF EXISTS (SELECT FROM staged WHERE xid >= low) THEN
        RETURN number_staged(last);
    END IF;
    RETURN last;
END
$$;

-- Gives positions to whatever is committed and has none; whether there was anything.
CREATE FUNCTION number() RETURNS BOOLEAN LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM staged WHERE xid >= (SELECT staged_from FROM log)) THEN
        RETURN FALSE;
    END IF;
    PERFORM lock_log();
    RETURN TRUE;
END
$$;

-- Puts commands of one contract that are handled already into the inbox, with the events that say so: the first of the
-- events are that they were accepted, the last what they ended as. Gives the log's last position, 0 where the events are
-- staged, and NULL where one of the commands is known: nothing of the transaction may be stored then.
CREATE FUNCTION handle(
    own INTEGER, now_ms BIGINT, is_staged BOOLEAN, of_name TEXT, of_version BIGINT, at_endpoint TEXT,
    ids UUID[], conversation_ids UUID[], initiator_ids UUID[], callers TEXT[], bodies TEXT[], hashes UUID[],
    originals BYTEA[], states SMALLINT[], ends BIGINT[],
    message_ids UUID[], names TEXT[], versions BIGINT[], command_ids UUID[], of_conversations UUID[],
    of_initiators UUID[], event_bodies TEXT[]
) RETURNS BIGINT LANGUAGE plpgsql AS $$
DECLARE
    given INTEGER := cardinality(ids);
    appended INTEGER := cardinality(names);
    before BIGINT := 0;
    added INTEGER;
BEGIN
    IF NOT is_staged THEN
        before := lock_log();
    END IF;
    INSERT INTO inbox (command_id, conversation_id, initiator_id, name, version, endpoint, caller, body,
        body_hash, state, attempts, due_ms, accepted_ms, ended_ms, positions, original)
    SELECT g.id, g.conversation, g.initiator, of_name, of_version, at_endpoint, g.caller, g.body, g.hash, g.state, 1,
        now_ms, now_ms, g.ended,
        CASE WHEN is_staged THEN '{}' ELSE ARRAY[before + g.n, before + appended - given + g.n] END, g.original
    FROM unnest(ids, conversation_ids, initiator_ids, callers, bodies, hashes, originals, states, ends)
        WITH ORDINALITY g (id, conversation, initiator, caller, body, hash, original, state, ended, n)
    ON CONFLICT (command_id) DO NOTHING;
    GET DIAGNOSTICS added = ROW_COUNT;
    IF added < given THEN
        RETURN NULL;
    END IF;
    IF is_staged THEN
        INSERT INTO staged (message_id, name, version, command_id, conversation_id, initiator_id, at_ms, body,
            is_status)
        SELECT e.message, e.name, e.version, e.command, e.conversation, e.initiator, now_ms, e.body,
            e.n <= given OR e.n > appended - given
        FROM unnest(message_ids, names, versions, command_ids, of_conversations, of_initiators, event_bodies)
            WITH ORDINALITY e (message, name, version, command, conversation, initiator, body, n)
        ORDER BY e.n;
        RETURN 0;
    END IF;
    INSERT INTO event (position, message_id, name, version, command_id, conversation_id, initiator_id, at_ms, body)
    SELECT before + e.n, e.message, e.name, e.version, e.command, e.conversation, e.initiator, now_ms, e.body
    FROM unnest(message_ids, names, versions, command_ids, of_conversations, of_initiators, event_bodies)
        WITH ORDINALITY e (message, name, version, command, conversation, initiator, body, n);
    UPDATE log SET head = before + appended;
    PERFORM wake(own, 'e');
    RETURN before + appended;
END
$$;
