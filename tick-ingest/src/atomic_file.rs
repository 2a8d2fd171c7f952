//! Files that are there whole or not at all.
//!
//! What is written goes to a temporary file beside the target, which takes that one's name
//! at the end. So whoever has an older file of that name open or mapped keeps it, nobody ever reads
//! half a file, and a full disk leaves the older file as it was.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tempfile::TempPath;

/// What becomes of a file that has the name already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// The new file takes its place, and behind a link that of the file it leads to.
    Replace,
    /// Nothing: there is an error of kind `AlreadyExists`, at the beginning or at the end.
    Keep,
}

/// A file that has no name yet. Dropped without [`AtomicFile::commit`] it leaves nothing.
#[derive(Debug)]
pub struct AtomicFile {
    file: File,
    name: PendingName,
}

/// The name that a file is to have. Dropped without [`PendingName::commit`] it removes the file.
#[derive(Debug)]
pub struct PendingName {
    temporary: TempPath,
    path: PathBuf,
    existing: Existing,
}

/// Writes a small file at once, and to the disk: after a power cut it has the old or the new content.
///
/// # Errors
/// The file cannot be written; then what was there before still is.
pub fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = AtomicFile::create(path, Existing::Replace)?;
    file.write_all(content)?;
    file.sync()?;
    file.commit()
}

impl AtomicFile {
    /// Begins the file that is to be at `path`.
    ///
    /// # Errors
    /// There is one and it is to be kept, there is something that is not a plain file, or its folder
    /// cannot be written to.
    pub fn create(path: &Path, existing: Existing) -> io::Result<Self> {
        let path = match fs::metadata(path) {
            Ok(known) if !known.is_file() => {
                return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a plain file"));
            }
            Ok(_) if existing == Existing::Keep => return Err(io::ErrorKind::AlreadyExists.into()),
            Ok(_) => fs::canonicalize(path)?,
            Err(_) => path.to_owned(),
        };
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let (file, temporary) = temporary_in(folder.unwrap_or(Path::new(".")))?.into_parts();
        Ok(Self { file, name: PendingName { temporary, path, existing } })
    }

    /// Waits for what was written to be on the disk.
    ///
    /// # Errors
    /// The disk does not take it.
    pub fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    /// Gives the file its name.
    ///
    /// # Errors
    /// It cannot be renamed, or somebody has made one of that name meanwhile, which is to be kept.
    pub fn commit(self) -> io::Result<()> {
        self.name.commit()
    }

    /// The file and its name apart, for a name that someone else gives or drops.
    pub fn into_parts(self) -> (File, PendingName) {
        (self.file, self.name)
    }
}

impl PendingName {
    /// As [`AtomicFile::commit`].
    ///
    /// # Errors
    /// As [`AtomicFile::commit`].
    pub fn commit(self) -> io::Result<()> {
        let Self { temporary, path, existing } = self;
        let named = match existing {
            Existing::Replace => temporary.persist(path),
            Existing::Keep => temporary.persist_noclobber(path),
        };
        named.map_err(|error| error.error)
    }
}

impl Write for AtomicFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
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

    #[test]
    fn what_is_not_committed_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out");
        fs::write(&path, "old").unwrap();
        let mut file = AtomicFile::create(&path, Existing::Replace).unwrap();
        file.write_all(b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"old");
        drop(file);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        write(&path, b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
    }

    #[test]
    fn a_file_that_is_to_be_kept_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out");
        let file = AtomicFile::create(&path, Existing::Keep).unwrap();
        fs::write(&path, "somebody else's").unwrap();
        assert_eq!(file.commit().unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        let refused = AtomicFile::create(&path, Existing::Keep).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&path).unwrap(), b"somebody else's");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
