//! Work on a thread of its own that somebody waits for a little at a time.

use std::io;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, bounded};

/// The work; dropped, it goes on and nobody takes what it gives.
pub(super) struct Task<T>(Receiver<T>);

/// What a wait came to.
pub(super) enum Waited<T> {
    Done(T),
    /// It goes on.
    Pending,
    /// It panicked; its words are on standard error.
    Panicked,
}

impl<T: Send + 'static> Task<T> {
    /// Begins it.
    pub(super) fn start(name: &str, work: impl FnOnce() -> T + Send + 'static) -> io::Result<Self> {
        let (give, done) = bounded(1);
        let work = move || {
            // Nobody may wait any more.
            let _ = give.send(work());
        };
        std::thread::Builder::new().name(name.to_owned()).spawn(work)?;
        Ok(Self(done))
    }

    /// Waits so long.
    pub(super) fn wait(&self, timeout: Duration) -> Waited<T> {
        match self.0.recv_timeout(timeout) {
            Ok(done) => Waited::Done(done),
            Err(RecvTimeoutError::Timeout) => Waited::Pending,
            Err(RecvTimeoutError::Disconnected) => Waited::Panicked,
        }
    }
}
