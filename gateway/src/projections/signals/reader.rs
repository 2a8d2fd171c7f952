//! Signals in their order, merged from their series. A page begins anywhere in the time of the first: each series is
//! entered at the bucket that holds the page's time, when its turn comes, and within it by halves.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::sync::Arc;

use super::series::{InSeries, SeriesReader};
use super::{Place, Row, SERIES, SIDES, Series, damaged};
use crate::documents::{DocumentError, DocumentStore, IndexQuery, Key};

/// So many series are read at once.
const SERIES_READ: usize = 1000;

/// Which signals are wanted; those that are absent say nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct SignalFilter {
    pub(crate) run: Option<String>,
    pub(crate) strategies: Vec<String>,
    pub(crate) symbols: Vec<String>,
    pub(crate) side: Option<&'static str>,
    /// From this receive time on.
    pub(crate) from: Option<u64>,
    /// Up to this receive time, which is left out.
    pub(crate) to: Option<u64>,
    /// Raw; signals without a price are left out with those below it.
    pub(crate) min_price: Option<i64>,
}

/// A signal with everything that names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ReadSignal {
    pub(crate) run: Arc<str>,
    pub(crate) strategy: Arc<str>,
    pub(crate) symbol: Arc<str>,
    pub(crate) shard: u16,
    pub(crate) seq: u64,
    pub(crate) n: u32,
    pub(crate) ts_event: u64,
    pub(crate) ts_recv: u64,
    pub(crate) side: &'static str,
    pub(crate) price: Option<i64>,
}

impl ReadSignal {
    /// Its place in the order.
    pub(crate) fn place(&self) -> Place {
        Place {
            run: self.run.as_ref().to_owned(),
            ts_recv: self.ts_recv,
            symbol: self.symbol.as_ref().to_owned(),
            strategy: self.strategy.as_ref().to_owned(),
            seq: self.seq,
            n: self.n,
        }
    }
}

/// Reads signals in the order of their places.
pub(crate) struct OrderedSignals<'a> {
    store: &'a dyn DocumentStore,
    filter: SignalFilter,
    /// Signals up to here are left out.
    after: Option<Place>,
    run: Option<RunReader>,
    is_ended: bool,
}

struct RunReader {
    run: Arc<str>,
    series: Vec<SeriesReader>,
    /// The next of each series: a signal, or where one may be at the earliest.
    next: BinaryHeap<Reverse<Next>>,
}

/// Receive time, whether it is known to be there, symbol, strategy, seq, n, and the series. What may be there
/// comes before what is there at the same time.
type Next = (u64, bool, Arc<str>, Arc<str>, u64, u32, usize);

impl<'a> OrderedSignals<'a> {
    /// Begins behind a place, or with the first signal.
    pub(crate) fn new(store: &'a dyn DocumentStore, filter: SignalFilter, after: Option<Place>) -> Self {
        Self { store, filter, after, run: None, is_ended: false }
    }

    /// The next signal, with how many others were looked at before it was found; at most `limit` are.
    pub(crate) fn next_within(&mut self, limit: &mut usize) -> Result<Looked, DocumentError> {
        while *limit > 0 {
            let Some(signal) = self.next_of_any_side()? else { return Ok(Looked::Ended) };
            *limit -= 1;
            if self.takes(&signal) {
                return Ok(Looked::Found(signal));
            }
            if *limit == 0 {
                return Ok(Looked::Paused(signal.place()));
            }
        }
        Ok(Looked::Ended)
    }

    fn takes(&self, signal: &ReadSignal) -> bool {
        let filter = &self.filter;
        filter.side.is_none_or(|side| side == signal.side)
            && filter.min_price.is_none_or(|least| signal.price.is_some_and(|price| price >= least))
    }

    fn next_of_any_side(&mut self) -> Result<Option<ReadSignal>, DocumentError> {
        loop {
            if self.run.is_none() {
                let Some(run) = self.open_next_run()? else { return Ok(None) };
                self.run = Some(run);
            }
            let Some(run) = &mut self.run else { return Ok(None) };
            let Some(signal) = run.next_signal(self.store)? else {
                self.after = Some(Place { ts_recv: u64::MAX, ..Place::default() });
                if let (Some(after), Some(run)) = (&mut self.after, self.run.take()) {
                    after.run = run.run.as_ref().to_owned();
                }
                self.is_ended = self.filter.run.is_some();
                continue;
            };
            if self.filter.to.is_some_and(|to| signal.ts_recv >= to) {
                run.next.clear();
                continue;
            }
            return Ok(Some(signal));
        }
    }

    fn open_next_run(&mut self) -> Result<Option<RunReader>, DocumentError> {
        if self.is_ended {
            return Ok(None);
        }
        let Some(run) = self.next_run()? else { return Ok(None) };
        let after = self.after.as_ref().filter(|after| after.run == run);
        RunReader::open(self.store, &run, &self.filter, after).map(Some)
    }

