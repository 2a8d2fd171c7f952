//! `perf`: Orchard's load harness as a program.

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::Parser;
use perf::{BudgetError, PerfArgs, PerfError};

/// As in the program that is measured: frames are allocated on one thread and freed on another.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measure Orchard: throughput, latency from when a tick was due, the knee, the machine's limits.
#[derive(Debug, Parser)]
#[command(name = "perf", version, max_term_width = 100)]
struct Cli {
    #[command(flatten)]
    args: PerfArgs,
}

const INTERRUPTED: u8 = 130;

fn main() -> ExitCode {
    let args = Cli::parse().args;
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
            ExitCode::from(if matches!(error, PerfError::Usage(_)) { 2 } else { 1 })
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
