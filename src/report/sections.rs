//! The parts of the page that need no script: the strategies' figures, and the run's facts.

use std::fmt::Write;

use strategy_host::paper::{Fill, StrategyResult};

use super::figures::{Cell, Figure, GROUPS, Group, MAIN, Tone};
use super::numbers::{compact, decimal, duration};
use super::{ReportData, escape_html};
use crate::duration::format_time;
use crate::text::{counted, thousands};

/// The most strategies that stand side by side in one table.
const BESIDE: usize = 6;

/// With at most so many, each group of figures is a table of its own, beside the others.
const NARROW: usize = 2;

/// When the run was, and what its money is of.
pub(super) fn subtitle(data: &ReportData) -> String {
    let facts = &data.facts;
    let span = facts.last_ts_recv.saturating_sub(facts.first_ts_recv);
    format!(
        "{} to {} UTC ({})",
        format_time(facts.first_ts_recv),
        format_time(facts.last_ts_recv),
        duration(span)
    )
}

/// The class of a value's colour.
pub(super) fn tone(cell: &Cell) -> &'static str {
    match cell.tone {
        Tone::Plain => "",
        Tone::Profit => " up",
        Tone::Loss => " down",
    }
}

/// The strategy's shape and colour, which the script fills in.
pub(super) fn key(strategy: usize) -> String {
    format!("<span class=\"key k{}\" data-key=\"{strategy}\"></span>", strategy % 8)
}

/// Every figure of every strategy: side by side, and of many the main ones first.
pub(super) fn strategies(data: &ReportData) -> String {
    let strategies = &data.account.strategies;
    if strategies.is_empty() {
        return "<p class=\"empty\">No strategy ran.</p>".to_owned();
    }
    if strategies.len() <= BESIDE {
        return beside(data, 0);
    }
    let mut out = overview(data);
    let _ = write!(out, "<details><summary>All figures of {} strategies</summary>", strategies.len());
    for first in (0..strategies.len()).step_by(BESIDE) {
        out.push_str(&beside(data, first));
    }
    out.push_str("</details>");
    out
}

/// A column for each of the strategies from number `first` on.
fn beside(data: &ReportData, first: usize) -> String {
    let strategies: Vec<_> = data.account.strategies.iter().enumerate().skip(first).take(BESIDE).collect();
    let heads = |corner: &str| {
        let mut out = format!("<thead><tr><th>{corner}</th>");
        for (i, strategy) in &strategies {
            let _ = write!(out, "<th scope=\"col\">{}{}</th>", key(*i), escape_html(&strategy.strategy));
        }
        out + "</tr></thead>"
    };
    let rows = |group: &Group| {
        let mut out = String::new();
        for Figure { name, meaning, of } in group.figures {
            let _ = write!(out, "<tr><th scope=\"row\" title=\"{meaning}\">{name}</th>");
            for (_, strategy) in &strategies {
                cell(&mut out, &strategy.strategy, &of(strategy));
            }
            out.push_str("</tr>");
        }
        out
    };
    let named = parameters_of(data, &strategies);
    if strategies.len() <= NARROW {
        let table = |group: &Group| {
            let (heads, rows) = (heads(group.name), rows(group));
            format!("<table class=\"figures\">{heads}<tbody>{rows}</tbody></table>")
        };
        let class = if strategies.len() > 1 { "groups two" } else { "groups" };
        return format!(
            "{named}<div class=\"{class}\">{}</div>",
            GROUPS.iter().map(table).collect::<String>()
        );
    }
    // With more strategies a phone shows a figure's values below each other, with their strategies' names.
    let body = |group: &Group| {
        let columns = strategies.len() + 1;
        let (name, rows) = (group.name, rows(group));
        format!(
            "<tbody><tr class=\"group\"><th colspan=\"{columns}\" scope=\"colgroup\">{name}</th></tr>{rows}</tbody>"
        )
    };
    let body: String = GROUPS.iter().map(body).collect();
    format!("{named}<div class=\"scroll\"><table class=\"figures stack\">{}{body}</table></div>", heads(""))
}

/// What each strategy was given, a line each.
fn parameters_of(data: &ReportData, strategies: &[(usize, &StrategyResult)]) -> String {
    let mut out = "<ul class=\"parameters\">".to_owned();
    for (i, strategy) in strategies {
        let name = escape_html(&strategy.strategy);
        let _ = write!(out, "<li>{}<b>{name}</b> {}</li>", key(*i), parameters(data, *i));
    }
    out.push_str("</ul>");
    out
}

