//! Ctrl-C: what was measured is shown, and what was made on servers is removed.

use crate::measured::{Running, made_by, management};
use crate::program::Folder;

#[test]
#[ignore = "needs servers: run scripts/test"]
fn an_interrupted_measurement_shows_what_it_has_and_cleans_up() {
    let (folder, management) = (Folder::new(), management());
    let args = ["broker", "--rate", "1K", "--duration", "10m", "--warm-up", "100ms"];
    let running = Running::start(&folder, &args);
    let pid = running.pid();
    running.wait_for_a_second(&folder);
    assert_ne!(made_by(pid, &management), [""; 0], "its queues are there");
    running.interrupt();
    let (code, text) = running.end();
    assert_eq!(code, Some(130), "{text}");
    assert!(text.contains("warning: it was interrupted before its end"), "{text}");
    let rows = text.lines().filter_map(|line| line.split_whitespace().next());
    let rows: Vec<_> = rows.skip_while(|first| *first != "from").skip(1).collect();
    assert_eq!(rows, ["sent", "confirmed", "delivered", "signal", "committed"], "{text}");
    assert_eq!(made_by(pid, &management), [""; 0]);
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn an_interrupted_ramp_has_no_knee_that_it_did_not_see() {
    let folder = Folder::new();
    let args = ["broker", "--rate", "1K..8K", "--duration", "10m", "--knee", "1ns", "--json"];
    let running = Running::start(&folder, &[&args[..], &["--warm-up", "100ms"]].concat());
    running.wait_for_a_second(&folder);
    running.interrupt();
    let (code, json) = running.end();
    assert_eq!(code, Some(130), "{json}");
    let outcome: perf::outcome::Outcome = serde_json::from_str(&json).expect("an outcome");
    assert_eq!((outcome.steps.len(), outcome.knee), (1, None));
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn an_interrupted_budget_writes_nothing() {
    let folder = Folder::new();
    let args = ["budget", "--rate", "1K..2K", "--duration", "10m", "--out", "budget.json"];
    let running = Running::start(&folder, &args);
    running.wait_for_a_second(&folder);
    running.interrupt();
    assert_eq!(running.end().0, Some(130));
    assert_eq!(folder.names(), ["said"]);
}
