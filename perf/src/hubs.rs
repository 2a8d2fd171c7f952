//! What a hub carries: the same updates to all of its clients, beside the limit of one core in the same run.
//!
//! The hub is a process of its own, the load is a C program, and the limit is one, too (`peers/hubs`). Latency counts from
//! when an update was due, so that waiting for the window counts.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::Args;
use serde::Serialize;
use thiserror::Error;
use tick_sdk::quantity::parse_duration;

mod aspnet;
mod programs;
mod serve;
mod show;

use programs::Programs;
use serve::Serving;

/// Options of `perf hubs`.
#[derive(Clone, Debug, Args)]
pub(crate) struct HubsArgs {
    /// How long each load takes
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = parse_duration)]
    duration: Duration,
    /// Connections, messages/s to each, window in ms, and how many of them never read; repeat for several [default: the goals']
    #[arg(long, value_name = "N,RATE,MS[,STALLED]")]
    load: Vec<Load>,
    /// Idle clients whose memory is measured
    #[arg(long, value_name = "N", default_value_t = 5_000)]
    idle: usize,
    /// Threads of the hub; the limit has one, and the load another
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=64))]
    threads: u16,
    /// ASP.NET Core in the same run, by this program [default: ORCHARD_DOTNET_PEER, where it is set]
    #[arg(long, value_name = "PROGRAM")]
    peer: Option<PathBuf>,
    /// Everything as one JSON array on standard output
    #[arg(long)]
    json: bool,
    /// Serves: clients, messages/s, updates in each, window in ms
    #[arg(long, hide = true, num_args = 4)]
    serve: Option<Vec<u32>>,
}

/// A measurement that came to nothing.
#[derive(Debug, Error)]
pub enum HubsError {
    /// Sockets, files, programs.
    #[error("the hub cannot be measured: {0}")]
    Io(#[from] std::io::Error),
    /// A program of the measurement.
    #[error("{program}: {reason}")]
    Program {
        /// Which.
        program: &'static str,
        /// What it said.
        reason: String,
    },
}

/// One load, and what came of it.
#[derive(Clone, Debug, Default, Serialize)]
struct Row {
    connections: usize,
    /// Of these, those that never read.
    stalled: usize,
    updates_per_s: f64,
    /// Those that were offered.
    offered_per_s: f64,
    window_ms: u64,
    server_cores: f64,
    p99_ms: f64,
    hubserve_cores: Option<f64>,
    hubserve_p99_ms: Option<f64>,
    hubserve_updates_per_s: Option<f64>,
    aspnet_cores: Option<f64>,
    aspnet_p99_ms: Option<f64>,
    aspnet_updates_per_s: Option<f64>,
    idle_kib: Option<f64>,
}

/// What is offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Load {
    connections: usize,
    messages_per_s: u32,
    window_ms: u64,
    stalled: usize,
}

impl FromStr for Load {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text} is not CONNECTIONS,RATE,MS or CONNECTIONS,RATE,MS,STALLED");
        let parts: Vec<u32> =
            text.split(',').map(str::parse).collect::<Result<_, _>>().map_err(|_| wrong())?;
        let (&[connections, messages_per_s, window_ms], stalled) = match &parts[..] {
            [first @ .., stalled] if parts.len() == 4 => (first.try_into().map_err(|_| wrong())?, *stalled),
            three => (three.try_into().map_err(|_| wrong())?, 0),
        };
        if connections == 0 || messages_per_s == 0 || stalled > connections {
            return Err(wrong());
        }
        let (connections, stalled) = (connections as usize, stalled as usize);
        Ok(Self { connections, messages_per_s, window_ms: window_ms.into(), stalled })
    }
}

/// Those of the goals: updates at three rates, to more connections, as many as go, and beside some that never read.
const GOALS: [&str; 10] = [
    "1000,100,10",
    "1000,100,20",
    "1000,400,10",
    "1000,400,20",
    "1000,1200,10",
    "1000,1200,20",
    "2000,100,10",
    "2000,100,20",
    "1000,4000,20",
    "1000,100,10,100",
];

