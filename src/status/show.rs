//! How a feed stands, for people: within 100 columns.

use strategy_host::status::{FeedStatus, LaneStatus, Phase, ShardStatus, StrategyStatus};

use crate::duration::{format_duration, format_time};
use crate::text::{bytes, counted, printable, table, thousands};

/// How many shards are shown unless all are asked for.
const SHARDS: usize = 16;
/// How many sources, and how many runs.
const LISTED: usize = 4;

/// The feed, its shards, then each strategy.
pub(super) fn feed_status(status: &FeedStatus, all: bool) -> String {
    let mut text = feed(status);
    text.push('\n');
    text.push_str(&shards(status, all));
    for strategy in &status.strategies {
        text.push('\n');
        text.push_str(&head(strategy));
        text.push_str(&missing_instance(status, strategy));
        text.push_str(&lanes(strategy, all));
    }
    text
}

fn feed(status: &FeedStatus) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: String| text.push_str(&format!("{name:<11}{value}\n"));
    line("Feed", status.feed.to_string());
    line("Run", status.run.to_string());
    line("State", phase(status));
    for source in sources(&status.manifest) {
        line("Source", source);
    }
    let durability = format!("{:?}", status.durability).to_lowercase();
    line("Brokers", format!("{durability}, frames of up to {}", bytes(status.max_frame_bytes as u64)));
    line("Published", published(&status.shards));
    line("Dead", dead(status));
    if let Some(runs) = &status.runs_in_ledger {
        let shown: Vec<_> = runs.iter().take(LISTED).map(ToString::to_string).collect();
        let more = runs.len().saturating_sub(LISTED);
        line(
            "In ledger",
            match (shown.is_empty(), more) {
                (true, _) => "no run of this feed".to_owned(),
                (false, 0) => shown.join("\n           "),
                (false, more) => {
                    format!("{}\n           and {} more", shown.join("\n           "), thousands(more as u64))
                }
            },
        );
    }
    text
}

fn phase(status: &FeedStatus) -> String {
    let ago = format_duration((status.announced_seconds_ago * 1e9) as u64);
    match status.phase {
        Phase::Publishing => "publishing".to_owned(),
        Phase::Published => match status.strategies.iter().find(|one| one.needs_instance) {
            Some(strategy) => {
                format!("all is published; no instance of {} runs", printable(&strategy.name))
            }
            None => "all is published; strategies are on their way to the end".to_owned(),
        },
        Phase::Closed => format!("closed; its ingester announced that {ago} ago"),
        Phase::NoIngester => {
            format!("no ingester, for {ago}: resume it with `orchard ingest … --resume {}`", status.run)
        }
    }
}

/// The sources of a manifest, as it describes them.
fn sources(manifest: &str) -> Vec<String> {
    let source = |line: &str| {
        let (name, value) = line.split_once('=')?;
        name.starts_with("source ").then(|| printable(value))
    };
    let all: Vec<_> = manifest.lines().filter_map(source).collect();
    let more = all.len().saturating_sub(LISTED);
    let mut shown: Vec<_> = all.into_iter().take(LISTED).collect();
    if more > 0 {
        shown.push(format!("and {} more", thousands(more as u64)));
    }
    shown
}

fn published(shards: &[ShardStatus]) -> String {
    let sum = |part: fn(&ShardStatus) -> u64| thousands(shards.iter().map(part).sum());
    let rate = shards.iter().map(|shard| shard.ticks_per_second).sum::<Option<f64>>();
    let rate = rate.map_or(String::new(), |rate| format!(" at {} ticks/s", thousands(rate as u64)));
    let newest = shards.iter().map(|shard| shard.ts_recv).max().filter(|time| *time > 0);
    let newest = newest.map_or(String::new(), |time| format!(", received until {} UTC", format_time(time)));
    format!(
        "{} ticks{rate}, {} confirmed{newest}",
        sum(|shard| shard.published),
        sum(|shard| shard.confirmed)
    )
}

fn dead(status: &FeedStatus) -> String {
    match status.dead_letters {
        0 => "no dead letters".to_owned(),
        count => {
            format!("{}: see orchard errors list --feed {}", counted(count, "dead letter"), status.feed)
        }
    }
}

