//! What each kind of CSV becomes, and what is said about lines that are none.

use proptest::prelude::*;
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
fn binance_trades_of_futures_have_a_header_and_the_symbol_in_the_name() {
    let text = "id,price,qty,quote_qty,time,is_buyer_maker\n\
                5250000001,61800.10,0.005,309.0005,1723075200015,true\n\
                5250000002,61800.20,1,61800.2,1723075200016,false\n";
    let (format, batch) = read("data/um/BTCUSDT-trades-2024-08-08.csv.gz", text, &ReadOptions::default());
    assert_eq!(format, Format::BinanceTrades);
    let at = 1_723_075_200_015 * MS;
    assert_eq!(
        batch.ticks,
        [
            Tick::trade(at, at, price("61800.1"), 5_000_000, Side::SELL),
            Tick::trade(at + MS, at + MS, price("61800.2"), 1_000_000_000, Side::BUY),
        ]
    );
    assert_eq!(batch.new_symbols[0].symbol, "BTCUSDT");
    assert_eq!(batch.new_symbols[0].market.as_deref(), Some("binance-usdm"));
}

#[test]
fn binance_files_without_header_are_known_by_their_shape() {
    for (name, line, format, market) in [
        (
            "BTCUSDT-trades-2017-08.csv",
            "1,4261.48,0.1,426.148,1502942428322,True,True",
            Format::BinanceTrades,
            "binance-spot",
        ),
        ("-", "1,4261.48,0.1,426.148,1502942428322,True,True", Format::BinanceTrades, "binance-spot"),
        ("-", "1,4261.48,0.1,426.148,1502942428322,true", Format::BinanceTrades, "binance-usdm"),
        ("-", "1,4261.48,0.1,5,7,1502942428322,true", Format::BinanceAggTrades, "binance-usdm"),
        ("-", "1,4261.48,0.1,5,7,1502942428322000,True,True", Format::BinanceAggTrades, "binance-spot"),
    ] {
        let (found, batch) = read(name, line, &options(Some("BTCUSDT"), None));
        assert_eq!(found, format, "{line}");
        let at = 1_502_942_428_322 * MS;
        assert_eq!(batch.ticks, [Tick::trade(at, at, price("4261.48"), 100_000_000, Side::SELL)], "{line}");
        assert_eq!(batch.new_symbols[0].market.as_deref(), Some(market), "{line}");
    }
}

#[test]
fn binance_book_tickers_are_a_bid_and_an_ask() {
    let line = "4711,61800.1,5,61800.2,0.5,1723075200015,1723075200019\n4712,0,0,61800.2,0.5,1723075200016,1723075200020";
    let (format, batch) = read("BTCUSD_PERP-bookTicker-2024-08-08.csv", line, &ReadOptions::default());
    assert_eq!(format, Format::BinanceBookTicker);
    let at = 1_723_075_200_015 * MS;
    let ask = Tick::quote(Kind::ASK, at, at, price("61800.2"), 500_000_000).last();
    assert_eq!(batch.ticks[..2], [Tick::quote(Kind::BID, at, at, price("61800.1"), 5_000_000_000), ask]);
    assert_eq!(batch.ticks[2].price, UNDEFINED_PRICE);
    assert_eq!(batch.new_symbols[0].market.as_deref(), Some("binance-coinm"));
}

#[test]
fn binance_says_which_name_is_missing() {
    let header = "agg_trade_id,price,quantity,first_trade_id,last_trade_id,transact_time,is_buyer_maker\n";
    let error = error_of("trades.csv", header, &ReadOptions::default());
    assert!(error.contains("--symbol") && error.contains("aggTrades"), "{error}");
    let book = "4711,61800.1,5,61800.2,0.5,1723075200015,1723075200019\n";
    let error = error_of("BTCUSDT-trades-2024-08-08.csv", book, &ReadOptions::default());
    assert!(error.contains("BTCUSDT") || error.contains("SYMBOL-bookTicker"), "{error}");
    // Seven numbers in a file that is not called a book ticker may be anything.
    let error = error_of("x.csv", book, &options(Some("BTCUSDT"), None));
    assert!(error.contains("--map"), "{error}");
}

