//! The promises.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};

use bus::store::CommandState;
use bus::{SendError, SendOptions, Store};
use tick_sdk::contracts::CommandId;
use tick_sdk::contracts::bus::{CommandAccepted, CommandCompleted, CommandFailed, CommandRetried};

use crate::contracts::{DESK, Fall, IsMended, Jot, NOWHERE, Order, Stumble, VAN, Vanish};
use crate::system::{Heard, System, Transport, run, with_id};
use crate::{wait_for, wait_until};

fn start(transport: &impl Transport) -> System {
    transport.start(IsMended::default())
}

fn id(number: i64) -> CommandId {
    CommandId::of_key("transports", &number.to_string())
}

fn numbers(range: std::ops::Range<i64>) -> Vec<i64> {
    range.collect()
}

pub(crate) fn a_command_is_handled_once_however_often_it_is_sent(transport: &impl Transport) {
    let system = start(transport);
    for number in [1, 1, 2, 1, 2] {
        let options = SendOptions { caller: "zoe".to_owned(), ..with_id(id(number)) };
        assert_eq!(system.try_send(&Jot { number }, options).unwrap(), id(number));
    }
    // A command of the same content with another id is another one.
    let third = system.send(&Jot { number: 2 });
    for command in [id(1), id(2), third] {
        assert_eq!(system.wait_until_completed(command).attempts, 1);
    }
    assert_eq!(system.effects(), [1, 2, 2]);
    let accepted = system.wait_for("CommandAccepted", id(1), 1);
    let accepted: CommandAccepted = serde_json::from_str(&accepted.body).unwrap();
    assert_eq!((accepted.command.as_str(), accepted.caller.as_str()), ("Jot", "zoe"));
    system.stop();
}

pub(crate) fn an_id_stands_for_one_command(transport: &impl Transport) {
    let system = start(transport);
    system.send_until_accepted(&Jot { number: 1 }, id(1));
    system.wait_until_completed(id(1));
    // Who sends is told, or whoever looks at what failed there.
    match system.try_send(&Jot { number: 2 }, with_id(id(1))) {
        Ok(_) => {}
        Err(SendError::OtherBody { command_id }) => assert_eq!(command_id, id(1)),
        Err(error) => panic!("{error}"),
    }
    let after = system.send(&Jot { number: 3 });
    system.wait_until_completed(after);
    assert_eq!(system.effects(), [1, 3]);
    system.stop();
}

pub(crate) fn a_command_for_nobody_is_refused_by_name(transport: &impl Transport) {
    let system = start(transport);
    match system.try_send(&Vanish { number: 1 }, SendOptions::default()) {
        Err(error @ SendError::NoSuchEndpoint { .. }) => {
            let said = error.to_string();
            assert!(said.contains(&format!("there is no endpoint '{NOWHERE}'")), "{said}");
        }
        other => panic!("{other:?}"),
    }
    system.stop();
}

pub(crate) fn every_subscriber_gets_every_event_once_and_in_order(transport: &impl Transport) {
    const COUNT: i64 = 40;
    let system = start(transport);
    let mut subscribers = [transport.subscribe(&system), transport.subscribe(&system)];
    for number in 0..COUNT {
        system.send(&Jot { number });
    }
    let heard = subscribers.each_mut().map(|subscriber| {
        let mut heard: Vec<Heard> = Vec::new();
        while heard.len() < COUNT as usize {
            heard.push(wait_for("an event", || subscriber.next()));
        }
        heard
    });
    assert_eq!(heard[0], heard[1]);
    let ids: HashSet<_> = heard[0].iter().map(|event| &event.message_id).collect();
    assert_eq!(ids.len(), COUNT as usize);
    assert!(heard[0].is_sorted_by(|one, other| one.position < other.position), "{:?}", heard[0]);
    let mut jotted: Vec<_> = heard[0].iter().map(|event| event.number).collect();
    assert_eq!(jotted, system.jotted(), "as they stand in the log");
    jotted.sort_unstable();
    assert_eq!(jotted, numbers(0..COUNT));
    assert!(subscribers.iter_mut().all(|subscriber| subscriber.next().is_none()), "and nothing else");
    system.stop();
}

