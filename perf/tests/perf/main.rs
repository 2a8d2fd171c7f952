//! `perf`, as a user runs it: what it says is what happened, open loop, and nothing of it is
//! left on a broker. Loads are small, as the program is a debug build; no speed is asserted.

mod broker;
mod budget;
mod comparing;
mod hubs;
mod interrupted;
#[allow(dead_code, reason = "shared with the tests of recovery, which use all of it")]
#[path = "../../../tests/equality/management.rs"]
mod management;
mod measured;
mod outputs;
#[allow(dead_code, reason = "shared with the tests of the other commands, which use all of it")]
#[path = "../../../tests/commands_files/program.rs"]
mod program;
#[allow(dead_code, reason = "shared with the tests of recovery, which use all of it")]
#[path = "../../../tests/equality/servers.rs"]
mod servers;
mod stalled;
mod usage;
#[path = "../../../tests/equality/waiting.rs"]
mod waiting;
mod workloads;

/// The program under test.
const PROGRAM: &str = env!("CARGO_BIN_EXE_perf");

/// Starts and stops servers.
const SERVICES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../scripts/services");
