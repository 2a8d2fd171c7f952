//! However a run with `--state` ends, the same command brings it to the end that it would have had,
//! with no signal lost and none twice.

use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, Output};
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags};

use crate::program::Folder;
use crate::replaying::{Replayed, read_signals, replay, replay_in};

const MARKET: &[&str] = &["--ticks", "600000", "--instruments", "20", "--seed", "11"];

/// Both strategies, so that one may be further than the other when the process dies.
const STATE: &[&str] = &["--state", "state"];

/// So slow that a run takes seconds, whatever else the machine does.
const SLOWLY: &[&str] = &["--rate", "150000"];

/// The signals and accounts of the run that nobody disturbed.
fn undisturbed() -> Replayed {
    let whole = replay(MARKET);
    assert!(whole.rows.len() > 1000, "there are signals to lose");
    whole
}

/// A slow run on the folder's state.
fn start(folder: &Folder, args: &[&str]) -> Child {
    let args =
        [&["replay", "--quiet", "--json", "--signals", "slow.csv"], MARKET, STATE, SLOWLY, args].concat();
    folder.command(&args).spawn().expect("the program starts")
}

/// Waits until every lane has committed the effects of so many ticks.
fn wait_for_cursor(folder: &Folder, child: &mut Child, lanes: i64, ticks: i64) {
    let ledger = folder.path().join("state/ledger.sqlite");
    let started = Instant::now();
    while committed(&ledger, lanes).is_none_or(|least| least < ticks) {
        assert_eq!(
            child.try_wait().expect("its state"),
            None,
            "it ended before it had committed {ticks} ticks"
        );
        assert!(started.elapsed() < Duration::from_secs(120), "it does not commit {ticks} ticks");
        std::thread::park_timeout(Duration::from_millis(2));
    }
}

/// The least cursor of all lanes; `None` before each has claimed its own.
fn committed(ledger: &Path, lanes: i64) -> Option<i64> {
    let ledger = Connection::open_with_flags(ledger, OpenFlags::SQLITE_OPEN_READ_ONLY).ok()?;
    let sql = "SELECT min(cursor), count(*) FROM lane";
    let (least, claimed): (i64, i64) =
        ledger.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?))).ok()?;
    (claimed == lanes).then_some(least)
}

/// Kills it as `kill -9` does.
fn kill(mut child: Child) {
    child.kill().expect("it can be killed");
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.signal(), Some(9), "it was in its midst");
    assert!(output.stdout.is_empty(), "a killed run has no results");
}

/// Presses Ctrl-C, so to say.
fn interrupt(child: Child) -> Output {
    let kill = format!("kill -INT {}", child.id());
    assert!(Command::new("sh").args(["-c", &kill]).status().expect("a shell").success());
    child.wait_with_output().expect("it ends")
}

/// Repeats the run to its end.
fn resume(folder: &Folder, args: &[&str]) -> Replayed {
    let resumed = replay_in(folder, &[MARKET, STATE, args].concat());
    assert_eq!(resumed.json["resumed"], true);
    assert_eq!(resumed.json["interrupted"], false);
    expect_each_signal_once(folder);
    resumed
}

/// No batch of signals reaches into the next one of its lane, and none beyond its cursor.
fn expect_each_signal_once(folder: &Folder) {
    let ledger = Connection::open(folder.path().join("state/ledger.sqlite")).expect("the ledger");
    let count = |sql| ledger.query_row(sql, [], |row| row.get::<_, i64>(0)).expect("a count");
    let overlapping = "SELECT count(*) FROM batch a JOIN batch b USING (run, strategy, shard)
        WHERE a.from_seq < b.from_seq AND a.to_seq > b.from_seq";
    assert_eq!(count(overlapping), 0);
    let beyond = "SELECT count(*) FROM batch JOIN lane USING (run, strategy, shard) WHERE to_seq > cursor";
    assert_eq!(count(beyond), 0);
    assert!(count("SELECT count(*) FROM batch") > 1, "several commits hold signals");
}

