//! Returns of fixed stretches of time, and the ratios that are made of them.

use super::performance::ReturnBasis;
use super::stretches::{self, DAY, FINEST};

/// 365 days.
const YEAR: u64 = 365 * DAY;

/// The equity at the end of each stretch in which it changed.
#[derive(Clone, Debug)]
pub(super) struct Returns {
    stretch_ns: u64,
    /// Number of the stretch since the epoch, and equity; in order.
    ends: Vec<(u64, i128)>,
}

/// What returns come to.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Ratios {
    pub(super) sharpe: Option<f64>,
    pub(super) sortino: Option<f64>,
    pub(super) basis: ReturnBasis,
}

impl Default for Returns {
    fn default() -> Self {
        Self { stretch_ns: FINEST, ends: Vec::new() }
    }
}

impl Returns {
    /// Equity is now `equity`; a time that goes back counts as the time already reached.
    pub(super) fn see(&mut self, ts_recv: u64, equity: i128) {
        let stretch = ts_recv / self.stretch_ns;
        match self.ends.last_mut() {
            Some(last) if stretch <= last.0 => last.1 = equity,
            Some(_) => {
                self.ends.push((stretch, equity));
                let first = self.ends[0].0 * self.stretch_ns;
                self.lengthen(stretches::length_for(first, ts_recv, self.stretch_ns));
            }
            None => self.ends.push((stretch, equity)),
        }
    }

    /// The ratios of a run whose first and last ticks were received at these times. The capital is in none of them, as
    /// every return is of the same one.
    pub(super) fn finish(mut self, first_ts_recv: u64, last_ts_recv: u64) -> Ratios {
        let first = self.ends.first().map_or(first_ts_recv, |end| first_ts_recv.min(end.0 * self.stretch_ns));
        self.lengthen(stretches::length_for(first, last_ts_recv, self.stretch_ns));
        let stretches = stretches::count(first, last_ts_recv, self.stretch_ns);
        let basis = ReturnBasis { stretch_ns: self.stretch_ns, stretches };
        let mut before = 0;
        let changes: Vec<i128> =
            self.ends.iter().map(|&(_, equity)| equity - std::mem::replace(&mut before, equity)).collect();
        let a_year = (YEAR as f64 / self.stretch_ns as f64).sqrt();
        let mean = before as f64 / stretches as f64;
        let of_deviation = |deviation: Option<f64>| deviation.map(|deviation| mean / deviation * a_year);
        Ratios {
            sharpe: of_deviation(deviation(&changes, stretches, mean)),
            sortino: of_deviation(downside(&changes, stretches)),
            basis,
        }
    }

    fn lengthen(&mut self, stretch_ns: u64) {
        if stretch_ns == self.stretch_ns {
            return;
        }
        let before = std::mem::replace(&mut self.stretch_ns, stretch_ns);
        for end in &mut self.ends {
            end.0 = end.0 * before / stretch_ns;
        }
        self.ends.dedup_by(|later, earlier| {
            let is_same = later.0 == earlier.0;
            if is_same {
                earlier.1 = later.1;
            }
            is_same
        });
    }
}

/// The standard deviation of a sample of so many, of which those that are not among `changes` are 0.
fn deviation(changes: &[i128], count: u64, mean: f64) -> Option<f64> {
    let is_every = changes.len() as u64 == count;
    let least = changes.iter().copied().chain((!is_every).then_some(0)).min()?;
    let most = changes.iter().copied().chain((!is_every).then_some(0)).max()?;
    if count < 2 || least == most {
        return None;
    }
    let others = count.saturating_sub(changes.len() as u64) as f64 * mean * mean;
    let squares: f64 = changes.iter().map(|&change| (change as f64 - mean).powi(2)).sum();
    Some(((squares + others) / (count - 1) as f64).sqrt())
}

/// The root of the mean square of so many, where those above 0 count as 0.
fn downside(changes: &[i128], count: u64) -> Option<f64> {
    let squares: f64 = changes.iter().map(|&change| (change.min(0) as f64).powi(2)).sum();
    (count >= 2 && squares > 0.0).then(|| (squares / count as f64).sqrt())
}
