//! A queue of many messages is looked through in bounded memory.

use std::process::Stdio;

use broker::Table;
use serde_json::Value;

use crate::queue::{Endpoint, command_at, wait_for};
use crate::vhost::Vhost;

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
    // Who looks at all queues of the broker, as another test does, would hold some of these.
    let vhost = Vhost::new("many");
    let amqp = vhost.amqp();
    let endpoint = Endpoint::at(&amqp, Table::default());
    endpoint.fail(messages, bytes);
    // Of so many the last are back a moment after the end.
    let are_back = || wait_for("all are back", || endpoint.count(&endpoint.error()) == messages);

    let args = ["errors", "list", "--scan", "1000000", "--endpoint", &endpoint.name];
    let (listed, memory) = measured(&amqp, &args);
    let queue = &listed["brokers"][0]["queues"][0];
    assert_eq!((&queue["messages"], &queue["lookedAt"]), (&messages.into(), &messages.into()));
    assert!(memory < MOST_MB, "{memory} MB");
    are_back();

    let first = ["errors", "list", "--messages", "--limit", "5", "--endpoint", &endpoint.name];
    let (listed, _) = measured(&amqp, &first);
    assert_eq!(listed["brokers"][0]["entries"].as_array().unwrap().len(), 5);
    assert_eq!(listed["brokers"][0]["isCut"], true);
    are_back();
    println!("{messages} messages of {bytes} bytes: {memory} MB");
}

/// Runs it, and gives what it said with the most memory that it had, in MB.
fn measured(amqp: &str, args: &[&str]) -> (Value, u64) {
    let child = command_at(amqp, &[args, &["--json"]].concat()).stdout(Stdio::piped()).spawn();
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
