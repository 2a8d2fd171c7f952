//! Lanes among which frames are lost, doubled and cut anew, and which take over from each other:
//! every tick has its effect once.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use proptest::prelude::*;
// Linked, so that Apple is registered.
use strategies as _;
use tick_feed::run::Manifest;
use tick_feed::{FrameHeader, NewInstrument};
use tick_sdk::decimal::UNITS_PER_ONE;
use tick_sdk::groups::Groups;
use tick_sdk::host::Registration;
use tick_sdk::names::RunId;
use tick_sdk::signal::{Signal, decode_signals};
use tick_sdk::{Side, Tick};

use super::requests::REQUEST_AGAIN;
use super::*;
use crate::ledger::{Ledger, MemoryLedger};

const TICKS: u64 = 600;
/// How far apart in time two steps are: less than [`REQUEST_AGAIN`].
const STEP: Duration = Duration::from_millis(700);

/// Instrument `i` appears at tick `40 * i`.
fn known_at(seq: u64) -> u32 {
    (seq.div_ceil(40)).min(5) as u32
}

/// Prices that go up and down for so long that averages cross, for each instrument in turn.
fn tick(seq: u64) -> Tick {
    let instrument = (seq % u64::from(known_at(seq + 1))) as u32;
    let price = 100 + (seq / 45 % 2) as i64 * 10 + i64::from(instrument);
    Tick::trade(seq, seq, price * UNITS_PER_ONE, 1, Side::NONE).of(instrument)
}

fn named(from: u32, to: u32) -> Vec<NewInstrument> {
    let symbol = |id: u32| format!("S{id}");
    (from..to).map(|id| NewInstrument { id, symbol: symbol(id), key: symbol(id) }).collect()
}

fn frame(run: RunId, attempt: u32, first_seq: u64, end_seq: u64, flags: FrameFlags) -> Frame {
    let header = FrameHeader {
        run,
        shard: 0,
        shards: 1,
        attempt,
        first_seq,
        published_at: 0,
        watermark: end_seq,
        flags,
    };
    let (from, to) = (known_at(first_seq), known_at(end_seq));
    let ticks = (first_seq..end_seq).map(tick).collect();
    Frame::owned(header, ticks).naming(named(from.min(to), to), to)
}

fn configured() -> Box<dyn Lane> {
    let params = [("fast".to_owned(), "3".to_owned()), ("slow".to_owned(), "9".to_owned())];
    Registration::find("apple").unwrap().configure(&params).unwrap().lane(&Arc::new(Groups::default()))
}

fn expected() -> Vec<Signal> {
    let mut lane = configured();
    for new in named(0, 5) {
        lane.open(new.id, &new.symbol, &new.key).unwrap();
    }
    let ticks: Vec<Tick> = (0..TICKS).map(tick).collect();
    lane.run(0, &ticks).unwrap();
    lane.end(TICKS, TICKS).unwrap();
    std::mem::take(lane.signals())
}

/// One shard's ingester, queue, ledger and the lanes that claimed it.
struct Shard {
    id: LaneId,
    ledger: MemoryLedger,
    queue: VecDeque<Frame>,
    published: u64,
    attempt: u32,
    owner: HostedLane,
    zombies: Vec<HostedLane>,
    now: Instant,
}

impl Shard {
    fn new() -> Self {
        let mut ledger = MemoryLedger::default();
        let run = ledger.open_run(&Manifest::default()).unwrap().run;
        let id = LaneId { run, strategy: "apple".parse().unwrap(), shard: 0 };
        let owner = claim(&mut ledger, &id);
        let queue = VecDeque::new();
        Self { id, ledger, queue, published: 0, attempt: 0, owner, zombies: Vec::new(), now: Instant::now() }
    }

    fn publish(&mut self, ticks: u64) {
        let end = (self.published + ticks).min(TICKS);
        let flags = if ticks == 0 { FrameFlags::HEARTBEAT } else { FrameFlags::TICKS };
        self.queue.push_back(frame(self.id.run, self.attempt, self.published, end, flags));
        self.published = end;
    }

