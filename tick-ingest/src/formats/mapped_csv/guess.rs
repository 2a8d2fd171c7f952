//! What a guess at a CSV's mapping is.

use super::mapping::Mapping;

/// A mapping that reads the first lines of a file, and what its user should check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guess {
    /// As `--map` takes it.
    pub mapping: Mapping,
    /// Sentences about what was assumed.
    pub notes: Vec<String>,
}
