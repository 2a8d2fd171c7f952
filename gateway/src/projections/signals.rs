//! Signals in buckets: a document holds about 250 signals of one run, strategy and instrument.

use bus::StoredEvent;
use serde::{Deserialize, Serialize};
use tick_sdk::contracts::Contract;
use tick_sdk::contracts::strategies::{CommittedSignal, RunForgotten, SignalsCommitted};
use tick_sdk::decimal::parse_price;

use super::{ApplyError, Projection, read};
use crate::documents::{Batch, Collection, DocumentError, Key};

#[cfg(test)]
mod cost;
mod csv;
mod latest;
mod place;
mod reader;
mod rows;
mod series;

pub(crate) use csv::{write_field, write_row};
pub(crate) use latest::latest_signals;
pub(crate) use place::Place;
pub(crate) use reader::{Looked, OrderedSignals, ReadSignal, SignalFilter};

/// Buckets by series and number; in order of series and time.
static BUCKETS: Collection = Collection { name: "signals", indexes: &["by_time"] };

/// What is known of a run's signals of one strategy and instrument, in order of these.
static SERIES: Collection = Collection { name: "signal_series", indexes: &["by_run"] };

/// A bucket whose text is longer is full. A page of signals reads a bucket of each series, so they are short; and a
/// row of SQLite of this length with its keys fills pages of 4 KiB with little left over, which one that is a little
/// longer does not.
const BUCKET_BYTES: u64 = 12_500;

/// What a bucket's rows stand behind in its text.
const ROWS: &str = ",\"rows\":[";

/// How the text of a bucket ends.
const END: &str = "]}";

struct Signals;

crate::projection!(Signals);

/// A series: what its buckets have in common, and how far they go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Series {
    run: String,
    strategy: String,
    symbol: String,
    /// Signals in all buckets.
    signals: u64,
    /// Receive time of the first.
    first: u64,
    /// Receive time of the last.
    last: u64,
    /// Buckets so far.
    buckets: u64,
    /// Signals in the last bucket.
    in_last: u64,
    /// Bytes of the last bucket's text.
    last_bytes: u64,
    /// Receive time of the last bucket's first signal.
    last_bucket_first: u64,
    /// The shard of the last bucket's signals.
    shard: u16,
}

/// Seq, n, receive time, event time less receive time, side and price: raw, or null where it is undefined.
type Row = (u64, u32, u64, i64, u8, Option<i64>);

impl Projection for Signals {
    const NAME: &'static str = "signals";
    const VERSION: u32 = 2;
    const COLLECTIONS: &'static [&'static Collection] = &[&BUCKETS, &SERIES];

    fn apply(event: &StoredEvent, _: &str, batch: &mut Batch<'_>) -> Result<(), ApplyError> {
        match event.name.as_str() {
            SignalsCommitted::NAME => append_all(batch, &read(event)?),
            RunForgotten::NAME => forget(batch, &read(event)?),
            _ => Ok(()),
        }
    }
}

fn append_all(batch: &mut Batch<'_>, committed: &SignalsCommitted) -> Result<(), ApplyError> {
    let mut of_symbol: Vec<(&str, Vec<Row>)> = Vec::new();
    for signal in &committed.signals {
        let row = row(signal)?;
        match of_symbol.iter_mut().find(|(symbol, _)| *symbol == signal.symbol) {
            Some((_, rows)) => rows.push(row),
            None => of_symbol.push((&signal.symbol, vec![row])),
        }
    }
    for (symbol, rows) in of_symbol {
        append(batch, committed, symbol, &rows)?;
    }
    Ok(())
}

/// While the log still has a part of the run, documents made anew have that part; from here on both have nothing.
fn forget(batch: &mut Batch<'_>, forgotten: &RunForgotten) -> Result<(), ApplyError> {
    for (id, body) in batch.under(&SERIES, 0, &Key::new().text(&forgotten.run))? {
        let series: Series = serde_json::from_str(&body)?;
        for bucket in 1..=series.buckets {
            batch.delete(&BUCKETS, &series.bucket(bucket));
        }
        batch.delete(&SERIES, &id);
    }
    Ok(())
}

/// A document that cannot be read, and why.
fn damaged(collection: &'static Collection, id: &str, reason: String) -> DocumentError {
    DocumentError::Damaged { collection: collection.name, id: id.to_owned(), reason }
}

