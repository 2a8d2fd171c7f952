//! The other workloads: each counts exactly what it moved. `memory` and `loopback` move gigabytes,
//! which takes a debug build too long.

use crate::measured::{expect_about, measure};
use crate::program::Folder;

#[test]
#[ignore = "needs servers: run scripts/test"]
fn ingest_is_until_the_broker_has_confirmed_it() {
    let measured = measure(&Folder::new(), &["ingest", "--ticks", "50K", "--shards", "2"]);
    let totals = &measured.step().totals;
    assert!((50_000..=50_001).contains(&totals.sent), "{totals:?}");
    assert_eq!((totals.confirmed, totals.consumed, totals.committed), (totals.sent, 0, 0));
    assert_eq!(measured.stages(), ["sent", "confirmed"]);
    assert_eq!(measured.left_behind(), [""; 0]);
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn consume_is_from_full_queues_to_the_commit() {
    let measured = measure(&Folder::new(), &["consume", "--ticks", "50K", "--strategies", "2"]);
    let totals = &measured.step().totals;
    assert!((100_000..=100_002).contains(&totals.committed), "{totals:?}");
    assert_eq!((totals.sent, totals.consumed), (0, totals.committed));
    assert_eq!(measured.left_behind(), [""; 0]);
}

#[test]
fn embedded_needs_no_server() {
    let folder = Folder::new();
    let spread = ["--strategies", "2", "--shards", "2", "--threads", "2"];
    let measured = measure(&folder, &[&["embedded", "--ticks", "100K"], &spread[..]].concat());
    let totals = &measured.step().totals;
    assert!((100_000..=100_001).contains(&totals.sent), "{totals:?}");
    assert_eq!((totals.consumed, totals.committed), (2 * totals.sent, 2 * totals.sent));
    assert_eq!((totals.confirmed, totals.messages), (0, 0));
    assert_eq!(measured.stages(), ["sent", "delivered", "signal", "committed"]);
    assert_eq!(measured.outcome.settings["ledger"], "SQLite");
    let versions = &measured.outcome.environment.versions;
    assert!(versions.contains_key("SQLite") && !versions.contains_key("RabbitMQ"), "{versions:?}");
}

#[test]
fn embedded_takes_an_offered_rate() {
    let load = ["embedded", "--rate", "10K", "--duration", "1s", "--warm-up", "500ms", "--state", "memory"];
    let measured = measure(&Folder::new(), &load);
    let step = measured.step();
    assert_eq!(step.offered, Some(10_000.0));
    // A machine that is busy ends it later.
    for stage in ["sent", "delivered", "signal", "committed"] {
        expect_about(stage, measured.stage(stage).count as f64, 10_000.0 * step.seconds);
    }
    assert_eq!(measured.outcome.settings["ledger"], "memory");
}

/// Commits that were timed, and the ticks that they stand for.
fn expect_commits(args: &[&str], ledger: &str) {
    let folder = Folder::new();
    let load = ["ledger", "--duration", "500ms", "--lanes", "3", "--commit-ticks", "1000", "--keys", "2"];
    let measured = measure(&folder, &[&load[..], args].concat());
    let (step, commits) = (measured.step(), measured.stage("commit").count);
    assert!(commits > 0 && step.seconds >= 0.5, "{step:?}");
    assert_eq!((step.totals.messages, step.totals.committed), (commits, commits * 3 * 1_000));
    assert_eq!(measured.outcome.settings["ledger"], ledger);
}

#[test]
fn a_ledger_in_a_folder_is_timed() {
    expect_commits(&["--state", "state"], "SQLite");
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn the_ledger_of_the_environment_is_timed() {
    expect_commits(&[], "PostgreSQL");
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn bodies_are_counted_one_by_one() {
    let folder = Folder::new();
    let load = ["bodies", "--messages", "200", "--body-bytes", "10K", "--queues", "2"];
    let measured = measure(&folder, &load);
    let totals = &measured.step().totals;
    assert_eq!((totals.sent, totals.confirmed, totals.messages), (200, 200, 400));
    assert_eq!(totals.bytes, 200 * 10 * 1024);
    assert_eq!(measured.stage("delivered").count, 400);
    assert_eq!(measured.left_behind(), [""; 0]);

    let paced = measure(&folder, &["bodies", "--messages", "100", "--rate", "200", "--body-bytes", "1K"]);
    assert_eq!((paced.step().offered, paced.step().totals.sent), (Some(200.0), 100));
    assert_eq!(paced.stage("delivered").count, 100);
    // The last one is due 99 pauses after the first.
    assert!(paced.step().seconds >= 99.0 / 200.0, "{}", paced.step().seconds);
}