pub(crate) fn a_handler_that_fails_at_first_is_called_again(transport: &impl Transport) {
    let system = start(transport);
    let command = system.send(&Stumble { number: 1 });
    assert_eq!(system.wait_until_completed(command).attempts, 2);
    let retried: CommandRetried =
        serde_json::from_str(&system.wait_for(CommandRetried::NAME, command, 1).body).unwrap();
    assert_eq!((retried.attempts, retried.reason.as_str()), (1, "at first"));
    assert_eq!(system.effects(), [1], "the attempt that failed has done nothing");
    assert_eq!(system.jotted(), [1]);
    system.stop();
}

pub(crate) fn a_command_that_fails_is_seen_as_failed_with_the_reason(transport: &impl Transport) {
    let system = start(transport);
    let mut faults = transport.faults(&system);
    let command = system.send(&Fall { number: 7 });
    let failed = system.wait_until_failed(command);
    assert_eq!((failed.attempts, failed.reason.as_str()), (2, "number 7 is out of stock"));
    assert_eq!(system.desk_store.state(command).unwrap(), Some(CommandState::Failed));
    assert_eq!(faults(), (command, "number 7 is out of stock".to_owned()));
    assert_eq!((system.effects(), system.jotted()), (vec![], vec![]));
    // Others do not wait for it.
    let next = system.send(&Jot { number: 1 });
    system.wait_until_completed(next);
    system.stop();
}

pub(crate) fn a_failed_command_that_is_put_back_completes(transport: &impl Transport) {
    let system = start(transport);
    let failing = system.send(&Fall { number: 7 });
    system.wait_until_failed(failing);
    let put_back = || {
        let options = SendOptions { caller: "zoe".to_owned(), ..SendOptions::default() };
        let back = run(system.sender.requeue(DESK, failing, options)).unwrap().command_id;
        system.wait_until_completed(back);
        back
    };
    let back = put_back();
    let requeued = system.wait_for("CommandRequeued", failing, 1);
    assert!(requeued.body.contains(&back.to_string()), "{}", requeued.body);
    system.wait_for(CommandFailed::NAME, failing, 2);
    system.is_mended.0.store(true, Ordering::Release);
    put_back();
    system.wait_for(CommandCompleted::NAME, failing, 1);
    assert_eq!(system.effects(), [7]);
    system.stop();
}

pub(crate) fn what_a_handler_sends_arrives_elsewhere_with_its_cause(transport: &impl Transport) {
    let system = start(transport);
    let order = run(system.sender.send(&Order { number: 5 }, SendOptions::default())).unwrap();
    wait_until("it is delivered", || !system.events(VAN, "Delivered").is_empty());
    let delivered = system.events(VAN, "Delivered");
    assert_eq!(delivered.len(), 1);
    assert_eq!(delivered[0].conversation_id, Some(order.conversation_id));
    assert_eq!(delivered[0].initiator_id, Some(order.command_id));
    assert_ne!(delivered[0].command_id, Some(order.command_id), "it is a command of its own");
    system.stop();
}

pub(crate) fn what_a_handler_sends_to_nobody_fails_where_it_was_sent(transport: &impl Transport) {
    let system = start(transport);
    let order = system.send(&Order { number: -1 });
    assert_eq!(system.wait_until_completed(order).attempts, 1, "that is no failure of the handler's");
    let failed = wait_for("nobody takes it", || {
        system.events(DESK, CommandFailed::NAME).into_iter().find(|event| event.initiator_id == Some(order))
    });
    assert!(failed.body.contains("nobody serves the endpoint 'nowhere'"), "{}", failed.body);
    system.stop();
}

/// Nothing is promised of commands that do not wait.
pub(crate) fn commands_that_wait_for_each_other_take_effect_in_order(transport: &impl Transport) {
    let system = start(transport);
    for number in 0..10 {
        let command =
            if number % 3 == 1 { system.send(&Stumble { number }) } else { system.send(&Jot { number }) };
        system.wait_until_completed(command);
    }
    assert_eq!(system.jotted(), numbers(0..10));
    system.stop();
}

