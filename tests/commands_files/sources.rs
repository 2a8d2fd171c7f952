//! What may stand for a source, and what is said once for all of them or once a file.

use serde_json::Value;

use crate::program::Folder;

const HEADER: &str = "ts_event,ts_recv,symbol,kind,side,price,size,flags\n";

/// A trade at `ts` of Orchard's own CSV.
fn trade(ts: u64, symbol: &str) -> String {
    format!("{HEADER}{ts},{ts},{symbol},trade,buy,1,1,1\n")
}

fn given(folder: &Folder, name: &str) {
    let path = format!("{}/tick-ingest/tests/data/readers/{name}", env!("CARGO_MANIFEST_DIR"));
    let to = folder.path().join(name);
    std::fs::create_dir_all(to.parent().expect("a folder")).expect("a folder");
    std::fs::copy(path, to).expect("the input is there");
}

/// What a conversion writes, and its notes.
fn converted(folder: &Folder, args: &[&str]) -> (String, Vec<String>) {
    let json = folder.json(&[&["convert"], args, &["out.csv", "--force", "--quiet"]].concat());
    let notes = json["notes"].as_array().expect("notes");
    let notes = notes.iter().map(|note| note.as_str().expect("text").to_owned()).collect();
    (String::from_utf8(folder.read("out.csv")).expect("UTF-8"), notes)
}

/// Symbol and price of every row of Orchard's own CSV.
fn prices(csv: &str) -> Vec<(String, String)> {
    let row = |line: &str| {
        let fields: Vec<_> = line.split(',').collect();
        (fields[2].to_owned(), fields[5].to_owned())
    };
    csv.lines().skip(1).map(row).collect()
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(symbol, price)| ((*symbol).to_owned(), (*price).to_owned())).collect()
}

const MAP: &str = "time=#1:s,price=#2,size=#3";

#[test]
fn a_file_a_pair_has_its_own_symbol() {
    let folder = Folder::new();
    given(&folder, "61/XBTUSD.csv");
    given(&folder, "61/ETHUSD.csv");
    let both =
        pairs(&[("XBTUSD", "16537.5"), ("ETHUSD", "1195.1"), ("ETHUSD", "1195.3"), ("XBTUSD", "16536.1")]);
    let (csv, notes) = converted(&folder, &["61/XBTUSD.csv", "61/ETHUSD.csv", "--map", MAP]);
    assert_eq!(prices(&csv), both, "by their names");
    let by_name = |symbol: &str| format!("the symbol {symbol} is from the file's name, see --symbol");
    assert_eq!(notes, ["XBTUSD", "ETHUSD"].map(by_name));
    let (csv, _) = converted(&folder, &["61", "--map", MAP]);
    assert_eq!(prices(&csv), both, "a folder");

    let symbols = ["--symbol", "X", "--symbol", "E"];
    let files = ["61/XBTUSD.csv", "61/ETHUSD.csv", "--map", MAP];
    let (csv, notes) = converted(&folder, &[&files[..], &symbols].concat());
    let symbol = |pair: &(String, String)| pair.0[..1].to_owned();
    assert_eq!(prices(&csv).iter().map(symbol).collect::<Vec<_>>(), ["X", "E", "E", "X"]);
    assert!(!notes.iter().any(|note| note.contains("one instrument")), "{notes:?}");

    let (csv, notes) = converted(&folder, &[&files[..], &["--symbol", "Z"]].concat());
    assert!(prices(&csv).iter().all(|(symbol, _)| symbol == "Z"));
    assert_eq!(notes.iter().filter(|note| note.contains("2 files have the symbol of --symbol")).count(), 1);
    // A prefix of its own makes each another instrument again.
    let prefixes = ["--symbol", "Z", "--prefix", "a:", "--prefix", "b:"];
    let (csv, notes) = converted(&folder, &[&files[..], &prefixes].concat());
    assert_eq!((prices(&csv)[0].0.as_str(), prices(&csv)[1].0.as_str()), ("a:Z", "b:Z"));
    assert!(!notes.iter().any(|note| note.contains("one instrument")), "{notes:?}");
}

