//! Commands that this build leaves out: each says which build has it.

use std::ffi::OsString;

use clap::{Args, Subcommand};

use crate::ended::UsageError;

/// The commands of the feature `rabbitmq`.
#[derive(Debug, Subcommand)]
pub(crate) enum NotBuiltIn {
    #[command(hide = true)]
    Ingest(Ignored),
    #[command(hide = true)]
    Run(Ignored),
    #[command(hide = true)]
    Status(Ignored),
    #[command(hide = true, name = "deadletters")]
    DeadLetters(Ignored),
    #[command(hide = true)]
    Plan(Ignored),
    #[command(hide = true)]
    Verify(Ignored),
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
        let name = match self {
            Self::Ingest(_) => "ingest",
            Self::Run(_) => "run",
            Self::Status(_) => "status",
            Self::DeadLetters(_) => "deadletters",
            Self::Plan(_) => "plan",
            Self::Verify(_) => "verify",
        };
        UsageError(format!(
            "this build has no `{name}`, which needs RabbitMQ's client: build with it, as in\n  \
             cargo run --release --features rabbitmq -- {name} …"
        ))
    }
}
