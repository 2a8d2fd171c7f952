//! What a reader without JavaScript sees in place of charts and interactive tables.

use std::collections::HashMap;
use std::fmt::Write;

use strategy_host::paper::StrategyResult;

use super::numbers::{duration, money, price, signed, signed_percent};
use super::{ReportData, embed, escape_html};
use crate::duration::format_time;
use crate::text::thousands;

/// The size of the drawing, in its own units.
const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 260.0;
const LEFT: f64 = 74.0;
const TOP: f64 = 14.0;
const BOTTOM: f64 = HEIGHT - 26.0;
const RIGHT: f64 = WIDTH - 8.0;

/// Where a curve may have points: each of these columns keeps its lowest and its highest.
const COLUMNS: usize = 120;

/// The most strategies that are drawn, and that have tables of their own.
const STRATEGIES: usize = 8;

/// The most rows of a table.
const ROWS: usize = 50;

/// The equity of the strategies over time, as an SVG.
pub(super) fn equity(data: &ReportData) -> String {
    let strategies = data.account.strategies.iter().take(STRATEGIES);
    let values = strategies.clone().flat_map(|one| one.curve.iter().map(|point| point.equity as f64));
    let low = values.clone().fold(0.0, f64::min);
    let high = values.fold(0.0, f64::max);
    let room = if high > low { (high - low) * 0.06 } else { 1e9 };
    let (low, high) = (low - room, high + room);
    let (from, to) = (data.facts.first_ts_recv, data.facts.last_ts_recv);
    let to_x = |ts: u64| {
        LEFT + ts.saturating_sub(from) as f64 / to.saturating_sub(from).max(1) as f64 * (RIGHT - LEFT)
    };
    let to_y = |value: f64| BOTTOM - (value - low) / (high - low) * (BOTTOM - TOP);
    let mut out = format!(
        "<svg class=\"still\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"Equity over receive time\">"
    );
    for value in [low + room, 0.0, high - room] {
        let y = to_y(value);
        let _ = write!(out, "<path class=\"grid\" d=\"M{LEFT},{y:.1}H{RIGHT}\"/>");
        let text = money(value as i128);
        let _ = write!(
            out,
            "<text x=\"{:.0}\" y=\"{:.1}\" text-anchor=\"end\">{text}</text>",
            LEFT - 6.0,
            y + 4.0
        );
    }
    let y = HEIGHT - 8.0;
    let _ = write!(out, "<text x=\"{LEFT}\" y=\"{y}\">{}</text>", &format_time(from));
    let _ = write!(out, "<text x=\"{RIGHT}\" y=\"{y}\" text-anchor=\"end\">{} UTC</text>", &format_time(to));
    for (i, strategy) in strategies.enumerate() {
        let points = thinned(strategy, from, to);
        let mut d = format!("M{LEFT},{:.1}", to_y(0.0));
        for (ts, equity) in points {
            let _ = write!(d, "L{:.1},{:.1}", to_x(ts), to_y(equity as f64));
        }
        let _ = write!(out, "<path class=\"line k{i}\" d=\"{d}\"/>");
    }
    out.push_str("</svg>");
    out
}

/// The lowest and the highest point of each column, in order of time, and the last.
fn thinned(strategy: &StrategyResult, from: u64, to: u64) -> Vec<(u64, i128)> {
    let column = |ts: u64| {
        (u128::from(ts.saturating_sub(from)) * COLUMNS as u128 / u128::from(to.saturating_sub(from).max(1)))
            as usize
    };
    let mut kept = Vec::new();
    for points in strategy.curve.chunk_by(|a, b| column(a.ts_recv) == column(b.ts_recv)) {
        let mut extremes: Vec<_> = points.iter().min_by_key(|point| point.equity).into_iter().collect();
        extremes.extend(points.iter().max_by_key(|point| point.equity));
        extremes.extend(points.last());
        extremes.sort_by_key(|point| point.ts_recv);
        extremes.dedup();
        kept.extend(extremes.iter().map(|point| (point.ts_recv, point.equity)));
    }
    kept
}

