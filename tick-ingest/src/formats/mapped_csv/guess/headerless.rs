//! Trades or quotes by their values alone: only the shapes that nothing else has.

use super::super::codes::aggressor;
use super::super::mapping::{Aggressor, EmptySide, NumberColumn, Rows};
use super::choose::priced;
use super::sheet::Sheet;
use super::{Found, Refusal, refuse, times, vendors};

/// What the rows are; refused where the columns could be something else.
pub(super) fn find(sheet: &mut Sheet<'_>) -> Result<Found, Refusal> {
    let (time, recv) = times::choose(sheet)?;
    refuse::evenly_spaced(sheet, &time.reading.values)?;
    let numbers: Vec<usize> = sheet.columns().filter(|column| is_quantity(sheet, *column)).collect();
    let rows = match numbers[..] {
        [] => return Err(unclear(sheet, &numbers, "no column holds prices")),
        [one] => return Err(unclear(sheet, &[one], "one number beside the time may be anything")),
        [first, second, ref rest @ ..] if are_near(sheet, first, second, 0.02) => {
            two_sided(sheet, first, second, rest)?
        }
        [first, first_size, second, second_size] if are_near(sheet, first, second, 0.1) => {
            quotes(sheet, [first, second], [Some(first_size), Some(second_size)])?
        }
        [first, second, ref rest @ ..] => trades(sheet, first, second, rest)?,
    };
    let zone = vendors::zone_by_file(sheet);
    Ok(Found { time, recv, rows, empty: EmptySide::Absent, only: None, zone, symbol: None })
}

/// A price, a size or the like: no time, no id, and not the same whole number in every row.
fn is_quantity(sheet: &Sheet<'_>, column: usize) -> bool {
    let profile = &sheet.profiles[column];
    let is_zero = profile.numbers.iter().flatten().all(|number| *number == 0.0);
    profile.is_number
        && profile.moment.is_none()
        && !sheet.is_taken(column)
        && !profile.is_counter()
        && !is_zero
}

/// Both columns' numbers, in the rows that have both.
fn pairs(sheet: &Sheet<'_>, first: usize, second: usize) -> Vec<(f64, f64)> {
    let (first, second) = (&sheet.profiles[first].numbers, &sheet.profiles[second].numbers);
    first.iter().zip(second).filter_map(|(first, second)| Some(((*first)?, (*second)?))).collect()
}

/// Two numbers a hair apart in every row, and always the same way round, are a bid and an ask. A size that
/// happens to be near the price is whole, or stays as it is while the price moves.
fn are_near(sheet: &Sheet<'_>, first: usize, second: usize, apart: f64) -> bool {
    let pairs = pairs(sheet, first, second);
    let is_near = |(a, b): &(f64, f64)| *a > 0.0 && *b > 0.0 && (a - b).abs() <= a.max(*b) * apart;
    let above = pairs.iter().filter(|(a, b)| a > b).count();
    let below = pairs.iter().filter(|(a, b)| a < b).count();
    let is_one_way = above.min(below) * 10 <= above + below && above + below > 0;
    let moves = |is: fn(&(f64, f64)) -> f64| pairs.iter().any(|pair| is(pair) != is(&pairs[0]));
    let is_whole = |is: fn(&(f64, f64)) -> f64| pairs.iter().all(|pair| is(pair).fract() == 0.0);
    let alike = moves(|pair| pair.0) == moves(|pair| pair.1) || pairs.len() < 5;
    let alike = alike && is_whole(|pair| pair.0) == is_whole(|pair| pair.1);
    is_one_way && alike && pairs.iter().all(is_near)
}

/// Bid and ask, and perhaps their sizes, or one column that is no size of theirs.
fn two_sided(sheet: &mut Sheet<'_>, first: usize, second: usize, rest: &[usize]) -> Result<Rows, Refusal> {
    let is_price =
        |column: &&usize| are_near(sheet, first, **column, 0.02) || are_near(sheet, second, **column, 0.02);
    if let Some(third) = rest.iter().find(is_price) {
        return Err(unclear(
            sheet,
            &[first, second, *third],
            "which of the prices are bid and ask is not clear",
        ));
    }
    match *rest {
        [] | [_] => quotes(sheet, [first, second], [None, None]),
        [first_size, second_size] => quotes(sheet, [first, second], [Some(first_size), Some(second_size)]),
        _ => Err(unclear(sheet, rest, "these may be sizes, or further levels of a book")),
    }
}

/// The lower of two prices is the bid.
fn quotes(sheet: &mut Sheet<'_>, prices: [usize; 2], sizes: [Option<usize>; 2]) -> Result<Rows, Refusal> {
    let is_ask_first = pairs(sheet, prices[0], prices[1]).iter().filter(|(a, b)| a > b).count() * 2
        > pairs(sheet, prices[0], prices[1]).len();
    let (bid, ask) = if is_ask_first { (1, 0) } else { (0, 1) };
    let why = "two prices a hair apart in every row: the lower is the bid";
    sheet.take(prices[bid], "bid", why);
    sheet.take(prices[ask], "ask", why);
    for (size, role) in [(sizes[bid], "bid_size"), (sizes[ask], "ask_size")] {
        if let Some(size) = size {
            sheet.take(size, role, "the number that goes with the price");
        }
    }
    let size = |sheet: &Sheet<'_>, size: Option<usize>| -> Option<NumberColumn> {
        size.map(|column| sheet.number_column(column))
    };
    Ok(Rows::Quotes {
        bid: priced(sheet, prices[bid])?,
        bid_size: size(sheet, sizes[bid]),
        ask: priced(sheet, prices[ask])?,
        ask_size: size(sheet, sizes[ask]),
    })
}

