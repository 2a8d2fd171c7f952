//! CSV of any other kind, by a mapping.

use super::*;

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
        ("time=ts:ms,price=px,header=maybe", "yes or no"),
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
