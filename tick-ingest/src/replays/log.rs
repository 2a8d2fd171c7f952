//! What the log says of replays, so that it grows with the replays that there are, and not with what was ever done:
//! how far one is takes the place of how far it was, and what was said of a forgotten one is removed.
//!
//! Documents made anew of the log equal those that grew: a document shows the last progress only, and none of a
//! replay that has ended; and [`ReplayForgotten`] stays for as long as somebody may still read it.

use bus::{Work, values};
use tick_sdk::contracts::ticks::{ReplayForgotten, ReplayProgressed};
use tick_sdk::contracts::{Contract as _, Event};
use uuid::Uuid;

use super::{QueueError, State, pages};

/// Whoever reads the log has long known what was forgotten before this time, in ms.
const KNOWN_AFTER_MS: u64 = 30 * 24 * 3600 * 1000;
/// With each replay that is forgotten at most so many old notes of others are removed.
const REMOVED_AT_ONCE: u64 = 100;

/// Publishes an event of a replay and notes where it stands; what it says of its progress has been overtaken.
pub(super) fn publish<E: Event>(work: &mut Work<'_>, replay_id: Uuid, event: &E) -> Result<(), QueueError> {
    let is_progress = E::NAME == ReplayProgressed::NAME;
    let sql = "SELECT position FROM replay_event WHERE replay_id = $1 AND is_progress = 1";
    remove(work, replay_id, sql)?;
    work.publish(event);
    let position = work.position()?;
    let sql = "INSERT INTO replay_event (replay_id, position, is_progress) VALUES ($1, $2, $3)";
    work.tables()?.execute(sql, &values![replay_id, position, i64::from(is_progress)])?;
    Ok(())
}

/// Removes all that was said of a replay and its report, and says that it is forgotten.
pub(super) fn forget(work: &mut Work<'_>, replay_id: Uuid, run: Option<String>) -> Result<(), QueueError> {
    remove(work, replay_id, "SELECT position FROM replay_event WHERE replay_id = $1")?;
    pages::remove(work, replay_id)?;
    work.publish(&ReplayForgotten { replay_id, run });
    let (position, now_ms) = (work.position()?, work.now_ms());
    let sql = "INSERT INTO forgotten_replay_event (position, replay_id, at_ms) VALUES ($1, $2, $3)";
    work.tables()?.execute(sql, &values![position, replay_id, now_ms])?;
    remove_known(work)
}

/// Removes the events that a query of positions finds, with their notes.
fn remove(work: &mut Work<'_>, replay_id: Uuid, sql: &str) -> Result<(), QueueError> {
    for row in work.tables()?.query(sql, &values![replay_id])? {
        let position: u64 = row.get(0)?;
        work.remove_events(position, position)?;
        let sql = "DELETE FROM replay_event WHERE replay_id = $1 AND position = $2";
        work.tables()?.execute(sql, &values![replay_id, position])?;
    }
    Ok(())
}

fn remove_known(work: &mut Work<'_>) -> Result<(), QueueError> {
    let before = work.now_ms().saturating_sub(KNOWN_AFTER_MS);
    let sql =
        "SELECT position, replay_id FROM forgotten_replay_event WHERE at_ms < $1 ORDER BY position LIMIT $2";
    for row in work.tables()?.query(sql, &values![before, REMOVED_AT_ONCE])? {
        let (position, replay_id): (u64, Uuid) = (row.get(0)?, row.get(1)?);
        work.remove_events(position, position)?;
        let sql = "DELETE FROM forgotten_replay_event WHERE position = $1";
        work.tables()?.execute(sql, &values![position])?;
        let sql = "DELETE FROM replay WHERE replay_id = $1 AND state = $2";
        work.tables()?.execute(sql, &values![replay_id, State::Forgotten as i64])?;
    }
    Ok(())
}
