//! Apple and Pear, and the host which runs any strategy on any transport.

pub mod apple;
pub mod ledger;
pub mod pear;
