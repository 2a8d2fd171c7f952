//! Files as other programs write them.

use std::io::Cursor;

use tick_ingest::{Format, ReadOptions, detect};
use tick_sdk::decimal::{UNDEFINED_PRICE, parse_price, parse_size};
use tick_sdk::{Kind, Side, Tick};

use super::{Read, data, guessed, options, read, read_all};

/// 2024-06-01T09:00:00Z.
const START: u64 = 1_717_232_400_000_000_000;
const STEP: u64 = 250_000_001;

fn price(text: &str) -> i64 {
    if text.is_empty() { UNDEFINED_PRICE } else { parse_price(text.as_bytes()).unwrap() }
}

fn size(text: &str) -> u64 {
    parse_size(text.as_bytes()).unwrap()
}

fn trade(time: u64, received: u64, at: &str, of: &str, side: Side) -> Tick {
    Tick::trade(time, received, price(at), size(of), side)
}

fn quote(time: u64, received: u64, bid: (&str, &str), ask: (&str, &str)) -> [Tick; 2] {
    let side = |kind, (at, of): (&str, &str)| Tick::quote(kind, time, received, price(at), size(of));
    [side(Kind::BID, bid), side(Kind::ASK, ask).last()]
}

fn symbols(read: &Read) -> Vec<&str> {
    read.symbols.iter().map(|named| named.symbol.as_str()).collect()
}

fn error(name: &str, options: &ReadOptions) -> String {
    read(name, options).unwrap_err().to_string()
}

#[test]
fn quotes_of_a_research_tool_are_guessed_and_read() {
    let name = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/readers/64-nautilus-btcusdt-quotes.parquet");
    let (mapping, read) = guessed(name, None);
    assert_eq!(
        mapping,
        "time=timestamp:ms,symbol=symbol,bid=bid,bid_size=bid_size,ask=ask,ask_size=ask_size"
    );
    assert_eq!((read.lines, read.ticks.len(), symbols(&read)), (451, 902, vec!["BTC/USDT"]));
    let first = 1_610_064_001_076_000_000;
    assert_eq!(read.ticks[..2], quote(first, first, ("39432.99", "0.0031"), ("39433.62", "0.066851")));
}

#[test]
fn trades_of_a_nautilus_catalogue_are_known_by_themselves() {
    let (format, read) = read_all(&data("nautilus-trades-16"), &options(Some("OTHER"), None));
    assert_eq!(format, Format::Nautilus);
    assert_eq!(symbols(&read), ["BTCUSDT.BINANCE"]);
    let at = |i: u64| (START + i * STEP, START + i * STEP + 1_000);
    assert_eq!(
        read.ticks,
        [
            trade(at(0).0, at(0).1, "67000.01", "0.001", Side::BUY),
            trade(at(1).0, at(1).1, "67000.02", "2", Side::SELL),
            trade(at(2).0, at(2).1, "-0.000000001", "0.000000001", Side::NONE),
        ]
    );
}

#[test]
fn an_absent_side_of_a_nautilus_quote_keeps_the_other() {
    let (_, read) = read_all(&data("nautilus-quotes-8"), &ReadOptions::default());
    let at = |i: u64| (START + i * STEP, START + i * STEP + 1_000);
    let expected = [
        quote(at(0).0, at(0).1, ("67000.01", "0.001"), ("67000.03", "1.5")),
        quote(at(1).0, at(1).1, ("", "0"), ("67000.04", "2")),
        quote(at(2).0, at(2).1, ("67000.02", "3"), ("", "0")),
    ];
    assert_eq!(read.ticks, expected.concat());
}

#[test]
fn nautilus_has_had_numbers_of_other_kinds() {
    let (format, read) = read_all(&data("nautilus-quotes-whole-numbers"), &ReadOptions::default());
    assert_eq!((format, symbols(&read)), (Format::Nautilus, vec!["BTCUSDT.BINANCE"]));
    assert_eq!(read.ticks[..2], quote(START, START + 1_000, ("67000.01", "0.001"), ("67000.04", "1.5")));
    let (format, read) = read_all(&data("nautilus-quotes-decimals"), &ReadOptions::default());
    assert_eq!((format, symbols(&read)), (Format::Nautilus, vec!["BTCUSDT.BINANCE", "ETHUSDT.BINANCE"]));
    let second = START + STEP;
    let expected = [
        quote(START, START + 1_000, ("67000.01", "0.001"), ("67000.03", "1.5")),
        quote(second, second + 1_000, ("", "0"), ("67000.04", "2")).map(|tick| tick.of(1)),
    ];
    assert_eq!(read.ticks, expected.concat());
}

