//! Hubs over connections in memory: bytes in, bytes out.

mod calls;
mod client;
mod endings;
mod filters;
mod hub;
mod order;
mod questions;
mod random;
mod routes;
mod state;
mod streams;
mod timers;
mod uploads;