#[test]
fn tardis_columns_come_in_any_order() {
    let text = "exchange,symbol,timestamp,local_timestamp,id,side,price,amount\n\
                binance,BTCUSDT,1723075200015001,1723075200018002,1,sell,61800.1,0.5\n";
    let (format, batch) = read("x", text, &ReadOptions::default());
    assert_eq!(format, Format::TardisTrades);
    let (event, recv) = (1_723_075_200_015_001_000, 1_723_075_200_018_002_000);
    assert_eq!(batch.ticks, [Tick::trade(event, recv, price("61800.1"), 500_000_000, Side::SELL)]);
    assert_eq!(batch.new_symbols[0].market.as_deref(), Some("binance"));

    let text = "symbol,exchange,bid_price,bid_amount,ask_price,ask_amount,local_timestamp,timestamp\n\
                BTCUSDT,binance,61800.1,2,,,1723075200018002,1723075200015001\n";
    let (format, batch) = read("x", text, &ReadOptions::default());
    assert_eq!(format, Format::TardisQuotes);
    let bid = Tick::quote(Kind::BID, event, recv, price("61800.1"), 2_000_000_000);
    assert_eq!(batch.ticks, [bid, Tick::quote(Kind::ASK, event, recv, UNDEFINED_PRICE, 0).last()]);
}

#[test]
fn other_tardis_files_are_not_taken_for_trades() {
    let changes = "exchange,symbol,timestamp,local_timestamp,is_snapshot,side,price,amount\n";
    assert!(error_of("x.csv", changes, &ReadOptions::default()).contains("neither trades nor quotes"));
    let trades = "exchange,symbol,timestamp,local_timestamp,id,side,price,amount\n";
    let liquidations =
        error_of("bybit_liquidations_2024-08-08_BTCUSDT.csv.gz", trades, &ReadOptions::default());
    assert!(liquidations.contains("neither trades nor quotes"));
}

#[test]
fn one_tardis_file_has_one_exchange() {
    let header = "exchange,symbol,timestamp,local_timestamp,id,side,price,amount";
    let (_, mut parser) = open("x.csv", header.as_bytes(), &ReadOptions::default());
    let mut batch = Batch::default();
    parser.line(b"binance,BTCUSDT,1,1,1,sell,1,1", &mut batch).unwrap();
    let error = parser.line(b"bybit,BTCUSDT,1,1,1,sell,1,1", &mut batch).unwrap_err();
    assert_eq!(error.field, "exchange");
    assert_eq!(batch.ticks.len(), 1);
}

#[test]
fn headers_of_joined_files_are_no_bad_lines() {
    let rows = format!("{0}\n1,2,A,trade,buy,1.5,2,1\n{0}\n3,4,B,bid,,,0,0\n", orchard_csv::HEADER);
    let (format, batch) = read("x.csv", &rows, &ReadOptions::default());
    assert_eq!(format, Format::OrchardCsv);
    assert_eq!(
        batch.ticks,
        [
            Tick::trade(1, 2, 1_500_000_000, 2_000_000_000, Side::BUY),
            Tick::quote(Kind::BID, 3, 4, UNDEFINED_PRICE, 0).of(1),
        ]
    );
}

#[test]
fn a_mapping_reads_trades_and_quotes() {
    let trades = "ts|sym|px|qty|m\n1723075200.015|ES|1.5|2|FALSE\n\"1723075200.016\"| ES |1.25|0|t\n";
    let map = "time=ts:s,symbol=sym,price=px,size=qty,maker=m,delimiter=|";
    let (format, batch) = read("x.csv", trades, &options(None, Some(map)));
    assert_eq!(format, Format::MappedCsv);
    let at = 1_723_075_200_015 * MS;
    assert_eq!(
        batch.ticks,
        [
            Tick::trade(at, at, price("1.5"), 2_000_000_000, Side::BUY),
            Tick::trade(at + MS, at + MS, price("1.25"), 0, Side::SELL),
        ]
    );

    let quotes = "2024-08-08 00:00:00.015\t1.5\t\t1723075200016\n";
    let map = "time=#1:rfc3339,recv=#4:ms,bid=#2,ask=#3,delimiter=tab,header=no";
    let (_, batch) = read("x.tsv", quotes, &options(Some("ES"), Some(map)));
    let bid = Tick::quote(Kind::BID, at, at + MS, price("1.5"), 0);
    assert_eq!(batch.ticks, [bid, Tick::quote(Kind::ASK, at, at + MS, UNDEFINED_PRICE, 0).last()]);
}

