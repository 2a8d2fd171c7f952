//! The subcommands that read and write files of ticks, or plan with them, as a user runs them.

mod convert;
mod generate;
mod info;
#[cfg(not(feature = "rabbitmq"))]
mod not_built_in;
#[cfg(feature = "rabbitmq")]
mod plan;
mod program;
mod readers;
mod sources;
mod vendors;

/// The program under test.
const PROGRAM: &str = env!("CARGO_BIN_EXE_orchard");
