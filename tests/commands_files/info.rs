//! `orchard info`, as a user runs it.

use std::path::Path;

use crate::program::Folder;

const HEADER: &str = "ts_event,ts_recv,symbol,kind,side,price,size,flags\n";

/// A trade, and a quote whose ask side is empty, received 1 ms later.
const MARKET: &str = "\
ts_event,ts_recv,symbol,kind,side,price,size,flags
1723161258362000000,1723161258362000001,BTCUSDT,trade,sell,61800.1,0.000000001,1
1723161258363000000,1723161258363000001,ETHUSDT,bid,,2600.55,12,0
1723161258363000000,1723161258363000001,ETHUSDT,ask,,,0,1
";

fn dbn(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tick-ingest/tests/data/dbn").join(name);
    path.into_os_string().into_string().expect("UTF-8")
}

#[test]
fn a_file_is_told_about_for_people() {
    let folder = Folder::new();
    folder.write("market.csv", MARKET);
    let shown = folder.done(&["info", "market.csv"]);
    let facts = "\
File         market.csv
Format       Orchard CSV, plain
Size         256 bytes; content 256 bytes, 4 lines or records
Ticks        3 (1 trade, 1 bid, 1 ask)
Instruments  2
Received     2024-08-08 23:54:18.362 to 2024-08-08 23:54:18.363 UTC (1.0 ms)
Event time   2024-08-08 23:54:18.362 to 2024-08-08 23:54:18.363 UTC (1.0 ms)
Order        in order of receipt
Skipped      nothing
Malformed    0 lines
Speed        ";
    assert!(shown.starts_with(facts), "{shown}");
    let tables = "
Instrument  trades  bids  asks  first price  last price
BTCUSDT          1     0     0      61800.1     61800.1
ETHUSDT          0     1     1      2600.55     2600.55

Received (UTC)                              event time (UTC)   symbol   kind  side    price         size  flags
2024-08-08 23:54:18.362000001  2024-08-08 23:54:18.362000000  BTCUSDT  trade  sell  61800.1  0.000000001   last
2024-08-08 23:54:18.363000001  2024-08-08 23:54:18.363000000  ETHUSDT    bid        2600.55           12
2024-08-08 23:54:18.363000001  2024-08-08 23:54:18.363000000  ETHUSDT    ask           none            0   last
";
    assert!(shown.ends_with(tables), "{shown}");
    let one_tick = folder.done(&["info", "market.csv", "--ticks", "1"]);
    assert!(one_tick.ends_with("  0.000000001   last\n"), "{one_tick}");
}

#[test]
fn a_file_is_told_about_for_machines() {
    let folder = Folder::new();
    folder.write("market.csv", MARKET);
    let shown = folder.json(&["info", "market.csv"]);
    assert_eq!(
        (shown["format"].as_str(), shown["compression"].as_str()),
        (Some("Orchard CSV"), Some("plain"))
    );
    assert_eq!((shown["ticks"].as_u64(), shown["lines"].as_u64()), (Some(3), Some(4)));
    assert_eq!(shown["first_ts_recv"].as_u64(), Some(1_723_161_258_362_000_001));
    assert_eq!(shown["last_ts_event"].as_u64(), Some(1_723_161_258_363_000_000));
    assert_eq!(shown["instruments"][1]["symbol"].as_str(), Some("ETHUSDT"));
    assert_eq!(shown["instruments"][1]["last_price"].as_str(), Some("2600.55"));
    let ticks = shown["first_ticks"].as_array().unwrap();
    assert_eq!(
        (ticks[0]["price"].as_str(), ticks[0]["size"].as_str()),
        (Some("61800.1"), Some("0.000000001"))
    );
    assert!(ticks[2]["price"].is_null() && ticks[2]["flags"].as_u64() == Some(1), "{shown}");
    assert!(shown["error"].is_null());
}

