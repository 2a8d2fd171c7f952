//! The results on standard output: for people, or as JSON.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};
use strategy_host::paper::{Figures, Performance};
use tick_sdk::decimal::format_decimal;

use super::figures;
use crate::counts;
use crate::duration::{format_duration, format_time};
use crate::replay::{ReplayOutcome, per_second};
use crate::report::Latency;
use crate::text::{printable, summarised, table, thousands};

/// So many strategies are named with their parameters.
const STRATEGIES_SHOWN: usize = 10;

/// All that is shown of a replay.
pub(super) struct Summary<'a> {
    pub(super) outcome: &'a ReplayOutcome,
    /// The highest anonymous memory seen, in bytes; 0 where it is not known.
    pub(super) peak_anonymous: u64,
    /// The files that were written.
    pub(super) written: Vec<&'a Path>,
}

impl Summary<'_> {
    /// For people.
    pub(super) fn text(&self) -> String {
        text(self)
    }

    /// For machines: one object on one line. Times are in ns, money in decimal text.
    ///
    /// # Errors
    /// A figure has no place in JSON.
    pub(super) fn json(&self) -> serde_json::Result<String> {
        json(self)
    }
}

fn text(summary: &Summary<'_>) -> String {
    let Summary { outcome, .. } = summary;
    let mut text = table_of_facts(summary);
    text.push('\n');
    text.push_str(&table_of_accounts(outcome));
    text.push('\n');
    text.push_str(&table_of_times(outcome));
    text.push_str(&counts::left_out(&outcome.feed.counts));
    text
}

fn table_of_facts(summary: &Summary<'_>) -> String {
    let Summary { outcome, peak_anonymous, written } = summary;
    let peak_anonymous = *peak_anonymous;
    let feed = &outcome.feed;
    let mut lines = Vec::new();
    let mut line = |name: &str, value: String| lines.push(format!("{name:<13}{value}\n"));
    let state = match (feed.interrupted, outcome.is_kept) {
        (false, _) => "done",
        (true, true) => "interrupted; the same command resumes it",
        (true, false) => "interrupted; with --state DIR it could be resumed",
    };
    line("Run", format!("{}, {state}", outcome.run));
    line("Sources", printable(&summarised(&outcome.sources).join(", ")));
    for (place, strategy) in outcome.strategies.iter().take(STRATEGIES_SHOWN).enumerate() {
        line(if place == 0 { "Strategies" } else { "" }, printable(&strategy.to_string()));
    }
    if let Some(more) = outcome.strategies.len().checked_sub(STRATEGIES_SHOWN + 1) {
        line("", format!("and {} more", more + 1));
    }
    line("Capital", capital(outcome));
    let kinds = outcome.ticks_by_kind();
    let kinds: Vec<_> = kinds
        .iter()
        .filter(|(_, count)| *count > 0)
        .map(|(name, n)| format!("{} {name}", thousands(*n)))
        .collect();
    let kinds = if kinds.is_empty() { String::new() } else { format!(" ({})", kinds.join(", ")) };
    line("Ticks", format!("{}{kinds}", thousands(feed.ticks)));
    line("Instruments", thousands(feed.instruments));
    if let Some((first, last)) = feed.span {
        let span = format_duration(last - first);
        line("Time span", format!("{} to {} UTC ({span})", format_time(first), format_time(last)));
    }
    for (name, value) in counts::lines(&feed.counts) {
        line(name, value);
    }
    let rate = per_second(feed.ticks, outcome.elapsed);
    let seconds = outcome.elapsed.as_secs_f64();
    line(
        "Speed",
        format!("{} ticks/s ({seconds:.3} s, {} commits)", thousands(rate), thousands(outcome.commits)),
    );
    // What a resumed run is given again was taken before: that is no fault of a transport.
    let again = if outcome.resumed { " (taken before the resume)" } else { "" };
    line("Delivery", format!("{} duplicates{again}, 0 gaps", thousands(outcome.duplicates())));
    if peak_anonymous > 0 {
        line("Memory", format!("{:.1} MB at most, mapped files aside", peak_anonymous as f64 * 1e-6));
    }
    if !written.is_empty() {
        let written: Vec<_> = written.iter().map(|path| printable(&path.display().to_string())).collect();
        line("Written", written.join(", "));
    }
    lines.concat()
}

