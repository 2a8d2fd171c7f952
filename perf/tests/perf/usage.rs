//! Wrong usage: exit code 2, what to do instead, and nothing is connected before. A server that is not
//! there: exit code 1, and which one.

use std::time::{Duration, Instant};

use crate::program::Folder;

/// Nobody listens there.
const NOWHERE: &str = "amqp://me:secret@127.0.0.1:1";

#[test]
fn wrong_options_are_named_before_anything_is_connected() {
    let folder = Folder::new();
    let fails = |args: &[&str], said: &[&str]| {
        let ran = folder.fails(2, args, said);
        assert!(!ran.stderr.contains("127.0.0.1:1"), "it has connected: {}", ran.stderr);
        assert_eq!(ran.stdout, "");
    };
    for workload in ["broker", "ingest", "consume"] {
        let with = |more: &[&'static str]| [&[workload, "--broker", NOWHERE], more].concat();
        fails(&with(&["--rate", "fast"]), &["'fast' is not a valid rate", "100K", "1K..1M x2"]);
        fails(&with(&["--strategies", "apple,nobody"]), &["no strategy nobody", "`orchard strategies`"]);
        fails(&with(&["--broker", NOWHERE, "--shards", "1"]), &["2 brokers for --shards 1"]);
    }
    fails(&["consume", "--broker", NOWHERE, "--rate", "1K"], &["consume", "leave --rate out"]);
    fails(&["budget", "--broker", NOWHERE, "--rate", "fast"], &["'fast' is not a valid rate"]);
    fails(&["embedded", "--rate", "fast"], &["'fast' is not a valid rate"]);
    fails(&["embedded", "--strategies", "nobody"], &["no strategy nobody"]);
}

#[test]
fn without_a_broker_it_says_how_to_name_one() {
    let folder = Folder::new();
    for workload in ["broker", "ingest", "consume", "bodies", "budget"] {
        let mut command = folder.command(&[workload]);
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("ORCHARD_TEST_")) {
            command.env_remove(name);
        }
        let output = command.output().expect("the program starts");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{workload}: {said}");
        assert!(
            said.contains("--broker URL") && said.contains("scripts/services start"),
            "{workload}: {said}"
        );
    }
}

#[test]
fn a_broker_that_is_not_there_is_named_soon() {
    let folder = Folder::new();
    for workload in ["broker", "bodies", "budget"] {
        let begun = Instant::now();
        let ran = folder.fails(1, &[workload, "--broker", NOWHERE], &["127.0.0.1:1"]);
        assert!(begun.elapsed() < Duration::from_secs(20), "{workload}: {:?}", begun.elapsed());
        assert!(!ran.stderr.contains("secret"), "{}", ran.stderr);
    }
    assert_eq!(folder.names(), [""; 0], "nothing was written");
}
