//! `perf`: Orchard's load harness as a program.

use std::io::IsTerminal;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::Parser;
use perf::{BudgetError, PerfArgs, PerfError};
use tracing_subscriber::EnvFilter;

/// As in the program that is measured: frames are allocated on one thread and freed on another.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measure Orchard: throughput, latency from when a tick was due, the knee, the machine's limits.
#[derive(Debug, Parser)]
#[command(name = "perf", version, max_term_width = 100)]
struct Cli {
    #[command(flatten)]
    args: PerfArgs,
    /// How events are written to standard error: text for people, json for machines
    #[arg(
        long,
        global = true,
        value_enum,
        default_value = "text",
        value_name = "text|json",
        hide_possible_values = true
    )]
    log: LogFormat,
    /// More of them: -v what happens, -vv in detail; RUST_LOG chooses by name
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    verbose: u8,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum LogFormat {
    Text,
    Json,
}

/// Events to standard error: warnings and errors, unless `RUST_LOG` or `-v` says otherwise.
fn start_logging(format: LogFormat, verbose: u8) {
    // What the client library calls an error, such as a queue that was only asked for, is expected here.
    let level = ["warn,lapin=off", "info", "debug", "trace"][usize::from(verbose.min(3))];
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
    let events = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    match format {
        LogFormat::Text => events.init(),
        LogFormat::Json => events.json().init(),
    }
}

const INTERRUPTED: u8 = 130;

fn main() -> ExitCode {
    let Cli { args, log, verbose } = Cli::parse();
    start_logging(log, verbose);
    let stop = Arc::new(AtomicBool::new(false));
    if let Err(error) = stop_at_interrupt(stop.clone()) {
        eprintln!("error: watching for Ctrl-C: {error}");
        return ExitCode::FAILURE;
    }
    match perf::run(&args, &stop) {
        Ok(()) if stop.load(Ordering::Acquire) => ExitCode::from(INTERRUPTED),
        Ok(()) => ExitCode::SUCCESS,
        Err(error @ PerfError::Budget(BudgetError::Interrupted)) => {
            eprintln!("{error}");
            ExitCode::from(INTERRUPTED)
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(if error.is_usage() { 2 } else { 1 })
        }
    }
}

/// Sets `stop` at Ctrl-C or SIGTERM; a second one ends the process at once.
fn stop_at_interrupt(stop: Arc<AtomicBool>) -> Result<(), ctrlc::Error> {
    ctrlc::set_handler(move || {
        if stop.swap(true, Ordering::AcqRel) {
            std::process::exit(INTERRUPTED.into());
        }
    })
}
