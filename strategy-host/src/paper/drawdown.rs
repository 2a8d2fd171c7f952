//! Falls of equity below its highest value before: the deepest, and for how long there was any.

use serde::Serialize;

/// The deepest fall of equity. Times are those of a signal or a mark, in ns since the UNIX epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct DrawdownFigures {
    /// From the highest value before (or 0, where equity starts) to the lowest, in 1e-9 of the quote unit.
    pub depth: i128,
    /// When equity was last at its highest before it fell.
    pub begin: u64,
    /// When it was first at its lowest.
    pub bottom: u64,
    /// When it was at its highest again; `None` where it never was.
    pub recovered: Option<u64>,
    /// From the begin to the recovery, or to the run's last tick.
    pub duration_ns: u64,
    /// From the bottom to the recovery.
    pub recovery_ns: Option<u64>,
}

/// Follows equity, which starts at 0.
///
/// What counts is the equity after all that happened at one time: between the two legs of a pair that
/// move together there is no fall that anyone could have seen.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Drawdown {
    now: u64,
    equity: i128,
    highest: i128,
    highest_at: u64,
    deepest: DrawdownFigures,
    /// The deepest fall goes on.
    is_in_deepest: bool,
    under_water_ns: u64,
}

/// What became of equity by the end of a run.
pub(super) struct Fallen {
    pub(super) deepest: Option<DrawdownFigures>,
    pub(super) under_water_ns: u64,
}

impl Fallen {
    /// The deepest fall, 0 where there was none.
    pub(super) fn depth(&self) -> i128 {
        self.deepest.map_or(0, |deepest| deepest.depth)
    }
}

impl Drawdown {
    /// Equity is now `equity`; a time that goes back counts as the time already reached. What equity was below its
    /// highest at the time before, if that is over.
    pub(super) fn see(&mut self, ts_recv: u64, equity: i128) -> Option<(u64, i128)> {
        let mut settled = None;
        if ts_recv > self.now {
            settled = Some((self.now, self.settle(ts_recv)));
            self.now = ts_recv;
        }
        self.equity = equity;
        settled
    }

    /// The time that was reached, and how far equity is below its highest then.
    pub(super) fn now(&self) -> (u64, i128) {
        (self.now, (self.highest - self.equity).max(0))
    }

    /// The deepest fall of a run whose first and last ticks were received at these times.
    pub(super) fn finish(mut self, first_ts_recv: u64, last_ts_recv: u64) -> Fallen {
        self.settle(last_ts_recv);
        let mut deepest = self.deepest;
        deepest.begin = deepest.begin.max(first_ts_recv);
        deepest.duration_ns = deepest.recovered.unwrap_or(last_ts_recv).saturating_sub(deepest.begin);
        deepest.recovery_ns = deepest.recovered.map(|at| at - deepest.bottom);
        Fallen { deepest: (deepest.depth > 0).then_some(deepest), under_water_ns: self.under_water_ns }
    }

    /// How far equity is below its highest now, which it stays until `until`.
    fn settle(&mut self, until: u64) -> i128 {
        let (_, depth) = self.now();
        if depth > 0 {
            self.under_water_ns += until.saturating_sub(self.now);
        } else {
            self.highest = self.equity;
            self.highest_at = self.now;
            if std::mem::take(&mut self.is_in_deepest) {
                self.deepest.recovered = Some(self.now);
            }
        }
        if depth > self.deepest.depth {
            self.deepest = DrawdownFigures {
                depth,
                begin: self.highest_at,
                bottom: self.now,
                ..DrawdownFigures::default()
            };
            self.is_in_deepest = true;
        }
        depth
    }
}
