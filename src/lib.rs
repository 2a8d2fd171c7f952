//! The `orchard` program.
pub mod report;
