//! `orchard convert`, as a user runs it.

use proptest::prelude::*;
use tick_feed::ticks_file::{TicksFile, TicksWriter};
use tick_sdk::decimal::UNDEFINED_PRICE;
use tick_sdk::{Flags, Kind, Side, Tick};

use crate::program::Folder;

/// Two book tickers around a trade, and two events that are not ticks.
const CAPTURE: &str = r#"1723161255088169167 {"stream":"btcusdt@bookTicker","data":{"e":"bookTicker","u":1,"s":"BTCUSDT","b":"61800.20","B":"2.507","a":"61800.30","A":"2.51","T":1723161256313,"E":1723161256313}}
1723161255088176367 {"stream":"btcusdt@trade","data":{"e":"trade","E":1723161256322,"T":1723161256322,"s":"BTCUSDT","t":5,"p":"61800.30","q":"0.006","X":"MARKET","m":false}}
1723161255088176368 {"stream":"btcusdt@depth","data":{"e":"depthUpdate","E":1723161256322,"s":"BTCUSDT"}}
1723161255088181667 {"stream":"btcusdt@bookTicker","data":{"e":"bookTicker","u":2,"s":"BTCUSDT","b":"61800.20","B":"2.507","a":"61800.30","A":"2.504","T":1723161256322,"E":1723161256322}}
"#;

const CAPTURE_AS_CSV: &str = "\
ts_event,ts_recv,symbol,kind,side,price,size,flags
1723161256313000000,1723161255088169167,BTCUSDT,bid,,61800.2,2.507,0
1723161256313000000,1723161255088169167,BTCUSDT,ask,,61800.3,2.51,1
1723161256322000000,1723161255088176367,BTCUSDT,trade,buy,61800.3,0.006,1
1723161256322000000,1723161255088181667,BTCUSDT,bid,,61800.2,2.507,0
1723161256322000000,1723161255088181667,BTCUSDT,ask,,61800.3,2.504,1
";

const HEADER: &str = "ts_event,ts_recv,symbol,kind,side,price,size,flags\n";

/// A trade at `ts` of Orchard's own CSV.
fn trade(ts: u64, symbol: &str) -> String {
    format!("{ts},{ts},{symbol},trade,buy,1,1,1\n")
}

#[test]
fn a_capture_becomes_csv_and_ticks_and_is_told_about() {
    let folder = Folder::new();
    folder.write("capture.txt", CAPTURE);
    let summary = folder.done(&["convert", "capture.txt", "out.csv"]);
    assert_eq!(String::from_utf8(folder.read("out.csv")).unwrap(), CAPTURE_AS_CSV);
    for line in [
        "Ticks        5 (1 trade, 2 bids, 2 asks)\n",
        "Instruments  1\n",
        "Time span    2024-08-08 23:54:15.088 to 2024-08-08 23:54:15.088 UTC (12.5 us)\n",
        "Skipped      1 depthUpdate\n",
        "Malformed    0 lines\n",
    ] {
        assert!(summary.contains(line), "{line:?} in {summary}");
    }

    let summary = folder.json(&["convert", "capture.txt", "out.ticks"]);
    let bytes = folder.read("out.ticks").len();
    assert_eq!((summary["output"].as_str(), summary["format"].as_str()), (Some("out.ticks"), Some("ticks")));
    assert_eq!((summary["ticks"].as_u64(), summary["bytes"].as_u64()), (Some(5), Some(bytes as u64)));
    assert_eq!(summary["first_ts_recv"].as_u64(), Some(1_723_161_255_088_169_167));
    assert_eq!(summary["last_ts_recv"].as_u64(), Some(1_723_161_255_088_181_667));
    assert_eq!(summary["ticks_by_kind"]["asks"].as_u64(), Some(2));
    assert_eq!(summary["skipped"]["depthUpdate"].as_u64(), Some(1));
    assert_eq!(summary["source_bytes"].as_u64(), Some(CAPTURE.len() as u64));
    assert_eq!(folder.names(), ["capture.txt", "out.csv", "out.ticks"], "nothing else is left");
}

#[test]
fn standard_output_has_the_ticks_alone() {
    let folder = Folder::new();
    folder.write("capture.txt", CAPTURE);
    let ran = folder.run(&["convert", "capture.txt", "-", "--format", "csv"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), CAPTURE_AS_CSV));
    assert!(ran.stderr.contains("Ticks        5"), "{}", ran.stderr);
}

#[test]
fn a_reader_that_goes_is_no_failure() {
    let folder = Folder::new();
    folder.done(&["generate", "market.ticks", "--ticks", "100K"]);
    let line = folder.first_line_only(&["convert", "market.ticks", "-", "--format", "csv"]);
    assert_eq!(line, HEADER);
}

