//! Sources and a selection that cannot mean what was asked for.

use std::collections::HashMap;

use thiserror::Error;

use super::{SourceSpec, TickSelection};
use crate::sources;

/// Sources that do not fit each other, or what is selected of them.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum SelectionError {
    /// Standard input cannot be two sources.
    #[error("- is there twice, and standard input can be read only once")]
    StandardInputTwice,
    /// Standard input cannot be played again.
    #[error("standard input can be read only once: convert it to a .ticks file first, or leave --loop out")]
    StandardInputRepeated,
    /// Every tick of the file would come twice.
    #[error(
        "{first} and {second} are the same file, whose ticks would all come twice: name it once, or give each a \
         --prefix of its own"
    )]
    SameFileTwice {
        /// The source that is named first.
        first: String,
        /// The one that is the same file.
        second: String,
    },
    /// No time is at or after `from` and before `to`.
    #[error("--from {from} is not before --to {to}: no tick can be between them")]
    EmptySpan {
        /// In ns since the UNIX epoch.
        from: u64,
        /// In ns since the UNIX epoch.
        to: u64,
    },
}

/// Refuses sources and a selection that cannot mean what was asked for. A file that does not exist is
/// left to whoever opens it.
///
/// # Errors
/// A source is there twice under the same prefix, standard input would be read twice, or the span of
/// time is empty.
pub fn check(sources: &[SourceSpec], selection: &TickSelection) -> Result<(), SelectionError> {
    check_twice(sources)?;
    let is_standard_input =
        |source: &SourceSpec| matches!(source, SourceSpec::File { name, .. } if name == "-");
    if selection.repeats > 1 && sources.iter().any(is_standard_input) {
        return Err(SelectionError::StandardInputRepeated);
    }
    match (selection.from, selection.to) {
        (Some(from), Some(to)) if from >= to => Err(SelectionError::EmptySpan { from, to }),
        _ => Ok(()),
    }
}

fn check_twice(specs: &[SourceSpec]) -> Result<(), SelectionError> {
    let mut known = HashMap::new();
    let mut has_standard_input = false;
    for source in specs {
        let SourceSpec::File { name, prefix, .. } = source else { continue };
        if name == "-" && std::mem::replace(&mut has_standard_input, true) {
            return Err(SelectionError::StandardInputTwice);
        }
        let Some(identity) = sources::identity(name).filter(|_| name != "-") else { continue };
        if let Some(first) = known.insert((identity, prefix), name) {
            return Err(SelectionError::SameFileTwice { first: first.clone(), second: name.clone() });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &std::path::Path, prefix: &str) -> SourceSpec {
        SourceSpec::prefixed(path.display().to_string(), prefix)
    }

    #[test]
    fn a_file_is_taken_once_however_it_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.csv");
        std::fs::write(&path, "text").unwrap();
        let other_name = folder.path().join(".").join("a.csv");
        let link = folder.path().join("b.csv");
        std::fs::hard_link(&path, &link).unwrap();
        let selection = TickSelection::default();
        for second in [&path, &other_name, &link] {
            let error = check(&[file(&path, ""), file(second, "")], &selection).unwrap_err();
            assert!(matches!(error, SelectionError::SameFileTwice { .. }), "{error}");
            assert_eq!(check(&[file(&path, "x:"), file(second, "y:")], &selection), Ok(()));
        }
    }

    #[test]
    fn a_span_without_time_is_refused() {
        let span = |from, to| TickSelection { from: Some(from), to: Some(to), ..TickSelection::default() };
        assert_eq!(check(&[], &span(5, 5)), Err(SelectionError::EmptySpan { from: 5, to: 5 }));
        assert_eq!(check(&[], &span(5, 6)), Ok(()));
    }
}
