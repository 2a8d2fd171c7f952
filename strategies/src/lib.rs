//! Apple and Pear, the built-in strategies.

pub mod apple;
pub mod pear;
