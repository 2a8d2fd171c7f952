//! Three processes serve one context in PostgreSQL; one of them after another is killed at any moment and started
//! again, under a stream of commands. At the end each has taken effect once, counted from outside.
#![cfg(feature = "postgres")]

use std::collections::BTreeMap;
use std::process::{Child, Command as Program, Stdio};
use std::time::{Duration, Instant};

use bus::{
    Bus, Consumer, Handled, Handler, HandlerError, Message, PostgresStore, Retry, SendOptions, Store, Work,
    values,
};
use database::testing::Database;
use serde::{Deserialize, Serialize};
use tick_sdk::contracts::CommandId;

/// Set for the processes that are killed: the database.
const URL: &str = "ORCHARD_BUS_SHARED_URL";
const PROCESSES: usize = 3;
/// Nothing here takes so long unless it is broken.
const PATIENCE: Duration = Duration::from_secs(120);

const TABLES: &str = "
CREATE TABLE IF NOT EXISTS effect (number INTEGER NOT NULL, kind TEXT NOT NULL) STRICT;
";

macro_rules! message {
    ($kind:ident $Name:ident, $place:ident) => {
        #[derive(Serialize, Deserialize)]
        struct $Name {
            number: i64,
        }

        tick_sdk::$kind!($Name, version 1, $place "shared");
    };
}

message!(command Do, endpoint);
message!(command Pass, endpoint);
message!(event Done, context);

fn effect(work: &mut Work<'_>, number: i64, kind: &str) -> Result<(), HandlerError> {
    work.tables()?.execute("INSERT INTO effect VALUES ($1, $2)", &values![number, kind])?;
    Ok(())
}

/// Every seventh fails at first.
#[derive(Default)]
struct OnDo;

impl Handler for OnDo {
    type Command = Do;
    const RETRY: Retry = Retry::Intervals(&[Duration::from_millis(5); 9]);
    const BATCH: usize = 10;

    async fn handle(&self, message: &Message<Do>, work: &mut Work<'_>) -> Result<Handled, HandlerError> {
        let number = message.body.number;
        effect(work, number, "done")?;
        work.publish(&Done { number });
        work.send(&Pass { number });
        if number % 7 == 5 && message.attempt == 1 {
            return Err(HandlerError::failed("at first"));
        }
        Ok(Handled::DONE)
    }
}

bus::handler!(OnDo);

#[derive(Default)]
struct OnPass;

impl Handler for OnPass {
    type Command = Pass;

    async fn handle(&self, message: &Message<Pass>, work: &mut Work<'_>) -> Result<Handled, HandlerError> {
        effect(work, message.body.number, "passed")?;
        Ok(Handled::DONE)
    }
}

bus::handler!(OnPass);

/// Every fifth event is put off.
#[derive(Default)]
struct OnDone;

impl Consumer for OnDone {
    type Event = Done;
    const RETRY: Retry = Retry::Immediate(9);

    async fn consume(&self, message: &Message<Done>, work: &mut Work<'_>) -> Result<(), HandlerError> {
        effect(work, message.body.number, "consumed")?;
        if message.body.number % 5 == 1 && message.attempt == 1 {
            return Err(HandlerError::failed("at first"));
        }
        Ok(())
    }
}

bus::consumer!(OnDone, in "shared");

fn served(url: &str) -> Bus {
    let store = PostgresStore::open(url, "shared", TABLES).unwrap();
    Bus::builder().context("shared", store).start().unwrap()
}

/// The process that is killed; as a test it has nothing to do.
#[test]
fn serve_until_killed() {
    let Ok(url) = std::env::var(URL) else { return };
    let _bus = served(&url);
    std::thread::sleep(PATIENCE * 10);
}

/// Ended with the test, whatever becomes of it.
struct Process(Child);

impl Process {
    fn start(url: &str) -> Self {
        let mut program = Program::new(std::env::current_exe().unwrap());
        program.args(["--exact", "serve_until_killed", "--nocapture"]).env(URL, url);
        Self(program.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // SIGKILL: it has no time to say anything.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn counts(store: &dyn Store, kind: &str) -> BTreeMap<i64, u64> {
    let sql = "SELECT number, count(*) FROM effect WHERE kind = $1 GROUP BY number";
    let rows = store.query(sql, &values![kind]).unwrap();
    rows.iter().map(|row| (row.get(0).unwrap(), row.get(1).unwrap())).collect()
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn processes_that_share_a_context_and_are_killed_lose_and_double_nothing() {
    let rounds = if std::env::var_os("ORCHARD_TEST_LONG").is_some() { 300 } else { 12 };
    let database = Database::create();
    let url = database.url();
    let bus = served(&url);
    let store = PostgresStore::open_to_read(&url, "shared").unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut processes: Vec<_> = (0..PROCESSES).map(|_| Process::start(&url)).collect();
    let mut sent = 0_i64;
    for round in 0..rounds as u64 {
        for _ in 0..40 {
            let command_id = Some(CommandId::of_key("shared", &sent.to_string()));
            let options = SendOptions { command_id, ..SendOptions::default() };
            runtime.block_on(bus.send(&Do { number: sent }, options)).unwrap();
            sent += 1;
        }
        // Not synchronisation: any moment will do.
        std::thread::sleep(Duration::from_millis(round % 5 * 30));
        let place = round as usize % PROCESSES;
        processes[place] = Process::start(&url);
    }
    let expected: BTreeMap<_, _> = (0..sent).map(|number| (number, 1)).collect();
    let until = Instant::now() + PATIENCE;
    let left = "SELECT count(*) FROM inbox WHERE state < 2";
    let is_done = || {
        let is_left = store.query(left, &[]).unwrap()[0].get::<u64>(0).unwrap() > 0;
        let all = ["done", "passed", "consumed"].map(|kind| counts(&store, kind).len());
        !is_left && all == [expected.len(); 3]
    };
    while !is_done() {
        assert!(Instant::now() < until, "some are left");
        std::thread::sleep(Duration::from_millis(50));
    }
    for kind in ["done", "passed", "consumed"] {
        assert_eq!(counts(&store, kind), expected, "{kind}");
    }
    // Put-off events are commands of the inbox, too.
    let ended = "SELECT count(*), count(DISTINCT command_id), (SELECT count(*) FROM inbox) FROM event
        WHERE name IN ('CommandCompleted', 'CommandFailed')";
    let ended = &store.query(ended, &[]).unwrap()[0];
    let [all, distinct, accepted] = [0, 1, 2].map(|column| ended.get::<u64>(column).unwrap());
    assert_eq!((all, distinct), (accepted, accepted));
    let holes = "SELECT count(*), max(position), (SELECT head FROM log) FROM event";
    let holes = &store.query(holes, &[]).unwrap()[0];
    let [count, last, head] = [0, 1, 2].map(|column| holes.get::<u64>(column).unwrap());
    assert_eq!((count, last), (head, head), "the log has holes");
    drop(processes);
    assert!(bus.stop(PATIENCE));
}
