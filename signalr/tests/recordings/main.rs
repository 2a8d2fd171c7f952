//! What ASP.NET Core's SignalR and the official clients said to each other, beside what the example server answers to the same
//! bytes: `scripts/conformance` prints it.
//!
//! With `SIGNALR_CASE` set, only cases run whose names contain it; with `ORCHARD_TEST_LONG`, cases that waited for long wait as
//! long as they did.

mod answers;
mod cases;
mod data;
mod decisions;
mod http_probes;
mod link;
mod messagepack;
mod messages;
mod outcome;
mod server;
mod stateful_probes;
mod transcripts;
mod websocket_probes;
