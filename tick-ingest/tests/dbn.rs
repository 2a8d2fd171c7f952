//! DBN files to ticks: the same counts as the `dbn` crate, the order promised, and errors that name the place.

use std::ffi::c_char;
use std::io::Read;

use dbn::decode::DecodeRecordRef;
use dbn::encode::EncodeRecord;
use dbn::{
    BboMsg, BidAskPair, Cmbp1Msg, ConsolidatedBidAskPair, MappingInterval, MboMsg, Mbp1Msg, Metadata,
    RecordHeader, SType, Schema, SymbolMapping, SymbolMappingMsg, SystemMsg, TradeMsg, UNDEF_PRICE,
    UNDEF_TIMESTAMP, WithTsOut, rtype, v1,
};
use proptest::prelude::*;
use tick_ingest::formats::dbn::DbnReader;
use tick_ingest::{Batch, Counts, NamedSymbol, ReadError, ReadOptions, Reader};
use tick_sdk::{Kind, Side, Tick, UNDEFINED_PRICE};

const ONE: u64 = 1_000_000_000;
/// 2020-12-28 and the day after, 00:00 UTC.
const MONDAY: u64 = 1_609_113_600 * ONE;
const TUESDAY: u64 = MONDAY + 86_400 * ONE;

// ---------------------------------------------------------------- the shared files

#[test]
fn fixtures_with_ticks_give_the_counts_of_the_dbn_crate() {
    // Trades, bids and asks, counted by hand from the records beside each.
    let expected = [
        ("test_data.mbo.dbn", [0, 0]),
        ("test_data.trades.dbn", [2, 0]),
        ("test_data.trades.v1.dbn.zst", [2, 0]),
        ("test_data.trades.v3.dbn.zst", [2, 0]),
        ("test_data.tbbo.dbn", [2, 2]),
        ("test_data.mbp-1.dbn", [0, 2]),
        ("test_data.mbp-1.v1.dbn.zst", [0, 2]),
        ("test_data.mbp-1.v3.dbn.zst", [0, 2]),
        ("test_data.bbo-1s.dbn", [0, 4]),
    ];
    for (name, [trades, quotes]) in expected {
        let bytes = fixture(name);
        let (records, counted_trades, counted_quotes) = count_with_dbn(&bytes);
        assert_eq!([counted_trades, counted_quotes], [trades, quotes], "{name} by the dbn crate");
        let read = read(&bytes).unwrap();
        let of = |kind| read.ticks.iter().filter(|tick| tick.kind == kind).count();
        assert_eq!(
            [of(Kind::TRADE), of(Kind::BID), of(Kind::ASK)],
            [trades, quotes, quotes],
            "{name}: {:#?}",
            read.ticks
        );
        assert_eq!(read.counts.lines, records, "{name}");
        assert_eq!(read.counts.bytes, bytes.len() as u64, "{name}");
        if !read.ticks.is_empty() {
            let esh1 = NamedSymbol { symbol: "ESH1".into(), market: Some("GLBX.MDP3".into()) };
            assert_eq!(read.symbols, [esh1], "{name}");
        }
    }
}

#[test]
fn fixtures_tell_the_same_in_every_version() {
    for schema in ["trades", "mbp-1"] {
        let second = read(&fixture(&format!("test_data.{schema}.dbn"))).unwrap().ticks;
        assert_eq!(second, read(&fixture(&format!("test_data.{schema}.v1.dbn.zst"))).unwrap().ticks);
        assert_eq!(second, read(&fixture(&format!("test_data.{schema}.v3.dbn.zst"))).unwrap().ticks);
    }
}

#[test]
fn fixtures_without_ticks_are_refused_by_schema() {
    for (name, schema) in [("test_data.definition.dbn", "definition"), ("test_data.ohlcv-1s.dbn", "ohlcv-1s")]
    {
        let error = read(&fixture(name)).unwrap_err().to_string();
        assert!(error.starts_with(&format!("some.dbn: is DBN of schema {schema}, ")), "{error}");
        assert!(error.contains("trades, tbbo, mbp-1"), "it says what is read: {error}");
    }
}

