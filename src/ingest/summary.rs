//! What a run came to, on standard output.

use serde_json::json;
use tick_feed::rabbitmq::publisher::{NodeSnapshot, StrategyProgress};
use tick_ingest::publish::{IngestEnd, IngestOutcome};

use crate::counts;
use crate::replay::per_second;
use crate::text::{counted, thousands};

fn state(end: IngestEnd) -> &'static str {
    match end {
        IngestEnd::RunEnded => "done",
        IngestEnd::Published => "published",
        IngestEnd::Cancelled => "interrupted",
    }
}

/// For people.
pub(super) fn text(outcome: &IngestOutcome) -> String {
    let IngestOutcome { run, snapshot, counts, elapsed, .. } = outcome;
    let mut text = String::new();
    let mut line = |name: &str, value: String| text.push_str(&format!("{name:<13}{value}\n"));
    let state = match outcome.end {
        IngestEnd::Cancelled => format!("interrupted; --resume {run} goes on with it"),
        end => state(end).to_owned(),
    };
    line("Run", format!("{run}, {state}"));
    let rate = per_second(snapshot.sent(), *elapsed);
    let seconds = elapsed.as_secs_f64();
    line("Ticks", format!("{} published", thousands(snapshot.published())));
    for (name, value) in counts::lines(counts) {
        line(name, value);
    }
    line("Speed", format!("{} ticks/s ({seconds:.3} s)", thousands(rate)));
    for node in &snapshot.nodes {
        let frames = node.frames.max(1);
        line(
            "Broker",
            format!(
                "{}: {} in {}, {} ticks/frame, {} sent again, blocked {:.1} s",
                node.url,
                counted(node.messages, "message"),
                counted(node.frames, "frame"),
                thousands(node.ticks / frames),
                counted(node.resent, "tick"),
                node.blocked.as_secs_f64()
            ),
        );
    }
    for strategy in &snapshot.strategies {
        let shards = snapshot.shards.len();
        let ended = if strategy.has_ended(shards) { "has committed to the end" } else { "has not ended" };
        line("Strategy", format!("{} {ended}", strategy.state.name));
    }
    text.push_str(&counts::left_out(counts));
    text
}

/// As one line of JSON.
pub(super) fn json(outcome: &IngestOutcome) -> String {
    let IngestOutcome { run, snapshot, counts, elapsed, .. } = outcome;
    let node = |node: &NodeSnapshot| {
        json!({
            "url": node.url, "budget": node.budget, "messages": node.messages, "frames": node.frames,
            "ticks": node.ticks, "ticks_sent_again": node.resent,
            "blocked_seconds": node.blocked.as_secs_f64(),
        })
    };
    let strategy = |strategy: &StrategyProgress| {
        json!({
            "name": strategy.state.name, "required": strategy.state.required,
            "active": strategy.state.active, "ended": strategy.has_ended(snapshot.shards.len()),
        })
    };
    let mut value = json!({
        "run": run.to_string(),
        "state": state(outcome.end),
        "ticks": snapshot.published(),
        "seconds": elapsed.as_secs_f64(),
        "shards": snapshot.shards.iter().map(|shard| shard.published).collect::<Vec<_>>(),
        "nodes": snapshot.nodes.iter().map(node).collect::<Vec<_>>(),
        "strategies": snapshot.strategies.iter().map(strategy).collect::<Vec<_>>(),
    });
    counts::add_to_json(&mut value, counts);
    format!("{value}\n")
}
