//! Apple, Pear, and the host.
pub mod market;
pub mod paper;