    fn deliver(&mut self) {
        let Some(frame) = self.queue.pop_front() else { return };
        let attempt = frame.header.attempt;
        match self.owner.take(&frame).unwrap() {
            Taken::Yes => {}
            Taken::Early { .. } => {
                if let Some(from_seq) = self.owner.request_resend(attempt, self.now) {
                    // One that a later attempt answers already is left alone.
                    if self.attempt == attempt || from_seq < self.published {
                        (self.attempt, self.published) = (self.attempt + 1, from_seq.min(self.published));
                    }
                }
            }
            Taken::Unnamed => {
                if self.owner.request_names(self.now) {
                    let (run, seq) = (self.id.run, self.published);
                    let names = frame_of_names(run, self.attempt, seq);
                    self.queue.push_back(names);
                }
            }
        }
    }

    fn commit(&mut self, with_state: bool) {
        let with_state = with_state && self.owner.has_unstored_state();
        if with_state || self.owner.has_uncommitted() {
            let commit = self.owner.commit(with_state).unwrap();
            assert!(self.ledger.commit(&[commit]).unwrap().is_empty(), "the owner was fenced off");
        }
    }

    fn take_over(&mut self) {
        let owner = claim(&mut self.ledger, &self.id);
        self.zombies.push(std::mem::replace(&mut self.owner, owner));
    }

    fn wake_zombies(&mut self) {
        for mut zombie in self.zombies.drain(..) {
            for frame in &self.queue {
                let _ = zombie.take(frame).unwrap();
            }
            let with_state = zombie.has_unstored_state();
            if with_state || zombie.has_uncommitted() {
                let commit = zombie.commit(with_state).unwrap();
                assert_eq!(self.ledger.commit(&[commit]).unwrap(), [0], "a zombie committed");
            }
        }
    }

    fn step(&mut self, step: Step) {
        self.now += STEP;
        match step {
            Step::Publish(ticks) => self.publish(ticks),
            Step::Deliver => self.deliver(),
            Step::Lose => drop(self.queue.pop_front()),
            Step::Double => {
                if let Some(frame) = self.queue.front().cloned() {
                    self.queue.push_back(frame.clone());
                    self.queue.push_front(frame);
                }
            }
            Step::LoseAll => self.queue.clear(),
            Step::Commit(with_state) => self.commit(with_state),
            Step::TakeOver => self.take_over(),
            Step::WakeZombies => self.wake_zombies(),
        }
    }

    /// From here on nothing is lost any more: the end must come.
    fn finish(&mut self) {
        for _ in 0..1000 {
            self.now += STEP;
            self.publish(50);
            if self.published == TICKS {
                self.queue.push_back(frame(self.id.run, self.attempt, TICKS, TICKS, FrameFlags::END_OF_RUN));
            }
            while !self.queue.is_empty() {
                self.deliver();
            }
            self.commit(true);
            if self.owner.ended && self.owner.end_committed {
                return;
            }
        }
        panic!("it never ends: at {} of {TICKS}", self.owner.counts.position);
    }

    fn signals(&self) -> Vec<Signal> {
        let mut signals = Vec::new();
        for batch in self.ledger.batches(&self.id, 0, usize::MAX).unwrap() {
            decode_signals(&batch.signals, &mut signals).unwrap();
        }
        signals
    }
}

fn claim(ledger: &mut MemoryLedger, id: &LaneId) -> HostedLane {
    let claim = ledger.claim(id, 0).unwrap();
    HostedLane::restore(id.clone(), configured(), claim).unwrap()
}

fn frame_of_names(run: RunId, attempt: u32, seq: u64) -> Frame {
    let known = known_at(seq);
    frame(run, attempt, seq, seq, FrameFlags::DICTIONARY).naming(named(0, known), known)
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Publish(u64),
    Deliver,
    Lose,
    LoseAll,
    Double,
    Commit(bool),
    TakeOver,
    WakeZombies,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0..40u64).prop_map(Step::Publish),
        8 => Just(Step::Deliver),
        1 => Just(Step::Lose),
        1 => Just(Step::LoseAll),
        1 => Just(Step::Double),
        4 => any::<bool>().prop_map(Step::Commit),
        1 => Just(Step::TakeOver),
        1 => Just(Step::WakeZombies),
    ]
}

