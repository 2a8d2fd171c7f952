//! One file a format.

pub mod binance_csv;
pub mod binance_stream;
pub mod csv;
pub(crate) mod databento_csv;
pub mod dbn;
pub mod mapped_csv;
pub mod orchard_csv;
#[cfg(feature = "parquet")]
pub mod parquet;
pub mod tardis_csv;
pub mod ticks;
pub mod time_text;