#[test]
fn bars_of_a_nautilus_catalogue_are_refused_by_name() {
    let text = error(&data("nautilus-bars"), &ReadOptions::default());
    assert!(text.contains("Nautilus catalogue with bars, no ticks"), "{text}");
}

#[test]
fn steps_below_those_of_a_tick_need_a_scale() {
    let name = data("nautilus-trades-fine");
    let text = error(&name, &ReadOptions::default());
    assert!(text.contains("price=COLUMN:1e-12"), "{text}");
    let mapping = "time=ts_event:ns,price=price:1e-13,size=size";
    let (_, read) = read_all(&name, &options(None, Some(mapping)));
    assert_eq!(read.ticks.iter().map(|tick| tick.price).collect::<Vec<_>>(), [12, 13, 14]);
    assert!(read.notes.iter().any(|note| note.contains("1e-13")), "{:?}", read.notes);
    assert!(!read.notes.iter().any(|note| note.contains("PEPEWETH")), "{:?}", read.notes);
}

#[test]
fn a_mapping_goes_before_what_a_file_is_known_as() {
    let mapping = "time=ts_init:ns,price=price,size=size";
    let (format, read) = read_all(&data("nautilus-trades-16"), &options(None, Some(mapping)));
    assert_eq!((format, symbols(&read)), (Format::Parquet, vec!["BTCUSDT.BINANCE"]));
    assert_eq!(read.ticks[0], trade(START + 1_000, START + 1_000, "67000.01", "0.001", Side::NONE));
}

#[test]
fn trades_by_pandas() {
    for name in ["pandas-trades", "pandas-index"] {
        let (mapping, read) = guessed(&data(name), None);
        assert_eq!(mapping, "time=timestamp:rfc3339,symbol=symbol,price=price,size=amount,side=side");
        assert_eq!(symbols(&read), ["BTC-USD", "ETH-USD"]);
        let at = |i: u64| START + i * STEP;
        assert_eq!(
            read.ticks,
            [
                trade(at(0), at(0), "67000.01", "0.001", Side::BUY),
                trade(at(1), at(1), "3800.5", "2", Side::SELL).of(1),
                trade(at(2), at(2), "67000.3", "0.00000001", Side::SELL),
                trade(at(3), at(3), "1580.787", "3.25", Side::BUY),
            ]
        );
    }
}

#[test]
fn quotes_by_polars_with_an_absent_side() {
    let (mapping, read) = guessed(&data("polars-quotes"), None);
    assert_eq!(mapping, "time=ts:us,symbol=sym,bid=bid,bid_size=bid_size,ask=ask,ask_size=ask_size");
    let (first, second) = (START + 123_456_000, START + 1_000_000_000);
    let expected = [
        quote(first, first, ("1.08431", "1000000"), ("1.08434", "2000000")),
        quote(second, second, ("", "0"), ("1.08435", "1500000")),
    ];
    assert_eq!(read.ticks, expected.concat());
}

#[test]
fn trades_by_spark_in_several_row_groups() {
    let (mapping, read) = guessed(&data("spark-trades"), None);
    assert_eq!(mapping, "time=event_time:ns,symbol=ticker,price=price,size=size");
    let prices: Vec<i64> = read.ticks.iter().map(|tick| tick.price).collect();
    assert_eq!(prices, ["189.01", "189.02", "189", "188.99", "189.03"].map(price));
    assert_eq!(read.ticks[4], trade(START + 4 * STEP, START + 4 * STEP, "189.03", "500", Side::NONE));
}

