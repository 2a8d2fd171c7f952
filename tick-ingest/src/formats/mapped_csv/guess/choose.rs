//! Trades or quotes by the names of columns, checked by their values.

use super::super::codes::{aggressor, taker};
use super::super::mapping::{Aggressor, EmptySide, NumberColumn, Rows};
use super::names::{self, BookColumn, book_column, is_id};
use super::numbers::{decimals, is_absent};
use super::sheet::Sheet;
use super::{Found, Refusal, refuse, times, vendors};

/// What the rows are; refused where no column is a price by its name.
pub(super) fn find(sheet: &mut Sheet<'_>) -> Result<Found, Refusal> {
    let (time, recv) = times::choose(sheet)?;
    refuse::evenly_spaced(sheet, &time.reading.values)?;
    let price = price(sheet);
    let quote = best(sheet);
    let is_trade = price.is_some_and(|price| quote.is_none() || !is_last(sheet, price));
    let (rows, empty) = match (price.filter(|_| is_trade), quote) {
        (Some(price), _) => (trades(sheet, price)?, EmptySide::Absent),
        (None, Some(quote)) => quotes(sheet, &quote)?,
        (None, None) => return Err(no_price(sheet)),
    };
    let zone = vendors::zone_by_names(sheet);
    let trailer = vendors::trailer_by_names(sheet);
    sheet.table.trailer = sheet.table.trailer.take().or(trailer);
    Ok(Found { time, recv, rows, empty, only: None, zone, symbol: None })
}

/// Whether a price is the last one known, which stands in every row of a feed of quotes.
fn is_last(sheet: &Sheet<'_>, price: usize) -> bool {
    let profile = &sheet.profiles[price];
    sheet.plain_name(price).contains("last")
        || sheet.name_is(price, "最新价")
        || profile.filled * 10 < sheet.table.rows.len() * 9
}

fn price(sheet: &Sheet<'_>) -> Option<usize> {
    let is_price = |column: &usize| sheet.profiles[*column].is_number && !sheet.is_taken(*column);
    let in_currency = |column: &usize| {
        let name = sheet.plain_name(*column);
        name.strip_prefix("price").is_some_and(|rest| {
            ["usd", "usdt", "usdc", "eur", "gbp", "jpy", "krw", "btc", "quote", "in", "float", "raw"]
                .contains(&rest)
        })
    };
    sheet.named(names::PRICE).find(is_price).or_else(|| sheet.columns().filter(is_price).find(in_currency))
}

/// The best bid and ask, with their sizes.
struct Best {
    bid: usize,
    ask: usize,
    bid_size: Option<usize>,
    ask_size: Option<usize>,
    /// There are further levels.
    is_deep: bool,
}

fn best(sheet: &Sheet<'_>) -> Option<Best> {
    if let Some(best) = best_of_binance(sheet) {
        return Some(best);
    }
    let known: Vec<(usize, BookColumn)> = sheet
        .columns()
        .filter(|column| !sheet.is_taken(*column))
        .filter_map(|column| Some((column, book_column(sheet.plain_name(column))?)))
        .filter(|(column, _)| sheet.profiles[*column].is_number || sheet.profiles[*column].filled == 0)
        .collect();
    let column = |is_ask: bool, is_size: bool| {
        let of_kind = known.iter().filter(|(_, book)| (book.is_ask, book.is_size) == (is_ask, is_size));
        // No level in the name is the best; then 0 where levels count from it, and 1.
        of_kind.min_by_key(|(_, book)| book.level.map_or(0, |level| level + 1)).copied()
    };
    let (bid, ask) = (column(false, false)?, column(true, false)?);
    let same_level = |size: &(usize, BookColumn), price: &(usize, BookColumn)| {
        size.1.level.unwrap_or(0) == price.1.level.unwrap_or(0)
            || size.1.level.is_none()
            || price.1.level.is_none()
    };
    let of = |size: Option<(usize, BookColumn)>, price: &(usize, BookColumn)| {
        size.filter(|size| same_level(size, price)).map(|(column, _)| column)
    };
    let levels = known.iter().filter(|(_, book)| (book.is_ask, book.is_size) == (false, false)).count();
    Some(Best {
        bid: bid.0,
        ask: ask.0,
        bid_size: of(column(false, true), &bid),
        ask_size: of(column(true, true), &ask),
        is_deep: levels > 1,
    })
}

/// `b`, `B`, `a`, `A`: the keys of Binance's stream.
fn best_of_binance(sheet: &Sheet<'_>) -> Option<Best> {
    let written = sheet.table.header.as_deref()?;
    let column = |name: &str| written.iter().position(|known| known == name);
    let (bid, ask) = (column("b")?, column("a")?);
    let is_number = |column: usize| sheet.profiles[column].is_number;
    let both = is_number(bid) && is_number(ask);
    both.then(|| Best { bid, ask, bid_size: column("B"), ask_size: column("A"), is_deep: false })
}

