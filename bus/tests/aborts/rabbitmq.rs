//! Messages that come over a broker.

use bus::rabbitmq::{ControlBudget, RabbitOptions};
use bus::{SendError, SendOptions};

use super::*;

#[expect(dead_code, reason = "other tests ask it for more")]
#[path = "../rabbitmq/broker_of_test.rs"]
mod broker_of_test;

use broker_of_test::Vhost;

pub(super) fn options() -> RabbitOptions {
    RabbitOptions { budget: ControlBudget::OFF, ..RabbitOptions::default() }
}

/// What was handled when the process ended was in no inbox: the broker delivers it again.
#[test]
#[ignore = "needs servers: run scripts/test"]
fn a_delivery_that_ends_its_process_fails() {
    let (vhost, folder) = (Vhost::new("aborts"), tempfile::tempdir().unwrap());
    let place = folder.path().join("test.sqlite");
    let store = open(place.to_str().unwrap());
    let sender = Bus::builder().rabbitmq(vhost.url(), options()).start().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let begin = || {
        let mut program = begin_with(place.to_str().unwrap(), 10);
        program.env(BROKER, vhost.text()).spawn().unwrap()
    };
    let first = begin();
    let until = Instant::now() + PATIENCE;
    let ids: Vec<_> = (0..10).map(|number| CommandId::of_key("aborts", &number.to_string())).collect();
    for (number, id) in (0..).zip(&ids) {
        let options = SendOptions { command_id: Some(*id), ..SendOptions::default() };
        // Until the first process has declared its endpoint.
        while let Err(error) = runtime.block_on(sender.send(&Labour { number }, options.clone())) {
            let may_pass = matches!(error, SendError::NoSuchEndpoint { .. } | SendError::Unavailable { .. });
            assert!(may_pass && Instant::now() < until, "{error}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    let deaths = keep_running(vec![first], begin);
    assert!(deaths >= ATTEMPTS, "{deaths}");
    assert_one_failed(&*store, &ids);
}
