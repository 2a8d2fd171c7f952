//! Which symbol an instrument has.

use crate::*;

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
