//! The hubs over real sockets, with a real bus behind them.

mod client;
mod commands;
mod generated;
mod market;
mod readers;
mod security;
#[path = "../routes/service.rs"]
#[allow(dead_code, reason = "the tests of the routes have use for the rest")]
mod service;
mod shutdown;
mod signals;