fn quotes(sheet: &mut Sheet<'_>, best: &Best) -> Result<(Rows, EmptySide), Refusal> {
    refuse_crossed(sheet, best.bid, best.ask)?;
    let rows = Rows::Quotes {
        bid: priced(sheet, best.bid)?,
        bid_size: best.bid_size.map(|column| sheet.number_column(column)),
        ask: priced(sheet, best.ask)?,
        ask_size: best.ask_size.map(|column| sheet.number_column(column)),
    };
    let by_name = "its name and its values";
    let columns = [
        (Some(best.bid), "bid"),
        (best.bid_size, "bid_size"),
        (Some(best.ask), "ask"),
        (best.ask_size, "ask_size"),
    ];
    for (column, role) in columns {
        if let Some(column) = column {
            sheet.take(column, role, by_name);
        }
    }
    if best.bid_size.is_none() || best.ask_size.is_none() {
        sheet.note("no column looks like a size of the bid or the ask: it will be 0");
    }
    if best.is_deep {
        sheet.note("there are further levels of the book: the best is read");
    }
    let empty = vendors::empty_side(sheet);
    if empty == EmptySide::Unchanged {
        sheet.note("a side that a row leaves empty is as it was before, as MetaTrader writes it");
    }
    Ok((rows, empty))
}

/// A bid above the ask in most rows is none.
fn refuse_crossed(sheet: &Sheet<'_>, bid: usize, ask: usize) -> Result<(), Refusal> {
    let (bids, asks) = (&sheet.profiles[bid].numbers, &sheet.profiles[ask].numbers);
    let pairs = bids.iter().zip(asks).enumerate();
    let both = pairs.filter_map(|(row, (bid, ask))| Some((row, (*bid)?, (*ask)?)));
    let both: Vec<_> =
        both.filter(|(_, bid, ask)| *bid > 0.0 && *ask > 0.0 && *ask < 1e300 && *bid < 1e300).collect();
    let mut crossed = both.iter().filter(|(_, bid, ask)| bid > ask);
    match crossed.clone().count() * 2 > both.len() {
        false => Ok(()),
        true => {
            let row = crossed.next().map_or(0, |(row, ..)| *row);
            Err(Refusal::new(
                format!(
                    "has the bid above the ask in most rows ({}, {})",
                    sheet.place(bid, row),
                    sheet.place(ask, row)
                ),
                "if the two columns are called the wrong way round, say so: --map 'time=COLUMN:UNIT,bid=COLUMN,ask=COLUMN'",
            ))
        }
    }
}

fn trades(sheet: &mut Sheet<'_>, price: usize) -> Result<Rows, Refusal> {
    let size = size(sheet, price);
    let aggressor = aggressor_of(sheet);
    sheet.take(price, "price", "its name and its values");
    match size {
        Some(size) => sheet.take(size, "size", "its name and its values"),
        None => sheet.note("no column looks like a size: sizes will be 0"),
    }
    if best(sheet).is_some() {
        sheet.note("rows have a bid and an ask beside the trade: these are not read");
    }
    Ok(Rows::Trades {
        price: priced(sheet, price)?,
        size: size.map(|size| sheet.number_column(size)),
        aggressor,
    })
}

/// The size; a column that is always price times another is that other's value.
fn size(sheet: &Sheet<'_>, price: usize) -> Option<usize> {
    let is_size = |column: &usize| {
        let profile = &sheet.profiles[*column];
        *column != price && profile.is_number && !sheet.is_taken(*column) && !is_id(sheet.plain_name(*column))
    };
    let named: Vec<usize> = sheet.named(names::SIZE).filter(is_size).collect();
    let is_value_of = |value: usize, size: usize| {
        let [prices, sizes, values] = [price, size, value].map(|column| &sheet.profiles[column].numbers);
        let rows = prices.iter().zip(sizes).zip(values);
        let known: Vec<[f64; 3]> = rows.filter_map(|((p, s), v)| Some([(*p)?, (*s)?, (*v)?])).collect();
        let is_product = |row: &[f64; 3]| (row[0] * row[1] - row[2]).abs() <= row[2].abs() * 0.001;
        !known.is_empty() && known.iter().all(is_product) && known.iter().any(|row| row[0] != 1.0)
    };
    let first = *named.first()?;
    named.iter().skip(1).copied().find(|other| is_value_of(first, *other)).or(Some(first))
}

