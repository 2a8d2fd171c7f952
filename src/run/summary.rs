//! What a member did, for people or as JSON.

use std::time::Duration;

use serde_json::json;
use strategy_host::host::membership::Member;
use strategy_host::host::{HostReport, LaneCounts};
use tick_feed::rabbitmq::{FeedState, SubscriberCounts};

use super::RunEnded;
use crate::text::{counted, thousands};

/// What a member did in one run.
pub(super) struct Results {
    feed: String,
    member: Member,
    ended: RunEnded,
    shards: Vec<(u16, LaneCounts)>,
    commits: u64,
    received: SubscriberCounts,
    elapsed: Duration,
}

impl Results {
    pub(super) fn collect(
        state: &FeedState,
        member: &Member,
        ended: RunEnded,
        report: &HostReport,
        received: SubscriberCounts,
        elapsed: Duration,
    ) -> Self {
        Self {
            feed: state.feed.to_string(),
            member: member.clone(),
            ended,
            shards: report.lanes.iter().map(|(lane, counts)| (lane.shard, *counts)).collect(),
            commits: report.commits,
            received,
            elapsed,
        }
    }

    fn sum(&self, count: impl Fn(&LaneCounts) -> u64) -> u64 {
        self.shards.iter().map(|(_, counts)| count(counts)).sum()
    }

    fn state(&self) -> &'static str {
        match self.ended {
            RunEnded::AtItsEnd => "done",
            RunEnded::GivenUp => "given up by its ingester",
            RunEnded::Left => "left",
            RunEnded::Interrupted => "handed over; the same command takes part again",
        }
    }

    /// For people.
    pub(super) fn text(&self) -> String {
        let mut lines = Vec::new();
        let mut line = |name: &str, value: String| lines.push(format!("{name:<13}{value}\n"));
        let Member { run, strategy, name, shards, .. } = &self.member;
        line("Run", format!("{run} of feed {}, {}", self.feed, self.state()));
        line("Strategy", format!("{strategy}, member {name}"));
        let own: Vec<_> = self.shards.iter().map(|(shard, _)| shard.to_string()).collect();
        let own = if own.is_empty() { "none".to_owned() } else { own.join(", ") };
        line("Shards", format!("{own} of {shards}"));
        let ticks = self.sum(|counts| counts.ticks);
        let rate = (ticks as f64 / self.elapsed.as_secs_f64().max(1e-9)) as u64;
        line("Ticks", format!("{} ({} ticks/s)", thousands(ticks), thousands(rate)));
        line("Signals", thousands(self.sum(|counts| counts.signals)));
        let received = &self.received;
        line(
            "Frames",
            format!("{}, {} redelivered", thousands(received.frames), thousands(received.redelivered)),
        );
        line("Commits", thousands(self.commits));
        line(
            "Exactness",
            format!(
                "{} left out, {} for what was missing, {} skipped",
                counted(self.sum(|counts| counts.duplicates), "duplicate"),
                counted(received.resend_requests, "request"),
                counted(self.sum(|counts| counts.skipped), "tick")
            ),
        );
        line(
            "Disturbances",
            format!(
                "{}, {} fenced off, {}, {} of other runs",
                counted(self.sum(|counts| counts.takeovers), "takeover"),
                thousands(self.sum(|counts| counts.fenced)),
                counted(received.dead_lettered, "dead letter"),
                counted(received.of_other_runs, "frame")
            ),
        );
        lines.concat()
    }

    /// For machines: one object on one line.
    pub(super) fn json(&self) -> serde_json::Result<String> {
        let shards: Vec<_> = self
            .shards
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
            "feed": self.feed,
            "run": self.member.run.to_string(),
            "strategy": self.member.strategy,
            "member": self.member.name,
            "ended": self.ended == RunEnded::AtItsEnd,
            "elapsed_seconds": self.elapsed.as_secs_f64(),
            "ticks": self.sum(|counts| counts.ticks),
            "signals": self.sum(|counts| counts.signals),
            "duplicates": self.sum(|counts| counts.duplicates),
            "skipped": self.sum(|counts| counts.skipped),
            "takeovers": self.sum(|counts| counts.takeovers),
            "fenced": self.sum(|counts| counts.fenced),
            "commits": self.commits,
            "frames": self.received.frames,
            "bytes": self.received.bytes,
            "redelivered": self.received.redelivered,
            "requests": self.received.resend_requests,
            "dead_lettered": self.received.dead_lettered,
            "of_other_runs": self.received.of_other_runs,
            "reconnects": self.received.lost,
            "shards": shards,
        });
        Ok(serde_json::to_string(&value)? + "\n")
    }
}
