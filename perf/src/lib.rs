//! Orchard's load harness, `orchard perf`: how fast, how late, and where it stops.

pub mod compare;
pub mod outcome;
pub mod page;
mod units;

#[cfg(test)]
mod sample;
