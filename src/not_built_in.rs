//! Commands that this build leaves out: each says which build has it.

use std::ffi::OsString;

use clap::{Args, Subcommand};

use crate::ended::UsageError;

/// The commands of the features `rabbitmq` and `services`, where they are left out.
#[derive(Debug, Subcommand)]
pub(crate) enum NotBuiltIn {
    #[cfg(not(feature = "rabbitmq"))]
    #[command(hide = true)]
    Ingest(Ignored),
    #[cfg(not(feature = "rabbitmq"))]
    #[command(hide = true)]
    Run(Ignored),
    #[cfg(not(feature = "rabbitmq"))]
    #[command(hide = true)]
    Status(Ignored),
    #[cfg(not(feature = "rabbitmq"))]
    #[command(hide = true)]
    Errors(Ignored),
    #[cfg(not(feature = "rabbitmq"))]
    #[command(hide = true)]
    Plan(Ignored),
    #[cfg(not(feature = "rabbitmq"))]
    #[command(hide = true)]
    Verify(Ignored),
    #[cfg(not(all(feature = "rabbitmq", feature = "services")))]
    #[command(hide = true)]
    Topology(Ignored),
    #[cfg(not(feature = "services"))]
    #[command(hide = true)]
    Serve(Ignored),
    #[cfg(not(feature = "services"))]
    #[command(hide = true)]
    Ctl(Ignored),
    #[cfg(not(feature = "services"))]
    #[command(hide = true)]
    Contracts(Ignored),
    #[cfg(not(feature = "services"))]
    #[command(hide = true)]
    Completions(Ignored),
}

/// Whatever follows the command's name, `--help` included.
#[derive(Debug, Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Ignored {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
    _rest: Vec<OsString>,
}

impl NotBuiltIn {
    /// Which build has the command.
    pub(crate) fn advice(&self) -> UsageError {
        let (name, needs, feature) = match self {
            #[cfg(not(feature = "rabbitmq"))]
            Self::Ingest(_) => ("ingest", RABBITMQ, "rabbitmq"),
            #[cfg(not(feature = "rabbitmq"))]
            Self::Run(_) => ("run", RABBITMQ, "rabbitmq"),
            #[cfg(not(feature = "rabbitmq"))]
            Self::Status(_) => ("status", RABBITMQ, "rabbitmq"),
            #[cfg(not(feature = "rabbitmq"))]
            Self::Errors(_) => ("errors", RABBITMQ, "rabbitmq"),
            #[cfg(not(feature = "rabbitmq"))]
            Self::Plan(_) => ("plan", RABBITMQ, "rabbitmq"),
            #[cfg(not(feature = "rabbitmq"))]
            Self::Verify(_) => ("verify", RABBITMQ, "rabbitmq"),
            #[cfg(not(all(feature = "rabbitmq", feature = "services")))]
            Self::Topology(_) => ("topology", "RabbitMQ and its services", "rabbitmq,services"),
            #[cfg(not(feature = "services"))]
            Self::Serve(_) => ("serve", SERVICES, "services"),
            #[cfg(not(feature = "services"))]
            Self::Ctl(_) => ("ctl", CLIENT, "services"),
            #[cfg(not(feature = "services"))]
            Self::Contracts(_) => ("contracts", CLIENT, "services"),
            #[cfg(not(feature = "services"))]
            Self::Completions(_) => ("completions", CLIENT, "services"),
        };
        UsageError(format!(
            "this build has no `{name}`, which needs {needs}: build with it, as in\n  \
             cargo run --release --features {feature} -- {name} …"
        ))
    }
}

#[cfg(not(feature = "rabbitmq"))]
const RABBITMQ: &str = "RabbitMQ's client";
#[cfg(not(feature = "services"))]
const SERVICES: &str = "the HTTP server";
#[cfg(not(feature = "services"))]
const CLIENT: &str = "what belongs to the HTTP server";
