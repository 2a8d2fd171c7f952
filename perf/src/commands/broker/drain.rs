//! How fast the bus empties a queue: inbox, handler, log, and every event published and confirmed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bus::rabbitmq::{ControlBudget, RabbitOptions};
use bus::{Bus, PostgresStore, Store};
use tick_sdk::contracts::Command;

use super::CommandsError;
use super::fill::fill;
use super::place::{Place, Servers};
use crate::environment::cpu_time;

/// What a drain came to.
pub(super) struct Drained {
    pub(super) per_s: f64,
    /// This process's processor time for each command.
    pub(super) process_us: f64,
}

/// As the bus's relay calls its cursor.
const RELAY: &str = "relay";
/// Accepted, the user, completed.
const EVENTS: u64 = 3;
/// Between looks whether all is published.
const LOOK: Duration = Duration::from_millis(20);
/// All is done by then.
const PATIENCE: Duration = Duration::from_secs(600);

/// No budget: what is measured is what the bus can do.
pub(super) fn options() -> RabbitOptions {
    RabbitOptions { budget: ControlBudget::OFF, ..RabbitOptions::default() }
}

/// Fills a queue, and lets a bus empty it. The time is from its start, connecting included, until the relay's cursor is at the log's end; it is stored five times a second at least.
pub(super) fn handled<C: Command>(
    servers: &Servers,
    tables: &str,
    commands: u64,
) -> Result<Drained, CommandsError> {
    let place = Place::new(servers, C::ENDPOINT)?;
    fill::<C>(&place, commands)?;
    let store = Arc::new(PostgresStore::open(&place.database, C::ENDPOINT, tables)?);
    let (begin, cpu) = (Instant::now(), cpu_time());
    let bus = Bus::builder().rabbitmq(place.servers.broker_url.clone(), options());
    let bus = bus.shared_context(C::ENDPOINT, store.clone()).start()?;
    let last = EVENTS * commands;
    let mut is_done = false;
    while !is_done && begin.elapsed() <= PATIENCE {
        // Whoever were woken by each commit would ask the server each time, which is not part of what is measured.
        std::thread::sleep(LOOK);
        is_done = store.cursor(RELAY, C::ENDPOINT)? >= last;
    }
    let (seconds, cpu) = (begin.elapsed().as_secs_f64(), cpu_time().saturating_sub(cpu));
    bus.stop(Duration::from_secs(5));
    if !is_done {
        return Err(CommandsError::NotDone { seconds: PATIENCE.as_secs() });
    }
    let commands = commands as f64;
    Ok(Drained { per_s: commands / seconds, process_us: cpu.as_secs_f64() * 1e6 / commands })
}
