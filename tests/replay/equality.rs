//! Nothing but ticks and parameters decides what comes out: not shards, frames, threads, the
//! output's form, or the file that the ticks were in.

use serde_json::Value;

use crate::program::Folder;
use crate::replaying::{CAPTURE, Replayed, Row, replay, replay_in, rows};

/// Fifty instruments, of which the first is the busiest.
const MARKET: &[&str] = &["--ticks", "150000", "--instruments", "50", "--seed", "7"];

/// Both strategies, and each under another name with other parameters.
const STRATEGIES: &[&str] = &[
    "--strategy",
    "apple,pear",
    "--strategy",
    "quick=apple:fast=3,slow=7",
    "--strategy",
    "near=pear:window=50,entry=1",
];

/// Shards, ticks a frame, threads.
const CUTS: [[&str; 3]; 9] = [
    ["1", "1", "4"],
    ["1", "100", "1"],
    ["1", "4096", "4"],
    ["3", "1", "1"],
    ["3", "100", "4"],
    ["3", "4096", "2"],
    ["16", "1", "2"],
    ["16", "100", "4"],
    ["16", "4096", "1"],
];

fn replay_cut(args: &[&str], [shards, frame_ticks, threads]: [&str; 3]) -> Replayed {
    let cut = ["--shards", shards, "--frame-ticks", frame_ticks, "--threads", threads];
    replay(&[args, &cut].concat())
}

#[test]
fn shards_frames_and_threads_change_nothing_of_many_instruments() {
    let args = [MARKET, STRATEGIES].concat();
    let whole = replay_cut(&args, ["1", "4096", "1"]);
    for strategy in ["apple", "pear", "quick", "near"] {
        assert!(whole.signals_of(strategy) > 50, "{strategy} makes signals that could differ");
    }
    for cut in CUTS {
        replay_cut(&args, cut).expect_same(&whole, &format!("shards, frame, threads {cut:?}"));
    }
}

#[test]
fn shards_frames_and_threads_change_nothing_of_a_capture() {
    let whole = replay_cut(&[CAPTURE], ["1", "4096", "1"]);
    for cut in [["1", "1", "2"], ["3", "100", "1"], ["16", "4096", "4"]] {
        replay_cut(&[CAPTURE], cut).expect_same(&whole, &format!("shards, frame, threads {cut:?}"));
    }
}

#[test]
fn a_strategy_does_the_same_alone_as_beside_others() {
    let all = replay(&[MARKET, STRATEGIES].concat());
    for (name, spec) in [("pear", "pear"), ("quick", "quick=apple:fast=3,slow=7")] {
        let alone = replay(&[MARKET, &["--strategy", spec]].concat());
        let beside: Vec<_> = all.rows.iter().filter(|row| row.strategy == name).cloned().collect();
        assert_eq!(alone.rows, beside, "{name}");
    }
}

#[test]
fn the_pace_changes_nothing() {
    let args = ["--ticks", "20000", "--seed", "3"];
    let at_once = replay(&args);
    assert!(!at_once.rows.is_empty());
    replay(&[&args[..], &["--speed", "200x"]].concat()).expect_same(&at_once, "200 times as fast");
    replay(&[&args[..], &["--rate", "100000", "--shards", "3"]].concat()).expect_same(&at_once, "a rate");
    let shortened = ["--speed", "200x", "--max-gap", "1ms"];
    replay(&[&args[..], &shortened].concat()).expect_same(&at_once, "shortened pauses");
}

#[test]
fn signals_are_ordered_by_their_ticks_and_then_by_name() {
    let in_order = replay(&[MARKET, STRATEGIES, &["--shards", "16"]].concat());
    let named = replay(&[MARKET, STRATEGIES, &["--shards", "3"]].concat()).rows;
    // Those of one tick share time and instrument.
    let of_one_tick =
        |pair: &&[Row]| (pair[0].ts_event, &pair[0].instrument) == (pair[1].ts_event, &pair[1].instrument);
    let pairs: Vec<_> = in_order.rows.windows(2).filter(of_one_tick).collect();
    assert!(!pairs.is_empty(), "some tick makes two strategies act");
    assert!(pairs.iter().all(|pair| pair[0].strategy < pair[1].strategy));
    assert_eq!(named, in_order.rows);
}

#[test]
fn json_lines_say_the_same_as_csv() {
    let folder = Folder::new();
    folder.done(&[&["replay", "--signals", "out.jsonl"], MARKET].concat());
    let text = String::from_utf8(folder.read("out.jsonl")).expect("UTF-8");
    let text_of = |value: &Value, field: &str| value[field].as_str().expect("a text").to_owned();
    let from_json = text.lines().map(|line| {
        let value: Value = serde_json::from_str(line).expect("one object a line");
        assert_eq!(value.as_object().map(serde_json::Map::len), Some(8), "as many fields as columns");
        Row {
            strategy: text_of(&value, "strategy"),
            instrument: text_of(&value, "instrument"),
            ts_event: value["ts_event"].as_u64().expect("a number"),
            side: text_of(&value, "side"),
            price: text_of(&value, "price"),
        }
    });
    assert_eq!(from_json.collect::<Vec<_>>(), replay(MARKET).rows);
}

#[test]
fn streamed_signals_are_those_of_the_file() {
    let args = [MARKET, STRATEGIES].concat();
    let file = replay(&args).rows;
    for shards in ["1", "3", "16"] {
        let streaming = ["replay", "--quiet", "--signals", "-", "--shards", shards, "--frame-ticks", "100"];
        let streamed = Folder::new().done(&[&streaming, &args[..]].concat());
        assert_eq!(rows(&streamed), file, "{shards} shards");
    }
}

#[test]
fn ticks_files_and_csv_hold_the_same_ticks() {
    let folder = Folder::new();
    folder.done(&["convert", CAPTURE, "capture.ticks"]);
    folder.done(&["convert", "capture.ticks", "capture.csv"]);
    folder.done(&["convert", "capture.csv", "again.ticks"]);
    let capture = replay(&[CAPTURE]);
    // One shard is handed out of the map as it is; more are copied.
    for args in
        [&["capture.ticks"][..], &["capture.ticks", "--shards", "3"], &["capture.csv"], &["again.ticks"]]
    {
        replay_in(&folder, args).expect_same(&capture, &format!("{args:?}"));
    }

    folder.done(&[&["generate", "market.ticks"], MARKET].concat());
    let generated = replay(MARKET);
    for args in [&["market.ticks"][..], &["market.ticks", "--shards", "16", "--frame-ticks", "100"]] {
        replay_in(&folder, args).expect_same(&generated, &format!("{args:?}"));
    }
}

#[test]
fn two_files_of_one_market_are_that_market() {
    let folder = Folder::new();
    folder.done(&[&["generate", "market.ticks"], MARKET].concat());
    let json = folder.json(&[&["replay"], MARKET].concat());
    let of = |field: &str| json[field].as_u64().expect("a time");
    let middle = ((of("first_ts_recv") + of("last_ts_recv")) / 2).to_string();
    folder.done(&["convert", "market.ticks", "early.csv", "--to", &middle]);
    folder.done(&["convert", "market.ticks", "late.ticks", "--from", &middle]);
    let whole = replay(MARKET);
    for args in [["early.csv", "late.ticks", "--shards", "1"], ["late.ticks", "early.csv", "--shards", "3"]] {
        replay_in(&folder, &args).expect_same(&whole, &format!("{args:?}"));
    }
}
