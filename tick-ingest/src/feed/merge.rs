//! Several sources as one, in order of `ts_recv`; equal times in the order of the sources.

use tick_sdk::Tick;

use super::ordered::Ordered;
use super::source::SOURCES_WITH_THREADS;
use super::symbols::Symbols;
use super::{SourceSpec, TickSelection};
use crate::{Batch, Counts, ReadError, ReadOptions};

/// The sources of a run as one stream of ticks, selected and repeated.
pub struct Merged {
    sources: Vec<Ordered>,
    symbols: Symbols,
    specs: Vec<SourceSpec>,
    read: ReadOptions,
    selection: TickSelection,
    counts: Counts,
    /// Passes still to come after this one.
    repeats_left: u64,
    shift_ns: u64,
    /// First and last selected `ts_recv` of this pass, unshifted.
    pass: Option<(u64, u64)>,
    /// First and last `ts_recv` before selection by time, unshifted.
    offered: Option<(u64, u64)>,
}

/// Between the last tick of a pass and the first of the next one.
const BETWEEN_PASSES_NS: u64 = 1_000_000;

impl Merged {
    /// Opens every source.
    ///
    /// # Errors
    /// One cannot be opened, or is of no known format.
    pub fn open(
        specs: &[SourceSpec],
        read: &ReadOptions,
        selection: &TickSelection,
    ) -> Result<Self, ReadError> {
        let mut merged = Self {
            sources: Vec::new(),
            symbols: Symbols::new(selection.symbols.clone()),
            specs: specs.to_vec(),
            read: read.clone(),
            selection: selection.clone(),
            counts: Counts::default(),
            repeats_left: selection.repeats.saturating_sub(1),
            shift_ns: 0,
            pass: None,
            offered: None,
        };
        merged.open_sources()?;
        Ok(merged)
    }

    fn open_sources(&mut self) -> Result<(), ReadError> {
        let on_thread = self.specs.len() <= SOURCES_WITH_THREADS;
        let window = self.selection.reorder_ns;
        if window > 0 {
            tracing::info!(window_ns = window, "putting late ticks in their place");
        }
        let open = |spec| Ordered::open(spec, &self.read, window, on_thread);
        self.sources = self.specs.iter().map(open).collect::<Result<_, _>>()?;
        Ok(())
    }

    /// The symbols named so far, by the run's id. One that is named need not have a tick.
    pub fn symbols(&self) -> &[String] {
        self.symbols.names()
    }

    /// First and last `ts_recv` read so far of the selected symbols, whatever was selected by time.
    pub fn offered(&self) -> Option<(u64, u64)> {
        self.offered
    }

    /// What the readers counted so far.
    pub fn counts(&self) -> Counts {
        let mut counts = self.counts.clone();
        self.add_counts_of_sources(&mut counts);
        counts
    }

    fn add_counts_of_sources(&self, counts: &mut Counts) {
        self.sources.iter().for_each(|source| counts.add(&source.counts));
        let mut given: Vec<u32> = self.sources.iter().filter_map(|source| source.given_id).collect();
        given.sort_unstable();
        for alike in given.chunk_by(|one, other| one == other).filter(|alike| alike.len() > 1) {
            let (files, symbol) = (alike.len(), &self.symbols.names()[alike[0] as usize]);
            counts
                .note(&format!("{files} files have the symbol of --symbol and are one instrument, {symbol}"));
        }
    }

    /// Keeps what the sources counted, before they are closed.
    fn keep_counts(&mut self) {
        let mut counts = std::mem::take(&mut self.counts);
        self.add_counts_of_sources(&mut counts);
        self.counts = counts;
    }

    /// Appends some ticks in order to `out`; `false` when all sources have ended.
    ///
    /// # Errors
    /// A source cannot be read on, or is out of order.
    pub fn read(&mut self, out: &mut Vec<Tick>) -> Result<bool, ReadError> {
        self.read_up_to(out, Batch::TICKS)
    }