/// A price that moves little and a size; whatever follows must be the product of the two, or a flag.
fn trades(sheet: &mut Sheet<'_>, first: usize, second: usize, rest: &[usize]) -> Result<Rows, Refusal> {
    let (price, size) = if is_calmer(sheet, second, first) { (second, first) } else { (first, second) };
    let is_known = |column: &&usize| {
        let numbers = &sheet.profiles[**column].numbers;
        let products = pairs(sheet, price, size).into_iter().map(|(price, size)| price * size);
        let is_product = products
            .zip(numbers.iter().flatten())
            .all(|(product, number)| (product - number).abs() <= product.abs() * 0.001);
        let is_flag = numbers.iter().flatten().all(|number| [-1.0, 0.0, 1.0, 2.0].contains(number));
        let is_large = numbers.iter().flatten().all(|number| number.fract() == 0.0 && *number >= 1e5);
        let is_id = is_large && sheet.profiles[**column].is_counter();
        is_product || is_flag || is_id
    };
    if let Some(other) = rest.iter().find(|column| !is_known(column)) {
        return Err(unclear(sheet, &[first, second, *other], "which of them is the price is not clear"));
    }
    refuse_jumps(sheet, price)?;
    sheet.take(price, "price", "the number that moves least from row to row");
    sheet.take(size, "size", "the number beside the price");
    let aggressor = aggressor_of(sheet);
    let size = Some(sheet.number_column(size));
    Ok(Rows::Trades { price: priced(sheet, price)?, size, aggressor })
}

/// Whether a column that comes later moves far less than the first, so that it is the price.
fn is_calmer(sheet: &Sheet<'_>, later: usize, first: usize) -> bool {
    let (later, first) = (steps(sheet, later), steps(sheet, first));
    later.len() >= 4 && median(&later) > 0.0 && median(&later) < 0.01 && median(&first) > 0.2
}

/// How far the numbers move from row to row, of the larger of the two; within a symbol where there is one.
fn steps(sheet: &Sheet<'_>, column: usize) -> Vec<f64> {
    let symbol = sheet.columns().find(|i| {
        let profile = &sheet.profiles[*i];
        !sheet.is_taken(*i) && profile.all(super::symbol::looks_like_one) && profile.values.len() > 1
    });
    let mut last: Vec<(&str, f64)> = Vec::new();
    let mut steps = Vec::new();
    for (row, number) in sheet.profiles[column].numbers.iter().enumerate() {
        let Some(number) = number else { continue };
        let key = symbol.map_or("", |symbol| sheet.table.rows[row].fields[symbol].as_str());
        match last.iter_mut().find(|(known, _)| *known == key) {
            Some((_, before)) => {
                let larger = before.abs().max(number.abs());
                steps.push(if larger > 0.0 { (number - *before).abs() / larger } else { 0.0 });
                *before = *number;
            }
            None => last.push((key, *number)),
        }
    }
    steps
}

fn median(numbers: &[f64]) -> f64 {
    let mut sorted = numbers.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(0.0)
}

/// Prices are above zero, and hardly ever jump.
fn refuse_jumps(sheet: &Sheet<'_>, price: usize) -> Result<(), Refusal> {
    let steps = steps(sheet, price);
    let jumps = steps.iter().filter(|step| **step > 0.25).count();
    let numbers = &sheet.profiles[price].numbers;
    let is_whole = numbers.iter().flatten().all(|number| number.fract() == 0.0);
    let is_constant = steps.iter().all(|step| *step == 0.0);
    let why = match () {
        () if numbers.iter().flatten().any(|number| *number <= 0.0) => {
            "not all of its numbers are above zero"
        }
        () if jumps * 10 > steps.len() => "its numbers jump from row to row as prices do not",
        () if is_whole && is_constant && steps.len() >= 10 => "it is the same whole number in every row",
        () => return Ok(()),
    };
    Err(unclear(sheet, &[price], why))
}

/// Flags and names of sides, as codes know them.
fn aggressor_of(sheet: &mut Sheet<'_>) -> Aggressor {
    let is_flag = |column: &usize| {
        sheet.profiles[*column].all(|text| ["true", "false"].contains(&&*text.to_lowercase()))
    };
    let is_side = |column: &usize| {
        let is_word = |text: &str| text.starts_with(|c: char| c.is_ascii_alphabetic());
        sheet.profiles[*column].all(|text| is_word(text) && aggressor(text.as_bytes()).is_ok())
    };
    let side = sheet.columns().find(is_side);
    if let Some(column) = side {
        sheet.take(column, "side", "its texts");
        return Aggressor::Side(sheet.column(column));
    }
    match sheet.columns().find(is_flag) {
        Some(column) => {
            sheet.take(
                column,
                "maker",
                "true and false: whether the buyer was the maker, as Binance writes it",
            );
            sheet
                .note(format!("column {} is taken for whether the buyer was the maker", sheet.shown(column)));
            Aggressor::BuyerIsMaker(sheet.column(column))
        }
        None => Aggressor::Unknown,
    }
}

fn unclear(sheet: &Sheet<'_>, columns: &[usize], why: &str) -> Refusal {
    let shown: Vec<String> = columns.iter().map(|column| sheet.place(*column, 0)).collect();
    let shown = if shown.is_empty() { String::new() } else { format!(" ({})", shown.join("; ")) };
    Refusal::new(
        format!("has no header, and its values alone do not say that it holds ticks: {why}{shown}"),
        "say which column is what by their numbers: --map 'time=#1:UNIT,price=#2,size=#3'",
    )
}
