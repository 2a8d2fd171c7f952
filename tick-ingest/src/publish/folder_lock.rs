//! One ingester at a time has a state folder: two would delete and overwrite each other's run.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::Path;

use super::StateError;

/// A state folder that is this process's until it is dropped; the system releases it at the process's
/// end, however that comes.
pub(super) struct FolderLock {
    _file: File,
}

impl FolderLock {
    /// Makes the folder if it is not there, and locks it.
    ///
    /// # Errors
    /// Another process has it, which is named by its process id; or it cannot be written to.
    pub(super) fn take(folder: &Path) -> Result<Self, StateError> {
        let failed = |source: io::Error| StateError::Io { path: folder.to_owned(), source };
        fs::create_dir_all(folder).map_err(failed)?;
        let path = folder.join("lock");
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path);
        let mut file = file.map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                // Its owner may not have written its id yet; the lock is what counts.
                let _ = file.read_to_string(&mut holder);
                let holder = Some(holder.trim()).filter(|pid| !pid.is_empty()).unwrap_or("unknown");
                return Err(StateError::InUse { folder: folder.to_owned(), process: holder.to_owned() });
            }
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        file.set_len(0).map_err(failed)?;
        write!(file, "{}", std::process::id()).map_err(failed)?;
        Ok(Self { _file: file })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_has_one_owner_who_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("state");
        let lock = FolderLock::take(&state).unwrap();
        let error = FolderLock::take(&state).err().expect("it is taken").to_string();
        assert!(error.contains(&format!("process id {}\n", std::process::id())), "{error}");
        drop(lock);
        FolderLock::take(&state).expect("it is free");
    }
}