/// The names of sides, by the number that stands for them in a bucket.
const SIDES: [&str; 3] = ["flat", "buy", "sell"];

fn row(signal: &CommittedSignal) -> Result<Row, ApplyError> {
    let refused = |what: String| ApplyError::Refused(format!("signal {}.{}: {what}", signal.seq, signal.n));
    let side = SIDES.iter().position(|&side| side == signal.side);
    let side = side.ok_or_else(|| refused(format!("'{}' is no side", signal.side)))?;
    let price = signal.price.as_deref().map(|text| {
        parse_price(text.as_bytes()).map_err(|error| refused(format!("the price '{text}' {error}")))
    });
    let lag = signal.ts_event.wrapping_sub(signal.ts_recv) as i64;
    Ok((signal.seq, signal.n, signal.ts_recv, lag, side as u8, price.transpose()?))
}

fn append(
    batch: &mut Batch<'_>,
    committed: &SignalsCommitted,
    symbol: &str,
    mut rows: &[Row],
) -> Result<(), ApplyError> {
    let id = format!("{}/{}/{symbol}", committed.run, committed.strategy);
    let mut series: Series = batch.get(&SERIES, &id)?.unwrap_or_else(|| Series {
        run: committed.run.clone(),
        strategy: committed.strategy.clone(),
        symbol: symbol.to_owned(),
        signals: 0,
        first: rows.first().map_or(0, |row| row.2),
        last: 0,
        buckets: 0,
        in_last: 0,
        last_bytes: 0,
        last_bucket_first: 0,
        shard: committed.shard,
    });
    while !rows.is_empty() {
        let is_full = series.last_bytes >= BUCKET_BYTES || series.shard != committed.shard;
        if series.buckets == 0 || is_full {
            series.begin_bucket(batch, committed.shard, rows[0].2);
        }
        rows = series.extend_bucket(batch, rows)?;
    }
    let keys = vec![Some(series_key(&series.run, &series.strategy, &series.symbol))];
    Ok(batch.put(&SERIES, &id, keys, &series)?)
}

impl Series {
    fn begin_bucket(&mut self, batch: &mut Batch<'_>, shard: u16, first: u64) {
        self.buckets += 1;
        self.in_last = 0;
        self.last_bucket_first = first;
        self.shard = shard;
        let head = serde_json::json!({
            "run": self.run, "strategy": self.strategy, "symbol": self.symbol, "shard": shard,
        });
        let mut body = head.to_string();
        body.truncate(body.len() - 1);
        body.push_str(ROWS);
        body.push_str(END);
        self.last_bytes = body.len() as u64;
        batch.put_text(&BUCKETS, &self.last_bucket(), self.last_bucket_keys(), body);
    }

    /// Appends signals until the bucket is full; gives those that are left.
    fn extend_bucket<'a>(&mut self, batch: &mut Batch<'_>, rows: &'a [Row]) -> Result<&'a [Row], ApplyError> {
        let mut tail = String::new();
        let mut taken = 0;
        for row in rows {
            if self.last_bytes + tail.len() as u64 >= BUCKET_BYTES {
                break;
            }
            taken += 1;
            if self.in_last > 0 {
                tail.push(',');
            }
            tail.push_str(&serde_json::to_string(row)?);
            self.in_last += 1;
            self.signals += 1;
            self.last = self.last.max(row.2);
            self.first = self.first.min(row.2);
        }
        self.last_bytes += tail.len() as u64;
        tail.push_str(END);
        let keys = || self.last_bucket_keys();
        batch.replace_tail(&BUCKETS, &self.last_bucket(), END.len(), &tail, keys)?;
        Ok(&rows[taken..])
    }

    fn last_bucket(&self) -> String {
        self.bucket(self.buckets)
    }

    /// The id of a bucket, which are numbered from 1.
    fn bucket(&self, number: u64) -> String {
        format!("{}/{}/{}/{number:010}", self.run, self.strategy, self.symbol)
    }

    fn last_bucket_keys(&self) -> Vec<Option<Key>> {
        let key = series_key(&self.run, &self.strategy, &self.symbol);
        vec![Some(key.number(self.last_bucket_first).number(self.buckets))]
    }
}

fn series_key(run: &str, strategy: &str, symbol: &str) -> Key {
    Key::new().text(run).text(strategy).text(symbol)
}
