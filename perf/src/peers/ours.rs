//! Our own side, as a child process like every peer.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::PeersError;
use super::child;
use crate::outcome::{Outcome, Totals};

/// This program, or the one that stands for it.
#[derive(Debug)]
pub(super) struct Ours {
    program: PathBuf,
    limit: Duration,
}

impl Ours {
    pub(super) fn new(program: Option<PathBuf>, limit: Duration) -> Result<Self, PeersError> {
        let program = match program {
            Some(program) => program,
            None => std::env::current_exe().map_err(|error| PeersError::Ours {
                command: "perf".to_owned(),
                why: format!("this program does not find itself: {error}"),
            })?,
        };
        Ok(Self { program, limit })
    }

    /// How long one run may take.
    pub(super) fn limit(&self) -> Duration {
        self.limit
    }

    /// The sums of a workload of `perf`.
    pub(super) fn perf(&self, arguments: &[&str]) -> Result<Totals, String> {
        let mut command = Command::new(&self.program);
        let output = child::run(command.arg("perf").args(arguments).args(["--json", "--quiet"]), self.limit)?;
        totals(&output)
    }

    /// A command that makes a file; what it prints is of no use.
    pub(super) fn make(&self, arguments: &[&str], files: &[&Path]) -> Result<(), PeersError> {
        let mut command = Command::new(&self.program);
        let made = child::run(command.args(arguments).args(files), self.limit);
        made.map(drop).map_err(|why| PeersError::Ours { command: arguments.join(" "), why })
    }
}

fn totals(output: &str) -> Result<Totals, String> {
    let outcome: Outcome = serde_json::from_str(output)
        .map_err(|error| format!("it printed something else than its result: {error}"))?;
    Ok(outcome.steps.first().ok_or("it measured nothing")?.totals)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::Step;

    #[test]
    fn the_first_step_counts() {
        let mut outcome = Outcome::default();
        assert_eq!(totals(&serde_json::to_string(&outcome).unwrap()), Err("it measured nothing".to_owned()));
        let totals_of_step = Totals { bytes_per_s: 5.0, ..Totals::default() };
        outcome.steps.push(Step { totals: totals_of_step, ..Step::default() });
        assert_eq!(totals(&serde_json::to_string(&outcome).unwrap()), Ok(totals_of_step));
        assert!(totals("error: no such command").is_err());
    }
}