    /// The run that the filter names, or the first that is not done with.
    fn next_run(&self) -> Result<Option<String>, DocumentError> {
        if let Some(run) = &self.filter.run {
            let is_over = self.after.as_ref().is_some_and(|after| after.run > *run);
            return Ok(Some(run.clone()).filter(|_| !is_over));
        }
        let from = self.after.as_ref().and_then(|after| {
            let key = Key::new().text(&after.run);
            if after.ts_recv == u64::MAX { key.after_all() } else { Some(key) }
        });
        let query = IndexQuery { index: 0, from, to: None, is_descending: false, after: None, limit: 1 };
        let found = self.store.page(&SERIES, &query)?.pop();
        found.map(|found| parse_series(&found.document).map(|series| series.run)).transpose()
    }
}

/// What came of looking for a signal.
pub(crate) enum Looked {
    /// It was found.
    Found(ReadSignal),
    /// So many did not match that this is enough for now; go on behind this place.
    Paused(Place),
    /// There are no more.
    Ended,
}

impl RunReader {
    fn open(
        store: &dyn DocumentStore,
        run: &str,
        filter: &SignalFilter,
        after: Option<&Place>,
    ) -> Result<Self, DocumentError> {
        let mut reader = Self { run: run.into(), series: Vec::new(), next: BinaryHeap::new() };
        each_series(store, run, filter, |series| {
            let from = filter.begin(series, after);
            if series.last >= from.0 {
                reader.add(series, from);
            }
        })?;
        Ok(reader)
    }

    fn add(&mut self, series: &Series, from: InSeries) {
        let reader = SeriesReader::new(series, from);
        let (symbol, strategy) = (reader.symbol.clone(), reader.strategy.clone());
        self.next.push(Reverse((series.first.max(from.0), false, symbol, strategy, 0, 0, self.series.len())));
        self.series.push(reader);
    }

    fn next_signal(&mut self, store: &dyn DocumentStore) -> Result<Option<ReadSignal>, DocumentError> {
        while let Some(Reverse((_, is_there, .., place))) = self.next.pop() {
            let series = &mut self.series[place];
            let shard = series.shard;
            let row = series.peek(store)?;
            let signal = row.filter(|_| is_there).map(|row| {
                series.advance();
                signal((&self.run, &series.strategy, &series.symbol), shard, row)
            });
            self.queue(place, store)?;
            if signal.is_some() {
                return Ok(signal);
            }
        }
        Ok(None)
    }

    fn queue(&mut self, place: usize, store: &dyn DocumentStore) -> Result<(), DocumentError> {
        let series = &mut self.series[place];
        if let Some((seq, n, ts_recv, ..)) = series.peek(store)? {
            let (symbol, strategy) = (series.symbol.clone(), series.strategy.clone());
            self.next.push(Reverse((ts_recv, true, symbol, strategy, seq, n, place)));
        }
        Ok(())
    }
}

impl SignalFilter {
    fn takes(&self, series: &Series) -> bool {
        let is_among = |names: &[String], name: &String| names.is_empty() || names.contains(name);
        is_among(&self.strategies, &series.strategy) && is_among(&self.symbols, &series.symbol)
    }

    /// The first place in a series that is wanted, behind a place of its run.
    fn begin(&self, series: &Series, after: Option<&Place>) -> InSeries {
        let least = (self.from.unwrap_or(0), 0, 0);
        let Some(after) = after else { return least };
        let behind = match (&series.symbol, &series.strategy).cmp(&(&after.symbol, &after.strategy)) {
            Ordering::Less => (after.ts_recv.saturating_add(1), 0, 0),
            Ordering::Equal => (after.ts_recv, after.seq, after.n.saturating_add(1)),
            Ordering::Greater => (after.ts_recv, 0, 0),
        };
        least.max(behind)
    }
}

/// A row of a series, which its run, strategy and symbol name.
pub(super) fn signal(
    (run, strategy, symbol): (&Arc<str>, &Arc<str>, &Arc<str>),
    shard: u16,
    row: Row,
) -> ReadSignal {
    let (seq, n, ts_recv, lag, side, price) = row;
    ReadSignal {
        run: run.clone(),
        strategy: strategy.clone(),
        symbol: symbol.clone(),
        shard,
        seq,
        n,
        ts_event: ts_recv.wrapping_add(lag as u64),
        ts_recv,
        side: SIDES.get(usize::from(side)).copied().unwrap_or(SIDES[0]),
        price,
    }
}

/// Gives all series of a run that may have signals which the filter takes.
pub(super) fn each_series(
    store: &dyn DocumentStore,
    run: &str,
    filter: &SignalFilter,
    mut each: impl FnMut(&Series),
) -> Result<(), DocumentError> {
    let prefix = Key::new().text(run);
    let mut query = IndexQuery {
        index: 0,
        to: prefix.after_all(),
        from: Some(prefix),
        is_descending: false,
        after: None,
        limit: SERIES_READ,
    };
    loop {
        let found = store.page(&SERIES, &query)?;
        for found in &found {
            let series = parse_series(&found.document)?;
            let is_in_time = filter.from.is_none_or(|from| series.last >= from)
                && filter.to.is_none_or(|to| series.first < to);
            if is_in_time && filter.takes(&series) {
                each(&series);
            }
        }
        let Some(last) = found.last().filter(|_| found.len() == SERIES_READ) else { return Ok(()) };
        query.after = Some((last.key.clone(), last.document.id.clone()));
    }
}

fn parse_series(document: &crate::documents::Document) -> Result<Series, DocumentError> {
    serde_json::from_str(&document.body).map_err(|error| damaged(&SERIES, &document.id, error.to_string()))
}
