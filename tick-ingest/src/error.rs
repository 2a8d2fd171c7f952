//! What can go wrong between a file and its ticks, always with the place and what to do.

use std::borrow::Cow;

use thiserror::Error;

use crate::formats::mapped_csv::{Guess, Refusal};

/// A source could not be turned into ticks.
#[derive(Debug, Error)]
pub enum ReadError {
    /// The operating system or the decompressor refused.
    #[error("{file}: {doing}: {source}")]
    Io {
        /// The file as the user named it; `standard input` for `-`.
        file: String,
        /// What was being done.
        doing: &'static str,
        /// Its own error.
        source: std::io::Error,
    },
    /// A line or record that is not what its format says.
    #[error(
        "{file}:{line}: {field} {reason}, in: {text}\n  correct the line, or leave such lines out with --on-bad-line skip"
    )]
    BadLine {
        /// The file as the user named it.
        file: String,
        /// Counted from 1.
        line: u64,
        /// The field's name in that format.
        field: Cow<'static, str>,
        /// What is wrong with it, completing the sentence.
        reason: Cow<'static, str>,
        /// The start of the line, made printable.
        text: String,
    },
    /// The content is of no known format.
    #[error("{file}: {reason}\n  {advice}")]
    Format {
        /// The file as the user named it.
        file: String,
        /// What was found.
        reason: String,
        /// What would be read instead, or which option is missing.
        advice: String,
    },
    /// A table, CSV or Parquet, that only a mapping can read.
    #[error("{file}: is a table of no kind that is known by itself\n  {advice}")]
    UnknownCsv {
        /// The file as the user named it.
        file: String,
        /// The mapping that would probably read it.
        guess: Box<Guess>,
        /// The same as a sentence.
        advice: String,
    },
    /// A table that is not known to hold ticks.
    #[error("{file}: {refusal}")]
    RefusedCsv {
        /// The file as the user named it.
        file: String,
        /// What was found in it, and what would help.
        refusal: Box<Refusal>,
    },
    /// The file is out of order beyond the allowed window.
    #[error(
        "{file}:{line}: ts_recv {ts_recv} is {late_ns} ns earlier than a tick before it\n  allow a window with --reorder, for example --reorder {suggestion}"
    )]
    OutOfOrder {
        /// The file as the user named it.
        file: String,
        /// The line or record, counted from 1.
        line: u64,
        /// The late tick's receive time.
        ts_recv: u64,
        /// How late it is.
        late_ns: u64,
        /// A window that would have held it.
        suggestion: String,
    },
    /// Two sources name one symbol of two markets.
    #[error(
        "{symbol} is of market {first_market} in {first_file} and of market {second_market} in {second_file}\n  give each file a prefix of its own with --prefix"
    )]
    SymbolOfTwoMarkets {
        /// The symbol in question.
        symbol: String,
        /// The file that named it first.
        first_file: String,
        /// Its market there.
        first_market: String,
        /// The file that named it second.
        second_file: String,
        /// Its market there.
        second_market: String,
    },
}

/// A field of one line that is not what its format says; the driver adds file, line and text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadField {
    /// The field's name in that format.
    pub field: Cow<'static, str>,
    /// What is wrong with it, completing "field …".
    pub reason: Cow<'static, str>,
}

impl BadField {
    /// `field reason`, as in "price is not a decimal number".
    #[cold]
    pub fn new(field: impl Into<Cow<'static, str>>, reason: impl Into<Cow<'static, str>>) -> Self {
        Self { field: field.into(), reason: reason.into() }
    }
}
