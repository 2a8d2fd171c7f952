//! A lane: one strategy on one shard, the loop over ticks.

use std::collections::HashMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::context::{Book, Cause, Emitter};
use super::{Context, Key, Scope, Strategy};
use crate::Tick;
use crate::run::Groups;
use crate::signal::Signal;

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
    /// A tick names an unknown instrument, or the strategy made a mistake it cannot go on from.
    fn run(&mut self, first_seq: u64, ticks: &[Tick]) -> Result<(), LaneError>;

    /// Ends the run: `on_end` once per key. `seq` is one past the last tick, `ts` the last receive
    /// time of the whole run.
    ///
    /// # Errors
    /// The strategy made a mistake.
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
    /// The strategy made a mistake, or refuses a key.
    #[error("key {key}: {problem}")]
    Strategy {
        /// The key, where it is known.
        key: String,
        /// What is wrong.
        problem: String,
    },
    /// Stored state that cannot be read, or state that cannot be stored.
    #[error("state of key {key}: {problem}\n  start afresh with another --state folder")]
    State {
        /// The key.
        key: String,
        /// What is wrong.
        problem: String,
    },
}

/// One object of a strategy and what the lane keeps with it.
struct Slot<S> {
    strategy: S,
    next_timer: u64,
    /// The sequence number of its last tick, by which a checkpoint finds what has changed.
    touched: u64,
}

/// The lane of strategy `S`.
pub struct TypedLane<S: Strategy> {
    slots: Vec<Slot<S>>,
    books: Vec<Book>,
    emitter: Emitter,
    /// For scope group: each instrument's slot and place in its group; `u32::MAX` for none.
    places: Vec<(u32, u32)>,
    keys: Vec<KeyEntry>,
    by_name: HashMap<String, u32>,
    params: S::Params,
    groups: Arc<Groups>,
}

struct KeyEntry {
    name: String,
    /// The members' instrument ids, `u32::MAX` for one that has not appeared.
    ids: Vec<u32>,
}

/// A key's stored form.
#[derive(Serialize, Deserialize)]
struct Stored<S> {
    strategy: S,
    timers: Vec<u64>,
    books: Vec<(u32, [i64; 4])>,
}

impl<S: Strategy> TypedLane<S> {
    /// A lane that has seen nothing.
    pub fn new(params: S::Params, groups: Arc<Groups>) -> Self {
        Self {
            slots: Vec::new(),
            books: Vec::new(),
            emitter: Emitter::default(),
            places: Vec::new(),
            keys: Vec::new(),
            by_name: HashMap::new(),
            params,
            groups,
        }
    }

    /// The slot of a key, made at its first instrument.
    fn slot_of(&mut self, name: &str, members: &[String]) -> Result<u32, LaneError> {
        if let Some(slot) = self.by_name.get(name) {
            return Ok(*slot);
        }
        let strategy = S::new(&self.params, &Key { name, members })
            .map_err(|problem| LaneError::Strategy { key: name.to_owned(), problem })?;
        let slot = self.slots.len() as u32;
        self.slots.push(Slot { strategy, next_timer: u64::MAX, touched: 0 });
        self.keys.push(KeyEntry { name: name.to_owned(), ids: vec![u32::MAX; members.len()] });
        self.by_name.insert(name.to_owned(), slot);
        Ok(slot)
    }

    #[cold]
    #[inline(never)]
    fn fire_timers(&mut self, slot: u32, member: usize, tick: &Tick, seq: u64) {
        while self.emitter.error.is_none() {
            let entry = &mut self.slots[slot as usize];
            let at = entry.next_timer;
            if at > tick.ts_recv {
                break;
            }
            entry.next_timer = self.emitter.take_timer(slot);
            self.emitter.firing_at = Some(at);
            let mut context = Context {
                out: &mut self.emitter,
                books: &self.books,
                next_timer: &mut entry.next_timer,
                members: &self.keys[slot as usize].ids,
                slot,
                instrument: tick.instrument,
                member,
                cause: Cause { ts_event: at, ts_recv: tick.ts_recv, seq },
            };
            entry.strategy.on_timer(at, &mut context);
            self.emitter.firing_at = None;
        }
    }

    #[cold]
    fn failed(&mut self, slot: u32) -> Result<(), LaneError> {
        let key = self.keys.get(slot as usize).map_or_else(String::new, |key| key.name.clone());
        match self.emitter.error.take() {
            Some(problem) => Err(LaneError::Strategy { key, problem }),
            None => Ok(()),
        }
    }

    #[cold]
    fn unknown<T>(&self, id: u32) -> Result<T, LaneError> {
        Err(LaneError::UnknownInstrument { id, known: self.books.len() as u32 })
    }
}

