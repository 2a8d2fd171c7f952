//! What was heard long ago, or is too much, is forgotten.
//!
//! Documents made anew of the log equal those that grew: the events of a command that somebody may still read stay for
//! as long as the command does. So commands go first, and what was heard after one that is left stays. Events that the
//! program has contracts of stay for good, as nobody says when the documents made of them go.

use std::time::Duration;

use tick_sdk::contracts::CommandId;
use tick_sdk::contracts::bus::EventsForgotten;
use uuid::Uuid;

use super::heard::{Kind, forgotten, into_store_error, say_forgotten};
use crate::bell::{Bell, Stopping};
use crate::retention::Retention;
use crate::running::now_ms;
use crate::store::{NewEvent, Store, StoreError, StoreTransaction};
use crate::tables::TablesError;
use crate::values;

/// Between looks for what is old, or too much.
const EVERY: Duration = Duration::from_secs(60);
/// So many messages of each kind are forgotten in one commit, so that nobody waits for it.
const STEP: usize = 500;
/// Between two such commits.
const BETWEEN_STEPS: Duration = Duration::from_millis(20);

/// Forgets until the bus stops. Several processes may do so with one store.
pub(crate) fn keep_forgetting(
    store: &dyn Store,
    retention: Retention,
    forgotten: Option<&Bell>,
    stopping: &Stopping,
) {
    while !stopping.is_set() {
        if let Err(error) = forget_all(store, retention, forgotten, stopping) {
            tracing::warn!(%error, "what was heard long ago could not be forgotten");
        }
        stopping.wait(EVERY);
    }
}

fn forget_all(
    store: &dyn Store,
    retention: Retention,
    forgotten: Option<&Bell>,
    stopping: &Stopping,
) -> Result<(), StoreError> {
    let too_many = heard_beyond(store, retention.most).map_err(into_store_error)?;
    while !stopping.is_set() {
        let now_ms = now_ms();
        let known_before_ms = now_ms.saturating_sub(retention.keep.as_millis() as u64);
        let before_ms = known_before_ms.max(too_many.map_or(0, |heard_ms| heard_ms + 1));
        let is_all = forget_some(store, before_ms, known_before_ms, now_ms)?;
        // The store wakes other processes only.
        forgotten.iter().for_each(|bell| bell.ring());
        if is_all {
            break;
        }
        stopping.wait(BETWEEN_STEPS);
    }
    Ok(())
}

/// When the last of those messages was heard that are beyond so many younger ones of their kind.
fn heard_beyond(store: &dyn Store, most: u64) -> Result<Option<u64>, TablesError> {
    let sql = "SELECT heard_ms FROM message WHERE kind = $1 ORDER BY heard_ms DESC LIMIT 1 OFFSET $2";
    let mut latest = None;
    for kind in [Kind::Command, Kind::Event, Kind::Fault] {
        if let Some(row) = store.query(sql, &values![kind as i64, most])?.first() {
            latest = latest.max(Some(row.get(0)?));
        }
    }
    Ok(latest)
}

/// Forgets some of what was heard before one time, and what says so since before another; whether that is all of it.
fn forget_some(
    store: &dyn Store,
    before_ms: u64,
    known_before_ms: u64,
    now_ms: u64,
) -> Result<bool, StoreError> {
    let mut transaction = store.begin()?;
    // Whoever writes to the log waits, and comes after this.
    let last = transaction.position()?;
    let mut step = ForgettingStep { transaction: &mut *transaction, last, has_last: false, is_all: true };
    let commands = step.take(Kind::Command, before_ms)?;
    let command_ids: Vec<_> = commands.into_iter().map(|(id, _)| CommandId(id)).collect();
    let before_ms = before_ms.min(step.first_command().map_err(into_store_error)?.unwrap_or(u64::MAX));
    step.take(Kind::Fault, before_ms)?;
    step.take(Kind::Cause, before_ms)?;
    let events = step.take(Kind::Event, before_ms)?;
    step.take(Kind::Forgotten, known_before_ms)?;
    let ForgettingStep { has_last, is_all, .. } = step;
    // No position is given twice.
    if !command_ids.is_empty() || (has_last && events.is_empty()) {
        say_forgotten(&mut *transaction, &forgotten(command_ids), now_ms)?;
    }
    if !events.is_empty() {
        let positions = events.into_iter().map(|(_, position)| position).collect();
        let event = NewEvent::of_bus(EventsForgotten::NAME, &EventsForgotten { positions });
        say_forgotten(&mut *transaction, &event, now_ms)?;
    }
    transaction.commit()?;
    Ok(is_all)
}

/// One commit that forgets.
struct ForgettingStep<'a> {
    transaction: &'a mut dyn StoreTransaction,
    /// The log's last position.
    last: u64,
    /// The last event is removed.
    has_last: bool,
    /// Nothing more is to be forgotten.
    is_all: bool,
}

impl ForgettingStep<'_> {
    /// Removes the oldest messages of a kind that were heard before this; gives those that stood in the log.
    fn take(&mut self, kind: Kind, before_ms: u64) -> Result<Vec<(Uuid, u64)>, StoreError> {
        // What says that something is forgotten stays while it is the last: another one would have to follow it.
        let up_to = if kind == Kind::Forgotten { self.last.saturating_sub(1) } else { u64::MAX >> 1 };
        let sql = "DELETE FROM message WHERE kind = $1 AND id IN (SELECT id FROM message WHERE kind = $1 \
                   AND heard_ms < $2 AND coalesce(position, 0) <= $3 ORDER BY heard_ms LIMIT $4) \
                   RETURNING id, position";
        let before_ms = before_ms.min(u64::MAX >> 1);
        let old = values![kind as i64, before_ms, up_to, STEP as u64];
        let rows = self.transaction.tables().query(sql, &old).map_err(into_store_error)?;
        self.is_all &= rows.len() < STEP;
        let mut stood = Vec::new();
        for row in rows {
            let (id, position): (Uuid, Option<u64>) =
                (row.get(0).map_err(into_store_error)?, row.get(1).map_err(into_store_error)?);
            let Some(position) = position else { continue };
            self.transaction.remove_events(position, position)?;
            self.has_last |= position == self.last;
            stood.push((id, position));
        }
        Ok(stood)
    }

    /// When the first command was heard that is left.
    fn first_command(&mut self) -> Result<Option<u64>, TablesError> {
        let sql = "SELECT heard_ms FROM message WHERE kind = $1 ORDER BY heard_ms LIMIT 1";
        let found = self.transaction.tables().query_first(sql, &values![Kind::Command as i64])?;
        found.map(|row| row.get(0)).transpose()
    }
}

#[cfg(test)]
mod tests;
