//! Ticks of past runs, for who looks closely at a signal: they are in captures, which the gateway does not read.

use std::fmt;

use live::{Candle, Interval};
use thiserror::Error;
use tick_sdk::Tick;
use tick_sdk::contracts::ticks::StartReplay;

/// Reads captures again, as a replay read them. What it does blocks, and takes some seconds at most.
pub trait TickLookup: fmt::Debug + Send + Sync {
    /// The ticks of an instrument around a time.
    ///
    /// # Errors
    /// As [`LookupError`] says.
    fn ticks(&self, asked: &TicksAsked) -> Result<Vec<Tick>, LookupError>;

    /// The last candles of an instrument, or the last before a time.
    ///
    /// # Errors
    /// As [`LookupError`] says; that it takes too long is none.
    fn candles(&self, asked: &CandlesAsked) -> Result<FoundCandles, LookupError>;
}

/// Which ticks.
#[derive(Clone, Debug, PartialEq)]
pub struct TicksAsked {
    /// What the replay played.
    pub plan: StartReplay,
    /// The instrument.
    pub symbol: String,
    /// A receive time, in ns since the UNIX epoch.
    pub around: u64,
    /// How many up to that, and how many later.
    pub each: usize,
}

/// Which candles.
#[derive(Clone, Debug, PartialEq)]
pub struct CandlesAsked {
    /// What the replay played.
    pub plan: StartReplay,
    /// The instrument.
    pub symbol: String,
    /// How long each is.
    pub interval: Interval,
    /// Only of ticks before this receive time.
    pub to: Option<u64>,
    /// How many, at most.
    pub count: usize,
}

/// Candles that were found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FoundCandles {
    /// The oldest first.
    pub candles: Vec<Candle>,
    /// Whether everything was read that was asked for.
    pub is_complete: bool,
}

/// Why there are none, in words for who asked.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum LookupError {
    /// The captures are not there any more, or the run has no such instrument.
    #[error("{0}")]
    NotThere(String),
    /// The captures cannot be read, or not in time.
    #[error("{0}")]
    Unreadable(String),
    /// Others are looking.
    #[error("as many look at past runs now as can at once: ask again")]
    Busy,
}
