//! Failures that are known from the trackers of others, and which tests show that they do not happen here. Those
//! without a place are in this program.
//!
//! | failure | shown by |
//! |---|---|
//! | event N+1 is committed before N, and a projection passes N | `store/conformance/overtaking.rs`: `nobody_passes_an_event_that_commits_later`, for every store |
//! | the inbox's database is away for seconds | `running/locked.rs`: `an_inbox_that_is_locked_for_seconds_loses_nothing`; `store/postgres/tests.rs`: `a_server_that_is_started_again_in_the_middle_costs_time_only`; `rabbitmq/disturbed.rs`: `a_store_that_is_away_longer_than_the_broker_waits_loses_nothing` |
//! | the broker is away while rows wait in the outbox | `what_waits_in_the_outbox_goes_once_the_broker_is_back` |
//! | a process is killed between commit and acknowledgement | `a_kill_between_commit_and_acknowledgement_has_one_effect` |
//! | a socket is cut, and not every consumer resumes | `rabbitmq/resuming.rs`: `every_consumer_resumes_after_the_socket_was_cut` |
//! | a handler takes longer than the broker waits for an acknowledgement | `a_handler_that_outlives_the_brokers_patience_has_one_effect` |
//! | a queue is of another type or has other arguments | `rabbitmq/commands.rs`: `a_queue_of_another_kind_is_used_as_it_is`; the program's `tests/errors/topology.rs`: `what_is_missing_is_named_and_deployed_and_what_differs_is_left_alone` |
//! | an error text of 200 KB | `wire.rs`: `a_long_error_text_and_long_headers_of_others_fit_in_a_frame` |
//! | a quorum queue's delivery limit is reached while instances end again and again | `a_delivery_limit_loses_nothing_while_processes_end_again_and_again` |
//! | ten million rows in the outbox | `large.rs`: `what_is_done_again_and_again_costs_the_same_with_millions_of_rows`; `store/postgres/tests.rs`: `many_outgoing_rows_slow_nothing_down`; both with `ORCHARD_TEST_LONG=1` |
//! | a retired event type is bound still | `a_retired_type_that_is_bound_still_stops_nobody`; `orchard topology check` names the binding: `src/wire/topology/tests.rs` |
#![cfg(feature = "rabbitmq")]

mod broker;
mod process;

#[path = "../rabbitmq/broker_of_test.rs"]
#[expect(dead_code, reason = "other tests ask it for more")]
mod broker_of_test;
#[path = "../transports/contracts.rs"]
#[expect(dead_code, reason = "other tests send more")]
mod contracts;
#[path = "../rabbitmq/disturbed/node.rs"]
mod node;
#[path = "../rabbitmq/peer.rs"]
#[expect(dead_code, reason = "other tests ask it for more")]
mod peer;

use std::time::{Duration, Instant};

/// Nothing here takes so long unless it is broken.
const PATIENCE: Duration = Duration::from_secs(90);
/// Between looks at what is waited for.
const BETWEEN_LOOKS: Duration = Duration::from_millis(5);

/// Waits until this gives something.
fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < until, "{what}: not within {PATIENCE:?}");
        std::thread::sleep(BETWEEN_LOOKS);
    }
}

/// Waits until this is so.
fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    wait_for(what, || is_so().then_some(()));
}