/// Records, trades and changes of the best bid and ask, as the dbn crate tells them.
fn count_with_dbn(bytes: &[u8]) -> (u64, usize, usize) {
    let mut decoder = dbn::decode::dbn::Decoder::new(bytes).unwrap();
    let (mut records, mut trades, mut quotes, mut last) = (0, 0, 0, None);
    while let Some(record) = decoder.decode_record_ref().unwrap() {
        records += 1;
        let (action, top) = match record.as_enum().unwrap() {
            dbn::RecordRefEnum::Mbo(mbo) => (mbo.action, None),
            dbn::RecordRefEnum::Trade(trade) => (trade.action, None),
            dbn::RecordRefEnum::Mbp1(mbp) => (mbp.action, Some(&mbp.levels[0])),
            dbn::RecordRefEnum::Bbo(bbo) => (0, Some(&bbo.levels[0])),
            other => panic!("{other:?} is in no file with ticks"),
        };
        trades += usize::from(action as u8 == b'T');
        if let Some(top) = top {
            let quote = (top.bid_px, top.bid_sz, top.ask_px, top.ask_sz);
            quotes += usize::from(last.replace(quote) != Some(quote));
        }
    }
    (records, trades, quotes)
}

// ---------------------------------------------------------------- what each schema yields

#[test]
fn a_trade_has_the_aggressors_side_and_whole_units() {
    let file = file(Schema::Trades)
        .with(&trade(MONDAY, 'A', 3))
        .with(&trade(MONDAY + 1, 'B', u32::MAX - 1))
        .with(&trade(MONDAY + 2, 'N', u32::MAX));
    let read = read(&file.bytes()).unwrap();
    let tick = |at: u64, side, size| Tick::trade(at - 7, at, 100, size, side);
    assert_eq!(
        read.ticks,
        [
            tick(MONDAY, Side::SELL, 3 * ONE),
            tick(MONDAY + 1, Side::BUY, u64::from(u32::MAX - 1) * ONE),
            tick(MONDAY + 2, Side::NONE, 0),
        ]
    );
    assert_eq!(read.counts.saturated_sizes, 0);
}

#[test]
fn mbo_yields_trades_alone_and_counts_the_rest() {
    let mut file = file(Schema::Mbo);
    for (at, action) in (MONDAY..).zip("ACMTFRNT?".chars()) {
        file = file.with(&mbo(at, action));
    }
    let read = read(&file.bytes()).unwrap();
    let at: Vec<u64> = read.ticks.iter().map(|tick| tick.ts_recv - MONDAY).collect();
    assert_eq!(at, [3, 7], "a fill is the other side of a trade that was told");
    assert!(read.ticks.iter().all(|tick| tick.kind == Kind::TRADE && tick.is_last()));
    let skipped: Vec<_> = read.counts.skipped.iter().map(|(name, count)| (name.as_str(), *count)).collect();
    let names = ["add", "cancel", "clear", "fill", "modify", "no action", "unknown action"];
    assert_eq!(skipped, names.map(|name| (name, 1)));
}

#[test]
fn the_book_comes_before_the_trade_in_tbbo_and_after_it_in_mbp_1() {
    let records = [mbp1(MONDAY, 'T', [90, 5, 110, 6]), mbp1(MONDAY + 1, 'T', [91, 5, 110, 6])];
    let before = ["bid 90", "ask 110 last", "trade 100 last", "bid 91", "ask 110 last", "trade 100 last"];
    let after = ["trade 100 last", "bid 90", "ask 110 last", "trade 100 last", "bid 91", "ask 110 last"];
    assert_eq!(told(file(Schema::Tbbo).with_all(&records)), before);
    assert_eq!(told(file(Schema::Mbp1).with_all(&records)), after);

    let record = |rtype, at, bid| cmbp1(rtype, at, 'T', [bid, 5, 110, 6]);
    let of = |rtype| [record(rtype, MONDAY, 90), record(rtype, MONDAY + 1, 91)];
    assert_eq!(told(file(Schema::Tcbbo).with_all(&of(rtype::TCBBO))), before);
    assert_eq!(told(file(Schema::Cmbp1).with_all(&of(rtype::CMBP_1))), after);
}

#[test]
fn a_quote_is_told_when_a_price_or_size_differs() {
    let quotes = [[90, 5, 110, 6], [90, 5, 110, 6], [90, 4, 110, 6], [90, 4, 109, 6], [90, 4, 109, 6]];
    let records: Vec<_> = (MONDAY..).zip(quotes).map(|(at, quote)| mbp1(at, 'A', quote)).collect();
    let read = read(&file(Schema::Mbp1).with_all(&records).bytes()).unwrap();
    let changes: Vec<_> =
        read.ticks.iter().filter(|tick| tick.is_last()).map(|t| t.ts_recv - MONDAY).collect();
    assert_eq!(changes, [0, 2, 3]);
    assert_eq!(read.ticks.len(), 6, "both sides each time");
    assert_eq!(read.ticks[2].size, 4 * ONE);
    assert_eq!(read.counts.skipped["unchanged quote"], 2);
}

