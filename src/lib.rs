//! The `orchard` program.
