//! What every transport promises; each runs the suite. In process one bus serves, sends and subscribes; over RabbitMQ
//! each context has a process of its own, and so has who sends.

mod contracts;
mod in_process;
mod suite;
mod system;

#[cfg(feature = "rabbitmq")]
#[path = "../rabbitmq/broker_of_test.rs"]
mod broker_of_test;
#[cfg(feature = "rabbitmq")]
#[expect(dead_code, reason = "the tests of what only RabbitMQ has ask it for more")]
#[path = "../rabbitmq/peer.rs"]
mod peer;
#[cfg(feature = "rabbitmq")]
#[path = "../rabbitmq/proxy.rs"]
mod proxy;
#[cfg(feature = "rabbitmq")]
mod rabbitmq;

use std::time::{Duration, Instant};

/// Nothing here takes so long unless it is broken.
const PATIENCE: Duration = Duration::from_secs(60);
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

macro_rules! conformance {
    ($name:ident, #[$when:meta], $make:expr, [$($promise:ident),* $(,)?]) => {
        mod $name {
            $(
                #[test]
                #[$when]
                fn $promise() {
                    crate::suite::$promise(&$make);
                }
            )*
        }
    };
    ($name:ident, #[$when:meta], $make:expr) => {
        conformance!($name, #[$when], $make, [
            a_command_is_handled_once_however_often_it_is_sent,
            an_id_stands_for_one_command,
            a_command_for_nobody_is_refused_by_name,
            every_subscriber_gets_every_event_once_and_in_order,
            a_handler_that_fails_at_first_is_called_again,
            a_command_that_fails_is_seen_as_failed_with_the_reason,
            a_failed_command_that_is_put_back_completes,
            what_a_handler_sends_arrives_elsewhere_with_its_cause,
            what_a_handler_sends_to_nobody_fails_where_it_was_sent,
            commands_that_wait_for_each_other_take_effect_in_order,
            what_is_sent_again_after_a_loss_has_one_effect,
            what_was_accepted_before_a_stop_is_handled_after_the_next_start,
            who_sends_too_fast_is_held_back_and_nothing_is_lost,
        ]);
    };
}

conformance!(within_a_process, #[cfg(test)], crate::in_process::InProcess::new());

#[cfg(feature = "rabbitmq")]
conformance!(over_rabbitmq, #[ignore = "needs servers: run scripts/test"], crate::rabbitmq::OverRabbit::new());
