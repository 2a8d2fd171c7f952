//! A handler that ends the whole process, as one does that aborts, overflows its stack or needs too much memory: the
//! processes after it find out which message it is, count its ends as attempts, and go on without it.

#![cfg(unix)]

#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "rabbitmq")]
mod rabbitmq;

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command as Program, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bus::store::{NewCommand, Store, StoredEvent};
use bus::{
    Bus, BusBuilder, Consumer, EventSource, Handled, Handler, HandlerError, Message, Retry, SqliteStore,
    Work, values,
};
use serde::{Deserialize, Serialize};
use tick_sdk::contracts::bus::{CommandCompleted, CommandFailed};
use tick_sdk::contracts::{Command, CommandId, ConversationId, MessageId};

/// Set for the process that ends: the file or the URL of its store.
const STORE: &str = "ORCHARD_BUS_ABORTS_STORE";
/// Set for it, too, where commands come over a broker: its URL.
#[cfg(feature = "rabbitmq")]
const BROKER: &str = "ORCHARD_BUS_ABORTS_BROKER";
/// Set for it, too: it stops when so many commands have ended, those of its consumer included.
const UNTIL: &str = "ORCHARD_BUS_ABORTS_UNTIL";
const SIGABRT: i32 = 6;
/// Nothing here takes so long unless it is broken.
const PATIENCE: Duration = Duration::from_secs(60);
/// The message with this number ends the process.
const CULPRIT: i64 = 4;
/// What each of the handlers gives a message.
const ATTEMPTS: u32 = 3;
const TABLES: &str =
    "CREATE TABLE IF NOT EXISTS effect (kind TEXT NOT NULL, number INTEGER NOT NULL) STRICT;";

macro_rules! message {
    ($kind:ident $Name:ident, $place:ident $context:literal) => {
        #[derive(Serialize, Deserialize)]
        struct $Name {
            number: i64,
        }

        tick_sdk::$kind!($Name, version 1, $place $context);
    };
}

message!(command Labour, endpoint "aborts");
message!(command Say, endpoint "aborts");
message!(event Said, context "aborts");

fn effect(work: &mut Work<'_>, kind: &str, number: i64) -> Result<(), HandlerError> {
    work.tables()?.execute("INSERT INTO effect VALUES ($1, $2)", &values![kind, number])?;
    Ok(())
}

#[derive(Default)]
struct OnWork;

impl Handler for OnWork {
    type Command = Labour;
    const RETRY: Retry = Retry::Immediate(ATTEMPTS - 1);

    async fn handle(&self, message: &Message<Labour>, work: &mut Work<'_>) -> Result<Handled, HandlerError> {
        effect(work, "work", message.body.number)?;
        if message.body.number == CULPRIT {
            std::process::abort();
        }
        Ok(Handled::DONE)
    }
}

bus::handler!(OnWork);

#[derive(Default)]
struct OnSay;

impl Handler for OnSay {
    type Command = Say;

    async fn handle(&self, message: &Message<Say>, work: &mut Work<'_>) -> Result<Handled, HandlerError> {
        effect(work, "say", message.body.number)?;
        work.publish(&Said { number: message.body.number });
        Ok(Handled::DONE)
    }
}

bus::handler!(OnSay);

#[derive(Default)]
struct OnSaid;

impl Consumer for OnSaid {
    type Event = Said;
    const RETRY: Retry = Retry::Immediate(ATTEMPTS - 1);

    async fn consume(&self, message: &Message<Said>, work: &mut Work<'_>) -> Result<(), HandlerError> {
        effect(work, "said", message.body.number)?;
        if message.body.number == CULPRIT {
            std::process::abort();
        }
        Ok(())
    }
}

bus::consumer!(OnSaid, in "aborts");

/// In another process this is the whole program.
#[test]
fn the_process_that_ends() {
    let (Ok(place), Ok(until)) = (std::env::var(STORE), std::env::var(UNTIL)) else { return };
    let bus = with_broker(Bus::builder().shared_context("aborts", open(&place))).start().unwrap();
    let until: usize = until.parse().unwrap();
    let patience = Instant::now() + PATIENCE;
    let ended =
        || bus.events_after("aborts", 0, 10_000).unwrap().iter().filter(|event| is_end(event)).count();
    while ended() < until {
        assert!(Instant::now() < patience, "{} of {until} have ended", ended());
        let head = bus.head("aborts").unwrap();
        bus.wait_beyond("aborts", head, Duration::from_millis(50));
    }
    assert!(bus.stop(PATIENCE));
}

#[cfg(not(feature = "rabbitmq"))]
const fn with_broker(builder: BusBuilder) -> BusBuilder {
    builder
}

#[cfg(feature = "rabbitmq")]
fn with_broker(builder: BusBuilder) -> BusBuilder {
    match std::env::var(BROKER) {
        Ok(url) => builder.rabbitmq(url.parse().unwrap(), rabbitmq::options()),
        Err(_) => builder,
    }
}

fn is_end(event: &StoredEvent) -> bool {
    [CommandCompleted::NAME, CommandFailed::NAME].contains(&event.name.as_str())
}

fn open(place: &str) -> Arc<dyn Store> {
    #[cfg(feature = "postgres")]
    if place.starts_with("postgres") {
        return Arc::new(bus::PostgresStore::open(place, "aborts", TABLES).unwrap());
    }
    Arc::new(SqliteStore::open(Path::new(place), TABLES).unwrap())
}