#[test]
fn a_killed_run_is_resumed_again_and_again() {
    let folder = Folder::new();
    for ticks in [1, 30_000, 60_000, 120_000] {
        let mut child = start(&folder, &[]);
        wait_for_cursor(&folder, &mut child, 2, ticks);
        kill(child);
    }
    assert!(!folder.names().contains(&"slow.csv".to_owned()), "no signals that could be taken for whole");
    let resumed = resume(&folder, &[]);
    assert!(resumed.json["duplicates"].as_u64() > Some(0), "what was stored is not done again");
    resumed.expect_same(&undisturbed(), "killed four times");
}

#[test]
fn a_killed_run_of_three_shards_is_resumed_with_other_frames_and_threads() {
    let folder = Folder::new();
    for (ticks, cut) in
        [(1, ["--frame-ticks", "10"]), (15_000, ["--threads", "1"]), (25_000, ["--threads", "4"])]
    {
        let mut child = start(&folder, &[&cut[..], &["--shards", "3"]].concat());
        wait_for_cursor(&folder, &mut child, 6, ticks);
        kill(child);
    }
    resume(&folder, &["--shards", "3"]).expect_same(&undisturbed(), "three shards");
}

/// Where states are dear they are stored less often than signals, so that a resumed run goes again
/// through ticks whose signals it has: it must not make those twice.
#[test]
fn signals_committed_after_the_stored_state_are_not_made_again() {
    let market = ["--ticks", "600000", "--instruments", "5000", "--seed", "11"];
    let run = [&market[..], STATE].concat();
    let folder = Folder::new();
    let ledger = folder.path().join("state/ledger.sqlite");
    let killed_ahead = (0..20).any(|_| {
        let slowly = [&["replay", "--quiet"], &run[..], SLOWLY].concat();
        let mut child = folder.command(&slowly).spawn().expect("the program starts");
        while signals_ahead_of_state(&ledger) == 0 {
            assert_eq!(child.try_wait().expect("its state"), None, "its state is never behind its signals");
            std::thread::park_timeout(Duration::from_millis(2));
        }
        kill(child);
        // The state may have caught up before the kill.
        signals_ahead_of_state(&ledger) > 0
    });
    assert!(killed_ahead, "the state caught up each time");
    let resumed = replay_in(&folder, &run);
    resumed.expect_same(&replay(&market), "killed with its state behind its signals");
}

/// How many batches hold signals that a lane will come to again from its stored state.
fn signals_ahead_of_state(ledger: &Path) -> i64 {
    let count = |ledger: Connection| {
        let sql =
            "SELECT count(*) FROM batch JOIN lane USING (run, strategy, shard) WHERE from_seq >= state_seq";
        ledger.query_row(sql, [], |row| row.get(0))
    };
    let ledger = Connection::open_with_flags(ledger, OpenFlags::SQLITE_OPEN_READ_ONLY);
    ledger.and_then(count).unwrap_or(0)
}

#[test]
fn a_run_killed_at_full_speed_is_resumed() {
    let whole = replay_in(&Folder::new(), &[MARKET, &["--loop", "3"]].concat());
    let folder = Folder::new();
    let args = [&["replay", "--quiet", "--loop", "3"], MARKET, STATE].concat();
    let mut child = folder.command(&args).spawn().expect("the program starts");
    let ledger = folder.path().join("state/ledger.sqlite");
    // Whether it is dead by then or done, and whatever it has committed, the outcome is one.
    while committed(&ledger, 2).is_none_or(|least| least == 0)
        && child.try_wait().expect("its state").is_none()
    {
        std::thread::yield_now();
    }
    child.kill().expect("it can be killed");
    child.wait().expect("it ends");
    resume(&folder, &["--loop", "3"]).expect_same(&whole, "killed at full speed");
}

#[test]
fn ctrl_c_ends_a_run_cleanly_and_it_is_resumed() {
    let folder = Folder::new();
    let mut child = start(&folder, &["--shards", "3"]);
    wait_for_cursor(&folder, &mut child, 6, 10_000);
    let output = interrupt(child);
    assert_eq!(output.status.code(), Some(130), "{}", String::from_utf8_lossy(&output.stderr));
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).expect("results, as far as they go");
    assert_eq!(json["interrupted"], true);

    let whole = undisturbed();
    let first = read_signals(&folder.path().join("slow.csv"));
    assert!(!first.is_empty() && first.len() < whole.rows.len());
    assert_eq!(first[..], whole.rows[..first.len()], "what there is is where the whole run begins");
    resume(&folder, &["--shards", "3"]).expect_same(&whole, "interrupted");
}