pub(crate) fn what_is_sent_again_after_a_loss_has_one_effect(transport: &impl Transport) {
    const EACH: i64 = 20;
    let mut system = start(transport);
    for round in 0..3 {
        let of_round = round * EACH..(round + 1) * EACH;
        for number in of_round.clone() {
            system.send_until_accepted(&Jot { number }, id(number));
            if number == of_round.start + EACH / 2 {
                system = transport.lose(system);
            }
        }
        // Who does not know what became of them sends all of them again.
        for number in of_round {
            system.send_until_accepted(&Jot { number }, id(number));
        }
    }
    for number in 0..3 * EACH {
        system.wait_until_completed(id(number));
    }
    // What comes again comes before it.
    let last = system.send(&Jot { number: 3 * EACH });
    system.wait_until_completed(last);
    assert_eq!(system.effects(), numbers(0..3 * EACH + 1));
    system.stop();
}

pub(crate) fn what_was_accepted_before_a_stop_is_handled_after_the_next_start(transport: &impl Transport) {
    let system = start(transport);
    let (sender, accepted) = (system.sender.clone(), AtomicUsize::new(0));
    let has_stopped = std::sync::atomic::AtomicBool::new(false);
    let sent = std::thread::scope(|scope| {
        let sending = scope.spawn(|| {
            let mut sent = Vec::new();
            for number in 0.. {
                match run(sender.send(&Jot { number }, SendOptions::default())) {
                    Ok(_) => sent.push(number),
                    Err(SendError::Unavailable { .. }) => break,
                    Err(error) => panic!("{error}"),
                }
                accepted.store(sent.len(), Ordering::Release);
                if has_stopped.load(Ordering::Acquire) {
                    break;
                }
            }
            sent
        });
        wait_until("some are accepted", || accepted.load(Ordering::Acquire) >= 30);
        assert!(system.desk.stop(crate::PATIENCE), "it stops under load");
        has_stopped.store(true, Ordering::Release);
        sending.join().unwrap()
    });
    system.stop();
    drop(sender);
    let system = start(transport);
    wait_until("all are done", || system.effects().len() >= sent.len());
    assert_eq!(system.effects(), sent);
    system.stop();
}

pub(crate) fn who_sends_too_fast_is_held_back_and_nothing_is_lost<T: Transport>(transport: &T) {
    let system = start(transport);
    let held = system.desk_store.begin().unwrap();
    let refused = AtomicUsize::new(0);
    let accepted = std::thread::scope(|scope| {
        let flooding = scope.spawn(|| {
            let send = async |number| match system.sender.send(&Jot { number }, with_id(id(number))).await {
                Ok(_) => Some(number),
                Err(SendError::Unavailable { retry_after_s, .. }) => {
                    assert!(retry_after_s > 0);
                    refused.fetch_add(1, Ordering::AcqRel);
                    None
                }
                Err(error) => panic!("{error}"),
            };
            run(futures_util::future::join_all((0..T::FLOOD).map(send)))
        });
        wait_until("it holds no more", || transport.is_full(refused.load(Ordering::Acquire)));
        drop(held);
        flooding.join().unwrap()
    });
    let mut accepted: Vec<_> = accepted.into_iter().flatten().collect();
    assert!(!accepted.is_empty());
    // Who was refused comes again.
    for number in 0..T::FLOOD {
        if accepted.binary_search(&number).is_err() && number % 50 == 0 {
            system.send_until_accepted(&Jot { number }, id(number));
            accepted.push(number);
            accepted.sort_unstable();
        }
    }
    wait_until("all are done", || system.effects().len() >= accepted.len());
    let effects = system.effects();
    assert!(accepted.iter().all(|number| effects.binary_search(number).is_ok()), "one is lost");
    assert_eq!(effects.iter().collect::<HashSet<_>>().len(), effects.len(), "one took effect twice");
    system.stop();
}
