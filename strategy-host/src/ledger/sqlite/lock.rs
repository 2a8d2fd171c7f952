//! Who has a ledger's folder: a lock file, which ends with its process however that ends.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use tracing::warn;

use crate::ledger::LedgerError;

/// With whom a folder is shared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sharing {
    /// With others that share it.
    Shared,
    /// With nobody.
    Exclusive,
}

/// A lock on a folder, as long as this is held.
#[derive(Debug)]
pub(super) struct FolderLock {
    _file: File,
}

impl FolderLock {
    /// Takes the lock at once, and writes this process's number into the file `lock`.
    ///
    /// # Errors
    /// Another process has the folder, or the file cannot be written.
    pub(super) fn take(folder: &Path, sharing: Sharing) -> Result<Self, LedgerError> {
        let path = folder.join("lock");
        let io = |source| LedgerError::Io { place: path.display().to_string(), source };
        let mut options = OpenOptions::new();
        let mut file = options.read(true).append(true).create(true).open(&path).map_err(io)?;
        let locked = match sharing {
            Sharing::Shared => file.try_lock_shared(),
            Sharing::Exclusive => file.try_lock(),
        };
        match locked {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let holders = holders(&mut file);
                return Err(LedgerError::InUse { place: folder.display().to_string(), holders });
            }
            Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {
                warn!(folder = %folder.display(), %error, "the file system has no locks: see that one process uses it");
            }
            Err(TryLockError::Error(error)) => return Err(io(error)),
        }
        if sharing == Sharing::Exclusive {
            // Those that are in it have ended.
            file.set_len(0).map_err(io)?;
        }
        writeln!(file, "{}", std::process::id()).map_err(io)?;
        Ok(Self { _file: file })
    }
}

/// The processes that wrote themselves into the file and live, in words.
fn holders(file: &mut File) -> String {
    let mut text = String::new();
    // What cannot be read is not known: the lock itself is certain.
    let _ = file.read_to_string(&mut text);
    let mut pids: Vec<u32> =
        text.lines().filter_map(|line| line.parse().ok()).filter(|pid| may_live(*pid)).collect();
    pids.sort_unstable();
    pids.dedup();
    match pids.as_slice() {
        [] => "another process".to_owned(),
        [pid] => format!("process {pid}"),
        pids => format!("processes {}", pids.iter().map(u32::to_string).collect::<Vec<_>>().join(", ")),
    }
}

/// Whether a process may live: only Linux lists them in the file system.
fn may_live(pid: u32) -> bool {
    !cfg!(target_os = "linux") || PathBuf::from(format!("/proc/{pid}")).exists()
}
