//! What this process plays, a message after the other.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};

use super::wire::{CandleChanges, Changed, InstrumentChanges, SourceChanges};
use crate::candles::Interval;
use crate::recording::{Counts, Recording};
use crate::{LiveMarket, locked};

/// A message has about so many bytes at most, or one instrument: with its whole past that is as much again.
const MOST_BYTES: usize = 256 << 10;
/// Whoever records waits for so many instruments at most.
const AT_ONCE: usize = 32;

/// How far this process's sources are published.
#[derive(Debug)]
pub(super) struct Publishing {
    pub(super) publisher: u128,
    number: u64,
    sources: HashMap<u64, Published>,
    /// The source that comes first in the next message, so that one with many changes does not shut the others out.
    turn: usize,
    /// Whether somebody asked for everything while it was being sent.
    is_asked: bool,
}

#[derive(Debug, Default)]
struct Published {
    /// Changes up to this version are published or wait.
    version: u64,
    waiting: VecDeque<u32>,
    instruments: Vec<Instrument>,
    said: Option<(Counts, bool)>,
    /// How many wait that somebody asked for.
    asked: usize,
}

#[derive(Clone, Debug, Default)]
struct Instrument {
    /// Whether it had a tick: it may be named before.
    has_ticks: bool,
    is_waiting: bool,
    is_asked: bool,
    /// Whether its candles were of trades.
    has_traded: bool,
    /// The last candle of each interval that was published: it may not have been complete.
    starts: [u64; Interval::ALL.len()],
}

/// A source as the board has it now.
struct Now {
    id: u64,
    name: String,
    run: String,
    counts: Counts,
    has_ended: bool,
    recording: Arc<Mutex<Recording>>,
}

impl Publishing {
    pub(super) fn new(publisher: u128) -> Self {
        Self { publisher, number: 0, sources: HashMap::new(), turn: 0, is_asked: false }
    }

    /// Everything is to be published once more.
    pub(super) fn ask(&mut self) {
        self.is_asked = true;
    }

    /// The next message; `None` where nothing has changed.
    pub(super) fn next(&mut self, market: &LiveMarket) -> Option<Changed> {
        let now = self.look(market);
        // Who asks while everything is being sent has missed a part of it: it is sent once more, after that.
        if self.is_asked && self.sources.values().all(|published| published.asked == 0) {
            self.is_asked = false;
            self.sources.values_mut().for_each(Published::ask);
        }
        let mut left = MOST_BYTES;
        let mut sources = Vec::new();
        self.turn += 1;
        for place in 0..now.len() {
            let source = &now[(self.turn + place) % now.len()];
            let Some(published) = self.sources.get_mut(&source.id).filter(|_| left > 0) else { continue };
            sources.extend(published.changes(source, &mut left));
        }
        (!sources.is_empty()).then(|| self.numbered(sources))
    }

    /// What says that this process is there.
    pub(super) fn alive(&mut self) -> Changed {
        self.numbered(Vec::new())
    }

    fn numbered(&mut self, sources: Vec<SourceChanges>) -> Changed {
        let changed = Changed { publisher: self.publisher, number: self.number, sources };
        self.number += 1;
        changed
    }

    /// Takes over what has changed, and forgets sources that are gone.
    fn look(&mut self, market: &LiveMarket) -> Vec<Now> {
        let mut now = Vec::new();
        market.shared.read(|board| {
            for source in board.sources.iter().filter(|source| source.is_own) {
                let published = self.sources.entry(source.id).or_default();
                published.look(&source.versions);
                now.push(Now {
                    id: source.id,
                    name: source.name.clone(),
                    run: source.run.clone(),
                    counts: source.counts,
                    has_ended: source.has_ended,
                    recording: source.recording.clone(),
                });
            }
        });
        self.sources.retain(|id, _| now.iter().any(|source| source.id == *id));
        now
    }
}

impl Published {
    fn look(&mut self, versions: &[u64]) {
        self.instruments.resize(versions.len(), Instrument::default());
        let mut latest = self.version;
        for (slot, (version, instrument)) in versions.iter().zip(&mut self.instruments).enumerate() {
            instrument.has_ticks |= *version > 0;
            if *version > self.version && !instrument.is_waiting {
                instrument.is_waiting = true;
                self.waiting.push_back(slot as u32);
            }
            latest = latest.max(*version);
        }
        self.version = latest;
    }

    fn ask(&mut self) {
        self.said = None;
        let with_ticks =
            self.instruments.iter_mut().enumerate().filter(|(_, instrument)| instrument.has_ticks);
        for (slot, instrument) in with_ticks {
            instrument.starts = Default::default();
            if !instrument.is_waiting {
                instrument.is_waiting = true;
                self.waiting.push_back(slot as u32);
            }
            instrument.is_asked = true;
            self.asked += 1;
        }
    }

    /// What waits, as far as there is room for it.
    fn changes(&mut self, source: &Now, left: &mut usize) -> Option<SourceChanges> {
        let mut instruments = Vec::new();
        while *left > 0 && !self.waiting.is_empty() {
            let recording = locked(&source.recording);
            for _ in 0..AT_ONCE {
                if *left == 0 {
                    break;
                }
                let Some(slot) = self.waiting.pop_front() else { break };
                let changes = self.instrument(&recording, slot);
                *left = left.saturating_sub(changes.size());
                instruments.push(changes);
            }
        }
        let says = (source.counts, source.has_ended && self.waiting.is_empty());
        if instruments.is_empty() && self.said == Some(says) {
            return None;
        }
        self.said = Some(says);
        let (name, run, id) = (source.name.clone(), source.run.clone(), source.id);
        Some(SourceChanges { name, run, id, counts: says.0, has_ended: says.1, instruments })
    }

    fn instrument(&mut self, recording: &Recording, slot: u32) -> InstrumentChanges {
        let instrument = &mut self.instruments[slot as usize];
        self.asked -= usize::from(instrument.is_asked);
        instrument.is_asked = false;
        instrument.is_waiting = false;
        let has_traded = recording.has_traded(slot);
        if has_traded != instrument.has_traded {
            instrument.has_traded = has_traded;
            instrument.starts = Default::default();
        }
        let mut candles = <[CandleChanges; Interval::ALL.len()]>::default();
        for (interval, changes) in Interval::ALL.into_iter().zip(&mut candles) {
            let start = &mut instrument.starts[interval.place()];
            *changes =
                CandleChanges { start: *start, candles: recording.candles_since(slot, interval, *start) };
            *start = changes.candles.last().map_or(*start, |last| last.start);
        }
        let (symbol, prices) = recording.latest(slot);
        InstrumentChanges { symbol: symbol.to_owned(), prices, candles }
    }
}