#[test]
fn an_interrupted_run_says_so_and_how_it_goes_on() {
    let folder = Folder::new();
    for (state, advice) in
        [(STATE, "the same command resumes it"), (&[], "with --state DIR it could be resumed")]
    {
        let args = [&["replay", "--signals", "-"], MARKET, SLOWLY, state].concat();
        let mut child = folder.command(&args).spawn().expect("the program starts");
        wait_for_line(&mut child);
        let output = interrupt(child);
        assert_eq!(output.status.code(), Some(130));
        let stderr = String::from_utf8(output.stderr).expect("UTF-8");
        assert!(stderr.contains(&format!("interrupted; {advice}")), "{stderr}");
    }
}

/// A pipe that stays open and gives nothing more, as a live one may for hours.
#[test]
fn ctrl_c_ends_a_run_that_waits_for_its_source() {
    use std::io::Write;
    let folder = Folder::new();
    let market = folder.done(&["generate", "-", "--format", "csv", "--ticks", "30K", "--quiet"]);
    let args = ["replay", "-", "--signals", "-", "--quiet", "--json"];
    let mut child = folder.command(&args).stdin(std::process::Stdio::piped()).spawn().expect("it starts");
    let mut pipe = child.stdin.take().expect("a pipe");
    pipe.write_all(market.as_bytes()).expect("it reads");
    wait_for_line(&mut child);
    let output = interrupt(child);
    drop(pipe);
    assert_eq!(output.status.code(), Some(130), "{}", String::from_utf8_lossy(&output.stderr));
    let json: serde_json::Value = serde_json::from_slice(&output.stderr).expect("results");
    assert_eq!(json["interrupted"], true);
}

/// Waits until it has streamed something.
fn wait_for_line(child: &mut Child) {
    use std::io::Read;
    let stdout = child.stdout.as_mut().expect("a pipe");
    stdout.read_exact(&mut [0; 200]).expect("a header and a signal");
}

#[test]
fn a_second_process_is_refused_with_the_pid_and_the_first_goes_on() {
    let folder = Folder::new();
    let mut first = start(&folder, &[]);
    wait_for_cursor(&folder, &mut first, 2, 20_000);
    let second = [&["replay", "--quiet"], MARKET, STATE].concat();
    let holder = format!("the ledger state is in use by process {}:", first.id());
    folder.fails(1, &second, &[&holder, "use another --state"]);
    let first = first.wait_with_output().expect("it ends");
    assert!(first.status.success(), "{}", String::from_utf8_lossy(&first.stderr));
    resume(&folder, &[]).expect_same(&undisturbed(), "looked at again");
}

#[test]
fn a_ledger_of_an_unknown_kind_is_refused_and_nothing_is_made() {
    let folder = Folder::new();
    let replay = [&["replay", "--quiet"], MARKET, &["--state", "postgre://localhost/orchard"]].concat();
    folder.fails(1, &replay, &["postgre://…", "give a folder"]);
    assert!(!folder.path().join("postgre:").exists());
}

#[test]
fn a_finished_run_started_again_has_the_same_results() {
    let folder = Folder::new();
    let first = replay_in(&folder, &[MARKET, STATE].concat());
    assert_eq!(first.json["resumed"], false);
    let again = resume(&folder, &[]);
    again.expect_same(&first, "a finished run");
    assert_eq!(again.json["run"], first.json["run"]);
    assert_eq!(again.json["duplicates"].as_u64(), first.json["ticks"].as_u64().map(|ticks| 2 * ticks));
    let streamed = folder.done(&[&["replay", "--quiet", "--signals", "-"], MARKET, STATE].concat());
    assert_eq!(crate::replaying::rows(&streamed), first.rows, "a resumed run streams its first part, too");
}
