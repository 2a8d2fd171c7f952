//! What needs somebody, the most urgent first. Pure: no I/O, no clock.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use triage::Kind;

use super::own::Facts;
use crate::hubs::payloads::{Attention, FeedState, NodeState, StrategyState, SystemState, feed_phase};

/// So much is shown; what is beyond is less urgent.
const MOST: usize = 20;
/// A strategy that is so many seconds behind publishing is late, …
const LATE_S: f64 = 10.0;
/// … and far behind from here on.
const FAR_BEHIND_S: f64 = 60.0;
/// From this share of its budget on, a node has little left.
const NEAR_BUDGET: f64 = 0.9;
/// Reasons are cut here: where the link leads, they are whole.
const LONGEST_REASON: usize = 200;

const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// How urgent something is, the most urgent first. What comes to nothing without somebody stands before what goes on
/// late, and both before what has ended already.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Urgency {
    PartAway,
    NodeBlocked,
    NoHost,
    Stalled,
    NoIngester,
    FarBehind,
    DeploymentFails,
    CommandFailed,
    ReplayFailed,
    // From here on it is a warning.
    Late,
    NearBudget,
    ErrorQueue,
}

impl Urgency {
    fn severity(self) -> &'static str {
        if self < Self::Late { "error" } else { "warning" }
    }
}

/// What needs somebody.
pub(super) fn attention(state: &SystemState, facts: &Facts) -> Vec<Attention> {
    let mut all = Vec::new();
    parts(state, facts, &mut all);
    state.nodes.iter().for_each(|node| of_node(node, &mut all));
    state.feeds.iter().for_each(|feed| of_feed(feed, &mut all));
    for deployment in &facts.failing_deployments {
        let reason = deployment.failure.as_ref().map_or("", |failure| &failure.reason);
        let text = because(&format!("Deployment {} fails", deployment.name), reason);
        all.push((Urgency::DeploymentFails, text, strategy_link(&deployment.name)));
    }
    for command in &facts.failed_commands {
        let text = because(&format!("{} failed", command.command), command.reason.as_deref().unwrap_or(""));
        all.push((Urgency::CommandFailed, text, format!("#/commands/{}", command.command_id)));
    }
    for replay in &facts.failed_replays {
        let text = because("A replay failed", replay.reason.as_deref().unwrap_or(""));
        all.push((Urgency::ReplayFailed, text, format!("#/replays/{}", replay.replay_id)));
    }
    for queue in &facts.error_queues {
        let what = match queue.kind {
            Kind::Skipped => "nobody handled",
            _ => "failed",
        };
        let messages = if queue.messages == 1 { "message" } else { "messages" };
        let text = format!("Queue {} has {} {messages} that {what}", queue.name, queue.messages);
        all.push((Urgency::ErrorQueue, text, format!("#/errors/{}", encoded(&queue.name))));
    }
    // What is equally urgent stays in its order.
    all.sort_by_key(|(urgency, ..)| *urgency);
    all.truncate(MOST);
    let shown = all.into_iter().map(|(urgency, text, link)| Attention {
        severity: urgency.severity().to_owned(),
        text,
        link: Some(link),
    });
    shown.collect()
}

type Found = Vec<(Urgency, String, String)>;

fn parts(state: &SystemState, facts: &Facts, all: &mut Found) {
    for view in &facts.stopped {
        let Some(stopped) = &view.stopped else { continue };
        let what =
            format!("Projection {} has stopped at {} of {}", view.name, stopped.position, stopped.context);
        all.push((Urgency::PartAway, because(&what, &stopped.reason), system()));
    }
    for part in state.parts.iter().filter(|part| !part.is_ready) {
        // Those that stopped are named.
        if part.name == "projections" && !facts.stopped.is_empty() {
            continue;
        }
        let what = format!("The {} cannot be used", part.name);
        all.push((Urgency::PartAway, because(&what, part.reason.as_deref().unwrap_or("")), system()));
    }
}

fn of_node(node: &NodeState, all: &mut Found) {
    if let Some(alarm) = &node.alarm {
        let text = because(&format!("Broker node {} takes no messages", node.node), alarm);
        all.push((Urgency::NodeBlocked, text, system()));
    }
    let share = node.messages_per_second.unwrap_or(0.0) / node.budget as f64;
    if node.budget > 0 && share >= NEAR_BUDGET {
        let percent = share * 100.0;
        let text = format!("Broker node {} is at {percent:.0} % of its budget of messages", node.node);
        all.push((Urgency::NearBudget, text, system()));
    }
}

fn of_feed(feed: &FeedState, all: &mut Found) {
    let name = &feed.feed;
    if feed.phase == feed_phase::NO_INGESTER {
        let text = format!("Feed {name} has no ingester, and its run has not ended");
        all.push((Urgency::NoIngester, text, system()));
    }
    for shard in &feed.shards {
        let Some(why) = &shard.stalled else { continue };
        let text = because(&format!("Shard {} of feed {name} is stalled", shard.shard), why);
        all.push((Urgency::Stalled, text, system()));
    }
    if matches!(feed.phase.as_str(), feed_phase::PUBLISHING | feed_phase::PUBLISHED) {
        feed.strategies.iter().for_each(|strategy| of_strategy(name, strategy, all));
    }
}

fn of_strategy(feed: &str, strategy: &StrategyState, all: &mut Found) {
    let name = &strategy.name;
    if strategy.lanes.iter().all(|lane| lane.has_ended) {
        return;
    }
    if strategy.instances.is_empty() {
        let text = format!("No host runs {name} of feed {feed}");
        all.push((Urgency::NoHost, text, strategy_link(name)));
        return;
    }
    let Some(seconds) = strategy.lag_seconds.filter(|seconds| *seconds >= LATE_S) else { return };
    let urgency = if seconds >= FAR_BEHIND_S { Urgency::FarBehind } else { Urgency::Late };
    let text = format!("{name} of feed {feed} is {seconds:.0} s behind");
    all.push((urgency, text, strategy_link(name)));
}

/// A lane is shown with its deployment, whose name it has before `@`.
fn strategy_link(lane: &str) -> String {
    format!("#/strategies/{}", encoded(lane.split('@').next().unwrap_or(lane)))
}

fn system() -> String {
    "#/system".to_owned()
}

fn because(what: &str, reason: &str) -> String {
    let line = reason.lines().next().unwrap_or_default();
    match line.char_indices().nth(LONGEST_REASON) {
        _ if line.is_empty() => what.to_owned(),
        Some((end, _)) => format!("{what}: {}…", &line[..end]),
        None => format!("{what}: {line}"),
    }
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, ENCODED).to_string()
}

#[cfg(test)]
mod tests;
