//! The tables that every context has.

use std::path::Path;

use rusqlite::Connection;

use super::StoreError;

/// Raised when the tables change.
const SCHEMA_VERSION: i64 = 1;

/// A command stands in `command` as it came, and never changes; `inbox` says what becomes of it, in rows that are
/// small, as they are written again with each change. States: 0 waiting, 1 processing, 2 completed, 3 failed, 4
/// cancelled. `positions` are those of a command's status events, 8 bytes each, so that they are found again without
/// a search, and `last_position` is one more, or one of them; `forgotten` has those of the events that say what is
/// forgotten. What has not ended has any number as `ended_ms`. `serving` has who serves the context, `handling` what
/// is handled that may end a process.
const TABLES: &str = "
CREATE TABLE command (
    seq INTEGER PRIMARY KEY,
    command_id BLOB NOT NULL UNIQUE,
    conversation_id BLOB NOT NULL,
    initiator_id BLOB,
    name TEXT NOT NULL,
    version INTEGER NOT NULL,
    endpoint TEXT NOT NULL,
    caller TEXT NOT NULL,
    accepted_ms INTEGER NOT NULL,
    body_hash BLOB NOT NULL,
    body TEXT NOT NULL,
    original BLOB
) STRICT;
CREATE TABLE inbox (
    seq INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    state INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    due_ms INTEGER NOT NULL,
    ended_ms INTEGER,
    positions BLOB NOT NULL,
    last_position INTEGER
) STRICT;
CREATE INDEX inbox_due ON inbox (name, due_ms) WHERE state = 0;
CREATE INDEX inbox_ended ON inbox (ended_ms) WHERE state >= 2;
CREATE TABLE event (
    position INTEGER PRIMARY KEY,
    message_id BLOB NOT NULL,
    name TEXT NOT NULL,
    version INTEGER NOT NULL,
    command_id BLOB,
    conversation_id BLOB,
    initiator_id BLOB,
    at_ms INTEGER NOT NULL,
    body TEXT NOT NULL
) STRICT;
CREATE TABLE forgotten (
    position INTEGER PRIMARY KEY,
    at_ms INTEGER NOT NULL
) STRICT;
CREATE TABLE outgoing (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    command_id BLOB NOT NULL,
    conversation_id BLOB NOT NULL,
    initiator_id BLOB,
    name TEXT NOT NULL,
    version INTEGER NOT NULL,
    endpoint TEXT NOT NULL,
    caller TEXT NOT NULL,
    body TEXT NOT NULL,
    original BLOB
) STRICT;
CREATE TABLE outgoing_message (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    exchange TEXT NOT NULL,
    key TEXT NOT NULL,
    is_mandatory INTEGER NOT NULL,
    properties BLOB NOT NULL,
    body BLOB NOT NULL
) STRICT;
CREATE TABLE lease (
    name TEXT PRIMARY KEY,
    holder BLOB NOT NULL,
    epoch INTEGER NOT NULL,
    until_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE cursor (
    consumer TEXT NOT NULL,
    context TEXT NOT NULL,
    position INTEGER NOT NULL,
    PRIMARY KEY (consumer, context)
) STRICT, WITHOUT ROWID;
CREATE TABLE serving (own BLOB PRIMARY KEY) STRICT, WITHOUT ROWID;
CREATE TABLE handling (id BLOB PRIMARY KEY, own BLOB, deaths INTEGER NOT NULL) STRICT, WITHOUT ROWID;
";

/// Makes what is missing, or refuses what is of another version.
pub(super) fn prepare(connection: &Connection, place: &Path, tables: &str) -> Result<(), StoreError> {
    let failed = |source| StoreError::Sqlite { place: place.display().to_string(), source };
    connection.pragma_update(None, "journal_mode", "WAL").map_err(failed)?;
    connection.pragma_update(None, "synchronous", "FULL").map_err(failed)?;
    connection.execute_batch("BEGIN IMMEDIATE").map_err(failed)?;
    let found: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(failed)?;
    if found == 0 {
        connection.execute_batch(TABLES).map_err(failed)?;
    } else if found != SCHEMA_VERSION {
        let place = place.display().to_string();
        return Err(StoreError::Schema { place, found, expected: SCHEMA_VERSION });
    }
    connection.execute_batch(tables).map_err(failed)?;
    // Written where it is there already, too: the first commit after the start makes the log's file safe, which takes
    // several times as long as one after it, and nobody waits for this one.
    connection.pragma_update(None, "user_version", SCHEMA_VERSION).map_err(failed)?;
    connection.execute_batch("COMMIT").map_err(failed)
}
