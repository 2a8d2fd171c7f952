//! What the feed did, as it is compared with what viewers saw.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use live::{LiveMarket, Recorder};
use strategy_host::ledger::Commit;
use tick_feed::Frame;
use tick_feed::transport::FrameObserver;
use tick_sdk::names::{FeedName, RunId};
use tick_sdk::signal::decode_signals;

use crate::probe::lock;
use crate::trace::Onlooker;

/// Commits of a lane that are remembered: of minutes.
const MOST_COMMITS: usize = 100_000;

/// What begins when the feed does.
type OnFeed = Box<dyn FnOnce(FeedName) + Send>;

/// When each lane, of a strategy and a shard, had committed up to which tick.
type Commits = BTreeMap<(String, u16), Vec<(u64, Instant)>>;

/// Shows the feed's prices, and notes when signals were committed.
pub(super) struct Watched {
    market: LiveMarket,
    recorder: Mutex<Option<Recorder>>,
    on_feed: Mutex<Option<OnFeed>>,
    commits: Mutex<Commits>,
    signals: AtomicU64,
}

impl Watched {
    pub(super) fn new(market: LiveMarket, on_feed: OnFeed) -> Self {
        Self {
            market,
            recorder: Mutex::default(),
            on_feed: Mutex::new(Some(on_feed)),
            commits: Mutex::default(),
            signals: AtomicU64::new(0),
        }
    }

    /// How many signals were committed.
    pub(super) fn signals(&self) -> u64 {
        self.signals.load(Ordering::Acquire)
    }

    /// How long ago the signal of a tick was committed.
    pub(super) fn age(&self, strategy: &str, shard: u16, seq: u64) -> Option<Duration> {
        let commits = lock(&self.commits);
        let of_lane = commits.get(&(strategy.to_owned(), shard))?;
        let first = of_lane.partition_point(|(to_seq, _)| *to_seq <= seq);
        Some(of_lane.get(first)?.1.elapsed())
    }
}

impl fmt::Debug for Watched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watched").field("signals", &self.signals).finish_non_exhaustive()
    }
}

impl FrameObserver for Watched {
    fn on_frame(&self, frame: &Frame) {
        if let Some(recorder) = &*lock(&self.recorder) {
            recorder.record(frame);
        }
    }
}

impl Onlooker for Watched {
    fn begins(&self, feed: &FeedName, run: RunId) {
        *lock(&self.recorder) = Some(self.market.begin(&format!("feed/{feed}"), &run.to_string()));
        if let Some(on_feed) = lock(&self.on_feed).take() {
            on_feed(feed.clone());
        }
    }

    fn committed(&self, commits: &[Commit]) {
        let now = Instant::now();
        let mut signals = Vec::new();
        for commit in commits.iter().filter(|commit| !commit.signals.is_empty()) {
            signals.clear();
            // What cannot be read would be missed by every viewer.
            let _ = decode_signals(&commit.signals, &mut signals);
            self.signals.fetch_add(signals.len() as u64, Ordering::AcqRel);
            let mut lanes = lock(&self.commits);
            let lane = (commit.lane.strategy.to_string(), commit.lane.shard);
            let of_lane = lanes.entry(lane).or_default();
            if of_lane.len() < MOST_COMMITS {
                of_lane.push((commit.to_seq, now));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use strategy_host::ledger::LaneId;

    use super::*;

    #[test]
    fn a_signal_is_as_old_as_the_first_commit_behind_it() {
        let watched = Watched::new(LiveMarket::default(), Box::new(|_| {}));
        let commit = |from_seq, to_seq| Commit {
            lane: LaneId { run: RunId::random(), strategy: "apple".parse().unwrap(), shard: 1 },
            epoch: 1,
            from_seq,
            to_seq,
            // Not a signal, and not nothing.
            signals: vec![u8::MAX],
            new_instruments: Vec::new(),
            states: None,
            ended: false,
            skipped: 0,
        };
        watched.committed(&[commit(0, 10)]);
        let first = Instant::now();
        while first.elapsed().is_zero() {
            std::hint::spin_loop();
        }
        watched.committed(&[commit(10, 20)]);
        let age = |seq| watched.age("apple", 1, seq);
        // The younger is asked for first, so that time that passes in between is no fault.
        let younger = age(10);
        assert!(younger.is_some() && age(9) > younger);
        assert_eq!((age(20), watched.age("apple", 0, 1), watched.age("pear", 1, 1)), (None, None, None));
    }
}
