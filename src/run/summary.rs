//! What a member did in a run, for people or as JSON.

use serde_json::json;
use strategy_host::run::{PartEnd, RunReport};

use crate::text::{counted, thousands};

fn state(end: PartEnd) -> &'static str {
    match end {
        PartEnd::RunEnded => "done",
        PartEnd::Abandoned => "abandoned by its ingester",
        PartEnd::Cancelled => "handed over; the same command takes part again",
    }
}

/// For people.
pub(super) fn text(report: &RunReport) -> String {
    let mut lines = Vec::new();
    let mut line = |name: &str, value: String| lines.push(format!("{name:<13}{value}\n"));
    let RunReport { feed, run, strategy, member, shards, received, .. } = report;
    line("Run", format!("{run} of feed {feed}, {}", state(report.end)));
    line("Strategy", format!("{strategy}, member {member}"));
    let own: Vec<_> = report.lanes.iter().map(|(shard, _)| shard.to_string()).collect();
    let own = if own.is_empty() { "none".to_owned() } else { own.join(", ") };
    line("Shards", format!("{own} of {shards}"));
    let ticks = report.sum(|counts| counts.ticks);
    let rate = (ticks as f64 / report.elapsed.as_secs_f64().max(1e-9)) as u64;
    line("Ticks", format!("{} ({} ticks/s)", thousands(ticks), thousands(rate)));
    line("Signals", thousands(report.sum(|counts| counts.signals)));
    line(
        "Frames",
        format!("{}, {} redelivered", thousands(received.frames), thousands(received.redelivered)),
    );
    line("Commits", thousands(report.commits));
    line(
        "Delivery",
        format!(
            "{} left out, {} for what was missing, {} skipped",
            counted(report.sum(|counts| counts.duplicates), "duplicate"),
            counted(received.resend_requests, "request"),
            counted(report.sum(|counts| counts.skipped), "tick")
        ),
    );
    line(
        "Disturbances",
        format!(
            "{}, {} fenced off, {}, {} of other runs",
            counted(report.sum(|counts| counts.takeovers), "takeover"),
            thousands(report.sum(|counts| counts.fenced)),
            counted(received.dead_lettered, "dead letter"),
            counted(received.of_other_runs, "frame")
        ),
    );
    lines.concat()
}

/// For machines: one object on one line.
pub(super) fn json(report: &RunReport) -> String {
    let shards: Vec<_> = report
        .lanes
        .iter()
        .map(|(shard, counts)| {
            json!({
                "shard": shard,
                "ticks": counts.ticks,
                "position": counts.position,
                "ended": counts.ended,
                "signals": counts.signals,
                "duplicates": counts.duplicates,
                "skipped": counts.skipped,
                "takeovers": counts.takeovers,
                "fenced": counts.fenced,
            })
        })
        .collect();
    let value = json!({
        "feed": report.feed.as_str(),
        "run": report.run.to_string(),
        "strategy": report.strategy.as_str(),
        "member": report.member,
        "ended": report.end == PartEnd::RunEnded,
        "elapsed_seconds": report.elapsed.as_secs_f64(),
        "ticks": report.sum(|counts| counts.ticks),
        "signals": report.sum(|counts| counts.signals),
        "duplicates": report.sum(|counts| counts.duplicates),
        "skipped": report.sum(|counts| counts.skipped),
        "takeovers": report.sum(|counts| counts.takeovers),
        "fenced": report.sum(|counts| counts.fenced),
        "commits": report.commits,
        "frames": report.received.frames,
        "bytes": report.received.bytes,
        "redelivered": report.received.redelivered,
        "requests": report.received.resend_requests,
        "dead_lettered": report.received.dead_lettered,
        "of_other_runs": report.received.of_other_runs,
        "reconnects": report.received.lost,
        "shards": shards,
    });
    format!("{value}\n")
}