#[test]
fn a_day_and_a_time_of_day_are_joined() {
    let mapping = "time=date+time:%Y-%m-%d %H:%M:%S%.f,symbol=symbol,price=price,size=volume";
    let (_, read) = read_all(&data("date-and-time"), &options(None, Some(mapping)));
    let third = 1_717_407_000_002_000_000;
    assert_eq!(read.ticks[2], trade(third, third, "415.03", "300", Side::NONE));
}

#[test]
fn a_timestamp_of_no_zone_is_of_the_zone_that_is_given() {
    let mapping = "time=timestamp:ns,symbol=symbol,price=price,size=amount";
    let mut options = options(None, Some(mapping));
    let (_, read) = read_all(&data("pandas-trades"), &options);
    assert_eq!(read.ticks[1].ts_event, START + STEP);
    assert!(read.notes.iter().any(|note| note.contains("--tz")), "{:?}", read.notes);
    options.zone = "America/New_York".parse().unwrap();
    let (_, read) = read_all(&data("pandas-trades"), &options);
    assert_eq!(read.ticks[1].ts_event, START + STEP + 4 * 3600 * 1_000_000_000);
    assert!(!read.notes.iter().any(|note| note.contains("--tz")), "{:?}", read.notes);
}

#[test]
fn a_timestamp_is_read_by_its_own_type_whatever_the_mapping_says() {
    let mapping = "time=ts:ms,symbol=sym,bid=bid,ask=ask";
    let (_, read) = read_all(&data("polars-quotes"), &options(None, Some(mapping)));
    assert_eq!(read.ticks[0].ts_event, START + 123_456_000);
    assert!(read.notes.iter().any(|note| note.contains("column ts is a timestamp in UTC by its own type")));
    let (_, read) = read_all(&data("polars-quotes"), &options(None, Some(&mapping.replace("ms", "us"))));
    assert!(!read.notes.iter().any(|note| note.contains("by its own type")), "{:?}", read.notes);
}

#[test]
fn columns_that_are_no_field_are_refused_by_name() {
    for (mapping, expected) in [
        ("time=ts:ns,symbol=symbol,price=trade", "column trade is nested"),
        ("time=ts:ns,symbol=symbol,price=bids", "column bids is nested"),
        ("time=ts:ns,symbol=symbol,price=px", "has no column px"),
        ("time=ts:ns,symbol=symbol,price=#9", "--map names #9"),
        ("time=ts:ns,symbol=symbol,price=ts,delimiter=;", "leave delimiter="),
        ("time=ts:ns,symbol=symbol,price=ts,decimal=comma", "leave decimal="),
    ] {
        let text = error(&data("nested"), &options(None, Some(mapping)));
        assert!(text.contains(expected), "{mapping}: {text}");
    }
    let text = error(&data("nested"), &ReadOptions::default());
    assert!(text.contains("bids (not read), trade (not read)"), "{text}");
}

#[test]
fn a_malformed_row_is_named_by_its_number() {
    let mapping = "time=ts:us,symbol=sym,price=bid,size=bid_size";
    let text = error(&data("polars-quotes"), &options(None, Some(mapping)));
    assert!(text.contains("polars-quotes.parquet:2: ") && text.contains("price"), "{text}");
    let mut options = options(None, Some(mapping));
    options.bad_lines = tick_ingest::BadLines::Skip;
    let (_, read) = read_all(&data("polars-quotes"), &options);
    assert_eq!((read.ticks.len(), read.bad_lines.len()), (1, 1));
}

#[test]
fn what_has_no_end_to_begin_with_is_refused() {
    let bytes = std::fs::read(data("pandas-trades")).unwrap();
    let refused = |bytes: Vec<u8>| {
        let opened = detect::open_reader("-", Box::new(Cursor::new(bytes)), &ReadOptions::default());
        opened.err().unwrap().to_string()
    };
    let packed = zstd::encode_all(&bytes[..], 1).unwrap();
    assert!(refused(bytes).contains("is Parquet, which is read from its end"));
    assert!(refused(packed).contains("unpack it into a file"));
    assert!(refused(b"PAR1 is a hotel".to_vec()).contains("no known format"));
    assert!(refused(b"PARE\x15\x04".to_vec()).contains("encrypted"));
}