#[test]
fn files_are_merged_by_time_with_their_prefixes() {
    let folder = Folder::new();
    folder.write("a.csv", [HEADER, &trade(1, "X"), &trade(5, "X")].concat());
    folder.write("b.csv", [HEADER, &trade(1, "X"), &trade(3, "Y")].concat());
    let args = ["convert", "a.csv", "b.csv", "out.csv", "--prefix", "a:", "--prefix", "b:"];
    folder.done(&args);
    let merged = [HEADER, &trade(1, "a:X"), &trade(1, "b:X"), &trade(3, "b:Y"), &trade(5, "a:X")].concat();
    assert_eq!(String::from_utf8(folder.read("out.csv")).unwrap(), merged);
}

#[test]
fn times_without_zone_are_of_the_one_that_is_given() {
    let folder = Folder::new();
    folder.write("ny.csv", "2024-03-08 09:30:00.123,171.25,100\n2024-03-11 09:30:00.123,172.94,5\n");
    let convert =
        ["convert", "ny.csv", "out.csv", "--symbol", "A", "--map", "time=#1:rfc3339,price=#2,size=#3"];
    let times = |zone: &[&str]| {
        folder.done(&[&convert, zone].concat());
        let rows = String::from_utf8(folder.read("out.csv")).unwrap();
        std::fs::remove_file(folder.path().join("out.csv")).unwrap();
        rows.lines().skip(1).map(|row| row.split(',').next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(times(&[]), ["1709890200123000000", "1710149400123000000"]);
    assert_eq!(times(&["--tz", "utc"]), times(&[]));
    // By the rules of daylight saving, which began between the two.
    assert_eq!(times(&["--tz", "America/New_York"]), ["1709908200123000000", "1710163800123000000"]);
    assert_eq!(times(&["--tz", "-05:00"]), ["1709908200123000000", "1710167400123000000"]);
}

#[test]
fn what_filters_leave_is_numbered_without_holes() {
    let folder = Folder::new();
    let rows = [trade(1, "EARLY"), trade(2, "OTHER"), trade(3, "B"), trade(4, "A"), trade(5, "B")].concat();
    folder.write("all.csv", format!("{HEADER}{rows}"));
    folder.done(&["convert", "all.csv", "some.ticks", "--symbols", "A,B,EARLY", "--from", "2"]);
    let file = TicksFile::open(&folder.path().join("some.ticks")).unwrap();
    assert_eq!(file.symbols(), ["B", "A"], "in the order of first ticks, and only those with ticks");
    let (block, known) = file.block(0).unwrap();
    assert_eq!(known, 2);
    let ids: Vec<_> = block.as_slice().iter().map(|tick| (tick.ts_recv, tick.instrument)).collect();
    assert_eq!(ids, [(3, 0), (4, 1), (5, 0)]);
}

#[test]
fn a_file_out_of_order_needs_a_window() {
    let folder = Folder::new();
    let (second, late) = (1_000_000_000, 400_000_000);
    folder.write("late.csv", [HEADER, &trade(second, "A"), &trade(second - late, "A")].concat());
    let convert = ["convert", "late.csv", "out.csv"];
    folder.fails(1, &convert, &["late.csv:3: ts_recv 600000000", "--reorder 401ms"]);
    assert_eq!(folder.names(), ["late.csv"]);
    folder.done(&[&convert[..], &["--reorder", "401ms"]].concat());
    let sorted = [HEADER, &trade(second - late, "A"), &trade(second, "A")].concat();
    assert_eq!(String::from_utf8(folder.read("out.csv")).unwrap(), sorted);
}

#[test]
fn a_bad_line_stops_with_its_place_or_is_counted() {
    let folder = Folder::new();
    let bad = "3,3,A,trade,buy,NaN,1,1\n";
    folder.write("bad.csv", [HEADER, &trade(1, "A"), bad, &trade(4, "A")].concat());
    let said = ["bad.csv:3: price", "3,3,A,trade,buy,NaN,1,1", "--on-bad-line skip"];
    let ran = folder.fails(1, &["convert", "bad.csv", "out.ticks"], &said);
    assert_eq!((ran.stdout.as_str(), folder.names()), ("", vec!["bad.csv".to_owned()]));

    let skip = ["convert", "bad.csv", "out.ticks", "--on-bad-line", "skip"];
    let summary = folder.done(&skip);
    assert!(summary.contains("Ticks        2 (2 trades)\n"), "{summary}");
    assert!(
        summary.contains("Malformed    1 line\n") && summary.contains("left out: bad.csv:3: price"),
        "{summary}"
    );
}

#[test]
fn an_output_is_replaced_only_on_request() {
    let folder = Folder::new();
    let source = folder.write("a.csv", [HEADER, &trade(1, "A")].concat());
    let older = folder.write("out.csv", "precious");
    folder.fails(1, &["convert", "a.csv", "out.csv"], &["out.csv: is already there", "--force"]);
    assert_eq!(folder.read("out.csv"), older);
    folder.fails(1, &["convert", "missing.csv", "out.csv", "--force"], &["missing.csv"]);
    assert_eq!(folder.read("out.csv"), older, "a failure leaves it as it was");
    folder.done(&["convert", "a.csv", "out.csv", "--force"]);
    assert_eq!(folder.read("out.csv"), source);

    folder.fails(2, &["convert", "a.csv", "./a.csv", "--force"], &["./a.csv: is one of the sources"]);
    assert_eq!(folder.read("a.csv"), source);
    std::fs::create_dir(folder.path().join("folder.csv")).unwrap();
    folder.fails(
        1,
        &["convert", "a.csv", "folder.csv", "--force"],
        &["folder.csv: cannot be written: it is not a plain file"],
    );
    assert_eq!(folder.names(), ["a.csv", "folder.csv", "out.csv"]);
}

/// Who has mapped the older file must keep it while a new one takes its name.
#[test]
fn a_replaced_ticks_file_stays_as_it_is_for_who_has_it_open() {
    let folder = Folder::new();
    folder.write("one.csv", [HEADER, &trade(1, "A")].concat());
    folder.write("two.csv", [HEADER, &trade(2, "B"), &trade(3, "B")].concat());
    folder.done(&["convert", "one.csv", "out.ticks"]);
    let older = TicksFile::open(&folder.path().join("out.ticks")).unwrap();
    folder.done(&["convert", "two.csv", "out.ticks", "--force"]);
    assert_eq!(
        older.block(0).unwrap().0.as_slice(),
        [Tick::trade(1, 1, 1_000_000_000, 1_000_000_000, Side::BUY)]
    );
    assert_eq!(TicksFile::open(&folder.path().join("out.ticks")).unwrap().ticks(), 2);
}

#[test]
fn wrong_usage_is_told_from_failure() {
    let folder = Folder::new();
    folder.write("a.csv", [HEADER, &trade(1, "A")].concat());
    folder.fails(2, &["convert"], &["at least one source"]);
    folder.fails(2, &["convert", "a.csv"], &["at least one source"]);
    folder.fails(2, &["convert", "a.csv", "out.txt"], &["out.txt", ".ticks or .csv"]);
    folder.fails(2, &["convert", "a.csv", "-"], &["--format csv"]);
    folder.fails(2, &["convert", "a.csv", "out.csv", "--loop", "0"], &["--loop 0"]);
    folder.fails(2, &["convert", "a.csv", "out.csv", "--from", "tomorrow"], &["tomorrow"]);
    folder.fails(1, &["convert", "missing.gz", "out.csv"], &["missing.gz: opening the file"]);
    folder.fails(1, &["convert", "a.csv", "no/such/out.csv"], &["no/such/out.csv: cannot be written"]);
    assert_eq!(folder.names(), ["a.csv"]);
}

#[test]
fn damage_in_a_ticks_file_is_found_and_nothing_is_written() {
    let folder = Folder::new();
    folder.done(&["generate", "market.ticks", "--ticks", "10K"]);
    let sound = folder.read("market.ticks");
    let mut flipped = sound.clone();
    flipped[9000 * 40] ^= 1;
    folder.write("market.ticks", &flipped);
    folder.fails(
        1,
        &["convert", "market.ticks", "out.csv"],
        &["market.ticks: block 1 (ticks from 8192) is damaged"],
    );
    folder.write("market.ticks", &sound[..sound.len() - 1]);
    folder.fails(1, &["convert", "market.ticks", "out.csv"], &["market.ticks: its end is missing"]);
    assert_eq!(folder.names(), ["market.ticks"]);
}

/// Also while it waits for a capture that is not being written to.
#[cfg(unix)]
#[test]
fn an_interrupt_leaves_nothing_behind() {
    use std::io::Write;
    use std::process::{Command, Stdio};
    let folder = Folder::new();
    let mut child =
        folder.command(&["convert", "-", "out.ticks"]).stdin(Stdio::piped()).spawn().expect("it starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    let rows: String = (0..10_000).map(|ts| trade(ts, "A")).collect();
    stdin.write_all(format!("{HEADER}{rows}").as_bytes()).expect("the program reads");
    // It has begun once its temporary file is there; its input stays open.
    while folder.names().is_empty() {
        assert!(child.try_wait().expect("its state").is_none(), "it ended by itself");
        std::thread::yield_now();
    }
    let kill = format!("kill -INT {}", child.id());
    assert!(Command::new("sh").args(["-c", &kill]).status().expect("a shell").success());
    let ran = child.wait_with_output().expect("it ends");
    assert_eq!(ran.status.code(), Some(130), "{}", String::from_utf8_lossy(&ran.stderr));
    assert!(String::from_utf8_lossy(&ran.stderr).contains("nothing was written"));
    assert_eq!(folder.names(), [""; 0]);
    drop(stdin);
}

// ---------------------------------------------------------------- nothing is lost

/// A `.ticks` file of these ticks, whose `instrument` counts `symbols`.
fn ticks_file(ticks: &[Tick], symbols: &[String]) -> Vec<u8> {
    let mut writer = TicksWriter::new(Vec::new()).unwrap();
    let mut ids = vec![None; symbols.len()];
    for tick in ticks {
        let which = tick.instrument as usize;
        let id = *ids[which].get_or_insert_with(|| writer.add_symbol(&symbols[which]).unwrap());
        writer.write(&[tick.of(id)]).unwrap();
    }
    writer.finish().unwrap()
}

fn any_tick(symbols: usize) -> impl Strategy<Value = Tick> {
    let price =
        prop_oneof![Just(UNDEFINED_PRICE), Just(i64::MAX - 1), Just(1 - i64::MAX + 1), Just(0), any::<i64>()]
            .prop_map(|price| price.max(1 - i64::MAX));
    let size = prop_oneof![Just(u64::MAX), Just(0), any::<u64>()];
    (any::<(u64, u64, u16)>(), price, size, 0..symbols, 1..=3u8, 0..=2u8).prop_map(
        |((ts_event, ts_recv, flags), price, size, instrument, kind, side)| Tick {
            ts_event,
            ts_recv,
            price,
            size,
            instrument: instrument as u32,
            kind: Kind(kind),
            side: Side(side),
            flags: Flags(flags),
        },
    )
}

/// Symbols with commas, quotes, blanks and letters of any script.
fn any_market() -> impl Strategy<Value = (Vec<String>, Vec<Tick>)> {
    let symbol = r#"[A-Z,"' ;é京\\]{1,12}"#;
    prop::collection::hash_set(symbol, 1..5).prop_flat_map(|symbols| {
        let symbols: Vec<String> = symbols.into_iter().collect();
        let ticks = prop::collection::vec(any_tick(symbols.len()), 0..60);
        (Just(symbols), ticks).prop_map(|(symbols, mut ticks)| {
            ticks.sort_by_key(|tick| tick.ts_recv);
            (symbols, ticks)
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn from_ticks_to_csv_and_back_every_byte_is_the_same((symbols, ticks) in any_market()) {
        let folder = Folder::new();
        let before = folder.write("before.ticks", ticks_file(&ticks, &symbols));
        folder.done(&["convert", "before.ticks", "between.csv", "--quiet"]);
        folder.done(&["convert", "between.csv", "after.ticks", "--quiet"]);
        prop_assert!(folder.read("after.ticks") == before, "{}", String::from_utf8_lossy(&folder.read("between.csv")));
    }
}

#[test]
fn many_blocks_and_instruments_survive_both_ways() {
    let folder = Folder::new();
    folder.done(&["generate", "before.ticks", "--ticks", "50K", "--instruments", "3000"]);
    folder.done(&["convert", "before.ticks", "between.csv"]);
    folder.done(&["convert", "between.csv", "after.ticks"]);
    assert!(folder.read("after.ticks") == folder.read("before.ticks"));
    folder.done(&["convert", "before.ticks", "copy.ticks"]);
    assert!(folder.read("copy.ticks") == folder.read("before.ticks"));
}

#[test]
fn what_csv_has_no_text_for_is_refused_by_name() {
    let folder = Folder::new();
    let odd = Tick { kind: Kind(9), ..Tick::trade(1, 1, 1, 1, Side::NONE) };
    folder.write("odd.ticks", ticks_file(&[odd], &["A".to_owned()]));
    folder.fails(1, &["convert", "odd.ticks", "out.csv"], &["out.csv", "kind 9", "write a .ticks file"]);
    let symbol = "A\u{1b}[2J\n".to_owned();
    folder.write("odd.ticks", ticks_file(&[Tick::trade(1, 1, 1, 1, Side::NONE)], &[symbol]));
    let ran = folder.fails(1, &["convert", "odd.ticks", "out.csv"], &["control character"]);
    assert!(!ran.stderr.contains('\u{1b}'), "the terminal is not steered: {:?}", ran.stderr);
    assert_eq!(folder.names(), ["odd.ticks"]);
}