impl<S: Strategy> Lane for TypedLane<S> {
    fn open(&mut self, id: u32, symbol: &str, key: &str) -> Result<(), LaneError> {
        if id < self.instruments() {
            return Ok(());
        }
        if id > self.instruments() {
            return self.unknown(id);
        }
        match S::SCOPE {
            Scope::Instrument => {
                let slot = self.slot_of(symbol, &[symbol.to_owned()])?;
                if slot != id {
                    let problem = format!("the symbol has two ids in one shard, {slot} and {id}");
                    return Err(LaneError::Strategy { key: symbol.to_owned(), problem });
                }
                self.keys[slot as usize].ids[0] = id;
            }
            Scope::Group => {
                let groups = self.groups.clone();
                let place = match groups.group_of(symbol) {
                    Some((group, member)) if group.name == key => {
                        let slot = self.slot_of(key, &group.members)?;
                        self.keys[slot as usize].ids[member] = id;
                        (slot, member as u32)
                    }
                    _ => (u32::MAX, 0),
                };
                self.places.push(place);
            }
        }
        self.books.push(Book::EMPTY);
        Ok(())
    }

    fn instruments(&self) -> u32 {
        self.books.len() as u32
    }

    fn run(&mut self, first_seq: u64, ticks: &[Tick]) -> Result<(), LaneError> {
        for (seq, tick) in (first_seq..).zip(ticks) {
            let instrument = tick.instrument as usize;
            let Some(book) = self.books.get_mut(instrument) else {
                return self.unknown(tick.instrument);
            };
            book.0[usize::from(tick.kind.0 & 3)] = tick.price;
            let (slot, member) = match S::SCOPE {
                Scope::Instrument => (tick.instrument, 0),
                Scope::Group => match self.places[instrument] {
                    (u32::MAX, _) => continue,
                    (slot, member) => (slot, member as usize),
                },
            };
            if tick.ts_recv >= self.slots[slot as usize].next_timer {
                self.fire_timers(slot, member, tick, seq);
            }
            let entry = &mut self.slots[slot as usize];
            entry.touched = seq;
            let mut context = Context {
                out: &mut self.emitter,
                books: &self.books,
                next_timer: &mut entry.next_timer,
                members: &self.keys[slot as usize].ids,
                slot,
                instrument: tick.instrument,
                member,
                cause: Cause { ts_event: tick.ts_event, ts_recv: tick.ts_recv, seq },
            };
            entry.strategy.on_tick(tick, &mut context);
            if self.emitter.error.is_some() {
                return self.failed(slot);
            }
        }
        Ok(())
    }

    fn end(&mut self, seq: u64, ts: u64) -> Result<(), LaneError> {
        for slot in 0..self.slots.len() {
            let entry = &mut self.slots[slot];
            let ids = &self.keys[slot].ids;
            let member = ids.iter().position(|&id| id != u32::MAX).unwrap_or(0);
            let mut context = Context {
                out: &mut self.emitter,
                books: &self.books,
                next_timer: &mut entry.next_timer,
                members: ids,
                slot: slot as u32,
                instrument: ids.get(member).copied().unwrap_or(0),
                member,
                cause: Cause { ts_event: ts, ts_recv: ts, seq },
            };
            entry.strategy.on_end(&mut context);
            if self.emitter.error.is_some() {
                return self.failed(slot as u32);
            }
        }
        Ok(())
    }

    fn signals(&mut self) -> &mut Vec<Signal> {
        &mut self.emitter.signals
    }

    fn suppress_below(&mut self, seq: u64) {
        self.emitter.suppress_below = seq;
    }

    fn changed_since(&self, seq: u64, visit: &mut dyn FnMut(&str, Vec<u8>)) -> Result<(), LaneError> {
        for ((slot, key), id) in self.slots.iter().zip(&self.keys).zip(0u32..) {
            if slot.touched < seq {
                continue;
            }
            let timers = self.emitter.timers.get(&id).into_iter().flatten().copied().collect();
            let known = key.ids.iter().filter(|&&id| id != u32::MAX);
            let books = known.map(|&id| (id, self.books[id as usize].0)).collect();
            let stored = Stored { strategy: &slot.strategy, timers, books };
            let bytes = postcard::to_stdvec(&stored)
                .map_err(|error| LaneError::State { key: key.name.clone(), problem: error.to_string() })?;
            visit(&key.name, bytes);
        }
        Ok(())
    }

    fn restore(&mut self, key: &str, stored: &[u8]) -> Result<(), LaneError> {
        let damaged = |problem: String| LaneError::State { key: key.to_owned(), problem };
        let slot =
            *self.by_name.get(key).ok_or_else(|| damaged("the key is not in the dictionary".to_owned()))?;
        let stored: Stored<S> = postcard::from_bytes(stored).map_err(|error| damaged(error.to_string()))?;
        for (id, book) in stored.books {
            let place = self
                .books
                .get_mut(id as usize)
                .ok_or_else(|| damaged(format!("instrument {id} is unknown")))?;
            place.0 = book;
        }
        let entry = &mut self.slots[slot as usize];
        entry.strategy = stored.strategy;
        entry.next_timer = stored.timers.first().copied().unwrap_or(u64::MAX);
        self.emitter.timers.insert(slot, stored.timers.into_iter().collect());
        Ok(())
    }
}
