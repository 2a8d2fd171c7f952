//! Events of all crates, on standard error.
//!
//! What a user needs to see (progress, "Resuming run …", the error at the end) is plain text and not an
//! event. Events are for whoever looks after a run: which connection was lost, which shard was taken
//! over, which request was repeated.

use std::io::IsTerminal;

use clap::{ArgAction, Args, ValueEnum};
use tracing_subscriber::EnvFilter;

/// Options of every command.
#[derive(Clone, Copy, Debug, Args)]
#[command(next_help_heading = "Events")]
pub(crate) struct LogArgs {
    /// How events are written to standard error: text for people, json for machines
    #[arg(
        long,
        global = true,
        value_name = "text|json",
        default_value = "text",
        hide_possible_values = true
    )]
    log: LogFormat,
    /// More events: -v what happens, -vv in detail; RUST_LOG chooses by crate
    #[arg(short, long, global = true, action = ArgAction::Count)]
    verbose: u8,
}

/// How an event is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum LogFormat {
    /// A line for people.
    Text,
    /// A JSON object, with the fields under their names.
    Json,
}

impl LogArgs {
    /// From now on events are written: warnings and errors, unless `-v` or `RUST_LOG` says otherwise.
    pub(crate) fn start(self) {
        // What the client library calls an error, such as a queue that was only asked for, our own code
        // expects or reports itself.
        let level = ["warn,lapin=off", "info", "debug", "trace"][usize::from(self.verbose.min(3))];
        let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
        let events = tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_writer(std::io::stderr)
            .with_ansi(std::io::stderr().is_terminal());
        match self.log {
            LogFormat::Text => events.init(),
            LogFormat::Json => events.json().init(),
        }
    }
}