fn shards(status: &FeedStatus, all: bool) -> String {
    let titles = ["Shard", "node", "published", "unconfirmed", "ticks/s", "rewinds"];
    let mut rows = vec![titles.map(str::to_owned).to_vec()];
    let shown = if all { status.shards.len() } else { status.shards.len().min(SHARDS) };
    for shard in &status.shards[..shown] {
        rows.push(vec![
            shard.shard.to_string(),
            (shard.node + 1).to_string(),
            thousands(shard.published),
            thousands(shard.published.saturating_sub(shard.confirmed)),
            shard.ticks_per_second.map_or_else(unknown, |rate| thousands(rate as u64)),
            thousands(shard.rewinds.into()),
        ]);
    }
    let mut text = table(&rows);
    text.push_str(&more(status.shards.len() - shown));
    for shard in &status.shards {
        if let Some(why) = &shard.stalled {
            text.push_str(&format!("shard {} is stalled: {}\n", shard.shard, printable(why)));
        }
    }
    text
}

fn head(strategy: &StrategyStatus) -> String {
    let required = if strategy.required { "required" } else { "optional" };
    let active = if strategy.active { "" } else { ", abandoned: its queues are unbound" };
    let instances = match strategy.instances.len() {
        0 => "no instance".to_owned(),
        count => counted(count as u64, "instance"),
    };
    let lag = match (strategy.lag, strategy.lag_seconds) {
        (Some(0), _) => ", nothing behind".to_owned(),
        (Some(lag), Some(seconds)) => {
            format!(", at most {} behind ({})", counted(lag, "tick"), time(seconds))
        }
        (Some(lag), None) => format!(", at most {} behind", counted(lag, "tick")),
        (None, _) => String::new(),
    };
    let ended = match strategy.ended_shards {
        0 => String::new(),
        ended => format!(", {ended} of {} ended", counted(strategy.lanes.len() as u64, "shard")),
    };
    let mut text = format!("{}, {required}{active}: {instances}{lag}{ended}\n", printable(&strategy.name));
    if strategy.is_of_ledger == Some(false) {
        text.push_str("  its hosts commit to another ledger than the one of --state\n");
    }
    text
}

/// What to do where nobody brings a strategy to the end.
fn missing_instance(status: &FeedStatus, strategy: &StrategyStatus) -> String {
    if !strategy.needs_instance {
        return String::new();
    }
    let name = printable(&strategy.name);
    format!("  no instance of {name} runs: start `orchard run --feed {} --strategy {name} …`\n", status.feed)
}

fn lanes(strategy: &StrategyStatus, all: bool) -> String {
    let titles = ["  shard", "cursor", "lag", "behind", "waiting", "skipped", "instance"];
    let mut rows = vec![titles.map(str::to_owned).to_vec()];
    let mut lanes: Vec<&LaneStatus> = strategy.lanes.iter().collect();
    if !all && lanes.len() > SHARDS {
        lanes.sort_by_key(|lane| std::cmp::Reverse(lane.lag.unwrap_or(u64::MAX)));
        lanes.truncate(SHARDS);
    }
    let number = |number: Option<u64>| number.map_or_else(unknown, thousands);
    for lane in &lanes {
        let cursor = number(lane.cursor);
        rows.push(vec![
            format!("  {}", lane.shard),
            if lane.ended { format!("{cursor} end") } else { cursor },
            number(lane.lag),
            lane.lag_seconds.map_or_else(unknown, time),
            lane.waiting.map_or_else(|| "no queue".to_owned(), |waiting| thousands(waiting.into())),
            number(lane.skipped),
            instance(lane),
        ]);
    }
    let mut text = table(&rows);
    text.push_str(&more(strategy.lanes.len() - lanes.len()));
    text
}

fn instance(lane: &LaneStatus) -> String {
    match (&lane.instance, lane.consumers) {
        (Some(member), _) => printable(member),
        (None, 0) => "nobody".to_owned(),
        (None, _) => "one that reports nothing".to_owned(),
    }
}

fn more(left_out: usize) -> String {
    match left_out {
        0 => String::new(),
        left_out => format!("and {} more, with --all\n", thousands(left_out as u64)),
    }
}

fn time(seconds: f64) -> String {
    if seconds == 0.0 { "0 s".to_owned() } else { format_duration((seconds * 1e9) as u64) }
}

fn unknown() -> String {
    "-".to_owned()
}

#[cfg(test)]
mod tests;