#[test]
fn a_mapping_for_all_leaves_known_files_alone_and_one_of_its_own_is_used() {
    let folder = Folder::new();
    folder.write("known.csv", trade(1, "K"));
    folder.write("AB.csv", "t,p\n2,5\n");
    let map = "time=t:ns,price=p";
    let (csv, _) = converted(&folder, &["known.csv", "AB.csv", "--map", map]);
    assert_eq!(prices(&csv), pairs(&[("K", "1"), ("AB", "5")]));
    let (csv, _) = converted(&folder, &["known.csv", "AB.csv", "--map", "none", "--map", map]);
    assert_eq!(prices(&csv), pairs(&[("K", "1"), ("AB", "5")]));
    // Its size, asked for as a price.
    let own = "time=ts_recv:ns,symbol=kind,price=size";
    let (csv, _) = converted(&folder, &["known.csv", "AB.csv", "--map", own, "--map", map]);
    assert_eq!(prices(&csv), pairs(&[("trade", "1"), ("AB", "5")]));
    let (csv, _) = converted(&folder, &["known.csv", "--map", own]);
    assert_eq!(prices(&csv), pairs(&[("trade", "1")]));
}

#[test]
fn each_file_has_its_own_zone() {
    let folder = Folder::new();
    for name in ["NY.csv", "T.csv"] {
        folder.write(name, "time,symbol,price\n2024-06-03 09:30:00,A,5\n");
    }
    let map = "time=time:%Y-%m-%d %H:%M:%S,symbol=symbol,price=price";
    let zones = ["--tz", "America/New_York", "--tz", "+09:00"];
    let (csv, notes) = converted(&folder, &[&["NY.csv", "T.csv", "--map", map], &zones[..]].concat());
    let times: Vec<_> = csv.lines().skip(1).map(|line| line.split(',').next().expect("a time")).collect();
    // 00:30 and 13:30 UTC.
    assert_eq!(times, ["1717374600000000000", "1717421400000000000"]);
    assert!(notes.is_empty(), "{notes:?}");
    let (_, notes) =
        converted(&folder, &["NY.csv", "T.csv", "--map", map, "--prefix", "a:", "--prefix", "b:"]);
    assert_eq!(notes, ["times name no zone: taken as UTC, see --tz"]);
}

#[test]
fn an_option_is_given_once_or_once_a_file() {
    let folder = Folder::new();
    std::fs::create_dir(folder.path().join("days")).expect("a folder");
    for name in ["days/1.csv", "days/2.csv", "x.csv"] {
        folder.write(name, trade(name.len() as u64, "A"));
    }
    let symbols = |args: &[&str]| -> Vec<String> {
        let (csv, _) = converted(&folder, args);
        prices(&csv).into_iter().map(|(symbol, _)| symbol).collect()
    };
    assert_eq!(symbols(&["days", "x.csv", "--prefix", "p:"]), ["p:A", "p:A", "p:A"]);
    assert_eq!(symbols(&["days", "x.csv", "--prefix", "p:", "--prefix", "q:"]), ["q:A", "p:A", "p:A"]);
    let each = ["--prefix", "p:", "--prefix", "q:", "--prefix", "r:"];
    assert_eq!(symbols(&[&["days", "x.csv"], &each[..]].concat()), ["r:A", "p:A", "q:A"]);
    let said = ["3 --prefix for 1 file, which stand for 2: give it once for all, or once a file"];
    folder.fails(2, &[&["replay", "days"], &each[..]].concat(), &said);
    folder.fails(2, &["replay", "days", "days/2.csv"], &["days/2.csv and days/2.csv are the same file"]);
    folder.fails(1, &["replay", "*.zst"], &["*.zst: no file has such a name"]);
}

#[test]
fn a_folder_a_pattern_and_an_archive_are_read_by_every_command() {
    let folder = Folder::new();
    for name in [
        "24-dir/BTCUSDT-trades-2024-12.csv",
        "24-dir/BTCUSDT-trades-2025-01.csv",
        "03-BTCUSDT-aggTrades-2024-07-04.zip",
    ] {
        given(&folder, name);
    }
    for source in ["24-dir", "24-dir/*.csv"] {
        let json = folder.json(&["replay", source, "--quiet"]);
        assert_eq!((&json["ticks"], &json["instruments"]), (&4.into(), &1.into()), "{json}");
        assert_eq!(json["sources"].as_array().map(Vec::len), Some(2));
        assert_eq!(folder.done(&["info", source, "--json"]).lines().count(), 2);
    }
    let archive = "03-BTCUSDT-aggTrades-2024-07-04.zip";
    let info: Value =
        serde_json::from_str(&folder.done(&["info", archive, "--json"])).expect("one object on one line");
    assert_eq!(info["file"], format!("{archive}/BTCUSDT-aggTrades-2024-07-04.csv"));
    assert_eq!((&info["compression"], &info["ticks"]), (&"zip".into(), &20.into()));
    assert_eq!(info["instruments"][0]["symbol"], "BTCUSDT");
    let state = ["replay", archive, "--state", "kept", "--quiet"];
    let first = folder.json(&state);
    assert_eq!((&first["ticks"], &first["resumed"]), (&20.into(), &false.into()));
    assert_eq!(folder.json(&state)["resumed"], true, "an archive is known again");
    let bytes = folder.read(archive);
    let ran = folder.fails(
        2,
        &["convert", archive, archive, "--format", "csv", "--force"],
        &["is one of the sources"],
    );
    assert!(ran.stdout.is_empty() && folder.read(archive) == bytes);
}

