//! State belongs to one run: with other ticks or other strategies it is refused, and the difference
//! is named.

use crate::program::Folder;
use crate::replaying::{replay_in, rows};

/// Two trades.
const TRADES: &str = "\
ts_event,ts_recv,symbol,kind,side,price,size,flags
1000,1000,A,trade,buy,10,1,1
2000,2000,B,trade,sell,11,1,1
";

const RUN: &[&str] = &["replay", "trades.csv", "--quiet", "--state", "state"];

fn folder_with_a_run() -> Folder {
    let folder = Folder::new();
    folder.write("trades.csv", TRADES);
    folder.done(RUN);
    folder
}

#[test]
fn other_options_are_refused_by_name() {
    let folder = folder_with_a_run();
    folder.write("groups.txt", "both = A B\n");
    let changes: [(&[&str], &str); 10] = [
        (&["--shards", "2"], "--shards was 1, and is now 2"),
        (&["--loop", "3"], "--loop was 1, and is now 3"),
        (&["--symbols", "B"], "--symbols was "),
        (&["--from", "1500"], "--from was none, and is now 1500"),
        (&["--to", "1500"], "--to was none, and is now 1500"),
        (&["--reorder", "1s"], "--reorder was "),
        (&["--on-bad-line", "skip"], "--on-bad-line was stop, and is now skip"),
        (&["--prefix", "x:"], "--prefix 1 was "),
        (&["--groups", "groups.txt"], "--groups was "),
        (&["--tz", "-05:00"], "--tz was absent, and is now -05:00"),
    ];
    for (change, difference) in changes {
        let said = ["the ledger holds a run in which ", difference, "use another --state"];
        folder.fails(1, &[RUN, change].concat(), &said);
    }
    folder.write("more.csv", TRADES);
    folder.fails(1, &[RUN, &["more.csv"]].concat(), &["source 2 was absent, and is now more.csv, "]);
    folder.fails(1, &["replay", "--state", "state"], &["and is now "]);
    // None of them has spoilt it.
    folder.done(RUN);
}

#[test]
fn a_changed_file_is_refused_and_a_moved_one_is_not() {
    let folder = folder_with_a_run();
    std::fs::create_dir(folder.path().join("archive")).expect("a folder");
    folder.write("archive/trades.csv", TRADES);
    folder.done(&["replay", "archive/trades.csv", "--quiet", "--state", "state"]);
    // As long as before.
    folder.write("trades.csv", TRADES.replace("B,trade", "C,trade"));
    folder.fails(1, RUN, &["source 1 was trades.csv, ", " bytes, crc64 ", "and is now trades.csv, "]);
}

#[test]
fn other_parameters_are_refused_and_a_new_name_is_not() {
    let folder = folder_with_a_run();
    let with = |strategy| [RUN, &["--strategy", strategy]].concat();
    let said = ["strategy apple was recorded with parameters fast=12,slow=26", "fast=8", "NAME=apple:"];
    folder.fails(1, &with("apple:fast=8"), &said);
    folder.fails(1, &with("apple=pear"), &["strategy apple was recorded with strategy apple", "pear"]);
    folder.done(&with("quick=apple:fast=8"));
}

#[test]
fn a_strategy_that_joins_later_sees_the_whole_run() {
    let folder = Folder::new();
    let market = ["--ticks", "30000", "--state", "state"];
    replay_in(&folder, &[&market[..], &["--strategy", "apple"]].concat());
    let joined = replay_in(&folder, &market);
    let alone = replay_in(&Folder::new(), &market);
    assert!(joined.signals_of("pear") > 0);
    joined.expect_same(&alone, "pear joined later");
}

#[test]
fn what_cannot_be_read_twice_has_no_state() {
    let folder = Folder::new();
    let said = ["standard input cannot be read twice", "convert it to a .ticks file first"];
    folder.fails(2, &["replay", "-", "--state", "state"], &said);
    assert!(folder.names().is_empty(), "nothing is recorded of it");
}

#[test]
fn a_corrected_command_is_not_held_to_the_mistake() {
    let folder = Folder::new();
    folder.write("trades.csv", TRADES);
    folder.fails(2, &[RUN, &["--loop", "0"]].concat(), &["--loop 0 plays nothing"]);
    folder.fails(1, &[RUN, &["more.csv"]].concat(), &["more.csv"]);
    folder.fails(1, &[RUN, &["--signals", "no/where.csv"]].concat(), &["no/where.csv"]);
    let signals = folder.done(&[RUN, &["--signals", "-"]].concat());
    assert!(rows(&signals).is_empty());
}

#[test]
fn state_that_is_none_is_refused() {
    let folder = Folder::new();
    folder.write("state", "a file");
    folder.fails(1, &["replay", "--ticks", "10", "--state", "state"], &["the ledger state"]);
    std::fs::create_dir(folder.path().join("other")).expect("a folder");
    folder.write(
        "other/ledger.sqlite",
        "not a database, but text of more than one page of a database".repeat(50),
    );
    folder.fails(1, &["replay", "--ticks", "10", "--state", "other"], &["the ledger other/ledger.sqlite"]);
}
