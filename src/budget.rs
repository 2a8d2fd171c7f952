//! The message budget of a command: as it was named, else as it was measured here, else the usual one.

use std::path::Path;

use anyhow::Result;
use tick_feed::budget::Budget;
use tick_feed::budget::measured::{BUDGET_FILE, MeasuredBudget};

/// What `--budget` names, else what `perf budget` wrote under this folder.
pub(crate) fn or_measured(named: Option<&Budget>) -> Result<Budget> {
    if let Some(named) = named {
        return Ok(named.clone());
    }
    let Some((budget, measured)) = MeasuredBudget::read(Path::new(BUDGET_FILE))? else {
        return Ok(Budget::default());
    };
    eprintln!("budget {budget}, measured {} on {} ({BUDGET_FILE})", measured.at, measured.machine);
    Ok(budget)
}
