//! The latest of every instrument.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::candles::{Candle, Interval};
use crate::recorder::Recorder;

/// What is live, of all sources. Cheap to clone: all clones are one.
#[derive(Clone, Debug)]
pub struct LiveMarket {
    changes: Arc<watch::Sender<u64>>,
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

/// The latest of one instrument. Prices and sizes are in 1e-9; one that is not known is `None`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quote {
    /// As [`SourceView::source`].
    pub source: String,
    /// The instrument.
    pub symbol: String,
    /// Grows with each change of any instrument of this [`LiveMarket`].
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
    /// The first price since the source began.
    pub first: Option<i64>,
    /// Ticks so far.
    pub ticks: u64,
    /// Receive time of the last tick, in ns since the UNIX epoch.
    pub ts_recv: u64,
    /// When this process learnt of it, by the clock on the wall, in ms since the UNIX epoch.
    pub seen_ms: u64,
}

/// Which instruments.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Selection {
    /// Only of this source; of all where absent.
    pub source: Option<String>,
    /// Symbols, or patterns with `*` for any characters; empty for all.
    pub symbols: Vec<String>,
}

/// What was asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Quotes {
    /// Nothing that is newer was left out.
    pub version: u64,
    /// The instruments, in order of source and symbol.
    pub quotes: Vec<Quote>,
}

impl Default for LiveMarket {
    fn default() -> Self {
        let (changes, _) = watch::channel(0);
        Self { changes: Arc::new(changes) }
    }
}

impl LiveMarket {
    /// Begins a source, or begins it anew: what was known of one with this name is forgotten.
    pub fn begin(&self, source: &str, run: &str) -> Recorder {
        Recorder::new(self.clone(), source, run)
    }

    /// The sources, those that are played first.
    pub fn sources(&self) -> Vec<SourceView> {
        Vec::new()
    }

    /// The instruments of a selection that have changed since a version; 0 for all.
    pub fn quotes(&self, selection: &Selection, after: u64) -> Quotes {
        let _ = (selection, after);
        Quotes::default()
    }

    /// The last candles of an instrument, the oldest first, the one that is not complete included.
    pub fn candles(&self, source: &str, symbol: &str, interval: Interval, limit: usize) -> Vec<Candle> {
        let _ = (source, symbol, interval, limit);
        Vec::new()
    }

    /// Changes with the version, at most every 50 ms.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }
}
