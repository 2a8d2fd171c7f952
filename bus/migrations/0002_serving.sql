-- What ends a process that carries out commands is found here by the next one.

-- The stores of processes that serve the context, by their numbers: one that ends as it should removes its own.
CREATE TABLE serving (
    own INTEGER PRIMARY KEY
);

-- Messages that are handled alone, as they may have ended a process, or did so: by which store, where it is one now,
-- and how many processes have ended at it.
CREATE TABLE handling (
    id UUID PRIMARY KEY,
    own INTEGER,
    deaths BIGINT NOT NULL
);

-- Notes that a message is handled by a store. Where the one that noted it before has ended, nothing is noted, and how
-- often that was is given. A process that ends does not take the note with it: only a loss of power at the server
-- does, which is no fault of the message.
CREATE FUNCTION note(of_own INTEGER, of_id UUID) RETURNS BIGINT LANGUAGE plpgsql AS $$
DECLARE
    ended BIGINT;
BEGIN
    PERFORM set_config('synchronous_commit', 'off', TRUE);
    SELECT h.deaths + 1 INTO ended FROM handling h
    WHERE h.id = of_id AND h.own <> of_own AND h.own NOT IN (SELECT living());
    IF FOUND THEN
        RETURN ended;
    END IF;
    INSERT INTO handling (id, own, deaths) VALUES (of_id, of_own, 0)
    ON CONFLICT (id) DO UPDATE SET own = of_own;
    RETURN NULL;
END
$$;