#[test]
fn quotes_of_two_instruments_are_compared_each_with_its_own() {
    let mut other = mbp1(MONDAY + 1, 'A', [50, 5, 60, 6]);
    other.hd.instrument_id = 9;
    let first = mbp1(MONDAY, 'A', [90, 5, 110, 6]);
    let read = read(&file(Schema::Mbp1).with(&first).with(&other).with(&first).with(&other).bytes()).unwrap();
    let instruments: Vec<_> = read.ticks.iter().map(|tick| tick.instrument).collect();
    assert_eq!(instruments, [0, 0, 1, 1]);
}

#[test]
fn an_empty_side_is_told_once() {
    let none = UNDEF_PRICE;
    let quotes = [
        [none, 3, 110, 6], // empty from the start; its size means nothing
        [none, 0, 109, 6],
        [90, 5, 109, 6],
        [none, 0, 109, 6],
        [none, 0, none, 0],
        [none, 7, none, 7],
        [90, 5, none, 0],
    ];
    let records: Vec<_> = (MONDAY..).zip(quotes).map(|(at, quote)| mbp1(at, 'C', quote)).collect();
    let expected = [
        "bid none",
        "ask 110 last",
        "ask 109 last",
        "bid 90",
        "ask 109 last",
        "bid none",
        "ask 109 last",
        "ask none last",
        "bid 90 last",
    ];
    assert_eq!(told(file(Schema::Mbp1).with_all(&records)), expected);
    let read = read(&file(Schema::Mbp1).with_all(&records).bytes()).unwrap();
    assert!(read.ticks.iter().all(|tick| tick.has_price() || tick.size == 0));
}

#[test]
fn bbo_has_the_end_of_its_interval_as_both_times_and_no_trade() {
    for (schema, rtype) in [(Schema::Bbo1S, rtype::BBO_1S), (Schema::Bbo1M, rtype::BBO_1M)] {
        let record = bbo(rtype, MONDAY, [90, 5, 110, 6]);
        let read = read(&file(schema).with(&record).bytes()).unwrap();
        let quote = |kind, price, size| Tick::quote(kind, MONDAY, MONDAY, price, size);
        let expected = [quote(Kind::BID, 90, 5 * ONE), quote(Kind::ASK, 110, 6 * ONE).last()];
        assert_eq!(read.ticks, expected);
    }
}

#[test]
fn a_missing_time_is_taken_from_the_other() {
    let mut records = [trade(MONDAY, 'A', 1), trade(MONDAY + 9, 'A', 1)];
    records[0].ts_recv = UNDEF_TIMESTAMP;
    records[1].hd.ts_event = UNDEF_TIMESTAMP;
    let read = read(&file(Schema::Trades).with_all(&records).bytes()).unwrap();
    let times: Vec<_> = read.ticks.iter().map(|tick| (tick.ts_event, tick.ts_recv)).collect();
    assert_eq!(times, [(MONDAY - 7, MONDAY - 7), (MONDAY + 9, MONDAY + 9)]);
}

#[test]
fn a_record_without_any_time_is_an_error_after_the_ticks_before_it() {
    let mut timeless = trade(UNDEF_TIMESTAMP, 'A', 1);
    timeless.hd.ts_event = UNDEF_TIMESTAMP;
    let file = file(Schema::Trades).with(&trade(MONDAY, 'A', 1)).with(&timeless);
    let (read, error) = read_all(&file.bytes(), usize::MAX);
    assert_eq!(read.ticks.len(), 1);
    let error = error.unwrap().to_string();
    assert!(error.starts_with("some.dbn: record 2 has neither ts_recv nor ts_event"), "{error}");
}

#[test]
fn a_trade_without_a_price_is_none() {
    let mut priceless = trade(MONDAY, 'A', 1);
    priceless.price = UNDEF_PRICE;
    let read = read(&file(Schema::Trades).with(&priceless).bytes()).unwrap();
    assert_eq!((read.ticks.len(), read.counts.skipped["trade without price"]), (0, 1));
}

