//! What a strategy may do: signal, and set timers.

use std::collections::{BTreeMap, BTreeSet};

use crate::signal::{Signal, Wanted};
use crate::{Kind, UNDEFINED_PRICE};

/// Handed to a strategy with each tick, timer and end of run.
#[derive(Debug)]
pub struct Context<'a> {
    pub(super) out: &'a mut Emitter,
    pub(super) books: &'a [Book],
    pub(super) next_timer: &'a mut u64,
    /// The ids of the key's members; [`u32::MAX`] for one that has not appeared.
    pub(super) members: &'a [u32],
    pub(super) slot: u32,
    pub(super) instrument: u32,
    pub(super) member: usize,
    pub(super) cause: Cause,
}

/// What a signal is stamped with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cause {
    pub(super) ts_event: u64,
    pub(super) ts_recv: u64,
    pub(super) seq: u64,
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
        self.signal(Wanted::Buy, price);
    }

    /// Wants to be one unit short from now on.
    #[inline]
    pub fn sell(&mut self, price: i64) {
        self.signal(Wanted::Sell, price);
    }

    /// Wants no position from now on.
    #[inline]
    pub fn flat(&mut self, price: i64) {
        self.signal(Wanted::Flat, price);
    }

    /// Wants this position in the causing tick's instrument (at the end of a run: in the key's
    /// first one).
    #[inline(always)]
    pub fn signal(&mut self, side: Wanted, price: i64) {
        self.out.emit(self.cause, self.instrument, self.books[self.instrument as usize], side, price);
    }

    /// Wants this position in one member of the group, by its place among [`Key::members`].
    ///
    /// A member that has had no tick has no price: the run stops and says so.
    ///
    /// [`Key::members`]: crate::Key::members
    #[inline(always)]
    pub fn signal_on(&mut self, member: usize, side: Wanted, price: i64) {
        match self.members.get(member) {
            Some(&id) if (id as usize) < self.books.len() => {
                self.out.emit(self.cause, id, self.books[id as usize], side, price);
            }
            _ => self.out.fail(format!("it signals on member {member} of its group, which has had no tick")),
        }
    }

    /// The place of the causing tick's instrument among [`Key::members`](crate::Key::members).
    #[inline(always)]
    pub fn member(&self) -> usize {
        self.member
    }

    /// The newest price of this kind for the causing tick's instrument, this tick's included.
    #[inline(always)]
    pub fn newest(&self, kind: Kind) -> Option<i64> {
        let price = self.books[self.instrument as usize].0[usize::from(kind.0 & 3)];
        (price != UNDEFINED_PRICE).then_some(price)
    }

    /// Calls [`Strategy::on_timer`](crate::Strategy::on_timer) before the first tick of this key
    /// with `ts_recv >= at`. Setting the same time twice is setting it once.
    #[inline]
    pub fn timer_at(&mut self, at: u64) {
        self.out.set_timer(self.slot, at);
        *self.next_timer = (*self.next_timer).min(at);
    }
}

/// Where a lane's strategies leave what they want.
#[derive(Debug, Default)]
pub(super) struct Emitter {
    pub(super) signals: Vec<Signal>,
    /// Signals of earlier ticks are committed already.
    pub(super) suppress_below: u64,
    pub(super) timers: BTreeMap<u32, BTreeSet<u64>>,
    /// Set while a timer fires: a timer set for this time or before would fire for ever.
    pub(super) firing_at: Option<u64>,
    pub(super) error: Option<String>,
    last_seq: u64,
    next_n: u32,
}

impl Emitter {
    /// More pending timers than this for one key are a mistake.
    const TIMERS: usize = 256;

    #[cold]
    fn emit(&mut self, cause: Cause, instrument: u32, book: Book, side: Wanted, price: i64) {
        if cause.seq < self.suppress_below {
            return;
        }
        if cause.seq != self.last_seq {
            (self.last_seq, self.next_n) = (cause.seq, 0);
        }
        let [_, _, bid, ask] = book.0;
        let Cause { ts_event, ts_recv, seq } = cause;
        let n = self.next_n;
        self.signals.push(Signal { ts_event, ts_recv, seq, n, instrument, side, price, bid, ask });
        self.next_n += 1;
    }

    #[cold]
    fn set_timer(&mut self, slot: u32, at: u64) {
        if self.firing_at.is_some_and(|now| at <= now) {
            return self.fail(format!("its timer sets a timer for {at}, which is not after its own time"));
        }
        let timers = self.timers.entry(slot).or_default();
        timers.insert(at);
        if timers.len() > Self::TIMERS {
            self.fail(format!("it has more than {} pending timers for one key", Self::TIMERS));
        }
    }

    /// Takes the earliest timer of a key; returns the next one, [`u64::MAX`] if there is none.
    pub(super) fn take_timer(&mut self, slot: u32) -> u64 {
        let Some(timers) = self.timers.get_mut(&slot) else { return u64::MAX };
        timers.pop_first();
        timers.first().copied().unwrap_or(u64::MAX)
    }

    #[cold]
    pub(super) fn fail(&mut self, problem: String) {
        self.error.get_or_insert(problem);
    }
}
