//! The tables of a SQLite ledger.

use rusqlite::{Connection, TransactionBehavior};
use tick_sdk::names::RunId;

/// Another version is refused: a ledger is read by the program that wrote it.
pub(super) const SCHEMA_VERSION: i64 = 2;

/// A replay's run has no feed. A lane's state is the sum of its rows by number; `folded_bytes` were
/// in them when they were folded last, and `added_bytes` since. A beat is the machine's time in
/// milliseconds.
const SCHEMA: &str = "
CREATE TABLE ledger (id TEXT NOT NULL) STRICT;
CREATE TABLE run (
    number INTEGER PRIMARY KEY, run BLOB NOT NULL UNIQUE, feed TEXT, manifest TEXT NOT NULL) STRICT;
CREATE TABLE identity (
    run BLOB NOT NULL, name TEXT NOT NULL, strategy TEXT NOT NULL, version INTEGER NOT NULL,
    params TEXT NOT NULL, PRIMARY KEY (run, name)) STRICT, WITHOUT ROWID;
CREATE TABLE lane (
    run BLOB NOT NULL, strategy TEXT NOT NULL, shard INTEGER NOT NULL, epoch INTEGER NOT NULL,
    cursor INTEGER NOT NULL, state_seq INTEGER NOT NULL, skipped INTEGER NOT NULL, ended INTEGER NOT NULL,
    folded_bytes INTEGER NOT NULL, added_bytes INTEGER NOT NULL,
    PRIMARY KEY (run, strategy, shard)) STRICT, WITHOUT ROWID;
CREATE TABLE batch (
    run BLOB NOT NULL, strategy TEXT NOT NULL, shard INTEGER NOT NULL, from_seq INTEGER NOT NULL,
    to_seq INTEGER NOT NULL, signals BLOB NOT NULL, PRIMARY KEY (run, strategy, shard, from_seq)) STRICT;
CREATE TABLE state (
    number INTEGER PRIMARY KEY, run BLOB NOT NULL, strategy TEXT NOT NULL, shard INTEGER NOT NULL,
    changed BLOB NOT NULL) STRICT;
CREATE INDEX state_of_lane ON state (run, strategy, shard);
CREATE TABLE instrument (
    run BLOB NOT NULL, shard INTEGER NOT NULL, id INTEGER NOT NULL, symbol TEXT NOT NULL,
    key TEXT NOT NULL, PRIMARY KEY (run, shard, id)) STRICT, WITHOUT ROWID;
CREATE TABLE member (
    run BLOB NOT NULL, strategy TEXT NOT NULL, member TEXT NOT NULL, beat INTEGER NOT NULL,
    PRIMARY KEY (run, strategy, member)) STRICT, WITHOUT ROWID;
";

/// Makes the tables in an empty file; gives the schema's version.
pub(super) fn prepare_schema(connection: &mut Connection) -> rusqlite::Result<i64> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let tables: i64 = transaction.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if tables == 0 {
        transaction.execute_batch(SCHEMA)?;
        transaction.execute("INSERT INTO ledger VALUES (?1)", [RunId::random().to_string()])?;
        transaction.pragma_update(None, "user_version", SCHEMA_VERSION)?;
    }
    let found = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
    transaction.commit()?;
    Ok(found)
}