    /// Appends the ticks that come next to `out` and waits for no more of them than one: what a slow
    /// source gives is handed on at once. `false` when all sources have ended.
    ///
    /// # Errors
    /// As [`Merged::read`].
    pub fn read_soon(&mut self, out: &mut Vec<Tick>) -> Result<bool, ReadError> {
        self.read_up_to(out, 1)
    }

    fn read_up_to(&mut self, out: &mut Vec<Tick>, most: usize) -> Result<bool, ReadError> {
        while out.is_empty() {
            if !self.read_pass(out, most)? && !self.begin_next_pass()? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Appends the ticks that come next in this pass; `false` when it has ended.
    fn read_pass(&mut self, out: &mut Vec<Tick>, most: usize) -> Result<bool, ReadError> {
        while out.len() < most {
            let Some((source, limit)) = self.next_source()? else { break };
            let ticks = self.sources[source].current();
            let run = limit.run_length(source, ticks).min(Batch::TICKS);
            let past_the_end = self.append_selected(source, run, out);
            self.sources[source].take(run);
            if past_the_end {
                self.keep_counts();
                self.sources.clear();
            }
        }
        Ok(!out.is_empty())
    }

    /// The source with the earliest tick, and up to where its ticks come before the others'.
    fn next_source(&mut self) -> Result<Option<(usize, Limit)>, ReadError> {
        let mut first: Option<(u64, usize)> = None;
        let mut second: Option<(u64, usize)> = None;
        for (place, source) in self.sources.iter_mut().enumerate() {
            let Some(tick) = source.ready(&mut self.symbols)?.first() else { continue };
            let key = (tick.ts_recv, place);
            if first.is_none_or(|first| key < first) {
                second = first.replace(key);
            } else if second.is_none_or(|second| key < second) {
                second = Some(key);
            }
        }
        Ok(first.map(|(_, place)| (place, Limit(second))))
    }

    /// Copies the selected ones of the source's next `run` ticks; whether the selection has ended.
    fn append_selected(&mut self, source: usize, run: usize, out: &mut Vec<Tick>) -> bool {
        let ticks = &self.sources[source].current()[..run];
        if let (Some(first), Some(last)) = (ticks.first(), ticks.last()) {
            self.offered.get_or_insert((first.ts_recv, last.ts_recv)).1 = last.ts_recv;
        }
        let start = self.selection.from.map_or(0, |from| ticks.partition_point(|tick| tick.ts_recv < from));
        let end = self.selection.to.map_or(run, |to| ticks.partition_point(|tick| tick.ts_recv < to));
        let selected = &ticks[start.min(end)..end];
        if let (Some(first), Some(last)) = (selected.first(), selected.last()) {
            let span = self.pass.get_or_insert((first.ts_recv, last.ts_recv));
            span.1 = last.ts_recv;
        }
        match self.shift_ns {
            0 => out.extend_from_slice(selected),
            shift => out.extend(selected.iter().map(|tick| Tick {
                ts_event: tick.ts_event.saturating_add(shift),
                ts_recv: tick.ts_recv.saturating_add(shift),
                ..*tick
            })),
        }
        end < run
    }

    /// Opens the sources again with times that go on; `false` if this was the last pass.
    fn begin_next_pass(&mut self) -> Result<bool, ReadError> {
        let Some((first, last)) = self.pass.take().filter(|_| self.repeats_left > 0) else {
            return Ok(false);
        };
        self.repeats_left -= 1;
        self.shift_ns = self.shift_ns.saturating_add(last - first + BETWEEN_PASSES_NS);
        self.keep_counts();
        self.open_sources()?;
        Ok(true)
    }
}

/// The earliest tick of the other sources: its time and its source.
struct Limit(Option<(u64, usize)>);

impl Limit {
    fn run_length(&self, source: usize, ticks: &[Tick]) -> usize {
        match self.0 {
            None => ticks.len(),
            Some((time, other)) if source < other => ticks.partition_point(|tick| tick.ts_recv <= time),
            Some((time, _)) => ticks.partition_point(|tick| tick.ts_recv < time),
        }
    }
}

#[cfg(test)]
mod tests;
