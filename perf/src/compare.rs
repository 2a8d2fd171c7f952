//! `perf compare`: two results side by side, and where the second is worse.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use thiserror::Error;

use crate::outcome::{Outcome, SCHEMA};
use differences::Comparison;

mod differences;
mod show;

/// Options of `perf compare`.
#[derive(Debug, clap::Args)]
pub(crate) struct CompareArgs {
    /// The result to compare with, as --json of a measurement wrote it
    pub(crate) a: PathBuf,
    /// The result that may be better or worse
    pub(crate) b: PathBuf,
    /// One JSON object on one line, instead of tables
    #[arg(long)]
    pub(crate) json: bool,
}

/// Why two results were not compared.
#[derive(Debug, Error)]
pub enum CompareError {
    /// A file is missing or may not be read.
    #[error("{path} cannot be read: {source}. Name a file that --json of a measurement wrote")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file is something else.
    #[error("{path} is not a result of perf: {source}. Name a file that --json of a measurement wrote")]
    NoResult {
        /// The file.
        path: PathBuf,
        /// Where it departs from the form.
        source: serde_json::Error,
    },
    /// A file was written by another version.
    #[error(
        "{path} has schema {found}, and this orchard reads schema {SCHEMA}: measure again with this orchard, \
         or compare with the one that wrote it"
    )]
    Schema {
        /// The file.
        path: PathBuf,
        /// Its schema.
        found: u32,
    },
    /// There is nothing that both have.
    #[error(
        "{a} measured {of_a} and {b} measured {of_b}, and not both have ticks/s: compare two results of the \
         same workload"
    )]
    Workloads {
        /// The first file.
        a: PathBuf,
        /// Its workload.
        of_a: String,
        /// The second file.
        b: PathBuf,
        /// Its workload.
        of_b: String,
    },
    /// The tables could not be written.
    #[error("writing to standard output: {0}")]
    Write(#[from] io::Error),
}

/// Prints how `b` differs from `a`.
///
/// # Errors
///
/// See [`CompareError`]. That `b` is worse is not an error.
pub(crate) fn run(args: &CompareArgs) -> Result<(), CompareError> {
    let text = compare(args)?;
    io::stdout().write_all(text.as_bytes())?;
    Ok(())
}

fn compare(args: &CompareArgs) -> Result<String, CompareError> {
    let (a, b) = (read(&args.a)?, read(&args.b)?);
    let Some(comparison) = Comparison::of((&args.a, &a), (&args.b, &b)) else {
        return Err(CompareError::Workloads {
            a: args.a.clone(),
            of_a: show::printable(&a.workload),
            b: args.b.clone(),
            of_b: show::printable(&b.workload),
        });
    };
    if args.json {
        Ok(serde_json::to_string(&comparison).expect("numbers, texts and lists are always JSON") + "\n")
    } else {
        Ok(show::tables(&comparison))
    }
}

/// What every schema has.
#[derive(Deserialize)]
struct AnySchema {
    schema: u32,
}

fn read(path: &Path) -> Result<Outcome, CompareError> {
    let named = || path.to_owned();
    let text = std::fs::read(path).map_err(|source| CompareError::Read { path: named(), source })?;
    let no_result = |source| CompareError::NoResult { path: named(), source };
    // The schema first: fields of another one would be reported as wrong, though they are not.
    let AnySchema { schema } = serde_json::from_slice(&text).map_err(no_result)?;
    if schema != SCHEMA {
        return Err(CompareError::Schema { path: named(), found: schema });
    }
    serde_json::from_slice(&text).map_err(no_result)
}

#[cfg(test)]
mod tests;
