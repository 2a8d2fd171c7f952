//! What a strategy may do: ask for a position, and set timers.

use crate::decimal::UNDEFINED_PRICE;
use crate::signal::Signal;
use crate::strategy::timers::Timers;
use crate::{Kind, Price, TargetPosition, Tick};

/// Handed to a strategy with each tick, timer and end of run: ask for a position with [`buy`](Self::buy),
/// [`sell`](Self::sell) and [`flat`](Self::flat), look at the book and the clock, set timers.
///
/// What concerns one instrument concerns the causing tick's; a strategy of scope group names a member by
/// its place among [`Key::members`](crate::Key::members).
// It is made once per frame: per tick two fields change, and whatever else a strategy may ask for is
// looked up when it asks.
pub struct Context<'a> {
    pub(super) lane: &'a mut LaneParts,
    /// The causing tick.
    pub(super) tick: &'a Tick,
    pub(super) seq: u64,
    /// The time of the timer that fires, if that is why.
    pub(super) timer: Option<u64>,
}

impl Context<'_> {
    /// Asks to be one unit long from now on, at `price`.
    #[inline]
    pub fn buy(&mut self, price: Price) {
        self.signal(TargetPosition::Long, price);
    }

    /// Asks to be one unit short from now on, at `price`.
    #[inline]
    pub fn sell(&mut self, price: Price) {
        self.signal(TargetPosition::Short, price);
    }

    /// Asks for no position from now on, at `price`.
    #[inline]
    pub fn flat(&mut self, price: Price) {
        self.signal(TargetPosition::Flat, price);
    }

    /// Asks for this position in the causing tick's instrument (at the end of a run: in the key's
    /// first one).
    #[cold]
    #[inline(never)]
    pub fn signal(&mut self, position: TargetPosition, price: Price) {
        self.emit(self.tick.instrument, position, price);
    }

    /// Asks for this position in one member of the group, by its place among [`Key::members`].
    ///
    /// A member that has had no tick has no price: the run stops and says so.
    ///
    /// [`Key::members`]: crate::Key::members
    #[cold]
    #[inline(never)]
    pub fn signal_on(&mut self, member: usize, position: TargetPosition, price: Price) {
        match self.id_of(member) {
            Some(id) => self.emit(id, position, price),
            None => {
                let reason = format!("it signals on member {member} of its group, which has had no tick");
                self.lane.fail(self.place().0, reason);
            }
        }
    }

    /// The position that the strategy asked for last in this instrument, also before a restart;
    /// [`TargetPosition::Flat`] before its first signal.
    #[inline]
    pub fn position(&self) -> TargetPosition {
        self.lane.positions[self.tick.instrument as usize]
    }

    /// The position that the strategy asked for last in one member of the group.
    #[inline]
    pub fn position_of(&self, member: usize) -> TargetPosition {
        self.id_of(member).map_or(TargetPosition::Flat, |id| self.lane.positions[id as usize])
    }

    /// The time in receive time, in ns since the UNIX epoch: the tick's `ts_recv`, in
    /// [`on_timer`](crate::Strategy::on_timer) the timer's own time, at the end that of the run's last tick.
    #[inline]
    pub fn now(&self) -> u64 {
        self.timer.unwrap_or(self.tick.ts_recv)
    }

    /// The place of the causing tick's instrument among [`Key::members`](crate::Key::members).
    #[inline]
    pub fn member(&self) -> usize {
        self.place().1 as usize
    }

    /// The newest price of this kind for this instrument, this tick's included; `None` where that side
    /// of the book is empty or unknown.
    #[inline]
    pub fn newest(&self, kind: Kind) -> Option<Price> {
        self.lane.books[self.tick.instrument as usize].newest(kind)
    }

    /// The newest price of this kind for one member of the group.
    #[inline]
    pub fn newest_of(&self, member: usize, kind: Kind) -> Option<Price> {
        self.lane.books[self.id_of(member)? as usize].newest(kind)
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

    fn emit(&mut self, instrument: u32, position: TargetPosition, price: Price) {
        let ts_event = self.timer.unwrap_or(self.tick.ts_event);
        self.lane.emit(ts_event, self.tick.ts_recv, self.seq, instrument, position, price);
    }

    /// The instrument of a member; `None` for one that has had no tick.
    #[inline]
    fn id_of(&self, member: usize) -> Option<u32> {
        let (slot, _) = self.place();
        self.lane.keys[slot as usize].ids.get(member).copied().filter(|id| *id != u32::MAX)
    }

    /// The key's slot, and the instrument's place in it.
    #[inline]
    fn place(&self) -> (u32, u32) {
        self.lane.places[self.tick.instrument as usize]
    }
}

