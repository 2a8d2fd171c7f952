//! One line a second on standard error, and the reason where nothing comes any more.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use strategy_host::host::membership::Beat;
use tick_feed::rabbitmq::{ConnectionState, FeedState, NodeConnection, SubscriberHandle};

use super::hosting::Seen;
use super::{RunArgs, SILENCE};
use crate::text::{counted, thousands};

/// Between lines.
const LINE: Duration = Duration::from_secs(1);
/// Between reminders of a feed that stays silent.
const REMIND: Duration = Duration::from_secs(60);
/// Whoever was not asked to show anything for so long was stopped, as with Ctrl-Z: what was silent
/// meanwhile may have spoken.
const STOPPED: Duration = Duration::from_secs(3);

/// What is shown while a run goes on.
pub(super) struct Progress {
    quiet: bool,
    last_line: Instant,
    last_ticks: u64,
    last_frames: u64,
    /// When a frame came last, or could not be seen to come.
    frame_at: Instant,
    last_shown: Instant,
    reminded: Option<Instant>,
}

impl Progress {
    pub(super) fn start(args: &RunArgs, state: &FeedState) -> Self {
        if !args.quiet {
            eprintln!("run {}", state.run);
        }
        let now = Instant::now();
        Self {
            quiet: args.quiet,
            last_line: now,
            last_ticks: 0,
            last_frames: 0,
            frame_at: now,
            last_shown: now,
            reminded: None,
        }
    }

    pub(super) fn show(&mut self, handle: &SubscriberHandle, seen: &Seen, state: &FeedState) {
        let now = Instant::now();
        let frames = handle.counts().frames;
        let was_stopped = now - std::mem::replace(&mut self.last_shown, now) > STOPPED;
        if std::mem::replace(&mut self.last_frames, frames) != frames || was_stopped {
            self.frame_at = now;
        }
        let elapsed = now - self.last_line;
        if elapsed < LINE {
            return;
        }
        self.last_line = now;
        let ticks = seen.ticks.load(Ordering::Relaxed);
        let rate = (ticks - self.last_ticks) as f64 / elapsed.as_secs_f64();
        self.last_ticks = ticks;
        if !self.quiet {
            let beat = seen.beat.lock().ok().and_then(|beat| beat.clone());
            let lost = lost(&handle.connections())
                .map(|(_, error)| format!("  {}", error.lines().next().unwrap_or_default()));
            eprintln!(
                "{} ticks  {} ticks/s  {}{}",
                thousands(ticks),
                thousands(rate as u64),
                beat.map_or_else(|| "not yet a member".to_owned(), |(beat, state)| shards(&beat, &state)),
                lost.unwrap_or_default()
            );
        }
        self.remind(now, handle, state);
    }

    /// Neither frames nor the ingester's announcements: it is gone, or a broker is, and this is the only
    /// one to say so.
    fn remind(&mut self, now: Instant, handle: &SubscriberHandle, state: &FeedState) {
        let connections = handle.connections();
        // An ingester announces its state within a second after a broker is back.
        let connected = connections.iter().filter_map(|node| match node.state {
            ConnectionState::Connected { since } => Some(since),
            ConnectionState::Lost { .. } => None,
        });
        let seen_at = handle.announced_at().into_iter().chain(connected).fold(self.frame_at, Instant::max);
        let Some(text) = silence(now, seen_at, lost(&connections), state) else {
            self.reminded = None;
            return;
        };
        if self.reminded.is_none_or(|at| now - at > REMIND) {
            self.reminded = Some(now);
            eprintln!("{text}");
        }
    }
}

/// The broker node that has been lost for longest, and since when.
fn lost(connections: &[NodeConnection]) -> Option<(Instant, String)> {
    let lost = connections.iter().filter_map(|node| match &node.state {
        ConnectionState::Connected { .. } => None,
        ConnectionState::Lost { since, error } => Some((*since, error.clone())),
    });
    lost.min_by_key(|(since, _)| *since)
}

/// What is to be said where nothing came since `seen_at`. While a broker is lost, nothing is known of the
/// ingester.
fn silence(
    now: Instant,
    seen_at: Instant,
    lost: Option<(Instant, String)>,
    state: &FeedState,
) -> Option<String> {
    let is_long = |since: Instant| now.saturating_duration_since(since) > SILENCE;
    match lost {
        Some((since, error)) => is_long(since).then(|| {
            let seconds = now.saturating_duration_since(since).as_secs();
            let error = error.lines().next().unwrap_or_default();
            format!("no connection for {seconds} s, this goes on once there is one: {error}")
        }),
        None => is_long(seen_at).then(|| {
            format!(
                "feed {} has no ingester: resume it with `orchard ingest … --resume {}`",
                state.feed, state.run
            )
        }),
    }
}

fn shards(beat: &Beat, state: &FeedState) -> String {
    let own = beat.lanes.iter().filter(|row| beat.shards.contains(&row.lane.shard));
    let behind = own.map(|row| {
        let published = state.shards.get(usize::from(row.lane.shard)).map_or(0, |shard| shard.published);
        published.saturating_sub(row.cursor)
    });
    let behind: u64 = behind.sum();
    format!(
        "{} of {} shards, {}  {} behind",
        beat.shards.len(),
        state.shards.len(),
        counted(beat.members.len() as u64, "member"),
        thousands(behind)
    )
}

#[cfg(test)]
mod tests {
    use tick_feed::rabbitmq::Durability;
    use tick_sdk::names::RunId;

    use super::*;

    #[test]
    fn a_lost_broker_is_not_a_lost_ingester() {
        let state = FeedState {
            feed: "btc".parse().unwrap(),
            run: RunId([7; 16]),
            manifest: String::new(),
            groups: String::new(),
            durability: Durability::Memory,
            max_frame_bytes: 1,
            shards: Vec::new(),
            strategies: Vec::new(),
            published: false,
            closed: false,
            at: 0,
        };
        let start = Instant::now();
        let now = start + 2 * SILENCE;
        let said = |seen_at, lost| silence(now, seen_at, lost, &state);
        assert_eq!(said(now, None), None);
        assert!(said(start, None).unwrap().contains("has no ingester"));
        let refused =
            || "broker amqp://one:5672/%2f cannot be reached: refused\n  see whether it runs".to_owned();
        let text = said(start, Some((start, refused()))).unwrap();
        let expected = "no connection for 20 s, this goes on once there is one: \
            broker amqp://one:5672/%2f cannot be reached: refused";
        assert_eq!(text, expected);
        // The ingester's silence began before the broker was lost: nobody knows.
        assert_eq!(said(start, Some((now, refused()))), None);
    }
}
