//! A lane's checkpoints of state.

use rusqlite::{Connection, OptionalExtension, Transaction, params};

use crate::ledger::LaneId;

/// Checkpoints are folded when those added since the last time are larger than twice the whole and
/// this: so folding costs less than what it folds did.
const UNFOLDED_BYTES: i64 = 1 << 20;

/// Adds the encoded keys that changed; says whether it is time to fold.
pub(super) fn add(transaction: &Transaction<'_>, lane: &LaneId, changed: &[u8]) -> rusqlite::Result<bool> {
    let sql = "INSERT INTO state (run, strategy, shard, changed) VALUES (?1, ?2, ?3, ?4)";
    let mut adding = transaction.prepare_cached(sql)?;
    adding.execute(params![lane.run.0, lane.strategy.as_str(), lane.shard, changed])?;
    let sql = "UPDATE lane SET added_bytes = added_bytes + ?4 WHERE run = ?1 AND strategy = ?2 AND shard = ?3
        RETURNING added_bytes > 2 * folded_bytes + ?5";
    let mut counting = transaction.prepare_cached(sql)?;
    let key = params![lane.run.0, lane.strategy.as_str(), lane.shard, changed.len() as i64, UNFOLDED_BYTES];
    counting.query_row(key, |row| row.get(0)).optional().map(|due| due == Some(true))
}

/// A lane's checkpoints, in order.
pub(super) fn read(connection: &Connection, lane: &LaneId) -> rusqlite::Result<Vec<Vec<u8>>> {
    let sql = "SELECT changed FROM state WHERE run = ?1 AND strategy = ?2 AND shard = ?3 ORDER BY number";
    let mut statement = connection.prepare_cached(sql)?;
    let rows =
        statement.query_map(params![lane.run.0, lane.strategy.as_str(), lane.shard], |row| row.get(0))?;
    rows.collect()
}

/// Puts one checkpoint in the place of all.
pub(super) fn replace(transaction: &Transaction<'_>, lane: &LaneId, folded: &[u8]) -> rusqlite::Result<()> {
    let sql = "DELETE FROM state WHERE run = ?1 AND strategy = ?2 AND shard = ?3";
    transaction.prepare_cached(sql)?.execute(params![lane.run.0, lane.strategy.as_str(), lane.shard])?;
    let sql = "INSERT INTO state (run, strategy, shard, changed) VALUES (?1, ?2, ?3, ?4)";
    transaction.prepare_cached(sql)?.execute(params![
        lane.run.0,
        lane.strategy.as_str(),
        lane.shard,
        folded
    ])?;
    let sql = "UPDATE lane SET folded_bytes = ?4, added_bytes = 0
        WHERE run = ?1 AND strategy = ?2 AND shard = ?3";
    let mut counting = transaction.prepare_cached(sql)?;
    counting.execute(params![lane.run.0, lane.strategy.as_str(), lane.shard, folded.len() as i64]).map(drop)
}