#[test]
fn a_dbn_file_tells_its_schema_and_market() {
    let folder = Folder::new();
    let shown = folder.json(&["info", &dbn("test_data.mbp-1.v3.dbn.zst")]);
    let text = |key: &str| shown[key].as_str().map(str::to_owned);
    assert_eq!(
        (text("format"), text("schema"), text("compression")),
        (Some("DBN".into()), Some("mbp-1".into()), Some("zstd".into()))
    );
    assert_eq!(shown["instruments"][0]["market"].as_str(), Some("GLBX.MDP3"));
    let text = folder.done(&["info", &dbn("test_data.tbbo.dbn")]);
    assert!(text.contains("Format       DBN, schema tbbo, plain\nMarket       GLBX.MDP3\n"), "{text}");
    folder.fails(1, &["info", &dbn("test_data.ohlcv-1s.dbn")], &["ohlcv-1s"]);
}

#[test]
fn instruments_beyond_twenty_are_shown_on_request() {
    let folder = Folder::new();
    folder.done(&["generate", "market.ticks", "--ticks", "2K", "--instruments", "25", "--skew", "0"]);
    let some = folder.done(&["info", "market.ticks", "--ticks", "0"]);
    let rows = |text: &str| text.lines().filter(|line| line.starts_with("S000")).count();
    assert!(rows(&some) == 20 && some.ends_with("and 5 more, with --all\n"), "{some}");
    assert_eq!(rows(&folder.done(&["info", "market.ticks", "--ticks", "0", "--all"])), 25);
    assert_eq!(folder.json(&["info", "market.ticks"])["instruments"].as_array().unwrap().len(), 25);
}

#[test]
fn the_mapping_of_an_unknown_csv_is_guessed_and_its_command_line_works() {
    let folder = Folder::new();
    let rows = "1723161258362;BTC-USD;61800.1;0.5;buy\n1723161258363;BTC-USD;61800.2;0.25;sell\n";
    folder.write("my prices.csv", format!("time;symbol;price;qty;side\n{rows}"));
    let shown = folder.done(&["info", "my prices.csv"]);
    assert!(shown.contains("Columns      guessed: time="), "{shown}");
    assert!(shown.contains("Ticks        2 (2 trades)\n"), "{shown}");
    assert!(shown.contains("BTC-USD  trade  sell  61800.2  0.25"), "{shown}");
    let command = shown.lines().find_map(|line| line.strip_prefix("Read it by   ")).expect("a command line");
    let json = folder.json(&["info", "my prices.csv"]);
    assert_eq!(json["command"].as_str(), Some(command));
    let mapping = json["guessed_mapping"].as_str().expect("a mapping");

    // As a user would paste it, with the program's folder on the path.
    let program = Path::new(env!("CARGO_BIN_EXE_orchard")).parent().expect("a folder");
    let script = format!("PATH={}:$PATH; {command} --json --quiet", program.display());
    let shell = std::process::Command::new("sh").args(["-c", &script]).current_dir(folder.path()).output();
    let shell = shell.expect("a shell");
    assert!(shell.status.success(), "{command}: {}", String::from_utf8_lossy(&shell.stderr));
    let replayed: serde_json::Value = serde_json::from_slice(&shell.stdout).expect("JSON");
    assert_eq!(replayed["ticks"].as_u64(), Some(2));

    folder.done(&["convert", "my prices.csv", "out.csv", "--map", mapping]);
    let row = "1723161258363000000,1723161258363000000,BTC-USD,trade,sell,61800.2,0.25,1\n";
    assert!(String::from_utf8(folder.read("out.csv")).unwrap().ends_with(row));
}

#[test]
fn a_csv_without_symbols_is_read_with_a_placeholder() {
    let folder = Folder::new();
    folder.write("p.csv", "time,price,qty\n1723161258362,61800.1,0.5\n1723161258363,61800.2,0.25\n");
    let shown = folder.done(&["info", "p.csv"]);
    assert!(shown.contains("Read it by   orchard replay p.csv --symbol SYMBOL --map "), "{shown}");
    assert!(shown.contains("Check        no column looks like a symbol"), "{shown}");
    let shown = folder.done(&["info", "p.csv", "--symbol", "BTC"]);
    assert!(
        shown.contains("orchard replay p.csv --symbol BTC --map ") && shown.contains("\nBTC "),
        "{shown}"
    );
}

