-- A store that nobody else listens to wakes nobody, and is given what it has numbered.

-- Wakes every other process that serves or reads the context, as store `own`; nobody where that is NULL.
CREATE OR REPLACE FUNCTION wake(own INTEGER, what TEXT) RETURNS VOID LANGUAGE sql AS $$
    SELECT pg_catalog.pg_notify('orchard_' || current_schema(), own || ' ' || what) WHERE own IS NOT NULL
$$;

-- Gives positions after `last`, while the log is locked, and gives up to `most` of the events that have them now, the
-- last one first. The transaction must be as durable as those that staged them: a position that was read is never given
-- to another event.
DROP FUNCTION number_staged(BIGINT);
CREATE FUNCTION number_staged(last BIGINT, own INTEGER, most BIGINT) RETURNS SETOF event LANGUAGE plpgsql
    SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
BEGIN
    RETURN QUERY
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
        ), headed AS (
            UPDATE log SET head = last + (SELECT count(*) FROM numbered),
                staged_from = (pg_snapshot_xmin(pg_current_snapshot())::text)::bigint
        )
    SELECT n.position, n.message_id, n.name, n.version, n.command_id, n.conversation_id, n.initiator_id, n.at_ms, n.body
    FROM numbered n ORDER BY n.position DESC LIMIT most;
    PERFORM wake(own, 'e');
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
        -- Whoever waits for these is woken, this process too.
        PERFORM number_staged(last, 0, 0);
        SELECT head INTO STRICT last FROM log;
    END IF;
    RETURN last;
END
$$;

-- Gives positions to whatever is committed and has none, and gives the last of these events, up to `most`.
DROP FUNCTION number();
CREATE FUNCTION number(own INTEGER, most BIGINT) RETURNS SETOF event LANGUAGE plpgsql AS $$
DECLARE
    last BIGINT;
BEGIN
    IF NOT EXISTS (SELECT FROM staged WHERE xid >= (SELECT staged_from FROM log)) THEN
        RETURN;
    END IF;
    SELECT head INTO STRICT last FROM log FOR UPDATE;
    PERFORM set_config('idle_in_transaction_session_timeout', '10s', TRUE);
    RETURN QUERY SELECT * FROM number_staged(last, own, most);
END
$$;