#[test]
fn records_of_other_types_are_counted_by_name() {
    let system = SystemMsg::heartbeat(MONDAY);
    let file = file(Schema::Trades)
        .with(&system)
        .with(&trade(MONDAY, 'A', 1))
        .with(&mbp1(MONDAY, 'T', [90, 5, 110, 6]))
        .with(&system);
    let read = read(&file.bytes()).unwrap();
    assert_eq!(read.ticks.len(), 1, "one trade is not told by two schemas");
    assert_eq!((read.counts.skipped["system"], read.counts.skipped["mbp-1"]), (2, 1));
    assert_eq!(read.counts.lines, 4);
}

#[test]
fn a_stream_of_mixed_schemas_yields_each_records_ticks() {
    let file = file(None).with(&trade(MONDAY, 'A', 1)).with(&mbp1(MONDAY, 'A', [90, 5, 110, 6]));
    assert_eq!(told(file), ["trade 100 last", "bid 90", "ask 110 last"]);
}

#[test]
fn a_late_record_is_reported_with_its_number() {
    let file = file(Schema::Trades).with(&trade(MONDAY + 5, 'A', 1)).with(&trade(MONDAY, 'A', 1));
    let mut reader = open(&file.bytes(), usize::MAX).unwrap();
    let mut batch = Batch::default();
    while reader.read(&mut batch).unwrap() {}
    assert_eq!(batch.late.len(), 1);
    assert_eq!((batch.late[0].line, batch.late[0].high), (2, MONDAY + 5));
}

#[test]
fn a_time_of_sending_after_each_record_changes_nothing() {
    let plain = file(Schema::Trades).with_all(&[trade(MONDAY, 'A', 1), trade(MONDAY + 1, 'B', 2)]);
    let mut metadata = metadata(Some(Schema::Trades), Vec::new());
    metadata.ts_out = true;
    let sent = File::new(&metadata)
        .with(&WithTsOut::new(trade(MONDAY, 'A', 1), MONDAY))
        .with(&WithTsOut::new(trade(MONDAY + 1, 'B', 2), MONDAY));
    assert_eq!(read(&plain.bytes()).unwrap().ticks, read(&sent.bytes()).unwrap().ticks);
}

// ---------------------------------------------------------------- symbols

#[test]
fn a_symbol_follows_the_mapping_of_its_day() {
    let mappings =
        vec![mapping("ESZ0", MONDAY, "7"), mapping("ESH1", TUESDAY, "7"), mapping("NQH1", TUESDAY, "8")];
    let mut nasdaq = trade(TUESDAY, 'A', 1);
    nasdaq.hd.instrument_id = 8;
    let file = File::new(&metadata(Some(Schema::Trades), mappings))
        .with(&trade(TUESDAY - 1, 'A', 1))
        .with(&trade(TUESDAY, 'A', 1))
        .with(&nasdaq)
        .with(&trade(TUESDAY + 1, 'A', 1))
        .with(&trade(TUESDAY + 86_400 * ONE, 'A', 1));
    let read = read(&file.bytes()).unwrap();
    let symbols: Vec<_> = read.ticks.iter().map(|tick| read.symbol(tick)).collect();
    assert_eq!(symbols, ["ESZ0", "ESH1", "NQH1", "ESH1", "7"], "the last is after every mapping");
}

#[test]
fn mappings_from_number_to_symbol_are_read_the_other_way_round() {
    let mut metadata = metadata(Some(Schema::Trades), vec![mapping("7", MONDAY, "ESH1")]);
    (metadata.stype_in, metadata.stype_out) = (Some(SType::InstrumentId), SType::RawSymbol);
    let read = read(&File::new(&metadata).with(&trade(MONDAY, 'A', 1)).bytes()).unwrap();
    assert_eq!(read.symbols[0].symbol, "ESH1");
}

#[test]
fn an_instrument_that_nothing_maps_has_its_number_as_symbol() {
    let read = read(&file(Schema::Trades).with(&trade(MONDAY, 'A', 1)).bytes()).unwrap();
    assert_eq!(read.symbols, [NamedSymbol { symbol: "7".into(), market: Some("GLBX.MDP3".into()) }]);
}