fn table_of_accounts(outcome: &ReplayOutcome) -> String {
    let titles = [
        "Strategy",
        "signals",
        "trades",
        "hit rate",
        "net profit",
        "of capital",
        "drawdown",
        "Sharpe",
        "fees",
        "exposure",
    ];
    let mut rows = vec![titles.map(str::to_owned).to_vec()];
    for strategy in &outcome.account.strategies {
        rows.push(account_row(&strategy.strategy, &strategy.total, &strategy.performance));
        // With one instrument the total says it all; with many the report lists them.
        let shown = if strategy.instruments.len() > 1 { strategy.instruments.len().min(10) } else { 0 };
        for instrument in &strategy.instruments[..shown] {
            let name = format!("  {}", instrument.symbol);
            rows.push(account_row(&name, &instrument.figures, &instrument.performance));
        }
        if strategy.instruments.len() > shown && shown > 0 {
            rows.push(vec![format!("  and {} more, in --report", strategy.instruments.len() - shown)]);
        }
    }
    table(&rows)
}

fn account_row(name: &str, figures: &Figures, performance: &Performance) -> Vec<String> {
    let or_none = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    let percent = performance.percent(performance.net_profit);
    vec![
        name.to_owned(),
        thousands(figures.signals),
        thousands(figures.trades),
        or_none(figures.hit_rate().map(|rate| format!("{:.1} %", rate * 100.0))),
        money(performance.net_profit),
        or_none(percent.map(|percent| format!("{percent:.2} %"))),
        money(figures.max_drawdown),
        or_none(performance.sharpe.map(|sharpe| format!("{sharpe:.2}"))),
        money(figures.fees),
        format!("{:.1} %", figures.exposure * 100.0),
    ]
}

/// What percentages are of.
fn capital(outcome: &ReplayOutcome) -> String {
    match outcome.account.capital {
        Some(amount) => money(amount),
        None => "the notional: the first price of each instrument traded, summed".to_owned(),
    }
}

/// Money to the cent, halves away from zero.
fn money(raw: i128) -> String {
    let cents = (raw + raw.signum() * 5_000_000) / 10_000_000;
    let text = format_decimal(cents * 10_000_000);
    match text.split_once('.') {
        None => format!("{text}.00"),
        Some((_, decimals)) if decimals.len() == 1 => format!("{text}0"),
        Some(_) => text,
    }
}

fn table_of_times(outcome: &ReplayOutcome) -> String {
    let titles = ["Time", "p50", "p90", "p99", "p99.9", "max"];
    let mut rows = vec![titles.map(str::to_owned).to_vec()];
    for (name, latency) in [("per tick", outcome.time_per_tick()), ("per frame", outcome.time_per_frame())] {
        let values = [latency.p50, latency.p90, latency.p99, latency.p999, latency.max];
        rows.push(std::iter::once(name.to_owned()).chain(values.map(time)).collect());
    }
    table(&rows)
}

fn time(ns: f64) -> String {
    match ns {
        ns if ns >= 1e6 => format!("{:.1} ms", ns * 1e-6),
        ns if ns >= 1e3 => format!("{:.1} us", ns * 1e-3),
        ns => format!("{ns:.1} ns"),
    }
}

fn json(summary: &Summary<'_>) -> serde_json::Result<String> {
    let Summary { outcome, peak_anonymous, written } = summary;
    let feed = &outcome.feed;
    let strategies = outcome.account.strategies.iter().zip(&outcome.strategies);
    let strategies = strategies.map(|(result, configured)| {
        let mut value = figures::of_strategy(result);
        value["instance_of"] = configured.strategy.clone().into();
        value["parameters"] = configured.parameters.iter().cloned().collect();
        value
    });
    let strategies: Vec<_> = strategies.collect();
    let mut value = json!({
        "run": outcome.run.to_string(),
        "resumed": outcome.resumed,
        "interrupted": feed.interrupted,
        "sources": outcome.sources,
        "written": written,
        "ticks": feed.ticks,
        "ticks_by_kind": outcome.ticks_by_kind().into_iter().collect::<BTreeMap<_, _>>(),
        "instruments": feed.instruments,
        "first_ts_recv": feed.span.map(|span| span.0),
        "last_ts_recv": feed.span.map(|span| span.1),
        "elapsed_seconds": outcome.elapsed.as_secs_f64(),
        "ticks_per_second": per_second(feed.ticks, outcome.elapsed),
        "frames": feed.frames,
        "commits": outcome.commits,
        "duplicates": outcome.duplicates(),
        "gaps": 0,
        "peak_anonymous_bytes": peak_anonymous,
        "time_per_tick_ns": quantiles(&outcome.time_per_tick()),
        "time_per_frame_ns": quantiles(&outcome.time_per_frame()),
        "strategies": strategies,
    });
    counts::add_to_json(&mut value, &feed.counts);
    Ok(serde_json::to_string(&value)? + "\n")
}

fn quantiles(latency: &Latency) -> Value {
    json!({
        "p50": latency.p50, "p90": latency.p90, "p99": latency.p99, "p99.9": latency.p999, "max": latency.max,
    })
}
