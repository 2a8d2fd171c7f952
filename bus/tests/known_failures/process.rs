//! Processes that serve: this one, and others that end where they are told to.

use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command as Program, Stdio};
use std::sync::Arc;

use bus::rabbitmq::{BrokerUrl, ControlBudget, RabbitOptions, RabbitState};
use bus::{Bus, EventSource, Handled, Handler, HandlerError, Message, SqliteStore, Store, Work, values};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::contracts::{DESK, Jotted, TABLES};
use crate::{PATIENCE, wait_until};

/// Set for a process that ends: the file of its store, and the broker.
const FILE: &str = "ORCHARD_BUS_FAILURES_FILE";
const BROKER: &str = "ORCHARD_BUS_FAILURES_BROKER";
const SIGABRT: i32 = 6;

/// A command whose handler waits until the test lets it go.
#[derive(Serialize, Deserialize)]
pub(crate) struct Linger {
    pub(crate) number: i64,
}

tick_sdk::command!(Linger, version 1, endpoint "desk");

/// What [`Linger`] waits for, and who it is.
#[derive(Clone)]
pub(crate) struct Door(pub(crate) Arc<watch::Sender<bool>>);

#[derive(Default)]
struct OnLinger;

impl Handler for OnLinger {
    type Command = Linger;
    const TIMEOUT: std::time::Duration = PATIENCE;

    async fn handle(&self, message: &Message<Linger>, work: &mut Work<'_>) -> Result<Handled, HandlerError> {
        let mut is_open = work.resource::<Door>()?.0.subscribe();
        is_open.wait_for(|is_open| *is_open).await?;
        let number = message.body.number;
        work.tables()?.execute("INSERT INTO effect VALUES ($1)", &values![number])?;
        work.publish(&Jotted { number });
        Ok(Handled::DONE)
    }
}

bus::handler!(OnLinger);

/// A process that serves one context of these tests.
pub(crate) struct Served {
    pub(crate) bus: Bus,
    pub(crate) store: Arc<SqliteStore>,
    pub(crate) door: Door,
}

impl Served {
    /// Connected when this is done.
    pub(crate) fn start(url: &BrokerUrl, context: &str, file: &Path) -> Self {
        let served = Self::start_anyway(url, context, file);
        wait_until("it is connected", || served.is_ready());
        served
    }

    fn start_anyway(url: &BrokerUrl, context: &str, file: &Path) -> Self {
        let store = Arc::new(SqliteStore::open(file, TABLES).unwrap());
        let options = RabbitOptions { budget: ControlBudget::OFF, ..RabbitOptions::default() };
        let door = Door(Arc::new(watch::Sender::new(false)));
        let builder = Bus::builder().rabbitmq(url.clone(), options).shared_context(context, store.clone());
        let bus = builder.resource(door.clone()).start().unwrap();
        Self { bus, store, door }
    }

    pub(crate) fn is_ready(&self) -> bool {
        let status = self.bus.rabbitmq().unwrap();
        status.state == RabbitState::Connected
            && status.endpoints.iter().all(|endpoint| endpoint.is_consuming)
    }

    /// How many events of the context have this name.
    pub(crate) fn count(&self, context: &str, name: &str) -> usize {
        let events = self.bus.events_after(context, 0, 100_000).unwrap();
        events.iter().filter(|event| event.name == name).count()
    }

    /// The numbers that took effect.
    pub(crate) fn effects(&self) -> Vec<i64> {
        let rows = self.store.query("SELECT number FROM effect ORDER BY number", &[]).unwrap();
        rows.iter().map(|row| row.get(0).unwrap()).collect()
    }
}

/// In another process this is the whole program: it serves the desk until it is killed.
#[test]
fn the_process_that_is_killed() {
    let (Ok(file), Ok(url)) = (std::env::var(FILE), std::env::var(BROKER)) else { return };
    let _served = Served::start_anyway(&url.parse().unwrap(), DESK, Path::new(&file));
    std::thread::sleep(PATIENCE * 2);
}

/// Begins a process that ends itself when it comes to a point.
pub(crate) fn begin_killed_at(point: &str, url: &str, file: &Path) -> Child {
    let mut program = Program::new(std::env::current_exe().unwrap());
    program.args(["--exact", "process::the_process_that_is_killed", "--nocapture"]).stdout(Stdio::null());
    program.env(FILE, file).env(BROKER, url).env("ORCHARD_KILL_AT", format!("{DESK} {point} 1"));
    program.spawn().unwrap()
}

/// Waits until it has come there.
pub(crate) fn wait_until_killed(mut child: Child) {
    let mut status = None;
    wait_until("it comes to the point", || {
        status = child.try_wait().unwrap();
        status.is_some()
    });
    assert_eq!(status.unwrap().signal(), Some(SIGABRT), "it ended otherwise");
}