#[test]
fn a_mapping_record_changes_the_symbol_from_then_on() {
    let map = |symbol| {
        let (ends, stype) = (UNDEF_TIMESTAMP, SType::RawSymbol);
        SymbolMappingMsg::new(7, MONDAY, stype, "ES.FUT", stype, symbol, MONDAY, ends).unwrap()
    };
    let old = v1::SymbolMappingMsg::new(7, MONDAY, "ES.FUT", "ESM1", MONDAY, UNDEF_TIMESTAMP).unwrap();
    let file = file(None)
        .with(&trade(MONDAY, 'A', 1))
        .with(&map("ESZ0"))
        .with(&trade(MONDAY + 1, 'A', 1))
        .with(&map("ESH1"))
        .with(&trade(MONDAY + 2, 'A', 1))
        .with(&old)
        .with(&trade(MONDAY + 3, 'A', 1));
    let read = read(&file.bytes()).unwrap();
    let symbols: Vec<_> = read.ticks.iter().map(|tick| read.symbol(tick)).collect();
    assert_eq!(symbols, ["7", "ESZ0", "ESH1", "ESM1"]);
    assert_eq!(read.counts.skipped["symbol-mapping"], 3);
}

#[test]
fn mappings_that_make_no_sense_are_errors() {
    let mappings = vec![mapping("ESH1", MONDAY, "seven")];
    let header = File::new(&metadata(Some(Schema::Trades), mappings));
    let error = read(&header.bytes()).unwrap_err().to_string();
    assert!(error.starts_with("some.dbn: has a DBN header") && error.contains("seven"), "{error}");

    let of = |symbol, start, end| {
        SymbolMappingMsg::new(7, MONDAY, SType::RawSymbol, "ES", SType::RawSymbol, symbol, start, end)
            .unwrap()
    };
    let mut endless = of("ESH1", MONDAY, TUESDAY);
    endless.stype_out_symbol.fill(b'E' as c_char);
    for damaged in [endless, of("ESH1", TUESDAY, MONDAY)] {
        let file = file(None).with(&trade(MONDAY, 'A', 1)).with(&damaged);
        let (read, error) = read_all(&file.bytes(), usize::MAX);
        assert_eq!(read.ticks.len(), 1);
        let error = error.unwrap().to_string();
        assert!(error.starts_with("some.dbn: record 2 maps no symbol: "), "{error}");
    }

    let nameless = file(None).with(&of("", MONDAY, TUESDAY)).with(&trade(MONDAY, 'A', 1));
    let error = read(&nameless.bytes()).unwrap_err().to_string();
    assert!(error.starts_with("some.dbn: record 2 has an instrument_id 7 whose symbol is empty"), "{error}");
}

#[test]
fn more_instruments_than_are_remembered_keep_their_symbols() {
    // Numbers that share their low bits displace each other in what was resolved last.
    let mut file = file(Schema::Trades);
    for at in 0..300 {
        let mut record = trade(MONDAY + at, 'A', 1);
        record.hd.instrument_id = (at as u32 % 3) << 20;
        file = file.with(&record);
    }
    let read = read(&file.bytes()).unwrap();
    assert_eq!(read.symbols.len(), 3);
    for (at, tick) in read.ticks.iter().enumerate() {
        assert_eq!(read.symbol(tick), ((at % 3) << 20).to_string());
    }
}

// ---------------------------------------------------------------- damage

#[test]
fn a_file_cut_anywhere_in_a_record_is_an_error_after_its_whole_records() {
    let whole = fixture("test_data.trades.dbn");
    let record = size_of::<TradeMsg>();
    let header = whole.len() - 2 * record;
    for cut in 0..whole.len() {
        let (read, error) = read_all(&whole[..cut], usize::MAX);
        let records = cut.saturating_sub(header) / record;
        assert_eq!(read.ticks.len(), records, "cut at {cut}");
        match error {
            None => assert!(cut >= header && (cut - header).is_multiple_of(record), "cut at {cut}"),
            Some(error) if cut < header => assert!(error.to_string().starts_with("some.dbn: "), "{error}"),
            Some(error) => {
                let number = format!("some.dbn: record {} ends after ", records + 1);
                assert!(error.to_string().starts_with(&number), "cut at {cut}: {error}");
            }
        }
    }
}

#[test]
fn a_length_that_no_record_has_names_the_record() {
    let whole = fixture("test_data.trades.dbn");
    let second = whole.len() - size_of::<TradeMsg>();
    for words in (0..=u8::MAX).filter(|words| *words != 12) {
        let mut bytes = whole.clone();
        bytes[second] = words;
        let (read, error) = read_all(&bytes, usize::MAX);
        assert_eq!(read.ticks.len(), 1);
        let error = error.expect("a record of 12 words that says another length").to_string();
        assert!(error.starts_with("some.dbn: record 2 "), "{words} words: {error}");
    }
}

