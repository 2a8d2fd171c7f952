//! The Tick SDK: everything one needs to write a strategy or to feed one.

pub mod decimal;
pub mod tick;

pub use tick::{Flags, Kind, Side, Tick, UNDEFINED_PRICE, UNITS_PER_ONE};
