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

mod book;
mod curve;
mod drawdown;
mod figures;
mod histogram;
mod performance;
mod periods;
mod position;
mod returns;
mod rules;
mod stretches;
mod trade;

use book::Book;
pub use curve::{DrawdownPoint, EquityPoint, MAX_CURVE_POINTS};
pub use drawdown::DrawdownFigures;
pub use figures::Figures;
pub use histogram::{Bin, Distribution, MAX_BINS};
use performance::Span;
pub use performance::{Capital, CapitalError, Performance, ReturnBasis, TradeFigures};
pub use periods::{DayFigures, ExposurePoint, HourFigures, MAX_DAYS, PeriodFigures};
use position::Position;
pub use rules::{BasisPoints, BasisPointsError, Fill, PaperRules};
pub use trade::Trade;

/// Trades the signals of several strategies on paper, each on its own.
///
/// Feed it everything in order of receive time: marks that are earlier than a signal first (see
/// [`crate::market::Marks::next_before`]), then the signal; at the end the marks that are left.
#[derive(Debug)]
pub struct PaperAccount {
    rules: PaperRules,
    capital: Option<i128>,
    strategies: Vec<Book>,
    instruments: HashMap<String, usize>,
    /// By instrument, then strategy.
    positions: Vec<Vec<Position>>,
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
    /// What percentages are of where it was stated, in 1e-9 of the quote unit.
    pub capital: Option<i128>,
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
    /// How well they did together.
    pub performance: Performance,
    /// The instruments that it gave a signal for, by symbol.
    pub instruments: Vec<InstrumentResult>,
    /// Equity over receive time, at most [`MAX_CURVE_POINTS`] with every extreme of what they stand for.
    pub curve: Vec<EquityPoint>,
    /// How far equity was below its highest, likewise.
    pub drawdowns: Vec<DrawdownPoint>,
    /// How much was held when, in at most 256 stretches of the length of [`Performance::returns`].
    pub exposure: Vec<ExposurePoint>,
    /// What was earned by day (UTC), every day of the run.
    pub days: Vec<DayFigures>,
    /// What was earned by hour of the day (UTC), all 24.
    pub hours: Vec<HourFigures>,
    /// How the results of round trips are distributed.
    pub distribution: Distribution,
}

/// What one strategy earned with one instrument.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct InstrumentResult {
    /// The instrument.
    pub symbol: String,
    /// What it earned.
    pub figures: Figures,
    /// How well it did.
    pub performance: Performance,
    /// What it holds at the end of the run.
    pub position: TargetPosition,
}

impl PaperAccount {
    /// An account for each of `strategies`, without positions.
    pub fn new(rules: PaperRules, strategies: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self {
            rules,
            capital: None,
            strategies: strategies.into_iter().map(|name| Book::new(name.into())).collect(),
            instruments: HashMap::new(),
            positions: Vec::new(),
        }
    }

    /// Percentages are of this much, in 1e-9 of the quote unit, instead of the notional.
    pub fn with_capital(self, capital: Option<i128>) -> Self {
        Self { capital, ..self }
    }

    /// Trades what `signal` of strategy number `strategy` asks for in `symbol`. Gives the round trip that this closes:
    /// the account keeps none of them.
    ///
    /// The signal's own price also marks that strategy's position. The shard's instrument id in the
    /// signal is not looked at: several shards use the same ones.
    ///
    /// # Errors
    /// There is not a strategy of that number.
    pub fn signal(
        &mut self,
        strategy: usize,
        symbol: &str,
        signal: &Signal,
    ) -> Result<Option<Trade>, UnknownStrategy> {
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
        let traded = position.trade(&self.rules, signal);
        book.change(signal.ts_recv, position.figures.equity() - before);
        let closed = traded.as_ref().and_then(|traded| traded.closed);
        if let Some(traded) = traded {
            book.trade(signal.ts_recv, &traded);
        }
        Ok(closed)
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
    pub fn finish(mut self, first_ts_recv: u64, last_ts_recv: u64) -> PaperResults {
        let span = Span { first: first_ts_recv, last: last_ts_recv };
        let mut symbols: Vec<(String, usize)> = std::mem::take(&mut self.instruments).into_iter().collect();
        symbols.sort();
        let books = std::mem::take(&mut self.strategies);
        let strategies = books.into_iter().enumerate();
        let strategies = strategies.map(|(i, book)| self.finish_strategy(i, book, &symbols, span)).collect();
        PaperResults { rules: self.rules, capital: self.capital, strategies }
    }

    fn finish_strategy(
        &mut self,
        strategy: usize,
        mut book: Book,
        symbols: &[(String, usize)],
        span: Span,
    ) -> StrategyResult {
        let stated = self.capital.map(|amount| Capital { amount, is_stated: true });
        let mut instruments = Vec::new();
        let mut notional: Option<i128> = None;
        for (symbol, at) in symbols {
            let position = &mut self.positions[*at][strategy];
            if position.figures.signals == 0 {
                continue;
            }
            if let Some(first_price) = position.notional() {
                notional = Some(notional.unwrap_or(0) + first_price);
            }
            if let Some(since) = position.held_since() {
                book.hold(since, span.last);
            }
            let own = position.notional().map(|amount| Capital { amount, is_stated: false });
            let (figures, performance) = position.finish(span, stated.or(own));
            let position = position.held();
            instruments.push(InstrumentResult { symbol: symbol.clone(), figures, performance, position });
        }
        let notional = notional.map(|amount| Capital { amount, is_stated: false });
        book.finish(span, stated.or(notional), instruments)
    }
}

#[cfg(test)]
mod tests;
