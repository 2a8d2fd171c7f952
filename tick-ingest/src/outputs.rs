//! What a command may write to: asked before it begins, not when it ends hours later.

use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::file_identity::FileIdentity;

/// A file that a command is to write.
#[derive(Clone, Copy, Debug)]
pub struct Output<'a> {
    /// The option that names it, such as `--report`; empty where it is an argument.
    pub option: &'a str,
    /// Where it is to be.
    pub path: &'a Path,
    /// The endings that its name may have, without the dot; empty for any.
    pub endings: &'a [&'a str],
}

/// An output that is refused. Nothing was written.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum OutputError {
    /// Writing it would destroy what the command reads.
    #[error("{output}: is one of the sources, which it would replace: name another file")]
    IsSource {
        /// The option and the path.
        output: String,
    },
    /// Two outputs would replace each other.
    #[error("{output}: is the same file as {other}: name another")]
    IsOtherOutput {
        /// The option and the path.
        output: String,
        /// The other one's.
        other: String,
    },
    /// The name does not say what is to be written.
    #[error("{output}: let its name end in {endings}")]
    Ending {
        /// The option and the path.
        output: String,
        /// The endings that are known.
        endings: String,
    },
    /// There is a file of that name.
    #[error("{output}: is already there\n  choose another name, or replace it with --force")]
    Exists {
        /// The option and the path.
        output: String,
    },
    /// There is something else of that name.
    #[error("{output}: cannot be written: it is not a plain file; name a file")]
    NotAFile {
        /// The option and the path.
        output: String,
    },
    /// Nothing can be made where it is to be.
    #[error("{output}: cannot be written: {reason}")]
    Folder {
        /// The option and the path.
        output: String,
        /// The system's error.
        reason: String,
    },
}

impl OutputError {
    /// Whether the command line itself makes no sense, whatever is on the disk.
    pub fn is_usage(&self) -> bool {
        matches!(self, Self::IsSource { .. } | Self::IsOtherOutput { .. } | Self::Ending { .. })
    }
}

/// Refuses an output that is a source or another output, whose ending is not known, that exists where
/// nothing is to be replaced, or that could not be written.
///
/// Files are compared by what they are, not by how they are named: a link is the file it leads to.
///
/// # Errors
/// The first output that is refused.
pub fn check(outputs: &[Output<'_>], sources: &[&Path], replace: bool) -> Result<(), OutputError> {
    let known: Vec<_> = sources.iter().filter_map(|source| FileIdentity::of(source)).collect();
    for (place, output) in outputs.iter().enumerate() {
        output.check_ending()?;
        let identity = FileIdentity::of(output.path);
        if identity.is_some_and(|identity| known.contains(&identity)) {
            return Err(OutputError::IsSource { output: output.name() });
        }
        if let Some(other) = outputs[..place].iter().find(|other| is_same(output.path, other.path)) {
            return Err(OutputError::IsOtherOutput { output: output.name(), other: other.name() });
        }
        output.check_place(replace)?;
    }
    Ok(())
}

impl Output<'_> {
    fn name(&self) -> String {
        let path = self.path.display();
        if self.option.is_empty() { path.to_string() } else { format!("{} {path}", self.option) }
    }

    fn check_ending(&self) -> Result<(), OutputError> {
        let ending = self.path.extension().unwrap_or_default();
        let is_known = |known: &&str| ending.eq_ignore_ascii_case(known);
        if self.endings.is_empty() || self.endings.iter().any(is_known) {
            return Ok(());
        }
        let endings: Vec<_> = self.endings.iter().map(|ending| format!(".{ending}")).collect();
        Err(OutputError::Ending { output: self.name(), endings: endings.join(" or ") })
    }

    fn check_place(&self, replace: bool) -> Result<(), OutputError> {
        match std::fs::metadata(self.path) {
            Ok(known) if !known.is_file() => Err(OutputError::NotAFile { output: self.name() }),
            Ok(_) if !replace => Err(OutputError::Exists { output: self.name() }),
            _ => {
                let failed = |error: std::io::Error| OutputError::Folder {
                    output: self.name(),
                    reason: error.to_string(),
                };
                // It has no name, and is gone when it is closed.
                tempfile::tempfile_in(folder_of(self.path)).map(drop).map_err(failed)
            }
        }
    }
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Whether two paths are one file, or would be if they were there.
fn is_same(a: &Path, b: &Path) -> bool {
    match (FileIdentity::of(a), FileIdentity::of(b)) {
        (None, None) => place_of(a) == place_of(b),
        (a, b) => a == b,
    }
}

/// Where a file that is not there would be.
fn place_of(path: &Path) -> PathBuf {
    let folder = folder_of(path);
    let folder = std::fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned());
    folder.join(path.file_name().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn output<'a>(path: &'a Path, endings: &'a [&'a str]) -> Output<'a> {
        Output { option: "--signals", path, endings }
    }

    #[test]
    fn a_source_is_no_output_under_any_name() {
        let folder = tempfile::tempdir().unwrap();
        let source = folder.path().join("capture.csv");
        std::fs::write(&source, "ticks").unwrap();
        let hard = folder.path().join("hard.csv");
        std::fs::hard_link(&source, &hard).unwrap();
        let roundabout = folder.path().join(".").join("capture.csv");
        for path in [&source, &hard, &roundabout] {
            let refused = check(&[output(path, &["csv"])], &[&source], true).unwrap_err();
            assert!(matches!(refused, OutputError::IsSource { .. }), "{refused}");
        }
    }

    #[test]
    fn outputs_are_different_known_and_new() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.csv");
        let same = folder.path().join(".").join("out.csv");
        let refused = check(&[output(&path, &[]), output(&same, &[])], &[], false).unwrap_err();
        assert!(matches!(refused, OutputError::IsOtherOutput { .. }), "{refused}");
        let refused = check(&[output(&path, &["html"])], &[], false).unwrap_err();
        assert!(refused.to_string().ends_with("let its name end in .html"), "{refused}");
        assert_eq!(check(&[output(&path, &["csv", "jsonl"])], &[], false), Ok(()));
        std::fs::write(&path, "yesterday's").unwrap();
        let refused = check(&[output(&path, &["csv"])], &[], false).unwrap_err();
        assert!(matches!(refused, OutputError::Exists { .. }), "{refused}");
        assert_eq!(check(&[output(&path, &["csv"])], &[], true), Ok(()));
        let refused = check(&[output(folder.path(), &[])], &[], true).unwrap_err();
        assert!(matches!(refused, OutputError::NotAFile { .. }), "{refused}");
    }
}
