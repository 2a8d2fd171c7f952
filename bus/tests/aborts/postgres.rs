//! Where the inbox is in PostgreSQL, which several processes share.

use super::*;

/// Each has a database of its own.
#[test]
#[ignore = "needs servers: run scripts/test"]
fn a_message_that_ends_its_process_fails_where_one_serves() {
    let database = database::testing::Database::create();
    a_command_fails(&database.url(), 1);
    let database = database::testing::Database::create();
    an_event_fails(&database.url(), 1);
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn a_message_that_ends_its_process_fails_where_three_serve() {
    let database = database::testing::Database::create();
    let deaths = a_command_fails(&database.url(), 3);
    assert!(deaths >= ATTEMPTS, "{deaths}");
    let database = database::testing::Database::create();
    let deaths = an_event_fails(&database.url(), 3);
    assert!(deaths >= ATTEMPTS, "{deaths}");
}
