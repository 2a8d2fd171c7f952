//! Lanes of feeds that fail at their hosts, and that run again, as events.
//!
//! A lane may fail once a minute for as long as it is wanted. So the log has the last event of each lane only: the next
//! one takes its place, and it is removed with whatever the lane is of. Documents made anew of the log equal those that
//! grew, as they show the last failure.

use bus::{Bus, Tables, TablesError, Work, values};
use tick_sdk::contracts::strategies::{LaneFailed, LaneRecovered, STRATEGIES};
use tick_sdk::contracts::{CommandId, Event};
use tick_sdk::names::FeedName;

use super::PublishError;

/// Where the last event of each lane stands in the log, and whether it says that the lane has failed.
pub(super) const TABLES: &str = "
CREATE TABLE IF NOT EXISTS lane_event (
    strategy TEXT NOT NULL,
    feed TEXT NOT NULL,
    position INTEGER NOT NULL,
    is_failed INTEGER NOT NULL,
    PRIMARY KEY (strategy, feed)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS lane_event_of_feed ON lane_event (feed);
";

/// The feed that a replay is played through, where it is played through one.
///
/// # Panics
/// Never: it is a valid name.
pub fn feed_of_replay(replay_id: CommandId) -> FeedName {
    format!("replay-{}", replay_id.0.simple()).parse().expect("a valid name")
}

/// Publishes that a lane has failed at one of its hosts. Of a lane of a deployment that is wanted no more, nothing is
/// said.
///
/// # Errors
/// The context's store failed, or the bus does not serve `strategies`.
pub fn lane_failed(bus: &Bus, failed: &LaneFailed) -> Result<(), PublishError> {
    bus.transaction(STRATEGIES, |work| {
        // It locks the log: whoever else is about to write of this lane comes before or after.
        work.position()?;
        if is_wanted(work.tables()?, &failed.strategy)? {
            replace(work, &failed.feed, &failed.strategy, failed, true)?;
        }
        Ok(())
    })
}

/// Publishes that a lane has recovered, if it had failed.
///
/// # Errors
/// As [`lane_failed`].
pub fn lane_runs(bus: &Bus, feed: &str, strategy: &str) -> Result<(), PublishError> {
    bus.transaction(STRATEGIES, |work| {
        work.position()?;
        if last(work.tables()?, feed, strategy)?.is_some_and(|(_, is_failed)| is_failed) {
            let recovered = LaneRecovered { feed: feed.to_owned(), strategy: strategy.to_owned() };
            replace(work, feed, strategy, &recovered, false)?;
        }
        Ok(())
    })
}

/// A lane of a deployment is wanted no more: what was said of it is removed. Another event must follow.
pub(crate) fn forget_lane(work: &mut Work<'_>, strategy: &str) -> Result<(), PublishError> {
    forget(work, "strategy", strategy)
}

/// The same for all lanes of a feed.
pub(super) fn forget_feed(work: &mut Work<'_>, feed: &FeedName) -> Result<(), PublishError> {
    forget(work, "feed", feed.as_str())
}

fn forget(work: &mut Work<'_>, column: &'static str, value: &str) -> Result<(), PublishError> {
    work.position()?;
    let sql = format!("DELETE FROM lane_event WHERE {column} = $1 RETURNING position");
    for row in work.tables()?.query(&sql, &values![value])? {
        let position = row.get(0)?;
        work.remove_events(position, position)?;
    }
    Ok(())
}

/// Whether a lane is the current one of its deployment; one of no deployment is.
fn is_wanted(tables: &mut dyn Tables, lane: &str) -> Result<bool, TablesError> {
    let Some((name, revision)) = lane.split_once('@') else { return Ok(true) };
    let sql = "SELECT revision, is_stopped FROM deployment WHERE name = $1";
    let Some(row) = tables.query_first(sql, &values![name])? else { return Ok(true) };
    let (current, is_stopped): (u32, bool) = (row.get(0)?, row.get(1)?);
    Ok(!is_stopped && revision.parse() == Ok(current))
}

/// Where the last event of a lane stands, and whether it says that it has failed.
fn last(tables: &mut dyn Tables, feed: &str, strategy: &str) -> Result<Option<(u64, bool)>, TablesError> {
    let sql = "SELECT position, is_failed FROM lane_event WHERE strategy = $1 AND feed = $2";
    let found = tables.query_first(sql, &values![strategy, feed])?;
    found.map(|row| Ok((row.get(0)?, row.get(1)?))).transpose()
}

fn replace<E: Event>(
    work: &mut Work<'_>,
    feed: &str,
    strategy: &str,
    event: &E,
    is_failed: bool,
) -> Result<(), PublishError> {
    if let Some((position, _)) = last(work.tables()?, feed, strategy)? {
        work.remove_events(position, position)?;
    }
    work.publish(event);
    let position = work.position()?;
    let sql = "INSERT INTO lane_event (strategy, feed, position, is_failed) VALUES ($1, $2, $3, $4) \
               ON CONFLICT (strategy, feed) DO UPDATE SET position = excluded.position, \
               is_failed = excluded.is_failed";
    work.tables()?.execute(sql, &values![strategy, feed, position, is_failed])?;
    Ok(())
}

#[cfg(test)]
mod tests;
