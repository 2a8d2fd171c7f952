//! One file a format.
pub mod mapped_csv;
