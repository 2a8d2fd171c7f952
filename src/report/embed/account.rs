//! What strategies earned, for the page's data.

use std::collections::HashMap;

use serde::Serialize;
use strategy_host::paper::{InstrumentResult, PaperResults, StrategyResult};

use super::{decimals_of, microseconds, milliseconds, quote_units, rounded};

/// A strategy's curves and distributions.
#[derive(Serialize)]
pub(super) struct Strategy<'a> {
    name: &'a str,
    /// What an amount is multiplied by to be in percent of its capital.
    percent: Option<f64>,
    /// Equity.
    curve: Curve,
    /// Equity below its highest value before, as a negative amount.
    fall: Curve,
    exposure: Exposure,
    /// By hour (UTC): profit, round trips.
    hours: Vec<(f64, u64)>,
    /// By day (UTC): its midnight in ms since the UNIX epoch, days, profit, round trips.
    days: Vec<(f64, u64, f64, u64)>,
    results: Results,
}

#[derive(Serialize)]
struct Curve {
    /// Microseconds since the one before, the first since the run's start.
    t: Vec<u64>,
    /// Difference to the one before, in 10^-`d` of the quote unit.
    v: Vec<i128>,
    d: u32,
}

#[derive(Serialize)]
struct Exposure {
    /// Start of the first stretch in ms since the UNIX epoch.
    t: f64,
    /// Length of a stretch in ms.
    w: f64,
    /// Share of each stretch with a position, mean over the instruments, in tenths of a percent.
    v: Vec<u32>,
}

#[derive(Serialize)]
struct Results {
    /// The width of a bin.
    w: f64,
    /// Where each bin begins, and how many round trips are in it.
    b: Vec<(f64, u64)>,
}

/// Signals, round trips, hit rate in percent, net profit, net profit in percent of the capital, Sharpe,
/// maximum drawdown, the same in percent, exposure in percent.
pub(super) type Account =
    (u64, u64, Option<f64>, f64, Option<f64>, Option<f64>, Option<f64>, Option<f64>, Option<f64>);

impl<'a> Strategy<'a> {
    pub(super) fn of(one: &'a StrategyResult, run_start: u64) -> Self {
        let capital = one.performance.capital.map(|capital| capital.amount).filter(|amount| *amount > 0);
        Self {
            name: &one.strategy,
            percent: capital.map(|amount| 100.0 / quote_units(amount)),
            curve: curve(one.curve.iter().map(|point| (point.ts_recv, point.equity)), run_start),
            fall: curve(one.drawdowns.iter().map(|point| (point.ts_recv, -point.depth)), run_start),
            exposure: Exposure {
                t: one.exposure.first().map_or(0.0, |point| milliseconds(point.ts_recv)),
                w: milliseconds(one.performance.returns.stretch_ns),
                v: one.exposure.iter().map(|point| (point.share * 1000.0).round() as u32).collect(),
            },
            hours: one
                .hours
                .iter()
                .map(|hour| (quote_units(hour.figures.profit), hour.figures.traded.trades))
                .collect(),
            days: one
                .days
                .iter()
                .map(|day| {
                    let profit = quote_units(day.figures.profit);
                    (milliseconds(day.start), day.days, profit, day.figures.traded.trades)
                })
                .collect(),
            results: Results {
                w: quote_units(one.distribution.width),
                b: one.distribution.bins.iter().map(|bin| (quote_units(bin.from), bin.trades)).collect(),
            },
        }
    }
}

fn curve(points: impl Iterator<Item = (u64, i128)> + Clone, run_start: u64) -> Curve {
    let (decimals, unit) = decimals_of(points.clone().map(|(_, value)| value));
    let mut curve = Curve { t: Vec::new(), v: Vec::new(), d: decimals };
    let mut time = 0;
    let mut last = 0;
    for (ts_recv, value) in points {
        let now = microseconds(ts_recv, run_start).max(time);
        curve.t.push(now - time);
        curve.v.push(value / unit - last);
        time = now;
        last = value / unit;
    }
    curve
}

/// What all strategies together, and each of them, did with an instrument.
pub(super) type Accounts = (Option<Account>, Vec<Option<Account>>);

/// By symbol.
pub(super) fn by_symbol(results: &PaperResults) -> HashMap<&str, Accounts> {
    let strategies = results.strategies.len();
    let mut found: HashMap<&str, Vec<Option<&InstrumentResult>>> = HashMap::new();
    for (i, strategy) in results.strategies.iter().enumerate() {
        for result in &strategy.instruments {
            found.entry(&result.symbol).or_insert_with(|| vec![None; strategies])[i] = Some(result);
        }
    }
    let accounts = found.into_iter().map(|(symbol, each)| {
        let sum = (strategies > 1).then(|| together(&each));
        (symbol, (sum, each.into_iter().map(|one| one.map(account)).collect()))
    });
    accounts.collect()
}

fn account(result: &InstrumentResult) -> Account {
    let InstrumentResult { figures, performance, .. } = result;
    let percent = |amount| performance.percent(amount).map(rounded);
    (
        figures.signals,
        figures.trades,
        figures.hit_rate().map(|rate| rounded(rate * 100.0)),
        quote_units(performance.net_profit),
        percent(performance.net_profit),
        performance.sharpe.map(rounded),
        Some(quote_units(figures.max_drawdown)),
        percent(figures.max_drawdown),
        Some(rounded(figures.exposure * 100.0)),
    )
}

/// Counts and money add up; drawdowns, ratios and exposures do not.
fn together(results: &[Option<&InstrumentResult>]) -> Account {
    let given = || results.iter().flatten();
    let sum = |of: fn(&InstrumentResult) -> u64| given().map(|one| of(one)).sum::<u64>();
    let trades = sum(|one| one.figures.trades);
    let wins = sum(|one| one.figures.wins);
    let hit_rate = (trades > 0).then(|| rounded(wins as f64 / trades as f64 * 100.0));
    let net: i128 = given().map(|one| one.performance.net_profit).sum();
    (sum(|one| one.figures.signals), trades, hit_rate, quote_units(net), None, None, None, None, None)
}
