//! Apple and Pear, and the host which runs any strategy on any transport.

pub mod apple;
pub mod host;
pub mod ledger;
pub mod market;
pub mod paper;
pub mod pear;
