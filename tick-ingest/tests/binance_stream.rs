//! What a line of a Binance stream capture becomes: exactly its ticks, or an error.

use proptest::prelude::*;
use serde_json::Value;
use tick_ingest::formats::binance_stream::BinanceStream;
use tick_ingest::lines::LineParser;
use tick_ingest::{Batch, ReadOptions, detect};
use tick_sdk::decimal::{UNDEFINED_PRICE, parse_price, parse_size};
use tick_sdk::{Kind, Side, Tick};

const UNIT: i64 = 1_000_000_000;

#[test]
fn every_kind_of_event_in_one_capture() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/binance_stream.txt");
    let mut opened = detect::open(path, &ReadOptions::default()).unwrap();
    assert_eq!(opened.format, tick_ingest::Format::BinanceStream);
    let mut batch = Batch::default();
    while opened.reader.read(&mut batch).unwrap() {}

    const MS: u64 = 1_000_000;
    let recv = 1_723_161_255_088_000_000;
    let bnb_first = recv + 181_672;
    let bnb_trade = 1_723_161_256_600_999_000;
    let (btc_time, eth_time) = (1_723_161_256_313 * MS, 1_723_161_256_399 * MS);
    let expected = [
        Tick::trade(1_723_161_256_321 * MS, recv + 176_367, 61_800_300_000_000, 6_000_000, Side::BUY),
        Tick::quote(Kind::BID, btc_time, recv + 169_167, 61_800_200_000_000, 2_507_000_000),
        Tick::quote(Kind::ASK, btc_time, recv + 169_167, 61_800_300_000_000, 2_510_000_000).last(),
        Tick::trade(eth_time, recv + 181_667, 2_600_010_000_000, 4_700_000_000, Side::SELL).of(1),
        // Bare and without times: both are the receive time before it.
        Tick::quote(Kind::BID, bnb_first, bnb_first, 25_351_900_000, 31_210_000_000).of(2),
        Tick::quote(Kind::ASK, bnb_first, bnb_first, UNDEFINED_PRICE, 0).of(2).last(),
        // Bare, in microseconds: its own time is later than the receive time before it.
        Tick::trade(bnb_trade, bnb_trade, 25_400_000_000, 100 * UNIT as u64, Side::SELL).of(2),
    ];
    assert_eq!(batch.ticks, expected);
    let markets: Vec<_> = batch.new_symbols.iter().map(|s| (&*s.symbol, s.market.as_deref())).collect();
    let (usdm, spot) = (Some("binance-usdm"), Some("binance-spot"));
    assert_eq!(markets, [("BTCUSDT", usdm), ("ETHUSDT", usdm), ("BNBUSDT", spot)]);
    let skipped: Vec<_> = batch.counts.skipped.iter().map(|(name, n)| (&**name, *n)).collect();
    let names = ["!miniTicker@arr", "depthSnapshot", "depthUpdate", "markPriceUpdate", "response"];
    assert_eq!(skipped, names.map(|name| (name, 1)));
    assert_eq!(batch.counts.lines, 11);
    assert_eq!(batch.counts.bytes, std::fs::metadata(path).unwrap().len());
    let late: Vec<_> = batch.late.iter().map(|late| (late.index, late.line)).collect();
    assert_eq!(late, [(1, 2), (2, 2)], "both ticks of the second line were received before the first");
}

/// When the line before the one that is tested was received, and that one, in ns.
const BEFORE: u64 = 1_700_000_000_000_000_007;
const RECEIVED: u64 = 1_700_000_000_000_000_009;

/// The ticks of one line after a line received at [`BEFORE`], or "field reason".
fn read(line: impl AsRef<[u8]>) -> Result<Vec<Tick>, String> {
    let (mut parser, mut batch) = (BinanceStream::default(), Batch::default());
    parser.line(format!("{BEFORE} {{\"e\":\"warm-up\"}}").as_bytes(), &mut batch).unwrap();
    match parser.line(line.as_ref(), &mut batch) {
        Ok(()) => Ok(batch.ticks),
        Err(bad) => {
            assert!(batch.ticks.is_empty() && batch.new_symbols.is_empty(), "ticks beside an error");
            Err(format!("{} {}", bad.field, bad.reason))
        }
    }
}

/// A trade line with other values for some keys, given as JSON.
fn trade(changes: &[(&str, &str)]) -> String {
    format!("{RECEIVED} {}", bare_trade(changes))
}

