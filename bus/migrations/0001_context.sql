-- What every context has, in its own schema, which the connection's search_path names.
--
-- States: 0 waiting, 1 processing, 2 completed, 3 failed, 4 cancelled. Times are in ms since the UNIX epoch.

CREATE TABLE schema_version (
    one_row BOOLEAN PRIMARY KEY DEFAULT TRUE CHECK (one_row),
    version INTEGER NOT NULL
);

-- Numbers the stores that are opened.
CREATE SEQUENCE opened AS INTEGER CYCLE;

-- The log's last position. Whoever appends locks the row until its transaction ends, so positions are given in
-- the order of commits and without holes, and whoever sees one sees all before it.
CREATE TABLE log (
    one_row BOOLEAN PRIMARY KEY DEFAULT TRUE CHECK (one_row),
    head BIGINT NOT NULL
) WITH (fillfactor = 10, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_scale_factor = 0);
INSERT INTO log (head) VALUES (0);

CREATE TABLE inbox (
    seq BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    command_id UUID NOT NULL UNIQUE,
    conversation_id UUID NOT NULL,
    initiator_id UUID,
    name TEXT NOT NULL,
    version BIGINT NOT NULL,
    endpoint TEXT NOT NULL,
    caller TEXT NOT NULL,
    body TEXT NOT NULL,
    body_hash UUID NOT NULL,
    state SMALLINT NOT NULL,
    attempts BIGINT NOT NULL,
    due_ms BIGINT NOT NULL,
    accepted_ms BIGINT NOT NULL,
    ended_ms BIGINT,
    -- Of the events that say what became of it, so that they are found again without a search.
    positions BIGINT[] NOT NULL,
    original BYTEA,
    -- The number of the store that was handed it, where several serve the context.
    claimed_by INTEGER
) WITH (fillfactor = 85, autovacuum_vacuum_scale_factor = 0.02);
CREATE INDEX inbox_due ON inbox (name, due_ms, seq) WHERE state = 0;
CREATE INDEX inbox_ended ON inbox (ended_ms) WHERE state >= 2;

CREATE TABLE event (
    position BIGINT PRIMARY KEY,
    message_id UUID NOT NULL,
    name TEXT NOT NULL,
    version BIGINT NOT NULL,
    command_id UUID,
    conversation_id UUID,
    initiator_id UUID,
    at_ms BIGINT NOT NULL,
    body TEXT NOT NULL
);

-- The events that say what is forgotten.
CREATE TABLE forgotten (
    position BIGINT PRIMARY KEY,
    at_ms BIGINT NOT NULL
);

CREATE TABLE outgoing (
    seq BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    command_id UUID NOT NULL,
    conversation_id UUID NOT NULL,
    initiator_id UUID,
    name TEXT NOT NULL,
    version BIGINT NOT NULL,
    endpoint TEXT NOT NULL,
    caller TEXT NOT NULL,
    body TEXT NOT NULL,
    original BYTEA
);

CREATE TABLE outgoing_message (
    seq BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    exchange TEXT NOT NULL,
    key TEXT NOT NULL,
    is_mandatory BOOLEAN NOT NULL,
    properties BYTEA NOT NULL,
    body BYTEA NOT NULL
);

CREATE TABLE lease (
    name TEXT PRIMARY KEY,
    holder UUID NOT NULL,
    epoch BIGINT NOT NULL,
    until_ms BIGINT NOT NULL
);

CREATE TABLE cursor (
    consumer TEXT NOT NULL,
    context TEXT NOT NULL,
    position BIGINT NOT NULL,
    PRIMARY KEY (consumer, context)
);

-- The numbers of the stores whose processes live: each holds an advisory lock on its connection that listens.
CREATE FUNCTION living() RETURNS SETOF INTEGER LANGUAGE sql STABLE AS $$
    SELECT l.objid::bigint::integer
    FROM pg_catalog.pg_locks l, pg_catalog.pg_namespace n, pg_catalog.pg_database d
    WHERE l.locktype = 'advisory' AND l.objsubid = 1 AND l.granted AND l.classid = n.oid
        AND n.nspname = current_schema() AND l.database = d.oid AND d.datname = current_database()
$$;

-- Wakes every other process that serves the context: 'c' where something may be due, 'e' where the log has grown.
CREATE FUNCTION wake(own INTEGER, what TEXT) RETURNS VOID LANGUAGE sql AS $$
    SELECT pg_catalog.pg_notify('orchard_' || current_schema(), own || ' ' || what)
$$;

-- Locks the log until the transaction ends, which must then go on: whoever holds it without a word for 10 s, as a
-- process that is stopped does, is ended by the server.
CREATE FUNCTION lock_log() RETURNS BIGINT LANGUAGE plpgsql AS $$
DECLARE
    last BIGINT;
BEGIN
    SELECT head INTO STRICT last FROM log FOR UPDATE;
    PERFORM set_config('idle_in_transaction_session_timeout', '10s', TRUE);
    RETURN last;
END
$$;

-- Puts commands into the inbox, each with the event that says so. Gives for each: 0 it is new, 1 it is known,
-- 2 another has its id.
CREATE FUNCTION accept(
    own INTEGER, now_ms BIGINT, ids UUID[], conversation_ids UUID[], initiator_ids UUID[], names TEXT[],
    versions BIGINT[], endpoints TEXT[], callers TEXT[], bodies TEXT[], hashes UUID[], originals BYTEA[],
    message_ids UUID[], event_names TEXT[], event_bodies TEXT[]
) RETURNS SMALLINT[] LANGUAGE plpgsql
    SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    -- Nobody else accepts from here on, and each statement below sees what was committed before it.
    last BIGINT := lock_log();
    answers SMALLINT[];
    added BIGINT;
