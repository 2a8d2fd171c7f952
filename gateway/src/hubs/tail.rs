//! Streams that follow logs by a cursor. Who is behind reads the logs itself; who is at their end is given what is new by
//! one task that reads it once for all.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::Stream;
use futures_util::future::BoxFuture;
use signalr::HubError;
use tokio::sync::{Semaphore, broadcast, watch};

/// What was read and not yet taken by everybody: who is farther behind reads the log itself.
const KEPT_PAGES: usize = 64;
/// Of all who are behind, so many read at the same time: each needs a thread meanwhile.
pub(super) const READERS: usize = 4;

/// What new pages come through. The task that reads them runs while somebody follows.
pub(super) struct Tail<T> {
    pages: Arc<Mutex<Option<broadcast::Sender<Arc<T>>>>>,
    /// For those who are behind.
    pub(super) readers: Semaphore,
}

impl<T> Default for Tail<T> {
    fn default() -> Self {
        Self { pages: Arc::default(), readers: Semaphore::new(READERS) }
    }
}

impl<T: Send + Sync + 'static> Tail<T> {
    /// Gives the pages that are read from now on. For the first who follows, `read` is started.
    pub(super) fn join<F>(&self, read: impl FnOnce(Followers<T>) -> F) -> broadcast::Receiver<Arc<T>>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let mut pages = lock(&self.pages);
        if let Some(sender) = &*pages {
            return sender.subscribe();
        }
        let (sender, receiver) = broadcast::channel(KEPT_PAGES);
        *pages = Some(sender.clone());
        drop(pages);
        tokio::spawn(read(Followers { sender, pages: self.pages.clone() }));
        receiver
    }
}

/// Those who are at the end. Dropped, it ends their receivers, and the next who comes starts another task.
pub(super) struct Followers<T> {
    sender: broadcast::Sender<Arc<T>>,
    pages: Arc<Mutex<Option<broadcast::Sender<Arc<T>>>>>,
}

impl<T> Followers<T> {
    /// Whether anybody follows. Once nobody does, nobody joins this tail any more.
    pub(super) fn are_there(&self) -> bool {
        let mut pages = lock(&self.pages);
        if self.sender.receiver_count() == 0 {
            *pages = None;
        }
        pages.is_some()
    }

    pub(super) fn send(&self, page: T) {
        // Without a receiver nobody misses it.
        let _ = self.sender.send(Arc::new(page));
    }
}

impl<T> Drop for Followers<T> {
    fn drop(&mut self) {
        let mut pages = lock(&self.pages);
        if pages.as_ref().is_some_and(|sender| sender.same_channel(&self.sender)) {
            *pages = None;
        }
    }
}

fn lock<T>(
    pages: &Mutex<Option<broadcast::Sender<Arc<T>>>>,
) -> MutexGuard<'_, Option<broadcast::Sender<Arc<T>>>> {
    pages.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Somebody who follows logs.
pub(super) trait Follow: Send + 'static {
    /// What it is sent.
    type Update: Send;

    /// The next update. An error is logged where it was made, and ends the stream: the client follows again by its cursor.
    fn next(&mut self) -> BoxFuture<'_, Result<Self::Update, HubError>>;
}

/// Every update until the gateway stops. A client takes one when it has room for it, so that it costs no more.
pub(super) fn updates<F: Follow>(
    follow: F,
    stopping: watch::Receiver<bool>,
) -> impl Stream<Item = Result<F::Update, HubError>> + Send {
    futures_util::stream::unfold(Some((follow, stopping)), |state| async {
        let (mut follow, mut stopping) = state?;
        let next = tokio::select! {
            next = follow.next() => next,
            () = stopped(&mut stopping) => Err(HubError::deliberate(STOPS)),
        };
        Some(match next {
            Ok(update) => (Ok(update), Some((follow, stopping))),
            Err(error) => (Err(error), None),
        })
    })
}

const STOPS: &str = "the gateway stops: connect again, and follow from the last update on";

/// Returns when the gateway stops.
pub(super) async fn stopped(stopping: &mut watch::Receiver<bool>) {
    // It also ends when the sender is gone.
    let _ = stopping.wait_for(|is_stopping| *is_stopping).await;
}

/// What cannot be read now; the log says why.
pub(super) fn unreadable(what: &str, error: &dyn std::fmt::Display) -> HubError {
    tracing::error!(what, %error, "a stream ends");
    HubError::deliberate(format!("{what} cannot be read now: follow again in a while"))
}
