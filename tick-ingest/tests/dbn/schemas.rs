//! What each schema yields.

use crate::*;

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
    assert_eq!(at, [3, 7], "a fill is the other side of a trade that was sent");
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
    assert_eq!(described(file(Schema::Tbbo).with_all(&records)), before);
    assert_eq!(described(file(Schema::Mbp1).with_all(&records)), after);

    let record = |rtype, at, bid| cmbp1(rtype, at, 'T', [bid, 5, 110, 6]);
    let of = |rtype| [record(rtype, MONDAY, 90), record(rtype, MONDAY + 1, 91)];
    assert_eq!(described(file(Schema::Tcbbo).with_all(&of(rtype::TCBBO))), before);
    assert_eq!(described(file(Schema::Cmbp1).with_all(&of(rtype::CMBP_1))), after);
}

#[test]
fn a_deep_book_yields_its_trades_and_its_first_level() {
    let records = [
        mbp10(MONDAY, 'A', [90, 5, 110, 6]),
        mbp10(MONDAY + 1, 'T', [90, 5, 110, 6]),
        mbp10(MONDAY + 2, 'M', [91, 5, 110, 6]),
    ];
    let ticks = ["bid 90", "ask 110 last", "trade 100 last", "bid 91", "ask 110 last"];
    assert_eq!(described(file(Schema::Mbp10).with_all(&records)), ticks);
    assert_eq!(described(file(None).with_all(&records)), ticks);
}

#[test]
fn a_side_of_price_and_size_0_is_empty() {
    let records = [mbp1(MONDAY, 'A', [0, 0, 110, 6]), mbp1(MONDAY + 1, 'A', [0, 3, 110, 6])];
    let ticks = ["bid none", "ask 110 last", "bid 0", "ask 110 last"];
    assert_eq!(described(file(Schema::Mbp1).with_all(&records)), ticks);
}

#[test]
fn trades_beside_the_venues_book_are_counted_by_name() {
    use dbn::publishers::Publisher;
    let of = |publisher: Publisher| {
        let mut record = trade(MONDAY, 'A', 1);
        record.hd.publisher_id = publisher as u16;
        record
    };
    let publishers = [
        Publisher::IfeuImpactIfeu,
        Publisher::IfeuImpactXoff,
        Publisher::XnasBasicXnas,
        Publisher::XnasBasicFinn,
        Publisher::XnasBasicFinc,
    ];
    let read = read(&file(Schema::Trades).with_all(&publishers.map(of)).bytes()).unwrap();
    assert_eq!(read.ticks.len(), 2);
    let skipped = &read.counts.skipped;
    assert_eq!((skipped["off-market trade (XOFF)"], skipped["off-exchange trade (FINRA TRF)"]), (1, 2));
}

#[test]
fn flags_that_a_user_should_know_are_noted_once() {
    let flagged = |flags: u8| {
        let mut record = mbp1(MONDAY, 'T', [90, 5, 110, 6]);
        record.flags = flags.into();
        record
    };
    let file = |flags: [u8; 3]| file(Schema::Mbp1).with_all(&flags.map(flagged)).bytes();
    let notes = |flags| read(&file(flags)).unwrap().counts.notes;
    assert_eq!(notes([dbn::flags::LAST, dbn::flags::TOB, 0]), [""; 0]);
    let both = notes([dbn::flags::BAD_TS_RECV, dbn::flags::MAYBE_BAD_BOOK, dbn::flags::BAD_TS_RECV]);
    assert_eq!(both.len(), 2);
    assert!(both[0].contains("BAD_TS_RECV") && both[1].contains("MAYBE_BAD_BOOK"), "{both:?}");
}

#[test]
fn a_quote_is_sent_when_a_price_or_size_differs() {
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
fn an_empty_side_is_sent_once() {
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
    assert_eq!(described(file(Schema::Mbp1).with_all(&records)), expected);
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
    for (schema, rtype) in [(Schema::Cbbo1S, rtype::CBBO_1S), (Schema::Cbbo1M, rtype::CBBO_1M)] {
        let record = cbbo(rtype, MONDAY, [90, 5, UNDEF_PRICE, 0]);
        let read = read(&file(schema).with(&record).with(&record).bytes()).unwrap();
        let quote = |kind, price, size| Tick::quote(kind, MONDAY, MONDAY, price, size);
        let expected = [quote(Kind::BID, 90, 5 * ONE), quote(Kind::ASK, UNDEFINED_PRICE, 0).last()];
        assert_eq!(read.ticks, expected);
        assert_eq!(read.counts.skipped["unchanged quote"], 1);
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
    assert_eq!(read.ticks.len(), 1, "one trade is not sent for two schemas");
    assert_eq!((read.counts.skipped["system"], read.counts.skipped["mbp-1"]), (2, 1));
    assert_eq!(read.counts.lines, 4);
}

#[test]
fn a_stream_of_mixed_schemas_yields_each_records_ticks() {
    let file = file(None).with(&trade(MONDAY, 'A', 1)).with(&mbp1(MONDAY, 'A', [90, 5, 110, 6]));
    assert_eq!(described(file), ["trade 100 last", "bid 90", "ask 110 last"]);
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
