//! A replay as a library: its progress, and what is left of it when it is cancelled.

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use orchard::replay::{
    self, ReplayOutcome, ReplayPlan, ReplayProgress, RunningReplay, SignalOutput, SignalSink, Total,
};
use strategy_host::ledger::{self, NamedSignal};
use tick_ingest::feed::{Pace, SourceSpec, Speed};
use tick_ingest::generate::GenerateOptions;
use tick_sdk::names::{RunId, StrategyName};
use tick_sdk::signal::Signal;

const TICKS: u64 = 200_000;

/// The replay is cancelled after so many ticks.
const CANCELLED_AFTER: u64 = 10_000;

/// Four seconds for the whole, so that a replay is in its midst for long.
const SLOWLY: Pace = Pace { speed: Speed::Rate(50_000.0), max_gap_ns: None };

const POLL: Duration = Duration::from_millis(10);

/// A strategy's place, a symbol and a signal of it.
type Row = (usize, String, Signal);

/// Keeps the signals that it takes.
#[derive(Clone, Default)]
struct Signals(Arc<Mutex<Vec<Row>>>);

impl SignalSink for Signals {
    fn begin(&mut self, _run: RunId, strategies: &[StrategyName]) -> io::Result<()> {
        assert_eq!(strategies.len(), 2);
        Ok(())
    }

    fn signal(&mut self, signal: &NamedSignal) -> io::Result<()> {
        let row = (signal.strategy, signal.symbol.to_string(), signal.signal);
        self.0.lock().unwrap().push(row);
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn finish(self: Box<Self>) -> io::Result<()> {
        Ok(())
    }
}

fn plan() -> ReplayPlan {
    let market = GenerateOptions { ticks: TICKS, ..GenerateOptions::default() };
    let strategies = replay::parse_strategies(&["apple", "pear"]).unwrap();
    ReplayPlan::new(vec![SourceSpec::Generated(market)], strategies)
}

/// Plays to the end; `watch` is called now and then meanwhile.
fn play(
    mut plan: ReplayPlan,
    mut watch: impl FnMut(&RunningReplay, ReplayProgress),
) -> (ReplayOutcome, Vec<Row>) {
    let signals = Signals::default();
    plan.signals = Some(SignalOutput::at_end(signals.clone()));
    let running = replay::start(plan).unwrap();
    while let Some(progress) = running.wait_progress(POLL) {
        watch(&running, progress);
    }
    let outcome = running.finish().unwrap();
    let rows = std::mem::take(&mut *signals.0.lock().unwrap());
    assert_eq!(outcome.signals(), rows.len() as u64);
    (outcome, rows)
}

fn cancel_midway(running: &RunningReplay, progress: ReplayProgress) {
    if progress.ticks >= CANCELLED_AFTER {
        running.cancel();
    }
}

/// Cursor and stored state of each lane in a ledger that is kept.
fn lanes(ledger: &Path, run: RunId) -> Vec<(u64, u64)> {
    let ledger = ledger::open_to_read(ledger.to_str().unwrap()).unwrap();
    let lanes = ledger.lanes(run).unwrap();
    assert!(lanes.iter().all(|lane| !lane.ended), "{lanes:?}");
    lanes.iter().map(|lane| (lane.cursor, lane.state_seq)).collect()
}

#[test]
fn progress_goes_on_to_the_whole() {
    let mut seen = Vec::new();
    let paced = ReplayPlan { pace: Pace { speed: Speed::Rate(200_000.0), ..SLOWLY }, ..plan() };
    let (outcome, _) = play(paced, |_, progress| seen.push(progress));
    assert!(!outcome.feed.interrupted && outcome.feed.ticks >= TICKS, "{:?}", outcome.feed);
    assert!(seen.iter().all(|progress| progress.total == Total::Ticks(TICKS)));
    assert!(seen.is_sorted_by_key(|progress| (progress.ticks, progress.elapsed)));
    let midway = |progress: &&ReplayProgress| (1..TICKS).contains(&progress.ticks);
    let midway = *seen.iter().find(midway).expect("a look while it plays");
    assert_eq!(midway.done(), Some((midway.ticks, TICKS)));
    assert!(midway.to_string().ends_with(" %"), "{midway}");
}

#[test]
fn a_cancelled_replay_is_committed_up_to_where_it_was_and_resumes() {
    let (whole, expected) = play(plan(), |_, _| {});
    assert!(expected.len() > 1000, "enough signals to lose some");

    let folder = tempfile::tempdir().unwrap();
    let kept = || ReplayPlan { ledger: Some(folder.path().to_owned()), ..plan() };
    let (cut, before) = play(ReplayPlan { pace: SLOWLY, ..kept() }, cancel_midway);
    let played = cut.feed.ticks;
    assert!(cut.feed.interrupted && !cut.resumed && cut.is_kept);
    assert!((CANCELLED_AFTER..TICKS).contains(&played), "{played}");
    let up_to_there: Vec<_> = expected.iter().filter(|(_, _, signal)| signal.seq < played).cloned().collect();
    assert_eq!(before, up_to_there);
    let stored = lanes(folder.path(), cut.run);
    assert_eq!(stored.iter().map(|(cursor, _)| *cursor).collect::<Vec<_>>(), [played; 2]);

    let (resumed, after) = play(kept(), |_, _| {});
    assert!(resumed.resumed && !resumed.feed.interrupted);
    assert_eq!(resumed.run, cut.run);
    assert_eq!(after, expected, "every signal once");
    assert_eq!(resumed.account, whole.account);
    for ((_, counts), (_, state_seq)) in resumed.lanes.iter().zip(stored) {
        assert_eq!(counts.duplicates, state_seq);
        assert_eq!(counts.ticks + counts.duplicates, whole.feed.ticks);
    }
}

#[test]
fn a_replay_is_cancelled_from_another_thread_and_harmlessly_after_its_end() {
    let running = replay::start(ReplayPlan { pace: SLOWLY, ..plan() }).unwrap();
    let canceller = running.canceller();
    let cancelling = canceller.clone();
    std::thread::spawn(move || cancelling.cancel()).join().unwrap();
    let outcome = running.finish().unwrap();
    assert!(outcome.feed.interrupted && outcome.feed.ticks < TICKS, "{:?}", outcome.feed);
    assert!(!outcome.is_kept);
    canceller.cancel();
}
