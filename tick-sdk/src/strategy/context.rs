//! What a strategy may do: signal, and set timers.

use std::collections::{BTreeMap, BTreeSet};

use crate::signal::{Signal, TargetPosition};
use crate::{Kind, Tick, UNDEFINED_PRICE};

/// Handed to a strategy with each tick, timer and end of run.
///
/// It is made once per frame: per tick two fields change, and whatever else a strategy may ask for is
/// looked up when it asks.
pub struct Context<'a> {
    pub(super) lane: &'a mut LaneParts,
    /// The causing tick.
    pub(super) tick: &'a Tick,
    pub(super) seq: u64,
    /// The time of the timer that fires, if that is why.
    pub(super) timer: Option<u64>,
}

/// The newest price of each kind for one instrument, indexed by [`Kind`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Book(pub(super) [i64; 4]);

impl Book {
    pub(super) const EMPTY: Self = Self([UNDEFINED_PRICE; 4]);
}

impl Context<'_> {
    /// Wants to be one unit long from now on; `price` in 1e-9 of the quote unit.
    #[inline]
    pub fn buy(&mut self, price: i64) {
        self.signal(TargetPosition::Long, price);
    }

    /// Wants to be one unit short from now on.
    #[inline]
    pub fn sell(&mut self, price: i64) {
        self.signal(TargetPosition::Short, price);
    }

    /// Wants no position from now on.
    #[inline]
    pub fn flat(&mut self, price: i64) {
        self.signal(TargetPosition::Flat, price);
    }

    /// Wants this position in the causing tick's instrument (at the end of a run: in the key's
    /// first one).
    #[cold]
    #[inline(never)]
    pub fn signal(&mut self, side: TargetPosition, price: i64) {
        self.emit(self.tick.instrument, side, price);
    }

    /// Wants this position in one member of the group, by its place among [`Key::members`].
    ///
    /// A member that has had no tick has no price: the run stops and says so.
    ///
    /// [`Key::members`]: crate::Key::members
    #[cold]
    #[inline(never)]
    pub fn signal_on(&mut self, member: usize, side: TargetPosition, price: i64) {
        let (slot, _) = self.place();
        match self.lane.keys[slot as usize].ids.get(member) {
            Some(&id) if id != u32::MAX => self.emit(id, side, price),
            _ => {
                let reason = format!("it signals on member {member} of its group, which has had no tick");
                self.lane.fail(slot, reason);
            }
        }
    }

    /// The place of the causing tick's instrument among [`Key::members`](crate::Key::members).
    #[inline]
    pub fn member(&self) -> usize {
        self.place().1 as usize
    }

    /// The newest price of this kind for the causing tick's instrument, this tick's included.
    #[inline]
    pub fn newest(&self, kind: Kind) -> Option<i64> {
        self.newest_of(self.member(), kind)
    }

    /// The newest price of this kind for one member of the group, by its place among
    /// [`Key::members`](crate::Key::members).
    #[inline]
    pub fn newest_of(&self, member: usize, kind: Kind) -> Option<i64> {
        let (slot, _) = self.place();
        let id = *self.lane.keys[slot as usize].ids.get(member)?;
        let price = self.lane.books.get(id as usize)?.0[usize::from(kind.0 & 3)];
        (price != UNDEFINED_PRICE).then_some(price)
    }

    /// Calls [`Strategy::on_timer`](crate::Strategy::on_timer) before the first tick of this key
    /// with `ts_recv >= at`. Setting the same time twice is setting it once.
    #[cold]
    #[inline(never)]
    pub fn timer_at(&mut self, at: u64) {
        let (slot, _) = self.place();
        match self.timer {
            Some(now) if at <= now => {
                let reason = format!("its timer sets a timer for {at}, which is not after its own time");
                self.lane.fail(slot, reason);
            }
            _ => self.lane.set_timer(slot, at),
        }
    }

    fn emit(&mut self, instrument: u32, side: TargetPosition, price: i64) {
        let ts_event = self.timer.unwrap_or(self.tick.ts_event);
        self.lane.emit(ts_event, self.tick.ts_recv, self.seq, instrument, side, price);
    }

    /// The key's slot, and the instrument's place in it.
    #[inline]
    fn place(&self) -> (u32, u32) {
        self.lane.places[self.tick.instrument as usize]
    }
}

