//! The budget that was measured on these brokers, as `perf budget` writes it and `ingest` and `plan` take it.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::Budget;

/// Where the measured budget is kept, under the folder that a command is run in.
pub const BUDGET_FILE: &str = ".orchard/budget.json";

/// A measured budget.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MeasuredBudget {
    /// As `--budget` takes it: the first node's, then what each further one adds.
    pub budget: String,
    /// Messages/s that one, two, … nodes carried together.
    pub carried: Vec<u32>,
    /// When, RFC 3339, UTC.
    pub at: String,
    /// On which processor, and how many.
    pub machine: String,
}

/// A file that is not a measured budget.
#[derive(Debug, Error)]
#[error("{path} is not a measured budget: {reason}\n  measure it again with `perf budget`, or remove it")]
pub struct MeasuredBudgetError {
    path: PathBuf,
    reason: String,
}

impl MeasuredBudget {
    /// What a file says; `None` where there is none.
    ///
    /// # Errors
    /// It cannot be read, or is something else.
    pub fn read(path: &Path) -> Result<Option<(Budget, Self)>, MeasuredBudgetError> {
        let wrong = |reason: String| MeasuredBudgetError { path: path.to_owned(), reason };
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(wrong(error.to_string())),
        };
        let measured: Self = serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?;
        let budget = measured.budget.parse().map_err(wrong)?;
        Ok(Some((budget, measured)))
    }
}
