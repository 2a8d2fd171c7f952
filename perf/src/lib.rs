//! Orchard's load harness, `orchard perf`: how fast, how late, and where it stops.

pub mod capacity;
pub mod outcome;
