//! The folder of state: who has it, and what is where in it.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use super::ServeError;

/// A folder of state that this process has for itself, as long as this is held.
#[derive(Debug)]
pub(super) struct StateFolder {
    root: PathBuf,
    _lock: File,
}

impl StateFolder {
    /// Opens the folder, and makes it where it is missing.
    ///
    /// # Errors
    /// It cannot be made, or another process has it.
    pub(super) fn open(folder: &Path) -> Result<Self, ServeError> {
        let io = |source| ServeError::State { place: folder.display().to_string(), source };
        make_private(folder).map_err(io)?;
        let root = folder.canonicalize().map_err(io)?;
        let lock = lock(&root)?;
        std::fs::create_dir_all(root.join("replays")).map_err(io)?;
        Ok(Self { root, _lock: lock })
    }

    /// The folder itself.
    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// The documents that are read.
    pub(super) fn documents(&self) -> PathBuf {
        self.root.join("read.sqlite")
    }

    /// What was discarded of messages that failed.
    pub(super) fn discarded(&self) -> PathBuf {
        self.root.join("discarded.jsonl")
    }

    /// The ledgers of replays, a folder each.
    pub(super) fn ledgers(&self) -> PathBuf {
        self.root.join("replays")
    }
}

/// What commands say, and the key's hash, are nobody else's to read.
fn make_private(folder: &Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// A lock ends with its process, however that ends.
fn lock(root: &Path) -> Result<File, ServeError> {
    let place = root.join("lock");
    let io = |source| ServeError::State { place: place.display().to_string(), source };
    let mut options = OpenOptions::new();
    let mut file = options.read(true).append(true).create(true).open(&place).map_err(io)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            // What cannot be read is not known: the lock itself is certain.
            let _ = file.read_to_string(&mut holder);
            let holder = holder.trim().to_owned();
            return Err(ServeError::InUse { folder: root.display().to_string(), holder });
        }
        Err(TryLockError::Error(error)) => return Err(io(error)),
    }
    file.set_len(0).map_err(io)?;
    writeln!(file, "{}", std::process::id()).map_err(io)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_process_has_the_folder_and_the_next_is_told_which() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("state");
        let first = StateFolder::open(&place).unwrap();
        let error = StateFolder::open(&place).unwrap_err().to_string();
        assert!(error.contains(&format!("process {}", std::process::id())), "{error}");
        drop(first);
        StateFolder::open(&place).unwrap();
    }
}
