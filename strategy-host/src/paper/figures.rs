//! What an account comes to, for one instrument or for all.

use serde::Serialize;

/// The figures of an account; money in 1e-9 of the quote unit.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Figures {
    /// All signals.
    pub signals: u64,
    /// Signals that asked for the position already held; they trade nothing.
    pub redundant: u64,
    /// Signals that traded nothing because neither they nor the book had a price.
    pub unpriced: u64,
    /// Fills at the signal's own price because the other side of the book was empty (`--fill cross`).
    pub fallbacks: u64,
    /// Units bought or sold; a reversal is two.
    pub fills: u64,
    /// Round trips that were closed.
    pub trades: u64,
    /// Round trips that earned something after both their fees.
    pub wins: u64,
    /// Profit of the closed round trips, after slippage and before fees.
    pub realised: i128,
    /// Profit of what is still held at its last mark, after slippage and before fees.
    pub open: i128,
    /// The fees of all fills; negative when they were rebates.
    pub fees: i128,
    /// The deepest fall of equity below its highest value before (or below 0, where it starts), seen
    /// after everything that happened at a receive time with a signal or a mark.
    pub max_drawdown: i128,
    /// The share of the run's time, 0 to 1, in which a position was held.
    pub exposure: f64,
}

impl Figures {
    /// Realised and open profit less fees.
    pub const fn equity(&self) -> i128 {
        self.realised + self.open - self.fees
    }

    /// The share of round trips that won, 0 to 1; `None` before the first.
    pub fn hit_rate(&self) -> Option<f64> {
        (self.trades > 0).then(|| self.wins as f64 / self.trades as f64)
    }

    /// Adds another's counts and money.
    pub(super) fn add(&mut self, other: &Self) {
        self.signals += other.signals;
        self.redundant += other.redundant;
        self.unpriced += other.unpriced;
        self.fallbacks += other.fallbacks;
        self.fills += other.fills;
        self.trades += other.trades;
        self.wins += other.wins;
        self.realised += other.realised;
        self.open += other.open;
        self.fees += other.fees;
    }
}
