//! Leases: who may do what only one process does at a time.

use rusqlite::{OptionalExtension, params};
use uuid::Uuid;

use super::sql_of;
use super::transaction::SqliteTransaction;
use crate::store::StoreError;

/// As [`Store::lease`](crate::store::Store::lease), in this transaction.
pub(super) fn take(
    transaction: &SqliteTransaction,
    name: &str,
    holder: Uuid,
    for_ms: u64,
    now_ms: u64,
) -> Result<Option<u64>, StoreError> {
    let found: Option<(Uuid, i64, i64)> = transaction.read(|connection| {
        let sql = "SELECT holder, epoch, until_ms FROM lease WHERE name = ?1";
        let row = |row: &rusqlite::Row<'_>| Ok((Uuid::from_bytes(row.get(0)?), row.get(1)?, row.get(2)?));
        connection.prepare_cached(sql)?.query_row([name], row).optional()
    })?;
    let epoch = match found {
        None => 1,
        Some((_, epoch, until_ms)) if until_ms <= sql_of(now_ms) => epoch + 1,
        Some((other, epoch, _)) if other == holder => epoch,
        Some(_) => return Ok(None),
    };
    let until_ms = sql_of(now_ms.saturating_add(for_ms));
    transaction.write(
        "INSERT INTO lease (name, holder, epoch, until_ms) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO UPDATE \
         SET holder = excluded.holder, epoch = excluded.epoch, until_ms = excluded.until_ms",
        params![name, holder.as_bytes(), epoch, until_ms],
    )?;
    Ok(Some(epoch.cast_unsigned()))
}
