//! How a source is to be read.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};

use crate::formats::mapped_csv::Mapping;

/// What a user can say about one source.
#[derive(Clone, Debug, Default)]
pub struct ReadOptions {
    /// The symbol of a file that does not name one in its lines.
    pub symbol: Option<String>,
    /// What to do with a malformed line.
    pub bad_lines: BadLines,
    /// Which columns of a CSV of no known kind are what.
    pub mapping: Option<Mapping>,
    /// Counts the bytes read of files, as they are on disk, for whoever shows progress.
    pub read_bytes: Arc<AtomicU64>,
    /// Set by whoever stops the feed: a source that is waited for then counts as ended.
    pub stopped: Arc<AtomicBool>,
}

/// What to do with a malformed line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BadLines {
    /// Stop with an error that names file, line and field.
    #[default]
    Stop,
    /// Leave it out, count it, keep the first few for the report.
    Skip,
}
