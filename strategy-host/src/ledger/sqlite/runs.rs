//! Runs as rows.

use rusqlite::{Connection, params};
use tick_sdk::names::RunId;

use crate::ledger::{FORGOTTEN_AT_ONCE, LedgerError, RunRow};

/// Records a run: its id, its feed and its manifest.
pub(super) const RECORD_RUN: &str = "INSERT INTO run (run, feed, manifest) VALUES (?1, ?2, ?3)";

/// A run and its manifest's text.
pub(super) type RecordedRun = ([u8; 16], String);

/// The runs that a query finds, which selects id and manifest.
pub(super) fn recorded_runs(
    connection: &Connection,
    sql: &str,
    params: &[&dyn rusqlite::ToSql],
) -> rusqlite::Result<Vec<RecordedRun>> {
    let mut statement = connection.prepare(sql)?;
    let rows = statement.query_map(params, |row| Ok((row.get(0)?, row.get(1)?)))?;
    rows.collect()
}

/// What there is of a run; the run itself goes last.
const PARTS: [&str; 7] = [
    "DELETE FROM batch WHERE rowid IN (SELECT rowid FROM batch WHERE run = ?1 LIMIT ?2)",
    "DELETE FROM state WHERE number IN (SELECT number FROM state WHERE run = ?1 LIMIT ?2)",
    "DELETE FROM instrument WHERE run = ?1
        AND (shard, id) IN (SELECT shard, id FROM instrument WHERE run = ?1 LIMIT ?2)",
    "DELETE FROM member WHERE run = ?1
        AND (strategy, member) IN (SELECT strategy, member FROM member WHERE run = ?1 LIMIT ?2)",
    "DELETE FROM lane WHERE run = ?1
        AND (strategy, shard) IN (SELECT strategy, shard FROM lane WHERE run = ?1 LIMIT ?2)",
    "DELETE FROM identity WHERE run = ?1
        AND name IN (SELECT name FROM identity WHERE run = ?1 LIMIT ?2)",
    "DELETE FROM run WHERE number IN (SELECT number FROM run WHERE run = ?1 LIMIT ?2)",
];

/// Removes some of a run; whether there may be more of it.
pub(super) fn forget(connection: &Connection, run: RunId) -> rusqlite::Result<bool> {
    for sql in PARTS {
        if connection.prepare_cached(sql)?.execute(params![run.0, FORGOTTEN_AT_ONCE as i64])? > 0 {
            return Ok(true);
        }
    }
    Ok(false)
}

/// A run as it was recorded.
///
/// # Errors
/// Its manifest cannot be read.
pub(super) fn readable((run, manifest): RecordedRun) -> Result<RunRow, LedgerError> {
    let manifest = manifest.parse().map_err(|()| LedgerError::Damaged("the manifest".to_owned()))?;
    Ok(RunRow { run: RunId(run), manifest })
}
