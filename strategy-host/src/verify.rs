//! A run's committed signals against those that the same sources must give: the oracle of the tests that
//! kill everything, and a user's own check.
//!
//! Signals are compared by strategy, instrument, event time, side and price; in which order they were
//! committed, by which instance and in which shard does not matter.

use std::io::BufRead;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tick_sdk::names::{FeedName, RunId, StrategyName};

use crate::ledger::{LaneRow, Ledger, OrderedSignals, RunRow};

mod comparison;
mod error;
mod expected;
mod lanes;
mod verdict;

pub use comparison::{Differences, MAX_DIFFERENT, SHOWN, SignalRow};
pub use error::{ExpectedError, VerifyError};
pub use expected::{ExpectedSignals, SIGNAL_COLUMNS};
pub use verdict::Verdict;

use comparison::Comparison;

/// What is to be verified.
#[derive(Clone, Debug)]
pub struct VerifyPlan {
    /// The feed.
    pub feed: FeedName,
    /// The run; the feed's newest where none is named.
    pub run: Option<RunId>,
    /// Only these strategies, of the ledger and of what is expected; all where none is named.
    pub strategies: Vec<StrategyName>,
}

/// Watches and cancels a [`verify`] from another thread.
#[derive(Debug, Default)]
pub struct VerifyControl {
    cancelled: AtomicBool,
    expected: AtomicU64,
    committed: AtomicU64,
}

/// How far a verification is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VerifyProgress {
    /// Expected signals that were read.
    pub expected: u64,
    /// Committed signals that were read.
    pub committed: u64,
}

impl VerifyControl {
    /// The verification ends at the next signal, with [`VerifyError::Cancelled`].
    pub fn cancel(&self) {
        self.cancelled.store(true, Ordering::Release);
    }

    /// How far it is.
    pub fn progress(&self) -> VerifyProgress {
        VerifyProgress {
            expected: self.expected.load(Ordering::Relaxed),
            committed: self.committed.load(Ordering::Relaxed),
        }
    }

    fn check(&self) -> Result<(), VerifyError> {
        if self.cancelled.load(Ordering::Acquire) { Err(VerifyError::Cancelled) } else { Ok(()) }
    }
}

impl VerifyPlan {
    fn includes(&self, strategy: &str) -> bool {
        self.strategies.is_empty() || self.strategies.iter().any(|one| one == strategy)
    }
}

/// Compares what a run has committed with what is expected; a difference is no error but in the verdict.
///
/// Memory grows with the differences only, and a million of them are an error.
///
/// # Errors
/// The ledger or the expected signals cannot be read, the ledger has no such run or strategy, or it was
/// cancelled.
pub fn verify(
    ledger: &dyn Ledger,
    plan: &VerifyPlan,
    expected: ExpectedSignals<impl BufRead>,
    control: &VerifyControl,
) -> Result<Verdict, VerifyError> {
    let run = choose_run(ledger, plan)?;
    let mut lanes = ledger.lanes(run.run)?;
    lanes.retain(|row| plan.includes(row.lane.strategy.as_str()));
    if lanes.is_empty() {
        return Err(VerifyError::NoStrategy { run: run.run, feed: plan.feed.clone() });
    }
    let repeated = lanes::repeated_signals(ledger, &lanes, || control.check())?;
    let comparison = compare(ledger, plan, &lanes, expected, control)?.without(&repeated)?;
    Ok(Verdict {
        run: run.run,
        feed: plan.feed.clone(),
        expected: comparison.expected,
        found: comparison.found,
        lost: comparison.lost(),
        duplicated: Differences::of(&repeated),
        unexpected: comparison.unexpected(),
        lanes: lanes::expected_lanes(&run.manifest, &lanes),
        ended: lanes.iter().filter(|lane| lane.ended).count(),
        open_lanes: lanes::open_lanes(&lanes),
        skipped: lanes.iter().map(|lane| lane.skipped).sum(),
    })
}

fn choose_run(ledger: &dyn Ledger, plan: &VerifyPlan) -> Result<RunRow, VerifyError> {
    let runs = ledger.runs(plan.feed.as_str())?;
    let known: Vec<_> = runs.iter().map(|row| row.run).collect();
    let feed = || plan.feed.clone();
    let Some(chosen) = plan.run else {
        return runs.into_iter().next().ok_or_else(|| VerifyError::NoRun { feed: feed() });
    };
    if runs.is_empty() {
        return Err(VerifyError::NoRun { feed: feed() });
    }
    let chosen_row = runs.into_iter().find(|row| row.run == chosen);
    chosen_row.ok_or_else(|| VerifyError::UnknownRun { feed: feed(), run: chosen, known })
}

/// Reads both sides in turn; they are in one order, so what is equal meets at once.
fn compare(
    ledger: &dyn Ledger,
    plan: &VerifyPlan,
    lanes: &[LaneRow],
    mut expected: ExpectedSignals<impl BufRead>,
    control: &VerifyControl,
) -> Result<Comparison, VerifyError> {
    let names = lanes::strategies(lanes);
    let Some(run) = lanes.first().map(|row| row.lane.run) else { return Ok(Comparison::default()) };
    let mut found = OrderedSignals::new(ledger, run, &names, lanes::shards(lanes))?;
    let mut comparison = Comparison::default();
    let mut more_expected = true;
    let mut more_found = true;
    while more_expected || more_found {
        control.check()?;
        if more_expected {
            match expected.next_row()? {
                Some(row) if plan.includes(&row.strategy) => comparison.expect(row)?,
                Some(_) => {}
                None => more_expected = false,
            }
            control.expected.store(comparison.expected, Ordering::Relaxed);
        }
        if more_found {
            match found.next_signal()? {
                Some(named) => {
                    let strategy = names[named.strategy].as_str();
                    comparison.find(SignalRow::new(strategy, &named.symbol, &named.signal))?;
                }
                None => more_found = false,
            }
            control.committed.store(comparison.found, Ordering::Relaxed);
        }
    }
    Ok(comparison)
}

#[cfg(test)]
mod tests;
