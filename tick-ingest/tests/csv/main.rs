//! What each kind of CSV becomes, and what is said about lines that are none.

mod mapped;
mod round_trip;
mod venues;

use tick_ingest::formats::mapped_csv::{Mapping, guess};
use tick_ingest::formats::{csv, orchard_csv};
use tick_ingest::lines::LineParser;
use tick_ingest::{BadField, Batch, Format, ReadError, ReadOptions};
use tick_sdk::decimal::{UNDEFINED_PRICE, parse_price};
use tick_sdk::{Flags, Kind, Side, Tick};

fn options(symbol: Option<&str>, mapping: Option<&str>) -> ReadOptions {
    let mapping = mapping.map(|text| text.parse::<Mapping>().unwrap());
    ReadOptions { symbol: symbol.map(str::to_owned), mapping, ..ReadOptions::default() }
}

fn open(name: &str, text: &[u8], options: &ReadOptions) -> (Format, Box<dyn LineParser>) {
    csv::detect(name, text, options).unwrap().expect("a CSV")
}

/// Feeds whole lines as the driver does.
fn feed(parser: &mut dyn LineParser, text: &[u8], batch: &mut Batch) -> Result<(), BadField> {
    let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines.into_iter().try_for_each(|line| parser.line(line, batch))
}

fn read(name: &str, text: &str, options: &ReadOptions) -> (Format, Batch) {
    let (format, mut parser) = open(name, text.as_bytes(), options);
    let mut batch = Batch::default();
    feed(&mut *parser, text.as_bytes(), &mut batch).unwrap();
    (format, batch)
}

fn error_of(name: &str, text: &str, options: &ReadOptions) -> String {
    match csv::detect(name, text.as_bytes(), options) {
        Err(error) => error.to_string(),
        Ok(None) => panic!("taken for no CSV"),
        Ok(Some((format, _))) => panic!("taken for {format:?}"),
    }
}

/// The error of the line behind a good header; nothing of it may become a tick.
fn bad_line(header: &str, line: &[u8], options: &ReadOptions) -> String {
    let (_, mut parser) = open("x.csv", header.as_bytes(), options);
    let mut batch = Batch::default();
    parser.line(header.as_bytes(), &mut batch).unwrap();
    let BadField { field, reason } = parser.line(line, &mut batch).unwrap_err();
    assert!(batch.ticks.is_empty() && batch.new_symbols.is_empty() && batch.counts.saturated_sizes == 0);
    format!("{field} {reason}")
}

fn price(text: &str) -> i64 {
    parse_price(text.as_bytes()).unwrap()
}

const MS: u64 = 1_000_000;

#[test]
fn what_is_no_csv_is_left_to_others() {
    for head in
        [&b""[..], b"{\"e\":\"trade\"}\n", b"DBN\x02\x00\x00,\x01,\x00\n", b"Dear reader,\nno table here.\n"]
    {
        assert!(matches!(csv::detect("x", head, &ReadOptions::default()), Ok(None)), "{head:?}");
    }
    let table = csv::detect("x", b"a,b,c\nred,green,blue\n", &ReadOptions::default()).map(|_| ());
    assert!(matches!(table, Err(ReadError::RefusedCsv { refusal, .. }) if refusal.advice.contains("--map")));
}

#[test]
fn damaged_lines_name_the_field() {
    let none = ReadOptions::default();
    let orchard = |line: &str| bad_line(orchard_csv::HEADER, line.as_bytes(), &none);
    for (line, said) in [
        ("1,2,A,trade,buy,1.5,2", "line has 7 instead of 8 fields"),
        ("-1,2,A,trade,buy,1.5,2,1", "ts_event is before 1970, where a tick's time begins"),
        (
            "1,18446744073709551616,A,trade,buy,1.5,2,1",
            "ts_recv is after the year 2554, where a tick's time ends",
        ),
        ("1,2,,trade,buy,1.5,2,1", "symbol is empty"),
        ("1,2,A,trades,buy,1.5,2,1", "kind is not trade, bid or ask"),
        ("1,2,A,trade,b,1.5,2,1", "side is not buy, sell or empty"),
        ("1,2,A,trade,buy,NaN,2,1", "price is not a decimal number"),
        (
            "1,2,A,trade,buy,123456789012345678901234567890,2,1",
            "price is outside the range of a tick (about ±9.2e9)",
        ),
        (
            "1,2,A,trade,buy,0.000000000000000000000000000001,2,1",
            "price is finer than 1e-9, which a tick cannot hold exactly; --map with a scale can, as in price=COLUMN:1e-12",
        ),
        ("1,2,A,trade,buy,1.5,-2,1", "size is negative"),
        ("1,2,A,trade,buy,1.5,,1", "size is empty"),
        ("1,2,A,trade,buy,1.5,2,65536", "flags is not a number from 0 to 65535"),
        ("1,2,\"A,trade,buy,1.5,2,1", "line has a quote that does not end (in one line)"),
    ] {
        assert_eq!(orchard(line), said, "{line}");
    }
    let tardis = "exchange,symbol,timestamp,local_timestamp,id,side,price,amount";
    let line = b"binance,BTCUSDT,1723075200015001,1723075200018002,1,sell,,0.5";
    assert_eq!(bad_line(tardis, line, &none), "price is empty");
    let map = options(Some("A"), Some("time=when:rfc3339,price=px"));
    let said = bad_line("when,px", b"1969-12-31T23:59:59Z,1", &map);
    assert_eq!(said, "time (column when) is before 1970, where a tick's time begins");
    assert!(bad_line("when,px", &[b'1'; 10_000_000], &map).contains("instead of 2 fields"));
    let mut long = b"2024-08-08T00:00:00Z,".to_vec();
    long.resize(10_000_000, b'7');
    assert!(bad_line("when,px", &long, &map).contains("outside the range"));
}

#[test]
fn times_of_2262_are_held() {
    let (_, batch) =
        read("x.csv", "t,p\n2262-04-12T00:00:00Z,1\n", &options(Some("A"), Some("time=t:rfc3339,price=p")));
    assert_eq!(batch.ticks[0].ts_event, 9_223_372_800_000_000_000);
}

#[test]
fn sizes_above_the_range_are_counted() {
    let max = "18446744073.709551615";
    let rows = format!("{}\n1,2,A,bid,,1,{max},0\n1,2,A,bid,,1,1e11,0\n", orchard_csv::HEADER);
    let (_, batch) = read("x.csv", &rows, &ReadOptions::default());
    assert_eq!(batch.ticks.iter().map(|tick| tick.size).collect::<Vec<_>>(), [u64::MAX; 2]);
    assert_eq!(batch.counts.saturated_sizes, 1);
}
