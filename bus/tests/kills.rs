//! A process that handles commands is killed again and again, at any moment, under a stream of them: at the end
//! each has ended once, and its effects are there once, counted from outside.
//!
//! This program starts itself as the one that is killed, so it has no test harness.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command as Program, ExitCode, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use bus::{
    Bus, Consumer, EventSource, Handled, Handler, HandlerError, Message, Retry, SendError, SendOptions,
    SqliteStore, Work,
};
use rusqlite::Connection;
use serde::{Deserialize, Serialize};
use tick_sdk::contracts::CommandId;

/// Set for the process that is killed: the folder of its state.
const FOLDER: &str = "ORCHARD_BUS_KILLS_FOLDER";
/// Set for it, too: the first number that it sends; none for the one that only finishes what there is.
const FROM: &str = "ORCHARD_BUS_KILLS_FROM";

/// Where it is killed before it is killed at random: each time at the first or at the third time it comes there.
const POINTS: [&str; 20] = [
    "first before-accept 1",
    "first before-accept 3",
    "first after-accept 1",
    "first after-accept 3",
    "first before-commit 1",
    "first before-commit 3",
    "first after-commit 1",
    "first after-commit 3",
    "second before-forward 1",
    "second before-forward 3",
    "second after-forward 1",
    "second after-forward 3",
    "second before-commit 1",
    "second before-commit 3",
    "second after-commit 1",
    "second after-commit 3",
    "second before-consumed 1",
    "second before-consumed 3",
    "second after-consumed 1",
    "second after-consumed 3",
];

/// How a process ends that ends itself at a point.
const SIGABRT: i32 = 6;

const TABLES: &str = "
CREATE TABLE IF NOT EXISTS effect (number INTEGER NOT NULL, kind TEXT NOT NULL) STRICT;
";

macro_rules! message {
    ($kind:ident $Name:ident, $place:ident $context:literal) => {
        #[derive(Serialize, Deserialize)]
        struct $Name {
            number: i64,
        }

        tick_sdk::$kind!($Name, version 1, $place $context);
    };
}

message!(command Do, endpoint "first");
message!(command Pass, endpoint "second");
message!(event Done, context "first");

fn effect(work: &mut Work<'_>, number: i64, kind: &str) -> Result<(), HandlerError> {
    work.tables()?.execute("INSERT INTO effect VALUES ($1, $2)", &bus::values![number, kind])?;
    Ok(())
}

/// Every seventh fails at first, every eleventh is refused; all have written before.
#[derive(Default)]
struct OnDo;

const fn is_refused(number: i64) -> bool {
    number % 11 == 3
}

impl Handler for OnDo {
    type Command = Do;
    const RETRY: Retry = Retry::Intervals(&[Duration::from_millis(5); 9]);