/// Tables of the first round trips.
pub(super) fn trades(data: &ReportData) -> String {
    let listed = &data.trades.listed[..data.trades.listed.len().min(ROWS)];
    let heads = [
        "Strategy",
        "Instrument",
        "Side",
        "Opened (UTC)",
        "Held",
        "Entry",
        "Exit",
        "Fees",
        "Profit",
        "In percent",
    ];
    let rows = listed.iter().map(|one| {
        let trade = &one.trade;
        let strategy = data.account.strategies.get(one.strategy).map_or("", |named| named.strategy.as_str());
        vec![
            strategy.to_owned(),
            one.symbol.to_string(),
            if trade.side.units() > 0 { "long".to_owned() } else { "short".to_owned() },
            format_time(trade.opened_at),
            duration(trade.closed_at.saturating_sub(trade.opened_at)),
            price(trade.entry),
            price(trade.exit),
            money(trade.fees),
            signed(trade.profit),
            one.percent().map_or_else(|| "–".to_owned(), signed_percent),
        ]
    });
    table("stack cards trips", &heads, rows) + &of_all(listed.len(), data.trades.count)
}

/// A table of the instruments with the most signals.
pub(super) fn instruments(data: &ReportData) -> String {
    let mut marks: HashMap<_, Vec<_>> = HashMap::new();
    for sample in &data.marks {
        marks.entry(sample.symbol.as_str()).or_default().push(sample);
    }
    let mut net: HashMap<&str, (u64, i128)> = HashMap::new();
    for result in data.account.strategies.iter().flat_map(|one| &one.instruments) {
        let entry = net.entry(&result.symbol).or_default();
        entry.0 += result.figures.trades;
        entry.1 += result.performance.net_profit;
    }
    let order = embed::by_signals(data, &marks);
    let rows = order.iter().take(ROWS).map(|&i| {
        let one = &data.instruments[i];
        let earned = net.get(one.symbol.as_str());
        vec![
            one.symbol.clone(),
            thousands(one.ticks()),
            one.last_price().map_or_else(|| "–".to_owned(), |last| price(last.into())),
            embed::change_percent(one).map_or_else(|| "–".to_owned(), signed_percent),
            earned.map_or_else(|| "–".to_owned(), |(trades, _)| thousands(*trades)),
            earned.map_or_else(|| "–".to_owned(), |(_, net)| signed(*net)),
        ]
    });
    let heads = ["Instrument", "Ticks", "Last price", "Change", "Round trips", "Net profit"];
    table("stack cards", &heads, rows) + &of_all(order.len().min(ROWS), order.len() as u64)
}

/// Profit by day and by hour, and the distribution of results, a table each.
pub(super) fn results(data: &ReportData) -> String {
    let mut out = String::new();
    for strategy in data.account.strategies.iter().take(STRATEGIES) {
        let name = escape_html(&strategy.strategy);
        let _ = write!(out, "<h3>{name}</h3><div class=\"columns\">");
        let days =
            strategy.days.iter().filter(|day| day.figures.traded.trades > 0 || day.figures.profit != 0);
        let days = days.take(ROWS).map(|day| {
            let traded = thousands(day.figures.traded.trades);
            vec![format_time(day.start)[..10].to_owned(), traded, signed(day.figures.profit)]
        });
        out.push_str(&table("", &["Day", "Round trips", "Profit"], days));
        let hours =
            strategy.hours.iter().filter(|hour| hour.figures.traded.trades > 0 || hour.figures.profit != 0);
        let hours = hours.map(|hour| {
            let traded = thousands(hour.figures.traded.trades);
            vec![format!("{:02}:00", hour.hour), traded, signed(hour.figures.profit)]
        });
        out.push_str(&table("", &["Hour (UTC)", "Round trips", "Profit"], hours));
        let width = strategy.distribution.width;
        let bins = strategy.distribution.bins.iter();
        let bins = bins.map(|bin| {
            vec![format!("{} to {}", signed(bin.from), signed(bin.from + width)), thousands(bin.trades)]
        });
        out.push_str(&table("", &["Result", "Round trips"], bins));
        out.push_str("</div>");
    }
    out
}

fn of_all(shown: usize, all: u64) -> String {
    if shown as u64 >= all {
        return String::new();
    }
    format!("<p class=\"note\">{} of {}.</p>", thousands(shown as u64), thousands(all))
}

/// Text cells, escaped.
fn table(kind: &str, heads: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
    let mut out = format!("<div class=\"scroll\"><table class=\"{kind}\"><thead><tr>");
    for head in heads {
        let _ = write!(out, "<th scope=\"col\">{head}</th>");
    }
    out.push_str("</tr></thead><tbody>");
    for row in rows {
        out.push_str("<tr>");
        for (head, text) in heads.iter().zip(&row) {
            let _ = write!(out, "<td data-l=\"{head}\">{}</td>", escape_html(text));
        }
        out.push_str("</tr>");
    }
    out.push_str("</tbody></table></div>");
    out
}
