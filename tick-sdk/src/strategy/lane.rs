//! A lane: one strategy on one shard, the loop over ticks.

use std::collections::HashMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::context::{Book, KeyEntry, LaneParts};
use super::{Context, Key, Scope, Strategy};
use crate::decimal::UNDEFINED_PRICE;
use crate::groups::Groups;
use crate::signal::Signal;
use crate::{Side, TargetPosition, Tick};

/// One strategy on one shard: every object of it there, and the signals not yet taken away.
pub trait Lane: Send {
    /// Makes an instrument known; ids come in order. One that is known is left alone.
    ///
    /// # Errors
    /// The strategy refuses the key, or the id is not the next one.
    fn open(&mut self, id: u32, symbol: &str, key: &str) -> Result<(), LaneError>;

    /// How many instruments are known.
    fn instruments(&self) -> u32;

    /// Gives every object its next ticks, of which the first has sequence number `first_seq`.
    ///
    /// # Errors
    /// A tick names an unknown instrument, or the strategy did what it may not do.
    fn run(&mut self, first_seq: u64, ticks: &[Tick]) -> Result<(), LaneError>;

    /// Ends the run: `on_end` once per key. `seq` is one past the last tick, `ts` the last receive
    /// time of the whole run.
    ///
    /// # Errors
    /// The strategy did what it may not do.
    fn end(&mut self, seq: u64, ts: u64) -> Result<(), LaneError>;

    /// Signals since they were last taken away, in order of (seq, n).
    fn signals(&mut self) -> &mut Vec<Signal>;

    /// Leaves out signals of ticks before `seq`: they are committed already.
    fn suppress_below(&mut self, seq: u64);

    /// Visits the stored form of each key that a tick has touched at or after `seq`.
    ///
    /// # Errors
    /// The strategy's state cannot be serialised.
    fn changed_since(&self, seq: u64, visit: &mut dyn FnMut(&str, Vec<u8>)) -> Result<(), LaneError>;

    /// Puts a key back into a stored form. Its instruments must have been opened.
    ///
    /// # Errors
    /// The stored form is damaged or of another version, or the key is unknown.
    fn restore(&mut self, key: &str, stored: &[u8]) -> Result<(), LaneError>;

    /// The tick that the strategy was given last, or the key whose end it was; `None` before the first
    /// tick since the lane was made. It holds after a panic of the strategy too.
    fn position(&self) -> Option<LanePosition<'_>>;
}

/// Where a lane is in its run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LanePosition<'a> {
    /// The key: the instrument's symbol, or the group's name.
    pub key: &'a str,
    /// The tick's sequence number; at the end of the run one past the last tick.
    pub seq: u64,
}

/// A lane that cannot go on.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum LaneError {
    /// A tick or a dictionary names an instrument out of order.
    #[error("instrument {id} is unknown: the dictionary holds {known}")]
    UnknownInstrument {
        /// The id that was named.
        id: u32,
        /// How many are known.
        known: u32,
    },
    /// The strategy did what it may not do, or refuses a key.
    #[error("key {key}: {reason}")]
    Strategy {
        /// The key, where it is known.
        key: String,
        /// What is wrong.
        reason: String,
    },
    /// Stored state that cannot be read, or state that cannot be stored.
    #[error("state of key {key}: {reason}\n  start afresh with another --state")]
    State {
        /// The key.
        key: String,
        /// What is wrong.
        reason: String,
    },
}

/// One object of a strategy.
struct Slot<S> {
    strategy: S,
    /// The sequence number of its last tick, by which a checkpoint finds what has changed;
    /// [`Slot::NEVER`] before the first.
    touched: u64,
}

impl<S> Slot<S> {
    /// No tick has such a sequence number.
    const NEVER: u64 = u64::MAX;

    fn touched(&self) -> Option<u64> {
        (self.touched != Self::NEVER).then_some(self.touched)
    }
}

/// The lane of strategy `S`.
pub struct TypedLane<S: Strategy> {
    slots: Vec<Slot<S>>,
    parts: LaneParts,
    by_name: HashMap<String, u32>,
    params: S::Params,
    groups: Arc<Groups>,
    /// The slot whose end it is, and its sequence number.
    ending: Option<(usize, u64)>,
}

/// A key's stored form, which follows [`STATE_FORMAT`].
#[derive(Serialize, Deserialize)]
struct Stored<S> {
    strategy: S,
    timers: Vec<u64>,
    instruments: Vec<StoredInstrument>,
}

