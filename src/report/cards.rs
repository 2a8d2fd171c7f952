//! The page's first row: the key figures of a strategy, or of the best of several.

use std::fmt::Write;

use strategy_host::paper::StrategyResult;

use super::figures::{Cell, Tone};
use super::numbers::{decimal, duration, money, percent, signed, signed_percent};
use super::sections::{key, tone};
use super::{ReportData, escape_html};
use crate::text::{counted, thousands};

/// The most strategies that a card names.
const IN_CARD: usize = 5;

/// The key figures: what was earned, at which risk, how evenly.
pub(super) fn cards(data: &ReportData) -> String {
    let mut order: Vec<usize> = (0..data.account.strategies.len()).collect();
    order.sort_by_key(|&i| (std::cmp::Reverse(data.account.strategies[i].performance.net_profit), i));
    order.truncate(IN_CARD);
    order.sort_unstable();
    let mut out = String::new();
    for card in &CARDS {
        let _ = write!(out, "<div class=\"card\" title=\"{}\"><h3>{}</h3>", card.meaning, card.name);
        match order[..] {
            [] => out.push_str("<p class=\"big\">–</p>"),
            [_] if data.account.strategies.len() == 1 => {
                let (cell, beside) = (card.of)(&data.account.strategies[0]);
                let _ = write!(out, "<p class=\"big{}\">{}</p>", tone(&cell), cell.text);
                let _ = write!(out, "<p class=\"note\">{beside}</p>");
            }
            _ => {
                out.push_str("<dl>");
                for &i in &order {
                    let strategy = &data.account.strategies[i];
                    let (cell, beside) = (card.of)(strategy);
                    let beside =
                        if card.is_of_money { format!("<small>{beside}</small>") } else { String::new() };
                    let name = escape_html(&strategy.strategy);
                    let key = key(i);
                    let class = tone(&cell);
                    let _ = write!(
                        out,
                        "<div><dt>{key}{name}</dt><dd class=\"{class}\">{}{beside}</dd></div>",
                        cell.text
                    );
                }
                out.push_str("</dl>");
                if let Some(note) = card.note {
                    let _ = write!(out, "<p class=\"note\">{}</p>", note(&data.account.strategies[order[0]]));
                }
            }
        }
        out.push_str("</div>");
    }
    let more = data.account.strategies.len().saturating_sub(order.len());
    if more > 0 {
        let _ = write!(
            out,
            "<p class=\"note wide\">The {IN_CARD} strategies with the greatest net profit; {} more below.</p>",
            thousands(more as u64)
        );
    }
    out
}

struct Card {
    name: &'static str,
    meaning: &'static str,
    /// The figure, and what stands beside it.
    of: fn(&StrategyResult) -> (Cell, String),
    /// What stands beside it is of the same kind, and is shown of several strategies too.
    is_of_money: bool,
    /// What holds for all strategies alike.
    note: Option<fn(&StrategyResult) -> String>,
}

const CARDS: [Card; 5] = [
    Card {
        name: "Net profit",
        meaning: "Realised and open profit less fees, of one unit of each instrument",
        of: |one| {
            let net = one.performance.net_profit;
            let beside = one.performance.percent(net).map(signed_percent).unwrap_or_default();
            (Cell { text: signed(net), tone: tone_of(net) }, beside)
        },
        is_of_money: true,
        note: None,
    },
    Card {
        name: "Max drawdown",
        meaning: "Deepest fall of equity below its highest value before",
        of: |one| {
            let fall = one.total.max_drawdown;
            let beside = one.performance.percent(fall).map(percent).unwrap_or_default();
            (plain(money(fall)), beside)
        },
        is_of_money: true,
        note: None,
    },
    Card {
        name: "Sharpe",
        meaning: "Of the returns of fixed stretches of receive time, annualised by 365 days of 24 h",
        of: |one| {
            let text = one.performance.sharpe.map_or_else(|| "–".to_owned(), |value| decimal(value, 2));
            (plain(text), return_basis(one))
        },
        is_of_money: false,
        note: Some(return_basis),
    },
    Card {
        name: "Profit factor",
        meaning: "Gross profit by gross loss",
        of: |one| {
            let traded = &one.performance.traded;
            let text = traded.profit_factor().map_or_else(|| "–".to_owned(), |value| decimal(value, 2));
            let beside = traded.expectancy().map(|value| format!("{} a round trip", signed(value)));
            (plain(text), beside.unwrap_or_default())
        },
        is_of_money: false,
        note: None,
    },
    Card {
        name: "Hit rate",
        meaning: "Share of round trips with a profit after their fees",
        of: |one| {
            let rate = one.performance.traded.hit_rate();
            let text = rate.map_or_else(|| "–".to_owned(), |rate| format!("{} %", decimal(rate * 100.0, 1)));
            (plain(text), counted(one.total.trades, "round trip"))
        },
        is_of_money: false,
        note: None,
    },
];

/// What Sharpe and Sortino are made of, which is the same for all strategies of a run.
fn return_basis(one: &StrategyResult) -> String {
    let basis = one.performance.returns;
    let stretch = duration(basis.stretch_ns).replace(".0 ", " ");
    format!("{} of {stretch}, annualised", counted(basis.stretches, "return"))
}

fn plain(text: String) -> Cell {
    Cell { text, tone: Tone::Plain }
}

fn tone_of(amount: i128) -> Tone {
    match amount.signum() {
        1 => Tone::Profit,
        -1 => Tone::Loss,
        _ => Tone::Plain,
    }
}