#[test]
fn sides_are_read_as_documented() {
    let sides = [
        ("B", Side::BUY),
        ("buy", Side::BUY),
        ("Bid", Side::BUY),
        ("1", Side::BUY),
        ("S", Side::SELL),
        ("SELL", Side::SELL),
        ("ask", Side::SELL),
        ("-1", Side::SELL),
        ("2", Side::SELL),
        ("", Side::NONE),
        ("None", Side::NONE),
        ("0", Side::NONE),
    ];
    for (text, side) in sides {
        let row = format!("t,p,s\n1,1,{text}\n");
        let (_, batch) = read("x.csv", &row, &options(Some("A"), Some("time=t:ns,price=p,side=s")));
        assert_eq!(batch.ticks, [Tick::trade(1, 1, 1_000_000_000, 0, side)], "{text}");
    }
}

#[test]
fn a_mapping_that_does_not_fit_says_why() {
    let text = "ts,px,px\n1,2,3\n";
    let error = |symbol: Option<&str>, map| error_of("x.csv", text, &options(symbol, Some(map)));
    let missing = error(Some("A"), "time=ts:ns,price=price");
    assert!(missing.contains("no column price") && missing.contains("#1 ts, #2 px"), "{missing}");
    assert!(error(Some("A"), "time=ts:ns,price=px").contains("more than once"));
    assert!(error(Some("A"), "time=ts:ns,price=#4").contains("has 3 columns"));
    assert!(error(Some("A"), "time=ts:ns,price=#2,header=no").contains("there is no header"));
    assert!(error(None, "time=ts:ns,price=#2").contains("--symbol"));
}

#[test]
fn mappings_that_are_none_say_what_to_write() {
    for (text, part) in [
        ("", "KEY=VALUE"),
        ("time", "KEY=VALUE"),
        ("time=ts:ms", "price is missing"),
        ("price=px", "time is missing"),
        ("time=ts,price=px", "needs a unit"),
        ("time=ts:min,price=px", "not a valid time unit"),
        ("time=ts:ms,price=px,price=p", "given twice"),
        ("time=ts:ms,price=px,bid=b", "cannot go together"),
        ("time=ts:ms,price=px,side=a,maker=b", "cannot go together"),
        ("time=ts:ms,bid=b", "ask is missing"),
        ("time=ts:ms,price=#0", "not a valid column number"),
        ("time=ts:ms,price=px,delimiter=xx", "one character"),
        ("time=ts:ms,price=px,header=maybe", "header=yes"),
        ("time=ts:ms,prize=px", "not a valid key"),
    ] {
        let error = text.parse::<Mapping>().unwrap_err().to_string();
        assert!(error.contains(part), "{text}: {error}");
    }
}

#[test]
fn unknown_csv_is_answered_with_a_mapping_that_reads_it() {
    for (text, symbol, rows) in [
        (
            "Timestamp,Symbol,Price,Volume,Side\n2024-08-08 00:00:00.5,ES,1.5,2,B\n2024-08-08 00:00:01,ES,1.5,2,S\n",
            None,
            2,
        ),
        ("ts;sym;bid;bid_size;ask;ask_size\n1723075200015;ES;1;2;3;4\n", None, 2),
        ("time\tprice\n1723075200.015\t1.5\n", Some("ES"), 1),
        ("1723075200015000,ES,1.5,2,buy\n1723075200015001,ES,1.5,2,sell\n", None, 2),
        ("20240808 000000,1.5,2\n20240808 000001,1.6,1\n", Some("EURUSD"), 2),
        ("08.08.2024 00:00:00.015|1.5|2|1.6|3\n", Some("EURUSD"), 2),
        ("\u{feff}\"date, time\",\"a:b\",price\n2024-08-08T00:00:00Z,x,1\n", Some("EURUSD"), 1),
    ] {
        let without = options(symbol, None);
        let found = guess("x.csv", text.as_bytes(), &without).expect(text).mapping.to_string();
        assert!(error_of("x.csv", text, &without).contains(&format!("--map '{found}'")), "{text}");
        let plain = text.trim_start_matches('\u{feff}');
        let (_, batch) = read("x.csv", plain, &options(symbol, Some(&found)));
        assert_eq!(batch.ticks.len(), rows, "{text} {found}");
        let year_2024 = 1_704_067_200_000 * MS..1_735_689_600_000 * MS;
        assert!(batch.ticks.iter().all(|tick| year_2024.contains(&tick.ts_recv)), "{text} {found}");
    }
}

