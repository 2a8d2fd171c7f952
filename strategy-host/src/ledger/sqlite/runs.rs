//! Runs as rows.

use rusqlite::Connection;
use tick_sdk::names::RunId;

use crate::ledger::{LedgerError, RunRow};

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

/// A run as it was recorded.
///
/// # Errors
/// Its manifest cannot be read.
pub(super) fn readable((run, manifest): RecordedRun) -> Result<RunRow, LedgerError> {
    let manifest = manifest.parse().map_err(|()| LedgerError::Damaged("the manifest".to_owned()))?;
    Ok(RunRow { run: RunId(run), manifest })
}