#[test]
fn a_header_that_claims_gigabytes_is_refused_before_they_are_taken() {
    for claimed in [1 << 29, (1 << 29) + 1, u32::MAX] {
        let mut bytes = fixture("test_data.trades.dbn");
        bytes[4..8].copy_from_slice(&claimed.to_le_bytes());
        let error = read(&bytes).unwrap_err().to_string();
        assert!(error.starts_with("some.dbn: "), "{error}");
    }
}

#[test]
fn other_versions_and_other_content_are_refused() {
    for version in [0, 4, 255] {
        let mut bytes = fixture("test_data.trades.dbn");
        bytes[3] = version;
        let error = read(&bytes).unwrap_err().to_string();
        assert!(error.contains(&format!("DBN of version {version}")), "{error}");
    }
    let error = read(b"a,b,c\n1,2,3\n").unwrap_err().to_string();
    assert!(error.starts_with("some.dbn: is not DBN"), "{error}");
}

#[test]
fn an_input_that_fails_is_named() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::Error::other("the disk is gone"))
        }
    }
    let bytes = fixture("test_data.trades.dbn");
    let header = bytes.len() - 2 * size_of::<TradeMsg>();
    let input = std::io::Cursor::new(bytes[..header].to_vec()).chain(Broken);
    let mut reader = DbnReader::open("some.dbn", Box::new(input), &ReadOptions::default()).unwrap();
    let error = reader.read(&mut Batch::default()).unwrap_err();
    assert_eq!(error.to_string(), "some.dbn: reading DBN: the disk is gone");
    assert!(!reader.read(&mut Batch::default()).unwrap(), "it has ended");
}

const FIXTURES: [&str; 11] = [
    "test_data.bbo-1s.dbn",
    "test_data.definition.dbn",
    "test_data.mbo.dbn",
    "test_data.mbp-1.dbn",
    "test_data.mbp-1.v1.dbn.zst",
    "test_data.mbp-1.v3.dbn.zst",
    "test_data.ohlcv-1s.dbn",
    "test_data.tbbo.dbn",
    "test_data.trades.dbn",
    "test_data.trades.v1.dbn.zst",
    "test_data.trades.v3.dbn.zst",
];

#[test]
fn no_flipped_bit_is_a_panic() {
    // One of each version's header, and one of each type of record.
    for name in ["mbp-1.dbn", "mbp-1.v1.dbn.zst", "mbp-1.v3.dbn.zst", "tbbo.dbn", "bbo-1s.dbn", "mbo.dbn"] {
        let whole = fixture(&format!("test_data.{name}"));
        for bit in 0..whole.len() * 8 {
            let mut bytes = whole.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let (read, _) = read_all(&bytes, usize::MAX);
            assert!(read.ticks.len() <= 12, "{name}, bit {bit}: {} ticks", read.ticks.len());
        }
    }
}