/// What a lane keeps of one instrument beside the strategy's own state.
#[derive(Serialize, Deserialize)]
struct StoredInstrument {
    id: u32,
    /// The newest trade, bid and ask.
    prices: [i64; 3],
    position: TargetPosition,
}

/// The first byte of a stored form. It changes with what stands around the strategy's own fields.
const STATE_FORMAT: u8 = 2;

impl<S: Strategy> TypedLane<S> {
    /// A lane that has seen nothing.
    pub fn new(params: S::Params, groups: Arc<Groups>) -> Self {
        Self {
            slots: Vec::new(),
            parts: LaneParts::default(),
            by_name: HashMap::new(),
            params,
            groups,
            ending: None,
        }
    }

    /// The slot of a key, made at its first instrument.
    fn slot_of(&mut self, name: &str, members: &[String]) -> Result<u32, LaneError> {
        if let Some(slot) = self.by_name.get(name) {
            return Ok(*slot);
        }
        let strategy = S::new(&self.params, &Key { name, members })
            .map_err(|reason| LaneError::Strategy { key: name.to_owned(), reason })?;
        let slot = self.slots.len() as u32;
        self.slots.push(Slot { strategy, touched: Slot::<S>::NEVER });
        self.parts.keys.push(KeyEntry { name: name.to_owned(), ids: vec![u32::MAX; members.len()] });
        self.parts.timers.add_key();
        self.by_name.insert(name.to_owned(), slot);
        Ok(slot)
    }

    /// The slot of a new instrument, and its place in it; `None` where it belongs to no key.
    fn place_of(&mut self, symbol: &str, key: &str) -> Result<Option<(u32, u32)>, LaneError> {
        match S::SCOPE {
            Scope::Instrument => Ok(Some((self.slot_of(symbol, &[symbol.to_owned()])?, 0))),
            Scope::Group => {
                let groups = self.groups.clone();
                match groups.group_of(symbol) {
                    Some((group, member)) if group.name == key => {
                        Ok(Some((self.slot_of(key, &group.members)?, member as u32)))
                    }
                    _ => Ok(None),
                }
            }
        }
    }

    /// The first error of the strategy since the last call; its signals since then are not to be used.
    fn outcome(&mut self) -> Result<(), LaneError> {
        match self.parts.failure.take() {
            Some((slot, reason)) => {
                let key = self.parts.keys.get(slot as usize).map_or_else(String::new, |key| key.name.clone());
                Err(LaneError::Strategy { key, reason })
            }
            None => Ok(()),
        }
    }
}

impl LaneParts {
    fn stored_instrument(&self, id: u32) -> StoredInstrument {
        let prices = self.books[id as usize].prices();
        StoredInstrument { id, prices, position: self.positions[id as usize] }
    }

    /// `None` for an instrument that is unknown.
    fn restore(&mut self, stored: &StoredInstrument) -> Option<()> {
        *self.books.get_mut(stored.id as usize)? = Book::of(stored.prices);
        *self.positions.get_mut(stored.id as usize)? = stored.position;
        Some(())
    }
}

/// Fires a key's timers that this tick has reached.
#[cold]
#[inline(never)]
fn fire_timers<S: Strategy>(strategy: &mut S, slot: u32, context: &mut Context<'_>) {
    while context.lane.failure.is_none()
        && let Some(at) = context.lane.timers.take(slot, context.tick.ts_recv)
    {
        context.timer = Some(at);
        strategy.on_timer(at, context);
    }
    context.timer = None;
}

#[cold]
fn unknown<T>(id: u32, known: usize) -> Result<T, LaneError> {
    Err(LaneError::UnknownInstrument { id, known: known as u32 })
}

impl<S: Strategy> Lane for TypedLane<S> {
    fn open(&mut self, id: u32, symbol: &str, key: &str) -> Result<(), LaneError> {
        if id < self.instruments() {
            return Ok(());
        }
        if id > self.instruments() {
            return unknown(id, self.parts.books.len());
        }
        let place = self.place_of(symbol, key)?;
        if let Some((slot, member)) = place {
            if S::SCOPE == Scope::Instrument && slot != id {
                let reason = format!("the symbol has two ids in one shard, {slot} and {id}");
                return Err(LaneError::Strategy { key: symbol.to_owned(), reason });
            }
            self.parts.keys[slot as usize].ids[member as usize] = id;
        }
        self.parts.places.push(place.unwrap_or((u32::MAX, 0)));
        self.parts.books.push(Book::EMPTY);
        self.parts.positions.push(TargetPosition::Flat);
        Ok(())
    }

