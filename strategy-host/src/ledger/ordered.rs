//! A run's signals from its ledger, in the order in which they are written out: by `ts_recv` of the
//! causing tick, then instrument, then strategy, then emission. It does not depend on shards.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::sync::Arc;

use tick_sdk::names::StrategyName;
use tick_sdk::signal::{Signal, decode_signals};

use super::{LaneId, Ledger, LedgerError};

/// A signal with what names it outside its lane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedSignal {
    /// The strategy's place in the list of names.
    pub strategy: usize,
    /// The instrument's symbol.
    pub symbol: Arc<str>,
    /// The shard.
    pub shard: u16,
    /// The signal.
    pub signal: Signal,
}

impl NamedSignal {
    /// What signals are ordered by. Names come in the order of their strategies.
    fn key<'a>(&'a self, names: &'a [StrategyName]) -> SignalKey<'a> {
        (self.signal.ts_recv, &self.symbol, names[self.strategy].as_str(), self.signal.seq, self.signal.n)
    }
}

type SignalKey<'a> = (u64, &'a str, &'a str, u64, u32);

/// Compares two signals in the order of output; `names` are the strategies'.
pub fn compare_signals(names: &[StrategyName], a: &NamedSignal, b: &NamedSignal) -> std::cmp::Ordering {
    a.key(names).cmp(&b.key(names))
}

/// Reads a run's signals in order; holds a few batches a lane.
pub struct OrderedSignals<'a> {
    ledger: &'a dyn Ledger,
    names: &'a [StrategyName],
    lanes: Vec<LaneReader>,
    /// The first signal's time and symbol of each lane that has one, and its strategy's name.
    first: BinaryHeap<Reverse<FirstSignal<'a>>>,
}

/// Time, symbol, strategy's name, lane.
type FirstSignal<'a> = (u64, Arc<str>, &'a str, usize);

struct LaneReader {
    id: LaneId,
    strategy: usize,
    symbols: Vec<Arc<str>>,
    next_seq: u64,
    exhausted: bool,
    /// In the ledger's order, by sequence number.
    read: VecDeque<Signal>,
    /// Signals of one receive time, in order.
    sorted: VecDeque<NamedSignal>,
}

/// How many batches are read from the ledger at once.
const BATCHES: usize = 16;

impl<'a> OrderedSignals<'a> {
    /// Begins with the first signal; lanes are every strategy of `names` on every shard.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub fn new(
        ledger: &'a dyn Ledger,
        run: tick_sdk::names::RunId,
        names: &'a [StrategyName],
        shards: u16,
    ) -> Result<Self, LedgerError> {
        let mut ordered = Self { ledger, names, lanes: Vec::new(), first: BinaryHeap::new() };
        for shard in 0..shards {
            let dictionary = ledger.dictionary(run, shard)?;
            let symbols: Vec<Arc<str>> = dictionary.iter().map(|new| new.symbol.as_str().into()).collect();
            for (strategy, name) in names.iter().enumerate() {
                let id = LaneId { run, strategy: name.clone(), shard };
                let (read, sorted) = (VecDeque::new(), VecDeque::new());
                let symbols = symbols.clone();
                ordered.lanes.push(LaneReader {
                    id,
                    strategy,
                    symbols,
                    next_seq: 0,
                    exhausted: false,
                    read,
                    sorted,
                });
                ordered.queue(ordered.lanes.len() - 1)?;
            }
        }
        Ok(ordered)
    }

    /// The next signal, `None` after the last.
    ///
    /// # Errors
    /// The ledger cannot be read on.
    pub fn next_signal(&mut self) -> Result<Option<NamedSignal>, LedgerError> {
        let Some(Reverse((_, _, _, lane))) = self.first.pop() else { return Ok(None) };
        let signal = self.lanes[lane].sorted.pop_front();
        self.queue(lane)?;
        Ok(signal)
    }

    fn queue(&mut self, lane: usize) -> Result<(), LedgerError> {
        let reader = &mut self.lanes[lane];
        if let Some(signal) = reader.peek(self.ledger, self.names)? {
            let key = (signal.signal.ts_recv, signal.symbol.clone());
            self.first.push(Reverse((key.0, key.1, self.names[reader.strategy].as_str(), lane)));
        }
        Ok(())
    }
}

impl LaneReader {
    fn peek(
        &mut self,
        ledger: &dyn Ledger,
        names: &[StrategyName],
    ) -> Result<Option<&NamedSignal>, LedgerError> {
        if self.sorted.is_empty() {
            let time = self.peek_read(ledger)?.map(|signal| signal.ts_recv);
            while let Some(signal) = self.peek_read(ledger)?.filter(|signal| Some(signal.ts_recv) == time) {
                self.read.pop_front();
                let symbol = self.symbols.get(signal.instrument as usize).cloned();
                let symbol = symbol.ok_or_else(|| {
                    LedgerError::Damaged(format!("a signal names instrument {}", signal.instrument))
                })?;
                let (strategy, shard) = (self.strategy, self.id.shard);
                self.sorted.push_back(NamedSignal { strategy, symbol, shard, signal });
            }
            self.sorted.make_contiguous().sort_by(|a, b| compare_signals(names, a, b));
        }
        Ok(self.sorted.front())
    }

    fn peek_read(&mut self, ledger: &dyn Ledger) -> Result<Option<Signal>, LedgerError> {
        while self.read.is_empty() && !self.exhausted {
            let batches = ledger.batches(&self.id, self.next_seq, BATCHES)?;
            self.exhausted = batches.len() < BATCHES;
            let mut signals = Vec::new();
            for batch in &batches {
                self.next_seq = batch.from_seq + 1;
                decode_signals(&batch.signals, &mut signals)
                    .map_err(|damaged| LedgerError::Damaged(damaged.to_string()))?;
            }
            self.read.extend(signals);
        }
        Ok(self.read.front().copied())
    }
}