proptest! {
    #[test]
    fn damage_is_never_a_panic(
        name in proptest::sample::select(&FIXTURES[..]),
        damage in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..12),
        cut in any::<proptest::sample::Index>(),
        chunk in 1_usize..200,
    ) {
        let mut bytes = fixture(name);
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        bytes.truncate(cut.index(bytes.len()) + 1);
        let (read, _) = read_all(&bytes, chunk);
        // The smallest record with a quote is 80 bytes and yields three ticks.
        prop_assert!(read.ticks.len() <= bytes.len() / 26);
    }

    #[test]
    fn garbage_after_a_good_header_is_never_a_panic(
        schema in proptest::sample::select(&[None, Some(Schema::Mbo), Some(Schema::Mbp1), Some(Schema::Tcbbo)][..]),
        // Lengths and types that occur, so that more than the framing is met.
        records in proptest::collection::vec(
            (any::<u8>(), proptest::sample::select(&[0_u8, 1, 0x16, 0x17, 0xa0, 0xb1, 0xc2, 0xc3][..]),
             proptest::collection::vec(any::<u8>(), 0..400)),
            0..40,
        ),
    ) {
        let mut bytes = file(schema).bytes();
        for (words, rtype, body) in records {
            let start = bytes.len();
            bytes.extend([words & !1, rtype]);
            bytes.extend(body);
            bytes.resize(start + usize::from(words & !1).max(1) * 4, b'T');
        }
        let _ = read_all(&bytes, usize::MAX);
    }

    #[test]
    fn how_the_input_comes_in_pieces_changes_nothing(
        quotes in proptest::collection::vec((0_i64..3, 0_i64..3, any::<bool>()), 0..300),
        chunk in 1_usize..300,
    ) {
        let records: Vec<_> = (MONDAY..)
            .zip(quotes)
            .map(|(at, (bid, size, traded))| mbp1(at, if traded { 'T' } else { 'A' }, [bid, size, 110, 6]))
            .collect();
        let bytes = file(Schema::Mbp1).with_all(&records).bytes();
        let (whole, none) = read_all(&bytes, usize::MAX);
        prop_assert!(none.is_none());
        let (pieces, none) = read_all(&bytes, chunk);
        prop_assert!(none.is_none());
        prop_assert_eq!(&whole.ticks, &pieces.ticks);
        prop_assert_eq!(&whole.counts, &pieces.counts);

        // The last tick told of each side is the book of the last record.
        if let Some(last) = records.last() {
            let side = |kind| whole.ticks.iter().rfind(|tick| tick.kind == kind).unwrap();
            let top = &last.levels[0];
            prop_assert_eq!((side(Kind::BID).price, side(Kind::BID).size), (top.bid_px, u64::from(top.bid_sz) * ONE));
            prop_assert_eq!((side(Kind::ASK).price, side(Kind::ASK).size), (top.ask_px, u64::from(top.ask_sz) * ONE));
        }
        let trades = records.iter().filter(|record| record.action as u8 == b'T').count();
        prop_assert_eq!(whole.ticks.iter().filter(|tick| tick.kind == Kind::TRADE).count(), trades);
        let changes = records.windows(2).filter(|pair| pair[0].levels != pair[1].levels).count();
        let quotes = if records.is_empty() { 0 } else { changes + 1 };
        prop_assert_eq!(whole.ticks.len(), trades + 2 * quotes);
    }
}

// ---------------------------------------------------------------- reading

/// Everything that one file yields.
#[derive(Debug, Default)]
struct Content {
    ticks: Vec<Tick>,
    symbols: Vec<NamedSymbol>,
    counts: Counts,
}

impl Content {
    fn symbol(&self, tick: &Tick) -> &str {
        &self.symbols[tick.instrument as usize].symbol
    }
}

/// Hands out at most so many bytes at once, as a pipe or a decompressor does.
struct Pieces(std::io::Cursor<Vec<u8>>, usize);

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let most = buffer.len().min(self.1);
        self.0.read(&mut buffer[..most])
    }
}

fn open(bytes: &[u8], piece: usize) -> Result<DbnReader, ReadError> {
    let input = Pieces(std::io::Cursor::new(bytes.to_vec()), piece);
    DbnReader::open("some.dbn", Box::new(input), &ReadOptions::default())
}

/// What was read, and what stopped it before the end.
fn read_all(bytes: &[u8], piece: usize) -> (Content, Option<ReadError>) {
    let mut content = Content::default();
    let mut reader = match open(bytes, piece) {
        Ok(reader) => reader,
        Err(error) => return (content, Some(error)),
    };
    let mut batch = Batch::default();
    loop {
        batch.clear();
        let more = reader.read(&mut batch);
        content.ticks.extend(&batch.ticks);
        content.symbols.append(&mut batch.new_symbols);
        content.counts.add(&batch.counts);
        match more {
            Ok(true) => (),
            Ok(false) => return (content, None),
            Err(error) => return (content, Some(error)),
        }
    }
}

fn read(bytes: &[u8]) -> Result<Content, ReadError> {
    match read_all(bytes, usize::MAX) {
        (content, None) => Ok(content),
        (_, Some(error)) => Err(error),
    }
}

/// Each tick in words.
fn told(file: File) -> Vec<String> {
    let in_words = |tick: &Tick| {
        let price = if tick.price == UNDEFINED_PRICE { "none".to_owned() } else { tick.price.to_string() };
        format!("{} {price}{}", tick.kind.name(), if tick.is_last() { " last" } else { "" })
    };
    read(&file.bytes()).unwrap().ticks.iter().map(in_words).collect()
}

/// A shared file, decompressed as the input layer does it.
fn fixture(name: &str) -> Vec<u8> {
    let path = format!("{}/tests/data/dbn/{name}", env!("CARGO_MANIFEST_DIR"));
    let bytes = std::fs::read(path).unwrap();
    if name.ends_with(".zst") { zstd::decode_all(&bytes[..]).unwrap() } else { bytes }
}

// ---------------------------------------------------------------- writing

