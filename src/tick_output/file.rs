//! An output file that is there whole or not at all.

use std::fs::{self, File};
use std::io::{self, Stdout, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result, bail};
use tempfile::TempPath;

use crate::sources::on_interrupt;

/// Where ticks are written to: a temporary file beside the one that is wanted, which takes that
/// one's name at the end, or standard output.
///
/// So whoever has mapped an older file of that name keeps it, and nobody ever reads half a file.
pub(super) struct OutputFile {
    to: Destination,
    unfinished: Unfinished,
    written: u64,
}

enum Destination {
    Stdout(Stdout),
    File { file: File, path: PathBuf, replace: bool },
}

/// What an interrupt has to undo.
#[derive(Clone)]
pub(super) struct Unfinished(Arc<Mutex<State>>);

enum State {
    /// Nothing yet.
    NotBegun,
    /// Nothing: what was streamed is with its reader.
    Stream,
    /// The temporary file, which is removed when this is dropped.
    File { _temporary: TempPath },
    /// The output is whole.
    Finished,
}

impl OutputFile {
    pub(super) fn stdout(unfinished: Unfinished) -> Self {
        *unfinished.lock() = State::Stream;
        Self { to: Destination::Stdout(io::stdout()), unfinished, written: 0 }
    }

    /// Begins the file at `path`; `replace` allows that there is one.
    ///
    /// # Errors
    /// There is one and it may not be replaced, it is no plain file, or its folder cannot be
    /// written to.
    pub(super) fn create(path: &Path, replace: bool, unfinished: Unfinished) -> Result<Self> {
        let path = match fs::metadata(path) {
            Ok(known) if !known.is_file() => {
                bail!("{}: is no plain file\n  name a file, or - with --format to stream", path.display())
            }
            Ok(_) if !replace => bail!(already_there(path)),
            // Behind a link it is the file that is replaced, not the link.
            Ok(_) => fs::canonicalize(path).with_context(|| path.display().to_string())?,
            Err(_) => path.to_owned(),
        };
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new("."));
        // Held meanwhile, so that an interrupt finds the file's name or no file.
        let mut state = unfinished.lock();
        let temporary = temporary_in(folder)
            .with_context(|| format!("{}: no file can be made in its folder", path.display()))?;
        let (file, temporary) = temporary.into_parts();
        *state = State::File { _temporary: temporary };
        drop(state);
        Ok(Self { to: Destination::File { file, path, replace }, unfinished, written: 0 })
    }

    /// Gives the file its name; says how many bytes it has.
    ///
    /// # Errors
    /// It cannot be renamed, or somebody else has made one of that name meanwhile.
    pub(super) fn finish(mut self) -> Result<u64> {
        self.flush()?;
        // Held to the end, so that an interrupt either removes the file or finds it finished.
        let mut state = self.unfinished.lock();
        let unfinished = std::mem::replace(&mut *state, State::Finished);
        let (Destination::File { path, replace, .. }, State::File { _temporary: temporary }) =
            (&self.to, unfinished)
        else {
            return Ok(self.written);
        };
        let named = if *replace { temporary.persist(path) } else { temporary.persist_noclobber(path) };
        match named.map_err(|error| error.error) {
            Ok(()) => Ok(self.written),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => bail!(already_there(path)),
            Err(error) => {
                Err(error).with_context(|| format!("{}: giving the finished file its name", path.display()))
            }
        }
    }
}

impl Drop for OutputFile {
    fn drop(&mut self) {
        // The interrupt's handler keeps a share for as long as the process lives.
        *self.unfinished.lock() = State::Finished;
    }
}

impl Write for OutputFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = match &mut self.to {
            Destination::Stdout(stdout) => stdout.write(bytes),
            Destination::File { file, .. } => file.write(bytes),
        }?;
        self.written += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.to {
            Destination::Stdout(stdout) => stdout.flush(),
            Destination::File { .. } => Ok(()),
        }
    }
}

impl Unfinished {
    /// From now on Ctrl-C removes what was written and ends the process, even while it waits for
    /// input that does not come; an output that is already whole stays.
    pub(super) fn remove_at_interrupt() -> Result<Self> {
        let unfinished = Self(Arc::new(Mutex::new(State::NotBegun)));
        let shared = unfinished.clone();
        on_interrupt(move || shared.remove())?;
        Ok(unfinished)
    }

    fn remove(&self) {
        let mut state = self.lock();
        let said = match &*state {
            State::Finished => return,
            State::Stream => "interrupted: the output is not whole",
            State::NotBegun | State::File { .. } => "interrupted: nothing was written",
        };
        *state = State::Finished;
        eprintln!("{said}");
        // The lock is held: nobody goes on meanwhile.
        std::process::exit(130);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        // Nobody leaves it half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn already_there(path: &Path) -> String {
    format!("{}: is already there\n  choose another name, or replace it with --force", path.display())
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
