//! The page's data as compact JSON: short names, integers, differences to the one before.
//!
//! `page.js` reads it; what a field means stands here and nowhere else.

use std::collections::{HashMap, HashSet};

use serde::Serialize;
use strategy_host::{
    market::Instrument,
    paper::{EquityPoint, Figures},
};

use super::{InstrumentMarks, Latency, ReportData, RunFacts};

/// The most instruments whose chart is in a page: about 10 KB each.
pub const MAX_CHARTS: usize = 500;

/// The data of `data` as JSON.
pub(super) fn json(data: &ReportData) -> String {
    serde_json::to_string(&page(data)).expect("numbers, texts and lists are always JSON")
}

#[derive(Serialize)]
struct Page<'a> {
    title: &'a str,
    facts: &'a RunFacts,
    /// First and last receive time in ms since the UNIX epoch.
    span: [f64; 2],
    rules: Rules,
    strategies: Vec<Strategy<'a>>,
    instruments: Vec<Row<'a>>,
    latency: [&'a Latency; 2],
}

#[derive(Serialize)]
struct Rules {
    fill: &'static str,
    slippage: String,
    fee: String,
}

#[derive(Serialize)]
struct Strategy<'a> {
    name: &'a str,
    total: Account,
    /// Where its signals that traded nothing, or at another price than intended, went: redundant,
    /// unpriced, fallbacks.
    notes: [u64; 3],
    curve: Curve,
}

/// Signals, round trips, wins, realised, open, fees, equity, maximum drawdown (all in the quote unit),
/// exposure (0 to 1).
type Account = (u64, u64, u64, f64, f64, f64, f64, f64, f64);

#[derive(Serialize)]
struct Curve {
    /// Microseconds since the one before, the first since the run's start.
    t: Vec<u64>,
    /// Difference to the one before, in 10^-`d` of the quote unit.
    v: Vec<i128>,
    d: u32,
}

#[derive(Serialize)]
struct Row<'a> {
    /// Symbol.
    s: &'a str,
    /// Trades, bids, asks, others.
    n: [u64; 4],
    /// First and last price of the series; the last trade, bid and ask.
    p: [Option<f64>; 5],
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
    let strategies = data.account.strategies.iter();
    Page {
        title: &data.title,
        facts: &data.facts,
        span: [milliseconds(start), milliseconds(data.facts.last_ts_recv)],
        rules: Rules {
            fill: data.account.rules.fill.name(),
            slippage: data.account.rules.slippage_bp.to_string(),
            fee: data.account.rules.fee_bp.to_string(),
        },
        strategies: strategies
            .map(|one| Strategy {
                name: &one.strategy,
                total: account(&one.total),
                notes: [one.total.redundant, one.total.unpriced, one.total.fallbacks],
                curve: curve(&one.curve, start),
            })
            .collect(),
        instruments: rows(data),
        latency: [&data.time_per_tick, &data.time_per_frame],
    }
}

fn rows(data: &ReportData) -> Vec<Row<'_>> {
    let mut accounts: HashMap<&str, Vec<Option<Account>>> = HashMap::new();
    let strategies = data.account.strategies.len();
    for (i, strategy) in data.account.strategies.iter().enumerate() {
        for result in &strategy.instruments {
            let row = accounts.entry(&result.symbol).or_insert_with(|| vec![None; strategies]);
            row[i] = Some(account(&result.figures));
        }
    }
    let mut marks: HashMap<&str, Vec<&InstrumentMarks>> = HashMap::new();
    for sample in &data.marks {
        marks.entry(&sample.symbol).or_default().push(sample);
    }
    let charted = charted(data, &marks);
    data.instruments
        .iter()
        .enumerate()
        .map(|(i, instrument)| Row {
            s: &instrument.symbol,
            n: [instrument.trades, instrument.bids, instrument.asks, instrument.others],
            p: [
                instrument.buckets.first().map(|bucket| bucket.last),
                instrument.last_price(),
                instrument.last_trade,
                instrument.last_bid,
                instrument.last_ask,
            ]
            .map(|price| price.map(|raw| quote_units(raw.into()))),
            c: charted.contains(&i).then(|| {
                let marks = marks.get(instrument.symbol.as_str()).map_or(&[][..], Vec::as_slice);
                chart(instrument, marks, data.facts.first_ts_recv)
            }),
            a: accounts.remove(instrument.symbol.as_str()).unwrap_or_else(|| vec![None; strategies]),
        })
        .collect()
}

