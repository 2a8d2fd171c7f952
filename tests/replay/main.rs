//! `orchard replay`, as a user runs it: what it computes, that nothing but the ticks decides it, that
//! no end of the process changes it, and what it says to wrong usage.

mod capture;
mod equality;
mod figures;
mod outputs;
#[allow(dead_code, reason = "shared with the tests of the other commands, which use all of it")]
#[path = "../commands_files/program.rs"]
mod program;
#[cfg(unix)]
mod recovery;
mod replaying;
mod reports;
mod resuming;
mod selection;
mod usage;
#[cfg(feature = "rabbitmq")]
mod verifying;

/// The program under test.
const PROGRAM: &str = env!("CARGO_BIN_EXE_orchard");
