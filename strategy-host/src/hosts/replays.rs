//! Replays that are played through a feed, from the log of the context `ticks`: each of a replay's strategies is a
//! lane of the replay's own feed, from its first tick to its end.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bus::{EventSource, StoredEvent};
use serde::Deserialize;
use tick_sdk::contracts::strategies::StrategySpec;
use tick_sdk::contracts::ticks::{
    ReplayAccepted, ReplayCancelled, ReplayCompleted, ReplayFailed, ReplayForgotten, ReplayStarted, TICKS,
};
use tick_sdk::contracts::{CommandId, Contract};
use tick_sdk::names::FeedName;

use super::deployed::configured;
use super::{LaneSource, LaneSourceError, WantedLane};
use crate::run::{AtEnd, Begin};

/// The events that say which replays are played, and by whom their ticks are to be seen.
const EVENTS: [&str; 6] = [
    ReplayAccepted::NAME,
    ReplayStarted::NAME,
    ReplayCompleted::NAME,
    ReplayCancelled::NAME,
    ReplayFailed::NAME,
    ReplayForgotten::NAME,
];
/// A look at the log goes over so many events.
const EVENTS_PER_LOOK: usize = 10_000;

/// The lanes of all replays that are played through feeds.
pub struct ReplayLanes {
    events: Arc<dyn EventSource>,
    /// The last event of the log that is folded; `None` before the first.
    cursor: Option<u64>,
    /// Those that have not ended, and those that failed: they may be asked for again.
    replays: BTreeMap<CommandId, Replay>,
}

#[derive(Default)]
struct Replay {
    strategies: Vec<StrategySpec>,
    /// Its feed, while it is played through one.
    feed: Option<FeedName>,
}

/// What every one of the events has.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OfReplay {
    replay_id: CommandId,
}

impl ReplayLanes {
    /// Follows the log.
    pub fn new(events: Arc<dyn EventSource>) -> Self {
        Self { events, cursor: None, replays: BTreeMap::new() }
    }

    /// Folds all that is in the log by now; whether anything of it may change the lanes.
    fn read(&mut self) -> Result<bool, LaneSourceError> {
        let mut is_changed = self.cursor.is_none();
        loop {
            let position = self.cursor.unwrap_or_default();
            let page = self.events.look(TICKS, position, EVENTS_PER_LOOK, Some(&EVENTS));
            let page = page.map_err(|error| LaneSourceError { reason: error.to_string() })?;
            for event in &page.events {
                self.fold(event).map_err(|error| LaneSourceError {
                    reason: format!("{} at position {}: {error}", event.name, event.position),
                })?;
                self.cursor = Some(event.position);
                is_changed = true;
            }
            self.cursor = Some(page.looked_to);
            if page.looked_to == position {
                return Ok(is_changed);
            }
        }
    }

    fn fold(&mut self, event: &StoredEvent) -> serde_json::Result<()> {
        let OfReplay { replay_id } = serde_json::from_str(&event.body)?;
        match event.name.as_str() {
            ReplayAccepted::NAME => {
                let accepted: ReplayAccepted = serde_json::from_str(&event.body)?;
                self.replays.entry(replay_id).or_default().strategies = accepted.plan.strategies;
            }
            ReplayStarted::NAME => {
                let started: ReplayStarted = serde_json::from_str(&event.body)?;
                let feed = started.feed.and_then(|feed| feed.parse().ok());
                self.replays.entry(replay_id).or_default().feed = feed;
            }
            ReplayFailed::NAME => {
                if let Some(replay) = self.replays.get_mut(&replay_id) {
                    replay.feed = None;
                }
            }
            _ => drop(self.replays.remove(&replay_id)),
        }
        Ok(())
    }

    fn lanes(&self) -> Vec<WantedLane> {
        let played = self.replays.values().filter_map(|replay| Some((replay.feed.as_ref()?, replay)));
        played
            .flat_map(|(feed, replay)| replay.strategies.iter().filter_map(|spec| lane(feed, spec)))
            .collect()
    }
}

fn lane(feed: &FeedName, spec: &StrategySpec) -> Option<WantedLane> {
    Some(WantedLane {
        feed: feed.clone(),
        // Whoever accepted the replay has checked it.
        name: spec.name.as_ref().filter(|name| !name.is_empty()).unwrap_or(&spec.strategy).parse().ok()?,
        configured: configured(&spec.strategy, &spec.parameters),
        begin: Begin::Start,
        at_end: AtEnd::Stop,
    })
}

impl LaneSource for ReplayLanes {
    fn wait(&mut self, timeout: Duration) -> Result<Option<Vec<WantedLane>>, LaneSourceError> {
        if let Some(cursor) = self.cursor
            && !self.events.wait_beyond(TICKS, cursor, timeout)
        {
            return Ok(None);
        }
        Ok(self.read()?.then(|| self.lanes()))
    }
}