fn bare_trade(changes: &[(&str, &str)]) -> String {
    let mut keys = vec![("e", "\"trade\""), ("T", "5"), ("s", "\"S\""), ("p", "\"1\""), ("q", "\"1\"")];
    keys.push(("m", "true"));
    for (key, value) in changes {
        match keys.iter_mut().find(|(k, _)| k == key) {
            Some(entry) => entry.1 = value,
            None => keys.push((key, value)),
        }
    }
    let keys: Vec<_> = keys.iter().map(|(key, value)| format!("\"{key}\":{value}")).collect();
    format!("{{{}}}", keys.join(","))
}

#[test]
fn times_are_exact_or_an_error() {
    let ts_event = |time: &str| read(trade(&[("T", time)])).map(|ticks| ticks[0].ts_event);
    assert_eq!(ts_event("1723161256321"), Ok(1_723_161_256_321_000_000));
    assert_eq!(ts_event("1723161256321999"), Ok(1_723_161_256_321_999_000));
    assert_eq!(ts_event("9223372036855"), Ok(9_223_372_036_855_000_000), "the year 2262, beyond i64");
    assert_eq!(ts_event("18446744073709"), Ok(18_446_744_073_709_000_000));
    for late in ["18446744073710", "99999999999999", "18446744073709552"] {
        assert!(ts_event(late).unwrap_err().starts_with("T lies beyond the year 2554"), "{late}");
    }
    assert_eq!(ts_event("-1").unwrap_err(), "T is negative, and times count from 1970");
    assert_eq!(ts_event("1.5").unwrap_err(), "T is not a whole number");
    assert_eq!(ts_event("1e3").unwrap_err(), "T is not a whole number");
    assert_eq!(ts_event("123456789012345678901234567890").unwrap_err(), "T does not fit 64 bits");
    assert_eq!(ts_event("null").unwrap_err(), "T is not a number");
    for (prefix, reason) in [
        ("-1", "receive time is negative, and times count from 1970"),
        ("1.5", "receive time is too small for a time since 1973 in s, ms, µs or ns"),
        ("17", "receive time is too small for a time since 1973 in s, ms, µs or ns"),
        (
            "1e9",
            "receive time is neither a number of s, ms, µs or ns nor a time such as 2024-06-01T00:00:00.123Z",
        ),
        ("18446744073709551616", "receive time does not fit 64 bits"),
    ] {
        assert_eq!(read(format!("{prefix} {}", bare_trade(&[]))).unwrap_err(), reason);
    }
    let last = format!("18446744073709551615 {}", bare_trade(&[]));
    assert_eq!(read(last).unwrap()[0].ts_recv, u64::MAX);
}

#[test]
fn a_line_without_any_time_after_nothing_is_an_error() {
    let line = br#"{"u":1,"s":"S","b":"1","B":"1","a":"2","A":"1"}"#;
    let bad = BinanceStream::default().line(line, &mut Batch::default()).unwrap_err();
    assert!(bad.reason.starts_with("has no time"), "{bad:?}");
}

#[test]
fn bare_lines_never_go_back_in_receive_time() {
    let (mut parser, mut batch) = (BinanceStream::default(), Batch::default());
    for time in ["8", "6", "9"] {
        let line = bare_trade(&[("T", time)]);
        parser.line(line.as_bytes(), &mut batch).unwrap();
    }
    let times: Vec<_> = batch.ticks.iter().map(|t| (t.ts_event / 1_000_000, t.ts_recv / 1_000_000)).collect();
    assert_eq!(times, [(8, 8), (6, 8), (9, 9)]);
}

#[test]
fn prices_and_sizes_are_exact_or_an_error() {
    let price = |text: &str| read(trade(&[("p", text)])).map(|ticks| ticks[0].price);
    for (text, raw) in
        [("\"0.000000001\"", 1), ("61800.30", 61_800_300_000_000), ("-1", -UNIT), ("12e2", 1200 * UNIT)]
    {
        assert_eq!(price(text), Ok(raw), "{text}");
    }
    for text in
        ["NaN", "\"NaN\"", "\"\"", "null", "true", "[1]", "\"1,5\"", "\"123456789012345678901234567890\""]
    {
        assert!(price(text).is_err(), "{text}");
    }
    assert_eq!(
        price("\"0.0000000001\"").unwrap_err(),
        "p is finer than 1e-9, which a tick cannot hold exactly"
    );
    assert_eq!(read(trade(&[("q", "\"-1\"")])).unwrap_err(), "q is negative");
    let mut batch = Batch::default();
    BinanceStream::default().line(trade(&[("q", "\"1e20\"")]).as_bytes(), &mut batch).unwrap();
    assert_eq!((batch.ticks[0].size, batch.counts.saturated_sizes), (u64::MAX, 1));
}

