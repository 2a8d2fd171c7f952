//! What other processes play, as they say.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::wire::{Changed, InstrumentChanges, SourceChanges};
use crate::candles::Interval;
use crate::recording::Recording;
use crate::{LiveMarket, locked};

/// A process that is silent for so long has gone, and its sources have ended.
const GONE: Duration = Duration::from_secs(10);
/// Everything is asked for so often at most.
const ASK: Duration = Duration::from_secs(1);

/// What was received.
#[derive(Debug, Default)]
pub(super) struct Following {
    publishers: HashMap<u128, Publisher>,
    /// A part is missing.
    is_incomplete: bool,
    asked: Option<Instant>,
}

#[derive(Debug)]
struct Publisher {
    next_number: u64,
    last: Instant,
    sources: HashMap<String, Followed>,
}

#[derive(Debug)]
struct Followed {
    /// As its process has it.
    id: u64,
    /// As this market has it.
    own_id: u64,
    recording: Arc<Mutex<Recording>>,
    has_ended: bool,
}

impl Following {
    /// A queue is there anew: what was sent before is missing.
    pub(super) fn connected(&mut self, now: Instant) {
        self.is_incomplete = true;
        self.asked = None;
        self.publishers.values_mut().for_each(|publisher| publisher.last = now);
    }

    /// Whether to ask for everything now.
    pub(super) fn asks(&mut self, now: Instant) -> bool {
        if !self.is_incomplete || self.asked.is_some_and(|asked| now - asked < ASK) {
            return false;
        }
        self.is_incomplete = false;
        self.asked = Some(now);
        true
    }

    pub(super) fn take(&mut self, market: &LiveMarket, changed: Changed, now: Instant) {
        let first = || Publisher { next_number: 0, last: now, sources: HashMap::new() };
        let publisher = self.publishers.entry(changed.publisher).or_insert_with(first);
        self.is_incomplete |= changed.number != publisher.next_number;
        publisher.next_number = changed.number + 1;
        publisher.last = now;
        changed.sources.into_iter().for_each(|source| publisher.take(market, source));
    }

    /// Ends the sources of processes that have gone.
    pub(super) fn end_gone(&mut self, market: &LiveMarket, now: Instant) {
        self.publishers.retain(|_, publisher| {
            let is_there = now - publisher.last < GONE;
            if !is_there {
                publisher.sources.values_mut().for_each(|source| source.end(market));
            }
            is_there
        });
    }
}

impl Publisher {
    fn take(&mut self, market: &LiveMarket, changes: SourceChanges) {
        let SourceChanges { name, run, id, counts, has_ended, instruments } = changes;
        let is_known = self.sources.get(&name).is_some_and(|followed| followed.id == id);
        if !is_known {
            // Whoever begins a source last has it; but what is played here is known best here.
            if market.shared.read(|board| board.is_played_here(&name)) {
                return;
            }
            let (own_id, recording) = market.shared.begin(&name, &run, false);
            self.sources.insert(name.clone(), Followed { id, own_id, recording, has_ended: false });
            self.sources
                .retain(|_, followed| market.shared.read(|board| board.source(followed.own_id).is_some()));
        }
        let Some(followed) = self.sources.get_mut(&name) else { return };
        {
            let mut recording = locked(&followed.recording);
            recording.set_counts(counts);
            instruments.iter().for_each(|changes| apply(&mut recording, changes));
        }
        if followed.has_ended {
            // What was missing of it.
            market.shared.hand_over(followed.own_id);
        } else if has_ended {
            followed.end(market);
        }
    }
}

impl Followed {
    fn end(&mut self, market: &LiveMarket) {
        if !self.has_ended {
            self.has_ended = true;
            market.shared.end(self.own_id);
        }
    }
}

fn apply(recording: &mut Recording, changes: &InstrumentChanges) {
    let Some(slot) = recording.slot_of(&changes.symbol) else { return };
    for (interval, changes) in Interval::ALL.into_iter().zip(&changes.candles) {
        recording.replace_candles(slot, interval, changes.start, &changes.candles);
    }
    recording.set_prices(slot, changes.prices);
}
