//! Makes all documents anew beside those that are served, then serves the new ones.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bus::EventSource;
use thiserror::Error;

use super::projector::{Inner, Projector, ProjectorError};
use crate::documents::{
    Commit, DocumentError, DocumentStore, Documents, Durability, NextDocuments, PostgresDocuments,
    SqliteDocuments, Stop,
};

/// What a rebuild did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RebuildReport {
    /// Events that were applied.
    pub events: u64,
    /// How long it took.
    pub elapsed: Duration,
}

/// Why the documents are still the old ones.
#[derive(Debug, Error)]
pub enum RebuildError {
    /// The new documents cannot be made.
    #[error("rebuilding the read model: {0}")]
    Projector(#[from] ProjectorError),
    /// The files cannot be exchanged.
    #[error("rebuilding the read model: {0}")]
    Documents(#[from] DocumentError),
}

/// Makes the documents at `place` anew of all events, while nobody serves them. Events that were skipped stay
/// skipped. It blocks.
///
/// # Errors
/// A log cannot be read, or the file cannot be written; the old documents are still there.
pub fn rebuild(place: &Path, source: Arc<dyn EventSource>) -> Result<RebuildReport, RebuildError> {
    let begun = Instant::now();
    // Documents that no program of this version can read are still to be replaced.
    let skipped = match SqliteDocuments::open(place, Durability::None) {
        Ok(old) => skipped(&old)?,
        Err(DocumentError::Schema { .. }) => Vec::new(),
        Err(error) => return Err(error.into()),
    };
    let next = Next::begin(place, source)?;
    next.inner.leave_out(skipped)?;
    let events = next.inner.catch_up()?;
    let built = next.close()?;
    remove_logs(place)?;
    rename(&built, place)?;
    Ok(RebuildReport { events, elapsed: begun.elapsed() })
}

impl Projector {
    /// As [`rebuild`], beside the documents that this one keeps up to date and that are served; reads wait only
    /// while the files are exchanged. It blocks.
    ///
    /// # Errors
    /// As [`rebuild`].
    pub fn rebuild(&self, place: &Path) -> Result<RebuildReport, RebuildError> {
        let begun = Instant::now();
        let next = Next::begin(place, self.inner.source.clone())?;
        next.inner.leave_out(skipped(&*self.inner.documents)?)?;
        let mut events = next.inner.catch_up()?;
        // Nothing is applied from here on until the new documents are served with their own cursors.
        let mut state = self.inner.state();
        events += next.inner.catch_up()?;
        let built = next.close()?;
        self.inner.documents.replace(|old| exchange(old, &built, place))?;
        self.inner.load(&mut state)?;
        drop(state);
        Ok(RebuildReport { events, elapsed: begun.elapsed() })
    }

    /// As [`rebuild`], of the documents that processes share in the database of this URL, whichever of them keeps
    /// them. It blocks.
    ///
    /// # Errors
    /// A log cannot be read, the database cannot be written, or another process rebuilds them.
    pub fn rebuild_shared(&self, url: &str) -> Result<RebuildReport, RebuildError> {
        let begun = Instant::now();
        let live = PostgresDocuments::open(url)?;
        let next = NextDocuments::begin(url)?;
        let documents = Arc::new(Documents::new(Box::new(next.store().clone())));
        let inner = Inner::open(documents, self.inner.source.clone())?;
        inner.leave_out(skipped(&live)?)?;
        let mut events = inner.catch_up()?;
        events += next.replace(&live, || inner.catch_up())?;
        Ok(RebuildReport { events, elapsed: begun.elapsed() })
    }
}

/// Events that somebody has decided to leave out.
fn skipped(store: &dyn DocumentStore) -> Result<Vec<Stop>, DocumentError> {
    Ok(store.stops()?.into_iter().filter(|stop| stop.is_skipped).collect())
}

/// Documents that are being built.
struct Next {
    inner: Inner,
    place: PathBuf,
}

impl Next {
    fn begin(place: &Path, source: Arc<dyn EventSource>) -> Result<Self, RebuildError> {
        let place = beside(place, ".next");
        // What a rebuild that was killed left is of no use.
        remove(&place)?;
        remove_logs(&place)?;
        let store = SqliteDocuments::open(&place, Durability::None)?;
        let inner = Inner::open(Arc::new(Documents::new(Box::new(store))), source)?;
        Ok(Self { inner, place })
    }

    /// Closes the new documents: one file, its log carried over.
    fn close(self) -> Result<PathBuf, DocumentError> {
        drop(self.inner);
        let io = |source| DocumentError::Io { place: self.place.clone(), source };
        // It was written without waiting for the disk, and replaces one that is on disk.
        std::fs::File::open(&self.place).and_then(|file| file.sync_all()).map_err(io)?;
        Ok(self.place)
    }
}

impl Inner {
    /// Events that projections leave out from now on.
    fn leave_out(&self, skipped: Vec<Stop>) -> Result<(), DocumentError> {
        self.documents.commit(&Commit { stops: skipped, ..Commit::default() })?;
        self.load(&mut self.state())
    }

    /// Applies events until there are none, of all contexts at once; how many there were.
    fn catch_up(&self) -> Result<u64, ProjectorError> {
        let mut applied = 0;
        loop {
            let contexts = self.contexts();
            let steps: Vec<_> = std::thread::scope(|scope| {
                let follow = |context: String| scope.spawn(move || self.catch_up_context(&context));
                let threads: Vec<_> = contexts.into_iter().map(follow).collect();
                let join = |thread: std::thread::ScopedJoinHandle<'_, _>| match thread.join() {
                    Ok(done) => done,
                    Err(panic) => std::panic::resume_unwind(panic),
                };
                threads.into_iter().map(join).collect()
            });
            let steps: u64 = steps.into_iter().sum::<Result<u64, ProjectorError>>()?;
            applied += steps;
            if steps == 0 {
                return Ok(applied);
            }
        }
    }

    fn catch_up_context(&self, context: &str) -> Result<u64, ProjectorError> {
        let mut applied = 0;
        loop {
            let step = self.step(context)?;
            if step == 0 {
                return Ok(applied);
            }
            applied += step as u64;
        }
    }
}

/// Closes the old store, puts the new file in its place and opens it.
fn exchange(
    old: Box<dyn DocumentStore>,
    built: &Path,
    place: &Path,
) -> (Box<dyn DocumentStore>, Result<(), DocumentError>) {
    drop(old);
    let renamed = remove_logs(place).and_then(|()| rename(built, place));
    match SqliteDocuments::open(place, Durability::LastCommitsMayBeLost) {
        Ok(store) => (Box::new(store), renamed),
        Err(error) => (Box::new(crate::documents::Closed), Err(error)),
    }
}

fn beside(place: &Path, suffix: &str) -> PathBuf {
    let mut name = place.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// A log of the old file must not be taken for one of the new file.
fn remove_logs(place: &Path) -> Result<(), DocumentError> {
    remove(&beside(place, "-wal"))?;
    remove(&beside(place, "-shm"))
}

fn remove(place: &Path) -> Result<(), DocumentError> {
    match std::fs::remove_file(place) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(DocumentError::Io { place: place.to_owned(), source: error })
        }
        _ => Ok(()),
    }
}

fn rename(from: &Path, to: &Path) -> Result<(), DocumentError> {
    std::fs::rename(from, to).map_err(|source| DocumentError::Io { place: to.to_owned(), source })
}
