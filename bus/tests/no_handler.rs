//! A program that knows a command of an endpoint that it serves, and has no handler for it, does not start: the
//! command would be accepted and wait for ever.

use bus::{Bus, SqliteStore, StartError};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Paint {}

tick_sdk::command!(Paint, version 1, endpoint "tests");

#[test]
fn a_program_without_a_handler_for_a_command_does_not_start() {
    let folder = tempfile::tempdir().unwrap();
    let open = |name: &str| SqliteStore::open(&folder.path().join(name), "").unwrap();
    let Err(error) = Bus::builder().context("tests", open("tests")).start() else { panic!("it has started") };
    assert!(matches!(error, StartError::Registry(_)));
    let text = error.to_string();
    assert_eq!(
        text,
        "nothing carries out Paint of endpoint tests, which this process serves: register a handler"
    );
    Bus::builder().context("other", open("other")).start().unwrap();
}
