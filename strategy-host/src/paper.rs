//! The paper account: what a strategy's signals would have earned, one unit at a time.
//!
//! All money is in 1e-9 of the quote unit, in i128 and exact; only slippage and fees are rounded, each
//! to the nearest 1e-9, halves away from zero. A price fits i64 and a fee is at most the price, so not
//! even 2^62 fills overflow. Totals add up what the instruments quote: they mean something when all
//! of them quote in the same unit.

use std::collections::HashMap;

use serde::Serialize;
use thiserror::Error;
use tick_sdk::TargetPosition;
use tick_sdk::decimal::UNDEFINED_PRICE;
use tick_sdk::signal::Signal;

mod curve;
mod figures;
mod position;
mod rules;

use curve::{Curve, Drawdown};
pub use curve::{EquityPoint, MAX_CURVE_POINTS};
pub use figures::Figures;
use position::Position;
pub use rules::{BasisPoints, BasisPointsError, Fill, PaperRules};

/// Trades the signals of several strategies on paper, each on its own.
///
/// Feed it everything in order of receive time: marks that are earlier than a signal first (see
/// [`crate::market::Marks::next_before`]), then the signal; at the end the marks that are left.
#[derive(Debug)]
pub struct PaperAccount {
    rules: PaperRules,
    strategies: Vec<Book>,
    instruments: HashMap<String, usize>,
    /// By instrument, then strategy.
    positions: Vec<Vec<Position>>,
}

/// All positions of one strategy taken together.
#[derive(Debug)]
struct Book {
    name: String,
    /// Realised and open profit less fees, of all instruments.
    equity: i128,
    drawdown: Drawdown,
    curve: Curve,
}

/// A signal of a strategy that the account was not made for.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error(
    "a signal of strategy number {index} at ts_recv {ts_recv}, but the account was made for {strategies} strategies: \
     name every strategy when making it"
)]
pub struct UnknownStrategy {
    /// The strategy's place in the list.
    pub index: usize,
    /// The signal's time.
    pub ts_recv: u64,
    /// How many strategies there are.
    pub strategies: usize,
}

/// The account at the end of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct PaperResults {
    /// How fills were priced.
    pub rules: PaperRules,
    /// In the order in which the strategies were named.
    pub strategies: Vec<StrategyResult>,
}

/// What one strategy earned.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct StrategyResult {
    /// Its name.
    pub strategy: String,
    /// All instruments together; exposure is the mean of the instruments'.
    pub total: Figures,
    /// The instruments that it gave a signal for, by symbol.
    pub instruments: Vec<InstrumentResult>,
    /// Equity over receive time, at most [`MAX_CURVE_POINTS`] with every extreme of what they stand for.
    pub curve: Vec<EquityPoint>,
}

/// What one strategy earned with one instrument.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct InstrumentResult {
    /// The instrument.
    pub symbol: String,
    /// What it earned.
    pub figures: Figures,
    /// What it holds at the end of the run.
    pub position: TargetPosition,
}

impl PaperAccount {
    /// An account for each of `strategies`, without positions.
    pub fn new(rules: PaperRules, strategies: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let book = |name| Book { name, equity: 0, drawdown: Drawdown::default(), curve: Curve::default() };
        Self {
            rules,
            strategies: strategies.into_iter().map(|name| book(name.into())).collect(),
            instruments: HashMap::new(),
            positions: Vec::new(),
        }
    }

    /// Trades what `signal` of strategy number `strategy` asks for in `symbol`.
    ///
    /// The signal's own price also marks that strategy's position. The shard's instrument id in the
    /// signal is not looked at: several shards use the same ones.
    ///
    /// # Errors
    /// There is not a strategy of that number.
    pub fn signal(&mut self, strategy: usize, symbol: &str, signal: &Signal) -> Result<(), UnknownStrategy> {
        let strategies = self.strategies.len();
        let Some(book) = self.strategies.get_mut(strategy) else {
            return Err(UnknownStrategy { index: strategy, ts_recv: signal.ts_recv, strategies });
        };
        let instrument = match self.instruments.get(symbol) {
            Some(&known) => known,
            None => {
                let next = self.positions.len();
                self.instruments.insert(symbol.to_owned(), next);
                self.positions.push((0..strategies).map(|_| Position::default()).collect());
                next
            }
        };
        let position = &mut self.positions[instrument][strategy];
        let before = position.figures.equity();
        position.trade(&self.rules, signal);
        book.change(signal.ts_recv, position.figures.equity() - before);
        Ok(())
    }

    /// Values every strategy's position in `symbol` at `price`.
    pub fn mark(&mut self, ts_recv: u64, symbol: &str, price: i64) {
        let Some(&instrument) = self.instruments.get(symbol) else { return };
        for (position, book) in self.positions[instrument].iter_mut().zip(&mut self.strategies) {
            if position.is_held() && price != UNDEFINED_PRICE {
                let before = position.figures.equity();
                position.mark(ts_recv, price);
                book.change(ts_recv, position.figures.equity() - before);
            }
        }
    }

    /// The results of a run whose first and last ticks were received at these times (ns since the
    /// epoch). Positions stay open, at their last mark.
    pub fn finish(self, first_ts_recv: u64, last_ts_recv: u64) -> PaperResults {
        let mut symbols: Vec<(String, usize)> = self.instruments.into_iter().collect();
        symbols.sort();
        let strategies = self.strategies.into_iter().enumerate().map(|(i, mut book)| {
            let instruments: Vec<InstrumentResult> = symbols
                .iter()
                .map(|(symbol, at)| (symbol, &self.positions[*at][i]))
                .filter(|(_, position)| position.figures.signals > 0)
                .map(|(symbol, position)| InstrumentResult {
                    symbol: symbol.clone(),
                    figures: position.finish(first_ts_recv, last_ts_recv),
                    position: position.held(),
                })
                .collect();
            let mut total = Figures::default();
            for instrument in &instruments {
                total.add(&instrument.figures);
                total.exposure += instrument.figures.exposure / instruments.len() as f64;
            }
            total.max_drawdown = book.drawdown.deepest();
            book.curve.see(last_ts_recv, book.equity);
            StrategyResult { strategy: book.name, total, instruments, curve: book.curve.finish() }
        });
        PaperResults { rules: self.rules, strategies: strategies.collect() }
    }
}

impl Book {
    fn change(&mut self, ts_recv: u64, difference: i128) {
        self.equity += difference;
        self.drawdown.see(ts_recv, self.equity);
        self.curve.see(ts_recv, self.equity);
    }
}

#[cfg(test)]
mod tests;
