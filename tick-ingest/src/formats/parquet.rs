//! Parquet files: tables like a CSV, read by the same mapping and the same guess.
//!
//! Each row becomes the fields of a line of text: whole numbers as digits, decimals exactly, doubles as
//! the shortest text that gives the same double, timestamps as the count that they are, nulls as nothing.
//! So a row is read by the code that reads a CSV's line, with the same errors, in which the row's number
//! (from 1) stands in for the line's. Columns that the mapping does not name are not decoded.
//!
//! Files of a Nautilus catalogue are known by themselves, see `nautilus`.

mod arrow_schema;
mod cell;
mod column;
mod guessing;
mod mapping;
mod nautilus;
mod reader;
mod rows;
mod text;

pub use reader::ParquetReader;
