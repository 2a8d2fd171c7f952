//! What a host does with shards that come and go, over a transport that a test plays.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, unbounded};
// Linked, so that Apple is registered.
use strategies as _;
use strategy_host::host::{FollowPlan, HostError, HostReport, Instance, RunningHost};
use strategy_host::ledger::{LaneId, Ledger, SqliteLedger};
use tick_feed::run::Manifest;
use tick_feed::transport::{Arrival, FrameReceiver, Receipt, TransportError};
use tick_feed::{Frame, FrameFlags, FrameHeader, NewInstrument};
use tick_sdk::decimal::UNITS_PER_ONE;
use tick_sdk::groups::Groups;
use tick_sdk::host::Registration;
use tick_sdk::names::RunId;
use tick_sdk::{Side, Tick};

/// What is expected comes within this time.
const SOON: Duration = Duration::from_secs(20);

/// What the host called on its transport.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Call {
    Acknowledge(u16, u64),
    Discard(u64),
    RequestResend { shard: u16, from_seq: u64, attempt: u32 },
    RequestDictionary(u16),
    Release(u16),
    GrowPrefetch(u16),
}

/// The transport's end in the host.
struct Played {
    arrivals: Receiver<Arrival>,
    calls: Arc<Mutex<Vec<Call>>>,
    half_full: Arc<AtomicBool>,
    begins_at: u64,
}

impl Played {
    fn call(&self, call: Call) {
        self.calls.lock().unwrap().push(call);
    }
}

impl FrameReceiver for Played {
    fn receive(&mut self, timeout: Duration) -> Result<Option<Arrival>, TransportError> {
        match self.arrivals.recv_timeout(timeout) {
            Ok(arrival) => Ok(Some(arrival)),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => Err(TransportError::Closed),
        }
    }
    fn repairs(&self) -> bool {
        true
    }
    fn begins_at(&self, _: u16) -> u64 {
        self.begins_at
    }
    fn acknowledge(&mut self, shard: u16, stored_seq: u64) {
        self.call(Call::Acknowledge(shard, stored_seq));
    }
    fn discard(&mut self, receipt: Receipt) {
        self.call(Call::Discard(receipt.tag));
    }
    fn request_resend(&mut self, shard: u16, from_seq: u64, attempt: u32) {
        self.call(Call::RequestResend { shard, from_seq, attempt });
    }
    fn request_dictionary(&mut self, shard: u16) {
        self.call(Call::RequestDictionary(shard));
    }
    fn release(&mut self, shard: u16) {
        self.call(Call::Release(shard));
    }
    fn is_prefetch_half_full(&self) -> bool {
        self.half_full.load(Ordering::SeqCst)
    }
    fn grow_prefetch(&mut self, shard: u16) -> Result<(), TransportError> {
        self.call(Call::GrowPrefetch(shard));
        Ok(())
    }
}

/// A host, the test's end of its transport, and a ledger that others can open.
struct Stage {
    run: RunId,
    folder: tempfile::TempDir,
    arrivals: Sender<Arrival>,
    calls: Arc<Mutex<Vec<Call>>>,
    half_full: Arc<AtomicBool>,
    host: RunningHost,
    tag: u64,
}

impl Stage {
    fn new(accept_gaps: bool, begins_at: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut ledger = SqliteLedger::open(folder.path()).unwrap();
        let run = RunId::random();
        ledger.record_run(run, "feed", &Manifest::default()).unwrap();
        let (sender, arrivals) = unbounded();
        let (calls, half_full) = (Arc::default(), Arc::<AtomicBool>::default());
        let played = Played { arrivals, calls: Arc::clone(&calls), half_full: half_full.clone(), begins_at };
        let configured = Registration::find("apple").unwrap().configure(&[]).unwrap();
        let plan = FollowPlan {
            instance: Instance { name: "apple".parse().unwrap(), configured },
            groups: Arc::new(Groups::default()),
            accept_gaps,
            observer: None,
        };
        let host = RunningHost::follow(Box::new(ledger), run, plan, played).unwrap();
        Self { run, folder, arrivals: sender, calls, half_full, host, tag: 0 }
    }

    fn ledger(&self) -> SqliteLedger {
        SqliteLedger::open(self.folder.path()).unwrap()
    }

    fn lane(&self, shard: u16) -> LaneId {
        LaneId { run: self.run, strategy: "apple".parse().unwrap(), shard }
    }

