//! Which ticks are played: by symbol, time and number of passes, of files merged and put in order.

use crate::program::Folder;
use crate::replaying::{replay, replay_in};

const HEADER: &str = "ts_event,ts_recv,symbol,kind,side,price,size,flags\n";

/// Trades at these times, of these symbols.
fn trades(trades: &[(u64, &str)]) -> String {
    let row = |(ts, symbol): &(u64, &str)| format!("{ts},{ts},{symbol},trade,buy,10,1,1\n");
    HEADER.to_owned() + &trades.iter().map(row).collect::<String>()
}

/// Ticks, instruments, first and last `ts_recv` of a replay.
fn played(folder: &Folder, args: &[&str]) -> (u64, u64, u64, u64) {
    let json = folder.json(&[&["replay", "--quiet"], args].concat());
    let number = |figure: &str| json[figure].as_u64().unwrap_or_else(|| panic!("{figure} of {json}"));
    (number("ticks"), number("instruments"), number("first_ts_recv"), number("last_ts_recv"))
}

#[test]
fn symbols_and_times_choose_ticks() {
    let folder = Folder::new();
    folder.write("t.csv", trades(&[(1000, "A"), (2000, "B"), (3000, "A"), (4000, "C")]));
    assert_eq!(played(&folder, &["t.csv"]), (4, 3, 1000, 4000));
    assert_eq!(played(&folder, &["t.csv", "--symbols", "A,C"]), (3, 2, 1000, 4000));
    assert_eq!(played(&folder, &["t.csv", "--from", "2000", "--to", "4000"]), (2, 2, 2000, 3000));
    assert_eq!(
        played(&folder, &["t.csv", "--symbols", "A", "--from", "1970-01-01T00:00:00.000002Z"]),
        (1, 1, 3000, 3000)
    );
    assert_eq!(played(&folder, &["t.csv", "--prefix", "x:", "--symbols", "x:A"]), (2, 1, 1000, 3000));
}

#[test]
fn a_symbol_without_ticks_is_named() {
    let folder = Folder::new();
    folder.write("t.csv", trades(&[(1000, "A")]));
    let ran = folder.run(&["replay", "t.csv", "--symbols", "A,BTC", "--json"]);
    assert_eq!(ran.code, Some(0));
    assert!(ran.stderr.contains("No tick of --symbols BTC; `orchard info FILE`"), "{}", ran.stderr);
}

#[test]
fn one_instrument_of_many_does_what_it_does_beside_them() {
    let market = ["--ticks", "60000", "--instruments", "6"];
    let all = replay(&market);
    let one = replay(&[&market[..], &["--symbols", "S00001", "--shards", "3"]].concat());
    let beside: Vec<_> = all.rows.iter().filter(|row| row.instrument == "S00001").cloned().collect();
    assert!(!beside.is_empty() && beside.len() < all.rows.len());
    assert_eq!(one.rows, beside);
}

#[test]
fn passes_follow_each_other_in_time() {
    let folder = Folder::new();
    folder.write("t.csv", trades(&[(1000, "A"), (2000, "B"), (5000, "A")]));
    let (ticks, instruments, first, last) = played(&folder, &["t.csv", "--loop", "4"]);
    assert_eq!((ticks, instruments, first), (12, 2, 1000));
    // Three passes of 4,000 ns before the last one, and 1 ms between each.
    assert_eq!(last, 5000 + 3 * (4000 + 1_000_000));
    let once = replay(&["--ticks", "30000"]);
    let twice = replay(&["--ticks", "30000", "--loop", "2"]);
    assert_eq!(twice.json["ticks"].as_u64(), once.json["ticks"].as_u64().map(|ticks| 2 * ticks));
    assert_eq!(twice.rows[..once.rows.len()], once.rows[..], "the first pass is the run without --loop");
    assert!(
        twice.rows.windows(2).all(|pair| pair[0].ts_event <= pair[1].ts_event + 1_000_000),
        "times go on"
    );
}

#[test]
fn files_merge_in_the_order_of_receipt() {
    let folder = Folder::new();
    folder.write("odd.csv", trades(&[(1000, "A"), (3000, "A"), (5000, "A")]));
    folder.write("even.csv", trades(&[(2000, "A"), (3000, "B"), (4000, "B")]));
    assert_eq!(played(&folder, &["odd.csv", "even.csv"]), (6, 2, 1000, 5000));
    folder.done(&["convert", "odd.csv", "even.csv", "merged.csv"]);
    let merged = trades(&[(1000, "A"), (2000, "A"), (3000, "A"), (3000, "B"), (4000, "B"), (5000, "A")]);
    assert_eq!(String::from_utf8(folder.read("merged.csv")).expect("UTF-8"), merged);
}

#[test]
fn one_symbol_of_two_markets_needs_prefixes() {
    let folder = Folder::new();
    let spot = r#"{"u":400900217,"s":"BTCUSDT","b":"25.35","B":"31.21","a":"25.36","A":"40.66"}"#;
    let futures = r#"{"e":"bookTicker","u":1,"s":"BTCUSDT","b":"25.35","B":"31.21","a":"25.36","A":"40.66","T":1723161256313,"E":1723161256313}"#;
    folder.write("spot.txt", format!("1723161255088169167 {spot}\n"));
    folder.write("usdm.txt", format!("1723161255088169168 {futures}\n"));
    let said = ["BTCUSDT is of market", "in spot.txt and of market", "in usdm.txt", "--prefix"];
    let ran = folder.fails(1, &["replay", "spot.txt", "usdm.txt"], &said);
    assert!(ran.stdout.is_empty());
    let args = ["spot.txt", "usdm.txt", "--prefix", "spot:", "--prefix", "usdm:"];
    let (ticks, instruments, ..) = played(&folder, &args);
    assert_eq!((ticks, instruments), (4, 2));
}

#[test]
fn late_ticks_stop_the_run_or_are_put_in_their_place() {
    let folder = Folder::new();
    let ms = 1_000_000;
    folder.write("late.csv", trades(&[(5 * ms, "A"), (9 * ms, "A"), (7 * ms, "B"), (10 * ms, "A")]));
    let said = ["late.csv:4: ts_recv 7000000 is 2000000 ns earlier", "--reorder "];
    let ran = folder.fails(1, &["replay", "late.csv"], &said);
    // The window that it names holds them.
    let window = ran.stderr.split("--reorder ").last().expect("a window").trim();
    assert_eq!(played(&folder, &["late.csv", "--reorder", window]), (4, 2, 5 * ms, 10 * ms));
    folder.fails(1, &["replay", "late.csv", "--reorder", "1ms"], &["late.csv:4: "]);

    folder.write("sorted.csv", trades(&[(5 * ms, "A"), (7 * ms, "B"), (9 * ms, "A"), (10 * ms, "A")]));
    let late = replay_in(&folder, &["late.csv", "--reorder", "2ms"]);
    late.expect_same(&replay_in(&folder, &["sorted.csv"]), "put in order");
}
