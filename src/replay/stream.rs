//! `--signals -`: signals on standard output while the run goes on, in their final order.

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap};
use std::io::{BufWriter, Stdout, Write};
use std::sync::{Arc, Mutex, PoisonError};

use strategy_host::host::{CommitObserver, LaneProgress};
use strategy_host::ledger::{Commit, LaneId, NamedSignal, compare_signals};
use tick_ingest::feed::FeedControl;
use tick_sdk::names::{RunId, StrategyName};
use tick_sdk::signal::decode_signals;

use super::signals::SignalWriter;

/// Holds committed signals back until no lane can have an earlier one.
pub(super) struct SignalStream<W: Write> {
    writer: SignalWriter<W>,
    names: Arc<[StrategyName]>,
    /// What each lane has promised: nothing earlier follows; [`u64::MAX`] after its end.
    watermarks: HashMap<LaneId, u64>,
    symbols: HashMap<u16, Vec<Arc<str>>>,
    held: BTreeMap<Held, ()>,
    failure: StreamFailure,
}

/// The first error of writing; it stops the run, whose reader has gone.
#[derive(Clone)]
pub(super) struct StreamFailure {
    error: Arc<Mutex<Option<std::io::Error>>>,
    control: Arc<FeedControl>,
}

impl StreamFailure {
    pub(super) fn new(control: Arc<FeedControl>) -> Self {
        Self { error: Arc::default(), control }
    }

    fn report(&self, error: std::io::Error) {
        self.error.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
        self.control.stop();
    }

    fn has_happened(&self) -> bool {
        self.error.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// The error, if there was one.
    pub(super) fn take(&self) -> std::io::Result<()> {
        self.error.lock().unwrap_or_else(PoisonError::into_inner).take().map_or(Ok(()), Err)
    }
}

struct Held {
    signal: NamedSignal,
    names: Arc<[StrategyName]>,
}

impl PartialEq for Held {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}
impl Eq for Held {}
impl PartialOrd for Held {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Held {
    fn cmp(&self, other: &Self) -> Ordering {
        compare_signals(&self.names, &self.signal, &other.signal)
    }
}

impl SignalStream<BufWriter<Stdout>> {
    /// A stream to standard output of every strategy of `names` on every shard.
    pub(super) fn to_stdout(
        run: RunId,
        names: &[StrategyName],
        shards: u16,
        failure: StreamFailure,
    ) -> std::io::Result<Self> {
        Self::new(BufWriter::new(std::io::stdout()), run, names, shards, failure)
    }
}

impl<W: Write> SignalStream<W> {
    fn new(
        out: W,
        run: RunId,
        names: &[StrategyName],
        shards: u16,
        failure: StreamFailure,
    ) -> std::io::Result<Self> {
        let lanes = (0..shards)
            .flat_map(|shard| names.iter().map(move |name| LaneId { run, strategy: name.clone(), shard }));
        Ok(Self {
            writer: SignalWriter::new(out, run, names.to_vec(), false)?,
            names: names.into(),
            watermarks: lanes.map(|lane| (lane, 0)).collect(),
            symbols: HashMap::new(),
            held: BTreeMap::new(),
            failure,
        })
    }

    fn hold(&mut self, commit: &Commit) {
        let symbols = self.symbols.entry(commit.lane.shard).or_default();
        for new in &commit.new_instruments {
            if new.id as usize == symbols.len() {
                symbols.push(new.symbol.as_str().into());
            }
        }
        let mut signals = Vec::new();
        decode_signals(&commit.signals, &mut signals).expect("it was encoded by this process");
        let strategy = self.names.iter().position(|name| *name == commit.lane.strategy);
        let (Some(strategy), shard) = (strategy, commit.lane.shard) else { return };
        for signal in signals {
            let symbol = symbols[signal.instrument as usize].clone();
            let signal = NamedSignal { strategy, symbol, shard, signal };
            self.held.insert(Held { signal, names: self.names.clone() }, ());
        }
    }

    fn release(&mut self) -> std::io::Result<()> {
        let until = self.watermarks.values().copied().min().unwrap_or(u64::MAX);
        while let Some(first) = self.held.first_entry() {
            if first.key().signal.signal.ts_recv >= until && until != u64::MAX {
                break;
            }
            let (held, ()) = first.remove_entry();
            self.writer.write(&held.signal)?;
        }
        self.writer.flush()
    }
}

impl<W: Write + Send> CommitObserver for SignalStream<W> {
    fn committed(&mut self, commits: &[Commit], progress: &[LaneProgress]) {
        if self.failure.has_happened() {
            return;
        }
        commits.iter().for_each(|commit| self.hold(commit));
        for lane in progress {
            let watermark = if lane.ended { u64::MAX } else { lane.watermark };
            self.watermarks.insert(lane.lane.clone(), watermark);
        }
        if let Err(error) = self.release() {
            self.held.clear();
            self.failure.report(error);
        }
    }
}

impl<W: Write> Drop for SignalStream<W> {
    /// An interrupted run has no ends: what is held is in order among itself and committed.
    fn drop(&mut self) {
        self.watermarks.clear();
        if let Err(error) = self.release() {
            self.failure.report(error);
        }
    }
}
