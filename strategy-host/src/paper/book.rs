//! All positions of one strategy taken together.

use super::curve::{Curve, DrawdownPoint};
use super::drawdown::Drawdown;
use super::figures::Figures;
use super::histogram::Histogram;
use super::performance::{Capital, Performance, Span, TradeFigures};
use super::periods::{Held, Periods};
use super::position::Traded;
use super::returns::Returns;
use super::{InstrumentResult, StrategyResult};

/// What is followed of a strategy as a whole.
#[derive(Debug, Default)]
pub(super) struct Book {
    name: String,
    /// Realised and open profit less fees, of all instruments.
    equity: i128,
    drawdown: Drawdown,
    curve: Curve,
    drawdowns: Curve,
    returns: Returns,
    periods: Periods,
    held: Held,
    results: Histogram,
}

impl Book {
    /// Without positions.
    pub(super) fn new(name: String) -> Self {
        Self { name, ..Self::default() }
    }

    /// Equity has changed by `difference`.
    pub(super) fn change(&mut self, ts_recv: u64, difference: i128) {
        self.equity += difference;
        if let Some((at, depth)) = self.drawdown.see(ts_recv, self.equity).filter(|(at, _)| *at > 0) {
            self.drawdowns.see(at, depth);
        }
        self.curve.see(ts_recv, self.equity);
        self.returns.see(ts_recv, self.equity);
        if difference != 0 {
            self.periods.at(ts_recv, |period| period.profit += difference);
        }
    }

    /// A signal was filled.
    pub(super) fn trade(&mut self, ts_recv: u64, traded: &Traded) {
        self.periods.at(ts_recv, |period| {
            (0..traded.fills).for_each(|_| period.traded.fill(traded.price, traded.fee));
            if let Some(closed) = &traded.closed {
                period.traded.close(closed.profit);
            }
        });
        if let Some(closed) = &traded.closed {
            self.hold(closed.opened_at, closed.closed_at);
            self.results.add(closed.profit);
        }
    }

    /// A unit was held from one time to another.
    pub(super) fn hold(&mut self, from: u64, to: u64) {
        self.periods.hold(from, to);
        self.held.hold(from, to);
    }

    /// What became of all instruments together.
    pub(super) fn finish(
        mut self,
        span: Span,
        capital: Option<Capital>,
        instruments: Vec<InstrumentResult>,
    ) -> StrategyResult {
        let mut total = Figures::default();
        let mut traded = TradeFigures::default();
        for instrument in &instruments {
            total.add(&instrument.figures);
            traded.add(&instrument.performance.traded);
            total.exposure += instrument.figures.exposure / instruments.len() as f64;
        }
        self.curve.see(span.last, self.equity);
        let (at, depth) = self.drawdown.now();
        if at > 0 {
            self.drawdowns.see(at, depth);
        }
        self.drawdowns.see(span.last, depth);
        let fallen = self.drawdown.finish(span.first, span.last);
        total.max_drawdown = fallen.depth();
        let ratios = self.returns.finish(span.first, span.last);
        let performance = Performance::of(span, capital, self.equity, traded, ratios, fallen);
        let (days, hours) = self.periods.finish(span.first, span.last);
        let exposure = self.held.finish(span.first, span.last, instruments.len());
        let drawdowns = self.drawdowns.finish().into_iter();
        StrategyResult {
            strategy: self.name,
            total,
            performance,
            instruments,
            curve: self.curve.finish(),
            drawdowns: drawdowns
                .map(|point| DrawdownPoint { ts_recv: point.ts_recv, depth: point.equity })
                .collect(),
            exposure,
            days,
            hours,
            distribution: self.results.finish(),
        }
    }
}
