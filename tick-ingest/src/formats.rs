//! One file a format.
pub mod dbn;
pub mod mapped_csv;
