//! A verdict in words.

use std::fmt::Write;

use strategy_host::verify::{SHOWN, SignalRow, Verdict};

use crate::text::{printable, thousands};

/// What is not as expected, if something is not.
pub(super) fn reason(verdict: &Verdict) -> Option<String> {
    if !verdict.is_equal() {
        return Some(counts(verdict));
    }
    let Verdict { ended, lanes, .. } = verdict;
    (!verdict.is_complete()).then(|| format!("{ended} of {lanes} lanes are at its end"))
}

/// Lines for people.
pub(super) fn text(verdict: &Verdict) -> String {
    let Verdict { run, feed, lanes, ended, .. } = verdict;
    let (expected, found) = (thousands(verdict.expected), thousands(verdict.found));
    let mut text = format!("run {run} of feed {feed}: {ended} of {lanes} lanes at its end\n");
    let mut line = |line: std::fmt::Arguments<'_>| {
        // Writing to a text cannot fail.
        let _ = writeln!(text, "{line}");
    };
    line(format_args!("{}; {expected} signals expected, {found} committed", counts(verdict)));
    if verdict.skipped > 0 {
        line(format_args!("{} ticks were passed over with --accept-gap", thousands(verdict.skipped)));
    }
    let kinds =
        [("lost", &verdict.lost), ("duplicated", &verdict.duplicated), ("unexpected", &verdict.unexpected)];
    for (what, differences) in kinds {
        for row in &differences.first {
            line(format_args!("  {what}: {}", signal(row)));
        }
        let more = differences.count.saturating_sub(differences.first.len() as u64);
        if more > 0 {
            line(format_args!("  {what}: and {} more", thousands(more)));
        }
    }
    for lane in verdict.open_lanes.iter().take(SHOWN) {
        line(format_args!("  not at the end: {lane}"));
    }
    text
}

fn counts(verdict: &Verdict) -> String {
    let Verdict { lost, duplicated, unexpected, .. } = verdict;
    let [lost, duplicated, unexpected] = [lost, duplicated, unexpected].map(|one| thousands(one.count));
    format!("lost {lost}, duplicated {duplicated}, unexpected {unexpected}")
}

fn signal(row: &SignalRow) -> String {
    let SignalRow { strategy, instrument, ts_event, side, price } = row;
    format!("{strategy} {} {ts_event} {side} {price}", printable(instrument))
}
