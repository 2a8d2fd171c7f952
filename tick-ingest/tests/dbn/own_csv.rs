//! Databento's own CSV gives the ticks that its DBN gives.

use dbn::encode::csv::Encoder;
use dbn::encode::{DbnEncodable, EncodeRecordTextExt};
use dbn::publishers::Publisher;
use tick_ingest::Format;
use tick_ingest::detect::open_reader;

use crate::*;

/// How the program that wrote a CSV was asked to write it.
#[derive(Clone, Copy, Debug)]
struct Written {
    decimals: bool,
    dates: bool,
    delimiter: u8,
}

const EVERY_WAY: [Written; 5] = [
    Written { decimals: false, dates: false, delimiter: b',' },
    Written { decimals: true, dates: true, delimiter: b',' },
    Written { decimals: true, dates: false, delimiter: b',' },
    Written { decimals: false, dates: true, delimiter: b',' },
    Written { decimals: true, dates: true, delimiter: b'\t' },
];

fn csv<R: DbnEncodable>(schema: Schema, records: &[R], written: Written, symbol: Option<&str>) -> Vec<u8> {
    let mut encoder = Encoder::builder(Vec::new())
        .use_pretty_px(written.decimals)
        .use_pretty_ts(written.dates)
        .delimiter(written.delimiter)
        .schema(Some(schema))
        .with_symbol(symbol.is_some())
        .build()
        .unwrap();
    for record in records {
        match symbol {
            Some(symbol) => encoder.encode_record_with_sym(record, Some(symbol)).unwrap(),
            None => encoder.encode_record(record).unwrap(),
        }
    }
    encoder.into_inner().unwrap()
}

fn read_csv(name: &str, text: &[u8]) -> Result<Content, ReadError> {
    let source = Box::new(std::io::Cursor::new(text.to_vec()));
    let mut opened = open_reader(name, source, &ReadOptions::default())?;
    assert_eq!(opened.format, Format::DatabentoCsv);
    let (mut content, mut batch) = (Content::default(), Batch::default());
    loop {
        batch.clear();
        let more = opened.reader.read(&mut batch)?;
        content.ticks.extend(&batch.ticks);
        content.symbols.append(&mut batch.new_symbols);
        content.counts.add(&batch.counts);
        if !more {
            return Ok(content);
        }
    }
}

/// Records as DBN and as CSV of every way give the same.
#[track_caller]
fn the_same<R: DbnEncodable>(schema: Schema, records: &[R]) {
    let expected = read(&file(schema).with_all(records).bytes()).unwrap();
    assert!(!expected.ticks.is_empty());
    for written in EVERY_WAY {
        for symbol in [None, Some("ESH1")] {
            let text = csv(schema, records, written, symbol);
            let name = format!("glbx-mdp3-20201228.{schema}.csv");
            let read = read_csv(&name, &text).unwrap();
            let shown = String::from_utf8_lossy(&text);
            assert_eq!(read.ticks, expected.ticks, "{written:?} {shown}");
            assert_eq!(read.counts.skipped, expected.counts.skipped, "{shown}");
            assert_eq!(read.counts.notes, expected.counts.notes, "{shown}");
            let symbol = symbol.unwrap_or("7").to_owned();
            assert_eq!(read.symbols, [NamedSymbol { symbol, market: Some("GLBX.MDP3".to_owned()) }]);
        }
    }
}

const NONE: i64 = UNDEF_PRICE;
/// Units of 1e-9.
const PX: i64 = 3_720_250_000_000;

/// Quotes with sides that are empty, come back, and stay as they are.
const QUOTES: [[i64; 4]; 7] = [
    [PX, 5, PX + 1, 6],
    [PX, 5, PX + 1, 6],
    [NONE, 0, PX + 1, 6],
    [NONE, 0, NONE, 0],
    [-PX, 5, NONE, 0],
    [0, 0, PX, 1],
    [0, 2, PX, 1],
];

