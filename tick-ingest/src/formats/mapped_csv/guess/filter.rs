//! Rows that are no market trades where a column says so: corrections, cancels, other events.

use super::super::mapping::{RowFilter, Rows};
use super::names;
use super::sheet::{Profile, Sheet};

/// Columns that say whether a trade was corrected or cancelled later.
const CORRECTIONS: [&str; 12] = [
    "tradecorrectionindicator",
    "correction",
    "trcorr",
    "corr",
    "corrected",
    "iscorrected",
    "cancelled",
    "canceled",
    "iscancelled",
    "iscanceled",
    "suspicious",
    "issuspicious",
];

/// The rows that are trades, where a column is known to tell them from others.
pub(super) fn find(sheet: &mut Sheet<'_>, rows: &Rows) -> Option<RowFilter> {
    if !matches!(rows, Rows::Trades { .. }) {
        return None;
    }
    let (column, texts, why) = uncorrected(sheet).or_else(|| events(sheet))?;
    sheet.take(column, "only", why);
    sheet.note(format!("only rows whose {} is {} are read", sheet.shown(column), texts.join(" or ")));
    Some(RowFilter { column: sheet.column(column), texts })
}

fn uncorrected(sheet: &Sheet<'_>) -> Option<(usize, Vec<String>, &'static str)> {
    let column = sheet.named(&CORRECTIONS).find(|column| sheet.profiles[*column].filled > 0)?;
    let is_no = |text: &str| ["false", "f", "no", "n"].contains(&&*text.to_lowercase());
    let is_zero = |text: &&String| !text.is_empty() && text.chars().all(|c| c == '0') || is_no(text);
    let mut texts: Vec<String> = sheet.profiles[column].values.iter().filter(is_zero).cloned().collect();
    if texts.is_empty() {
        texts.push("0".to_owned());
    }
    if sheet.table.cells(column).any(str::is_empty) {
        texts.push(String::new());
    }
    Some((column, texts, "other rows were corrected or cancelled"))
}

/// A column of kinds of events, of which some are trades and some are not.
fn events(sheet: &Sheet<'_>) -> Option<(usize, Vec<String>, &'static str)> {
    let is_kind =
        |column: &usize| !sheet.is_taken(*column) && sheet.profiles[*column].values.len() < Profile::VALUES;
    sheet.named(names::EVENT).filter(is_kind).find_map(|column| {
        let values = &sheet.profiles[column].values;
        let trades: Vec<String> = values.iter().filter(|text| is_trade(text)).cloned().collect();
        let mixed = !trades.is_empty() && trades.len() < values.len();
        // Files of such vendors have other events further on.
        let known = sheet.name_is(column, "eventtype") || sheet.name_is(column, "trdtype");
        let texts = if known { with_kin(trades.clone()) } else { trades.clone() };
        (mixed || known && !trades.is_empty()).then_some((column, texts, "it says which rows are trades"))
    })
}

/// AlgoSeek marks a trade at the national best price as `TRADE NB`.
fn with_kin(mut texts: Vec<String>) -> Vec<String> {
    for (one, other) in [("TRADE", "TRADE NB"), ("TRADE NB", "TRADE")] {
        if texts.iter().any(|text| text == one) && !texts.iter().any(|text| text == other) {
            texts.push(other.to_owned());
        }
    }
    texts
}

fn is_trade(text: &str) -> bool {
    let text = text.to_lowercase();
    let is_undone = ["cancel", "correct", "bust", "break", "void"].iter().any(|part| text.contains(part));
    let is_named = ["trade", "fill", "execut", "regular"].iter().any(|part| text.contains(part));
    !is_undone && (is_named || text == "t")
}
