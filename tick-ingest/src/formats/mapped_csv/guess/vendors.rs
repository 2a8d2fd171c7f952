//! What is known of vendors' files beyond what their columns say.

use super::super::mapping::{Aggressor, Column, EmptySide, NumberColumn, RowFilter, Rows};
use super::numbers::is_absent;
use super::sheet::Sheet;
use super::{Found, Refusal, times};
use crate::formats::time_text::TimeFormat;

/// Where American shares trade.
const NEW_YORK: &str = "America/New_York";

/// Files without header whose columns are known by their values and the file's name.
pub(super) fn find(sheet: &mut Sheet<'_>) -> Result<Option<Found>, Refusal> {
    if sheet.has_header() || sheet.table.rows.is_empty() {
        return Ok(None);
    }
    if is_lobster(sheet) {
        return lobster(sheet).map(Some);
    }
    Ok(lean(sheet))
}

fn all_numbers(sheet: &Sheet<'_>, column: usize, is: impl Fn(f64) -> bool) -> bool {
    let profile = &sheet.profiles[column];
    profile.is_number && profile.numbers.iter().flatten().all(|number| is(*number))
}

/// LOBSTER's messages: seconds since midnight, type, order, size, price of 1e-4, direction.
fn is_lobster(sheet: &Sheet<'_>) -> bool {
    (6..=7).contains(&sheet.table.columns)
        && all_numbers(sheet, 0, |time| (0.0..86_400.0).contains(&time))
        && all_numbers(sheet, 1, |kind| kind.fract() == 0.0 && (1.0..=7.0).contains(&kind))
        && (2..5).all(|column| all_numbers(sheet, column, |number| number.fract() == 0.0))
        && all_numbers(sheet, 5, |direction| direction == 1.0 || direction == -1.0)
}

fn lobster(sheet: &mut Sheet<'_>) -> Result<Found, Refusal> {
    let numbered = |place: usize, scale: i8| NumberColumn { column: Column::Number(place), scale };
    let time = times::date_in(sheet.file)
        .and_then(|date| times::since_midnight(sheet, 0, date, &TimeFormat::Seconds));
    let time = time.ok_or_else(|| {
        Refusal::new(
            "looks like LOBSTER's messages, whose times are seconds of a day, and its name does not say which day",
            "say the day: --map 'time=#1:s,date=2012-06-21,price=#5:1e-4,size=#4,only=#2:4|5'",
        )
    })?;
    sheet.take(0, "time", "seconds since midnight of the day in the file's name");
    sheet.take(1, "only", "LOBSTER's type: 4 and 5 are executions, others are orders");
    sheet.take(3, "size", "LOBSTER's size");
    sheet.take(4, "price", "LOBSTER's price, in units of 0.0001");
    sheet.note("LOBSTER's direction is that of the order that rested, not of the aggressor: it is not read");
    Ok(Found {
        time,
        recv: None,
        rows: Rows::Trades {
            price: numbered(5, -4),
            size: Some(numbered(4, 0)),
            aggressor: Aggressor::Unknown,
        },
        empty: EmptySide::Absent,
        only: Some(RowFilter { column: Column::Number(2), texts: vec!["4".to_owned(), "5".to_owned()] }),
        zone: Some(NEW_YORK.to_owned()),
        symbol: None,
    })
}

