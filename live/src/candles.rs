//! Candles, made of every trade.

use serde::{Deserialize, Serialize};

/// The trades of one stretch of time. Prices and sizes are in 1e-9, as everywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candle {
    /// Receive time at which it begins, in ns since the UNIX epoch: a multiple of its interval.
    pub start: u64,
    /// Of the first trade.
    pub open: i64,
    /// The highest.
    pub high: i64,
    /// The lowest.
    pub low: i64,
    /// Of the last trade.
    pub close: i64,
    /// What was traded.
    pub volume: i64,
    /// How many trades.
    pub trades: u64,
}

/// How long a candle is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[repr(u32)]
pub enum Interval {
    /// 1 s.
    Second = 1,
    /// 10 s.
    TenSeconds = 10,
    /// 60 s.
    Minute = 60,
    /// 300 s.
    FiveMinutes = 300,
    /// 3,600 s.
    Hour = 3_600,
}

impl Interval {
    /// Every interval, the shortest first.
    pub const ALL: [Self; 5] = [Self::Second, Self::TenSeconds, Self::Minute, Self::FiveMinutes, Self::Hour];

    /// The one of so many seconds.
    pub fn of_seconds(seconds: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|interval| *interval as u32 == seconds)
    }
}
