//! One series of signals, read bucket by bucket.

use std::sync::Arc;

use super::rows::Rows;
use super::{BUCKETS, Row, Series, damaged, series_key};
use crate::documents::{Document, DocumentError, DocumentStore, Found, IndexQuery, Key};

/// A signal's place within its series: receive time, seq and n. Signals of a series stand in this order.
pub(super) type InSeries = (u64, u64, u32);

/// What has been read of a series, and from where to read on.
pub(super) struct SeriesReader {
    pub(super) strategy: Arc<str>,
    pub(super) symbol: Arc<str>,
    /// The shard of the signals that are read.
    pub(super) shard: u16,
    key: Key,
    /// Signals before this place are left out.
    from: InSeries,
    /// Whether the first bucket may have signals before it.
    is_entered_within: bool,
    /// The bucket that was read last: its key and id.
    after: Option<(Key, String)>,
    is_exhausted: bool,
    rows: Option<Rows>,
    next: Option<Row>,
}

impl SeriesReader {
    /// Begins with the first signal whose place is not before `from`.
    pub(super) fn new(series: &Series, from: InSeries) -> Self {
        Self {
            strategy: series.strategy.as_str().into(),
            symbol: series.symbol.as_str().into(),
            shard: 0,
            key: series_key(&series.run, &series.strategy, &series.symbol),
            from,
            is_entered_within: from.0 > series.first,
            after: None,
            is_exhausted: false,
            rows: None,
            next: None,
        }
    }

    /// The next signal, `None` after the last.
    pub(super) fn peek(&mut self, store: &dyn DocumentStore) -> Result<Option<Row>, DocumentError> {
        while self.next.is_none() && !self.is_exhausted {
            self.next = self.rows.as_mut().map_or(Ok(None), Rows::next).map_err(|why| self.damaged(why))?;
            if self.next.is_none() {
                self.read_bucket(store)?;
            }
        }
        Ok(self.next)
    }

    /// Leaves the signal out that [`SeriesReader::peek`] gave.
    pub(super) const fn advance(&mut self) {
        self.next = None;
    }

    fn read_bucket(&mut self, store: &dyn DocumentStore) -> Result<(), DocumentError> {
        let Some(Found { key, document: Document { id, body } }) = self.next_bucket(store)? else {
            self.is_exhausted = true;
            return Ok(());
        };
        self.after = Some((key, id));
        let mut rows = Rows::of(body).map_err(|why| self.damaged(why))?;
        let from = self.from;
        rows.skip_while(|row| place(row) < from).map_err(|why| self.damaged(why))?;
        self.shard = rows.shard;
        self.rows = Some(rows);
        Ok(())
    }

    fn next_bucket(&mut self, store: &dyn DocumentStore) -> Result<Option<Found>, DocumentError> {
        let query = IndexQuery {
            index: 0,
            from: Some(self.key.clone()),
            to: self.key.after_all(),
            is_descending: false,
            after: self.after.take(),
            limit: 1,
        };
        if std::mem::take(&mut self.is_entered_within) {
            // Only in the last bucket that begins before the wanted time, and behind it, are signals of that time.
            let to = Some(self.key.clone().number(self.from.0));
            let within = IndexQuery { to, is_descending: true, ..query.clone() };
            if let Some(found) = store.page(&BUCKETS, &within)?.pop() {
                return Ok(Some(found));
            }
        }
        Ok(store.page(&BUCKETS, &query)?.pop())
    }

    fn damaged(&self, reason: String) -> DocumentError {
        let id = self.after.as_ref().map_or_else(String::new, |(_, id)| id.clone());
        damaged(&BUCKETS, &id, reason)
    }
}

/// Where a row stands in its series.
const fn place(row: &Row) -> InSeries {
    (row.2, row.0, row.1)
}