/// A key's name and members.
#[derive(Debug)]
pub(super) struct KeyEntry {
    pub(super) name: String,
    /// The members' instrument ids, `u32::MAX` for one that has not appeared.
    pub(super) ids: Vec<u32>,
}

/// What a lane keeps beside its strategies' own state.
#[derive(Debug)]
pub(super) struct LaneParts {
    /// By instrument.
    pub(super) books: Vec<Book>,
    /// Each instrument's slot and its place among the key's members; slot [`u32::MAX`] for none.
    pub(super) places: Vec<(u32, u32)>,
    /// By slot.
    pub(super) keys: Vec<KeyEntry>,
    /// By slot: its earliest timer, [`u64::MAX`] for none.
    pub(super) next_timers: Vec<u64>,
    /// The earliest timer of all, or earlier: what the loop over ticks compares with.
    pub(super) earliest_timer: u64,
    pub(super) signals: Vec<Signal>,
    /// Signals of earlier ticks are committed already.
    pub(super) suppress_below: u64,
    /// The first mistake, and the slot that made it.
    pub(super) mistake: Option<(u32, String)>,
    timers: BTreeMap<u32, BTreeSet<u64>>,
    last_seq: u64,
    next_n: u32,
}

impl Default for LaneParts {
    fn default() -> Self {
        Self {
            books: Vec::new(),
            places: Vec::new(),
            keys: Vec::new(),
            next_timers: Vec::new(),
            earliest_timer: u64::MAX,
            signals: Vec::new(),
            suppress_below: 0,
            mistake: None,
            timers: BTreeMap::new(),
            last_seq: 0,
            next_n: 0,
        }
    }
}

impl LaneParts {
    /// More pending timers than this for one key are a mistake.
    const TIMERS: usize = 256;

    fn emit(
        &mut self,
        ts_event: u64,
        ts_recv: u64,
        seq: u64,
        instrument: u32,
        side: TargetPosition,
        price: i64,
    ) {
        if seq < self.suppress_below {
            return;
        }
        if seq != self.last_seq {
            (self.last_seq, self.next_n) = (seq, 0);
        }
        let [_, _, bid, ask] = self.books[instrument as usize].0;
        let n = self.next_n;
        self.signals.push(Signal { ts_event, ts_recv, seq, n, instrument, side, price, bid, ask });
        self.next_n += 1;
    }

    fn set_timer(&mut self, slot: u32, at: u64) {
        let timers = self.timers.entry(slot).or_default();
        timers.insert(at);
        if timers.len() > Self::TIMERS {
            self.fail(slot, format!("it has more than {} pending timers for one key", Self::TIMERS));
        }
        self.next_timers[slot as usize] = self.next_timers[slot as usize].min(at);
        self.earliest_timer = self.earliest_timer.min(at);
    }

    /// Takes a key's earliest timer away if `now` has reached it.
    pub(super) fn take_timer(&mut self, slot: u32, now: u64) -> Option<u64> {
        let at = self.next_timers[slot as usize];
        if at > now {
            return None;
        }
        let timers = self.timers.get_mut(&slot)?;
        timers.pop_first();
        self.next_timers[slot as usize] = timers.first().copied().unwrap_or(u64::MAX);
        if at == self.earliest_timer {
            self.earliest_timer = self.next_timers.iter().copied().min().unwrap_or(u64::MAX);
        }
        Some(at)
    }

    /// A key's pending timers, in order.
    pub(super) fn timers(&self, slot: u32) -> Vec<u64> {
        self.timers.get(&slot).into_iter().flatten().copied().collect()
    }

    /// Puts a key's timers back.
    pub(super) fn restore_timers(&mut self, slot: u32, timers: Vec<u64>) {
        self.next_timers[slot as usize] = u64::MAX;
        self.timers.remove(&slot);
        timers.into_iter().for_each(|at| self.set_timer(slot, at));
    }

    #[cold]
    fn fail(&mut self, slot: u32, reason: String) {
        self.mistake.get_or_insert((slot, reason));
    }
}
