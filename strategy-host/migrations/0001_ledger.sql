-- The ledger on PostgreSQL: signals, cursors and state of every (run, strategy, shard).
--
-- A program reads and writes it through the functions below; `orchard.signal` is for people.
-- Names are ordered by their bytes, as the programs order them.

CREATE SCHEMA IF NOT EXISTS orchard;

CREATE TABLE orchard.ledger (
    one_row boolean PRIMARY KEY DEFAULT true CHECK (one_row),
    id text NOT NULL,
    version integer NOT NULL
);

-- A run of a replay has no feed, and there is at most one.
CREATE TABLE orchard.run (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run uuid NOT NULL UNIQUE,
    feed text COLLATE "C",
    manifest text NOT NULL
);
CREATE UNIQUE INDEX run_of_replay ON orchard.run ((feed IS NULL)) WHERE feed IS NULL;
CREATE INDEX run_of_feed ON orchard.run (feed, number);

CREATE TABLE orchard.identity (
    run uuid NOT NULL,
    name text COLLATE "C" NOT NULL,
    strategy text NOT NULL,
    version bigint NOT NULL,
    params text NOT NULL,
    PRIMARY KEY (run, name)
);

-- Every commit changes its lane's row: pages with room keep that from growing indexes.
CREATE TABLE orchard.lane (
    lane bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    run uuid NOT NULL,
    strategy text COLLATE "C" NOT NULL,
    shard integer NOT NULL,
    epoch bigint NOT NULL,
    cursor bigint NOT NULL,
    state_seq bigint NOT NULL,
    skipped bigint NOT NULL DEFAULT 0,
    ended boolean NOT NULL DEFAULT false,
    -- Bytes in `state`: those of the whole state when it was folded last, and those added since.
    folded_bytes bigint NOT NULL DEFAULT 0,
    added_bytes bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (run, strategy, shard)
) WITH (fillfactor = 50);

-- Signals are compact already: compressing them again would only take time.
CREATE TABLE orchard.batch (
    lane bigint NOT NULL,
    from_seq bigint NOT NULL,
    to_seq bigint NOT NULL,
    signals bytea NOT NULL,
    PRIMARY KEY (lane, from_seq)
);
ALTER TABLE orchard.batch ALTER COLUMN signals SET STORAGE EXTERNAL;

-- A lane's state is the sum of its rows by number; a later row's keys replace an earlier one's.
CREATE TABLE orchard.state (
    lane bigint NOT NULL,
    number bigint GENERATED ALWAYS AS IDENTITY,
    changed bytea NOT NULL,
    PRIMARY KEY (lane, number)
);
ALTER TABLE orchard.state ALTER COLUMN changed SET STORAGE EXTERNAL;

CREATE TABLE orchard.instrument (
    run uuid NOT NULL,
    shard integer NOT NULL,
    id bigint NOT NULL,
    symbol text NOT NULL,
    key text NOT NULL,
    PRIMARY KEY (run, shard, id)
);

CREATE TABLE orchard.member (
    run uuid NOT NULL,
    strategy text COLLATE "C" NOT NULL,
    member text COLLATE "C" NOT NULL,
    beat timestamptz NOT NULL,
    PRIMARY KEY (run, strategy, member)
);

-- Stores the commits of several lanes in one transaction and one round trip. The first ten arrays
-- hold a value a commit, in order of the lanes, so that two callers never lock in opposite orders;
-- the last four an instrument each, `of_commit` its commit's place from 1.
--
-- Gives the places of the commits that were fenced off, of which nothing is stored, and of the lanes
-- whose state should be folded. `again` says that the commits may be stored already, as the answer to
-- an earlier call was lost: a cursor that is where the commit would put it is then no fence.
CREATE FUNCTION orchard.commit_lanes(
    runs uuid[], strategies text[], shards integer[], epochs bigint[], from_seqs bigint[],
    to_seqs bigint[], batches bytea[], changed_states bytea[], ends boolean[], skips bigint[],
    again boolean, of_commit integer[], ids bigint[], symbols text[], keys text[])
RETURNS TABLE (place integer, fenced boolean, lane bigint) LANGUAGE plpgsql AS $$
DECLARE
    number integer;
    stored orchard.lane;
    refused integer[] := '{}';
BEGIN
    FOR number IN 1 .. cardinality(runs) LOOP
        UPDATE orchard.lane AS l SET
            cursor = to_seqs[number],
            state_seq = CASE WHEN changed_states[number] IS NULL THEN l.state_seq ELSE to_seqs[number] END,
            skipped = l.skipped + skips[number],
            ended = ends[number],
            added_bytes = l.added_bytes + coalesce(octet_length(changed_states[number]), 0)
        WHERE l.run = runs[number] AND l.strategy = strategies[number] AND l.shard = shards[number]
            AND l.epoch = epochs[number] AND l.cursor = from_seqs[number] AND NOT l.ended
        RETURNING l.* INTO stored;
        IF FOUND THEN
            IF octet_length(batches[number]) > 0 THEN
                INSERT INTO orchard.batch VALUES
                    (stored.lane, from_seqs[number], to_seqs[number], batches[number]);
            END IF;
            IF octet_length(changed_states[number]) > 0 THEN
                INSERT INTO orchard.state (lane, changed) VALUES (stored.lane, changed_states[number]);
                -- Twice the whole and 1 MiB: so folding costs less than what it folds did.
                IF stored.added_bytes > 2 * stored.folded_bytes + 1048576 THEN
                    RETURN QUERY VALUES (number, false, stored.lane);
                END IF;
            END IF;
        ELSIF NOT again OR NOT EXISTS (
            SELECT FROM orchard.lane AS l
            WHERE l.run = runs[number] AND l.strategy = strategies[number] AND l.shard = shards[number]
                AND l.epoch = epochs[number] AND l.cursor = to_seqs[number] AND l.ended = ends[number]
        ) THEN
            refused := refused || number;
            RETURN QUERY VALUES (number, true, 0::bigint);
        END IF;
    END LOOP;
    -- After all lanes and in one order, as lanes of several callers may name the same instruments.
    IF cardinality(ids) > 0 THEN
        INSERT INTO orchard.instrument
        SELECT runs[new.of_commit], shards[new.of_commit], new.id, new.symbol, new.key
        FROM unnest(of_commit, ids, symbols, keys) AS new (of_commit, id, symbol, key)
        WHERE new.of_commit <> ALL (refused)
        ORDER BY 1, 2, 3
        ON CONFLICT DO NOTHING;
    END IF;
