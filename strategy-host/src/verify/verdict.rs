//! What a comparison came to.

use serde::Serialize;
use tick_sdk::names::{FeedName, RunId};

use super::comparison::Differences;

/// What a run's signals are, beside those expected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// The run.
    pub run: RunId,
    /// Its feed.
    pub feed: FeedName,
    /// How many signals were expected.
    pub expected: u64,
    /// How many are committed.
    pub found: u64,
    /// Expected, and not committed.
    pub lost: Differences,
    /// Committed more than once for one (run, strategy, shard, seq, n).
    pub duplicated: Differences,
    /// Committed, and not expected.
    pub unexpected: Differences,
    /// How many lanes there are when every strategy has been on every shard.
    pub lanes: usize,
    /// How many of them have come to the run's end.
    pub ended: usize,
    /// The others, in words.
    pub open_lanes: Vec<String>,
    /// Ticks that were passed over, as their gaps were accepted.
    pub skipped: u64,
}

impl Verdict {
    /// Whether no signal is lost, duplicated or unexpected.
    pub fn is_equal(&self) -> bool {
        self.lost.count + self.duplicated.count + self.unexpected.count == 0
    }

    /// Whether every lane has come to the run's end.
    pub fn is_complete(&self) -> bool {
        self.ended >= self.lanes
    }
}
