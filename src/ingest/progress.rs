//! What a user sees while a feed is published, and at its end.

use std::time::{Duration, Instant};

use serde_json::json;
use tick_feed::rabbitmq::publisher::{NodeSnapshot, Snapshot, StrategyProgress};
use tick_ingest::Counts;
use tick_sdk::names::RunId;

use crate::ended::Ended;
use crate::replay::per_second;
use crate::text::{counted, thousands};
use crate::tick_output::skipped;

/// Between two lines.
const LINE: Duration = Duration::from_secs(1);

/// One line a second on standard error.
pub(super) struct ProgressLines {
    quiet: bool,
    at: Instant,
    last: Snapshot,
    /// What was wrong when that was last said.
    said: Vec<String>,
}

impl ProgressLines {
    pub(super) fn new(quiet: bool, now: Snapshot) -> Self {
        Self { quiet, at: Instant::now(), last: now, said: Vec::new() }
    }

    /// Shows how things are, if a second has passed; gives whether it has.
    pub(super) fn show(&mut self, now: &Snapshot) -> bool {
        let elapsed = self.at.elapsed();
        if elapsed < LINE {
            return false;
        }
        if !self.quiet {
            eprintln!("{}", line(&self.last, now, elapsed));
            self.say_problems(now);
        }
        (self.at, self.last) = (Instant::now(), now.clone());
        true
    }
}

impl ProgressLines {
    /// Says what holds things up, once as long as it is the same.
    fn say_problems(&mut self, now: &Snapshot) {
        let mut problems: Vec<String> = Vec::new();
        for stalled in now.shards.iter().filter_map(|shard| shard.stalled.as_ref()) {
            let shards = now.shards.iter().enumerate();
            let same = shards.filter(|(_, shard)| shard.stalled.as_ref() == Some(stalled));
            let places: Vec<_> = same.map(|(place, _)| place.to_string()).collect();
            let who = if places.len() == 1 { "shard" } else { "shards" };
            let wait = if places.len() == 1 { "waits" } else { "wait" };
            problems.push(format!("{who} {} {wait}: {stalled}", places.join(", ")));
        }
        problems.extend(now.nodes.iter().filter_map(|node| node.reason.clone()));
        problems.sort();
        problems.dedup();
        // A count in the text that goes on counting is no news.
        let words = |reason: &String| reason.replace(|c: char| c.is_ascii_digit(), "");
        let said: Vec<_> = problems.iter().map(words).collect();
        if said != self.said {
            problems.iter().for_each(|reason| eprintln!("  {reason}"));
            self.said = said;
        }
    }
}

fn line(before: &Snapshot, now: &Snapshot, elapsed: Duration) -> String {
    let rate = per_second(sent(now).saturating_sub(sent(before)), elapsed);
    let mut line = format!("{} ticks  {} ticks/s", thousands(published(now)), thousands(rate));
    for (before, now) in before.nodes.iter().zip(&now.nodes) {
        line.push_str("  ");
        line.push_str(&node_text(before, now, elapsed));
    }
    if let Some((name, lag)) = slowest(now) {
        line.push_str(&format!("  {name} {} behind", counted(lag, "tick")));
    }
    line
}

fn node_text(before: &NodeSnapshot, now: &NodeSnapshot, elapsed: Duration) -> String {
    let messages = per_second(now.messages - before.messages, elapsed);
    let budget = now.budget.map_or_else(|| "off".to_owned(), |rate| thousands(rate.into()));
    let frames = now.frames - before.frames;
    let ticks = (now.ticks - before.ticks).checked_div(frames).unwrap_or(0);
    let mut text = format!(
        "{}/{budget} msg/s  {} ticks/frame  {} in flight",
        thousands(messages),
        thousands(ticks),
        thousands(now.in_flight as u64)
    );
    let blocked = now.blocked - before.blocked;
    if !blocked.is_zero() {
        text.push_str(&format!("  blocked {:.1} s", blocked.as_secs_f64()));
    }
    text
}

fn sent(snapshot: &Snapshot) -> u64 {
    snapshot.nodes.iter().map(|node| node.ticks).sum()
}

fn published(snapshot: &Snapshot) -> u64 {
    snapshot.shards.iter().map(|shard| shard.published).sum()
}

/// The strategy that is furthest behind, and by how many ticks.
fn slowest(now: &Snapshot) -> Option<(&str, u64)> {
    let lag = |strategy: &StrategyProgress| {
        let cursor = |shard: usize| {
            let known = strategy.cursors.iter().find(|cursor| usize::from(cursor.shard) == shard);
            known.map_or(0, |cursor| cursor.cursor)
        };
        now.shards.iter().enumerate().map(|(shard, at)| at.published.saturating_sub(cursor(shard))).sum()
    };
    let active = now.strategies.iter().filter(|strategy| strategy.state.active);
    active.map(|strategy| (strategy.state.name.as_str(), lag(strategy))).max_by_key(|(_, lag)| *lag)
}

/// What a run came to.
pub(super) struct Summary<'a> {
    pub(super) run: RunId,
    pub(super) snapshot: &'a Snapshot,
    /// What the readers left out.
    pub(super) counts: &'a Counts,
    pub(super) elapsed: Duration,
    pub(super) ended: Ended,
    pub(super) detached: bool,
}

impl Summary<'_> {
    fn state(&self) -> &'static str {
        match (self.ended, self.detached) {
            (Ended::Done, false) => "done",
            (Ended::Done, true) => "published",
            (Ended::Interrupted, _) => "interrupted",
        }
    }

    /// For people.
    pub(super) fn text(&self) -> String {
        let Self { run, snapshot, elapsed, .. } = self;
        let mut text = String::new();
        let mut line = |name: &str, value: String| text.push_str(&format!("{name:<13}{value}\n"));
        let state = match self.state() {
            "interrupted" => format!("interrupted; --resume {run} goes on with it"),
            state => state.to_owned(),
        };
        line("Run", format!("{run}, {state}"));
        let rate = per_second(sent(snapshot), *elapsed);
        let seconds = elapsed.as_secs_f64();
        line("Ticks", format!("{} published", thousands(published(snapshot))));
        line("Skipped", skipped(self.counts));
        line("Bad lines", thousands(self.counts.bad_lines));
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
        for example in &self.counts.bad_line_examples {
            text.push_str(&format!("left out: {example}\n"));
        }
        text
    }

    /// As one line of JSON.
    pub(super) fn json(&self) -> String {
        let Self { run, snapshot, elapsed, .. } = self;
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
        let value = json!({
            "run": run.to_string(),
            "state": self.state(),
            "ticks": published(snapshot),
            "seconds": elapsed.as_secs_f64(),
            "skipped": self.counts.skipped,
            "bad_lines": self.counts.bad_lines,
            "shards": snapshot.shards.iter().map(|shard| shard.published).collect::<Vec<_>>(),
            "nodes": snapshot.nodes.iter().map(node).collect::<Vec<_>>(),
            "strategies": snapshot.strategies.iter().map(strategy).collect::<Vec<_>>(),
        });
        format!("{value}\n")
    }
}
