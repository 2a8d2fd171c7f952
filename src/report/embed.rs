//! The page's data as compact JSON: short names, integers, differences to the one before.
//!
//! The scripts read it; what a field means stands here and nowhere else. Every amount, percentage and
//! ratio is here as it is shown, so that the scripts calculate none.

use std::collections::{HashMap, HashSet};

use serde::Serialize;
use strategy_host::market::Instrument;

use super::{InstrumentMarks, Latency, ReportData};

mod account;
mod trades;

use account::{Account, Strategy};
use trades::Trades;

/// The most instruments whose chart is in a page: about 10 KB each.
pub const MAX_CHARTS: usize = 200;

/// The most instruments that have a row in a page's table; with many strategies fewer.
pub const MAX_ROWS: usize = 2000;

/// Accounts of one strategy in one instrument, in all rows together.
const MAX_ACCOUNTS: usize = 40_000;

/// The data of `data` as JSON.
pub(super) fn json(data: &ReportData) -> String {
    serde_json::to_string(&page(data)).expect("numbers, texts and lists are always JSON")
}

#[derive(Serialize)]
struct Page<'a> {
    run: &'a str,
    /// First and last receive time in ms since the UNIX epoch.
    span: [f64; 2],
    /// The first receive time in ns since the UNIX epoch, as text.
    start: String,
    counts: Counts,
    strategies: Vec<Strategy<'a>>,
    /// By symbol.
    instruments: Vec<Row<'a>>,
    /// The place of the instrument whose chart is shown first; -1 where there is none.
    first: i64,
    trades: Trades<'a>,
    latency: [&'a Latency; 2],
}

#[derive(Serialize)]
struct Counts {
    instruments: usize,
}

#[derive(Serialize)]
struct Row<'a> {
    /// Symbol.
    s: &'a str,
    /// Ticks; of those trades, quotes.
    n: [u64; 3],
    /// Last price of the series.
    p: Option<f64>,
    /// Its change since the first one, in percent.
    q: Option<f64>,
    /// All strategies together, where there are several.
    #[serde(skip_serializing_if = "Option::is_none")]
    z: Option<Account>,
    /// By strategy; `null` where it gave no signal.
    a: Vec<Option<Account>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    c: Option<Chart>,
}

#[derive(Serialize)]
struct Chart {
    /// Start of the first bucket in ms since the UNIX epoch.
    t: f64,
    /// Width of a bucket in ms.
    w: f64,
    /// All prices are in 10^-`d` of the quote unit.
    d: u32,
    /// Four numbers a bucket: places since the one before, last price less the one before's, last
    /// less low, high less last.
    b: Vec<i128>,
    m: Vec<Marks>,
}

#[derive(Serialize)]
struct Marks {
    /// Strategy.
    s: usize,
    /// How many signals there were.
    n: u64,
    /// Three numbers a mark: microseconds since the one before (the first since the run's start),
    /// price less the one before's, target position.
    m: Vec<i128>,
}

fn page(data: &ReportData) -> Page<'_> {
    let start = data.facts.first_ts_recv;
    let (instruments, first) = rows(data);
    Page {
        run: &data.run,
        span: [milliseconds(start), milliseconds(data.facts.last_ts_recv)],
        start: start.to_string(),
        counts: Counts { instruments: data.instruments.len() },
        strategies: data.account.strategies.iter().map(|one| Strategy::of(one, start)).collect(),
        instruments,
        first,
        trades: Trades::of(&data.trades, start),
        latency: [&data.time_per_tick, &data.time_per_frame],
    }
}

