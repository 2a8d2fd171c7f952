//! The last signals of a run: its series are read from their ends, no farther than the last signals that were found so far
//! reach back.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::reader::{ReadSignal, SignalFilter, each_series, signal};
use super::rows::Rows;
use super::{BUCKETS, Place, Series, damaged, series_key};
use crate::documents::{DocumentError, DocumentStore, Found, IndexQuery};

/// The last so many signals of the filter's run that it takes, in order. Of its side and price nothing may be said: where few
/// match, all of the run would be read.
pub(crate) fn latest_signals(
    store: &dyn DocumentStore,
    filter: &SignalFilter,
    most: usize,
) -> Result<Vec<ReadSignal>, DocumentError> {
    let mut all = Vec::new();
    each_series(store, filter.run.as_deref().unwrap_or_default(), filter, |series| all.push(series.clone()))?;
    // Those that end last come first: what ends before all that is kept has none of the last.
    all.sort_by_key(|series| std::cmp::Reverse(series.last));
    let mut latest = Latest { filter, most, kept: BTreeMap::new() };
    for series in &all {
        if latest.are_all_later_than(series.last) {
            break;
        }
        latest.read(store, series)?;
    }
    Ok(latest.kept.into_values().collect())
}

struct Latest<'a> {
    filter: &'a SignalFilter,
    most: usize,
    kept: BTreeMap<Place, ReadSignal>,
}

impl Latest<'_> {
    fn are_all_later_than(&self, ts_recv: u64) -> bool {
        self.kept.len() == self.most
            && self.kept.first_key_value().is_some_and(|(first, _)| first.ts_recv > ts_recv)
    }

    fn read(&mut self, store: &dyn DocumentStore, series: &Series) -> Result<(), DocumentError> {
        let key = series_key(&series.run, &series.strategy, &series.symbol);
        let to = self.filter.to.map_or_else(|| key.after_all(), |to| Some(key.clone().number(to)));
        let mut query =
            IndexQuery { index: 0, from: Some(key), to, is_descending: true, after: None, limit: 1 };
        while let Some(Found { key, document }) = store.page(&BUCKETS, &query)?.pop() {
            let first = self
                .take(series, document.body.clone())
                .map_err(|why| damaged(&BUCKETS, &document.id, why))?;
            let is_before = self.filter.from.is_some_and(|from| first < from);
            if is_before || self.are_all_later_than(first) {
                break;
            }
            query.after = Some((key, document.id));
        }
        Ok(())
    }

    /// Takes what is wanted of a bucket; gives the time of its first signal.
    fn take(&mut self, series: &Series, body: Arc<str>) -> Result<u64, String> {
        let mut rows = Rows::of(body)?;
        let (run, strategy, symbol) =
            (series.run.as_str().into(), series.strategy.as_str().into(), series.symbol.as_str().into());
        let (filter, shard) = (self.filter, rows.shard);
        let mut first = None;
        while let Some(row) = rows.next()? {
            let ts_recv = row.2;
            first.get_or_insert(ts_recv);
            let is_in_time =
                filter.from.is_none_or(|from| ts_recv >= from) && filter.to.is_none_or(|to| ts_recv < to);
            if !is_in_time || self.are_all_later_than(ts_recv) {
                continue;
            }
            let found = signal((&run, &strategy, &symbol), shard, row);
            self.kept.insert(found.place(), found);
            if self.kept.len() > self.most {
                self.kept.pop_first();
            }
        }
        Ok(first.unwrap_or(0))
    }
}
