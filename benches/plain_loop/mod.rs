//! Both strategies as a plain loop would have them: no trait, no context, signals only counted. What
//! the benches `replay` and `strategy` hold the lanes against.

use tick_sdk::decimal::UNDEFINED_PRICE;
use tick_sdk::{Kind, Tick};

/// Apple with its defaults.
#[derive(Clone, Copy, Default)]
pub(crate) struct PlainApple {
    fast: f64,
    slow: f64,
    trend: i32,
    started: bool,
}

impl PlainApple {
    /// Gives how many signals the tick makes.
    #[inline(always)]
    pub(crate) fn on_tick(&mut self, tick: &Tick) -> u64 {
        if tick.kind != Kind::TRADE {
            return 0;
        }
        let price = tick.price as f64 * 1e-9;
        if !self.started {
            *self = Self { fast: price, slow: price, trend: 0, started: true };
            return 0;
        }
        self.fast += 2.0 / 13.0 * (price - self.fast);
        self.slow += 2.0 / 27.0 * (price - self.slow);
        let trend = i32::from(self.fast > self.slow) - i32::from(self.fast < self.slow);
        if trend != 0 && trend != self.trend {
            return u64::from(std::mem::replace(&mut self.trend, trend) != 0);
        }
        0
    }
}

/// Pear with its defaults.
#[derive(Clone, Copy)]
pub(crate) struct PlainPear {
    bid: i64,
    ask: i64,
    mean: f64,
    var: f64,
    n: u64,
    position: i32,
}

impl Default for PlainPear {
    fn default() -> Self {
        Self { bid: UNDEFINED_PRICE, ask: UNDEFINED_PRICE, mean: 0.0, var: 0.0, n: 0, position: 0 }
    }
}

impl PlainPear {
    /// Gives how many signals the tick makes. With `SHORTCUT` it does what Pear itself does: a root and
    /// a division only where it may act.
    #[inline(always)]
    pub(crate) fn on_tick<const SHORTCUT: bool>(&mut self, tick: &Tick) -> u64 {
        match tick.kind {
            Kind::BID => self.bid = tick.price,
            Kind::ASK => self.ask = tick.price,
            _ => return 0,
        }
        if !tick.is_last() || self.bid == UNDEFINED_PRICE || self.ask == UNDEFINED_PRICE {
            return 0;
        }
        let mid = (self.bid as f64 * 1e-9 + self.ask as f64 * 1e-9) * 0.5;
        let n = self.n;
        self.n += 1;
        if n == 0 {
            (self.mean, self.var) = (mid, 0.0);
            return 0;
        }
        const A: f64 = 2.0 / 201.0;
        let (d, var) = (mid - self.mean, self.var);
        let z = || if var > 0.0 { d / var.sqrt() } else { 0.0 };
        let eager = if SHORTCUT { 0.0 } else { z() };
        self.mean += A * d;
        self.var = (1.0 - A) * (var + A * d * d);
        if n < 200 {
            return 0;
        }
        if SHORTCUT {
            const FLAT: [f64; 3] = [0.0, 1.0, 0.0];
            let flat = FLAT[(self.position + 1) as usize];
            let distance = flat * (4.0 * (1.0 - 1e-9) * var - d * d) - f64::from(self.position) * d;
            if distance > 1e-100 && var > 0.0 {
                return 0;
            }
        }
        let z = if SHORTCUT { z() } else { eager };
        let target = match self.position {
            0 if z > 2.0 => -1,
            0 if z < -2.0 => 1,
            -1 if z <= 0.0 => 0,
            1 if z >= 0.0 => 0,
            _ => return 0,
        };
        self.position = target;
        1
    }
}