/// The newest price of each kind for one instrument, indexed by [`Kind`]; place 0 is nobody's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Book([i64; 4]);

impl Book {
    pub(super) const EMPTY: Self = Self([UNDEFINED_PRICE; 4]);

    /// A book of the newest trade, bid and ask.
    pub(super) const fn of([trade, bid, ask]: [i64; 3]) -> Self {
        Self([UNDEFINED_PRICE, trade, bid, ask])
    }

    /// The newest trade, bid and ask.
    pub(super) const fn prices(&self) -> [i64; 3] {
        let [_, trade, bid, ask] = self.0;
        [trade, bid, ask]
    }

    /// A tick of another kind is none of the three; the mask only says so to the compiler.
    #[inline(always)]
    pub(super) const fn record(&mut self, tick: &Tick) {
        if tick.kind.0 <= Kind::ASK.0 {
            self.0[(tick.kind.0 & 3) as usize] = tick.price;
        }
    }

    #[inline]
    fn newest(&self, kind: Kind) -> Option<Price> {
        match Self::place(kind) {
            0 => None,
            place => Price::from_raw(self.0[place]),
        }
    }

    #[inline(always)]
    const fn place(kind: Kind) -> usize {
        if kind.0 <= Kind::ASK.0 { kind.0 as usize } else { 0 }
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
#[derive(Debug, Default)]
pub(super) struct LaneParts {
    /// By instrument.
    pub(super) books: Vec<Book>,
    /// By instrument: the position that was asked for last.
    pub(super) positions: Vec<TargetPosition>,
    /// Each instrument's slot and its place among the key's members; slot [`u32::MAX`] for none.
    pub(super) places: Vec<(u32, u32)>,
    /// By slot.
    pub(super) keys: Vec<KeyEntry>,
    /// By slot.
    pub(super) timers: Timers,
    pub(super) signals: Vec<Signal>,
    /// Signals of earlier ticks are committed already.
    pub(super) suppress_below: u64,
    /// The first error of a strategy, and the slot of its key.
    pub(super) failure: Option<(u32, String)>,
    last_seq: u64,
    next_n: u32,
}

impl LaneParts {
    fn emit(
        &mut self,
        ts_event: u64,
        ts_recv: u64,
        seq: u64,
        instrument: u32,
        side: TargetPosition,
        price: Price,
    ) {
        self.positions[instrument as usize] = side;
        if seq < self.suppress_below {
            return;
        }
        if seq != self.last_seq {
            self.last_seq = seq;
            self.next_n = 0;
        }
        let [_, bid, ask] = self.books[instrument as usize].prices();
        let n = self.next_n;
        let price = price.raw();
        self.signals.push(Signal { ts_event, ts_recv, seq, n, instrument, side, price, bid, ask });
        self.next_n += 1;
    }

    fn set_timer(&mut self, slot: u32, at: u64) {
        if self.timers.set(slot, at).is_err() {
            self.fail(slot, format!("it has more than {} pending timers for one key", Timers::MOST));
        }
    }

    #[cold]
    fn fail(&mut self, slot: u32, reason: String) {
        self.failure.get_or_insert((slot, reason));
    }
}
