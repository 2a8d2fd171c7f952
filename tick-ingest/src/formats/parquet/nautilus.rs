//! Files of a Nautilus catalogue: quotes and trades of one instrument.
//!
//! Prices and sizes are fixed-point numbers: 8 bytes in units of 1e-9, or 16 bytes in units of 1e-16,
//! the lowest byte first; in files of before 2025 a whole number in units of 1e-9; in those of 2026
//! decimals. `ts_event` is the venue's time and `ts_init` when the tick was received, in nanoseconds. The
//! instrument is named in the file's key-value pairs, or in a column.

use std::collections::BTreeMap;

use ::parquet::basic::Type;

use super::column::{Column, Meaning};
use crate::ReadError;
use crate::formats::mapped_csv::Mapping;

/// How a catalogue's file is read.
pub(super) struct Catalogue {
    /// `None` where no row is a quote or a trade.
    pub(super) mapping: Option<Mapping>,
    /// The instrument, where the file itself names it.
    pub(super) instrument: Option<String>,
}

/// What the file is, if it is one of a catalogue: then its numbers are given their meaning.
pub(super) fn recognize(columns: &mut [Column], pairs: &BTreeMap<String, String>) -> Option<Catalogue> {
    let place = |name: &str| columns.iter().position(|column| column.name == name);
    place("ts_event").and(place("ts_init"))?;
    let is_fixed = |column: &Column| matches!(meaning(column), Some(Meaning::FixedBinary { .. }));
    let keys = ["price_precision", "size_precision", "bar_type", "type_name"];
    let kinds = ["QuoteTick", "TradeTick", "Bar", "OrderBookDelta"];
    let is_named = keys.iter().any(|key| pairs.contains_key(*key))
        || pairs.get("type").is_some_and(|kind| kinds.contains(&kind.as_str()));
    if !is_named && !columns.iter().any(is_fixed) {
        return None;
    }
    let mapping = mapping(columns);
    let instrument = pairs.get("instrument_id").cloned();
    give_meaning(columns, pairs.contains_key("price_precision"));
    Some(Catalogue { mapping, instrument })
}

fn meaning(column: &Column) -> Option<Meaning> {
    column.values.as_ref().ok().map(|leaf| leaf.meaning)
}

/// The mapping of a file of quotes or trades.
fn mapping(columns: &[Column]) -> Option<Mapping> {
    let first = |names: &[&'static str]| {
        names.iter().copied().find(|name| columns.iter().any(|column| column.name == *name))
    };
    let rows = if let (Some(bid), Some(ask)) = (first(&["bid_price", "bid"]), first(&["ask_price", "ask"])) {
        let sizes = first(&["bid_size"]).and(first(&["ask_size"]));
        sizes.map(|_| format!("bid={bid},bid_size=bid_size,ask={ask},ask_size=ask_size"))
    } else {
        let columns = first(&["price"]).and(first(&["size"])).and(first(&["aggressor_side"]));
        columns.map(|_| "price=price,size=size,side=aggressor_side".to_owned())
    };
    let symbol = first(&["instrument_id", "identifier"]);
    let symbol = symbol.map(|symbol| format!(",symbol={symbol}")).unwrap_or_default();
    let text = format!("time=ts_event:ns,recv=ts_init:ns{symbol},{}", rows?);
    Some(text.parse().expect("a mapping of plain names"))
}

/// Says what the numbers of prices and sizes are; `scaled` whole numbers are in units of 1e-9.
fn give_meaning(columns: &mut [Column], scaled: bool) {
    const NUMBERS: [&str; 8] =
        ["bid_price", "bid", "ask_price", "ask", "bid_size", "ask_size", "price", "size"];
    for column in columns {
        let Ok(leaf) = &mut column.values else { continue };
        let signed = !column.name.contains("size");
        match leaf.meaning {
            Meaning::FixedBinary { bytes: 8 } => {
                leaf.meaning = Meaning::NautilusNumber { scale: 9, signed };
            }
            Meaning::FixedBinary { .. } => leaf.meaning = Meaning::NautilusNumber { scale: 16, signed },
            Meaning::Plain | Meaning::Unsigned
                if scaled && leaf.physical == Type::INT64 && NUMBERS.contains(&column.name.as_str()) =>
            {
                leaf.meaning = Meaning::NautilusNumber { scale: 9, signed };
            }
            Meaning::Plain if column.name == "aggressor_side" => leaf.meaning = Meaning::NautilusAggressor,
            _ => {}
        }
    }
}

/// Why a catalogue's file of another kind is not read.
pub(super) fn other_kind(file: &str, columns: &[Column], pairs: &BTreeMap<String, String>) -> ReadError {
    let has = |name: &str| columns.iter().any(|column| column.name == name);
    let kind = if pairs.contains_key("bar_type") || has("high") {
        "bars, no ticks"
    } else if has("bid_price_0") || has("bids") {
        "snapshots of the book, no ticks"
    } else if has("order_id") {
        "book updates, no trades"
    } else {
        "neither quotes nor trades"
    };
    ReadError::Format {
        file: file.to_owned(),
        reason: format!("is a file of a Nautilus catalogue with {kind}"),
        advice: "of such a catalogue quotes and trades are read; others by --map, if their rows are such"
            .to_owned(),
    }
}