/// A DBN file in the making.
struct File(dbn::encode::dbn::Encoder<Vec<u8>>);

impl File {
    fn new(metadata: &Metadata) -> Self {
        Self(dbn::encode::dbn::Encoder::new(Vec::new(), metadata).unwrap())
    }

    fn with<R: dbn::encode::DbnEncodable>(mut self, record: &R) -> Self {
        self.0.encode_record(record).unwrap();
        self
    }

    fn with_all<R: dbn::encode::DbnEncodable>(mut self, records: &[R]) -> Self {
        self.0.encode_records(records).unwrap();
        self
    }

    fn bytes(&self) -> Vec<u8> {
        self.0.get_ref().clone()
    }
}

fn file(schema: impl Into<Option<Schema>>) -> File {
    File::new(&metadata(schema.into(), Vec::new()))
}

fn metadata(schema: Option<Schema>, mappings: Vec<SymbolMapping>) -> Metadata {
    Metadata::builder()
        .dataset("GLBX.MDP3")
        .schema(schema)
        .start(MONDAY)
        .stype_in(Some(SType::RawSymbol))
        .stype_out(SType::InstrumentId)
        .mappings(mappings)
        .build()
}

/// `raw` stands for `symbol` on the day that begins at `day`.
fn mapping(raw: &str, day: u64, symbol: &str) -> SymbolMapping {
    let date = |ts| dbn::record::ts_to_dt(ts).unwrap().date();
    let (start_date, end_date) = (date(day), date(day + 86_400 * ONE));
    let intervals = vec![MappingInterval { start_date, end_date, symbol: symbol.to_owned() }];
    SymbolMapping { raw_symbol: raw.to_owned(), intervals }
}

/// Instrument 7 trades at 100 (in 1e-9).
fn trade(at: u64, side: char, size: u32) -> TradeMsg {
    TradeMsg {
        hd: RecordHeader::new::<TradeMsg>(rtype::MBP_0, 1, 7, at.wrapping_sub(7)),
        price: 100,
        size,
        action: b'T' as c_char,
        side: side as c_char,
        ts_recv: at,
        ..TradeMsg::default()
    }
}

fn mbo(at: u64, action: char) -> MboMsg {
    MboMsg {
        hd: RecordHeader::new::<MboMsg>(rtype::MBO, 1, 7, at - 7),
        price: 100,
        size: 1,
        action: action as c_char,
        ts_recv: at,
        ..MboMsg::default()
    }
}

/// `quote` is bid price and size, ask price and size.
fn mbp1(at: u64, action: char, [bid_px, bid_sz, ask_px, ask_sz]: [i64; 4]) -> Mbp1Msg {
    let (bid_sz, ask_sz) = (bid_sz as u32, ask_sz as u32);
    Mbp1Msg {
        hd: RecordHeader::new::<Mbp1Msg>(rtype::MBP_1, 1, 7, at - 7),
        price: 100,
        size: 1,
        action: action as c_char,
        ts_recv: at,
        levels: [BidAskPair { bid_px, bid_sz, ask_px, ask_sz, ..BidAskPair::default() }],
        ..Mbp1Msg::default()
    }
}

fn cmbp1(rtype: u8, at: u64, action: char, [bid_px, bid_sz, ask_px, ask_sz]: [i64; 4]) -> Cmbp1Msg {
    let (bid_sz, ask_sz) = (bid_sz as u32, ask_sz as u32);
    Cmbp1Msg {
        hd: RecordHeader::new::<Cmbp1Msg>(rtype, 1, 7, at - 7),
        price: 100,
        size: 1,
        action: action as c_char,
        ts_recv: at,
        levels: [ConsolidatedBidAskPair { bid_px, bid_sz, ask_px, ask_sz, ..Default::default() }],
        ..Cmbp1Msg::default_for_schema(Schema::Cmbp1)
    }
}

fn bbo(rtype: u8, at: u64, [bid_px, bid_sz, ask_px, ask_sz]: [i64; 4]) -> BboMsg {
    let (bid_sz, ask_sz) = (bid_sz as u32, ask_sz as u32);
    BboMsg {
        hd: RecordHeader::new::<BboMsg>(rtype, 1, 7, at - 7),
        price: 100,
        size: 1,
        ts_recv: at,
        levels: [BidAskPair { bid_px, bid_sz, ask_px, ask_sz, ..BidAskPair::default() }],
        ..BboMsg::default_for_schema(Schema::Bbo1S)
    }
}
