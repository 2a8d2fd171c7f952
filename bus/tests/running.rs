//! A bus that runs, with real threads and real faults.

use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use bus::{
    Accepted, Bus, CommandEnd, Consumer, EndedCommand, EventSource, Handled, Handler, HandlerError, Message,
    Retry, SendError, SendOptions, SqliteStore, StoredEvent, Work, values,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tick_sdk::contracts::bus::{CommandCompleted, CommandFailed};
use tick_sdk::contracts::{Command, CommandId, ConversationId};

#[path = "running/blocking.rs"]
mod blocking;
#[path = "running/counting.rs"]
mod counting;
#[path = "running/disk.rs"]
mod disk;
#[path = "running/failing.rs"]
mod failing;
#[path = "running/locked.rs"]
mod locked;
#[path = "running/remembering.rs"]
mod remembering;
#[path = "running/stopping.rs"]
mod stopping;

const TABLES: &str = "CREATE TABLE IF NOT EXISTS done (number INTEGER NOT NULL, fill BLOB) STRICT;";

/// Nothing here takes so long unless it is broken.
const PATIENCE: Duration = Duration::from_secs(30);

macro_rules! message {
    ($kind:ident $Name:ident { $($field:ident: $Type:ty),* }, $place:ident $context:literal) => {
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        struct $Name {
            $($field: $Type),*
        }

        tick_sdk::$kind!($Name, version 1, $place $context);
    };
}

message!(command Put { number: i64, fill: u32 }, endpoint "run");
message!(command Hold { number: i64 }, endpoint "run");
message!(command Block { number: i64 }, endpoint "run");
message!(command Careless { number: i64, fill: u32 }, endpoint "run");
message!(command Begin { number: i64 }, endpoint "run");
message!(command Tell { number: i64 }, endpoint "run");
message!(command Hear { number: i64 }, endpoint "ear");
message!(command Lost { number: i64 }, endpoint "nowhere");
message!(event Done { number: i64 }, context "run");

fn done(work: &mut Work<'_>, number: i64, fill: u32) -> Result<(), HandlerError> {
    let fill = vec![0; fill as usize];
    work.tables()?.execute("INSERT INTO done VALUES ($1, $2)", &values![number, fill])?;
    work.publish(&Done { number });
    Ok(())
}

/// A gate that handlers stand at until the test opens it.
#[derive(Clone, Default)]
struct Gate(Arc<(Mutex<GateState>, Condvar, tokio::sync::Notify)>);

#[derive(Default)]
struct GateState {
    waiting: usize,
    is_open: bool,
}

impl Gate {
    /// Waits until so many stand here.
    fn wait_for(&self, count: usize) {
        let state = self.0.0.lock().unwrap();
        let waited = self.0.1.wait_timeout_while(state, PATIENCE, |state| state.waiting < count);
        assert!(!waited.unwrap().1.timed_out(), "no handler came to the gate");
    }

    fn open(&self) {
        self.0.0.lock().unwrap().is_open = true;
        self.0.1.notify_all();
        self.0.2.notify_waiters();
    }

    fn come(&self) -> bool {
        let mut state = self.0.0.lock().unwrap();
        state.waiting += 1;
        self.0.1.notify_all();
        state.is_open
    }

    async fn pass(&self) {
        let notified = self.0.2.notified();
        let mut notified = std::pin::pin!(notified);
        notified.as_mut().enable();
        if !self.come() {
            notified.await;
        }
    }

    /// As [`Gate::pass`], without yielding.
    fn pass_blocking(&self) {
        self.come();
        let state = self.0.0.lock().unwrap();
        drop(self.0.1.wait_while(state, |state| !state.is_open).unwrap());
    }
}

macro_rules! handlers {
    ($($Handler:ident for $Command:ident $(timeout $timeout:literal ms)?: |$message:ident, $work:ident| $handle:block)*) => { $(
        #[derive(Default)]
        struct $Handler;

        impl Handler for $Handler {
            type Command = $Command;
            $(const TIMEOUT: Duration = Duration::from_millis($timeout);)?

            async fn handle(
                &self,
                $message: &Message<$Command>,
                $work: &mut Work<'_>,
            ) -> Result<Handled, HandlerError> $handle
        }

        bus::handler!($Handler);
    )* };
}

handlers! {
    OnPut for Put: |message, work| {
        done(work, message.body.number, message.body.fill)?;
        Ok(Handled::Done(json!({ "attempt": message.attempt })))
    }
    OnHold for Hold: |message, work| {
        // Below zero it waits before its transaction, else within.
        if message.body.number >= 0 {
            done(work, message.body.number, 0)?;
        }
        work.resource::<Gate>()?.pass().await;
        if message.body.number < 0 {
            done(work, message.body.number, 0)?;
        }
        Ok(Handled::Done(json!({ "attempt": message.attempt })))
    }
    OnBlock for Block timeout 200 ms: |message, work| {
        work.resource::<Gate>()?.pass_blocking();
        done(work, message.body.number, 0)?;
        Ok(Handled::DONE)
    }
    OnCareless for Careless: |message, work| {
        // An error that is not looked at: what follows must not take effect without what failed.
        let _ = done(work, message.body.number, message.body.fill);
        work.resource::<Gate>()?.come();
        done(work, message.body.number + 1, 0)?;
        Ok(Handled::Done(json!({ "attempt": message.attempt })))
    }
    OnBegin for Begin: |message, work| {
        done(work, message.body.number, 0)?;
        Ok(Handled::Processing)
    }
    OnTell for Tell: |message, work| {
        let number = message.body.number;
        work.send(&Hear { number });
        work.send(&Lost { number });
        done(work, number, 0)?;
        Ok(Handled::DONE)
    }
    OnHear for Hear: |message, work| {
        work.tables()?.execute("INSERT INTO done VALUES ($1, NULL)", &values![message.body.number])?;
        Ok(Handled::DONE)
    }
}

struct IsMended(Arc<AtomicBool>);

#[derive(Default)]
struct OnDone;

impl Consumer for OnDone {
    type Event = Done;
    const RETRY: Retry = Retry::Never;

    async fn consume(&self, message: &Message<Done>, work: &mut Work<'_>) -> Result<(), HandlerError> {
        let number = message.body.number;
        if number == 13 && !work.resource::<IsMended>()?.0.load(Ordering::Acquire) {
            return Err(HandlerError::failed("13 is bad luck"));
        }
        work.tables()?.execute("INSERT INTO done VALUES ($1, NULL)", &values![number + 1000])?;
        Ok(())
    }
}

bus::consumer!(OnDone, in "ear");

fn open(folder: &Path, name: &str) -> SqliteStore {
    SqliteStore::open(&folder.join(format!("{name}.sqlite")), TABLES).unwrap()
}

fn started(folder: &Path, gate: &Gate) -> Bus {
    let bus = Bus::builder().context("run", open(folder, "run"));
    bus.resource(gate.clone()).start().unwrap()
}

/// The numbers that took effect, counted from outside.
fn numbers(folder: &Path, name: &str) -> Vec<i64> {
    let connection = rusqlite::Connection::open(folder.join(format!("{name}.sqlite"))).unwrap();
    let mut statement = connection.prepare("SELECT number FROM done ORDER BY number").unwrap();
    statement.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
}

/// Waits for events until `find` has what it looks for.
fn wait_for<T>(bus: &Bus, context: &str, mut find: impl FnMut(&StoredEvent) -> Option<T>) -> T {
    let until = Instant::now() + PATIENCE;
    let mut position = 0;
    loop {
        for event in bus.events_after(context, position, 1000).unwrap() {
            position = event.position;
            if let Some(found) = find(&event) {
                return found;
            }
        }
        let left = until.saturating_duration_since(Instant::now());
        assert!(!left.is_zero(), "it has not happened in {PATIENCE:?}; the log ends at {position}");
        bus.wait_beyond(context, position, left);
    }
}

/// Waits until a command has ended; the name of the event that says how, and its body.
fn ended(bus: &Bus, context: &str, command: CommandId) -> (String, serde_json::Value) {
    wait_for(bus, context, |event| {
        let is_end =
            [CommandCompleted::NAME, CommandFailed::NAME, "CommandCancelled"].contains(&&*event.name);
        (is_end && event.command_id == Some(command))
            .then(|| (event.name.clone(), serde_json::from_str(&event.body).unwrap()))
    })
}

fn completed(bus: &Bus, context: &str, command: CommandId) -> serde_json::Value {
    let (name, body) = ended(bus, context, command);
    assert_eq!(name, CommandCompleted::NAME, "{body}");
    body["result"].clone()
}

/// Looks again and again, for what no event tells of.
async fn eventually<T>(mut find: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = find() {
            return found;
        }
        assert!(Instant::now() < until, "it has not happened in {PATIENCE:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn with_id(command_id: CommandId) -> SendOptions {
    SendOptions { command_id: Some(command_id), ..SendOptions::default() }
}

async fn send<C: Command>(bus: &Bus, command: &C) -> Result<Accepted, SendError> {
    bus.send(command, SendOptions::default()).await
}

async fn sent<C: Command>(bus: &Bus, command: &C) -> CommandId {
    send(bus, command).await.unwrap().command_id
}

fn unavailable(result: Result<Accepted, SendError>) -> String {
    match result {
        Err(SendError::Unavailable { reason, .. }) => reason,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_id_stands_for_one_command() {
    let folder = tempfile::tempdir().unwrap();
    let bus = started(folder.path(), &Gate::default());
    let id = CommandId::of_key("caller", "key");
    let options = || SendOptions { caller: "caller".to_owned(), ..with_id(id) };
    let put = Put { number: 1, fill: 0 };
    let first = bus.send(&put, options()).await.unwrap();
    let expected = Accepted { command_id: id, conversation_id: ConversationId(id.0), is_known: false };
    assert_eq!(first, expected);
    assert_eq!(completed(&bus, "run", id), json!({ "attempt": 1 }));
    assert_eq!(bus.send(&put, options()).await.unwrap(), Accepted { is_known: true, ..expected });
    let other = bus.send(&Put { number: 2, fill: 0 }, options()).await;
    assert!(matches!(other, Err(SendError::OtherBody { command_id }) if command_id == id), "{other:?}");
    let nowhere = bus.send(&Lost { number: 1 }, options()).await;
    assert_eq!(nowhere.unwrap_err().to_string(), "there is no endpoint 'nowhere'; there are: run");
    assert!(bus.stop(PATIENCE));
    assert_eq!(numbers(folder.path(), "run"), [1]);
}

/// Whoever is second is refused, or asked to come again: then it is known who was first.
#[tokio::test]
async fn an_id_stands_for_one_command_of_all_endpoints() {
    let folder = tempfile::tempdir().unwrap();
    let open = |name| open(folder.path(), name);
    let bus = Bus::builder().context("run", open("run")).context("ear", open("ear"));
    let bus = bus.resource(Gate::default()).resource(IsMended(Arc::default())).start().unwrap();
    for number in 0..50 {
        let id = CommandId::of_key("caller", &number.to_string());
        let (put, hear) = (Put { number, fill: 0 }, Hear { number });
        let (run, ear) = tokio::join!(bus.send(&put, with_id(id)), bus.send(&hear, with_id(id)));
        let is_first = [run.is_ok(), ear.is_ok()];
        assert!(is_first == [true, false] || is_first == [false, true], "{run:?} {ear:?}");
        let (again, second) = if is_first[0] {
            (bus.send(&put, with_id(id)).await, bus.send(&hear, with_id(id)).await)
        } else {
            (bus.send(&hear, with_id(id)).await, bus.send(&put, with_id(id)).await)
        };
        assert!(again.unwrap().is_known);
        assert!(matches!(second, Err(SendError::OtherBody { command_id }) if command_id == id), "{second:?}");
    }
    assert!(bus.stop(PATIENCE));
}

#[tokio::test]
async fn long_work_ends_its_command_once() {
    let folder = tempfile::tempdir().unwrap();
    let bus = started(folder.path(), &Gate::default());
    let accepted = send(&bus, &Begin { number: 1 }).await.unwrap();
    let Accepted { command_id, conversation_id, .. } = accepted;
    wait_for(&bus, "run", |event| (event.name == "CommandProcessing").then_some(()));
    let command = EndedCommand { command_id, conversation_id, initiator_id: None, attempts: 1 };
    let end = || {
        bus.transaction("run", |work| -> Result<bool, bus::StoreError> {
            work.caused_by_command(&command);
            work.publish(&Done { number: 2 });
            work.end(&command, CommandEnd::Completed { result: json!({ "end": 1 }), readable_at: Vec::new() })
        })
    };
    assert!(end().unwrap());
    assert_eq!(completed(&bus, "run", command_id), json!({ "end": 1 }));
    let log = bus.events_after("run", 0, 99).unwrap();
    let last: Vec<_> = log[log.len() - 2..].iter().map(|event| (&*event.name, event.command_id)).collect();
    assert_eq!(last, [("Done", Some(command_id)), (CommandCompleted::NAME, Some(command_id))]);
    assert!(!end().unwrap(), "it has ended");
}

/// What handlers send goes to its endpoint, and what goes nowhere is seen as failed where it was sent.
#[tokio::test]
async fn commands_and_events_go_from_context_to_context() {
    let folder = tempfile::tempdir().unwrap();
    let is_mended = Arc::new(AtomicBool::new(false));
    let bus = Bus::builder()
        .context("run", open(folder.path(), "run"))
        .context("ear", open(folder.path(), "ear"))
        .resource(IsMended(is_mended.clone()))
        .start()
        .unwrap();
    let mut told = Vec::new();
    for number in [1, 13, 2] {
        told.push(sent(&bus, &Tell { number }).await);
    }
    for command in &told {
        completed(&bus, "run", *command);
        wait_for(&bus, "ear", |event| {
            (event.initiator_id == Some(*command) && event.name == CommandCompleted::NAME).then_some(())
        });
        let lost = wait_for(&bus, "run", |event| {
            let is_it = event.initiator_id == Some(*command) && event.name == CommandFailed::NAME;
            is_it.then(|| event.body.clone())
        });
        assert!(lost.contains("nobody serves the endpoint 'nowhere'"), "{lost}");
    }
    // The consumer has put one event off. Requeued, it is taken at once: its lane is woken for that, too.
    let put_off = wait_for(&bus, "ear", |event| {
        (event.name == CommandFailed::NAME && event.body.contains("bad luck")).then_some(event.command_id)
    });
    is_mended.store(true, Ordering::Release);
    let put_off = put_off.unwrap();
    // The consumer has nothing else to do by now.
    sent(&bus, &Begin { number: 3 }).await;
    eventually(|| numbers(folder.path(), "ear").contains(&1003).then_some(())).await;
    bus.requeue("ear", put_off, SendOptions::default()).await.unwrap();
    wait_for(&bus, "ear", |event| {
        (event.name == CommandCompleted::NAME && event.command_id == Some(put_off)).then_some(())
    });
    // The cursor of an event that was taken is stored with it.
    assert!(bus.stop(PATIENCE));
    assert_eq!(numbers(folder.path(), "run"), [1, 2, 3, 13]);
    assert_eq!(numbers(folder.path(), "ear"), [1, 2, 13, 1001, 1002, 1003, 1013]);
}

/// How often each number is there.
fn counts(numbers: &[i64]) -> HashMap<i64, usize> {
    let mut counts = HashMap::new();
    for number in numbers {
        *counts.entry(*number).or_default() += 1;
    }
    counts
}
