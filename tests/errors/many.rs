//! A queue of many messages is looked through in bounded memory.

use std::process::Stdio;

use broker::Table;
use serde_json::Value;

use crate::queue::{Endpoint, command, json, wait_for};

/// Messages and the bytes of each, of the short form and of the long one: all of the bodies are 100 MB. A broker that
/// is busy takes longer than a client waits to put a hundred thousand messages back.
const SHORT: (usize, usize) = (10_000, 10_000);
const LONG: (usize, usize) = (100_000, 1_000);
const MOST_MB: u64 = 90;

#[test]
#[ignore = "needs servers: run scripts/test"]
fn many_messages_are_listed_in_bounded_memory() {
    let is_long = std::env::var_os("ORCHARD_TEST_LONG").is_some();
    let (messages, bytes) = if is_long { LONG } else { SHORT };
    let endpoint = Endpoint::new(Table::default());
    endpoint.fail(messages, bytes);
    let args = ["errors", "list", "--scan", "1000000", "--endpoint", &endpoint.name];
    let mut most = 0;
    // Who looks at all queues of the broker, as another test does, holds some of these for a moment.
    wait_for("all are looked at", || {
        let (listed, memory) = measured(&args);
        most = most.max(memory);
        let queue = &listed["brokers"][0]["queues"][0];
        queue["messages"] == messages && queue["lookedAt"] == messages
    });
    assert!(most < MOST_MB, "{most} MB");

    // Of so many the last are back a moment after the end.
    let are_back = || wait_for("all are back", || endpoint.count(&endpoint.error()) == messages);
    are_back();
    let first = ["errors", "list", "--messages", "--limit", "5", "--endpoint", &endpoint.name];
    let listed = json(&first);
    assert_eq!(listed["brokers"][0]["entries"].as_array().unwrap().len(), 5);
    assert_eq!(listed["brokers"][0]["isCut"], true);
    are_back();
    println!("{messages} messages of {bytes} bytes: {most} MB");
}

/// Runs it, and gives what it said with the most memory that it had, in MB.
fn measured(args: &[&str]) -> (Value, u64) {
    let child = command(&[args, &["--json"]].concat()).stdout(Stdio::piped()).spawn();
    let child = child.expect("the program starts");
    let status = format!("/proc/{}/status", child.id());
    let watching = std::thread::spawn(move || {
        let mut most = 0;
        // It is there until it is waited for, and says nothing of its memory once it has ended.
        while let Some(now) = std::fs::read_to_string(&status).ok().and_then(|text| high_water(&text)) {
            most = now;
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        most
    });
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    (serde_json::from_slice(&output.stdout).expect("it is JSON"), watching.join().unwrap() / 1000)
}

/// In kB.
fn high_water(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().trim_end_matches(" kB").parse().ok()
}