#[test]
fn what_is_no_csv_is_left_to_others() {
    for head in
        [&b""[..], b"{\"e\":\"trade\"}\n", b"DBN\x02\x00\x00,\x01,\x00\n", b"Dear reader,\nno table here.\n"]
    {
        assert!(matches!(csv::detect("x", head, &ReadOptions::default()), Ok(None)), "{head:?}");
    }
    let table = csv::detect("x", b"a,b,c\nred,green,blue\n", &ReadOptions::default()).map(|_| ());
    assert!(matches!(table, Err(ReadError::Format { advice, .. }) if advice.contains("--map")));
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
            "price is finer than 1e-9, which a tick cannot hold exactly",
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

#[test]
fn what_has_no_text_is_not_written() {
    let mut writer = orchard_csv::CsvTickWriter::new(Vec::new());
    let tick = Tick::trade(1, 1, 1, 1, Side::BUY);
    let mut refused = |tick: Tick, symbol: &str| writer.write(&tick, symbol).unwrap_err().to_string();
    assert!(refused(Tick { kind: Kind(9), ..tick }, "A").contains("kind 9"));
    assert!(refused(Tick { side: Side(3), ..tick }, "A").contains("side 3"));
    assert!(refused(Tick { price: i64::MIN, ..tick }, "A").contains("price"));
    assert!(refused(tick, "").contains("is empty"));
    assert!(refused(tick, &"A".repeat(257)).contains("longer"));
    assert!(refused(tick, "A\nB").contains("control character"));
    let written = writer.finish().unwrap();
    assert_eq!(String::from_utf8(written).unwrap(), format!("{}\n", orchard_csv::HEADER));
}

fn any_tick() -> impl Strategy<Value = Tick> {
    let price = prop_oneof![3 => any::<i64>().prop_filter("has a text", |price| *price > -i64::MAX), 1 => Just(UNDEFINED_PRICE)];
    (any::<[u64; 2]>(), price, prop_oneof![any::<u64>(), Just(u64::MAX)], 1u8..=3, 0u8..=2, any::<u16>())
        .prop_map(|([ts_event, ts_recv], price, size, kind, side, flags)| Tick {
            ts_event,
            ts_recv,
            price,
            size,
            instrument: 0,
            kind: Kind(kind),
            side: Side(side),
            flags: Flags(flags),
        })
}

fn column_name() -> impl Strategy<Value = String> {
    "[a-z#][a-zé ,:=#\\\\\"'|;]{0,5}[a-z]"
}

proptest! {
    #[test]
    fn ticks_come_back_from_their_csv(rows in proptest::collection::vec((any_tick(), "[A-Zé,\" .-]{1,8}"), 0..20)) {
        let mut writer = orchard_csv::CsvTickWriter::new(Vec::new());
        for (tick, symbol) in &rows {
            writer.write(tick, symbol).unwrap();
        }
        let text = writer.finish().unwrap();
        let (_, mut parser) = open("x.csv", &text, &ReadOptions::default());
        let mut batch = Batch::default();
        feed(&mut *parser, &text, &mut batch).unwrap();
        prop_assert_eq!(batch.ticks.len(), rows.len());
        for (read, (written, symbol)) in batch.ticks.iter().zip(&rows) {
            prop_assert_eq!(&Tick { instrument: 0, ..*read }, written);
            prop_assert_eq!(&batch.new_symbols[read.instrument as usize].symbol, symbol);
        }
        prop_assert_eq!(batch.counts.saturated_sizes, 0);
    }

    #[test]
    fn mappings_come_back_from_their_text(
        names in proptest::array::uniform5(column_name()),
        numbers in proptest::array::uniform5(1usize..=4096),
        named in proptest::array::uniform5(any::<bool>()),
        pattern in "%Y[,: /\\\\=-]{0,3}%m",
        delimiter in prop_oneof![Just("tab".to_owned()), Just("space".to_owned()), "[;|:!]", Just("\\\\".to_owned())],
        header in any::<bool>(),
        quote in any::<bool>(),
    ) {
        let escape = |name: &str| name.chars().flat_map(|c| {
            let special = matches!(c, ',' | ':' | '\\' | '#');
            special.then_some('\\').into_iter().chain([c])
        }).collect::<String>();
        let column = |i: usize| if named[i] { escape(&names[i]) } else { format!("#{}", numbers[i]) };
        let rows = if quote {
            format!("bid={},ask={},ask_size={}", column(2), column(3), column(4))
        } else {
            format!("price={},maker={},size={}", column(2), column(3), column(4))
        };
        let text = format!(
            "time={}:{},recv={}:us,{rows},delimiter={delimiter},header={}",
            column(0), escape(&pattern), column(1), if header { "yes" } else { "no" },
        );
        let mapping: Mapping = text.parse().unwrap();
        prop_assert_eq!(mapping.header, header);
        prop_assert_eq!(mapping.to_string().parse::<Mapping>().unwrap(), mapping);
    }

    #[test]
    fn any_text_is_a_mapping_or_an_error(text in "\\PC{0,60}|(time=ts:ms,)?([a-z_]{0,8}=[#a-z0-9\\\\:,]{0,6},?){0,4}") {
        if let Ok(mapping) = text.parse::<Mapping>() {
            prop_assert_eq!(mapping.to_string().parse::<Mapping>().unwrap(), mapping);
        }
    }

    #[test]
    fn any_bytes_are_detected_or_refused(head in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = csv::detect("x.csv", &head, &ReadOptions::default());
    }

    #[test]
    fn any_table_is_guessed_or_not(head in "([a-z0-9.:,; -]{0,30}\n){0,5}") {
        let _ = csv::detect("x.csv", head.as_bytes(), &ReadOptions::default());
    }

    /// Cut and flipped lines are refused, or become the ticks that the damaged text says: the same as
    /// those of a plain reading with the standard library.
    #[test]
    fn damaged_lines_are_errors_or_what_they_say(
        price in "-?[0-9]{1,5}(\\.[0-9]{1,9})?",
        size in "[0-9]{1,5}(\\.[0-9]{1,9})?",
        cut in 0usize..80,
        flip in proptest::option::of((0usize..80, 0u8..8)),
    ) {
        let mut line = format!("1723161258362104917,1723161258364104917,BTCUSDT,trade,buy,{price},{size},1").into_bytes();
        line.truncate(line.len().saturating_sub(cut.saturating_sub(40)));
        if let Some((at, bit)) = flip.filter(|(at, _)| *at < line.len()) {
            line[at] ^= 1 << bit;
        }
        let header = orchard_csv::HEADER.as_bytes();
        let (_, mut parser) = open("x.csv", header, &ReadOptions::default());
        let mut batch = Batch::default();
        match parser.line(&line, &mut batch) {
            Err(error) => prop_assert!(batch.ticks.is_empty() && !error.reason.is_empty()),
            Ok(()) => prop_assert_eq!(Some((batch.ticks[0], batch.new_symbols[0].symbol.clone())), plain_reading(&line)),
        }
    }
}

/// What an unquoted line of Orchard's CSV says, read in the plainest way.
fn plain_reading(line: &[u8]) -> Option<(Tick, String)> {
    let text = std::str::from_utf8(line).ok()?;
    let [event, recv, symbol, kind, side, price, size, flags] =
        text.split(',').collect::<Vec<_>>().try_into().ok()?;
    let side = match side {
        "buy" => Side::BUY,
        "sell" => Side::SELL,
        _ => Side::NONE,
    };
    let units = |text: &str| -> Option<i128> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let fraction = fraction.trim_end_matches('0');
        let digits = format!("{whole}{fraction:0<9}");
        digits.parse().ok()
    };
    let price = if price.is_empty() { UNDEFINED_PRICE } else { units(price)?.try_into().ok()? };
    let tick = Tick {
        ts_event: event.parse().ok()?,
        ts_recv: recv.parse().ok()?,
        price,
        size: units(size)?.try_into().ok()?,
        instrument: 0,
        kind: Kind::from_name(kind.as_bytes())?,
        side,
        flags: Flags(flags.parse().ok()?),
    };
    Some((tick, symbol.to_owned()))
}
