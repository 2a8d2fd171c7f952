//! A lane's rows: claims, commits, and what was committed.

use rusqlite::{Connection, Transaction, params};
use tick_feed::NewInstrument;
use tick_sdk::names::RunId;

use super::name::strategy_name;
use crate::ledger::{Claim, Commit, LaneId, LaneRow, StoredBatch};

/// Claims a lane, which begins at `begins_at` if nobody has claimed it before. Its states are
/// not read.
pub(super) fn claim(transaction: &Transaction<'_>, lane: &LaneId, begins_at: u64) -> rusqlite::Result<Claim> {
    let begins_at = begins_at as i64;
    let claiming = "INSERT INTO lane VALUES (?1, ?2, ?3, 1, ?4, ?4, 0, 0, 0, 0)
        ON CONFLICT DO UPDATE SET epoch = epoch + 1
        RETURNING epoch, cursor, state_seq, ended";
    let begun = params![lane.run.0, lane.strategy.as_str(), lane.shard, begins_at];
    let mut claim = transaction.query_row(claiming, begun, |row| {
        Ok(Claim {
            epoch: row.get::<_, i64>(0)? as u64,
            cursor: row.get::<_, i64>(1)? as u64,
            state_seq: row.get::<_, i64>(2)? as u64,
            ended: row.get(3)?,
            ..Claim::default()
        })
    })?;
    claim.dictionary = dictionary(transaction, lane.run, lane.shard)?;
    Ok(claim)
}

/// Every lane of a run, in order of (strategy, shard).
pub(super) fn lanes(connection: &Connection, run: RunId) -> rusqlite::Result<Vec<LaneRow>> {
    let sql = "SELECT strategy, shard, epoch, cursor, state_seq, skipped, ended FROM lane
        WHERE run = ?1 ORDER BY strategy, shard";
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map(params![run.0], |row| {
        Ok(LaneRow {
            lane: LaneId { run, strategy: strategy_name(row, 0)?, shard: row.get(1)? },
            epoch: row.get::<_, i64>(2)? as u64,
            cursor: row.get::<_, i64>(3)? as u64,
            state_seq: row.get::<_, i64>(4)? as u64,
            skipped: row.get::<_, i64>(5)? as u64,
            ended: row.get(6)?,
        })
    })?;
    rows.collect()
}

/// Up to `limit` batches of a lane that begin at or after `from_seq`.
pub(super) fn batches(
    connection: &Connection,
    lane: &LaneId,
    from_seq: u64,
    limit: usize,
) -> rusqlite::Result<Vec<StoredBatch>> {
    let sql = "SELECT from_seq, signals FROM batch
        WHERE run = ?1 AND strategy = ?2 AND shard = ?3 AND from_seq >= ?4 ORDER BY from_seq LIMIT ?5";
    let mut statement = connection.prepare_cached(sql)?;
    let key = params![lane.run.0, lane.strategy.as_str(), lane.shard, from_seq as i64, limit as i64];
    let rows = statement.query_map(key, |row| {
        Ok(StoredBatch { from_seq: row.get::<_, i64>(0)? as u64, signals: row.get(1)? })
    })?;
    rows.collect()
}

/// Where the last batch begins that begins at or before `seq`.
pub(super) fn batch_at(connection: &Connection, lane: &LaneId, seq: u64) -> rusqlite::Result<Option<u64>> {
    let sql = "SELECT max(from_seq) FROM batch
        WHERE run = ?1 AND strategy = ?2 AND shard = ?3 AND from_seq <= ?4";
    let mut statement = connection.prepare_cached(sql)?;
    let key = params![lane.run.0, lane.strategy.as_str(), lane.shard, seq as i64];
    let begins: Option<i64> = statement.query_row(key, |row| row.get(0))?;
    Ok(begins.map(|begins| begins as u64))
}

/// The instruments of one shard, by id.
pub(super) fn dictionary(
    connection: &Connection,
    run: RunId,
    shard: u16,
) -> rusqlite::Result<Vec<NewInstrument>> {
    let sql = "SELECT id, symbol, key FROM instrument WHERE run = ?1 AND shard = ?2 ORDER BY id";
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map(params![run.0, shard], |row| {
        Ok(NewInstrument { id: row.get(0)?, symbol: row.get(1)?, key: row.get(2)? })
    })?;
    rows.collect()
}

/// Stores one lane's commit but for its states; `false` if it was fenced off.
pub(super) fn store(transaction: &Transaction<'_>, commit: &Commit) -> rusqlite::Result<bool> {
    let Commit { lane, epoch, from_seq, to_seq, .. } = commit;
    let (from_seq, to_seq) = (*from_seq as i64, *to_seq as i64);
    let advance =
        "UPDATE lane SET cursor = ?4, ended = ?5, state_seq = CASE WHEN ?6 THEN ?4 ELSE state_seq END,
            skipped = skipped + ?9
        WHERE run = ?1 AND strategy = ?2 AND shard = ?3 AND epoch = ?7 AND cursor = ?8 AND NOT ended";
    let changed = transaction.prepare_cached(advance)?.execute(params![
        lane.run.0,
        lane.strategy.as_str(),
        lane.shard,
        to_seq,
        commit.ended,
        commit.states.is_some(),
        *epoch as i64,
        from_seq,
        commit.skipped as i64,
    ])?;
    if changed == 0 {
        return Ok(false);
    }
    if !commit.signals.is_empty() {
        transaction.prepare_cached("INSERT INTO batch VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?.execute(params![
            lane.run.0,
            lane.strategy.as_str(),
            lane.shard,
            from_seq,
            to_seq,
            commit.signals
        ])?;
    }
    let mut naming =
        transaction.prepare_cached("INSERT OR IGNORE INTO instrument VALUES (?1, ?2, ?3, ?4, ?5)")?;
    for new in &commit.new_instruments {
        naming.execute(params![lane.run.0, lane.shard, new.id, new.symbol, new.key])?;
    }
    Ok(true)
}
