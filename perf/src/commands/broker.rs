//! Commands from RabbitMQ, carried out by the bus on PostgreSQL, and their events published with confirms, beside
//! a plain loop over the same servers in the same run.
//!
//! "Batches" is what the bus does by itself: `CreateUser`, up to 100 commands in one transaction. For one transaction
//! each, a handler of the same work has batches of one, and of 32 at once 32 lanes.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use serde::Serialize;
use tick_sdk::contracts::Command;
use tick_sdk::contracts::accounts::CreateUser;

use super::CommandsError;
use crate::args::BrokerArgs;
pub(super) use beside::{CameThrough, CommandsBeside};

use alone::{AT_ONCE, CreateAlone, CreateBeside};
use latency::{AtRate, Way};
use place::{Place, Servers};

mod alone;
mod beside;
mod drain;
mod fill;
mod latency;
mod peer;
mod place;
mod plain;
mod show;

/// Options of `perf commands --broker`.
#[derive(Clone, Debug, Args)]
pub(super) struct OverBroker {
    /// Over RabbitMQ and PostgreSQL instead; the virtual host has to be empty of endpoints [without a URL: ORCHARD_TEST_AMQP, as `scripts/services` sets it]
    #[arg(long, value_name = "URL", num_args = 0..=1, help_heading = "Broker")]
    pub(super) broker: Option<Option<String>>,
    /// The server on which databases are made for it [default: ORCHARD_TEST_POSTGRES]
    #[arg(long, value_name = "URL", requires = "broker", help_heading = "Broker")]
    database: Option<String>,
    /// MassTransit in the same run, by this program [without a path: ORCHARD_DOTNET_PEER]
    #[arg(long, value_name = "PROGRAM", num_args = 0..=1, requires = "broker", help_heading = "Broker")]
    peer: Option<Option<PathBuf>>,
    /// Only from sending a command to its event
    #[arg(long, requires = "broker", help_heading = "Broker")]
    latency: bool,
    /// Serves the context until standard input ends
    #[arg(long, hide = true, requires = "broker")]
    serve: bool,
}

/// What was measured; what could not be is absent.
#[derive(Debug, Default, Serialize)]
pub(super) struct Measured {
    pub(super) commands: u64,
    pub(super) commands_of_one: u64,
    pub(super) at_once: usize,
    pub(super) handled_per_s: f64,
    pub(super) plain_loop_per_s: f64,
    pub(super) handled_of_plain_loop: f64,
    pub(super) process_us_per_command: f64,
    pub(super) plain_loop_process_us_per_command: f64,
    /// With a transaction each, so many at once as `at_once` says.
    pub(super) handled_per_s_each_32: f64,
    pub(super) plain_loop_per_s_each_32: f64,
    pub(super) handled_per_s_one: f64,
    pub(super) plain_loop_per_s_one: f64,
    pub(super) handled_of_plain_loop_one: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) masstransit_per_s_each_32: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) masstransit_per_s_one: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) masstransit_plain_loop_per_s: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) each_32_of_masstransit: Option<f64>,
    pub(super) command_to_event_p50_ms_200: Option<f64>,
    pub(super) command_to_event_p99_ms_200: Option<f64>,
    pub(super) command_to_event_p50_ms_1000: Option<f64>,
    pub(super) command_to_event_p99_ms_1000: Option<f64>,
    pub(super) command_to_event_p50_ms_2000: Option<f64>,
    pub(super) command_to_event_p99_ms_2000: Option<f64>,
    /// Whether all of 2,000/s had come through 1 s after the last was due.
    pub(super) held_2000: bool,
    /// Why figures are absent.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) absent: Vec<String>,
}

/// Commands in one transaction of the plain loop, and of the bus.
const BATCH: usize = 100;
/// Of what is handled one by one there are so many times fewer.
const FEWER: u64 = 10;

/// Measures, and prints; or serves whoever measures.
///
/// # Errors
/// A server is not there, or fails.
pub(super) fn run(
    args: &OverBroker,
    commands: u64,
    duration: Duration,
    is_json: bool,
) -> Result<(), CommandsError> {
    let servers = servers(args)?;
    if args.serve {
        return latency::serve(&servers);
    }
    let measured = measure(args, &servers, commands, duration)?;
    Ok(show::print(&measured, is_json)?)
}

fn servers(args: &OverBroker) -> Result<Servers, CommandsError> {
    servers_of(args.broker.clone().flatten(), args.database.clone())
}

