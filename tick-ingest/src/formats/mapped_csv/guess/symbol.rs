//! Which instrument a row is of.

use super::super::mapping::{Column, Rows};
use super::sheet::Sheet;
use super::times::Time;
use super::{Found, Refusal, names};
use crate::ReadOptions;
use crate::formats::time_text::Zone;
use crate::symbol_in_name::symbol_in_name;

/// Where the instrument's name is.
pub(super) struct SymbolFound {
    pub(super) column: Option<Column>,
    /// By the file's name.
    pub(super) of_file: Option<String>,
}

/// Texts of a few kinds that are no instruments.
const KINDS: [&str; 34] = [
    "conditions",
    "condition",
    "cond",
    "salecondition",
    "salecond",
    "trscond",
    "qucond",
    "tape",
    "tickdirection",
    "tickdir",
    "ordertype",
    "type",
    "misc",
    "miscellaneous",
    "flags",
    "flag",
    "currency",
    "basecurrency",
    "quotecurrency",
    "liquidity",
    "status",
    "side",
    "direction",
    "liquidation",
    "exchangename",
    "session",
    "kind",
    "category",
    "feedtype",
    "assetclass",
    "securitytype",
    "instrumenttype",
    "unit",
    "timezone",
];

/// The column of instruments, or none; refused where one might be, and rows would merge.
pub(super) fn find(
    sheet: &mut Sheet<'_>,
    found: &Found,
    options: &ReadOptions,
) -> Result<SymbolFound, Refusal> {
    let column = match by_name(sheet) {
        Some(column) => Some((column, "its name")),
        // A vendor that names its files after the instrument has no column of it.
        None if found.symbol.is_some() => None,
        None => by_values(sheet)?.map(|column| (column, "its texts look like symbols")),
    };
    let given = options.symbol.as_deref();
    match (column, given) {
        (Some((column, why)), None) => {
            sheet.take(column, "symbol", why);
            note_parts(sheet, column);
            Ok(SymbolFound { column: Some(sheet.column(column)), of_file: None })
        }
        (Some((column, _)), Some(symbol)) => {
            let count = sheet.profiles[column].values.len();
            if count > 1 {
                sheet.note(format!(
                    "{} holds {count} instruments or more, and --symbol makes one of them, {symbol}",
                    sheet.shown(column)
                ));
            }
            Ok(SymbolFound { column: None, of_file: None })
        }
        (None, given) => {
            let of_file = found.symbol.clone().or_else(|| symbol_in_name(sheet.file));
            let of_file = of_file.filter(|_| given.is_none());
            note_none(sheet, found, given.or(of_file.as_deref()), given.is_some());
            Ok(SymbolFound { column: None, of_file })
        }
    }
}

fn note_none(sheet: &mut Sheet<'_>, found: &Found, symbol: Option<&str>, is_given: bool) {
    match symbol {
        None => {
            sheet.note("no column looks like a symbol: give it with --symbol; all rows are one instrument")
        }
        Some(symbol) if !is_given => sheet.note(format!(
            "no column looks like a symbol: all rows are one instrument, {symbol} by the file's name"
        )),
        Some(_) => {}
    }
    let price = match &found.rows {
        Rows::Trades { price, .. } => &price.column,
        Rows::Quotes { bid, .. } => &bid.column,
    };
    let column = sheet.columns().find(|column| sheet.column(*column) == *price);
    if let Some((column, row)) = column.and_then(|column| Some((column, jump(sheet, column)?))) {
        let place = sheet.place(column, row);
        sheet.note(format!(
            "prices jump ({place}): if the rows are of several instruments, no column says which"
        ));
    }
}

/// A row whose price is less than half of, or twice, the one before, where several are.
fn jump(sheet: &Sheet<'_>, column: usize) -> Option<usize> {
    let numbers = &sheet.profiles[column].numbers;
    let known: Vec<(usize, f64)> =
        numbers.iter().enumerate().filter_map(|(row, number)| Some((row, (*number)?))).collect();
    let known: Vec<_> = known.into_iter().filter(|(_, number)| *number > 0.0 && *number < 1e300).collect();
    let mut jumps =
        known.windows(2).filter(|pair| pair[0].1 > pair[1].1 * 2.0 || pair[1].1 > pair[0].1 * 2.0);
    let first = jumps.next()?;
    (jumps.count() > 0 || known.len() < 6).then_some(first[1].0)
}

fn by_name(sheet: &Sheet<'_>) -> Option<usize> {
    let is_symbol = |column: &usize| {
        let profile = &sheet.profiles[*column];
        let whole = profile.numbers.iter().flatten().all(|number| number.fract() == 0.0);
        profile.filled > 0 && !sheet.is_taken(*column) && whole
    };
    sheet.named(names::SYMBOL).find(is_symbol)
}

