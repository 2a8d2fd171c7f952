//! How well an account did: what traders compare strategies by. `FIGURES.md` has each figure with its formula.

use std::str::FromStr;

use serde::Serialize;
use thiserror::Error;
use tick_sdk::decimal;

use super::drawdown::{DrawdownFigures, Fallen};
use super::returns::Ratios;

/// The figures of an account beside its counts. Money is in 1e-9 of the quote unit, times are receive times in ns since
/// the UNIX epoch. A ratio that would be divided by zero is absent.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Performance {
    /// What percentages are of; `None` where none was stated and nothing was traded.
    pub capital: Option<Capital>,
    /// Realised and open profit less fees.
    pub net_profit: i128,
    /// The mean of the returns by their standard deviation, a year.
    pub sharpe: Option<f64>,
    /// The mean of the returns by the root of the mean square of the negative ones, a year.
    pub sortino: Option<f64>,
    /// What the two are made of.
    pub returns: ReturnBasis,
    /// The deepest fall of equity, where there was one.
    pub drawdown: Option<DrawdownFigures>,
    /// How long equity was below its highest value before.
    pub under_water_ns: u64,
    /// The same as a share of the run's time, 0 to 1.
    pub under_water: f64,
    /// What was traded.
    pub traded: TradeFigures,
}

/// What percentages are of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Capital {
    /// In 1e-9 of the quote unit.
    pub amount: i128,
    /// Whether it was stated; else it is the notional: the first price of each instrument traded, summed.
    pub is_stated: bool,
}

/// A text that states no [`Capital`].
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{text:?} {reason}: give an amount in the quote unit above 0, such as 100000")]
pub struct CapitalError {
    text: String,
    reason: String,
}

/// One that is stated.
impl FromStr for Capital {
    type Err = CapitalError;

    fn from_str(text: &str) -> Result<Self, CapitalError> {
        let error = |reason: String| CapitalError { text: text.to_owned(), reason };
        let amount = decimal::parse_price(text.as_bytes()).map_err(|reason| error(reason.to_string()))?;
        if amount <= 0 {
            return Err(error("is not above 0".to_owned()));
        }
        Ok(Self { amount: amount.into(), is_stated: true })
    }
}

impl Capital {
    /// `stated` or `notional`.
    pub const fn basis(&self) -> &'static str {
        if self.is_stated { "stated" } else { "notional" }
    }
}

/// The stretches of time whose returns Sharpe and Sortino are made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ReturnBasis {
    /// The length of each.
    pub stretch_ns: u64,
    /// How many the run touches.
    pub stretches: u64,
}

/// Fills and closed round trips. A round trip's profit is after slippage and both its fees.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TradeFigures {
    /// Round trips that were closed.
    pub trades: u64,
    /// Of those, with a profit.
    pub wins: u64,
    /// Of those, with a loss.
    pub losses: u64,
    /// The profits of all wins.
    pub gross_profit: i128,
    /// The losses of all losses, as a positive number.
    pub gross_loss: i128,
    /// The greatest profit of a round trip that won.
    pub largest_win: Option<i128>,
    /// The greatest loss of one that lost, as a positive number.
    pub largest_loss: Option<i128>,
    /// The prices of all fills, after slippage and without their signs.
    pub turnover: i128,
    /// The fees of all fills.
    pub fees: i128,
}

/// The receive times of a run's first and last tick.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    pub(super) first: u64,
    pub(super) last: u64,
}

impl Span {
    /// A time as a share of the run's, 0 to 1.
    pub(super) fn share(self, ns: u64) -> f64 {
        let span = self.last.saturating_sub(self.first);
        if span == 0 { 0.0 } else { (ns as f64 / span as f64).min(1.0) }
    }
}

impl Performance {
    pub(super) fn of(
        span: Span,
        capital: Option<Capital>,
        net_profit: i128,
        traded: TradeFigures,
        ratios: Ratios,
        fallen: Fallen,
    ) -> Self {
        Self {
            capital,
            net_profit,
            sharpe: ratios.sharpe,
            sortino: ratios.sortino,
            returns: ratios.basis,
            drawdown: fallen.deepest,
            under_water_ns: fallen.under_water_ns,
            under_water: span.share(fallen.under_water_ns),
            traded,
        }
    }

    /// An amount of money in percent of the capital.
    pub fn percent(&self, amount: i128) -> Option<f64> {
        let capital = self.capital.filter(|capital| capital.amount > 0)?;
        Some(amount as f64 / capital.amount as f64 * 100.0)
    }

    /// How often the capital was bought and sold.
    pub fn turnover_ratio(&self) -> Option<f64> {
        Some(self.percent(self.traded.turnover)? / 100.0)
    }
}

impl TradeFigures {
    /// The share of round trips that won, 0 to 1.
    pub fn hit_rate(&self) -> Option<f64> {
        (self.trades > 0).then(|| self.wins as f64 / self.trades as f64)
    }

    /// Gross profit by gross loss.
    pub fn profit_factor(&self) -> Option<f64> {
        (self.gross_loss > 0).then(|| self.gross_profit as f64 / self.gross_loss as f64)
    }

    /// The mean profit of a round trip, to the nearest 1e-9.
    pub fn expectancy(&self) -> Option<i128> {
        mean(self.gross_profit - self.gross_loss, self.trades)
    }

    /// The mean profit of those that won.
    pub fn average_win(&self) -> Option<i128> {
        mean(self.gross_profit, self.wins)
    }

    /// The mean loss of those that lost, as a positive number.
    pub fn average_loss(&self) -> Option<i128> {
        mean(self.gross_loss, self.losses)
    }

    /// A fill.
    pub(super) fn fill(&mut self, price: i128, fee: i128) {
        self.turnover += price.abs();
        self.fees += fee;
    }

    /// A round trip with this profit.
    pub(super) fn close(&mut self, profit: i128) {
        self.trades += 1;
        if profit > 0 {
            self.wins += 1;
            self.gross_profit += profit;
            self.largest_win = self.largest_win.max(Some(profit));
        }
        if profit < 0 {
            self.losses += 1;
            self.gross_loss -= profit;
            self.largest_loss = self.largest_loss.max(Some(-profit));
        }
    }

    /// Adds another's.
    pub(super) fn add(&mut self, other: &Self) {
        self.trades += other.trades;
        self.wins += other.wins;
        self.losses += other.losses;
        self.gross_profit += other.gross_profit;
        self.gross_loss += other.gross_loss;
        self.largest_win = self.largest_win.max(other.largest_win);
        self.largest_loss = self.largest_loss.max(other.largest_loss);
        self.turnover += other.turnover;
        self.fees += other.fees;
    }
}

/// To the nearest unit, halves away from zero.
fn mean(sum: i128, count: u64) -> Option<i128> {
    let count = i128::from(count);
    (count > 0).then(|| (sum + sum.signum() * (count / 2)) / count)
}
