//! What a comparison came to, in words and as JSON.

use std::fmt;

use serde::Serialize;
use tick_sdk::names::RunId;

use super::comparison::{Differences, SHOWN};
use crate::text::thousands;

/// What a run's signals are, beside those expected.
#[derive(Debug, Serialize)]
pub(super) struct Verdict {
    pub(super) run: RunId,
    pub(super) feed: String,
    pub(super) expected: u64,
    pub(super) found: u64,
    pub(super) lost: Differences,
    pub(super) duplicated: Differences,
    pub(super) unexpected: Differences,
    /// How many lanes there are when every strategy has been on every shard.
    pub(super) lanes: usize,
    /// How many of them have come to the run's end.
    pub(super) ended: usize,
    /// The others, in words.
    pub(super) open_lanes: Vec<String>,
    /// Ticks that were passed over with --accept-gap.
    pub(super) skipped: u64,
}

impl Verdict {
    /// What is wrong, if something is.
    pub(super) fn reason(&self) -> Option<String> {
        let Self { lost, duplicated, unexpected, .. } = self;
        if lost.count + duplicated.count + unexpected.count > 0 {
            return Some(self.counts());
        }
        (self.ended < self.lanes).then(|| format!("{} of {} lanes are at its end", self.ended, self.lanes))
    }

    /// One line, with a line break.
    pub(super) fn json(&self) -> serde_json::Result<String> {
        Ok(serde_json::to_string(self)? + "\n")
    }

    fn counts(&self) -> String {
        let [lost, duplicated, unexpected] =
            [&self.lost, &self.duplicated, &self.unexpected].map(|one| thousands(one.count));
        format!("lost {lost}, duplicated {duplicated}, unexpected {unexpected}")
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { run, feed, lanes, ended, .. } = self;
        let (expected, found) = (thousands(self.expected), thousands(self.found));
        writeln!(f, "run {run} of feed {feed}: {ended} of {lanes} lanes at its end")?;
        writeln!(f, "{}; {expected} signals expected, {found} committed", self.counts())?;
        if self.skipped > 0 {
            writeln!(f, "{} ticks were passed over with --accept-gap", thousands(self.skipped))?;
        }
        for (what, differences) in
            [("lost", &self.lost), ("duplicated", &self.duplicated), ("unexpected", &self.unexpected)]
        {
            for row in &differences.first {
                writeln!(f, "  {what}: {row}")?;
            }
            let more = differences.count.saturating_sub(differences.first.len() as u64);
            if more > 0 {
                writeln!(f, "  {what}: and {} more", thousands(more))?;
            }
        }
        for lane in self.open_lanes.iter().take(SHOWN) {
            writeln!(f, "  not at the end: {lane}")?;
        }
        Ok(())
    }
}
