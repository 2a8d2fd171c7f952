//! The example on a generated market: a group's signals do not depend on how instruments are split
//! over shards or on a kill in its midst, and without groups there is nothing to do.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// Twelve of the market's twenty instruments, so that pairs and loners share shards.
const GROUPS: &str = "\
first = S00000 S00001
second = S00003 S00002
third = S00004 S00009
fourth = S00019 S00005
fifth = S00011 S00012
sixth = S00006 S00013
";

const MARKET: &[&str] = &["replay", "--ticks", "60000", "--instruments", "20", "--seed", "5", "--quiet"];

/// Two pairs of parameters, and a strategy of instruments beside them.
const STRATEGIES: &[&str] = &[
    "--strategy",
    "near=pair:window=100,entry=1",
    "--strategy",
    "far=pair:window=500",
    "--strategy",
    "apple",
];

fn pair(folder: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_pair")).current_dir(folder).args(args).output().expect("it starts")
}

/// The signals without run, shard and sequence number, which are the shards' own.
fn signals(folder: &Path, cut: &[&str]) -> Vec<String> {
    let args = [MARKET, STRATEGIES, &["--groups", "groups.txt", "--signals", "-"], cut].concat();
    let output = pair(folder, &args);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let csv = String::from_utf8(output.stdout).expect("UTF-8");
    let without_shard = |line: &str| {
        let fields: Vec<_> = line.split(',').collect();
        [&fields[1..3], &fields[5..]].concat().join(",")
    };
    csv.lines().map(without_shard).collect()
}

#[test]
fn shards_frames_and_threads_change_nothing() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(folder.path().join("groups.txt"), GROUPS).expect("the folder takes a file");
    let whole = signals(folder.path(), &["--shards", "1"]);
    for strategy in ["near,", "far,", "apple,"] {
        let count = whole.iter().filter(|line| line.starts_with(strategy)).count();
        assert!(count > 20, "{count} signals of {strategy} could differ");
    }
    for cut in [["3", "1", "2"], ["3", "4096", "1"], ["16", "100", "4"], ["16", "1", "1"]] {
        let [shards, frame_ticks, threads] = cut;
        let args = ["--shards", shards, "--frame-ticks", frame_ticks, "--threads", threads];
        assert_eq!(signals(folder.path(), &args), whole, "shards, frame, threads {cut:?}");
    }
}

#[test]
fn every_pair_takes_opposite_positions_at_the_same_ticks() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(folder.path().join("groups.txt"), "only = S00000 S00001\n")
        .expect("the folder takes a file");
    let mut positions = [Vec::new(), Vec::new()];
    for line in signals(folder.path(), &["--shards", "16"]).iter().filter(|line| line.starts_with("near,")) {
        let fields: Vec<_> = line.split(',').collect();
        let member = usize::from(fields[1] == "S00001");
        positions[member].push((fields[2].to_owned(), fields[3].to_owned()));
    }
    let [first, second] = positions;
    assert!(first.len() > 20 && first.len() == second.len());
    for ((time, side), (other_time, other_side)) in first.iter().zip(&second) {
        let opposite = match side.as_str() {
            "buy" => "sell",
            "sell" => "buy",
            _ => "flat",
        };
        assert_eq!((time, opposite), (other_time, other_side.as_str()));
    }
}

#[test]
fn a_killed_run_goes_on_with_its_pairs() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(folder.path().join("groups.txt"), GROUPS).expect("the folder takes a file");
    let whole = signals(folder.path(), &["--shards", "3"]);
    let state = ["--shards", "3", "--state", "state"];
    let slowly = ["--groups", "groups.txt", "--signals", "-", "--rate", "30000"];
    let mut child = Command::new(env!("CARGO_BIN_EXE_pair"))
        .current_dir(folder.path())
        .args([MARKET, STRATEGIES, &slowly, &state].concat())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    // What is streamed is committed.
    let mut streamed = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    assert!(streamed.by_ref().take(100).all(|line| line.is_ok()));
    child.kill().expect("it can be killed");
    assert!(!child.wait().expect("it ends").success(), "it was in its midst");
    assert_eq!(signals(folder.path(), &state), whole);
}

#[test]
fn without_groups_it_is_wrong_usage() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let output = pair(folder.path(), &["replay", "--strategy", "apple", "--strategy", "my=pair"]);
    let message = String::from_utf8(output.stderr).expect("UTF-8");
    assert_eq!(output.status.code(), Some(2), "{message}");
    assert!(message.contains("strategy my trades groups of instruments"), "{message}");
    assert!(message.contains("--groups FILE"), "{message}");
    assert!(output.stdout.is_empty());
}
