//! A mapping, as it is for a table whose columns have types.

use ::parquet::basic::Type;

use super::column::{Column, Leaf, Meaning};
use super::text::Unit;
use crate::ReadError;
use crate::formats::mapped_csv::{
    Aggressor, Column as Named, Mapping, NumberColumn, NumberStyle, Rows, TableLayout, TimeColumn,
};
use crate::formats::time_text::TimeFormat;

/// How the lines are written that rows are turned into.
///
/// # Errors
/// The mapping says of the table what only a text can have.
pub(super) fn with_own_layout(
    file: &str,
    mut mapping: Mapping,
    columns: &[Column],
) -> Result<Mapping, ReadError> {
    let refused = |what: &str, keys: &str| ReadError::Format {
        file: file.to_owned(),
        reason: format!("is Parquet, which has no {what}"),
        advice: format!("leave {keys} out of --map"),
    };
    let TableLayout { empty, numbers, header: _, .. } = mapping.layout;
    let plain = TableLayout { header: mapping.layout.header, empty, numbers, ..TableLayout::default() };
    if mapping.layout != plain {
        return Err(refused(
            "delimiter and no lines to skip",
            "delimiter=, skip=, comment=, trailer= and ragged=",
        ));
    }
    let is_text = |number: &&NumberColumn| {
        let values = find(&number.column, columns).map(|column| &column.values);
        matches!(values, Some(Ok(Leaf { physical: Type::BYTE_ARRAY, meaning: Meaning::Plain, .. })))
    };
    if numbers != NumberStyle::default() && !numbers_of(&mapping).iter().all(is_text) {
        return Err(refused("commas in its numbers", "decimal= and thousands="));
    }
    mapping.layout = TableLayout { header: true, ..plain };
    Ok(mapping)
}

/// The columns of prices and sizes.
fn numbers_of(mapping: &Mapping) -> Vec<&NumberColumn> {
    match &mapping.rows {
        Rows::Trades { price, size, .. } => [Some(price), size.as_ref()].into_iter().flatten().collect(),
        Rows::Quotes { bid, bid_size, ask, ask_size } => {
            let sizes = [bid_size.as_ref(), ask_size.as_ref()];
            [bid, ask].into_iter().chain(sizes.into_iter().flatten()).collect()
        }
    }
}

/// Every column that the mapping names.
pub(super) fn columns_of(mapping: &Mapping) -> Vec<&Named> {
    let mut named: Vec<&Named> = numbers_of(mapping).into_iter().map(|number| &number.column).collect();
    for time in [Some(&mapping.time), mapping.recv.as_ref()].into_iter().flatten() {
        named.push(&time.column);
        named.extend(&time.clock);
    }
    named.extend(&mapping.symbol);
    named.extend(mapping.only.as_ref().map(|only| &only.column));
    if let Rows::Trades { aggressor: Aggressor::Side(column) | Aggressor::BuyerIsMaker(column), .. } =
        &mapping.rows
    {
        named.push(column);
    }
    named
}

/// `mapping`, with the times of such columns read as they say; and a sentence for each that the mapping
/// says otherwise of.
pub(super) fn with_own_units(mut mapping: Mapping, columns: &[Column]) -> (Mapping, Vec<String>) {
    let mut notes = Vec::new();
    for time in [Some(&mut mapping.time), mapping.recv.as_mut()].into_iter().flatten() {
        notes.extend(correct(time, columns));
    }
    (mapping, notes)
}

fn correct(time: &mut TimeColumn, columns: &[Column]) -> Option<String> {
    if time.clock.is_some() {
        return None;
    }
    let meaning = find(&time.column, columns)?.values.as_ref().ok()?.meaning;
    let own = match meaning {
        Meaning::Timestamp(Unit::Millis) => TimeFormat::Millis,
        Meaning::Timestamp(Unit::Micros) => TimeFormat::Micros,
        Meaning::Timestamp(Unit::Nanos) | Meaning::Int96 => TimeFormat::Nanos,
        Meaning::LocalTimestamp(_) => TimeFormat::Rfc3339,
        _ => return None,
    };
    if own == time.format {
        return None;
    }
    let given = std::mem::replace(&mut time.format, own);
    let column = &time.column;
    let is = match meaning {
        Meaning::LocalTimestamp(_) => "is a timestamp without a zone by its own type, and is read as one",
        _ => "is a timestamp in UTC by its own type, and is read as one",
    };
    (given.to_string() != "auto").then(|| format!("column {column} {is}, whatever {given} says"))
}

/// The column that a mapping means, if there is just one.
pub(super) fn find<'a>(named: &Named, columns: &'a [Column]) -> Option<&'a Column> {
    match named {
        Named::Number(number) => columns.get(number.checked_sub(1)?),
        Named::Name(name) => {
            let mut found = columns.iter().filter(|column| column.name.trim() == name);
            found.next().filter(|_| found.next().is_none())
        }
    }
}
