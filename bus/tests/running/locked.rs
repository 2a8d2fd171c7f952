//! Another process has the file's lock for seconds.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command as Program, Stdio};

use super::*;

/// Set for the process that takes the lock of this file.
const AS_OTHER: &str = "ORCHARD_BUS_TEST_LOCKS";

/// In another process this is the whole program: it has the lock until its input ends.
#[test]
fn the_other_process() {
    let Some(file) = std::env::var_os(AS_OTHER) else { return };
    let connection = rusqlite::Connection::open(file).unwrap();
    connection.execute_batch("BEGIN IMMEDIATE").unwrap();
    println!("\nlocked");
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
    connection.execute_batch("COMMIT").unwrap();
}

fn lock(file: &Path) -> (Child, impl BufRead + use<>) {
    let mut child = Program::new(std::env::current_exe().unwrap())
        .args(["--exact", "locked::the_other_process", "--nocapture"])
        .env(AS_OTHER, file)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut lines = output.by_ref().lines();
    assert!(lines.any(|line| line.unwrap() == "locked"), "it did not get the lock");
    (child, output)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_inbox_that_is_locked_for_seconds_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let gate = Gate::default();
    let bus = started(folder.path(), &gate);
    // One is being handled when the lock is taken, and wants to write after it.
    let held = sent(&bus, &Hold { number: -1 }).await;
    gate.wait_for(1);
    let (mut other, _output) = lock(&folder.path().join("run.sqlite"));
    gate.open();
    let id = CommandId::new();
    let put = Put { number: 2, fill: 0 };
    let reason = unavailable(bus.send(&put, with_id(id)).await);
    // It waits for the lock itself, or for a handler of this process that does.
    assert!(reason.contains("database is locked") || reason.contains("another process holds"), "{reason}");
    assert!(bus.events_after("run", 0, 9).is_ok(), "who reads does not wait");
    drop(other.stdin.take());
    assert!(other.wait().unwrap().success());
    bus.send(&put, with_id(id)).await.unwrap();
    assert_eq!(completed(&bus, "run", id), json!({ "attempt": 1 }));
    assert_eq!(completed(&bus, "run", held), json!({ "attempt": 1 }), "no attempt was used up");
    assert!(bus.stop(PATIENCE));
    assert_eq!(numbers(folder.path(), "run"), [-1, 2]);
}