    fn instruments(&self) -> u32 {
        self.parts.books.len() as u32
    }

    fn run(&mut self, first_seq: u64, ticks: &[Tick]) -> Result<(), LaneError> {
        let Some(first) = ticks.first() else { return Ok(()) };
        let slots = &mut self.slots[..];
        let mut context = Context { lane: &mut self.parts, tick: first, seq: first_seq, timer: None };
        for (seq, tick) in (first_seq..).zip(ticks) {
            let Some(book) = context.lane.books.get_mut(tick.instrument as usize) else {
                return unknown(tick.instrument, context.lane.books.len());
            };
            book.record(tick);
            let slot = match S::SCOPE {
                Scope::Instrument => tick.instrument,
                Scope::Group => context.lane.places[tick.instrument as usize].0,
            };
            let Some(entry) = slots.get_mut(slot as usize) else { continue };
            entry.touched = seq;
            context.tick = tick;
            context.seq = seq;
            if tick.ts_recv >= context.lane.timers.earliest {
                fire_timers(&mut entry.strategy, slot, &mut context);
            }
            entry.strategy.on_tick(tick, &mut context);
        }
        self.outcome()
    }

    fn end(&mut self, seq: u64, ts: u64) -> Result<(), LaneError> {
        for (slot, entry) in self.slots.iter_mut().enumerate() {
            self.ending = Some((slot, seq));
            // A key has a slot from its first instrument on.
            let first = self.parts.keys[slot].ids.iter().find(|&&id| id != u32::MAX);
            let instrument = first.copied().unwrap_or_default();
            let tick = &Tick::trade(ts, ts, UNDEFINED_PRICE, 0, Side::NONE).of(instrument);
            let mut context = Context { lane: &mut self.parts, tick, seq, timer: None };
            entry.strategy.on_end(&mut context);
        }
        self.outcome()
    }

    fn signals(&mut self) -> &mut Vec<Signal> {
        &mut self.parts.signals
    }

    fn suppress_below(&mut self, seq: u64) {
        self.parts.suppress_below = seq;
    }

    fn changed_since(&self, seq: u64, visit: &mut dyn FnMut(&str, Vec<u8>)) -> Result<(), LaneError> {
        for ((slot, key), id) in self.slots.iter().zip(&self.parts.keys).zip(0u32..) {
            if slot.touched().unwrap_or(0) < seq {
                continue;
            }
            let known = key.ids.iter().filter(|&&id| id != u32::MAX);
            let instruments = known.map(|&id| self.parts.stored_instrument(id)).collect();
            let stored = Stored { strategy: &slot.strategy, timers: self.parts.timers.of(id), instruments };
            let bytes = postcard::to_extend(&stored, vec![STATE_FORMAT])
                .map_err(|error| LaneError::State { key: key.name.clone(), reason: error.to_string() })?;
            visit(&key.name, bytes);
        }
        Ok(())
    }

    fn restore(&mut self, key: &str, stored: &[u8]) -> Result<(), LaneError> {
        let damaged = |reason: String| LaneError::State { key: key.to_owned(), reason };
        let slot =
            *self.by_name.get(key).ok_or_else(|| damaged("the key is not in the dictionary".to_owned()))?;
        let Some((&STATE_FORMAT, stored)) = stored.split_first() else {
            return Err(damaged("another version of Orchard stored it".to_owned()));
        };
        let stored: Stored<S> = postcard::from_bytes(stored).map_err(|error| damaged(error.to_string()))?;
        for instrument in &stored.instruments {
            let id = instrument.id;
            self.parts.restore(instrument).ok_or_else(|| damaged(format!("instrument {id} is unknown")))?;
        }
        self.slots[slot as usize].strategy = stored.strategy;
        self.parts.timers.restore(slot, stored.timers);
        Ok(())
    }

    fn position(&self) -> Option<LanePosition<'_>> {
        let newest = || {
            let (slot, entry) = self.slots.iter().enumerate().max_by_key(|(_, entry)| entry.touched())?;
            Some((slot, entry.touched()?))
        };
        let (slot, seq) = self.ending.or_else(newest)?;
        Some(LanePosition { key: &self.parts.keys[slot].name, seq })
    }
}
