//! What a user sees on standard error while a run is published.

use std::time::{Duration, Instant};

use anyhow::Result;
use tick_feed::rabbitmq::publisher::{NodeSnapshot, Snapshot, StrategyProgress};
use tick_ingest::publish::{IngestEvent, IngestProgress};
use tick_sdk::host::Registration;

use super::IngestArgs;
use super::absent::AbsentNotices;
use crate::replay::per_second;
use crate::text::{counted, thousands};

/// Prints events: a line a second, and what holds the run up.
pub(super) struct Show {
    is_quiet: bool,
    absent: AbsentNotices,
    /// What held the run up when that was last printed.
    obstacles: Vec<String>,
}

impl Show {
    pub(super) fn new(args: &IngestArgs) -> Result<Self> {
        let known = Registration::all()?.iter().map(|registration| registration.name).collect();
        let absent = AbsentNotices::new(args.feed.to_string(), known);
        Ok(Self { is_quiet: args.quiet, absent, obstacles: Vec::new() })
    }

    pub(super) fn on_event(&mut self, event: IngestEvent) {
        match event {
            IngestEvent::RunBegins { run } => eprintln!("run {run}"),
            IngestEvent::TicksUnavailable { error } => {
                eprintln!("requested ticks are no longer available: {error}");
            }
            IngestEvent::CatchUpFailed { strategy, error } => {
                eprintln!("strategy {strategy} cannot be caught up: {error}");
            }
            IngestEvent::Progress(_) if self.is_quiet => {}
            IngestEvent::Progress(progress) => self.show(&progress),
        }
    }

    fn show(&mut self, progress: &IngestProgress) {
        let IngestProgress { before, now, elapsed } = progress;
        eprintln!("{}", line(before, now, *elapsed));
        self.show_obstacles(now);
        let notices = self.absent.at(Instant::now(), &now.without_instance);
        notices.iter().for_each(|notice| eprintln!("  {notice}"));
    }

    /// Prints what holds the run up, once for as long as it is the same.
    fn show_obstacles(&mut self, now: &Snapshot) {
        let obstacles = obstacles(now);
        // A count within the text that goes on counting does not make it another one.
        let without_digits = |reason: &String| reason.replace(|c: char| c.is_ascii_digit(), "");
        let shown: Vec<_> = obstacles.iter().map(without_digits).collect();
        if shown != self.obstacles {
            obstacles.iter().for_each(|reason| eprintln!("  {reason}"));
            self.obstacles = shown;
        }
    }
}

fn obstacles(now: &Snapshot) -> Vec<String> {
    let mut obstacles: Vec<String> = Vec::new();
    for stalled in now.shards.iter().filter_map(|shard| shard.stalled.as_ref()) {
        let shards = now.shards.iter().enumerate();
        let same = shards.filter(|(_, shard)| shard.stalled.as_ref() == Some(stalled));
        let places: Vec<_> = same.map(|(place, _)| place.to_string()).collect();
        let who = if places.len() == 1 { "shard" } else { "shards" };
        let wait = if places.len() == 1 { "waits" } else { "wait" };
        obstacles.push(format!("{who} {} {wait}: {stalled}", places.join(", ")));
    }
    obstacles.extend(now.nodes.iter().filter_map(|node| node.reason.clone()));
    obstacles.sort();
    obstacles.dedup();
    obstacles
}

fn line(before: &Snapshot, now: &Snapshot, elapsed: Duration) -> String {
    let rate = per_second(now.sent().saturating_sub(before.sent()), elapsed);
    let mut line = format!("{} ticks  {} ticks/s", thousands(now.published()), thousands(rate));
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
