//! `orchard run`, as a user runs it: what it says to mistakes, and that it takes part in one run after
//! the other until it is told to end.

use std::fs::File;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

#[allow(dead_code, reason = "shared with the tests of the other commands, which use all of it")]
#[path = "commands_files/program.rs"]
mod program;

const PROGRAM: &str = env!("CARGO_BIN_EXE_orchard");

use program::Folder;
use tick_sdk::names::RunId;

/// What is waited for comes within this time.
const SOON: Duration = Duration::from_secs(60);

#[track_caller]
fn wait_for(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < SOON, "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A host that does not outlive its test; what it says is in files.
struct Host(Child);

impl Host {
    fn start(folder: &Folder, args: &[&str]) -> Self {
        let file = |name| File::create(folder.path().join(name)).expect("the folder takes a file");
        let mut command = folder.command(args);
        command.stdout(file("results")).stderr(file("said"));
        Self(command.stdin(Stdio::null()).spawn().expect("the program starts"))
    }

    fn signal(&self, signal: &str) {
        let pid = self.0.id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().expect("kill is there").success());
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn mistakes_are_named_before_anything_is_connected() {
    let folder = Folder::new();
    let with =
        |more: &[&'static str]| [&["run", "--feed", "f", "--broker", "amqp://127.0.0.1:1"], more].concat();
    let misspelt = with(&["--strategy", "apple", "--state", "postgre://localhost/x"]);
    folder.fails(2, &misspelt, &["postgre://", "postgres://USER"]);
    folder.fails(2, &with(&["--strategy", "v1.2=apple", "--state", "s"]), &["not a valid strategy name"]);
    folder.fails(
        2,
        &with(&["--strategy", "apple", "--as", "v1.2", "--state", "s"]),
        &["not a valid strategy name"],
    );
    folder.fails(2, &with(&["--strategy", "apple,pear", "--state", "s"]), &["one strategy a process"]);
    assert_eq!(folder.names(), Vec::<String>::new(), "nothing is made");
    folder.fails(1, &with(&["--strategy", "apple", "--state", "s"]), &["cannot be reached"]);
}

#[test]
#[cfg(unix)]
#[ignore = "needs servers: run scripts/test"]
fn a_host_takes_part_in_one_run_after_the_other_until_it_is_interrupted() {
    let folder = Folder::new();
    let broker = std::env::var("ORCHARD_TEST_AMQP").expect("scripts/test sets it");
    let feed = format!("t{}", RunId::random());
    let host = ["run", "--feed", &feed, "--strategy", "apple", "--broker", &broker, "--state", "ledger"];
    let mut running = Host::start(&folder, &[&host[..], &["--json"]].concat());
    let results = || String::from_utf8(folder.read("results")).expect("UTF-8");
    for (number, seed) in ["1", "2"].into_iter().enumerate() {
        // A new run of the same feed, as whoever repeats a command makes one.
        let ingest = ["ingest", "--ticks", "20K", "--seed", seed, "--feed", &feed, "--broker", &broker];
        let state = format!("state-{seed}");
        folder.done(&[&ingest[..], &["--strategies", "apple", "--shards", "2", "--state", &state]].concat());
        wait_for("the run's results", || results().lines().count() == number + 1);
    }
    let reports: Vec<serde_json::Value> =
        results().lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    for report in &reports {
        // The last quote of a generated market is two ticks.
        let ticks = report["ticks"].as_u64().expect("a count");
        assert!(report["ended"] == true && (20_000..=20_001).contains(&ticks), "{report}");
    }
    assert_ne!(reports[0]["run"], reports[1]["run"]);

    // One that is to end with a run does so at once where that has ended.
    folder.done(&[&host[..], &["--once"]].concat());
    assert!(running.0.try_wait().expect("it can be asked").is_none(), "it waits for the next run");
    running.signal("-INT");
    wait_for("its end", || running.0.try_wait().expect("it can be asked").is_some());
    assert_eq!(running.0.wait().expect("it has ended").code(), Some(130));
}