proptest! {
    #[test]
    fn whatever_is_lost_doubled_cut_anew_or_taken_over_each_signal_is_committed_once(
        steps in proptest::collection::vec(step(), 0..300)
    ) {
        let mut shard = Shard::new();
        for one in steps {
            shard.step(one);
        }
        shard.finish();
        shard.wake_zombies();
        let expected = expected();
        prop_assert!(expected.len() > 20);
        prop_assert_eq!(shard.signals(), expected);
    }
}

#[test]
fn a_gap_is_requested_once_an_attempt_and_again_without_an_answer() {
    let mut shard = Shard::new();
    let (lane, now) = (&mut shard.owner, shard.now);
    assert_eq!(lane.request_resend(0, now), Some(0));
    assert_eq!(lane.request_resend(0, now + STEP), None);
    assert_eq!(lane.request_resend(1, now + STEP), Some(0), "a later attempt has a gap, too");
    assert_eq!(lane.request_resend(1, now + STEP + REQUEST_AGAIN), Some(0));
    assert_eq!(lane.counts.resend_requests, 3);
}

#[test]
fn an_end_that_was_published_and_does_not_come_is_requested() {
    let mut shard = Shard::new();
    let (run, now) = (shard.id.run, shard.now);
    let lane = &mut shard.owner;
    assert_eq!(lane.request_end(10, 2, now), None, "ticks before it are under way");
    lane.take(&frame(run, 2, 0, 10, FrameFlags::TICKS)).unwrap();
    assert_eq!(lane.request_end(10, 2, now), None, "it may be under way");
    assert_eq!(lane.request_end(10, 2, now + REQUEST_AGAIN), Some(10));
    assert_eq!(lane.request_end(10, 2, now + REQUEST_AGAIN), None);
    lane.take(&frame(run, 3, 10, 10, FrameFlags::END_OF_RUN)).unwrap();
    assert_eq!(lane.request_end(10, 3, now + REQUEST_AGAIN * 9), None);
}

#[test]
fn an_accepted_gap_is_jumped_over_once_and_counted_in_the_commit() {
    let mut shard = Shard::new();
    let (run, now) = (shard.id.run, shard.now);
    let lane = &mut shard.owner;
    lane.take(&frame(run, 0, 0, 10, FrameFlags::TICKS)).unwrap();
    let later = frame(run, 0, 30, 35, FrameFlags::TICKS);
    assert_eq!(lane.take(&later).unwrap(), Taken::Early { missing: 10..30 });
    assert!(!lane.waits_for(10), "nothing was requested yet");
    lane.request_resend(0, now);
    assert!(lane.waits_for(10));
    lane.accept_gap();
    assert_eq!(lane.take(&later).unwrap(), Taken::Yes);
    let commit = lane.commit(true).unwrap();
    assert_eq!((commit.to_seq, commit.skipped), (35, 20));
    assert_eq!(
        lane.take(&frame(run, 0, 40, 41, FrameFlags::TICKS)).unwrap(),
        Taken::Early { missing: 35..40 }
    );
    assert_eq!(lane.commit(true).unwrap().skipped, 0);
}

#[test]
fn ticks_without_names_wait_for_the_dictionary() {
    let mut shard = Shard::new();
    let run = shard.id.run;
    let claim = Claim { cursor: 100, state_seq: 100, ..shard.ledger.claim(&shard.id, 0).unwrap() };
    let mut lane = HostedLane::restore(shard.id.clone(), configured(), claim).unwrap();
    let frame = frame(run, 0, 100, 110, FrameFlags::TICKS);
    assert_eq!(lane.take(&frame).unwrap(), Taken::Unnamed);
    assert!(lane.request_names(shard.now) && !lane.request_names(shard.now + STEP));
    // It has come through a queue of its own, so that it stands anywhere.
    for seq in [100, 200] {
        assert_eq!(lane.take(&frame_of_names(run, 0, seq)).unwrap(), Taken::Yes);
    }
    assert_eq!(lane.take(&frame).unwrap(), Taken::Yes);
    assert_eq!(lane.commit(true).unwrap().new_instruments, named(0, 5));
}
