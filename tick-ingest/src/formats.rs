//! One file a format.
pub mod binance_csv;
pub mod csv;
pub mod mapped_csv;
pub mod orchard_csv;
pub mod tardis_csv;
pub mod time_text;