/// The places of the instruments that get a chart: most signals first, then most ticks.
fn charted(data: &ReportData, marks: &HashMap<&str, Vec<&InstrumentMarks>>) -> HashSet<usize> {
    let mut order: Vec<usize> = (0..data.instruments.len()).collect();
    order.sort_by_cached_key(|&i| {
        let instrument = &data.instruments[i];
        let samples = marks.get(instrument.symbol.as_str());
        let signals: u64 = samples.into_iter().flatten().map(|sample| sample.signals).sum();
        (std::cmp::Reverse((signals, instrument.ticks())), i)
    });
    order.into_iter().take(MAX_CHARTS).collect()
}

fn chart(instrument: &Instrument, marks: &[&InstrumentMarks], run_start: u64) -> Chart {
    let buckets = &instrument.buckets;
    let prices = buckets.iter().flat_map(|bucket| [bucket.low, bucket.high, bucket.last]);
    let marked = marks.iter().flat_map(|sample| sample.marks.iter().map(|mark| mark.price));
    let (decimals, unit) = decimals_of(prices.chain(marked).map(i128::from));
    let scaled = |raw: i64| i128::from(raw) / unit;

    let width = instrument.bucket_ns.max(1);
    let first = buckets.first().map_or(run_start, |bucket| bucket.start);
    let (mut place, mut last, mut b) = (0, 0, Vec::with_capacity(4 * buckets.len()));
    for bucket in buckets {
        let at = i128::from(bucket.start.saturating_sub(first) / width);
        let price = scaled(bucket.last);
        b.extend([at - place, price - last, price - scaled(bucket.low), scaled(bucket.high) - price]);
        (place, last) = (at, price);
    }
    let m = marks.iter().map(|sample| {
        let (mut time, mut price, mut m) = (0, 0, Vec::with_capacity(3 * sample.marks.len()));
        for mark in &sample.marks {
            let (now, at) = (i128::from(microseconds(mark.ts_recv, run_start)), scaled(mark.price));
            m.extend([now - time, at - price, i128::from(mark.side.units())]);
            (time, price) = (now, at);
        }
        Marks { s: sample.strategy, n: sample.signals, m }
    });
    Chart { t: milliseconds(first), w: milliseconds(width), d: decimals, m: m.collect(), b }
}

fn curve(points: &[EquityPoint], run_start: u64) -> Curve {
    let (decimals, unit) = decimals_of(points.iter().map(|point| point.equity));
    let (mut time, mut value) = (0, 0);
    let (mut t, mut v) = (Vec::with_capacity(points.len()), Vec::with_capacity(points.len()));
    for point in points {
        let now = microseconds(point.ts_recv, run_start).max(time);
        t.push(now - time);
        v.push(point.equity / unit - value);
        (time, value) = (now, point.equity / unit);
    }
    Curve { t, v, d: decimals }
}

fn account(figures: &Figures) -> Account {
    (
        figures.signals,
        figures.trades,
        figures.wins,
        quote_units(figures.realised),
        quote_units(figures.open),
        quote_units(figures.fees),
        quote_units(figures.equity()),
        quote_units(figures.max_drawdown),
        figures.exposure,
    )
}

/// How many decimals these multiples of 1e-9 need at most, and what to divide them by to have integers.
fn decimals_of(raws: impl Iterator<Item = i128>) -> (u32, i128) {
    let (mut decimals, mut unit) = (0, 1_000_000_000);
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

fn milliseconds(ns: u64) -> f64 {
    ns as f64 / 1e6
}

fn microseconds(ts: u64, run_start: u64) -> u64 {
    ts.saturating_sub(run_start) / 1000
}
