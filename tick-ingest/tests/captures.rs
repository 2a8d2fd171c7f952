//! Captures as people record them: receive times in front, wrappers around, lists, and events that are no trades.

use proptest::prelude::*;
use tick_ingest::detect::{open, open_reader};
use tick_ingest::formats::binance_stream::BinanceStream;
use tick_ingest::formats::time_text::Zone;
use tick_ingest::lines::LineParser;
use tick_ingest::{BadLines, Batch, Format, ReadOptions};
use tick_sdk::decimal::{UNDEFINED_PRICE, format_decimal, parse_price};
use tick_sdk::{Kind, Tick};

const EVENT: &str = r#"{"e":"aggTrade","E":1717200000123,"s":"BTCUSDT","a":1,"p":"67500.1","q":"0.01","f":1,"l":1,"T":1717200000120,"m":true}"#;

/// Everything in a file, which must be a capture.
fn read(bytes: &[u8]) -> Batch {
    let source = Box::new(std::io::Cursor::new(bytes.to_vec()));
    let mut opened = open_reader("capture.txt", source, &ReadOptions::default()).unwrap();
    assert_eq!(opened.format, Format::BinanceStream);
    let mut batch = Batch::default();
    while opened.reader.read(&mut batch).unwrap() {}
    batch
}

fn read_file(name: &str) -> Batch {
    let path = format!("{}/tests/data/readers/{name}", env!("CARGO_MANIFEST_DIR"));
    let mut opened = open(&path, &ReadOptions::default()).unwrap();
    assert_eq!(opened.format, Format::BinanceStream);
    let mut batch = Batch::default();
    while opened.reader.read(&mut batch).unwrap() {}
    batch
}

fn skipped(batch: &Batch) -> Vec<(&str, u64)> {
    batch.counts.skipped.iter().map(|(name, count)| (name.as_str(), *count)).collect()
}

fn error(line: &str) -> String {
    let mut batch = Batch::default();
    let bad = BinanceStream::default().line(line.as_bytes(), &mut batch).unwrap_err();
    assert!(batch.ticks.is_empty() && batch.new_symbols.is_empty() && batch.counts.skipped.is_empty());
    format!("{} {}", bad.field, bad.reason)
}