fn begin(place: &str, until: usize) -> Child {
    begin_with(place, until).spawn().unwrap()
}

fn begin_with(place: &str, until: usize) -> Program {
    let mut program = Program::new(std::env::current_exe().unwrap());
    program.args(["--exact", "the_process_that_ends", "--nocapture"]).stdout(Stdio::null());
    program.env(STORE, place).env(UNTIL, until.to_string());
    program
}

/// Keeps so many processes running until each has seen all end; gives how many were ended by the culprit.
fn run(place: &str, processes: usize, until: usize) -> u32 {
    keep_running((0..processes).map(|_| begin(place, until)).collect(), || begin(place, until))
}

fn keep_running(mut running: Vec<Child>, begin: impl Fn() -> Child) -> u32 {
    let mut deaths = 0;
    while let Some(mut child) = running.pop() {
        match child.wait().unwrap() {
            status if status.success() => {}
            status => {
                assert_eq!(status.signal(), Some(SIGABRT), "{status}");
                deaths += 1;
                assert!(deaths < 50, "it ends the process for ever");
                running.insert(0, begin());
            }
        }
    }
    deaths
}

fn accept<C: Command>(store: &dyn Store, command: impl Fn(i64) -> C) -> Vec<CommandId> {
    let commands: Vec<_> = (0..10)
        .map(|number| {
            let command_id = CommandId::of_key(C::NAME, &number.to_string());
            NewCommand {
                command_id,
                conversation_id: ConversationId(command_id.0),
                initiator_id: None,
                name: C::NAME.to_owned(),
                version: C::VERSION,
                endpoint: C::ENDPOINT.to_owned(),
                caller: "test".to_owned(),
                body: serde_json::to_string(&command(number)).unwrap(),
                original: None,
            }
        })
        .collect();
    store.accept(&commands, 1).unwrap();
    commands.iter().map(|command| command.command_id).collect()
}

/// How each command ended: completed at which attempt, or failed for which reason.
fn ends(store: &dyn Store) -> BTreeMap<CommandId, (u32, Option<String>)> {
    let events = store.events_after(0, 10_000).unwrap();
    let of = |event: &StoredEvent| match event.name.as_str() {
        CommandCompleted::NAME => {
            let completed: CommandCompleted = serde_json::from_str(&event.body).unwrap();
            Some((event.command_id?, (completed.attempts, None)))
        }
        CommandFailed::NAME => {
            let failed: CommandFailed = serde_json::from_str(&event.body).unwrap();
            Some((event.command_id?, (failed.attempts, Some(failed.reason))))
        }
        _ => None,
    };
    let ends: Vec<_> = events.iter().filter_map(of).collect();
    let count = ends.len();
    let ends: BTreeMap<_, _> = ends.into_iter().collect();
    assert_eq!(ends.len(), count, "each ends once");
    ends
}

fn effects(store: &dyn Store, kind: &str) -> Vec<i64> {
    let sql = "SELECT number FROM effect WHERE kind = $1 ORDER BY number";
    store.query(sql, &values![kind]).unwrap().iter().map(|row| row.get(0).unwrap()).collect()
}

fn failed() -> (u32, Option<String>) {
    (ATTEMPTS, Some(format!("the process ended while it was handled, {ATTEMPTS} times")))
}

const INNOCENT: [i64; 9] = [0, 1, 2, 3, 5, 6, 7, 8, 9];

/// The command that ends processes fails, and its neighbours are carried out once, without an attempt more.
fn a_command_fails(place: &str, processes: usize) -> u32 {
    let store = open(place);
    let ids = accept(&*store, |number| Labour { number });
    let deaths = run(place, processes, ids.len());
    assert_one_failed(&*store, &ids);
    deaths
}

fn assert_one_failed(store: &dyn Store, ids: &[CommandId]) {
    let ends = ends(store);
    for (number, id) in (0..).zip(ids) {
        let expected = if number == CULPRIT { failed() } else { (1, None) };
        assert_eq!(ends[id], expected, "number {number}");
    }
    assert_eq!(effects(store, "work"), INNOCENT);
}

/// So it is with an event that ends its consumer's process.
fn an_event_fails(place: &str, processes: usize) -> u32 {
    let store = open(place);
    let ids = accept(&*store, |number| Say { number });
    // The event becomes a command of its own when it has failed.
    let deaths = run(place, processes, ids.len() + 1);
    let ends = ends(&*store);
    assert!(ids.iter().all(|id| ends[id].1.is_none()), "{ends:?}");
    let said = store.events_after(0, 10_000).unwrap();
    let body = format!(r#"{{"number":{CULPRIT}}}"#);
    let culprit = said.iter().find(|event| event.name == "Said" && event.body == body).unwrap();
    let MessageId(id) = culprit.message_id;
    assert_eq!(ends[&CommandId::of_key("aborts::OnSaid", &id.to_string())], failed());
    assert_eq!(effects(&*store, "say"), (0..10).collect::<Vec<_>>());
    assert_eq!(effects(&*store, "said"), INNOCENT);
    deaths
}

/// One process ends with a batch, and nobody knows why; each of the others at a message that is known.
const DEATHS: u32 = 1 + ATTEMPTS;

#[test]
fn a_command_that_ends_its_process_fails() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(a_command_fails(folder.path().join("test.sqlite").to_str().unwrap(), 1), DEATHS);
}

#[test]
fn an_event_that_ends_its_consumers_process_fails() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(an_event_fails(folder.path().join("test.sqlite").to_str().unwrap(), 1), DEATHS);
}
