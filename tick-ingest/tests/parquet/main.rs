//! Parquet files: what other programs write, and what any program could.

#![cfg(feature = "parquet")]

mod damage;
mod files;
mod round_trip;

use tick_ingest::detect;
use tick_ingest::formats::mapped_csv::Mapping;
use tick_ingest::{Batch, Format, NamedSymbol, ReadError, ReadOptions};
use tick_sdk::Tick;

/// Everything that was read of a file.
#[derive(Debug, Default)]
struct Read {
    ticks: Vec<Tick>,
    symbols: Vec<NamedSymbol>,
    notes: Vec<String>,
    bad_lines: Vec<String>,
    lines: u64,
}

fn options(symbol: Option<&str>, mapping: Option<&str>) -> ReadOptions {
    let mapping = mapping.map(|text| text.parse::<Mapping>().unwrap());
    ReadOptions { symbol: symbol.map(str::to_owned), mapping, ..ReadOptions::default() }
}

fn read(name: &str, options: &ReadOptions) -> Result<(Format, Read), ReadError> {
    let opened = detect::open(name, options)?;
    let mut reader = opened.reader;
    let mut read = Read::default();
    let mut batch = Batch::default();
    let mut more = true;
    while more {
        batch.clear();
        more = reader.read(&mut batch)?;
        read.ticks.append(&mut batch.ticks);
        read.symbols.append(&mut batch.new_symbols);
        read.notes.append(&mut batch.counts.notes);
        read.bad_lines.append(&mut batch.counts.bad_line_examples);
        read.lines += batch.counts.lines;
    }
    Ok((opened.format, read))
}

/// A file of `tests/data/readers/parquet`, which `make.py` there wrote.
fn data(name: &str) -> String {
    format!("{}/tests/data/readers/parquet/{name}.parquet", env!("CARGO_MANIFEST_DIR"))
}

/// The mapping that a file of no known kind is offered, with which it is then read.
fn guessed(name: &str, symbol: Option<&str>) -> (String, Read) {
    let mut options = options(symbol, None);
    let guess = match read(name, &options) {
        Err(ReadError::UnknownCsv { guess, .. }) => guess,
        other => panic!("not guessed: {other:?}"),
    };
    let text = guess.mapping.to_string();
    options.mapping = Some(text.parse().unwrap());
    let (format, read) = read_all(name, &options);
    assert_eq!(format, Format::Parquet);
    (text, read)
}

fn read_all(name: &str, options: &ReadOptions) -> (Format, Read) {
    read(name, options).unwrap_or_else(|error| panic!("{error}"))
}
