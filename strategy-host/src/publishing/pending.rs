//! What one commit will publish.

use std::collections::BTreeMap;

use tick_sdk::contracts::strategies::{CommittedSignal, SignalsCommitted};
use tick_sdk::decimal::{UNDEFINED_PRICE, format_decimal};
use tick_sdk::signal::Signal;

use crate::ledger::LaneId;

/// An event has about so many signals: enough that a signal costs little beside its text, and few enough that
/// whoever reads the log holds little at once. It ends with a tick, so those of one tick are in one event.
const SIGNALS_PER_EVENT: usize = 1000;
/// A commit has about so many: it holds the context's writer for a small part of a second.
const SIGNALS_PER_COMMIT: u64 = 32_000;

/// Signals that are to be published, as the events that will carry them.
#[derive(Default)]
pub(super) struct Pending {
    events: Vec<PendingEvent>,
    /// By the lane's place in the list.
    moved: BTreeMap<usize, Moved>,
    signals: u64,
    /// Whether the last event may have more signals.
    is_open: bool,
}

/// What a commit moves a lane's last published signal from and to, by seq and n.
#[derive(Clone, Copy)]
pub(super) struct Moved {
    pub(super) before: Option<(u64, u32)>,
    pub(super) after: (u64, u32),
}

struct PendingEvent {
    /// The lane's place in the list.
    lane: usize,
    signals: Vec<CommittedSignal>,
}

impl Pending {
    /// Adds a lane's next signal, which follows the one numbered `before`.
    pub(super) fn add(&mut self, lane: usize, before: Option<(u64, u32)>, symbol: &str, signal: &Signal) {
        let after = (signal.seq, signal.n);
        self.moved.entry(lane).or_insert(Moved { before, after }).after = after;
        let fits = |event: &&mut PendingEvent| {
            let of_last_tick = event.signals.last().is_some_and(|last| last.seq == signal.seq);
            event.signals.len() < SIGNALS_PER_EVENT || of_last_tick
        };
        let signal = committed(symbol, signal);
        self.signals += 1;
        if self.is_open
            && let Some(event) = self.events.last_mut().filter(fits)
        {
            event.signals.push(signal);
            return;
        }
        self.is_open = true;
        self.events.push(PendingEvent { lane, signals: vec![signal] });
    }

    /// What follows is of another lane.
    pub(super) const fn end_of_lane(&mut self) {
        self.is_open = false;
    }

    pub(super) const fn is_full(&self) -> bool {
        self.signals >= SIGNALS_PER_COMMIT
    }

    pub(super) const fn signals(&self) -> u64 {
        self.signals
    }

    /// What becomes of each lane's last published signal, by the lane's place in the list.
    pub(super) const fn moved(&self) -> &BTreeMap<usize, Moved> {
        &self.moved
    }

    /// The events, in order.
    pub(super) fn events(self, lanes: &[LaneId]) -> impl Iterator<Item = SignalsCommitted> {
        self.events.into_iter().map(|event| {
            let lane = &lanes[event.lane];
            SignalsCommitted {
                run: lane.run.to_string(),
                strategy: lane.strategy.as_str().to_owned(),
                shard: lane.shard,
                from_seq: event.signals.first().map_or(0, |first| first.seq),
                to_seq: event.signals.last().map_or(0, |last| last.seq + 1),
                signals: event.signals,
            }
        })
    }
}

fn committed(symbol: &str, signal: &Signal) -> CommittedSignal {
    CommittedSignal {
        symbol: symbol.to_owned(),
        seq: signal.seq,
        n: signal.n,
        ts_event: signal.ts_event,
        ts_recv: signal.ts_recv,
        side: signal.side.name().to_owned(),
        price: (signal.price != UNDEFINED_PRICE).then(|| format_decimal(signal.price)),
    }
}
