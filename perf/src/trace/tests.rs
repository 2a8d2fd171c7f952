use std::collections::BTreeSet;

use strategy_host::ledger::LaneId;
use tick_feed::{FrameFlags, FrameHeader};
use tick_sdk::Side;
use tick_sdk::names::RunId;

use super::*;

/// Sends nothing, and refuses once if a test says so.
#[derive(Default)]
struct FakeSender {
    rewinds: Mutex<bool>,
}

impl FrameSender for FakeSender {
    fn send(&self, _: Arc<Frame>) -> Result<(), TransportError> {
        if std::mem::take(&mut *lock(&self.rewinds)) { Err(TransportError::Rewound) } else { Ok(()) }
    }
}

/// A strategy without signals.
#[derive(Default)]
struct FakeLane(Vec<Signal>);

impl Lane for FakeLane {
    fn open(&mut self, _: u32, _: &str, _: &str) -> Result<(), LaneError> {
        Ok(())
    }

    fn instruments(&self) -> u32 {
        1
    }

    fn run(&mut self, _: u64, _: &[Tick]) -> Result<(), LaneError> {
        Ok(())
    }

    fn end(&mut self, _: u64, _: u64) -> Result<(), LaneError> {
        Ok(())
    }

    fn signals(&mut self) -> &mut Vec<Signal> {
        &mut self.0
    }

    fn suppress_below(&mut self, _: u64) {}

    fn changed_since(&self, _: u64, _: &mut dyn FnMut(&str, Vec<u8>)) -> Result<(), LaneError> {
        Ok(())
    }

    fn restore(&mut self, _: &str, _: &[u8]) -> Result<(), LaneError> {
        Ok(())
    }

    fn position(&self) -> Option<LanePosition<'_>> {
        None
    }
}

/// One feed of one shard to two strategies.
struct Feed {
    probe: Arc<Probe>,
    sender: WatchedSender<FakeSender>,
    lanes: Vec<WatchedLane>,
}

impl Feed {
    fn new(is_brokered: bool) -> Self {
        let probe = Arc::new(Probe::new(Duration::ZERO));
        let names = ["apple", "pear"].map(|name| name.parse().expect("a name"));
        let trace = FeedTrace::new(probe.clone(), Schedule::Unpaced, is_brokered, 1, &names);
        let lane = |place| {
            let inner = Box::<FakeLane>::default();
            let mut lane = WatchedLane { inner, trace: trace.clone(), place, shard: None };
            lane.open(0, "S", "S").expect("it takes all");
            lane
        };
        let lanes = (0..names.len()).map(lane).collect();
        Self { probe, sender: WatchedSender { inner: FakeSender::default(), trace }, lanes }
    }

    fn send(&self, from: u64, to: u64) -> Result<(), TransportError> {
        let header = FrameHeader {
            run: RunId::random(),
            shard: 0,
            shards: 1,
            attempt: 0,
            first_seq: from,
            published_at: 0,
            watermark: 0,
            flags: FrameFlags::TICKS,
        };
        self.sender.send(Arc::new(Frame::owned(header, ticks(from, to))))
    }

    /// Through every strategy, and committed.
    fn run(&mut self, from: u64, to: u64) {
        for lane in &mut self.lanes {
            lane.run(from, &ticks(from, to)).expect("it takes all");
        }
        let commit = |strategy: &StrategyName| Commit {
            lane: LaneId { run: RunId::random(), strategy: strategy.clone(), shard: 0 },
            epoch: 1,
            from_seq: from,
            to_seq: to,
            signals: Vec::new(),
            new_instruments: Vec::new(),
            states: None,
            ended: false,
            skipped: 0,
        };
        let trace = &self.sender.trace;
        let commits: Vec<_> = trace.strategies.iter().map(commit).collect();
        WatchedCommits(trace.clone()).committed(&commits, &[]);
    }

    /// Ticks that were counted, and those in the histogram, by point.
    fn passed(&self) -> [(u64, u64); 5] {
        Point::ALL.map(|point| (self.probe.passed(point), self.probe.latencies(point).len()))
    }
}

fn ticks(from: u64, to: u64) -> Vec<Tick> {
    (from..to).map(|ns| Tick::trade(ns, ns, 0, 0, Side::NONE)).collect()
}

#[test]
fn each_tick_is_in_each_stage_once_for_each_strategy() {
    let mut feed = Feed::new(true);
    for (from, to) in [(0, 10), (10, 11)] {
        feed.send(from, to).expect("it takes all");
        feed.sender.trace.sent(0, to);
        feed.sender.trace.confirmed(0, to);
        feed.run(from, to);
    }
    assert_eq!(feed.probe.entered(), 11);
    assert_eq!(feed.passed(), [(11, 11), (11, 11), (22, 22), (22, 22), (22, 22)]);
}

#[test]
fn what_is_handed_over_again_counts_once() {
    let mut feed = Feed::new(true);
    feed.send(0, 10).expect("it takes all");
    feed.sender.trace.sent(0, 10);
    // The broker has lost it; frames are cut anew, and end elsewhere.
    *lock(&feed.sender.inner.rewinds) = true;
    feed.send(10, 20).expect_err("it is set back");
    for (from, to) in [(0, 10), (10, 14), (14, 25)] {
        feed.send(from, to).expect("it takes all");
        feed.sender.trace.sent(0, to);
        feed.sender.trace.confirmed(0, to);
        feed.run(from, to);
    }
    assert_eq!(feed.probe.entered(), 25, "or it would be waited for what never comes");
    assert_eq!(feed.passed(), [(25, 25), (25, 25), (50, 50), (50, 50), (50, 50)]);
}

#[test]
fn without_a_broker_a_tick_is_sent_when_it_is_handed_over_and_nobody_confirms() {
    let mut feed = Feed::new(false);
    feed.send(0, 10).expect("it takes all");
    feed.run(0, 10);
    assert_eq!(feed.passed(), [(10, 10), (0, 0), (20, 20), (20, 20), (20, 20)]);
}

#[test]
fn a_paced_tick_is_due_when_the_pace_says_however_late_it_is_handed_over() {
    let probe = Probe::new(Duration::ZERO);
    let control = Arc::new(FeedControl::default());
    let schedule = Schedule::Paced { control, first_ts: 100, scale: 2.5 };
    let tick = Tick::trade(1_100, 1_100, 0, 0, Side::NONE);
    let due = |now_ns| schedule.due_ns(&tick, &probe, now_ns);
    assert_eq!([0, 5_000, 1_000_000_000].map(due).into_iter().collect::<BTreeSet<_>>(), [2_500].into());
    assert_eq!(Schedule::Unpaced.due_ns(&tick, &probe, 7), 7);
}