/// LEAN's ticks, `20131007_spy_tick_trade.csv`: milliseconds since midnight; of shares prices in 1e-4.
fn lean(sheet: &mut Sheet<'_>) -> Option<Found> {
    let file = sheet.file.rsplit(['/', '\\']).next()?.to_lowercase();
    let stem = file.split('.').next()?;
    let parts: Vec<&str> = stem.split('_').collect();
    let [day, symbol, rest @ ..] = &parts[..] else { return None };
    let is_quote = rest.contains(&"quote");
    if day.len() != 8 || !rest.contains(&"tick") || is_quote == rest.contains(&"trade") {
        return None;
    }
    let date = times::date_in(day)?;
    let is_ms = |ms: f64| ms.fract() == 0.0 && (0.0..86_400_000.0).contains(&ms);
    let numbers =
        sheet.columns().take_while(|column| all_numbers(sheet, *column, |number| number >= 0.0)).count();
    if !all_numbers(sheet, 0, is_ms) || numbers < 3 {
        return None;
    }
    let time = times::since_midnight(sheet, 0, date, &TimeFormat::Millis)?;
    // Only shares have a venue behind the numbers, and only theirs are whole numbers.
    let is_share = numbers < sheet.table.columns && all_numbers(sheet, 1, |price| price.fract() == 0.0);
    let scale = if is_share { -4 } else { 0 };
    let number = |place: usize, scale: i8| NumberColumn { column: Column::Number(place), scale };
    let (rows, roles): (Rows, &[&'static str]) = match (is_quote, numbers) {
        (true, 3 | 4) => (
            Rows::Quotes { bid: number(2, scale), bid_size: None, ask: number(3, scale), ask_size: None },
            &["bid", "ask"],
        ),
        (true, _) => (
            Rows::Quotes {
                bid: number(2, scale),
                bid_size: Some(number(3, 0)),
                ask: number(4, scale),
                ask_size: Some(number(5, 0)),
            },
            &["bid", "bid_size", "ask", "ask_size"],
        ),
        (false, _) => (
            Rows::Trades { price: number(2, scale), size: Some(number(3, 0)), aggressor: Aggressor::Unknown },
            &["price", "size"],
        ),
    };
    sheet.take(0, "time", "milliseconds since midnight of the day in the file's name");
    for (place, role) in roles.iter().enumerate() {
        sheet.take(place + 1, role, "LEAN's order of columns");
    }
    let last = sheet.table.columns - 1;
    let is_flag = is_share && all_numbers(sheet, last, |flag| flag == 0.0 || flag == 1.0);
    let only = is_flag.then(|| RowFilter { column: Column::Number(last + 1), texts: vec!["0".to_owned()] });
    if is_flag {
        sheet.take(last, "only", "LEAN's mark of suspicious ticks: 0 is none");
    }
    let zone = is_share.then(|| NEW_YORK.to_owned());
    let symbol = Some(symbol.to_uppercase());
    Some(Found { time, recv: None, rows, empty: EmptySide::Absent, only, zone, symbol })
}

/// Databento's columns, where prices are whole numbers of 1e-9 unless they are asked for otherwise.
pub(super) fn is_databento(sheet: &Sheet<'_>) -> bool {
    sheet.has_name(&["tsevent"]) && sheet.has_name(&["publisherid", "instrumentid", "rtype"])
}

/// TAQ of the New York Stock Exchange, and AlgoSeek's files of American shares.
fn is_american(sheet: &Sheet<'_>) -> bool {
    is_taq(sheet)
        || sheet.has_name(&["eventtype"]) && sheet.has_name(&["ticker"]) && sheet.has_name(&["conditions"])
}

fn is_taq(sheet: &Sheet<'_>) -> bool {
    const TRADES: [&str; 3] = ["tradecorrectionindicator", "trcorr", "trscond"];
    const QUOTES: [&str; 4] = ["qucond", "ofrsiz", "quotecondition", "nationalbboind"];
    sheet.has_name(&TRADES) || sheet.has_name(&QUOTES) && sheet.has_name(&["exchange", "ex"])
}

/// The zone of this vendor's times, as its names of columns say.
pub(super) fn zone_by_names(sheet: &Sheet<'_>) -> Option<String> {
    is_american(sheet).then(|| NEW_YORK.to_owned())
}

/// HistData's times are of New York's winter all the year.
pub(super) fn zone_by_file(sheet: &Sheet<'_>) -> Option<String> {
    let file = sheet.file.rsplit(['/', '\\']).next().unwrap_or_default();
    file.starts_with("DAT_ASCII_").then(|| "-05:00".to_owned())
}

/// TAQ's files end with a line of their own, far behind the first lines.
pub(super) fn trailer_by_names(sheet: &Sheet<'_>) -> Option<String> {
    (is_taq(sheet) && sheet.table.delimiter == b'|').then(|| "END".to_owned())
}

/// MetaTrader leaves a side empty that has not changed; its names stand in angle brackets.
pub(super) fn empty_side(sheet: &Sheet<'_>) -> EmptySide {
    let written = sheet.table.header.iter().flatten();
    let has = |name: &str| written.clone().any(|known| known.eq_ignore_ascii_case(name));
    let leaves_out = sheet.columns().any(|column| {
        let name = sheet.plain_name(column);
        ["bid", "ask"].contains(&name) && sheet.table.cells(column).any(is_absent)
    });
    if has("<BID>") && has("<ASK>") || leaves_out && has("<DATE>") {
        EmptySide::Unchanged
    } else {
        EmptySide::Absent
    }
}
