//! Tables that a mapping reads: files as users have them, forms of tables, and everything written and
//! read back.

use std::io::Cursor;

use tick_ingest::detect::{self, Opened};
use tick_ingest::formats::mapped_csv::Mapping;
use tick_ingest::{BadLines, Batch, ReadError, ReadOptions};
use tick_sdk::decimal::{UNDEFINED_PRICE, format_decimal};
use tick_sdk::{Kind, Tick};

mod files;
mod forms;
mod mappings;
mod quotes;
mod round_trip;

fn options(map: &str) -> ReadOptions {
    let mapping = map.parse::<Mapping>().unwrap_or_else(|error| panic!("{map}: {error}"));
    ReadOptions { mapping: Some(mapping), ..ReadOptions::default() }
}

/// As [`options`], for a table without a column for the symbol.
fn options_of(symbol: &str, map: &str) -> ReadOptions {
    ReadOptions { symbol: Some(symbol.to_owned()), ..options(map) }
}

/// Everything that a table gives, by way of the program's own reader.
fn read(text: &str, options: &ReadOptions) -> Result<Batch, ReadError> {
    let reader = Box::new(Cursor::new(text.as_bytes().to_vec()));
    let Opened { mut reader, .. } = detect::open_reader("x.csv", reader, options)?;
    let (mut whole, mut batch) = (Batch::default(), Batch::default());
    loop {
        batch.clear();
        let more = reader.read(&mut batch)?;
        whole.ticks.append(&mut batch.ticks);
        whole.new_symbols.append(&mut batch.new_symbols);
        whole.counts.add(&batch.counts);
        if !more {
            return Ok(whole);
        }
    }
}

fn error_of(text: &str, options: &ReadOptions) -> String {
    match read(text, options) {
        Err(error) => error.to_string(),
        Ok(batch) => panic!("{text}: read as {:?}", batch.ticks),
    }
}

/// As [`read`], leaving malformed lines out.
fn read_rest(text: &str, options: &ReadOptions) -> Batch {
    let options = ReadOptions { bad_lines: BadLines::Skip, ..options.clone() };
    read(text, &options).unwrap_or_else(|error| panic!("{error}"))
}

fn file(name: &str) -> String {
    let path = format!("{}/tests/data/readers/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// `67510.1 x 0.5`, or `-` for an empty side.
fn level(tick: &Tick) -> String {
    if tick.price == UNDEFINED_PRICE {
        assert_eq!(tick.size, 0);
        return "-".to_owned();
    }
    format!("{} x {}", format_decimal(tick.price), format_decimal(tick.size))
}

fn levels(batch: &Batch) -> Vec<String> {
    batch.ticks.iter().map(level).collect()
}

/// Both sides of each quote, as in `1.5 x 1 | -`.
fn quotes(batch: &Batch) -> Vec<String> {
    let (pairs, rest) = batch.ticks.as_chunks::<2>();
    assert!(rest.is_empty());
    let quote = |[bid, ask]: &[Tick; 2]| {
        assert_eq!((bid.kind, ask.kind, bid.ts_event), (Kind::BID, Kind::ASK, ask.ts_event));
        format!("{} | {}", level(bid), level(ask))
    };
    pairs.iter().map(quote).collect()
}
