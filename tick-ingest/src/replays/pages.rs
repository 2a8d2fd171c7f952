//! The report of each replay, a compressed page that whoever has played it has made: stored by the commit that ends the
//! replay, removed by the one that forgets it, read by every gateway.

use bus::{Store, TablesError, Work, values};
use uuid::Uuid;

use super::QueueError;

/// The latest are kept, so many bytes in all.
pub const MOST_PAGE_BYTES: u64 = 256 << 20;

/// The page of a replay, as it was stored; `None` where there is none, or none any more.
///
/// # Errors
/// The store failed.
pub fn stored_page(store: &dyn Store, replay_id: Uuid) -> Result<Option<Vec<u8>>, TablesError> {
    let found = store.query("SELECT page FROM replay_page WHERE replay_id = $1", &values![replay_id])?;
    found.first().map(|row| row.get(0)).transpose()
}

/// Stores the page of a replay, and removes the oldest of others where all together are too large.
pub(super) fn store(work: &mut Work<'_>, replay_id: Uuid, page: Vec<u8>) -> Result<(), QueueError> {
    store_within(work, replay_id, page, MOST_PAGE_BYTES)
}

pub(super) fn store_within(
    work: &mut Work<'_>,
    replay_id: Uuid,
    page: Vec<u8>,
    most: u64,
) -> Result<(), QueueError> {
    let (now_ms, bytes) = (work.now_ms(), page.len() as u64);
    let tables = work.tables()?;
    let sql = "INSERT INTO replay_page (replay_id, stored_at_ms, bytes, page) VALUES ($1, $2, $3, $4) \
               ON CONFLICT (replay_id) DO UPDATE SET stored_at_ms = $2, bytes = $3, page = $4";
    tables.execute(sql, &values![replay_id, now_ms, bytes, page])?;
    // Sums from the youngest on: what lies beyond is too much.
    let sql = "DELETE FROM replay_page WHERE replay_id IN (SELECT replay_id FROM \
               (SELECT replay_id, SUM(bytes) OVER (ORDER BY stored_at_ms DESC, replay_id DESC) AS younger \
               FROM replay_page) AS summed WHERE younger > $1)";
    tables.execute(sql, &values![most])?;
    Ok(())
}

pub(super) fn remove(work: &mut Work<'_>, replay_id: Uuid) -> Result<(), QueueError> {
    work.tables()?.execute("DELETE FROM replay_page WHERE replay_id = $1", &values![replay_id])?;
    Ok(())
}
