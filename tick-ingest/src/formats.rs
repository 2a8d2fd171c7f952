//! One file a format.

pub mod binance_stream;
pub mod csv;
pub mod dbn;
pub mod mapped_csv;
pub mod ticks;
