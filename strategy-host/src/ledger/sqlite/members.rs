//! Who lives, by the machine's clock: a SQLite ledger serves one machine.

use std::time::Duration;

use rusqlite::{Connection, Transaction, params};
use tick_sdk::names::{RunId, StrategyName};

use super::name::strategy_name;
use crate::ledger::{MEMBER_FORGOTTEN, MEMBER_LIVES, MemberRow};

/// Milliseconds since the UNIX epoch, as SQLite knows them.
const NOW: &str = "CAST(unixepoch('subsec') * 1000 AS INTEGER)";

/// Records that a member lives; gives those that do.
pub(super) fn beat(
    transaction: &Transaction<'_>,
    run: RunId,
    strategy: &StrategyName,
    member: &str,
) -> rusqlite::Result<Vec<String>> {
    let beating = format!("INSERT OR REPLACE INTO member VALUES (?1, ?2, ?3, {NOW})");
    transaction.prepare_cached(&beating)?.execute(params![run.0, strategy.as_str(), member])?;
    let forgetting = format!("DELETE FROM member WHERE beat < {NOW} - ?1");
    transaction.prepare_cached(&forgetting)?.execute([MEMBER_FORGOTTEN.as_millis() as i64])?;
    let living = format!(
        "SELECT member FROM member WHERE run = ?1 AND strategy = ?2 AND beat >= {NOW} - ?3 ORDER BY member"
    );
    let mut statement = transaction.prepare_cached(&living)?;
    let key = params![run.0, strategy.as_str(), MEMBER_LIVES.as_millis() as i64];
    statement.query_map(key, |row| row.get(0))?.collect()
}

/// Forgets a member.
pub(super) fn leave(
    connection: &Transaction<'_>,
    run: RunId,
    strategy: &StrategyName,
    member: &str,
) -> rusqlite::Result<()> {
    let sql = "DELETE FROM member WHERE run = ?1 AND strategy = ?2 AND member = ?3";
    connection.execute(sql, params![run.0, strategy.as_str(), member]).map(drop)
}

/// Every member of a run, in order of (strategy, member).
pub(super) fn all(connection: &Connection, run: RunId) -> rusqlite::Result<Vec<MemberRow>> {
    let sql = format!(
        "SELECT strategy, member, max(0, {NOW} - beat) FROM member WHERE run = ?1 ORDER BY strategy, member"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map(params![run.0], |row| {
        let silent = Duration::from_millis(row.get::<_, i64>(2)? as u64);
        Ok(MemberRow { strategy: strategy_name(row, 0)?, member: row.get(1)?, silent })
    })?;
    rows.collect()
}
