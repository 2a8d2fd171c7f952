//! Orchard's load harness, `orchard perf`: how fast, how late, and where it stops.

pub mod outcome;
pub mod peers;
