//! One line a second on standard error, and a word where nothing comes any more.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use strategy_host::host::membership::Beat;
use tick_feed::rabbitmq::{FeedState, SubscriberHandle};

use super::hosting::Seen;
use super::{RunArgs, SILENCE};
use crate::text::{counted, thousands};

/// Between lines.
const LINE: Duration = Duration::from_secs(1);
/// Between words on a feed that stays silent.
const REMIND: Duration = Duration::from_secs(60);
/// What went wrong longer ago than this has been repaired.
const RECENT: Duration = Duration::from_secs(2);

/// What is shown while a run goes on.
pub(super) struct Progress {
    quiet: bool,
    last_line: Instant,
    last_ticks: u64,
    last_frames: u64,
    /// When a frame came last.
    frame_at: Instant,
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
            reminded: None,
        }
    }

    pub(super) fn show(&mut self, handle: &SubscriberHandle, seen: &Seen, state: &FeedState) {
        let now = Instant::now();
        let frames = handle.counts().frames;
        if std::mem::replace(&mut self.last_frames, frames) != frames {
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
            let trouble = handle.trouble().filter(|(at, _)| at.elapsed() < RECENT);
            let trouble = trouble.map(|(_, text)| format!("  {}", text.lines().next().unwrap_or_default()));
            eprintln!(
                "{} ticks  {} ticks/s  {}{}",
                thousands(ticks),
                thousands(rate as u64),
                beat.map_or_else(|| "not yet a member".to_owned(), |(beat, state)| shards(&beat, &state)),
                trouble.unwrap_or_default()
            );
        }
        self.remind(now, handle, state);
    }

    /// Neither frames nor the ingester's own word: it is gone, which nobody else would tell.
    fn remind(&mut self, now: Instant, handle: &SubscriberHandle, state: &FeedState) {
        let heard = handle.heard_at().map_or(self.frame_at, |at| at.max(self.frame_at));
        let silent = now.saturating_duration_since(heard) > SILENCE;
        if !silent {
            self.reminded = None;
        } else if self.reminded.is_none_or(|at| now - at > REMIND) {
            self.reminded = Some(now);
            eprintln!(
                "feed {} has no ingester: resume it with `orchard ingest … --resume {}`",
                state.feed, state.run
            );
        }
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
