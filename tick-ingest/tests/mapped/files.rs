//! Files as users bring them.

use tick_sdk::decimal::UNDEFINED_PRICE;

use crate::{error_of, file, levels, options, options_of, quotes, read};

#[test]
fn quotes_of_nothing_are_absent_sides() {
    let text = file("17-polygon-quotes-zero.csv");
    let map =
        "time=sip_timestamp:ns,symbol=ticker,bid=bid_price,bid_size=bid_size,ask=ask_price,ask_size=ask_size";
    let batch = read(&text, &options(map)).unwrap();
    let zeros = text.lines().skip(1).flat_map(|line| {
        let fields: Vec<&str> = line.split(',').collect();
        [fields[5] == "0", fields[2] == "0"]
    });
    let absent: Vec<bool> = zeros.collect();
    assert!(absent.contains(&true) && absent.contains(&false));
    let read: Vec<bool> = batch.ticks.iter().map(|tick| tick.price == UNDEFINED_PRICE).collect();
    assert_eq!(read, absent);
    assert!(batch.ticks.iter().all(|tick| tick.price > 0));
}

#[test]
fn the_good_side_of_a_quote_is_kept() {
    let map = "time=timestamp:rfc3339,symbol=symbol,bid=bid,bid_size=bid_size,ask=ask,ask_size=ask_size";
    let batch = read(&file("41-nan-quotes.csv"), &options(map)).unwrap();
    assert_eq!(
        quotes(&batch),
        ["- | 192.6 x 2", "192.51 x 3 | 192.6 x 2", "192.52 x 1 | -", "- | 192.61 x 1"]
    );
}

#[test]
fn float_noise_is_rounded_and_counted() {
    let map =
        "time=Local time:%d.%m.%Y %H:%M:%S%.f GMT%z,bid=Bid,bid_size=BidVolume,ask=Ask,ask_size=AskVolume";
    let batch = read(&file("02-dukascopy-local-time.csv"), &options_of("XAUUSD", map)).unwrap();
    assert_eq!(
        quotes(&batch),
        [
            "1580.787 x 700 | 1581.15 x 400",
            "1580.808 x 700 | 1581.171 x 400",
            "1580.77 x 200 | 1581.133 x 400",
            "1580.913 x 200 | 1581.213 x 300",
        ]
    );
    assert_eq!(batch.counts.rounded, 2);
    // 02:00 of +0200 is midnight.
    assert_eq!(batch.ticks[6].ts_event % 86_400_000_000_000, 1_476_000_000);
}

#[test]
fn decimal_commas_are_exact() {
    let map = "time=Time (UTC):%Y.%m.%d %H:%M:%S%.f,bid=Bid,bid_size=BidVolume,ask=Ask,ask_size=AskVolume,\
               delimiter=;,decimal=comma";
    let batch = read(&file("19-dukascopy-eu.csv"), &options_of("EURUSD", map)).unwrap();
    assert_eq!(
        quotes(&batch),
        ["1.09374 x 1.5 | 1.09381 x 0.75", "1.09375 x 1.5 | 1.09382 x 0.75", "1.09373 x 0.9 | 1.0938 x 1.12"]
    );
    let error =
        error_of(&file("19-dukascopy-eu.csv"), &options_of("EURUSD", &map.replace(",decimal=comma", "")));
    assert!(error.contains("decimal=comma") && error.contains("x.csv:2: bid (column Bid)"), "{error}");
}

#[test]
fn prices_in_units_of_1e_9() {
    let text = file("34-databento-trades-raw.csv");
    let map =
        "time=ts_event:ns,recv=ts_recv:ns,symbol=instrument_id,price=price:1e-9,size=size,only=action:T";
    let batch = read(&text, &options(map)).unwrap();
    assert_eq!(levels(&batch), ["5528.5 x 2", "5528.25 x 1", "5528.25 x 1"]);
    assert!(batch.counts.notes.is_empty(), "{:?}", batch.counts.notes);
    let error = error_of(&text, &options(&map.replace(":1e-9", "")));
    assert!(error.contains("outside the range") && error.contains("price=COLUMN:1e-9"), "{error}");
}

#[test]
fn lines_before_the_header_are_skipped() {
    for name in ["23-preamble.csv", "38-cryptodatadownload.csv"] {
        let map = "time=unix:ms,symbol=symbol,price=price,size=amount,side=side,skip=2";
        let batch = read(&file(name), &options(map)).unwrap();
        assert_eq!(levels(&batch), ["67510.1 x 0.5", "67510 x 1.5"], "{name}");
        assert_eq!(batch.counts.lines, 5);
        let error = error_of(&file(name), &options(&map.replace(",skip=2", "")));
        assert!(
            error.contains("has no column") && error.contains("line 3 has all of them: add skip=2"),
            "{error}"
        );
    }
}

#[test]
fn a_last_column_may_be_left_out() {
    let text = file("54-ragged.csv");
    let map = "time=timestamp:ms,symbol=symbol,price=price,size=size";
    let error = error_of(&text, &options(map));
    assert!(error.contains("x.csv:3: line has 4 instead of 5 fields"), "{error}");
    assert!(error.contains("ragged=yes"), "{error}");
    let batch = read(&text, &options(&format!("{map},ragged=yes"))).unwrap();
    assert_eq!(levels(&batch), ["527.1 x 100", "527.2 x 100"]);
}
