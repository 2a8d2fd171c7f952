//! The equality test: whatever is killed, cut off, lost or doubled in between, a run over RabbitMQ
//! commits the signals that `orchard replay` makes of the same sources, each of them once.
//!
//! Each case runs real processes on private servers: one ingester, three instances of Apple and two
//! of Pear on four shards, with their ledger in PostgreSQL; one case has three instances of a strategy with
//! groups, timers and an end instead (`tests/basket`). It prints one line, as in
//! `lost 0, duplicated 0, unexpected 0, recovered 9 of 9`. With `ORCHARD_TEST_LONG=1` a case plays at
//! least 3 million ticks, at both durabilities, and is disturbed more often.

#![cfg(target_os = "linux")]

mod absent;
mod bad_input;
mod case;
mod cluster;
mod database;
#[cfg(feature = "services")]
mod deployed;
mod disturber;
mod frames;
#[cfg(feature = "services")]
mod hosting;
mod input;
mod kills;
#[allow(dead_code, reason = "shared with the tests of perf, which look at names")]
mod management;
mod outages;
mod program;
mod proxy;
#[cfg(feature = "services")]
mod reference;
#[cfg(feature = "services")]
mod replays;
mod servers;
mod slow;
mod waiting;

/// Starts and stops servers.
const SERVICES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/services");
