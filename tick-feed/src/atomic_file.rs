//! A file that is there whole or not at all: a temporary one beside it takes its name at the end.
//!
//! So whoever has mapped an older file of that name keeps it, and nobody ever reads half a file.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use tempfile::TempPath;

/// What is done where a file of that name is there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// It is an error of kind [`ErrorKind::AlreadyExists`].
    Refuse,
    /// The new file takes its place; behind a link, that of the file that the link points to.
    Replace,
}

/// A file that does not have its name yet. Dropped, it is removed.
#[derive(Debug)]
pub struct UnfinishedFile {
    temporary: TempPath,
    path: PathBuf,
    existing: Existing,
}

/// Begins the file that will be at `path`: what is written to the file given stands there once the other
/// part is [finished](UnfinishedFile::finish).
///
/// # Errors
/// There is one that may not be replaced, or what is there is not a plain file
/// ([`ErrorKind::InvalidInput`]), or its folder cannot be written to.
pub fn begin(path: &Path, existing: Existing) -> io::Result<(File, UnfinishedFile)> {
    let path = match fs::metadata(path) {
        Ok(known) if !known.is_file() => {
            return Err(io::Error::new(ErrorKind::InvalidInput, "it is not a plain file"));
        }
        Ok(_) if existing == Existing::Refuse => return Err(ErrorKind::AlreadyExists.into()),
        Ok(_) => fs::canonicalize(path)?,
        Err(_) => path.to_owned(),
    };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let (file, temporary) = temporary_in(folder)?.into_parts();
    Ok((file, UnfinishedFile { temporary, path, existing }))
}

/// Writes a whole file, which replaces one that is there; its bytes are on the disk before it has its name.
///
/// # Errors
/// It cannot be written; the one that was there is unchanged.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let (mut file, unfinished) = begin(path, Existing::Replace)?;
    file.write_all(bytes)?;
    file.sync_data()?;
    unfinished.finish()
}

impl UnfinishedFile {
    /// Gives the file its name.
    ///
    /// # Errors
    /// It cannot be renamed, or one that may not be replaced has been made meanwhile
    /// ([`ErrorKind::AlreadyExists`]). The temporary file is removed.
    pub fn finish(self) -> io::Result<()> {
        let Self { temporary, path, existing } = self;
        let named = match existing {
            Existing::Replace => temporary.persist(path),
            Existing::Refuse => temporary.persist_noclobber(path),
        };
        named.map_err(|error| error.error)
    }
}

/// A file that nobody takes for a finished one, with the permissions of any new file.
fn temporary_in(folder: &Path) -> io::Result<tempfile::NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".orchard-").suffix(".unfinished");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    builder.tempfile_in(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn a_file_is_there_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out");
        let (mut file, unfinished) = begin(&path, Existing::Refuse).unwrap();
        file.write_all(b"half").unwrap();
        assert!(!path.exists());
        drop(unfinished);
        assert!(names(folder.path()).is_empty(), "nothing is left of it");

        replace(&path, b"whole").unwrap();
        replace(&path, b"another").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"another");
        assert_eq!(names(folder.path()), ["out"]);
    }

    #[test]
    fn what_is_there_is_replaced_only_where_that_is_allowed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out");
        let (_, late) = begin(&path, Existing::Refuse).unwrap();
        fs::write(&path, "first").unwrap();
        assert_eq!(late.finish().unwrap_err().kind(), ErrorKind::AlreadyExists);
        assert_eq!(begin(&path, Existing::Refuse).unwrap_err().kind(), ErrorKind::AlreadyExists);
        assert_eq!(begin(folder.path(), Existing::Replace).unwrap_err().kind(), ErrorKind::InvalidInput);
        assert_eq!(fs::read(&path).unwrap(), b"first");
    }

    #[test]
    #[cfg(unix)]
    fn behind_a_link_the_file_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let (path, link) = (folder.path().join("out"), folder.path().join("link"));
        fs::write(&path, "old").unwrap();
        std::os::unix::fs::symlink(&path, &link).unwrap();
        replace(&link, b"new").unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read(&path).unwrap(), b"new");
    }
}
