//! The program as it is built without features: it replays, and says which build has what it leaves out.

use std::process::{Command, Output};

/// `scripts/test` builds it, as this test itself is built with all features.
fn light(args: &[&str]) -> Output {
    let program = std::env::var("ORCHARD_TEST_LIGHT").expect("scripts/test sets it");
    Command::new(program).args(args).output().expect("it starts")
}

#[test]
#[ignore = "needs a light build: run scripts/test"]
fn a_light_build_replays() {
    let output = light(&["replay", "--ticks", "1K", "--quiet"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
#[ignore = "needs a light build: run scripts/test"]
fn a_light_build_says_which_build_has_the_other_commands() {
    for command in ["ingest", "run", "status", "errors", "plan", "verify"] {
        let output = light(&[command, "--feed", "btc"]);
        let message = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{command}: {message}");
        assert!(message.contains(&format!("--features rabbitmq -- {command}")), "{command}: {message}");
        assert!(output.stdout.is_empty());
    }
    for command in ["serve", "ctl", "contracts", "completions"] {
        let output = light(&[command, "--help"]);
        let message = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{command}: {message}");
        assert!(message.contains(&format!("--features services -- {command}")), "{command}: {message}");
        assert!(output.stdout.is_empty());
    }
    let output = light(&["serve", "--state", "state"]);
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{message}");
    assert!(message.contains("--features services -- serve"), "{message}");
}

#[test]
#[ignore = "needs a light build: run scripts/test"]
fn a_light_build_says_which_build_reads_parquet() {
    let file =
        concat!(env!("CARGO_MANIFEST_DIR"), "/tick-ingest/tests/data/readers/parquet/pandas-trades.parquet");
    let output = light(&["info", file]);
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && message.contains("--features parquet"), "{message}");
}
