//! An output file that is there whole or not at all.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use tick_feed::atomic_file::{AtomicFile, Existing, PendingName};
use tick_ingest::outputs::OutputError;

use crate::sources::on_interrupt;
use crate::stdout::{Out, stdout};

/// Where ticks are written to: a temporary file beside the target, which takes that
/// one's name at the end, or standard output.
///
/// So whoever has mapped an older file of that name keeps it, and nobody ever reads half a file.
pub(super) struct OutputFile {
    to: Destination,
    unfinished: Unfinished,
    written: u64,
}

enum Destination {
    Stdout(Out),
    File { file: File, path: PathBuf },
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
    File(PendingName),
    /// The output is whole.
    Finished,
}

impl OutputFile {
    pub(super) fn stdout(unfinished: Unfinished) -> Self {
        *unfinished.lock() = State::Stream;
        Self { to: Destination::Stdout(stdout()), unfinished, written: 0 }
    }

    /// Begins the file at `path`; `replace` allows that there is one.
    ///
    /// # Errors
    /// There is one and it may not be replaced, it is not a plain file, or its folder cannot be
    /// written to.
    pub(super) fn create(path: &Path, replace: bool, unfinished: Unfinished) -> Result<Self> {
        let existing = if replace { Existing::Replace } else { Existing::Keep };
        // Held meanwhile, so that an interrupt finds the file's name or no file.
        let mut state = unfinished.lock();
        let file = AtomicFile::create(path, existing).map_err(|error| refused(path, error))?;
        let (file, name) = file.into_parts();
        *state = State::File(name);
        drop(state);
        Ok(Self { to: Destination::File { file, path: path.to_owned() }, unfinished, written: 0 })
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
        if let (Destination::File { path, .. }, State::File(name)) = (&self.to, unfinished) {
            name.commit().map_err(|error| refused(path, error))?;
        }
        Ok(self.written)
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
            State::NotBegun | State::File(_) => "interrupted: nothing was written",
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

fn refused(path: &Path, error: io::Error) -> anyhow::Error {
    let output = path.display().to_string();
    match error.kind() {
        io::ErrorKind::AlreadyExists => OutputError::Exists { output }.into(),
        _ => OutputError::Folder { output, reason: error.to_string() }.into(),
    }
}
