//! The ledger by itself: one commit after the other, as fast as it takes them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use clap::Args;
use hdrhistogram::Histogram;
use strategy_host::ledger::{Commit, LaneId};
use tick_feed::run::Manifest;
use tick_sdk::TargetPosition;
use tick_sdk::names::RunId;
use tick_sdk::quantity::{count_within, parse_duration};
use tick_sdk::signal::{Signal, encode_signals};

use crate::feeds::{FeedsError, open_ledger};
use crate::outcome::{Step, Totals};
use crate::sampler::stage_of;

/// What to commit.
#[derive(Clone, Debug, Args)]
pub(crate) struct LedgerLoadArgs {
    /// How long
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = parse_duration, help_heading = "Load")]
    pub(crate) duration: Duration,
    /// Lanes (strategies times shards) that are committed together
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=1024), help_heading = "Load")]
    pub(crate) lanes: u16,
    /// Ticks that a lane goes on by in a commit
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = count_within::<u64>(1..=u64::MAX), help_heading = "Load")]
    pub(crate) commit_ticks: u64,
    /// Signals of a lane in a commit
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = count_within::<u32>(0..=1_000_000), help_heading = "Load")]
    pub(crate) signals: u32,
    /// Keys of a lane whose state is stored in a commit
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = count_within::<u32>(0..=1_000_000), help_heading = "Load")]
    pub(crate) keys: u32,
}

/// Bytes of one key's state.
const STATE_BYTES: usize = 40;

/// Measures one ledger.
///
/// # Errors
/// It cannot be opened, or refuses.
pub(crate) fn step(name: &str, args: &LedgerLoadArgs, stop: &AtomicBool) -> Result<Step, FeedsError> {
    let mut ledger = open_ledger(name)?;
    let run = RunId::random();
    ledger.record_run(run, "perf", &Manifest::default())?;
    let mut lanes = Vec::new();
    for shard in 0..args.lanes {
        let lane = LaneId { run, strategy: "apple".parse().expect("it is a valid name"), shard };
        let epoch = ledger.claim(&lane, 0)?.epoch;
        lanes.push((lane, epoch));
    }
    let mut latencies = Histogram::new_with_bounds(1, 3_600_000_000_000, 3).expect("the bounds are valid");
    let (started, mut seq) = (Instant::now(), 0);
    while started.elapsed() < args.duration && !stop.load(Ordering::Acquire) {
        let commits: Vec<_> = lanes.iter().map(|(lane, epoch)| commit(args, lane, *epoch, seq)).collect();
        let began = Instant::now();
        ledger.commit(&commits)?;
        latencies.saturating_record(began.elapsed().as_nanos() as u64);
        seq += args.commit_ticks;
    }
    let seconds = started.elapsed().as_secs_f64();
    let committed = seq * u64::from(args.lanes);
    let totals = Totals {
        committed,
        ticks_per_s: committed as f64 / seconds,
        messages: latencies.len(),
        messages_per_s: latencies.len() as f64 / seconds,
        ..Totals::default()
    };
    Ok(Step { seconds, totals, stages: vec![stage_of("commit", &latencies)], ..Step::default() })
}

fn commit(args: &LedgerLoadArgs, lane: &LaneId, epoch: u64, from_seq: u64) -> Commit {
    let to_seq = from_seq + args.commit_ticks;
    let signal = |n: u32| Signal {
        ts_event: from_seq,
        ts_recv: from_seq,
        seq: from_seq + (u64::from(n) * args.commit_ticks / u64::from(args.signals.max(1))),
        n,
        instrument: n,
        side: TargetPosition::Long,
        price: 61_000_000_000_000,
        bid: 61_000_000_000_000,
        ask: 61_000_100_000_000,
    };
    let mut signals = Vec::new();
    encode_signals(&(0..args.signals).map(signal).collect::<Vec<_>>(), &mut signals);
    let state = |key| (format!("S{key:05}"), to_seq.to_le_bytes().repeat(STATE_BYTES / 8));
    Commit {
        lane: lane.clone(),
        epoch,
        from_seq,
        to_seq,
        signals,
        new_instruments: Vec::new(),
        states: (args.keys > 0).then(|| (0..args.keys).map(state).collect()),
        ended: false,
        skipped: 0,
    }
}