/// The instruments that the page has, by symbol, and the place of the first one's chart.
fn rows(data: &ReportData) -> (Vec<Row<'_>>, i64) {
    let mut accounts = account::by_symbol(&data.account);
    let mut marks: HashMap<&str, Vec<&InstrumentMarks>> = HashMap::new();
    for sample in &data.marks {
        marks.entry(&sample.symbol).or_default().push(sample);
    }
    let order = by_signals(data, &marks);
    let most = (MAX_ACCOUNTS / data.account.strategies.len().max(1)).clamp(MAX_CHARTS, MAX_ROWS);
    let shown: HashSet<usize> = order.iter().copied().take(most).collect();
    let charted: HashSet<usize> = order.iter().copied().take(MAX_CHARTS).collect();
    let mut first = -1;
    let mut rows = Vec::with_capacity(shown.len());
    for (i, instrument) in data.instruments.iter().enumerate().filter(|(i, _)| shown.contains(i)) {
        if order.first() == Some(&i) {
            first = rows.len() as i64;
        }
        let symbol = instrument.symbol.as_str();
        let (z, a) =
            accounts.remove(symbol).unwrap_or_else(|| (None, vec![None; data.account.strategies.len()]));
        let c = charted.contains(&i).then(|| {
            chart(instrument, marks.get(symbol).map_or(&[][..], Vec::as_slice), data.facts.first_ts_recv)
        });
        rows.push(Row {
            s: symbol,
            n: [instrument.ticks(), instrument.trades, instrument.bids + instrument.asks],
            p: instrument.last_price().map(|raw| quote_units(raw.into())),
            q: change_percent(instrument),
            z,
            a,
            c,
        });
    }
    (rows, first)
}

/// The instruments' places: most signals first, then most ticks.
pub(super) fn by_signals(data: &ReportData, marks: &HashMap<&str, Vec<&InstrumentMarks>>) -> Vec<usize> {
    let mut order: Vec<usize> = (0..data.instruments.len()).collect();
    order.sort_by_cached_key(|&i| {
        let instrument = &data.instruments[i];
        let samples = marks.get(instrument.symbol.as_str());
        let signals: u64 = samples.into_iter().flatten().map(|sample| sample.signals).sum();
        (std::cmp::Reverse((signals, instrument.ticks())), i)
    });
    order
}

/// The change of the price from the first bucket's end to the last one's.
pub(super) fn change_percent(instrument: &Instrument) -> Option<f64> {
    let first = instrument.buckets.first()?.last;
    let last = instrument.last_price()?;
    (first != 0).then(|| rounded((last as f64 - first as f64) / (first as f64).abs() * 100.0))
}

fn chart(instrument: &Instrument, marks: &[&InstrumentMarks], run_start: u64) -> Chart {
    let buckets = &instrument.buckets;
    let prices = buckets.iter().flat_map(|bucket| [bucket.low, bucket.high, bucket.last]);
    let marked = marks.iter().flat_map(|sample| sample.marks.iter().map(|mark| mark.price));
    let (decimals, unit) = decimals_of(prices.chain(marked).map(i128::from));
    let scaled = |raw: i64| i128::from(raw) / unit;

    let width = instrument.bucket_ns.max(1);
    let first = buckets.first().map_or(run_start, |bucket| bucket.start);
    let mut b = Vec::with_capacity(4 * buckets.len());
    let mut place = 0;
    let mut last = 0;
    for bucket in buckets {
        let at = i128::from(bucket.start.saturating_sub(first) / width);
        let price = scaled(bucket.last);
        b.extend([at - place, price - last, price - scaled(bucket.low), scaled(bucket.high) - price]);
        place = at;
        last = price;
    }
    let m = marks.iter().map(|sample| {
        let mut m = Vec::with_capacity(3 * sample.marks.len());
        let mut time = 0;
        let mut price = 0;
        for mark in &sample.marks {
            let now = i128::from(microseconds(mark.ts_recv, run_start));
            let at = scaled(mark.price);
            m.extend([now - time, at - price, i128::from(mark.side.units())]);
            time = now;
            price = at;
        }
        Marks { s: sample.strategy, n: sample.signals, m }
    });
    Chart { t: milliseconds(first), w: milliseconds(width), d: decimals, m: m.collect(), b }
}

/// How many decimals these multiples of 1e-9 need at most, and what to divide them by to have integers.
fn decimals_of(raws: impl Iterator<Item = i128>) -> (u32, i128) {
    let mut decimals = 0;
    let mut unit = 1_000_000_000;
    for raw in raws {
        while raw % unit != 0 {
            unit /= 10;
            decimals += 1;
        }
    }
    (decimals, unit)
}

/// Divided rather than multiplied: the result is the closest f64, which prints without noise.
fn quote_units(raw: i128) -> f64 {
    raw as f64 / 1e9
}

/// A ratio or percentage with the digits that anybody reads.
fn rounded(value: f64) -> f64 {
    (value * 1e6).round() / 1e6
}

fn milliseconds(ns: u64) -> f64 {
    ns as f64 / 1e6
}

fn microseconds(ts: u64, run_start: u64) -> u64 {
    ts.saturating_sub(run_start) / 1000
}