/// Which column says who took, if its texts are known ones.
fn aggressor_of(sheet: &mut Sheet<'_>) -> Aggressor {
    let maker = sheet
        .named(names::MAKER)
        .find(|column| sheet.profiles[*column].all(|text| taker(text.as_bytes()).is_ok()));
    if let Some(column) = maker {
        let says = if sheet.plain_name(column).contains("sell") {
            "whether the seller took"
        } else {
            "whether the buyer was the maker"
        };
        sheet.take(column, "maker", format!("by its name {says}"));
        return Aggressor::BuyerIsMaker(sheet.column(column));
    }
    let known = |column: &usize| sheet.profiles[*column].all(|text| aggressor(text.as_bytes()).is_ok());
    let Some(column) = sheet.named(names::SIDE).find(known) else {
        note_unknown_side(sheet);
        return Aggressor::Unknown;
    };
    if sheet.profiles[column].values.iter().any(|text| text == "0") {
        sheet.note(format!(
            "the numbers of {} may mean either side: the aggressor is not read; side={} takes 1 for buy and \
             -1 or 2 for sell",
            sheet.shown(column),
            sheet.column(column)
        ));
        return Aggressor::Unknown;
    }
    sheet.take(column, "side", "its name and its texts");
    Aggressor::Side(sheet.column(column))
}

fn note_unknown_side(sheet: &mut Sheet<'_>) {
    let side = sheet.named(&names::SIDE[..5]).find(|column| sheet.profiles[*column].has_few_values());
    if let Some(column) = side.filter(|column| !sheet.profiles[*column].values.is_empty()) {
        let value = sheet.profiles[column].values[0].clone();
        sheet.note(format!(
            "the texts of {}, as {value:?}, are of no known side: it is not read",
            sheet.shown(column)
        ));
    }
}

/// A price's column, with the scale that this vendor's whole numbers have, or that fine steps need.
pub(super) fn priced(sheet: &mut Sheet<'_>, column: usize) -> Result<NumberColumn, Refusal> {
    /// What a tick can hold, in units of 1.
    const LARGEST: f64 = 9.2e9;
    let mut found = sheet.number_column(column);
    let profile = &sheet.profiles[column];
    let known = || profile.numbers.iter().copied().flatten().filter(|number| *number < 9.2e18);
    let smallest =
        known().filter(|number| *number != 0.0).fold(f64::MAX, |least, number| least.min(number.abs()));
    let is_whole = known().all(|number| number.fract() == 0.0);
    if is_whole && smallest > LARGEST && smallest < f64::MAX {
        if !vendors::is_databento(sheet) {
            let row = sheet.row_where(column, |text| !is_absent(text)).unwrap_or(0);
            return Err(Refusal::new(
                format!("has prices beyond what a tick can hold, about 9.2e9 ({})", sheet.place(column, row)),
                format!(
                    "if they are whole numbers of a small unit, say so with its scale: price={}:1e-9",
                    found.column
                ),
            ));
        }
        found.scale = -9;
        sheet.note(format!(
            "prices of {} are whole numbers of 1e-9, as Databento writes them",
            sheet.shown(column)
        ));
        return Ok(found);
    }
    if let Some(row) = fine_step(sheet, column) {
        let place = sheet.place(column, row);
        found.scale = -12;
        sheet.note(format!("prices are finer than 1e-9 ({place}): the unit of this file's ticks is 1e-12"));
    }
    Ok(found)
}

/// The first price with ten to twelve decimals that are no noise of floating-point arithmetic.
fn fine_step(sheet: &Sheet<'_>, column: usize) -> Option<usize> {
    /// In units of 1e-12 a tick can hold prices up to this.
    const LARGEST: f64 = 9.2e6;
    let cells = sheet.cells(column);
    let numbers = &sheet.profiles[column].numbers;
    if numbers.iter().flatten().any(|number| number.abs() >= LARGEST) {
        return None;
    }
    let is_fine = |(cell, number): (&&str, &Option<f64>)| {
        let Some(number) = number.filter(|_| (10..=12).contains(&decimals(cell, sheet.style))) else {
            return false;
        };
        let rest = (number - (number * 1e9).round() / 1e9).abs();
        rest > number.abs() * 1e-12
    };
    cells.iter().zip(numbers).position(is_fine)
}

/// Why there is no price, with the columns there are.
fn no_price(sheet: &Sheet<'_>) -> Refusal {
    const SHOWN: usize = 20;
    let is_named = |column: &usize| !sheet.profiles[*column].is_number;
    if let Some(column) = sheet.named(names::PRICE).find(is_named) {
        let bad = sheet.row_where(column, |text| super::numbers::number(text, sheet.style).is_none());
        if let Some(row) = bad {
            return Refusal::new(
                format!("has a column called a price that holds no numbers ({})", sheet.place(column, row)),
                "numbers are read as 1234.5; decimal=comma and thousands=comma in --map read others",
            );
        }
    }
    let mut listed: Vec<String> = sheet.columns().take(SHOWN).map(|column| sheet.shown(column)).collect();
    if sheet.table.columns > SHOWN {
        listed.push("…".to_owned());
    }
    Refusal::new(
        format!(
            "is not known to hold ticks: no column is by its name a price, or a bid and an ask; its columns are {}",
            listed.join(", ")
        ),
        "if one is, say which: --map 'time=COLUMN:UNIT,symbol=COLUMN,price=COLUMN,size=COLUMN'",
    )
}