/// A name in parts, and venues: what a mapping's one column does not tell apart.
fn note_parts(sheet: &mut Sheet<'_>, column: usize) {
    let suffix = sheet.named(&["symsuffix", "suffix"]).find(|suffix| sheet.profiles[*suffix].filled > 0);
    if let Some(suffix) = suffix {
        let names = [sheet.shown(column), sheet.shown(suffix)];
        sheet.note(format!(
            "{} alone is taken for the symbol: rows that differ in {} become one instrument",
            names[0], names[1]
        ));
    }
    let venue =
        sheet.named(names::VENUE).find(|venue| *venue != column && sheet.profiles[*venue].values.len() > 1);
    if let Some(venue) = venue {
        let count = sheet.profiles[venue].values.len();
        sheet.note(format!(
            "rows of {count} venues ({}) with one symbol are one instrument",
            sheet.shown(venue)
        ));
    }
}

/// A column of few texts that look like symbols; refused where texts tell rows apart, and are unclear.
fn by_values(sheet: &Sheet<'_>) -> Result<Option<usize>, Refusal> {
    let is_text = |column: &usize| {
        let profile = &sheet.profiles[*column];
        let name = sheet.plain_name(*column);
        let is_kind = KINDS.contains(&name) || names::VENUE.contains(&name) || names::is_id(name);
        let is_known = is_kind || names::EVENT.contains(&name) || names::SIDE.contains(&name);
        profile.filled > 0
            && !profile.is_number
            && profile.moment.is_none()
            && !sheet.is_taken(*column)
            && !is_known
    };
    let texts: Vec<usize> = sheet.columns().filter(is_text).collect();
    let symbols: Vec<usize> =
        texts.iter().copied().filter(|column| sheet.profiles[*column].all(looks_like_one)).collect();
    let few = |column: &&usize| sheet.profiles[**column].has_few_values();
    let several = symbols.iter().filter(few).find(|column| sheet.profiles[**column].values.len() > 1);
    if let Some(column) = several.or_else(|| symbols.iter().find(few)) {
        return Ok(Some(*column));
    }
    let is_unclear = |column: &&usize| {
        let values = &sheet.profiles[**column].values;
        sheet.profiles[**column].has_few_values()
            && values.len() > 1
            && !values.iter().all(|text| is_word(text))
    };
    match texts.iter().find(is_unclear) {
        None => Ok(None),
        Some(column) => {
            let values = &sheet.profiles[*column].values;
            let shown: Vec<String> = values.iter().take(3).map(|text| format!("{text:?}")).collect();
            Err(Refusal::new(
                format!(
                    "has a column, {}, that may say which instrument a row is of, or something else ({}{})",
                    sheet.shown(*column),
                    shown.join(", "),
                    if values.len() > 3 { ", …" } else { "" }
                ),
                format!(
                    "if it is the instrument, say so with symbol={} in --map; without it all rows are one",
                    sheet.column(*column)
                ),
            ))
        }
    }
}

/// Words of orders and venues, in any case.
fn is_word(text: &str) -> bool {
    const WORDS: [&str; 40] = [
        "true", "false", "buy", "sell", "bid", "ask", "b", "s", "a", "l", "m", "t", "f", "y", "n", "yes",
        "no", "limit", "market", "maker", "taker", "none", "unknown", "trade", "quote", "fill", "regular",
        "open", "close", "am", "pm", "utc", "binance", "nyse", "nasdaq", "xnas", "xnys", "arca", "okx",
        "bybit",
    ];
    WORDS.contains(&&*text.to_lowercase()) || !text.chars().any(char::is_alphanumeric)
}

/// `BTCUSDT`, `EUR/USD`, `BRK.B`, `btc-usdt`, `ES Z4`: letters, perhaps with digits and separators.
pub(super) fn looks_like_one(text: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || "-_/.:^=@#+&".contains(c);
    let letters = text.chars().filter(|c| c.is_alphabetic()).count();
    let is_upper = !text.chars().any(char::is_lowercase);
    let is_apart = text.chars().any(|c| c.is_ascii_digit() || "-_/.:".contains(c));
    (2..=32).contains(&text.chars().count())
        && letters > 0
        && text.chars().all(is_part)
        && (is_upper || is_apart || letters >= 5)
        && !is_word(text)
}

/// Says that times without zone are taken for UTC, or in which zone this vendor's are.
pub(super) fn note_zone(sheet: &mut Sheet<'_>, time: &Time, zone: Option<&str>, options: &ReadOptions) {
    let says_utc = ["utc", "gmt"].iter().any(|name| sheet.plain_name(time.column).contains(name));
    if !time.reading.zoneless || says_utc || options.zone.is_given() {
        return;
    }
    match zone {
        None => sheet.note(Zone::UTC_ASSUMED),
        Some(zone) => sheet.note(format!("times name no zone; by the file's shape they are of --tz {zone}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn symbols_look_like_symbols() {
        for text in ["BTCUSDT", "EUR/USD", "AAPL", "brk-b", "btcusdt", "ESZ4", "T.O", "招商银行"] {
            assert!(looks_like_one(text), "{text}");
        }
        for text in ["", "T", "buy", "LIMIT", "@ T", "GET /index.html", "1.5", "user logged in", "NYSE"] {
            assert!(!looks_like_one(text), "{text}");
        }
    }
}
