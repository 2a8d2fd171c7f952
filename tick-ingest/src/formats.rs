//! One file a format.

pub mod binance_stream;
pub mod csv;
pub mod mapped_csv;