    /// Sends the ticks of a range, in a frame of the attempt.
    fn send(&mut self, shard: u16, attempt: u32, first_seq: u64, ticks: u64, flags: FrameFlags) {
        let watermark = first_seq + ticks;
        let header = FrameHeader {
            run: self.run,
            shard,
            shards: 2,
            attempt,
            first_seq,
            published_at: 0,
            watermark,
            flags,
        };
        let price = |seq: u64| (100 + (seq / 50 % 2) as i64 * 10) * UNITS_PER_ONE;
        let tick = |seq| Tick::trade(seq, seq, price(seq), 1, Side::NONE);
        let name = NewInstrument { id: 0, symbol: "A".to_owned(), key: "A".to_owned() };
        let named = if first_seq == 0 { vec![name] } else { Vec::new() };
        let frame = Frame::owned(header, (first_seq..watermark).map(tick).collect()).naming(named, 1);
        self.tag += 1;
        let receipt = Receipt { shard, link: 1, tag: self.tag };
        self.arrivals.send(Arrival::Frame(Arc::new(frame), receipt)).unwrap();
    }

    fn ticks(&mut self, shard: u16, first_seq: u64, ticks: u64) {
        self.send(shard, 0, first_seq, ticks, FrameFlags::TICKS);
    }

    /// Waits until the host has made this call, and forgets all calls up to it.
    fn expect(&self, call: &Call) {
        let latest = Instant::now() + SOON;
        loop {
            let mut calls = self.calls.lock().unwrap();
            if let Some(place) = calls.iter().position(|made| made == call) {
                calls.drain(..=place);
                return;
            }
            assert!(Instant::now() < latest, "{call:?} was not called, but {calls:?}");
            drop(calls);
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn finish(self) -> Result<HostReport, HostError> {
        drop(self.arrivals);
        self.host.finish()
    }
}

#[test]
fn what_a_stored_state_covers_is_acknowledged_and_the_end_with_all() {
    let mut stage = Stage::new(false, 0);
    stage.ticks(0, 0, 100);
    stage.expect(&Call::Acknowledge(0, 100));
    stage.ticks(1, 0, 40);
    stage.expect(&Call::Acknowledge(1, 40));
    stage.send(0, 0, 100, 0, FrameFlags::END_OF_RUN);
    stage.expect(&Call::Acknowledge(0, u64::MAX));
    let report = stage.finish().unwrap();
    assert_eq!(
        report.lanes.iter().map(|(lane, counts)| (lane.shard, counts.ticks)).collect::<Vec<_>>(),
        [(0, 100), (1, 40)]
    );
}

#[test]
fn a_lane_that_nobody_claimed_begins_where_the_feed_says() {
    let mut stage = Stage::new(false, 500);
    stage.ticks(0, 500, 10);
    stage.expect(&Call::RequestDictionary(0));
    assert_eq!(stage.ledger().lanes(stage.run).unwrap()[0].cursor, 500);
    stage.finish().unwrap();
}

#[test]
fn a_frame_beyond_a_gap_is_discarded_and_what_is_missing_requested_once() {
    let mut stage = Stage::new(false, 0);
    stage.ticks(0, 0, 10);
    stage.ticks(0, 20, 10);
    stage.expect(&Call::Discard(2));
    stage.expect(&Call::RequestResend { shard: 0, from_seq: 10, attempt: 0 });
    stage.ticks(0, 30, 10);
    stage.expect(&Call::Discard(3));
    stage.send(0, 1, 10, 30, FrameFlags::TICKS);
    stage.expect(&Call::Acknowledge(0, 40));
    let is_request = |call: &Call| matches!(call, Call::RequestResend { .. });
    assert!(!stage.calls.lock().unwrap().iter().any(is_request));
    let report = stage.finish().unwrap();
    assert_eq!((report.lanes[0].1.ticks, report.lanes[0].1.resend_requests), (40, 1));
}

#[test]
fn a_shard_that_is_revoked_is_stored_acknowledged_and_then_released() {
    let mut stage = Stage::new(false, 0);
    stage.ticks(0, 0, 100);
    stage.ticks(0, 100, 100);
    stage.arrivals.send(Arrival::Revoked { shard: 0 }).unwrap();
    stage.expect(&Call::Acknowledge(0, 200));
    stage.expect(&Call::Release(0));
    let row = &stage.ledger().lanes(stage.run).unwrap()[0];
    assert_eq!((row.cursor, row.state_seq, row.epoch), (200, 200, 1));
    // It comes back: the lane goes on where it is stored, by whomever.
    stage.ticks(0, 100, 200);
    stage.expect(&Call::Acknowledge(0, 300));
    let report = stage.finish().unwrap();
    let (_, counts) = &report.lanes[0];
    assert_eq!((counts.ticks, counts.duplicates, counts.takeovers), (300, 100, 1));
}

#[test]
fn a_lane_that_was_taken_over_commits_nothing_and_starts_over() {
    let mut stage = Stage::new(false, 0);
    stage.ticks(0, 0, 100);
    stage.ticks(1, 0, 100);
    stage.expect(&Call::Acknowledge(1, 100));
    let lane = stage.lane(0);
    stage.ledger().claim(&lane, 0).unwrap();
    stage.ticks(0, 100, 100);
    stage.expect(&Call::Release(0));
    assert_eq!(stage.ledger().lanes(stage.run).unwrap()[0].cursor, 100);
    // The other shard goes on, and this one when it comes back.
    stage.ticks(1, 100, 50);
    stage.expect(&Call::Acknowledge(1, 150));
    stage.ticks(0, 100, 100);
    stage.expect(&Call::Acknowledge(0, 200));
    let (run, mut ledger) = (stage.run, stage.ledger());
    let report = stage.finish().unwrap();
    let (_, counts) = &report.lanes[0];
    assert_eq!((counts.fenced, counts.takeovers), (1, 1));
    // What is counted is what was committed.
    let mut signals = Vec::new();
    for batch in ledger.batches(&lane, 0, 99).unwrap() {
        tick_sdk::signal::decode_signals(&batch.signals, &mut signals).unwrap();
    }
    assert_eq!(counts.signals, signals.len() as u64);
    assert_eq!(ledger.claim(&lane, 0).unwrap().epoch, 4);
    assert_eq!(ledger.lanes(run).unwrap().len(), 2);
}

#[test]
fn ticks_that_are_gone_are_an_error_unless_gaps_are_accepted() {
    for accept_gaps in [false, true] {
        let mut stage = Stage::new(accept_gaps, 0);
        stage.ticks(0, 0, 10);
        stage.ticks(0, 20, 10);
        stage.expect(&Call::RequestResend { shard: 0, from_seq: 10, attempt: 0 });
        let reason = "day.gz is not there".to_owned();
        stage.arrivals.send(Arrival::Gone { shard: 0, from_seq: 10, reason }).unwrap();
        if accept_gaps {
            stage.ticks(0, 25, 10);
            stage.expect(&Call::Acknowledge(0, 35));
            let row = stage.ledger().lanes(stage.run).unwrap().remove(0);
            assert_eq!((row.cursor, row.skipped), (35, 15));
            stage.finish().unwrap();
        } else {
            let error = stage.finish().err().unwrap().to_string();
            assert!(error.contains("ticks from 10 on are missing"), "{error}");
            assert!(error.contains("day.gz is not there") && error.contains("--accept-gap"), "{error}");
        }
    }
}

#[test]
fn a_half_full_prefetch_stores_state_at_once_and_grows_where_none_can_be() {
    let mut stage = Stage::new(false, 0);
    stage.ticks(0, 0, 100);
    stage.expect(&Call::Acknowledge(0, 100));
    let lane = stage.lane(0);
    // Somebody committed far beyond the stored state, and was killed.
    let mut ledger = stage.ledger();
    let epoch = ledger.claim(&lane, 0).unwrap().epoch;
    let commit = strategy_host::ledger::Commit {
        lane,
        epoch,
        from_seq: 100,
        to_seq: 300,
        signals: Vec::new(),
        new_instruments: Vec::new(),
        states: None,
        ended: false,
        skipped: 0,
    };
    assert!(ledger.commit(&[commit]).unwrap().is_empty());
    stage.ticks(0, 100, 10);
    stage.expect(&Call::Release(0));
    stage.half_full.store(true, Ordering::SeqCst);
    stage.ticks(0, 100, 50);
    stage.expect(&Call::GrowPrefetch(0));
    stage.ticks(0, 150, 200);
    stage.expect(&Call::Acknowledge(0, 350));
    stage.finish().unwrap();
}