#[test]
fn many_sources_are_summarised() {
    let folder = Folder::new();
    for day in 100..700 {
        folder.write(&format!("{day}.csv"), trade(day, "A"));
    }
    let text = folder.done(&["replay", "*.csv", "--report", "page.html", "--quiet"]);
    let line = "Sources      100.csv, 101.csv, 102.csv, … 596 more …, 699.csv\n";
    assert!(text.contains(line), "{text}");
    let page = String::from_utf8(folder.read("page.html")).expect("UTF-8");
    assert!(page.contains("… 596 more …") && !page.contains("333.csv"));
}

#[test]
fn no_tick_of_a_capture_that_is_not_empty_fails_with_what_was_skipped() {
    let folder = Folder::new();
    let depth = "1723161255088176368 {\"e\":\"depthUpdate\",\"E\":1723161256322,\"s\":\"BTCUSDT\"}\n";
    folder.write("depth.txt", depth.repeat(3));
    let said = ["no tick is in the sources: of 3 lines or records 3 depthUpdate were skipped"];
    folder.fails(1, &["replay", "depth.txt", "--quiet"], &said);
    let ran = folder.run(&["convert", "depth.txt", "out.csv"]);
    assert_eq!(ran.code, Some(0), "an empty output was asked for");
    assert!(
        ran.stderr.contains("No tick was written: no tick is in the sources: of 3 lines"),
        "{}",
        ran.stderr
    );
    // A day without a trade is a day.
    folder.write("header.csv", HEADER);
    let ran = folder.run(&["replay", "header.csv", "--quiet"]);
    assert_eq!(ran.code, Some(0));
    assert!(ran.stderr.contains("No tick was played: the sources have none."), "{}", ran.stderr);
}

#[test]
fn late_ticks_may_be_days_late() {
    let folder = Folder::new();
    const DAY: u64 = 86_400_000_000_000;
    folder.write("t.csv", trade(2 * DAY, "A") + &trade(DAY / 2, "A").replace(HEADER, ""));
    folder.fails(1, &["replay", "t.csv"], &["t.csv:3: ", "--reorder 129600001ms"]);
    assert_eq!(folder.json(&["replay", "t.csv", "--reorder", "2d"])["ticks"], 2);
    folder.fails(1, &["replay", "t.csv", "--reorder", "1d"], &["--reorder 129600001ms"]);
}

#[test]
fn text_of_other_encodings_is_read_or_named_with_the_line_that_converts() {
    let folder = Folder::new();
    let text = "time,symbol,price\r\n1,A,10\r\n2,A,11\r\n";
    let utf16: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
    folder.write("utf16.csv", utf16);
    folder.write("returns.csv", text.replace("\r\n", "\r"));
    let map = "time=time:ns,symbol=symbol,price=price";
    for (name, rows) in [("utf16.csv", 2), ("returns.csv", 2)] {
        let (csv, _) = converted(&folder, &[name, "--map", map]);
        assert_eq!(prices(&csv), pairs(&[("A", "10"), ("A", "11")])[..rows], "{name}");
    }
    folder.write("gbk.csv", b"\xca\xb1\xbc\xe4,\xbc\xdb\xb8\xf1\n1,10\n");
    let said =
        ["gbk.csv: its text is not UTF-8 but probably GBK", "iconv -f GBK -t UTF-8 'gbk.csv' > OUT.csv"];
    folder.fails(1, &["replay", "gbk.csv"], &said);
    folder.fails(1, &["info", "gbk.csv"], &said);
    // A mapping by numbers needs no names.
    let (csv, _) =
        converted(&folder, &["gbk.csv", "--symbol", "A", "--map", "time=#1:ns,price=#2,header=yes"]);
    assert_eq!(prices(&csv), pairs(&[("A", "10")]));
}