END $$;

-- Replaces a lane's rows of state up to `last` by one, unless somebody has claimed the lane since.
CREATE FUNCTION orchard.fold_state(of_lane bigint, with_epoch bigint, last bigint, folded bytea)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    UPDATE orchard.lane AS l SET folded_bytes = octet_length(folded), added_bytes = 0
    WHERE l.lane = of_lane AND l.epoch = with_epoch;
    IF FOUND THEN
        DELETE FROM orchard.state AS s WHERE s.lane = of_lane AND s.number <= last;
        INSERT INTO orchard.state (lane, changed) VALUES (of_lane, folded);
    END IF;
END $$;

-- Records that a member lives; gives those that do, by this server's clock. Who has been silent for
-- longer than `forgotten` is removed.
CREATE FUNCTION orchard.beat(
    of_run uuid, of_strategy text, named text, lives interval, forgotten interval)
RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO orchard.member AS m VALUES (of_run, of_strategy, named, clock_timestamp())
    ON CONFLICT (run, strategy, member) DO UPDATE SET beat = excluded.beat;
    DELETE FROM orchard.member AS m WHERE (m.run, m.strategy, m.member) IN (
        SELECT old.run, old.strategy, old.member FROM orchard.member AS old
        WHERE old.beat < clock_timestamp() - forgotten FOR UPDATE SKIP LOCKED);
    RETURN QUERY SELECT m.member::text FROM orchard.member AS m
        WHERE m.run = of_run AND m.strategy = of_strategy AND m.beat >= clock_timestamp() - lives
        ORDER BY m.member;
END $$;

-- The signals of one batch. A record a signal: a byte for the side and for which sides of the book
-- are known, then LEB128 numbers: seq, n, instrument, receive time, event time, price, bid, ask; all
-- but n and instrument as differences, the last five zigzag.
CREATE FUNCTION orchard.decode_signals(batch bytea)
RETURNS TABLE (
    seq bigint, n bigint, instrument bigint, ts_event bigint, ts_recv bigint, side text,
    price bigint, bid bigint, ask bigint)
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    -- A copy, as reading single bytes out of a stored value would fetch all of it each time.
    bytes bytea := batch || ''::bytea;
    size integer := octet_length(batch);
    at integer := 0;
    bits integer;
    part integer;
    shift integer;
    value bigint;
BEGIN
    seq := 0;
    ts_recv := 0;
    price := 0;
    WHILE at < size LOOP
        bits := get_byte(bytes, at);
        at := at + 1;
        IF bits > 15 OR bits & 3 = 3 THEN
            RAISE EXCEPTION 'the signal batch is damaged at byte %', at - 1;
        END IF;
        bid := NULL;
        ask := NULL;
        FOR field IN 1 .. 8 LOOP
            CONTINUE WHEN field = 7 AND bits & 4 = 0 OR field = 8 AND bits & 8 = 0;
            value := 0;
            shift := 0;
            LOOP
                IF at >= size OR shift > 63 THEN
                    RAISE EXCEPTION 'the signal batch is damaged at byte %', at;
                END IF;
                part := get_byte(bytes, at);
                at := at + 1;
                value := value | ((part & 127)::bigint << shift);
                EXIT WHEN part < 128;
                shift := shift + 7;
            END LOOP;
            IF field > 3 THEN
                value := ((value >> 1) & 9223372036854775807) # -(value & 1);
            END IF;
            CASE field
                WHEN 1 THEN seq := seq + value;
                WHEN 2 THEN n := value;
                WHEN 3 THEN instrument := value;
                WHEN 4 THEN ts_recv := ts_recv + value;
                WHEN 5 THEN ts_event := ts_recv + value;
                WHEN 6 THEN price := price + value;
                WHEN 7 THEN bid := price + value;
                ELSE ask := price + value;
            END CASE;
        END LOOP;
        side := CASE bits & 3 WHEN 0 THEN 'flat' WHEN 1 THEN 'buy' ELSE 'sell' END;
        RETURN NEXT;
    END LOOP;
END $$;

-- Every signal. Times are ns since the UNIX epoch, prices 1e-9 of the quote unit; a side of the book
-- that the strategy had not seen is null.
CREATE VIEW orchard.signal AS
SELECT l.run, l.strategy, l.shard, s.seq, s.n, i.symbol AS instrument, s.ts_event, s.ts_recv,
    s.side, s.price, s.bid, s.ask
FROM orchard.lane AS l
JOIN orchard.batch AS b ON b.lane = l.lane
CROSS JOIN LATERAL orchard.decode_signals(b.signals) AS s
LEFT JOIN orchard.instrument AS i ON i.run = l.run AND i.shard = l.shard AND i.id = s.instrument;
