//! `orchard serve` as several processes on RabbitMQ and PostgreSQL: what is killed, away, blocked or spent, every
//! command that was answered 202 ends once, and no other does.
//!
//! Each test has a virtual host and a database of its own on private servers, and counts from outside: the contexts'
//! tables in PostgreSQL, what the relays published on the broker, and the documents of every gateway.

#![cfg(target_os = "linux")]

mod away;
mod blocked;
#[path = "../dashboard/browser.rs"]
mod browser;
mod budget;
mod cluster;
mod count;
#[path = "../equality/database.rs"]
mod database;
#[path = "../shared/documents.rs"]
mod documents;
mod dotnet;
mod fleet;
#[path = "../shared/http.rs"]
mod http;
mod keys;
mod kills;
mod load;
mod operator;
#[path = "../shared/peer.rs"]
mod peer;
mod place;
mod replay;
#[path = "../shared/server.rs"]
#[allow(dead_code, reason = "shared with the tests of one process")]
mod server;
#[path = "../equality/servers.rs"]
#[allow(dead_code, reason = "shared with tests that do more with servers")]
mod servers;
mod shared;
mod stopped;
mod takeovers;

const PROGRAM: &str = env!("CARGO_BIN_EXE_orchard");
/// Starts and stops servers.
const SERVICES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/services");

/// Whether to take as long as a thorough look takes.
fn is_long() -> bool {
    std::env::var_os("ORCHARD_TEST_LONG").is_some()
}
