//! `orchard verify`: a ledger's signals against a file of those expected.

use rusqlite::Connection;

use crate::program::Folder;

const MARKET: &[&str] = &["--ticks", "100000", "--instruments", "20", "--seed", "5"];

const VERIFY: &[&str] = &["verify", "expected.csv", "--feed", "market", "--state", "state"];

/// A ledger with a run of four shards as hosts of a feed would leave it, and the expected signals.
fn folder_with_a_run() -> Folder {
    let folder = Folder::new();
    folder.done(&[&["replay", "--signals", "expected.csv"], MARKET].concat());
    folder.done(&[&["replay", "--state", "state", "--shards", "4"], MARKET].concat());
    change(&folder, "UPDATE run SET feed = 'market'");
    folder
}

fn change(folder: &Folder, sql: &str) {
    let ledger = Connection::open(folder.path().join("state/ledger.sqlite")).expect("the ledger");
    assert!(ledger.execute(sql, []).expect("it is changed") > 0, "{sql} changes something");
}

#[test]
fn the_same_signals_are_found_whatever_the_shards_were() {
    let folder = folder_with_a_run();
    let said = folder.done(VERIFY);
    assert!(said.contains("of feed market: 8 of 8 lanes at its end\n"), "{said}");
    assert!(said.contains("\nlost 0, duplicated 0, unexpected 0; "), "{said}");
    let json = folder.json(VERIFY);
    assert_eq!(json["lost"]["count"], 0);
    assert_eq!(json["expected"], json["found"]);
    assert!(json["found"].as_u64() > Some(500), "{json}");

    // So is one strategy alone.
    let apple = folder.json(&[VERIFY, &["--strategies", "apple"]].concat());
    assert!(apple["found"].as_u64() < json["found"].as_u64());
    assert_eq!(apple["lanes"], 4);
    let run = json["run"].as_str().expect("an id");
    folder.done(&[VERIFY, &["--run", run]].concat());
}

#[test]
fn what_is_lost_unexpected_or_not_at_the_end_is_named() {
    let folder = folder_with_a_run();
    let expected = String::from_utf8(folder.read("expected.csv")).expect("UTF-8");
    let rows: Vec<&str> = expected.lines().collect();

    folder.write("expected.csv", [&rows[..7], &rows[8..]].concat().join("\n"));
    let ran = folder.fails(1, VERIFY, &["is not as expected: lost 0, duplicated 0, unexpected 1"]);
    let fields: Vec<&str> = rows[7].split(',').collect();
    let row = format!("unexpected: {} {} {} {} {}", fields[1], fields[2], fields[5], fields[6], fields[7]);
    assert!(ran.stdout.contains(&row), "{row}: {}", ran.stdout);

    folder.write("expected.csv", [&rows[..], &[rows[9], rows[9]]].concat().join("\n"));
    let ran = folder.fails(1, VERIFY, &["is not as expected: lost 2, duplicated 0, unexpected 0"]);
    assert!(ran.stdout.contains("  lost: "), "{}", ran.stdout);

    folder.write("expected.csv", &expected);
    change(&folder, "UPDATE lane SET ended = 0 WHERE shard = 2 AND strategy = 'pear'");
    let ran = folder.fails(1, VERIFY, &["is not as expected: 7 of 8 lanes are at its end"]);
    assert!(ran.stdout.contains("not at the end: pear shard 2 at "), "{}", ran.stdout);
}

#[test]
fn a_batch_that_was_committed_twice_is_no_unexpected_one() {
    let folder = folder_with_a_run();
    let signals = "(SELECT min(from_seq) FROM batch AS first WHERE first.shard = batch.shard
        AND first.strategy = batch.strategy)";
    change(
        &folder,
        &format!(
            "INSERT INTO batch SELECT run, strategy, shard, from_seq + 1, to_seq, signals FROM batch
            WHERE shard = 1 AND strategy = 'apple' AND from_seq = {signals}"
        ),
    );
    let json: serde_json::Value =
        serde_json::from_str(&folder.fails(1, &[VERIFY, &["--json"]].concat(), &["unexpected 0"]).stdout)
            .expect("JSON");
    let count = |what: &str| json[what]["count"].as_u64().expect("a count");
    assert!(count("duplicated") > 0, "{json}");
    assert_eq!((count("lost"), count("unexpected")), (0, 0));
    assert_eq!(json["duplicated"]["first"][0]["strategy"], "apple");
}

#[test]
fn mistakes_are_named() {
    let folder = folder_with_a_run();
    let with = |change: &[&'static str]| [VERIFY, change].concat();
    folder.fails(1, &["verify", "expected.csv", "--feed", "x", "--state", "state"], &["no run of feed x"]);
    let other = "0123456789abcdef0123456789abcdef";
    folder.fails(2, &with(&["--run", other]), &["feed market has no run 0123", "its runs are "]);
    folder.fails(1, &with(&["--strategies", "plum"]), &["no strategy has begun run "]);
    folder.fails(1, &["verify", "-", "--feed", "x", "--state", "gone"], &["there is no ledger gone"]);
    assert!(!folder.path().join("gone").exists());
    folder.write("expected.csv", "time,price\n");
    folder.fails(1, VERIFY, &["expected.csv, line 1: the columns are not run,strategy,"]);
    folder.fails(1, &["verify", "gone.csv", "--feed", "market", "--state", "state"], &["gone.csv"]);
}
