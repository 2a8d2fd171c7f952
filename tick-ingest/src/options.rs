//! How a source is to be read.

use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};

use crate::formats::mapped_csv::Mapping;
use crate::formats::time_text::Zone;

/// How sources are read.
#[derive(Clone, Debug, Default)]
pub struct ReadOptions {
    /// The symbol of files that do not name one in their lines.
    pub symbol: Option<String>,
    /// What to do with a malformed line.
    pub bad_lines: BadLines,
    /// Which columns of a CSV are what, whether or not it is known by itself.
    pub mapping: Option<Mapping>,
    /// The same for a CSV of no known kind, where [`ReadOptions::mapping`] says nothing: one mapping for
    /// several files leaves those alone that are known by themselves.
    pub mapping_of_unknown: Option<Mapping>,
    /// The time zone of times that name none.
    pub zone: Zone,
    /// Counts the bytes read of files, as they are on disk, for whoever shows progress.
    pub read_bytes: Arc<AtomicU64>,
    /// Set by whoever stops the feed: a source that is waited for then counts as ended.
    pub stopped: Arc<AtomicBool>,
}

/// What a user says about one file, instead of what [`ReadOptions`] say about all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileOptions {
    /// As [`ReadOptions::symbol`].
    pub symbol: Option<String>,
    /// As [`ReadOptions::mapping`].
    pub mapping: Option<Mapping>,
    /// As [`ReadOptions::zone`].
    pub zone: Option<Zone>,
}

impl FileOptions {
    /// The options of `all` files with this file's own.
    pub fn over(&self, all: &ReadOptions) -> ReadOptions {
        let mut options = all.clone();
        options.symbol = self.symbol.clone().or(options.symbol);
        options.mapping = self.mapping.clone().or(options.mapping);
        options.zone = self.zone.clone().unwrap_or(options.zone);
        options
    }
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

impl FromStr for BadLines {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "stop" => Ok(Self::Stop),
            "skip" => Ok(Self::Skip),
            _ => Err("write stop or skip"),
        }
    }
}