#[test]
fn every_schema_gives_the_ticks_of_its_dbn() {
    let priced = |record: TradeMsg| TradeMsg { price: PX, ..record };
    let mut trades = [
        priced(trade(MONDAY, 'A', 3)),
        priced(trade(MONDAY + 1, 'B', 1)),
        priced(trade(MONDAY + 2, 'N', u32::MAX)),
    ]
    .to_vec();
    trades.push(TradeMsg { price: NONE, ..trade(MONDAY + 3, 'A', 1) });
    trades.push(TradeMsg { ts_recv: UNDEF_TIMESTAMP, price: -1, ..trade(MONDAY + 4, 'A', 1) });
    let mut off_market = priced(trade(MONDAY + 5, 'A', 1));
    off_market.flags = dbn::flags::BAD_TS_RECV.into();
    trades.push(off_market);
    the_same(Schema::Trades, &trades);

    let orders = "ACMTFRNT".chars().zip(MONDAY..);
    let orders: Vec<_> = orders.map(|(action, at)| MboMsg { price: PX, ..mbo(at, action) }).collect();
    the_same(Schema::Mbo, &orders);

    let actions = "ATACTMA".chars();
    let book: Vec<_> = QUOTES.iter().zip(actions.zip(MONDAY..)).collect();
    let mbp1: Vec<_> = book
        .iter()
        .map(|(quote, (action, at))| Mbp1Msg { price: PX, ..mbp1(*at, *action, **quote) })
        .collect();
    the_same(Schema::Mbp1, &mbp1);
    the_same(Schema::Tbbo, &mbp1);
    let mbp10: Vec<_> = book.iter().map(|(quote, (action, at))| mbp10(*at, *action, **quote)).collect();
    the_same(Schema::Mbp10, &mbp10);
    for (schema, rtype) in [(Schema::Cmbp1, rtype::CMBP_1), (Schema::Tcbbo, rtype::TCBBO)] {
        let records: Vec<_> =
            book.iter().map(|(quote, (action, at))| cmbp1(rtype, *at, *action, **quote)).collect();
        the_same(schema, &records);
    }
    for (schema, rtype) in [(Schema::Bbo1S, rtype::BBO_1S), (Schema::Bbo1M, rtype::BBO_1M)] {
        let records: Vec<_> = book.iter().map(|(quote, (_, at))| bbo(rtype, *at, **quote)).collect();
        the_same(schema, &records);
    }
    for (schema, rtype) in [(Schema::Cbbo1S, rtype::CBBO_1S), (Schema::Cbbo1M, rtype::CBBO_1M)] {
        let records: Vec<_> = book.iter().map(|(quote, (_, at))| cbbo(rtype, *at, **quote)).collect();
        the_same(schema, &records);
    }
}