/// A row for each strategy, with its main figures.
fn overview(data: &ReportData) -> String {
    let mut out =
        "<div class=\"scroll\"><table class=\"stack cards\"><thead><tr><th>Strategy</th>".to_owned();
    for figure in MAIN {
        let _ = write!(out, "<th scope=\"col\" title=\"{}\">{}</th>", figure.meaning, figure.name);
    }
    out.push_str("</tr></thead><tbody>");
    for (i, strategy) in data.account.strategies.iter().enumerate() {
        let name = escape_html(&strategy.strategy);
        let parameters = parameters(data, i);
        let _ = write!(out, "<tr><th scope=\"row\">{}{name}<small>{parameters}</small></th>", key(i));
        for figure in MAIN {
            cell(&mut out, figure.name, &(figure.of)(strategy));
        }
        out.push_str("</tr>");
    }
    out.push_str("</tbody></table></div>");
    out
}

fn cell(out: &mut String, label: &str, cell: &Cell) {
    let label = escape_html(label);
    let class = tone(cell).trim();
    let class = if class.is_empty() { String::new() } else { format!(" class=\"{class}\"") };
    let _ = write!(out, "<td{class} data-l=\"{label}\">{}</td>", cell.text);
}

/// What strategy number `i` was given: `apple: fast 12, slow 26`.
fn parameters(data: &ReportData, i: usize) -> String {
    let Some(configured) = data.strategies.get(i) else { return "–".to_owned() };
    let values = configured.parameters.iter().map(|(name, value)| format!("{name}={value}"));
    let values = values.collect::<Vec<_>>().join(", ");
    let is_named = configured.strategy != configured.name;
    let text = match (is_named, values.is_empty()) {
        (true, false) => format!("{}: {values}", configured.strategy),
        (true, true) => configured.strategy.clone(),
        (false, false) => values,
        (false, true) => "no parameters".to_owned(),
    };
    escape_html(&text)
}

/// How fills were priced, and what the figures are of.
pub(super) fn rules(data: &ReportData) -> String {
    let rules = &data.account.rules;
    let at = match rules.fill {
        Fill::Cross => "the other side of the book",
        Fill::Signal => "the signal's price",
    };
    let fallbacks: u64 = data.account.strategies.iter().map(|one| one.total.fallbacks).sum();
    let mut text = format!(
        "One unit a signal, filled at {at}, {} bp slippage, {} bp fee. Money is in the quote unit; percentages are of the \
         capital of each strategy.",
        rules.slippage_bp, rules.fee_bp
    );
    if fallbacks > 0 {
        let _ = write!(
            text,
            " {} took the signal's price because the other side was empty.",
            counted(fallbacks, "fill")
        );
    }
    text
}

/// What is known of the run itself; how fast it was comes last.
pub(super) fn facts(data: &ReportData) -> String {
    let facts = &data.facts;
    let sum =
        |of: fn(&strategy_host::market::Instrument) -> u64| data.instruments.iter().map(of).sum::<u64>();
    let ticks = sum(|one| one.ticks());
    let others = sum(|one| one.others);
    let mut kinds = format!(
        "{} ({} trades, {} bids, {} asks",
        thousands(ticks),
        thousands(sum(|one| one.trades)),
        thousands(sum(|one| one.bids)),
        thousands(sum(|one| one.asks))
    );
    if others > 0 {
        let _ = write!(kinds, ", {} others", thousands(others));
    }
    kinds.push(')');
    let skipped: Vec<_> = facts.skipped.iter().map(|(name, n)| format!("{} {name}", thousands(*n))).collect();
    let mut rows = vec![
        ("Sources".to_owned(), facts.sources.join("\n")),
        ("Received".to_owned(), subtitle(data)),
        ("Instruments".to_owned(), thousands(data.instruments.len() as u64)),
        ("Ticks".to_owned(), kinds),
        (
            "Events skipped".to_owned(),
            if skipped.is_empty() { "none".to_owned() } else { skipped.join(", ") },
        ),
        ("Malformed lines".to_owned(), thousands(facts.bad_lines)),
        (
            "Delivery".to_owned(),
            format!("{} duplicates, {} gaps", thousands(facts.duplicates), thousands(facts.gaps)),
        ),
    ];
    rows.extend(facts.more.iter().cloned());
    if let Some(bytes) = facts.peak_memory_bytes {
        rows.push(("Peak memory".to_owned(), format!("{} MiB", decimal(bytes as f64 / 1_048_576.0, 1))));
    }
    if facts.elapsed_seconds > 0.0 {
        let took = duration((facts.elapsed_seconds * 1e9) as u64);
        let rate = compact(ticks as f64 / facts.elapsed_seconds);
        rows.push(("Speed".to_owned(), format!("{rate} ticks/s ({took})")));
    }
    let mut out = "<table class=\"facts\"><tbody>".to_owned();
    for (name, text) in rows {
        let text = escape_html(&text).replace('\n', "<br>");
        let _ = write!(out, "<tr><th scope=\"row\">{}</th><td>{text}</td></tr>", escape_html(&name));
    }
    out.push_str("</tbody></table>");
    out
}
