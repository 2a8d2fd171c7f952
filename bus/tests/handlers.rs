//! What becomes of commands whose handlers work, fail, panic, hang or refuse.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bus::testing::{Ended, TestBus};
use bus::{BatchHandler, Handled, Handler, HandlerError, Message, Retry, StoredEvent, Work, values};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tick_sdk::contracts::CommandId;
use tick_sdk::contracts::bus::{
    CommandAccepted, CommandCompleted, CommandFailed, CommandRequeued, CommandRetried, RequeueCommand,
};

const TABLES: &str = "
CREATE TABLE IF NOT EXISTS done (number INTEGER NOT NULL UNIQUE, attempt INTEGER NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS parent (number INTEGER PRIMARY KEY) STRICT;
CREATE TABLE IF NOT EXISTS child (number INTEGER REFERENCES parent DEFERRABLE INITIALLY DEFERRED) STRICT;
";

/// Goes wrong in its first attempts, and works then.
#[derive(Clone, Serialize, Deserialize)]
struct Try {
    number: i64,
    bad_attempts: u32,
    how: String,
}

tick_sdk::command!(Try, version 1, endpoint "tests");

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Tried {
    number: i64,
}

tick_sdk::event!(Tried, version 1, context "tests");

/// What `how: "until mended"` waits for.
struct IsMended(Arc<AtomicBool>);

#[derive(Default)]
struct OnTry;

impl Handler for OnTry {
    type Command = Try;
    const RETRY: Retry =
        Retry::Intervals(&[Duration::from_secs(1), Duration::from_secs(10), Duration::from_secs(60)]);

    async fn handle(&self, message: &Message<Try>, work: &mut Work<'_>) -> Result<Handled, HandlerError> {
        let Try { number, bad_attempts, ref how } = message.body;
        // It writes and publishes first, so that a failure has something to take back.
        work.tables()?
            .execute("INSERT INTO done VALUES ($1, $2)", &values![number, message.attempt])
            .map_err(|error| HandlerError::failed(format!("the row: {error}")))?;
        work.publish(&Tried { number });
        if message.attempt > bad_attempts {
            return Ok(Handled::Done(json!({ "number": number })));
        }
        match how.as_str() {
            "fails" => return Err(HandlerError::failed("no luck")),
            "refuses" => return Err(HandlerError::refused("never")),
            "panics" => panic!("boom {number}"),
            "hangs" => std::future::pending::<()>().await,
            "wrong SQL" => drop(work.tables()?.execute("INSERT INTO nowhere VALUES (1)", &[])?),
            "fails at commit" => drop(work.tables()?.execute("INSERT INTO child VALUES (1)", &[])?),
            "until mended" if !work.resource::<IsMended>()?.0.load(Ordering::Acquire) => {
                return Err(HandlerError::failed("broken"));
            }
            _ => {}
        }
        Ok(Handled::Done(json!({ "number": number })))
    }
}

bus::handler!(OnTry);

#[derive(Serialize, Deserialize)]
struct Add {
    value: i64,
}

tick_sdk::command!(Add, version 1, endpoint "tests");

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Added {
    value: i64,
    batch: usize,
}

tick_sdk::event!(Added, version 1, context "tests");

/// Fails for values below zero, and forgets an outcome for zero.
#[derive(Default)]
struct OnAdd;

impl BatchHandler for OnAdd {
    type Command = Add;
    const RETRY: Retry = Retry::Never;
    const BATCH: usize = 4;

    async fn handle_all(
        &self,
        messages: &[Message<Add>],
        work: &mut Work<'_>,
    ) -> Result<Vec<Handled>, HandlerError> {
        let mut handled = Vec::new();
        for message in messages {
            work.caused_by(message);
            let value = message.body.value;
            work.publish(&Added { value, batch: messages.len() });
            if value < 0 {
                return Err(HandlerError::failed(format!("{value} is below zero")));
            }
            if value > 0 {
                handled.push(Handled::Done(json!({ "value": value })));
            }
        }
        Ok(handled)
    }
}

bus::batch_handler!(OnAdd);

/// The contract of another version, which this one's handler cannot read.
mod newer {
    #[derive(serde::Serialize, serde::Deserialize)]
    pub(crate) struct Add {
        pub(crate) value: String,
    }

    tick_sdk::command!(Add, version 2, endpoint "tests");
}

fn bus() -> TestBus {
    TestBus::new("tests", TABLES)
}

fn attempt(number: i64, bad_attempts: u32, how: &str) -> Try {
    Try { number, bad_attempts, how: how.to_owned() }
}

fn done(bus: &TestBus) -> Vec<(i64, u32)> {
    let sql = "SELECT number, attempt FROM done ORDER BY number";
    let rows = bus.store().query(sql, &[]).unwrap();
    rows.iter().map(|row| (row.get(0).unwrap(), row.get(1).unwrap())).collect()
}

fn of(bus: &TestBus, command: CommandId) -> Vec<StoredEvent> {
    bus.log().into_iter().filter(|event| event.command_id == Some(command)).collect()
}

fn names(events: &[StoredEvent]) -> Vec<&str> {
    events.iter().map(|event| event.name.as_str()).collect()
}

#[test]
fn a_handler_that_fails_twice_then_works_takes_effect_once() {
    let mut bus = bus();
    let (begin, sent) = (bus.now_ms(), bus.send(&attempt(1, 2, "fails")));
    bus.settle();
    assert_eq!(bus.ended(sent), Some(Ended::Completed(json!({ "number": 1 }))));
    assert_eq!(done(&bus), [(1, 3)]);
    let log = of(&bus, sent);
    let expected =
        [CommandAccepted::NAME, CommandRetried::NAME, CommandRetried::NAME, "Tried", CommandCompleted::NAME];
    assert_eq!(names(&log), expected);
    let retried = |event: &StoredEvent| serde_json::from_str::<CommandRetried>(&event.body).unwrap();
    let first = CommandRetried { attempts: 1, reason: "no luck".to_owned(), due_ms: begin + 1_000 };
    assert_eq!(retried(&log[1]), first);
    assert_eq!(retried(&log[2]), CommandRetried { attempts: 2, due_ms: begin + 11_000, ..first });
    let completed: CommandCompleted = serde_json::from_str(&log[4].body).unwrap();
    assert_eq!((completed.attempts, log[4].at_ms), (3, begin + 11_000));
}

#[test]
fn a_handler_that_always_fails_has_done_nothing() {
    for (how, reason) in [
        ("fails", "no luck"),
        ("panics", "the handler panicked: boom 1"),
        ("hangs", "the handler had not ended after 30.0 s"),
        ("wrong SQL", "(in: INSERT INTO nowhere VALUES (1))"),
        // In the words of either store.
        ("fails at commit", "oreign"),
    ] {
        let mut bus = bus();
        let sent = bus.send(&attempt(1, u32::MAX, how));
        bus.settle();
        let Some(Ended::Failed(found, 4)) = bus.ended(sent) else { panic!("{how}: {:?}", bus.ended(sent)) };
        let found_words = found.replace("FOREIGN", "foreign");
        assert!(found_words.contains(reason), "{how}: {found}");
        assert_eq!(bus.faults(), [found]);
        assert_eq!(done(&bus), [], "{how}");
        let retried = CommandRetried::NAME;
        let expected = [CommandAccepted::NAME, retried, retried, retried, CommandFailed::NAME];
        assert_eq!(names(&bus.log()), expected, "{how}");
    }
}

#[test]
fn what_went_wrong_once_works_the_next_time() {
    for how in ["fails", "panics", "hangs", "wrong SQL", "fails at commit"] {
        let mut bus = bus();
        let sent = bus.send(&attempt(1, 1, how));
        bus.settle();
        assert_eq!(bus.ended(sent), Some(Ended::Completed(json!({ "number": 1 }))), "{how}");
        assert_eq!(done(&bus), [(1, 2)], "{how}");
        assert_eq!(bus.published::<Tried>(), [Tried { number: 1 }], "{how}");
    }
}

#[test]
fn what_is_refused_is_not_tried_again() {
    let mut bus = bus();
    let sent = bus.send(&attempt(1, 1, "refuses"));
    bus.settle();
    assert_eq!(bus.ended(sent), Some(Ended::Failed("never".to_owned(), 1)));
    assert_eq!(done(&bus), []);
    assert_eq!(names(&bus.log()), [CommandAccepted::NAME, CommandFailed::NAME]);
}

#[test]
fn what_cannot_be_read_is_refused_by_name() {
    let mut bus = bus();
    let sent = bus.send(&newer::Add { value: "1".to_owned() });
    let fine = bus.send(&Add { value: 1 });
    bus.settle();
    let Some(Ended::Failed(reason, 1)) = bus.ended(sent) else { panic!("{:?}", bus.ended(sent)) };
    assert!(reason.starts_with("Add cannot be read: invalid type: string"), "{reason}");
    assert!(matches!(bus.ended(fine), Some(Ended::Completed(_))));
}

#[test]
fn one_bad_message_does_not_spoil_its_batch() {
    for how in ["fails", "panics", "hangs", "wrong SQL", "fails at commit", "refuses"] {
        let mut bus = bus();
        let bad_attempts = |number| if number == 4 { u32::MAX } else { 0 };
        let sent: Vec<_> =
            (0..10).map(|number| bus.send(&attempt(number, bad_attempts(number), how))).collect();
        let begin = bus.now_ms();
        bus.settle();
        for (number, command) in sent.iter().enumerate() {
            let ended = bus.ended(*command);
            match number {
                4 => assert!(matches!(ended, Some(Ended::Failed(..))), "{how}: {ended:?}"),
                _ => assert_eq!(ended, Some(Ended::Completed(json!({ "number": number }))), "{how}"),
            }
        }
        // Each of the others took effect once, at its first attempt, and did not wait for the bad one's retries.
        let others: Vec<_> = (0..10).filter(|number| *number != 4).map(|number| (number, 1)).collect();
        assert_eq!(done(&bus), others, "{how}");
        let tried = bus.log().into_iter().filter(|event| event.name == "Tried");
        let of_command: Vec<_> = tried.map(|event| (event.command_id.unwrap(), event.at_ms)).collect();
        let expected: Vec<_> = others.iter().map(|(number, _)| (sent[*number as usize], begin)).collect();
        assert_eq!(of_command, expected, "{how}");
    }
}

#[test]
fn one_that_waits_for_its_retry_keeps_nobody_waiting() {
    let mut bus = bus();
    let begin = bus.now_ms();
    let failing = bus.send(&attempt(1, 1, "fails"));
    let others = [bus.send(&attempt(2, 0, "")), bus.send(&Add { value: 1 })];
    bus.settle();
    let ended_at = |command| of(&bus, command).last().unwrap().at_ms;
    assert_eq!(others.map(ended_at), [begin; 2]);
    assert_eq!(ended_at(failing), begin + 1_000);
}

#[test]
fn a_requeued_command_completes_and_the_log_shows_both() {
    let is_mended = Arc::new(AtomicBool::new(false));
    let mut bus = bus().resource(IsMended(is_mended.clone()));
    let sent = bus.send(&attempt(1, u32::MAX, "until mended"));
    bus.settle();
    assert_eq!(bus.ended(sent), Some(Ended::Failed("broken".to_owned(), 4)));
    let in_vain = bus.requeue(sent);
    bus.settle();
    assert_eq!(bus.ended(in_vain), Some(Ended::Completed(serde_json::Value::Null)));
    assert_eq!(bus.ended(sent), Some(Ended::Failed("broken".to_owned(), 4)), "all attempts once more");

    is_mended.store(true, Ordering::Release);
    let requeue = bus.requeue(sent);
    bus.settle();
    assert_eq!(bus.ended(sent), Some(Ended::Completed(json!({ "number": 1 }))));
    assert_eq!(done(&bus), [(1, 1)]);
    let log = of(&bus, sent);
    let again = &log[log.len() - 3..];
    assert_eq!(names(again), [CommandRequeued::NAME, "Tried", CommandCompleted::NAME]);
    let requeued: CommandRequeued = serde_json::from_str(&again[0].body).unwrap();
    assert_eq!(requeued.requeued_by, requeue);
    assert!(log.iter().all(|event| event.conversation_id == log[0].conversation_id));
    assert_eq!(of(&bus, requeue)[0].initiator_id, Some(sent));
}

#[test]
fn only_a_failed_command_is_requeued() {
    let mut bus = bus();
    let sent = bus.send(&attempt(1, 0, ""));
    bus.settle();
    let unknown = CommandId::new();
    for command in [sent, unknown] {
        let requeue = bus.requeue(command);
        bus.settle();
        let reason = format!("{command} is no failed command of this endpoint: only those can be requeued");
        assert_eq!(bus.ended(requeue), Some(Ended::Failed(reason, 1)));
    }
    assert_eq!(done(&bus), [(1, 1)]);
    assert_eq!(RequeueCommand::NAME, "RequeueCommand");
}

#[test]
fn a_batch_handler_takes_many_at_once() {
    let mut bus = bus();
    let sent: Vec<_> = (1..=6).map(|value| bus.send(&Add { value })).collect();
    bus.settle();
    let batches: Vec<_> = bus.published::<Added>().iter().map(|added| added.batch).collect();
    assert_eq!(batches, [4, 4, 4, 4, 2, 2]);
    for (command, value) in sent.iter().zip(1..) {
        assert_eq!(bus.ended(*command), Some(Ended::Completed(json!({ "value": value }))));
        assert_eq!(names(&of(&bus, *command)), [CommandAccepted::NAME, "Added", CommandCompleted::NAME]);
    }
}

#[test]
fn a_batch_that_fails_is_handled_one_by_one() {
    let mut bus = bus();
    let sent: Vec<_> = [1, -1, 0, 2].map(|value| bus.send(&Add { value })).to_vec();
    bus.settle();
    let ended: Vec<_> = sent.iter().map(|command| bus.ended(*command).unwrap()).collect();
    let expected = [
        Ended::Completed(json!({ "value": 1 })),
        Ended::Failed("-1 is below zero".to_owned(), 1),
        Ended::Failed("the handler gave 0 outcomes for 1 messages".to_owned(), 1),
        Ended::Completed(json!({ "value": 2 })),
    ];
    assert_eq!(ended, expected);
    assert_eq!(bus.published::<Added>(), [Added { value: 1, batch: 1 }, Added { value: 2, batch: 1 }]);
}

/// The order in which commands of two lanes, some of which fail at first, are done.
fn order(seed: u64) -> Vec<String> {
    let mut bus = bus().seed(seed);
    for number in 0..6 {
        bus.send(&attempt(number, (number % 3) as u32, "fails"));
        bus.send(&Add { value: number + 1 });
    }
    bus.settle();
    let events = bus.log().into_iter().skip_while(|event| event.name == CommandAccepted::NAME);
    events.map(|event| format!("{} {} {}", event.name, event.at_ms, event.body)).collect()
}

#[test]
fn a_seed_gives_one_order_and_others_give_others() {
    let orders: Vec<_> = (0..8).map(order).collect();
    assert_eq!(orders, (0..8).map(order).collect::<Vec<_>>());
    assert!(orders.iter().any(|order| *order != orders[0]), "every seed gives the same order");
    let sorted = |order: &Vec<String>| {
        let mut sorted = order.clone();
        sorted.retain(|event| event.starts_with("Tried"));
        sorted.sort();
        sorted
    };
    assert!(orders.iter().all(|order| sorted(order) == sorted(&orders[0])), "the effects are the same");
}

#[cfg(feature = "postgres")]
#[test]
#[ignore = "needs servers: run scripts/test"]
fn handlers_work_alike_on_postgresql() {
    bus::testing::on_postgres(&[
        a_handler_that_fails_twice_then_works_takes_effect_once,
        a_handler_that_always_fails_has_done_nothing,
        what_went_wrong_once_works_the_next_time,
        what_is_refused_is_not_tried_again,
        what_cannot_be_read_is_refused_by_name,
        one_bad_message_does_not_spoil_its_batch,
        one_that_waits_for_its_retry_keeps_nobody_waiting,
        a_requeued_command_completes_and_the_log_shows_both,
        only_a_failed_command_is_requeued,
        a_batch_handler_takes_many_at_once,
        a_batch_that_fails_is_handled_one_by_one,
        a_seed_gives_one_order_and_others_give_others,
    ]);
}
