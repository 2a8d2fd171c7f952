//! Which processes serve the context, and what they handle that may end them.
//!
//! One process at a time serves a context in a SQLite file, so whoever else is noted has ended.

use rusqlite::{OptionalExtension, params};
use uuid::Uuid;

use super::transaction::SqliteTransaction;
use crate::store::{Note, StoreError};

/// As [`Store::begin_serving`](crate::store::Store::begin_serving), in this transaction.
pub(super) fn begin(transaction: &SqliteTransaction, own: Uuid) -> Result<bool, StoreError> {
    let others = transaction.write("DELETE FROM serving WHERE own <> ?1", [own.as_bytes()])?;
    transaction.write("INSERT OR IGNORE INTO serving (own) VALUES (?1)", [own.as_bytes()])?;
    Ok(others > 0)
}

/// As [`Store::note`](crate::store::Store::note), in this transaction.
pub(super) fn note(transaction: &SqliteTransaction, own: Uuid, message: Uuid) -> Result<Note, StoreError> {
    let ended: Option<u32> = transaction.read(|connection| {
        let sql = "SELECT deaths + 1 FROM handling WHERE id = ?1 AND own <> ?2";
        let values = params![message.as_bytes(), own.as_bytes()];
        connection.prepare_cached(sql)?.query_row(values, |row| row.get(0)).optional()
    })?;
    if let Some(deaths) = ended {
        return Ok(Note::Ended { deaths });
    }
    transaction.write(
        "INSERT INTO handling (id, own, deaths) VALUES (?1, ?2, 0) ON CONFLICT DO UPDATE SET own = excluded.own",
        params![message.as_bytes(), own.as_bytes()],
    )?;
    Ok(Note::Begun)
}

/// As [`Store::forget_note`](crate::store::Store::forget_note), in this transaction.
pub(super) fn forget(transaction: &SqliteTransaction, own: Uuid, message: Uuid) -> Result<(), StoreError> {
    let values = params![message.as_bytes(), own.as_bytes()];
    transaction.write("DELETE FROM handling WHERE id = ?1 AND own = ?2", values)?;
    Ok(())
}

/// As [`StoreTransaction::settle_note`](crate::store::StoreTransaction::settle_note), in this transaction.
pub(super) fn settle(
    transaction: &SqliteTransaction,
    message: Uuid,
    deaths: Option<u32>,
) -> Result<(), StoreError> {
    let id = message.as_bytes();
    match deaths {
        None => transaction.write("DELETE FROM handling WHERE id = ?1", [id])?,
        Some(deaths) => {
            let sql = "UPDATE handling SET own = NULL, deaths = ?2 WHERE id = ?1";
            transaction.write(sql, params![id, deaths])?
        }
    };
    Ok(())
}