#[test]
fn trades_that_no_market_made_are_counted_by_name() {
    let batch = read_file("27-usdm-insurance-fund.txt");
    assert_eq!(batch.ticks.len(), 200);
    assert_eq!(skipped(&batch), [("trade INSURANCE_FUND", 1)]);
    assert!(
        batch.ticks.iter().all(|tick| tick.price > parse_price(b"22").unwrap()),
        "the fund's is at 20.475"
    );

    let event = |kind: &str, price: &str| {
        format!(r#"{{"e":"trade","E":5,"T":5,"s":"S","t":1,"p":"{price}","q":"1","X":"{kind}","m":true}}"#)
    };
    let lines = [
        event("MARKET", "1"),
        event("ADL", "1"),
        event("NA", "0"),
        event("ADL", "2"),
        event("MARKET", "0.00"),
        event("LIQUIDATION", "x"),
    ];
    let batch = read(lines.join("\n").as_bytes());
    assert_eq!(batch.ticks.len(), 1);
    let names = [("trade ADL", 2), ("trade LIQUIDATION", 1), ("trade NA", 1), ("trade at price 0", 1)];
    assert_eq!(skipped(&batch), names);
    // An aggregate trade has no X; one of price 0 is no trade either.
    let batch = read(EVENT.replace("67500.1", "-0.0").as_bytes());
    assert_eq!((batch.ticks.len(), skipped(&batch)), (0, vec![("trade at price 0", 1)]));
}

#[test]
fn new_fields_and_odd_events_are_read_as_before() {
    let batch = read_file("28-combined-new-fields.txt");
    assert_eq!(
        skipped(&batch),
        [
            ("!miniTicker@arr", 1),
            ("24hrMiniTicker", 1),
            ("forceOrder", 1),
            ("response", 1),
            ("serverShutdown", 1),
            ("unnamed event", 1),
        ]
    );
    let kinds: Vec<_> = batch.ticks.iter().map(|tick| tick.kind.name()).collect();
    assert_eq!(kinds, ["trade", "bid", "ask", "trade", "bid", "ask", "trade"]);
    let markets: Vec<_> = batch.new_symbols.iter().map(|s| (&*s.symbol, s.market.as_deref())).collect();
    let usdm = Some("binance-usdm");
    assert_eq!(markets, [("BTCUSDT", usdm), ("ETHUSDT", usdm), ("币安人生USDT", usdm)]);
    assert_eq!(batch.ticks[3].size, 1_500_000, "1.5E-3");
}

#[test]
fn the_pair_of_a_future_does_not_make_it_a_market_of_its_own() {
    let market = |symbol: &str, pair: &str| {
        let line = format!(
            r#"{{"e":"bookTicker","u":1,"s":"{symbol}","ps":"{pair}","b":"1","B":"1","a":"2","A":"1","T":5,"E":5}}"#
        );
        read(line.as_bytes()).new_symbols[0].market.clone().unwrap()
    };
    assert_eq!(market("BTCUSDT", "BTCUSDT"), "binance-usdm");
    assert_eq!(market("BTCUSDT_251226", "BTCUSDT"), "binance-usdm");
    assert_eq!(market("BTCUSD_PERP", "BTCUSD"), "binance-coinm");
    assert_eq!(market("BTCUSD_251226", "BTCUSD"), "binance-coinm");
}

#[test]
fn a_receive_time_counts_in_whatever_its_magnitude_says() {
    assert_eq!(read_file("31-prefix-variants.txt").ticks[0].ts_recv, 1_717_200_000_123_456_000);
    let micros: Vec<_> =
        read_file("57b-recv-microseconds.txt").ticks.iter().map(|tick| tick.ts_recv).collect();
    assert_eq!(micros, [1_660_228_023_037_049_000, 1_660_228_023_043_260_000]);

    for (prefix, ns) in [
        ("1717200000 ", 1_717_200_000_000_000_000),
        ("1717200000.5 ", 1_717_200_000_500_000_000),
        ("1717200000.123456789 ", 1_717_200_000_123_456_789),
        ("1717200000123 ", 1_717_200_000_123_000_000),
        ("1717200000123.5\t", 1_717_200_000_123_500_000),
        ("1717200000123456,", 1_717_200_000_123_456_000),
        ("1717200000123456, ", 1_717_200_000_123_456_000),
        ("1717200000123456789\t", 1_717_200_000_123_456_789),
        ("1717200000123456789,", 1_717_200_000_123_456_789),
        ("  1717200000123456789  ", 1_717_200_000_123_456_789),
        ("1717200000123;", 1_717_200_000_123_000_000),
        ("1717200000123 | ", 1_717_200_000_123_000_000),
        ("1717200000123: ", 1_717_200_000_123_000_000),
        ("[1717200000.25] ", 1_717_200_000_250_000_000),
        ("2024-06-01T00:00:00.123Z ", 1_717_200_000_123_000_000),
        ("2024-06-01T02:00:00.123456+02:00\t", 1_717_200_000_123_456_000),
        ("2024-06-01 00:00:00.123Z,", 1_717_200_000_123_000_000),
        ("\"2024-06-01T00:00:00Z\",", 1_717_200_000_000_000_000),
        ("[2024-06-01 00:00:00,123] ", 1_717_200_000_123_000_000),
        ("2024-06-01 00:00:00,123 - ", 1_717_200_000_123_000_000),
    ] {
        let batch = read(format!("{prefix}{EVENT}").as_bytes());
        assert_eq!(batch.ticks[0].ts_recv, ns, "{prefix}");
        assert_eq!(batch.ticks[0].ts_event, 1_717_200_000_120_000_000);
    }
    for (prefix, said) in [
        ("12 ", "receive time is too small for a time since 1973"),
        ("-1717200000 ", "receive time is negative"),
        ("2024-13-01T00:00:00Z ", "receive time is neither a number"),
        ("INFO ", "receive time is neither a number"),
        ("1717200000.0000000001 ", "receive time is finer than a nanosecond"),
        ("1717200000", "line is neither {json} nor a receive time"),
    ] {
        let error = error(&format!("{prefix}{EVENT}"));
        assert!(error.starts_with(said), "{prefix}: {error}");
    }
}

#[test]
fn wrappers_of_ones_own_give_their_time() {
    let stream = format!(r#"{{"stream":"btcusdt@aggTrade","data":{EVENT}}}"#);
    let ns = 1_717_200_000_456_000_000;
    for event in [EVENT, &stream] {
        let text = serde_json::to_string(event).unwrap();
        for line in [
            format!(r#"{{"ts":1717200000456,"msg":{event}}}"#),
            format!(r#"{{"ts":1717200000.456,"data":{event}}}"#),
            format!(r#"{{"time":"2024-06-01T00:00:00.456Z","message":{event}}}"#),
            format!(r#"{{ "payload" : {event} , "local_timestamp" : "1717200000456000" }}"#),
            format!(r#"{{"id":7,"raw":{event},"receivedAt":1717200000456000000,"host":"a"}}"#),
            format!(r#"{{"ts":1717200000456,"msg":{text}}}"#),
            format!(r#"{{"raw":{text},"recv_ts":1717200000456}}"#),
            format!(r#"{{"ts":1717200000456,"msg":[{event}]}}"#),
            format!(r#"1717200000456 {{"ts":1717200000999,"msg":{event}}}"#),
            format!(r#"1717200000456 {{"msg":{text}}}"#),
        ] {
            let batch = read(line.as_bytes());
            let times: Vec<_> = batch.ticks.iter().map(|tick| (tick.ts_event, tick.ts_recv)).collect();
            assert_eq!(times, [(1_717_200_000_120_000_000, ns)], "{line}");
        }
    }
    // Beside the event's own keys, too.
    let flat = EVENT.replace("{\"e\"", "{\"recv_time\":1717200000456,\"e\"");
    assert_eq!(read(flat.as_bytes()).ticks[0].ts_recv, ns);
    // Without a time it is the event's own.
    let bare = format!(r#"{{"ts":null,"msg":{EVENT}}}"#);
    assert_eq!(read(bare.as_bytes()).ticks[0].ts_recv, 1_717_200_000_120_000_000);

    assert_eq!(error(&format!(r#"{{"ts":true,"msg":{EVENT}}}"#)), "receive time is not a time");
    assert!(error(&format!(r#"{{"ts":5,"msg":{EVENT}}}"#)).starts_with("receive time is too small"));
    assert_eq!(
        error(&format!(r#"{{"msg":{EVENT},"data":{EVENT}}}"#)),
        "data stands beside the keys of an event"
    );
    assert_eq!(
        error(&format!(r#"{{"ts":1717200000456,"msg":[{EVENT}],"s":"S"}}"#)),
        "data stands beside the keys of an event"
    );
    let cut = serde_json::to_string(&EVENT[..EVENT.len() - 1]).unwrap();
    assert!(error(&format!(r#"{{"ts":1717200000456,"msg":{cut}}}"#)).starts_with("JSON is broken"));
}

#[test]
fn a_text_that_is_no_json_is_what_it_says() {
    let lines = [
        r#"{"e":"depthUpdate"}"#,
        r#"{"code":-1,"msg":"something"}"#,
        r#"{"error":{"code":2,"msg":"Invalid request"}}"#,
        r#"{"ts":1717200000456,"msg":{"result":null,"id":1}}"#,
        r#"{"ts":1717200000456,"msg":"ping"}"#,
    ];
    let batch = read(lines.join("\n").as_bytes());
    assert_eq!(skipped(&batch), [("depthUpdate", 1), ("response", 1), ("unnamed event", 3)]);
}

#[test]
fn lists_are_read_event_by_event() {
    let book = r#"{"u":1,"s":"ETHUSDT","b":"1","B":"2","a":"3","A":"4"}"#;
    let other = r#"{"e":"24hrTicker","E":1,"s":"X","p":"1"}"#;
    for (list, before) in [
        (format!("[{EVENT},{book},{other},{EVENT}]"), 1_717_200_000_120_000_000),
        (format!("1717200000456 [ {EVENT} , {book} , {other} , {EVENT} ]"), 1_717_200_000_456_000_000),
        (
            format!(r#"{{"ts":1717200000456,"msg":[{EVENT},{book},{other},{EVENT}]}}"#),
            1_717_200_000_456_000_000,
        ),
        (format!(r#"{{"stream":"x","data":[{EVENT},{book},{other},{EVENT}]}}"#), 1_717_200_000_120_000_000),
    ] {
        let batch = read(list.as_bytes());
        let kinds: Vec<_> = batch.ticks.iter().map(|tick| (tick.kind.name(), tick.ts_recv)).collect();
        assert_eq!(kinds, ["trade", "bid", "ask", "trade"].map(|kind| (kind, before)), "{list}");
        assert_eq!(skipped(&batch), [("24hrTicker", 1)]);
        assert_eq!(batch.counts.lines, 1);
    }
    let tickers = format!(r#"{{"stream":"!bookTicker","data":[{book},{book}]}}"#);
    assert_eq!(read(format!("1717200000456 {tickers}").as_bytes()).ticks.len(), 4);
    // A list of Binance's own that has none is one event, as it ever was.
    let batch = read(format!(r#"{{"stream":"!ticker@arr","data":[{other},{other}]}}"#).as_bytes());
    assert_eq!(skipped(&batch), [("!ticker@arr", 1)]);
    assert_eq!(read(format!("{EVENT}\n[]").as_bytes()).ticks.len(), 1);
}

#[test]
fn a_list_is_read_as_a_whole_or_not_at_all() {
    let bad = EVENT.replace("67500.1", "x");
    assert_eq!(error(&format!("[{EVENT},{bad}]")), "p is not a decimal number");
    assert_eq!(error(&format!("[{EVENT},{}]", EVENT.replace("BTCUSDT", ""))), "s is empty");
    assert_eq!(error(&format!("[{EVENT},7]")), "list holds something that is not an object");
    assert_eq!(error(&format!("[{EVENT},[{EVENT}]]")), "list holds something that is not an object");
    assert!(error(&format!("[{EVENT}")).starts_with("JSON is broken at byte "));
    assert!(error(&format!("[{EVENT}] x")).contains("behind the closing brace"));

    let lines = format!("1717200000456 {EVENT}\n1717200000457 [{EVENT},{bad}]\n{EVENT}\n");
    let options = ReadOptions { bad_lines: BadLines::Skip, ..ReadOptions::default() };
    let source = Box::new(std::io::Cursor::new(lines.into_bytes()));
    let mut reader = open_reader("capture.txt", source, &options).unwrap().reader;
    let mut batch = Batch::default();
    while reader.read(&mut batch).unwrap() {}
    let times: Vec<_> = batch.ticks.iter().map(|tick| tick.ts_recv).collect();
    assert_eq!(times, [1_717_200_000_456_000_000; 2], "the bad list's time holds for nothing");
    assert_eq!((batch.counts.bad_lines, batch.new_symbols.len()), (1, 1));
}

#[test]
fn a_side_that_is_not_there_is_undefined_and_the_other_is_kept() {
    let line = |bid: &str, size: &str| {
        format!(r#"1717200000456 {{"e":"bookTicker","s":"S","b":{bid},"B":{size},"a":"2.5","A":"7"}}"#)
    };
    let none = (UNDEFINED_PRICE, 0);
    for (bid, size, side) in [
        ("\"0.00\"", "\"0.000\"", none),
        ("\"-0.0\"", "\"-0\"", none),
        ("0", "0", none),
        ("null", "null", none),
        ("null", "\"5\"", none),
        ("\"\"", "\"\"", none),
        ("\"NaN\"", "\"NaN\"", none),
        ("\"0\"", "null", none),
        ("\"1.7976931348623157e+308\"", "\"0\"", none),
        ("9223372036854775807", "0", none),
        ("\"1\"", "null", (1_000_000_000, 0)),
        ("\"1\"", "\"2\"", (1_000_000_000, 2_000_000_000)),
    ] {
        let batch = read(line(bid, size).as_bytes());
        let sides: Vec<_> = batch.ticks.iter().map(|tick| (tick.kind, tick.price, tick.size)).collect();
        let ask = (Kind::ASK, 2_500_000_000, 7_000_000_000);
        assert_eq!(sides, [(Kind::BID, side.0, side.1), ask], "{bid} {size}");
    }
    assert_eq!(error(&line("\"x\"", "\"1\"")), "b is not a decimal number");
    assert_eq!(error(&line("true", "\"1\"")), "b is not a decimal number");
    assert_eq!(error(&line("\"1\"", "\"x\"")), "B is not a decimal number");
}

#[test]
fn noise_of_floating_point_is_rounded_and_counted() {
    let price = |text: &str| EVENT.replace("\"67500.1\"", text);
    let batch = read(price("67500.100000000006").as_bytes());
    assert_eq!((batch.ticks[0].price, batch.counts.rounded), (67_500_100_000_000, 1));
    assert!(error(&price("\"0.1000000001\"")).starts_with("p is finer than 1e-9"));
    let book = r#"{"u":1,"s":"S","b":1580.7870000000003,"B":0.30000000000000004,"a":null,"A":"1","E":5}"#;
    let batch = read(book.as_bytes());
    assert_eq!((batch.ticks[0].price, batch.ticks[0].size), (1_580_787_000_000, 300_000_000));
    assert_eq!(batch.counts.rounded, 2);
}

/// Loggers write the time of their own machine.
#[test]
fn a_receive_time_without_zone_is_of_the_one_given() {
    let read = |zone: Option<&str>, line: &str| {
        let zone: Zone = zone.map(|zone| zone.parse().unwrap()).unwrap_or_default();
        let mut batch = Batch::default();
        let result = BinanceStream::new(zone).line(line.as_bytes(), &mut batch);
        result.map(|()| (batch.ticks[0].ts_recv, batch.counts.notes)).map_err(|bad| bad.reason.into_owned())
    };
    let wrapped = format!(r#"{{"ts":"2024-06-01 02:00:00.5","msg":{EVENT}}}"#);
    for line in [format!("2024-06-01 02:00:00,500 - {EVENT}"), wrapped] {
        let said = vec![Zone::UTC_ASSUMED.to_owned()];
        assert_eq!(read(None, &line), Ok((1_717_207_200_500_000_000, said)), "{line}");
        assert_eq!(read(Some("UTC"), &line), Ok((1_717_207_200_500_000_000, vec![])), "{line}");
        assert_eq!(read(Some("Europe/Berlin"), &line), Ok((1_717_200_000_500_000_000, vec![])), "{line}");
    }
    // What names its zone keeps it.
    let line = format!("2024-06-01T00:00:00.5Z {EVENT}");
    assert_eq!(read(Some("Europe/Berlin"), &line), Ok((1_717_200_000_500_000_000, vec![])));
    assert_eq!(read(None, &line), Ok((1_717_200_000_500_000_000, vec![])));
    let twice = read(Some("Europe/Berlin"), &format!("2024-10-27 02:30:00 {EVENT}")).unwrap_err();
    assert!(twice.contains("comes twice") && twice.contains("--tz +02:00"), "{twice}");
}

proptest! {
    /// A receive time that is written in any unit and place is read back exactly.
    #[test]
    fn every_receive_time_comes_back(
        ns in 100_000_000_000_000_000u64..u64::MAX,
        unit in 0usize..4,
        separator in prop_oneof![Just(" "), Just("\t"), Just(","), Just(" - "), Just(": ")],
        wrapped in any::<bool>(),
    ) {
        let scale = [1u64, 1_000, 1_000_000, 1_000_000_000][unit];
        let text = format!("{}.{:09}", ns / scale, u128::from(ns % scale) * 1_000_000_000 / u128::from(scale));
        let text = text.trim_end_matches('0').trim_end_matches('.');
        let line = if wrapped {
            format!(r#"{{"msg":{EVENT},"recv":{text}}}"#)
        } else {
            format!("{text}{separator}{EVENT}")
        };
        prop_assert_eq!(read(line.as_bytes()).ticks[0].ts_recv, ns, "{}", line);
    }

    /// A list is what its events are, one a line.
    #[test]
    fn a_list_and_its_lines_are_the_same(
        prices in proptest::collection::vec((-5i64..50, 0u64..5, any::<bool>()), 1..20),
    ) {
        let event = |&(price, size, book): &(i64, u64, bool)| {
            let (price, size) = (format_decimal(price), format_decimal(size));
            if book {
                format!(r#"{{"u":1,"s":"A","b":"{price}","B":"{size}","a":null,"A":null}}"#)
            } else {
                format!(r#"{{"e":"trade","T":5,"s":"B","p":"{price}","q":"{size}","X":"MARKET","m":false}}"#)
            }
        };
        let events: Vec<String> = prices.iter().map(event).collect();
        let lines: String = events.iter().map(|event| format!("1717200000456 {event}\n")).collect();
        let list = format!("1717200000456 [{}]", events.join(","));
        let (lines, list): (Batch, Batch) = (read(lines.as_bytes()), read(list.as_bytes()));
        let ticks = |batch: &Batch| -> Vec<Tick> { batch.ticks.clone() };
        prop_assert_eq!(ticks(&lines), ticks(&list));
        prop_assert_eq!(lines.new_symbols, list.new_symbols);
        prop_assert_eq!(lines.counts.skipped, list.counts.skipped);
    }
}