#[test]
fn a_file_as_its_vendor_sends_it() {
    let path = format!("{}/tests/data/readers/34-databento-trades-raw.csv", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read(path).unwrap();
    let read = read_csv("34.csv", &text).unwrap();
    let at = 1_719_878_281_218_000_123;
    assert_eq!(read.ticks[0], Tick::trade(at - 10_122, at, 5_528_500_000_000, 2 * ONE, Side::BUY));
    assert_eq!(read.ticks[1].side, Side::SELL);
    assert_eq!((read.ticks.len(), read.ticks[2].side), (3, Side::NONE));
    let symbol = NamedSymbol { symbol: "5602".to_owned(), market: Some("GLBX.MDP3".to_owned()) };
    assert_eq!(read.symbols, [symbol]);
}

#[test]
fn tbbo_is_known_by_the_files_name_alone() {
    let records = [mbp1(MONDAY, 'T', [PX, 5, PX + 1, 6])];
    let text = csv(Schema::Tbbo, &records, EVERY_WAY[0], None);
    let kinds = |name: &str| {
        let read = read_csv(name, &text).unwrap();
        (read.ticks.iter().map(|tick| tick.kind.name()).collect::<String>(), read.counts.notes.len())
    };
    assert_eq!(kinds("in/x.tbbo.csv"), ("bidasktrade".to_owned(), 0));
    assert_eq!(kinds("in/x.mbp-1.csv"), ("tradebidask".to_owned(), 0));
    assert_eq!(kinds("tbbo/x.csv"), ("tradebidask".to_owned(), 1));
}

#[test]
fn schemas_without_ticks_are_refused_by_name() {
    let header = "ts_event,rtype,publisher_id,instrument_id";
    for (columns, name) in [
        (format!("{header},open,high,low,close,volume,symbol"), "ohlcv (bars)"),
        (
            format!("ts_recv,{header},ts_ref,price,quantity,sequence,ts_in_delta,stat_type,channel_id"),
            "statistics",
        ),
        (format!("ts_recv,{header},action,reason,trading_event,is_trading,is_quoting"), "status"),
        (format!("ts_recv,{header},raw_symbol,security_update_action,min_price_increment"), "definition"),
        (format!("ts_recv,{header},ref_price,auction_time,auction_type"), "imbalance"),
        (format!("{header},price"), "that has not all columns"),
    ] {
        let error = read_csv("x.csv", format!("{columns}\n").as_bytes()).unwrap_err().to_string();
        assert!(error.starts_with(&format!("x.csv: is Databento CSV of schema {name}")), "{error}");
        assert!(error.contains("trades, tbbo, mbp-1"), "{error}");
    }
}

const TRADES: &str = "ts_event,rtype,publisher_id,instrument_id,action,side,price,size";

#[test]
fn prices_that_cannot_be_in_the_vendors_unit_are_refused() {
    let text =
        format!("{TRADES}\n1609160400000000000,0,1,7,T,A,372,1\n1609160400000000001,0,1,7,T,A,373,1\n");
    let error = read_csv("x.csv", text.as_bytes()).unwrap_err().to_string();
    assert!(error.contains("integers up to 373") && error.contains("--map"), "{error}");
}

#[test]
fn rows_that_are_none_name_the_field() {
    let good = "1609160400000000000,0,1,7,T,A,3720250000000,1";
    for (row, said) in [
        (good.replace("3720250000000", "abc"), "price is not an integer of 1e-9"),
        (good.replace(",A,", ",A,,"), "line has 9 instead of 8 fields"),
        (good.replace("1609160400000000000", "soon"), "ts_event is not an RFC 3339 time"),
        (good.replace("1609160400000000000", ""), "line has neither ts_recv nor ts_event"),
        (good.replace(",0,1,7", ",x,1,7"), "rtype is not the number of a type of record"),
        (good.replace(",0,1,7", ",0,x,7"), "publisher_id is not a whole number"),
        (good.replace(",7,", ",,"), "symbol is empty"),
        (good.replace(",1", ",4294967296"), "size is not a whole number below 2^32"),
    ] {
        let text = format!("{TRADES}\n{good}\n{row}\n");
        let error = read_csv("x.csv", text.as_bytes()).unwrap_err().to_string();
        assert!(error.starts_with(&format!("x.csv:3: {said}")), "{row}: {error}");
    }
    let mixed = format!("{TRADES}\n{good}\n{}\n", good.replace("3720250000000", "3720.25"));
    let error = read_csv("x.csv", mixed.as_bytes()).unwrap_err().to_string();
    assert!(error.starts_with("x.csv:2: price is outside the range of a tick"), "{error}");
    let text = format!("{TRADES}\n{good}\n{TRADES}\n{good}\n");
    let read = read_csv("x.csv", text.as_bytes()).unwrap();
    assert_eq!((read.ticks.len(), read.counts.skipped["repeated header"]), (2, 1));
}

#[test]
fn rows_of_another_type_or_publisher_are_counted_by_name() {
    let row = |rtype: u8, publisher: Publisher| {
        format!("1609160400000000000,{rtype},{},7,T,A,3720250000000,1\n", publisher as u16)
    };
    let text = [
        format!("{TRADES}\n"),
        row(0, Publisher::XnasBasicXnas),
        row(0, Publisher::XnasBasicFinn),
        row(23, Publisher::XnasBasicXnas),
        row(0, Publisher::XnasBasicXnas),
    ];
    let read = read_csv("x.csv", text.concat().as_bytes()).unwrap();
    let skipped: Vec<_> = read.counts.skipped.iter().map(|(name, count)| (name.as_str(), *count)).collect();
    assert_eq!(skipped, [("off-exchange trade (FINRA TRF)", 1), ("system", 1)]);
    assert_eq!(read.ticks.len(), 2);
    assert_eq!(read.symbols[0].market.as_deref(), Some("XNAS.BASIC"));
}

#[test]
fn a_table_of_a_data_frame_is_read_too() {
    let text = "ts_recv,ts_event,rtype,publisher_id,instrument_id,action,side,depth,price,size,flags,ts_in_delta,sequence,symbol\n\
                2020-12-28 13:00:00.006136329+00:00,2020-12-28 13:00:00.006001487+00:00,0,1,5482,T,A,0,3720.25,5,128,19251,1170362,ESH1\n\
                2020-12-28 13:00:00.006136330+00:00,2020-12-28 13:00:00.006001488+00:00,0,1,5482,T,A,0,,5,128,19251,1170362,ESH1\n";
    let read = read_csv("x.csv", text.as_bytes()).unwrap();
    let at = 1_609_160_400_006_136_329;
    assert_eq!(read.ticks, [Tick::trade(1_609_160_400_006_001_487, at, PX, 5 * ONE, Side::SELL)]);
    assert_eq!(read.counts.skipped["trade without price"], 1);
}

proptest! {
    #[test]
    fn any_book_is_the_same_in_both(
        rows in proptest::collection::vec(
            (any::<i64>(), 0..u32::MAX, any::<i64>(), 0..u32::MAX, "[ATCM]"), 1..30),
        way in 0usize..5,
    ) {
        let records: Vec<_> = rows
            .iter()
            .zip(MONDAY..)
            .map(|((bid, bid_size, ask, ask_size, action), at)| {
                let quote = [*bid, i64::from(*bid_size), *ask, i64::from(*ask_size)];
                Mbp1Msg { price: *bid, ..mbp1(at, action.chars().next().unwrap(), quote) }
            })
            .collect();
        // Integers that are small throughout are refused, and none other.
        let large = Mbp1Msg { price: PX, ..mbp1(MONDAY - 1, 'T', [PX, 1, PX, 1]) };
        let records = [&[large], &records[..]].concat();
        let expected = read(&file(Schema::Mbp1).with_all(&records).bytes()).unwrap();
        let text = csv(Schema::Mbp1, &records, EVERY_WAY[way], None);
        let read = read_csv("x.mbp-1.csv", &text).unwrap();
        prop_assert_eq!(read.ticks, expected.ticks);
        prop_assert_eq!(read.counts.skipped, expected.counts.skipped);
    }

    #[test]
    fn any_text_behind_a_header_is_read_or_refused(text in "[0-9TA,.\n \"e-]{0,200}") {
        let _ = read_csv("x.csv", format!("{TRADES}\n{text}").as_bytes());
    }
}
