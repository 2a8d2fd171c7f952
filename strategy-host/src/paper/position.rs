//! One strategy's position in one instrument.

use tick_sdk::TargetPosition;
use tick_sdk::decimal::UNDEFINED_PRICE;
use tick_sdk::signal::Signal;

use super::drawdown::Drawdown;
use super::figures::Figures;
use super::performance::{Capital, Performance, Span, TradeFigures};
use super::returns::Returns;
use super::rules::PaperRules;
use super::trade::Trade;

/// At most one unit, long or short, and all that became of the ones before.
#[derive(Debug, Default)]
pub(super) struct Position {
    /// 0, 1 or -1.
    units: i64,
    /// What the held unit was bought or sold for.
    entry: i128,
    entry_fee: i128,
    opened_at: u64,
    held_ns: u64,
    drawdown: Drawdown,
    returns: Returns,
    traded: TradeFigures,
    /// The price of the first fill before slippage, without its sign.
    first_price: Option<i128>,
    pub(super) figures: Figures,
}

/// What a signal did to a position.
pub(super) struct Traded {
    /// The price of each fill.
    pub(super) price: i128,
    /// The fee of each fill.
    pub(super) fee: i128,
    /// 1, or 2 for a reversal.
    pub(super) fills: u64,
    /// The round trip that the first fill closed.
    pub(super) closed: Option<Trade>,
}

impl Position {
    pub(super) fn is_held(&self) -> bool {
        self.units != 0
    }

    /// The position as a signal would ask for it.
    pub(super) const fn held(&self) -> TargetPosition {
        match self.units {
            0 => TargetPosition::Flat,
            1.. => TargetPosition::Long,
            _ => TargetPosition::Short,
        }
    }

    /// Fills what `signal` asks for: nothing, one unit, or two (a reversal closes, then opens).
    pub(super) fn trade(&mut self, rules: &PaperRules, signal: &Signal) -> Option<Traded> {
        self.figures.signals += 1;
        let target = signal.side.units();
        if target == self.units {
            self.figures.redundant += 1;
            self.mark(signal.ts_recv, signal.price);
            return None;
        }
        // Closing a long and opening a short both sell, so one price serves both fills.
        let direction = if target > self.units { TargetPosition::Long } else { TargetPosition::Short };
        let Some(quoted) = rules.quoted(direction, signal) else {
            self.figures.unpriced += 1;
            return None;
        };
        self.first_price = self.first_price.or(Some(i128::from(quoted.price).abs()));
        let price = rules.slipped(direction, quoted.price);
        let fills = target.abs_diff(self.units);
        self.figures.fallbacks += if quoted.is_fallback { fills } else { 0 };
        self.figures.fills += fills;
        let fee = rules.fee_of(price);
        self.figures.fees += i128::from(fills) * fee;
        (0..fills).for_each(|_| self.traded.fill(price, fee));
        let closed = (self.units != 0).then(|| self.close(signal.ts_recv, price, fee));
        if target != 0 {
            self.units = target;
            self.entry = price;
            self.entry_fee = fee;
            self.opened_at = signal.ts_recv;
        }
        let mark = if signal.price == UNDEFINED_PRICE { quoted.price } else { signal.price };
        self.mark(signal.ts_recv, mark);
        Some(Traded { price, fee, fills, closed })
    }

    fn close(&mut self, ts_recv: u64, price: i128, fee: i128) -> Trade {
        let profit = i128::from(self.units) * (price - self.entry);
        let fees = self.entry_fee + fee;
        let trade = Trade {
            side: self.held(),
            opened_at: self.opened_at,
            closed_at: ts_recv,
            entry: self.entry,
            exit: price,
            fees,
            profit: profit - fees,
        };
        self.figures.realised += profit;
        self.figures.trades += 1;
        self.figures.wins += u64::from(trade.profit > 0);
        self.traded.close(trade.profit);
        self.held_ns += ts_recv.saturating_sub(self.opened_at);
        self.units = 0;
        trade
    }

    /// Values what is held at `price`; an undefined one leaves the value as it was.
    pub(super) fn mark(&mut self, ts_recv: u64, price: i64) {
        if self.units == 0 {
            self.figures.open = 0;
        } else if price != UNDEFINED_PRICE {
            self.figures.open = i128::from(self.units) * (i128::from(price) - self.entry);
        }
        self.drawdown.see(ts_recv, self.figures.equity());
        self.returns.see(ts_recv, self.figures.equity());
    }

    /// What the position was traded for first, in 1e-9 of the quote unit.
    pub(super) const fn notional(&self) -> Option<i128> {
        self.first_price
    }

    /// Since when the unit is held that is held now.
    pub(super) fn held_since(&self) -> Option<u64> {
        self.is_held().then_some(self.opened_at)
    }

    /// What became of it in a run of this time.
    pub(super) fn finish(&mut self, span: Span, capital: Option<Capital>) -> (Figures, Performance) {
        let still_held = self.held_since().map_or(0, |since| span.last.saturating_sub(since));
        let held = self.held_ns.saturating_add(still_held);
        let fallen = self.drawdown.finish(span.first, span.last);
        let figures =
            Figures { exposure: span.share(held), max_drawdown: fallen.depth(), ..self.figures.clone() };
        let ratios = std::mem::take(&mut self.returns).finish(span.first, span.last);
        let traded = self.traded.clone();
        let performance = Performance::of(span, capital, figures.equity(), traded, ratios, fallen);
        (figures, performance)
    }
}
