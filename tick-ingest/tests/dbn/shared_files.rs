//! The shared files, against the dbn crate's own count.

use crate::*;

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
fn a_file_of_ten_levels_is_read() {
    let path = format!("{}/tests/data/readers/68-mbp-10.dbn.zst", env!("CARGO_MANIFEST_DIR"));
    let bytes = zstd::decode_all(&std::fs::read(path).unwrap()[..]).unwrap();
    let read = read(&bytes).unwrap();
    let top = |kind, price, size: u64| (kind, price, size * ONE);
    let ticks: Vec<_> = read.ticks.iter().map(|tick| (tick.kind, tick.price, tick.size)).collect();
    let (bid, ask) = (3_720_250_000_000, 3_720_500_000_000);
    assert_eq!(ticks, [top(Kind::BID, bid, 24), top(Kind::ASK, ask, 10)]);
    assert_eq!(read.counts.skipped["unchanged quote"], 1, "only a deeper level changes");
    assert_eq!(read.symbols[0].symbol, "ESH1");
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

/// Records, trades and changes of the best bid and ask, as the dbn crate reads them.
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