    async fn handle(&self, message: &Message<Do>, work: &mut Work<'_>) -> Result<Handled, HandlerError> {
        let number = message.body.number;
        effect(work, number, "done")?;
        work.publish(&Done { number });
        work.send(&Pass { number });
        if number % 7 == 5 && message.attempt == 1 {
            return Err(HandlerError::failed("at first"));
        }
        if is_refused(number) {
            return Err(HandlerError::refused("never"));
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

bus::consumer!(OnDone, in "second");

fn main() -> ExitCode {
    if let Some(folder) = std::env::var_os(FOLDER) {
        be_killed(Path::new(&folder));
        return ExitCode::SUCCESS;
    }
    let is_long = std::env::var_os("ORCHARD_TEST_LONG").is_some();
    kill_again_and_again(if is_long { 200 } else { 30 });
    println!("test every_command_takes_effect_once_whatever_is_killed ... ok");
    ExitCode::SUCCESS
}

fn file(folder: &Path, context: &str) -> std::path::PathBuf {
    folder.join(format!("{context}.sqlite"))
}

/// The process that is killed: it says which commands are accepted.
fn be_killed(folder: &Path) {
    let open = |context| SqliteStore::open(&file(folder, context), TABLES).unwrap();
    let bus =
        Bus::builder().context("first", open("first")).context("second", open("second")).start().unwrap();
    let bus = Arc::new(bus);
    let Ok(from) = std::env::var(FROM) else { return finish(&bus, folder) };
    let next = Arc::new(AtomicI64::new(from.parse().unwrap()));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let senders = (0..8).map(|_| {
            let (bus, next) = (bus.clone(), next.clone());
            async move {
                loop {
                    let number = next.fetch_add(1, Ordering::AcqRel);
                    let command_id = Some(CommandId::of_key("kills", &number.to_string()));
                    let options = SendOptions { command_id, ..SendOptions::default() };
                    // A disk that is busy for too long: it is sent again under its id.
                    while let Err(error) = bus.send(&Do { number }, options.clone()).await {
                        assert!(matches!(error, SendError::Unavailable { .. }), "{error}");
                    }
                    println!("{number}");
                }
            }
        });
        futures_util::future::join_all(senders).await;
    });
}

/// Goes on until nothing is left to do.
fn finish(bus: &Bus, folder: &Path) {
    let until = Instant::now() + Duration::from_secs(60);
    let connections = ["first", "second"].map(|context| Connection::open(file(folder, context)).unwrap());
    let left = || -> i64 {
        let sql = "SELECT (SELECT count(*) FROM inbox WHERE state < 2) + (SELECT count(*) FROM outgoing)";
        connections.iter().map(|c| c.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap()).sum()
    };
    let last_done = "SELECT coalesce(max(position), 0) FROM event WHERE name = 'Done'";
    let is_consumed = || {
        let last: i64 = connections[0].query_row(last_done, [], |row| row.get(0)).unwrap();
        let cursor = "SELECT coalesce(max(position), 0) FROM cursor";
        connections[1].query_row(cursor, [], |row| row.get::<_, i64>(0)).unwrap() >= last
    };
    // What is left in one context is looked at before and after what it causes in the other.
    while left() > 0 || !is_consumed() || left() > 0 {
        assert!(Instant::now() < until, "{} are left", left());
        let head = bus.head("second").unwrap();
        bus.wait_beyond("second", head, Duration::from_millis(20));
    }
    assert!(bus.stop(Duration::from_secs(20)));
}

/// Draws by xorshift.
fn draw(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

fn kill_again_and_again(times: usize) {
    let folder = tempfile::tempdir().unwrap();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let seed =
        std::env::var("ORCHARD_TEST_SEED").map_or(now.as_nanos() as u64 | 1, |seed| seed.parse().unwrap());
    println!("ORCHARD_TEST_SEED={seed}");
    let mut random = seed;
    let program = || {
        let mut program = Program::new(std::env::current_exe().unwrap());
        program.env(FOLDER, folder.path()).stdout(Stdio::piped());
        program
    };
    let mut accepted = BTreeSet::new();
    for point in POINTS {
        let from = accepted.last().map_or(0, |last: &i64| (last - 5).max(0));
        let mut child = program().env(FROM, from.to_string()).env("ORCHARD_KILL_AT", point).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        accepted.extend(lines.map_while(Result::ok).map(|line| line.parse::<i64>().unwrap()));
        assert_eq!(child.wait().unwrap().signal(), Some(SIGABRT), "{point}");
    }
    for _ in 0..times {
        // The last ones are sent again: they may be there already.
        let from = accepted.last().map_or(0, |last: &i64| (last - 5).max(0));
        let mut child = program().env(FROM, from.to_string()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let lines_before = draw(&mut random) % 120;
        let pause = Duration::from_micros(draw(&mut random) % 3_000);
        for (line, read) in lines.map_while(Result::ok).zip(1..) {
            accepted.insert(line.parse().unwrap());
            if read == lines_before + 1 {
                // Not synchronisation: any moment will do.
                std::thread::sleep(pause);
                child.kill().unwrap();
            }
        }
        assert!(!child.wait().unwrap().success(), "it ended before it was killed");
    }
    let finished = program().env_remove(FROM).status().unwrap();
    assert!(finished.success(), "what was left was not finished");
    check(folder.path(), &accepted);
}

type Counts = BTreeMap<i64, u32>;

fn counts(connection: &Connection, sql: &str) -> Counts {
    let mut statement = connection.prepare(sql).unwrap();
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    rows.collect::<Result<_, _>>().unwrap()
}

fn check(folder: &Path, accepted: &BTreeSet<i64>) {
    let [first, second] = ["first", "second"].map(|context| Connection::open(file(folder, context)).unwrap());
    let number = "json_extract(body, '$.number')";
    let of_inbox =
        format!("SELECT {number}, state FROM inbox JOIN command USING (seq) WHERE command.name = 'Do'");
    let states = counts(&first, &of_inbox);
    assert!(accepted.iter().all(|number| states.contains_key(number)), "a command that was accepted is lost");
    assert!(states.len() >= accepted.len() && !accepted.is_empty());
    for (number, state) in &states {
        assert_eq!(*state, if is_refused(*number) { 3 } else { 2 }, "{number}");
    }
    let once: Counts =
        states.keys().filter(|number| !is_refused(**number)).map(|number| (*number, 1)).collect();
    let of_kind = |kind| format!("SELECT number, count(*) FROM effect WHERE kind = '{kind}' GROUP BY number");
    assert_eq!(counts(&first, &of_kind("done")), once, "rows of the handler");
    assert_eq!(counts(&second, &of_kind("passed")), once, "rows of the command that it sent");
    assert_eq!(counts(&second, &of_kind("consumed")), once, "rows of its event's consumer");
    let done = format!("SELECT {number}, count(*) FROM event WHERE name = 'Done' GROUP BY 1");
    assert_eq!(counts(&first, &done), once, "events");
    let each = |connection: &Connection, name: &str| -> (i64, i64) {
        let sql = "SELECT count(*), count(DISTINCT command_id) FROM event WHERE name IN (SELECT value FROM json_each(?1))";
        connection.query_row(sql, [name], |row| Ok((row.get(0)?, row.get(1)?))).unwrap()
    };
    for (connection, name) in [(&first, "first"), (&second, "second")] {
        let (accepts, of_commands) = each(connection, r#"["CommandAccepted"]"#);
        assert_eq!(accepts, of_commands, "{name}");
        assert_eq!(each(connection, r#"["CommandCompleted","CommandFailed"]"#), (accepts, accepts), "{name}");
        let log = "SELECT count(*), max(position) FROM event";
        let (count, last): (i64, i64) =
            connection.query_row(log, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        assert_eq!(count, last, "{name} has holes");
        let check: String = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
        assert_eq!(check, "ok");
    }
    let retried = "SELECT count(*) FROM event WHERE name = 'CommandRetried'";
    let retries: i64 = first.query_row(retried, [], |row| row.get(0)).unwrap();
    println!("{} commands, {retries} retries", states.len());
}
