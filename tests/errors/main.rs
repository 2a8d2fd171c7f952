//! `orchard errors` and `orchard topology`, as an operator runs them, on a real broker: killed in the middle, with
//! 100,000 messages, and beside a real .NET service.

#![cfg(target_os = "linux")]

#[path = "../shared/http.rs"]
#[allow(dead_code, reason = "other tests use more of it")]
mod http;
mod kills;
mod many;
#[path = "../shared/peer.rs"]
mod peer;
mod queue;
mod service;
mod topology;
#[path = "../shared/vhost.rs"]
mod vhost;