/// Those that are named, and else those of the environment.
pub(super) fn servers_of(broker: Option<String>, database: Option<String>) -> Result<Servers, CommandsError> {
    let broker = match broker {
        Some(url) => url,
        None => BrokerArgs::environment_urls().map_err(CommandsError::Usage)?.remove(0),
    };
    let database = database.or_else(|| std::env::var("ORCHARD_TEST_POSTGRES").ok());
    let database = database.ok_or_else(|| {
        CommandsError::Usage("no PostgreSQL is named: use --database URL or ORCHARD_TEST_POSTGRES".to_owned())
    })?;
    Servers::new(broker, database)
}

fn measure(
    args: &OverBroker,
    servers: &Servers,
    commands: u64,
    duration: Duration,
) -> Result<Measured, CommandsError> {
    let few = (commands / FEWER).max(BATCH as u64);
    let mut measured = Measured { commands, commands_of_one: few, at_once: AT_ONCE, ..Measured::default() };
    // First: the server has nothing to write back of what fills its tables later.
    latencies(servers, duration, &mut measured)?;
    if args.latency {
        return Ok(measured);
    }
    // In turn, so that neither has the machine at its better time.
    let first = plain::handled(servers, BATCH, 1, commands / 2)?;
    let batches = drain::handled::<CreateUser>(servers, accounts::TABLES, commands)?;
    let second = plain::handled(servers, BATCH, 1, commands / 2)?;
    measured.handled_per_s = batches.per_s;
    measured.process_us_per_command = batches.process_us;
    measured.plain_loop_per_s = 2.0 / (1.0 / first.per_s + 1.0 / second.per_s);
    measured.plain_loop_process_us_per_command = f64::midpoint(first.process_us, second.process_us);
    measured.handled_of_plain_loop = batches.per_s / measured.plain_loop_per_s;

    measured.plain_loop_per_s_each_32 = plain::handled(servers, 1, AT_ONCE, few)?.per_s;
    measured.handled_per_s_each_32 = drain::handled::<CreateBeside>(servers, alone::TABLES, few)?.per_s;
    measured.plain_loop_per_s_one = plain::handled(servers, 1, 1, few)?.per_s;
    measured.handled_per_s_one = drain::handled::<CreateAlone>(servers, alone::TABLES, few)?.per_s;
    measured.handled_of_plain_loop_one = measured.handled_per_s_one / measured.plain_loop_per_s_one;
    if let Some(peer) = &args.peer {
        masstransit(peer.clone(), servers, commands, few, &mut measured)?;
    }
    Ok(measured)
}

/// The same by MassTransit: one command's work is done by hand there, see its README.
fn masstransit(
    program: Option<PathBuf>,
    servers: &Servers,
    commands: u64,
    few: u64,
    measured: &mut Measured,
) -> Result<(), CommandsError> {
    let peer = peer::Peer::new(program, servers)?;
    let taken =
        [("each", peer.drained(32, few)), ("one", peer.drained(1, few)), ("plain", peer.plain(commands))];
    for (what, taken) in taken {
        let per_s = match taken {
            Ok(per_s) => per_s,
            Err(why) => {
                measured.absent.push(format!("MassTransit, {what}: {why}"));
                continue;
            }
        };
        match what {
            "each" => measured.masstransit_per_s_each_32 = Some(per_s),
            "one" => measured.masstransit_per_s_one = Some(per_s),
            _ => measured.masstransit_plain_loop_per_s = Some(per_s),
        }
    }
    let ours = measured.handled_per_s_each_32;
    measured.each_32_of_masstransit = measured.masstransit_per_s_each_32.map(|theirs| ours / theirs);
    Ok(())
}

fn latencies(servers: &Servers, duration: Duration, measured: &mut Measured) -> Result<(), CommandsError> {
    let place = Place::new(servers, CreateUser::ENDPOINT)?;
    let mut way = Way::open(&place)?;
    for rate in [200, 1_000, 2_000] {
        let AtRate { p50_ms, p99_ms, missing, is_held } = way.at_rate(rate, duration)?;
        let (p50, p99) = match rate {
            200 => (&mut measured.command_to_event_p50_ms_200, &mut measured.command_to_event_p99_ms_200),
            1_000 => (&mut measured.command_to_event_p50_ms_1000, &mut measured.command_to_event_p99_ms_1000),
            _ => {
                measured.held_2000 = is_held;
                (&mut measured.command_to_event_p50_ms_2000, &mut measured.command_to_event_p99_ms_2000)
            }
        };
        if missing > 0 {
            measured.absent.push(format!("at {rate}/s {missing} events had not come in time"));
            // What is late would be in the way of the next rate.
            break;
        }
        (*p50, *p99) = (Some(p50_ms), Some(p99_ms));
    }
    Ok(())
}
