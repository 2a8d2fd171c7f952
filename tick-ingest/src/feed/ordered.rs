//! One source in order of `ts_recv`: late ticks are put in their place within a bounded window.

use tick_sdk::Tick;

use super::SourceSpec;
use super::source::{Source, name_of};
use super::symbols::Symbols;
use crate::{Batch, Counts, ReadError, ReadOptions};

/// A source's ticks in order, with the run's ids.
pub(super) struct Ordered {
    name: String,
    prefix: String,
    /// The symbol that is given to all files that name none.
    given_symbol: Option<String>,
    /// The run's id of that, where the source has it.
    pub(super) given_id: Option<u32>,
    source: Source,
    /// The run's id of each of the source's, `None` for one that is not selected.
    ids: Vec<Option<u32>>,
    window_ns: u64,
    /// Ticks that a late one may still have to go before; only with a window.
    held: Vec<Tick>,
    high: u64,
    ready: Vec<Tick>,
    taken: usize,
    ended: bool,
    pub(super) counts: Counts,
}

/// A window that holds more ticks than this is too wide for memory.
const MAX_HELD: usize = 8_000_000;

impl Ordered {
    pub(super) fn open(
        spec: &SourceSpec,
        read: &ReadOptions,
        window_ns: u64,
        on_thread: bool,
    ) -> Result<Self, ReadError> {
        let (prefix, given_symbol) = match spec {
            SourceSpec::File { prefix, own, .. } => {
                (prefix.clone(), read.symbol.clone().filter(|_| own.symbol.is_none()))
            }
            SourceSpec::Generated(_) => (String::new(), None),
        };
        Ok(Self {
            name: name_of(spec).to_owned(),
            prefix,
            given_symbol,
            given_id: None,
            source: Source::open(spec, read, on_thread)?,
            ids: Vec::new(),
            window_ns,
            held: Vec::new(),
            high: 0,
            ready: Vec::new(),
            taken: 0,
            ended: false,
            counts: Counts::default(),
        })
    }

    /// The ticks that come next, at least one unless the source has ended.
    pub(super) fn ready(&mut self, symbols: &mut Symbols) -> Result<&[Tick], ReadError> {
        while self.taken == self.ready.len() && !self.ended {
            self.ready.clear();
            self.taken = 0;
            self.fill(symbols)?;
        }
        Ok(&self.ready[self.taken..])
    }

    /// What [`Ordered::ready`] gave last, without what was taken since.
    pub(super) fn current(&self) -> &[Tick] {
        &self.ready[self.taken..]
    }

    /// Moves past ticks that were taken.
    pub(super) fn take(&mut self, ticks: usize) {
        self.taken += ticks;
    }

    fn fill(&mut self, symbols: &mut Symbols) -> Result<(), ReadError> {
        let Some(batch) = self.source.next()? else {
            self.ended = true;
            self.ready.append(&mut self.held);
            return Ok(());
        };
        self.counts.add(&batch.counts);
        for named in &batch.new_symbols {
            let id = symbols.id(&self.prefix, named, &self.name)?;
            if self.given_symbol.as_ref() == Some(&named.symbol) {
                self.given_id = id;
            }
            self.ids.push(id);
        }
        check_late(batch, self.window_ns, &self.name)?;
        let late = !batch.late.is_empty();
        let out = if self.window_ns == 0 { &mut self.ready } else { &mut self.held };
        for tick in &batch.ticks {
            if let Some(id) = self.ids[tick.instrument as usize] {
                out.push(tick.of(id));
            }
        }
        self.high = batch.ticks.iter().map(|tick| tick.ts_recv).fold(self.high, u64::max);
        match self.window_ns {
            0 => Ok(()),
            _ => self.release(late),
        }
    }

    /// Moves the held ticks that no late one can come before any more.
    fn release(&mut self, late: bool) -> Result<(), ReadError> {
        if late {
            // Stable: ticks of one time, and so the ticks of one event, stay as they came.
            self.held.sort_by_key(|tick| tick.ts_recv);
        }
        let released_before = self.high.saturating_sub(self.window_ns);
        let count = self.held.partition_point(|tick| tick.ts_recv < released_before);
        self.ready.extend(self.held.drain(..count));
        if self.held.len() <= MAX_HELD {
            return Ok(());
        }
        Err(ReadError::Format {
            file: self.name.clone(),
            reason: format!("its --reorder window holds more than {MAX_HELD} ticks"),
            advice: "choose a shorter window".to_owned(),
        })
    }
}

/// Refuses the first tick that is later than the window allows.
fn check_late(batch: &Batch, window_ns: u64, file: &str) -> Result<(), ReadError> {
    for late in &batch.late {
        let ts_recv = batch.ticks[late.index].ts_recv;
        let late_ns = late.high - ts_recv;
        if late_ns > window_ns {
            return Err(ReadError::OutOfOrder {
                file: file.to_owned(),
                line: late.line,
                ts_recv,
                late_ns,
                suggestion: format!("{}ms", late_ns / 1_000_000 + 1),
            });
        }
    }
    Ok(())
}
