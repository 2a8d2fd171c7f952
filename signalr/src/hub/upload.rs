//! Streams that the client sends.

use std::collections::VecDeque;
use std::fmt;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context as TaskContext, Poll, Waker};

use futures_util::Stream;
use serde::de::DeserializeOwned;

use super::connection::Caller;
use crate::message::Payload;

/// What an item costs besides its bytes.
const ITEM_BYTES: usize = 64;

/// A stream of the client, as an argument of a method. Ends with an error where the client ends it with one, sends an item of
/// another type, or goes away. Dropping it discards what the client still sends.
///
/// ```
/// # use std::sync::Arc;
/// use futures_util::StreamExt as _;
/// use signalr::{Context, HubError, Upload};
///
/// # struct Calculator;
/// # impl Calculator {
/// async fn sum(self: Arc<Self>, _: Context, mut numbers: Upload<i64>) -> Result<i64, HubError> {
///     let mut sum = 0;
///     while let Some(number) = numbers.next().await {
///         sum += number?;
///     }
///     Ok(sum)
/// }
/// # }
/// ```
pub struct Upload<T> {
    pipe: Arc<Pipe>,
    items: PhantomData<fn() -> T>,
}

/// Why a stream of the client ended before its end.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UploadError {
    /// The client ended it with this text.
    #[error("{0}")]
    Client(String),
    /// An item is not of the type that the method reads.
    #[error("Failed to bind Stream message.")]
    Item,
    /// The connection has ended.
    #[error("the connection has ended before the stream of the client did")]
    Disconnected,
}

/// Between the session, which puts items in, and the method that reads them.
#[derive(Debug)]
pub(super) struct Pipe {
    caller: Arc<Caller>,
    /// Items beyond it hold up the reading of the connection once they are more than some bytes.
    limit_items: usize,
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    items: VecDeque<Payload>,
    end: Option<Result<(), UploadError>>,
    reader: Option<Waker>,
    is_unread: bool,
}

impl Pipe {
    pub(super) fn new(caller: Arc<Caller>, limit_items: usize) -> Arc<Self> {
        Arc::new(Self { caller, limit_items: limit_items.max(1), waiting: Mutex::default() })
    }

    /// Takes an item; one that nobody will read is discarded.
    pub(super) fn push(&self, item: Payload) {
        let mut waiting = self.lock();
        if waiting.is_unread || waiting.end.is_some() {
            return;
        }
        if waiting.items.len() >= self.limit_items {
            self.caller.excess.add(cost(&item));
        }
        waiting.items.push_back(item);
        wake(waiting);
    }

    /// Nothing follows.
    pub(super) fn end(&self, end: Result<(), UploadError>) {
        let mut waiting = self.lock();
        waiting.end.get_or_insert(end);
        wake(waiting);
    }

    /// Whether its id may be used again.
    pub(super) fn is_over(&self) -> bool {
        let waiting = self.lock();
        waiting.is_unread || waiting.end.is_some()
    }

    fn poll_item(&self, context: &TaskContext<'_>) -> Poll<Option<Result<Payload, UploadError>>> {
        let mut waiting = self.lock();
        if let Some(item) = waiting.items.pop_front() {
            // The item that moves up to the limit is none too many any more.
            let moved_up = waiting.items.get(self.limit_items - 1);
            self.caller.excess.remove(moved_up.map_or(0, cost));
            return Poll::Ready(Some(Ok(item)));
        }
        match &mut waiting.end {
            Some(end) => Poll::Ready(std::mem::replace(end, Ok(())).err().map(Err)),
            None => {
                waiting.reader = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }

    fn discard(&self) {
        let mut waiting = self.lock();
        waiting.is_unread = true;
        waiting.end.get_or_insert(Ok(()));
        let items = std::mem::take(&mut waiting.items);
        drop(waiting);
        self.caller.excess.remove(items.iter().skip(self.limit_items).map(cost).sum());
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn cost(item: &Payload) -> usize {
    item.bytes.len() + ITEM_BYTES
}

fn wake(mut waiting: MutexGuard<'_, Waiting>) {
    let reader = waiting.reader.take();
    drop(waiting);
    if let Some(reader) = reader {
        reader.wake();
    }
}

impl<T> Upload<T> {
    pub(super) fn new(pipe: Arc<Pipe>) -> Self {
        Self { pipe, items: PhantomData }
    }
}

impl<T: DeserializeOwned> Stream for Upload<T> {
    type Item = Result<T, UploadError>;

    fn poll_next(self: Pin<&mut Self>, context: &mut TaskContext<'_>) -> Poll<Option<Self::Item>> {
        let Poll::Ready(next) = self.pipe.poll_item(context) else { return Poll::Pending };
        let Some(item) = next else { return Poll::Ready(None) };
        let item = item.and_then(|item| item.read().map_err(|_| UploadError::Item));
        if item.is_err() {
            self.pipe.discard();
        }
        Poll::Ready(Some(item))
    }
}

impl<T> Drop for Upload<T> {
    fn drop(&mut self) {
        self.pipe.discard();
    }
}

impl<T> fmt::Debug for Upload<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let waiting = self.pipe.lock();
        formatter
            .debug_struct("Upload")
            .field("waiting_items", &waiting.items.len())
            .field("end", &waiting.end)
            .finish()
    }
}