#[test]
fn json_is_checked_to_its_last_byte() {
    let good = trade(&[("x", r#"{"a":[1,-2.5e+3,true,false,null,"é\u00e9\n"],"b":{}, "c" : [ ] }"#)]);
    assert_eq!(read(&good).unwrap().len(), 1);
    for broken in [
        "[1,]",
        "{,}",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "[1 2]",
        "[",
        "]",
        "tru",
        "nul",
        "01",
        "-",
        "1.",
        ".5",
        "1e",
        "+1",
        "\"\\x\"",
        "\"\\u12g4\"",
        "\"\t\"",
        "\"",
        "'a'",
        "",
        "1}",
        "[1}",
        "{\"a\":1]",
    ] {
        let error = read(trade(&[("x", broken)])).unwrap_err();
        assert!(error.starts_with("JSON is broken at byte "), "{broken}: {error}");
    }
    for behind in ["}", "x", " {}", ","] {
        let error = read(format!("{}{behind}", trade(&[]))).unwrap_err();
        assert!(error.contains("behind the closing brace"), "{behind}: {error}");
    }
    let mut not_utf8 = trade(&[("x", "\"é\"")]).into_bytes();
    not_utf8.retain(|byte| *byte != 0xa9);
    assert!(read(not_utf8).unwrap_err().contains("UTF-8"));
    let deep = |n: usize| trade(&[("x", &format!("{}{}", "[".repeat(n), "]".repeat(n)))]);
    assert_eq!(read(deep(64)).unwrap().len(), 1);
    assert!(read(deep(65)).unwrap_err().contains("64 deep"));
    assert!(read(deep(5_000_000)).unwrap_err().contains("64 deep"));
}

#[test]
fn needed_keys_must_be_there_once() {
    for key in ["s", "p", "q", "m"] {
        let line = trade(&[]).replace(&format!("\"{key}\":"), "\"z\":");
        assert_eq!(read(line).unwrap_err(), format!("{key} is missing"));
        let twice = trade(&[]).replace('}', &format!(",\"{key}\":\"1\"}}"));
        assert_eq!(read(twice).unwrap_err(), format!("{key} stands twice in the line"));
    }
    assert_eq!(read(r#"{"u":1,"s":"S","b":"1","B":"1","a":"2"}"#).unwrap_err(), "A is missing");
    let beside = "data stands beside the keys of an event";
    assert_eq!(read(r#"{"T":1,"data":{"e":"trade","s":"S","p":"1","q":"1","m":true}}"#).unwrap_err(), beside);
    assert_eq!(read(r#"{"data":{"e":"trade","s":"S","p":"1","q":"1","m":true},"T":1}"#).unwrap_err(), beside);
    assert_eq!(read(trade(&[("m", "\"true\"")])).unwrap_err(), "m is neither true nor false");
    assert_eq!(read(trade(&[("s", "5")])).unwrap_err(), "s is not a string");
    assert_eq!(read(trade(&[("s", "\"\"")])).unwrap_err(), "s is empty");
    assert_eq!(read(trade(&[("e", "5")])).unwrap_err(), "e is not a string");
}

#[test]
fn escapes_mean_what_they_stand_for() {
    let (mut parser, mut batch) = (BinanceStream::default(), Batch::default());
    let line = r#" {"\u0065":"tr\u0061de","s":"A\/\ud83d\ude00","p":"1\u002e5","q":"1","m":false}"#;
    parser.line(format!("{RECEIVED}{line}").as_bytes(), &mut batch).unwrap();
    assert_eq!(batch.ticks, [Tick::trade(RECEIVED, RECEIVED, 1_500_000_000, UNIT as u64, Side::BUY)]);
    assert_eq!(batch.new_symbols[0].symbol, "A/😀");
    for half in ["\\ud83d", "\\ude00", "\\ud83d\\ud83d", "\\ud83dx"] {
        let error = read(trade(&[("s", &format!("\"{half}\""))])).unwrap_err();
        assert_eq!(error, "s half of a surrogate pair stands alone", "{half}");
    }
}

#[test]
fn skipped_events_must_end_like_an_object() {
    let whole = r#"{"stream":"x","data":{"e":"depthUpdate","b":[["1","2"]]}}"#;
    assert_eq!(read(whole), Ok(vec![]));
    assert!(read(&whole[..whole.len() - 3]).unwrap_err().contains("does not end with a closing brace"));
}

#[test]
fn lines_of_ten_megabytes_are_read_or_refused() {
    let long = "7".repeat(10_000_000);
    assert_eq!(read(trade(&[("x", &format!("\"{long}\""))])).unwrap().len(), 1);
    assert!(read(trade(&[("p", &long)])).unwrap_err().starts_with("p "));
    assert!(read(trade(&[("s", &format!("\"{long}\""))])).unwrap_err().starts_with("s is longer"));
    assert!(read(&long).unwrap_err().starts_with("line is neither"));
}

/// The time that stands in front of JSON, with what separates the two.
fn received(prefix: &str) -> Option<u64> {
    let text = prefix.trim_end();
    let text = text.strip_suffix([',', ';', '|', ':', '-']).unwrap_or(text).trim();
    let unit = match text.parse::<u64>().ok()? {
        100_000_000_000_000_000.. => 1,
        100_000_000_000_000.. => 1_000,
        100_000_000_000.. => 1_000_000,
        100_000_000.. => 1_000_000_000,
        _ => return None,
    };
    text.parse::<u64>().ok()?.checked_mul(unit)
}

/// Whether a text says that there is no number; of those that [`decimal`] makes.
fn absent(text: &str) -> bool {
    ["", "-", "nan", "-nan", "na"].contains(&&*text.to_lowercase())
}

/// What `serde_json` and the rules say about one line after a line received at [`BEFORE`]; `None` where
/// it is malformed.
fn expected(line: &[u8]) -> Option<Vec<Tick>> {
    let start = line.iter().position(|byte| *byte == b'{')?;
    let prefix = std::str::from_utf8(&line[..start]).ok()?;
    let own = if prefix.trim().is_empty() { None } else { Some(received(prefix)?) };
    let whole: Value = serde_json::from_slice(&line[start..]).ok()?;
    let event = whole.get("data").filter(|data| data.is_object()).unwrap_or(&whole);
    let kind = match event.get("e") {
        Some(name) => name.as_str()?,
        None => "bookTicker",
    };
    let text = |key: &str| match event.get(key)? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    let ts_event = match event.get("T").or(event.get("E")) {
        Some(time) => {
            let time = time.as_u64()?;
            Some(time.checked_mul(if time < 100_000_000_000_000 { 1_000_000 } else { 1_000 })?)
        }
        None => None,
    };
    let ts_recv = own.unwrap_or_else(|| ts_event.unwrap_or(0).max(BEFORE));
    let ts_event = ts_event.unwrap_or(ts_recv);
    event.get("s")?.as_str().filter(|symbol| !symbol.is_empty())?;
    let price = |key: &str| parse_price(text(key)?.as_bytes()).ok();
    let size = |key: &str| parse_size(text(key)?.as_bytes()).ok();
    let quote = |kind, p: &str, q: &str| {
        let size_text = text(q)?;
        if absent(&text(p)?) {
            return Some(Tick::quote(kind, ts_event, ts_recv, UNDEFINED_PRICE, 0));
        }
        let (price, size) = (price(p)?, if absent(&size_text) { 0 } else { size(q)? });
        let price = if (price, size) == (0, 0) { UNDEFINED_PRICE } else { price };
        Some(Tick::quote(kind, ts_event, ts_recv, price, size))
    };
    match kind {
        "trade" | "aggTrade" => {
            let side = if event.get("m")?.as_bool()? { Side::SELL } else { Side::BUY };
            let tick = Tick::trade(ts_event, ts_recv, price("p")?, size("q")?, side);
            Some(if tick.price == 0 { Vec::new() } else { vec![tick] })
        }
        "bookTicker" => Some(vec![quote(Kind::BID, "b", "B")?, quote(Kind::ASK, "a", "A")?.last()]),
        _ => None,
    }
}

/// Numbers as Binance writes them: digits with a point, between quotes.
fn decimal() -> impl Strategy<Value = String> {
    prop_oneof![
        "\"(0|[1-9][0-9]{0,7})(\\.[0-9]{1,8})?\"",
        Just("\"0.00000000\"".to_owned()),
        "\"[-0-9.eNa]{0,30}\""
    ]
}

fn time() -> impl Strategy<Value = String> {
    prop_oneof![
        (0u64..4_000_000_000_000).prop_map(|t| t.to_string()),
        any::<i64>().prop_map(|t| t.to_string())
    ]
}

/// The keys of an event with their values as JSON, in any order.
fn keys() -> impl Strategy<Value = Vec<(String, String)>> {
    let trade = (prop_oneof![Just("trade"), Just("aggTrade")], decimal(), decimal(), any::<bool>()).prop_map(
        |(event, price, quantity, maker)| {
            vec![
                ("e", format!("\"{event}\"")),
                ("p", price),
                ("q", quantity),
                ("m", maker.to_string()),
                ("a", "17".to_owned()),
            ]
        },
    );
    let book =
        (any::<bool>(), decimal(), decimal(), decimal(), decimal()).prop_map(|(named, b, bs, a, asz)| {
            let mut keys = vec![("b", b), ("B", bs), ("a", a), ("A", asz), ("u", "400900217".to_owned())];
            if named {
                keys.push(("e", "\"bookTicker\"".to_owned()));
            }
            keys
        });
    let other = prop_oneof![
        Just("[[\"1\",2],[]]".to_owned()),
        Just("{\"p\":\"9\",\"e\":{}}".to_owned()),
        Just("\"q\\\"\\u0041\"".to_owned()),
        Just("-1.5E-3".to_owned()),
    ];
    (prop_oneof![trade, book], proptest::option::of(time()), proptest::option::of(time()), other)
        .prop_map(|(mut keys, transact, event, other)| {
            keys.push(("s", "\"BTCUSDT\"".to_owned()));
            keys.extend(transact.map(|time| ("T", time)));
            keys.extend(event.map(|time| ("E", time)));
            keys.push(("nested", other));
            keys.into_iter().map(|(key, value)| (key.to_owned(), value)).collect::<Vec<_>>()
        })
        .prop_shuffle()
}

fn line() -> impl Strategy<Value = String> {
    let prefix = prop_oneof![
        Just(String::new()),
        any::<u64>().prop_map(|t| format!("{t} ")),
        Just("1717200000123\t".to_owned())
    ];
    let space = prop_oneof![4 => Just(""), 1 => Just(" "), 1 => Just("\t  ")];
    (prefix, keys(), space, 0..3).prop_map(|(prefix, keys, s, wrapper)| {
        let keys: Vec<_> = keys.iter().map(|(key, value)| format!("{s}\"{key}\"{s}:{s}{value}{s}")).collect();
        let event = format!("{{{}}}", keys.join(","));
        match wrapper {
            0 => format!("{prefix}{event}"),
            1 => format!("{prefix}{{\"stream\":\"x@y\",\"data\":{event}}}"),
            _ => format!("{prefix}{{{s}\"data\"{s}:{s}{event}{s},\"stream\":\"x\"{s}}}{s}"),
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn any_layout_of_an_event_is_read_as_serde_json_reads_it(line in line()) {
        prop_assert_eq!(read(&line).ok(), expected(line.as_bytes()), "{}", line);
    }

    /// Damage yields an error, a skipped event, or the ticks that are in the damaged text itself.
    #[test]
    fn a_damaged_line_yields_what_it_says_or_nothing(
        line in line(),
        changes in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>(), 0..4), 1..4),
    ) {
        let mut bytes = line.into_bytes();
        for (at, byte, what) in changes {
            let at = at.index(bytes.len());
            match what {
                0 => bytes[at] = byte,
                1 => bytes[at] ^= 1 << (byte % 8),
                2 if bytes.len() > 1 => { bytes.remove(at); }
                _ => bytes.truncate(at.max(1)),
            }
        }
        match read(&bytes) {
            Ok(ticks) if ticks.is_empty() => {}
            Ok(ticks) => prop_assert_eq!(Some(ticks), expected(&bytes), "{:?}", String::from_utf8_lossy(&bytes)),
            Err(_) => {}
        }
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = read(&bytes);
        let _ = read([b"{\"e\":\"trade\",\"s\":", &bytes[..]].concat());
    }
}