#[test]
fn bad_lines_are_counted_and_the_first_are_shown() {
    let folder = Folder::new();
    let good = "5,5,A,trade,buy,1,1,1\n";
    let bad: String = (0..7).map(|i| format!("{i},x,A,trade,buy,1,1,1\n")).collect();
    folder.write("bad.csv", [HEADER, good, &bad, good].concat());
    let shown = folder.done(&["info", "bad.csv"]);
    assert!(
        shown.contains("Ticks        2 (2 trades)\n") && shown.contains("Malformed    7 lines\n"),
        "{shown}"
    );
    assert!(
        shown.contains("malformed line: bad.csv:3: ts_recv ") && shown.contains("and 2 more\n"),
        "{shown}"
    );
    let stop = ["info", "bad.csv", "--on-bad-line", "stop"];
    let ran = folder.fails(1, &stop, &["bad.csv:3: ts_recv", "0,x,A,trade,buy,1,1,1"]);
    assert!(ran.stdout.contains("Ticks        1 (1 trade)\n"), "what came before is shown: {}", ran.stdout);
}

#[test]
fn disorder_comes_with_the_window_that_would_do() {
    let folder = Folder::new();
    let row = |ms: u64| format!("1,{},A,trade,buy,1,1,1\n", ms * 1_000_000);
    let rows: String = [100, 97, 101, 60, 102].map(row).concat();
    folder.write("late.csv", format!("{HEADER}{rows}"));
    let shown = folder.done(&["info", "late.csv"]);
    let order = "2 ticks late by up to 41.0 ms, the first at line 3: read it with --reorder 42ms\n";
    assert!(shown.contains(order), "{shown}");
    let json = folder.json(&["info", "late.csv"]);
    assert_eq!((json["late_ticks"].as_u64(), json["largest_late_ns"].as_u64()), (Some(2), Some(41_000_000)));
    let window = json["suggested_reorder"].as_str().expect("a window");
    folder.done(&["convert", "late.csv", "sorted.csv", "--reorder", window]);
    assert!(folder.json(&["info", "sorted.csv"])["suggested_reorder"].is_null());
}

#[test]
fn one_unreadable_file_does_not_hide_the_others() {
    let folder = Folder::new();
    folder.write("a.csv", MARKET);
    folder.write("b.csv", MARKET);
    folder.write("letter.txt", "Dear reader,\nno table here.\n");
    let args = ["info", "a.csv", "missing.gz", "letter.txt", "b.csv"];
    let said = ["missing.gz: opening the file", "letter.txt: is of no known format", "2 of 4 files"];
    let ran = folder.fails(1, &args, &said);
    assert!(ran.stdout.contains("File         a.csv\n") && ran.stdout.contains("\n\nFile         b.csv\n"));

    let ran = folder.fails(1, &[&args[..], &["--json"]].concat(), &said);
    let objects: Vec<serde_json::Value> =
        ran.stdout.lines().map(|line| serde_json::from_str(line).expect("an object a line")).collect();
    let is_bad: Vec<bool> = objects.iter().map(|object| object["error"].is_string()).collect();
    assert_eq!(is_bad, [false, true, true, false]);
}

#[test]
fn damage_is_told_with_what_came_before_it() {
    let folder = Folder::new();
    folder.done(&["generate", "market.ticks", "--ticks", "10K"]);
    let sound = folder.read("market.ticks");
    let mut flipped = sound.clone();
    flipped[9000 * 40] ^= 1;
    folder.write("flipped.ticks", flipped);
    let ran = folder.fails(1, &["info", "flipped.ticks"], &["flipped.ticks: block 1 (ticks from 8192)"]);
    assert!(ran.stdout.contains("Ticks        8,192 ("), "{}", ran.stdout);
    folder.write("cut.ticks", &sound[..sound.len() / 2]);
    let ran = folder.fails(1, &["info", "cut.ticks"], &["cut.ticks: its end is missing"]);
    assert_eq!(ran.stdout, "");
    folder.write("empty.csv", "");
    folder.fails(1, &["info", "empty.csv"], &["empty.csv: is empty"]);
}

