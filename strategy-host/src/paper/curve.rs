//! Equity over time, in a bounded number of points that show it.

use serde::Serialize;

use crate::market::shift_for;

/// The most points of one strategy's equity curve.
pub const MAX_CURVE_POINTS: usize = 4 * MAX_STRETCHES;

/// Each stretch of time keeps its first, lowest, highest and last point.
const MAX_STRETCHES: usize = 500;

/// The equity of a strategy at a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct EquityPoint {
    /// In ns since the UNIX epoch.
    pub ts_recv: u64,
    /// Realised and open profit less fees, in 1e-9 of the quote unit.
    pub equity: i128,
}

/// How far equity was below its highest value before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct DrawdownPoint {
    /// In ns since the UNIX epoch.
    pub ts_recv: u64,
    /// 0 or more, in 1e-9 of the quote unit.
    pub depth: i128,
}

/// An equity curve that keeps every extreme and at most [`MAX_CURVE_POINTS`] points.
///
/// Time is cut by a power-of-two grid; when more than [`MAX_STRETCHES`] places would be needed, the
/// grid doubles and neighbours merge. As in [`Drawdown`](super::drawdown::Drawdown), a moment has one equity: its last.
#[derive(Debug, Default)]
pub(super) struct Curve {
    shift: u32,
    stretches: Vec<Stretch>,
    now: Option<EquityPoint>,
}

#[derive(Clone, Copy, Debug)]
struct Stretch {
    first: EquityPoint,
    lowest: EquityPoint,
    highest: EquityPoint,
    last: EquityPoint,
}

impl Curve {
    pub(super) fn see(&mut self, ts_recv: u64, equity: i128) {
        match &mut self.now {
            Some(now) if ts_recv <= now.ts_recv => now.equity = equity,
            now => {
                let settled = now.replace(EquityPoint { ts_recv, equity });
                if let Some(point) = settled {
                    self.add(point);
                }
            }
        }
    }

    /// The points in order of time.
    pub(super) fn finish(mut self) -> Vec<EquityPoint> {
        if let Some(point) = self.now.take() {
            self.add(point);
        }
        let mut points = Vec::new();
        for stretch in &self.stretches {
            let mut kept = [stretch.first, stretch.lowest, stretch.highest, stretch.last];
            kept.sort_by_key(|point| point.ts_recv);
            points.extend(kept);
        }
        points.dedup();
        points
    }

    fn add(&mut self, point: EquityPoint) {
        let first = self.stretches.first().map_or(point.ts_recv, |stretch| stretch.first.ts_recv);
        let shift = shift_for(first, point.ts_recv, MAX_STRETCHES as u64, self.shift);
        if shift > self.shift {
            self.shift = shift;
            self.stretches.dedup_by(|later, earlier| earlier.merge(later, shift));
        }
        let new = Stretch { first: point, lowest: point, highest: point, last: point };
        let merged = self.stretches.last_mut().is_some_and(|last| last.merge(&new, shift));
        if !merged {
            self.stretches.push(new);
        }
    }
}

impl Stretch {
    /// Takes `later` in if it lies in the same place of the grid.
    fn merge(&mut self, later: &Self, shift: u32) -> bool {
        let same = self.first.ts_recv >> shift == later.first.ts_recv >> shift;
        if same {
            if later.lowest.equity < self.lowest.equity {
                self.lowest = later.lowest;
            }
            if later.highest.equity > self.highest.equity {
                self.highest = later.highest;
            }
            self.last = later.last;
        }
        same
    }
}