BEGIN
    WITH given AS (SELECT * FROM unnest(ids, hashes) WITH ORDINALITY g (id, hash, n)),
        firsts AS (SELECT DISTINCT ON (id) id, hash, n FROM given ORDER BY id, n)
    SELECT array_agg(
        CASE WHEN i.command_id IS NULL AND f.n = g.n THEN 0
            WHEN coalesce(i.body_hash, f.hash) = g.hash THEN 1 ELSE 2 END ORDER BY g.n)
    INTO answers
    FROM given g JOIN firsts f ON f.id = g.id LEFT JOIN inbox i ON i.command_id = g.id;

    INSERT INTO inbox (command_id, conversation_id, initiator_id, name, version, endpoint, caller, body,
        body_hash, state, attempts, due_ms, accepted_ms, positions, original)
    SELECT g.id, g.conversation, g.initiator, g.name, g.version, g.endpoint, g.caller, g.body, g.hash, 0, 0,
        now_ms, now_ms, ARRAY[last + row_number() OVER (ORDER BY g.n)], g.original
    FROM unnest(ids, conversation_ids, initiator_ids, names, versions, endpoints, callers, bodies, hashes,
        originals) WITH ORDINALITY
        g (id, conversation, initiator, name, version, endpoint, caller, body, hash, original, n)
    WHERE answers[g.n] = 0
    ORDER BY g.n;
    GET DIAGNOSTICS added = ROW_COUNT;
    IF added = 0 THEN
        RETURN answers;
    END IF;

    INSERT INTO event (position, message_id, name, version, command_id, conversation_id, initiator_id, at_ms, body)
    SELECT last + row_number() OVER (ORDER BY g.n), g.message, g.name, 1, g.id, g.conversation, g.initiator, now_ms,
        g.body
    FROM unnest(message_ids, event_names, ids, conversation_ids, initiator_ids, event_bodies) WITH ORDINALITY
        g (message, name, id, conversation, initiator, body, n)
    WHERE answers[g.n] = 0;
    UPDATE log SET head = last + added;
    PERFORM wake(own, 'c'), wake(own, 'e');
    RETURN answers;
END
$$;

-- Changes commands and appends events, of which the last are those of the changes. Gives the log's last position,
-- or NULL where a command is not as it is expected to be; then the events of the changes are not appended either.
CREATE FUNCTION write(
    own INTEGER, now_ms BIGINT, message_ids UUID[], names TEXT[], versions BIGINT[], command_ids UUID[],
    conversation_ids UUID[], initiator_ids UUID[], bodies TEXT[],
    changed_ids UUID[], from_states SMALLINT[], expected BIGINT[], tries BIGINT[], to_states SMALLINT[],
    dues BIGINT[], ends BIGINT[]
) RETURNS BIGINT LANGUAGE plpgsql
    SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    before BIGINT := lock_log();
    changes INTEGER := cardinality(changed_ids);
    appended INTEGER := cardinality(names);
    changed INTEGER := 0;
BEGIN
    IF changes > 0 THEN
        UPDATE inbox i SET
            state = c.to_state, attempts = coalesce(c.tries, i.attempts), due_ms = coalesce(c.due, i.due_ms),
            ended_ms = c.ended, claimed_by = NULL,
            positions = i.positions || (before + appended - changes + c.n)
        FROM unnest(changed_ids, from_states, expected, tries, to_states, dues, ends) WITH ORDINALITY
            c (id, from_state, expected, tries, to_state, due, ended, n)
        WHERE i.command_id = c.id AND i.state = c.from_state AND i.attempts = coalesce(c.expected, i.attempts);
        GET DIAGNOSTICS changed = ROW_COUNT;
        IF changed < changes THEN
            RETURN NULL;
        END IF;
        IF 0 = ANY (to_states) THEN
            PERFORM wake(own, 'c');
        END IF;
    END IF;
    IF appended = 0 THEN
        RETURN before;
    END IF;
    INSERT INTO event (position, message_id, name, version, command_id, conversation_id, initiator_id, at_ms, body)
    SELECT before + e.n, e.message, e.name, e.version, e.command, e.conversation, e.initiator, now_ms, e.body
    FROM unnest(message_ids, names, versions, command_ids, conversation_ids, initiator_ids, bodies) WITH ORDINALITY
        e (message, name, version, command, conversation, initiator, body, n);
    UPDATE log SET head = before + appended;
    PERFORM wake(own, 'e');
    RETURN before + appended;
END
$$;

-- Hands out commands that are due, and that no other living store was handed. That is lost with a loss of power,
-- and only keeps stores from doing the same work: what has an effect is compared when it is changed.
CREATE FUNCTION claim(own INTEGER, of_name TEXT, now_ms BIGINT, most BIGINT) RETURNS SETOF inbox LANGUAGE plpgsql
    SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
BEGIN
    PERFORM set_config('synchronous_commit', 'off', TRUE);
    RETURN QUERY
    WITH found AS (
        SELECT i.seq FROM inbox i
        WHERE i.state = 0 AND i.name = of_name AND i.due_ms <= now_ms
            AND (i.claimed_by IS NULL OR i.claimed_by = own OR i.claimed_by NOT IN (SELECT living()))
        ORDER BY i.due_ms, i.seq LIMIT most FOR UPDATE SKIP LOCKED
    ), claimed AS (
        UPDATE inbox i SET claimed_by = own FROM found
        WHERE i.seq = found.seq AND i.claimed_by IS DISTINCT FROM own
    )
    SELECT i.* FROM inbox i JOIN found ON found.seq = i.seq ORDER BY i.due_ms, i.seq;
END
$$;
