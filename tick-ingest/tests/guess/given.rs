//! Files of real people, in `tests/data/readers`.

use tick_ingest::ReadOptions;
use tick_ingest::formats::mapped_csv::guess;

use super::{guessed, read_by, refused};

fn file(name: &str) -> String {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/readers").join(name);
    std::fs::read_to_string(path).expect(name)
}

/// Each file's mapping, and how many ticks it gives.
const MAPPINGS: [(&str, &str, usize); 20] = [
    ("01-truefx-headerless.csv", "time=#2:%Y%m%d %H:%M:%S%.f,symbol=#1,bid=#3,ask=#4", 10),
    (
        "02-dukascopy-local-time.csv",
        "time=Local time:%d.%m.%Y %H:%M:%S%.f GMT%z,bid=Bid,bid_size=BidVolume,ask=Ask,ask_size=AskVolume",
        8,
    ),
    ("06b-okx-btc.csv", "time=created_time:ms,symbol=instrument_name,price=price,size=size,side=side", 3),
    ("08-pandas-float-times.csv", "time=timestamp:ns,price=price,size=volume", 3),
    (
        "11-mt5-ticks.csv",
        "time=<DATE>+<TIME>:%Y.%m.%d %H:%M:%S%.f,bid=<BID>,ask=<ASK>,delimiter=tab,empty=unchanged",
        8,
    ),
    ("14-firstrate.txt", "time=#1:rfc3339,price=#2,size=#3", 3),
    (
        "17-polygon-quotes-zero.csv",
        "time=sip_timestamp:ns,symbol=ticker,bid=bid_price,bid_size=bid_size,ask=ask_price,ask_size=ask_size",
        800,
    ),
    (
        "19-dukascopy-eu.csv",
        "time=Time (UTC):%Y.%m.%d %H:%M:%S%.f,bid=Bid,bid_size=BidVolume,ask=Ask,ask_size=AskVolume,delimiter=;,decimal=comma",
        6,
    ),
    ("23-preamble.csv", "time=unix:ms,symbol=symbol,price=price,size=amount,side=side,skip=2", 2),
    (
        "34-databento-trades-raw.csv",
        "time=ts_event:ns,recv=ts_recv:ns,symbol=instrument_id,price=price:1e-9,size=size,side=side",
        3,
    ),
    (
        "35d-bitmex-trade.csv",
        "time=timestamp:%Y-%m-%dD%H:%M:%S%.f,symbol=symbol,price=price,size=size,side=side",
        2,
    ),
    (
        "36-okx-10digit-ids.csv",
        "time=created_time:ms,symbol=instrument_name,price=price,size=size,side=side",
        3,
    ),
    ("38-cryptodatadownload.csv", "time=unix:ms,symbol=symbol,price=price,size=amount,side=side,skip=2", 2),
    ("40b-ddmm.csv", "time=DateTime:%d/%m/%Y %H:%M:%S%.f,bid=Bid,ask=Ask", 6),
    (
        "41-nan-quotes.csv",
        "time=timestamp:rfc3339,symbol=symbol,bid=bid,bid_size=bid_size,ask=ask,ask_size=ask_size",
        8,
    ),
    ("51-mixed-s-ms.csv", "time=unix:auto,symbol=symbol,price=price,size=amount", 4),
    ("54-ragged.csv", "time=timestamp:ms,symbol=symbol,price=price,size=size,ragged=yes", 2),
    ("56-date-and-time-columns.csv", "time=Date+Time:%Y-%m-%d %H:%M:%S%.f,price=Price,size=Volume", 4),
    ("61/XBTUSD.csv", "time=#1:s,price=#2,size=#3", 2),
    ("61/ETHUSD.csv", "time=#1:s,price=#2,size=#3", 2),
];

#[test]
fn each_file_is_guessed_and_read() {
    let mut wrong = Vec::new();
    for (name, mapping, ticks) in MAPPINGS {
        let text = file(name);
        match guess(name, text.as_bytes(), &ReadOptions::default()) {
            Ok(guess) if guess.mapping.to_string() == mapping => {
                assert_eq!(read_by(&guess, name, &text).ticks.len(), ticks, "{name}: {mapping}");
            }
            Ok(guess) => wrong.push(format!("{name}: {}\n  instead of {mapping}", guess.mapping)),
            Err(none) => wrong.push(format!("{name}: {none:?}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_is_no_tick_is_refused_by_name() {
    for (name, reason) in [
        ("58-binance-depth-update.csv", "holds book updates, no trades: column update_type"),
        ("59-ADABTC-1m-2021-11-27.csv", "holds bars, no ticks: of columns #2, #3, #4, #5"),
    ] {
        let refusal = refused(name, &file(name));
        assert!(refusal.reason.starts_with(reason), "{name}: {}", refusal.reason);
        assert!(refusal.advice.contains("--map") && !refusal.columns.is_empty(), "{name}: {refusal}");
    }
}

#[test]
fn what_was_assumed_is_noted() {
    let notes = |name: &str| guessed(name, &file(name)).notes.join("\n");
    assert!(notes("14-firstrate.txt").contains("times name no zone: taken as UTC, see --tz"));
    assert!(notes("51-mixed-s-ms.csv").contains("the unit of unix changes"));
    assert!(notes("54-ragged.csv").contains("ragged=yes"));
    assert!(
        notes("08-pandas-float-times.csv").contains("no column looks like a symbol: give it with --symbol")
    );
    assert!(notes("61/XBTUSD.csv").contains("XBTUSD by the file's name"));
    assert!(!notes("02-dukascopy-local-time.csv").contains("zone"), "GMT+0200 is one");
    assert!(!notes("40b-ddmm.csv").contains("day and month"), "line 4 shows it");
    assert_eq!(guessed("61/XBTUSD.csv", &file("61/XBTUSD.csv")).symbol.as_deref(), Some("XBTUSD"));
}

#[test]
fn each_column_is_explained() {
    let guess = guessed("36-okx-10digit-ids.csv", &file("36-okx-10digit-ids.csv"));
    let found: Vec<_> = guess.columns.iter().map(|column| (column.name.as_str(), column.taken_for)).collect();
    let expected = [
        ("instrument_name", "symbol"),
        ("trade_id", "nothing"),
        ("side", "side"),
        ("price", "price"),
        ("size", "size"),
        ("created_time", "time"),
    ];
    assert_eq!(found, expected);
    let id = &guess.columns[1];
    assert_eq!((id.sample.as_str(), id.why.as_str()), ("1073391187", "an id, by its name"));
}
