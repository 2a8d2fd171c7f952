//! The latest of every instrument.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::candles::{Candle, Interval};
use crate::hand_over::Shared;
use crate::locked;
use crate::recorder::Recorder;
use crate::selection::Selection;

/// What is live, of all sources. Cheap to clone: all clones are one.
///
/// Bounded: of a source 65,536 instruments at most are shown, the others' ticks are counted; of each instrument and
/// interval 2,000 candles are kept, and fewer where a source has more than 50 instruments, so that it keeps 100,000 of
/// an interval; of the sources that have ended the last 16 are kept, with a million candles of all of them.
#[derive(Clone, Debug, Default)]
pub struct LiveMarket {
    pub(crate) shared: Arc<Shared>,
}

/// A source that is played, or was a while ago.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceView {
    /// `feed/NAME` or `replay/ID`.
    pub source: String,
    /// The run, in hexadecimal.
    pub run: String,
    /// Instruments so far.
    pub instruments: u64,
    /// Ticks so far.
    pub ticks: u64,
    /// Receive time of the last tick, in ns since the UNIX epoch; 0 before the first.
    pub last_ts_recv: u64,
    /// Whether nothing more comes.
    pub has_ended: bool,
}

/// The latest of one instrument. Prices and sizes are in 1e-9; one that is not known is `None`, as is one of a side of
/// the book that is empty.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quote {
    /// As [`SourceView::source`].
    pub source: String,
    /// The instrument.
    pub symbol: String,
    /// Grows with each change of any instrument of this [`LiveMarket`], and goes with the clock in ms, so that it also
    /// grows over a restart, and is about the same at another gateway.
    pub version: u64,
    /// Best bid.
    pub bid: Option<i64>,
    /// What is bid for there.
    pub bid_size: Option<i64>,
    /// Best ask.
    pub ask: Option<i64>,
    /// What is asked for there.
    pub ask_size: Option<i64>,
    /// The last trade's price.
    pub last: Option<i64>,
    /// The last trade's size.
    pub last_size: Option<i64>,
    /// The first price since the source began: of a trade, or of the middle of the book as long as there is no trade.
    pub first: Option<i64>,
    /// Ticks so far.
    pub ticks: u64,
    /// Receive time of the last tick, in ns since the UNIX epoch.
    pub ts_recv: u64,
    /// When this process learnt of it, by the clock on the wall, in ms since the UNIX epoch.
    pub seen_ms: u64,
}

/// What was asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Quotes {
    /// Nothing that is newer was left out.
    pub version: u64,
    /// The instruments, in order of source and symbol.
    pub quotes: Vec<Quote>,
}

impl LiveMarket {
    /// Begins a source, or begins it anew: what was known of one with this name is forgotten.
    pub fn begin(&self, source: &str, run: &str) -> Recorder {
        let (id, recording) = self.shared.begin(source, run, true);
        Recorder::new(self.clone(), id, recording)
    }

    /// The sources: those that are played by name, then those that have ended, the last one first.
    pub fn sources(&self) -> Vec<SourceView> {
        self.shared.read(|board| board.views())
    }

    /// The instruments of a selection that have changed since a version; 0 for all.
    pub fn quotes(&self, selection: &Selection, after: u64) -> Quotes {
        self.shared.read(|board| board.quotes(selection, after))
    }

    /// The last candles of an instrument, the oldest first, the one that is not complete included.
    pub fn candles(&self, source: &str, symbol: &str, interval: Interval, limit: usize) -> Vec<Candle> {
        let found = self.shared.read(|board| board.find(source, symbol));
        found
            .map_or_else(Vec::new, |(recording, slot)| locked(&recording).last_candles(slot, interval, limit))
    }

    /// Changes with the version, at most every 50 ms and when a source begins or ends.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.shared.changes()
    }
}