/// Measures, and prints; or serves whoever measures.
///
/// # Errors
/// There is no C compiler, or a program fails.
pub(crate) fn run(args: &HubsArgs) -> Result<(), HubsError> {
    if let Some(values) = &args.serve {
        let [connections, messages_per_s, updates, window] = values[..] else { return Ok(()) };
        return Ok(serve::serve(Serving {
            connections: connections as usize,
            messages_per_s,
            updates: updates as usize,
            window: Duration::from_millis(window.into()),
            duration: args.duration,
            threads: args.threads.into(),
        })?);
    }
    let programs = Programs::compile()?;
    let peer = args.peer.clone().or_else(|| std::env::var_os("ORCHARD_DOTNET_PEER").map(PathBuf::from));
    let mut rows = Vec::new();
    let goals = || GOALS.iter().filter_map(|goal| goal.parse().ok()).collect();
    let loads: Vec<Load> = if args.load.is_empty() { goals() } else { args.load.clone() };
    for load in loads {
        let serving = Serving {
            connections: load.connections,
            messages_per_s: load.messages_per_s,
            updates: 1,
            window: Duration::from_millis(load.window_ms),
            duration: args.duration,
            threads: args.threads.into(),
        };
        rows.push(row(&programs, peer.as_ref(), serving, load.stalled)?);
    }
    if args.idle > 0 {
        rows.push(idle(&programs, args.idle, args.threads.into())?);
    }
    Ok(show::print(&rows, args.json)?)
}

fn row(
    programs: &Programs,
    peer: Option<&PathBuf>,
    serving: Serving,
    stalled: usize,
) -> Result<Row, HubsError> {
    let (served, load) = programs.ours(serving, stalled)?;
    let mut row = Row {
        connections: serving.connections,
        stalled,
        updates_per_s: load.updates_per_s,
        offered_per_s: serving.connections as f64
            * f64::from(serving.messages_per_s)
            * serving.updates as f64,
        window_ms: serving.window.as_millis() as u64,
        server_cores: served.server_cores,
        p99_ms: load.p99_ms,
        ..Row::default()
    };
    if stalled > 0 {
        // The limit writes to who does not read, too, and stands still then.
        return Ok(row);
    }
    let (limit, load) = programs.hubserve(serving)?;
    row.hubserve_cores = Some(limit.server_cores);
    row.hubserve_p99_ms = Some(load.p99_ms);
    row.hubserve_updates_per_s = Some(load.updates_per_s);
    if let Some(peer) = peer {
        let (cores, load) = aspnet::measure(peer, programs, serving)?;
        row.aspnet_cores = Some(cores);
        row.aspnet_p99_ms = Some(load.p99_ms);
        row.aspnet_updates_per_s = Some(load.updates_per_s);
    }
    Ok(row)
}

fn idle(programs: &Programs, connections: usize, threads: usize) -> Result<Row, HubsError> {
    let serving = Serving {
        connections,
        messages_per_s: 0,
        updates: 0,
        window: Duration::from_millis(10),
        duration: Duration::from_secs(5),
        threads,
    };
    let (served, _) = programs.ours(serving, 0)?;
    Ok(Row {
        connections: served.connections,
        window_ms: 10,
        server_cores: served.server_cores,
        idle_kib: Some(served.kib_per_connection),
        ..Row::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loads_are_read() {
        let load = |connections, messages_per_s, window_ms, stalled| {
            Ok(Load { connections, messages_per_s, window_ms, stalled })
        };
        assert_eq!("1000,400,20".parse(), load(1000, 400, 20, 0));
        assert_eq!("10,100,0,3".parse(), load(10, 100, 0, 3));
        for wrong in ["", "1", "1,2", "1,2,3,4,5", "0,1,1", "1,0,1", "1,1,1,2", "a,1,1"] {
            assert!(wrong.parse::<Load>().unwrap_err().starts_with(wrong), "{wrong}");
        }
        assert!(GOALS.iter().all(|goal| goal.parse::<Load>().is_ok()));
    }
}
