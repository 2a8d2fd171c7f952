//! Where one lane of a ledger is read on.

use std::collections::VecDeque;
use std::sync::Arc;

use tick_sdk::signal::decode_signals;

use super::pending::Pending;
use crate::ledger::{LaneId, Ledger, LedgerError, StoredBatch};

/// How many batches are read from the ledger at once.
const BATCHES: usize = 64;

/// Up to where a lane has committed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Committed {
    pub(super) cursor: u64,
    /// What a strategy gives at the run's end has the cursor's own number.
    pub(super) ended: bool,
}

/// One lane, and what was read of it ahead.
pub(super) struct LaneTail {
    /// The last published signal's seq and n. What the ledger gives up to it was published: by numbers that a
    /// replay made again gives again, and not by batches, whose borders may then be others.
    published: Option<(u64, u32)>,
    /// The next batch begins at or after this.
    next_seq: u64,
    read: VecDeque<StoredBatch>,
    /// All that was committed by then is read.
    read_to: Option<Committed>,
    /// The shard's symbols by instrument id, as far as they are known.
    symbols: Vec<Arc<str>>,
}

impl LaneTail {
    /// Begins with the batch that holds the last published signal.
    pub(super) fn find(
        ledger: &dyn Ledger,
        lane: &LaneId,
        published: Option<(u64, u32)>,
    ) -> Result<Self, LedgerError> {
        let begins = match published {
            Some((seq, _)) => ledger.batch_at(lane, seq)?,
            None => None,
        };
        Ok(Self {
            published,
            next_seq: begins.unwrap_or(0),
            read: VecDeque::new(),
            read_to: None,
            symbols: Vec::new(),
        })
    }

    /// Whether all that was committed by then is read.
    pub(super) fn has_read(&self, committed: Committed) -> bool {
        self.read_to == Some(committed)
    }

    /// Adds the next batch of what is committed to what will be published; `false` when there is none.
    pub(super) fn read_batch(
        &mut self,
        ledger: &dyn Ledger,
        lane: &LaneId,
        committed: Committed,
        place: usize,
        pending: &mut Pending,
    ) -> Result<bool, LedgerError> {
        // Most looks find a lane that has committed nothing since.
        if self.has_read(committed) {
            return Ok(false);
        }
        if self.read.is_empty() {
            self.read = ledger.batches(lane, self.next_seq, BATCHES)?.into();
        }
        let Some(batch) = self.read.pop_front_if(|batch| batch.from_seq <= committed.cursor) else {
            self.read_to = Some(committed);
            return Ok(false);
        };
        self.next_seq = batch.from_seq + 1;
        let mut signals = Vec::new();
        decode_signals(&batch.signals, &mut signals)
            .map_err(|damaged| LedgerError::Damaged(damaged.to_string()))?;
        for signal in &signals {
            let number = (signal.seq, signal.n);
            if self.published.is_none_or(|published| number > published) {
                let before = self.published;
                let symbol = self.symbol(ledger, lane, signal.instrument)?;
                pending.add(place, before, symbol, signal);
                self.published = Some(number);
            }
        }
        Ok(true)
    }

    /// The instrument's symbol. A commit names an instrument before or with its first signal, so one that is
    /// not known here is found when the names are read again.
    fn symbol(
        &mut self,
        ledger: &dyn Ledger,
        lane: &LaneId,
        instrument: u32,
    ) -> Result<&Arc<str>, LedgerError> {
        let place = instrument as usize;
        if place >= self.symbols.len() {
            let dictionary = ledger.dictionary(lane.run, lane.shard)?;
            self.symbols = dictionary.iter().map(|new| new.symbol.as_str().into()).collect();
        }
        self.symbols
            .get(place)
            .ok_or_else(|| LedgerError::Damaged(format!("a signal names instrument {instrument}")))
    }
}
