//! One strategy's position in one instrument.

use tick_sdk::TargetPosition;
use tick_sdk::decimal::UNDEFINED_PRICE;
use tick_sdk::signal::Signal;

use super::curve::Drawdown;
use super::figures::Figures;
use super::rules::PaperRules;

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
    pub(super) figures: Figures,
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
    pub(super) fn trade(&mut self, rules: &PaperRules, signal: &Signal) {
        self.figures.signals += 1;
        let target = signal.side.units();
        if target == self.units {
            self.figures.redundant += 1;
            self.mark(signal.ts_recv, signal.price);
            return;
        }
        // Closing a long and opening a short both sell, so one price serves both fills.
        let direction = if target > self.units { TargetPosition::Long } else { TargetPosition::Short };
        let Some(quoted) = rules.quoted(direction, signal) else {
            self.figures.unpriced += 1;
            return;
        };
        let price = rules.slipped(direction, quoted.price);
        let fills = target.abs_diff(self.units);
        self.figures.fallbacks += if quoted.is_fallback { fills } else { 0 };
        self.figures.fills += fills;
        let fee = rules.fee_of(price);
        self.figures.fees += i128::from(fills) * fee;
        if self.units != 0 {
            self.close(signal.ts_recv, price, fee);
        }
        if target != 0 {
            self.units = target;
            self.entry = price;
            self.entry_fee = fee;
            self.opened_at = signal.ts_recv;
        }
        let mark = if signal.price == UNDEFINED_PRICE { quoted.price } else { signal.price };
        self.mark(signal.ts_recv, mark);
    }

    fn close(&mut self, ts_recv: u64, price: i128, fee: i128) {
        let profit = i128::from(self.units) * (price - self.entry);
        self.figures.realised += profit;
        self.figures.trades += 1;
        self.figures.wins += u64::from(profit - fee - self.entry_fee > 0);
        self.held_ns += ts_recv.saturating_sub(self.opened_at);
        self.units = 0;
    }

    /// Values what is held at `price`; an undefined one leaves the value as it was.
    pub(super) fn mark(&mut self, ts_recv: u64, price: i64) {
        if self.units == 0 {
            self.figures.open = 0;
        } else if price != UNDEFINED_PRICE {
            self.figures.open = i128::from(self.units) * (i128::from(price) - self.entry);
        }
        self.drawdown.see(ts_recv, self.figures.equity());
    }

    pub(super) fn finish(&self, first_ts_recv: u64, last_ts_recv: u64) -> Figures {
        let still_held = if self.is_held() { last_ts_recv.saturating_sub(self.opened_at) } else { 0 };
        let held = self.held_ns.saturating_add(still_held);
        let span = last_ts_recv.saturating_sub(first_ts_recv);
        let exposure = if span == 0 { 0.0 } else { (held as f64 / span as f64).min(1.0) };
        Figures { exposure, max_drawdown: self.drawdown.deepest(), ..self.figures.clone() }
    }
}