#[test]
fn symbols_of_a_file_do_not_steer_the_terminal() {
    let folder = Folder::new();
    folder.write("odd.csv", "time,symbol,price,qty\n1723161258362,A\u{1b}[2J,1,1\n1723161258363,B,1,1\n");
    let shown = folder.done(&["info", "odd.csv"]);
    assert!(shown.contains("A\\u{1b}[2J") && !shown.contains('\u{1b}'), "{shown:?}");
}

#[test]
fn wrong_usage_and_closed_pipes() {
    let folder = Folder::new();
    folder.fails(2, &["info"], &["at least one file"]);
    folder.fails(2, &["info", "a.csv", "--on-bad-line", "ignore"], &["write stop or skip"]);
    folder.fails(2, &["info", "a.csv", "--prefix", "x", "--prefix", "y"], &["2 --prefix for 1 file"]);
    folder.done(&["generate", "market.ticks", "--ticks", "100K", "--instruments", "5000", "--skew", "0"]);
    let line = folder.first_line_only(&["info", "market.ticks", "--all", "--ticks", "50000"]);
    assert_eq!(line, "File         market.ticks\n");
}

#[test]
fn a_guess_is_explained_column_by_column() {
    let folder = Folder::new();
    let rows = "1073391187,1717200000456,67510.1,3.5\n1073391188,1717200000123,67510,25\n";
    folder.write("XBTUSD.csv", format!("trade_id,created_time,price,size\n{rows}"));
    let shown = folder.done(&["info", "XBTUSD.csv"]);
    let columns = "
Column        sample         taken for  why
trade_id      1073391187     nothing    an id, by its name
created_time  1717200000456  time       its name and its values
price         67510.1        price      its name and its values
size          3.5            size       its name and its values
";
    assert!(shown.contains(columns), "{shown}");
    let command = "orchard replay XBTUSD.csv --symbol XBTUSD --map \
                   time=created_time:ms,price=price,size=size --reorder 334ms\n";
    assert!(shown.contains(&format!("Read it by   {command}")), "{shown}");
    assert!(
        shown.contains("Check        no column looks like a symbol: all rows are one instrument, XBTUSD")
    );
    let json = folder.json(&["info", "XBTUSD.csv"]);
    assert_eq!(json["command"].as_str(), Some(command.trim_end()));
    assert_eq!(json["columns"][1]["name"].as_str(), Some("created_time"));
    assert_eq!(json["columns"][1]["taken_for"].as_str(), Some("time"));
    assert!(json["warning"].is_null());
}

#[test]
fn a_table_without_ticks_is_refused_with_its_columns() {
    let folder = Folder::new();
    let rows = "1717200000,1,3,0.5,2\n1717200060,2,3,1,2.5\n";
    folder.write("bars.csv", format!("time,open,high,low,close\n{rows}"));
    let said = "bars.csv: holds bars, no ticks: columns open, high, low, close (line 2: 1, 3, 0.5, 2)";
    let ran = folder.fails(1, &["info", "bars.csv"], &[said, "--map"]);
    assert!(
        ran.stdout.contains("Column  sample      taken for  why\ntime    1717200000  nothing "),
        "{}",
        ran.stdout
    );
    folder.fails(1, &["replay", "bars.csv"], &[said]);
    let ran = folder.fails(1, &["info", "bars.csv", "--json"], &[said]);
    let json: serde_json::Value = serde_json::from_str(&ran.stdout).expect("an object");
    assert!(json["refused"].as_str().is_some_and(|reason| reason.starts_with("holds bars")), "{json}");
    assert_eq!(json["columns"][2]["name"].as_str(), Some("high"));
}

#[test]
fn a_file_without_ticks_is_a_warning() {
    let folder = Folder::new();
    folder.write("none.csv", HEADER);
    let shown = folder.done(&["info", "none.csv"]);
    assert!(shown.contains("Warning      the file is not empty, and no tick was found in it\n"), "{shown}");
    assert!(folder.json(&["info", "none.csv"])["warning"].is_string());
}
