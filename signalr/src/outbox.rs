//! What waits to be sent to one connection: whoever sends puts it in, the connection's transport takes it out.

mod batch;
mod gather;
mod queue;
mod stateful;
#[cfg(test)]
mod tests;
mod waiting;

use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::Bytes;
use tokio::sync::Notify;

pub(crate) use batch::{Batch, Gathering};
pub(crate) use gather::Gather;

use crate::options::Options;
use waiting::Waiting;

/// Bounded by [`Options::max_waiting_bytes`], of which what a transport has taken and not yet written is a part. Shared by all
/// that send to the connection.
///
/// A stateful connection holds [`Options::max_replay_bytes`] of messages that the client has not acknowledged besides; clients
/// acknowledge about once a second, so that is about what one can be sent in a second.
#[derive(Debug)]
pub struct Outbox {
    waiting: Mutex<Waiting>,
    /// Rings when there is room again, and at the end.
    room: Notify,
    max_replay_bytes: usize,
    this: Weak<Self>,
}

/// A message that the outbox did not take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PushError {
    /// The client does not read: the connection is being closed, and may be made again.
    #[error("the client does not read what it is sent")]
    Full,
    /// The connection has ended.
    #[error("the connection has ended")]
    Closed,
}

/// Whether a message is text or binary on transports that tell them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// JSON.
    Text,
    /// MessagePack.
    Binary,
}

/// A transport's hold on the outbox; a later attachment ends the earlier one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Attachment(u64);

/// What a transport does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// It sends what was appended.
    Messages(Format),
    /// All has been taken, and nothing comes any more.
    Closed,
    /// Another socket carries the connection now.
    Superseded,
}

impl Outbox {
    /// Empty.
    pub fn new(options: &Options) -> Arc<Self> {
        Arc::new_cyclic(|this| Self {
            waiting: Mutex::new(Waiting::new(options.max_waiting_bytes)),
            room: Notify::new(),
            max_replay_bytes: options.max_replay_bytes,
            this: this.clone(),
        })
    }

    /// What is pushed from now on is text or binary.
    pub fn set_format(&self, format: Format) {
        self.lock().set_format(format);
    }

    /// Numbers countable messages from now on, and keeps them until they are acknowledged (hub protocol 2). Countable messages
    /// stay in the outbox until `release_countable` (the client does not count what comes with the handshake's answer).
    pub fn number_messages(&self) {
        self.lock().number_messages(self.max_replay_bytes);
    }

    /// The client's first message has come, or the time for it has passed.
    pub fn release_countable(&self) {
        self.changed(Waiting::release_countable);
    }

    /// Appends one whole message. `is_countable`: types 1 to 5. Where it is full, the connection is closed with reconnect allowed.
    pub fn push(&self, message: &Bytes, is_countable: bool) -> Result<(), PushError> {
        self.push_or_close(self.lock_after_batches(), |waiting| waiting.push(message, is_countable))
    }

    /// Replaces what waits under this key, or appends: the latest wins, and a slow client gets less. Only uncounted connections
    /// replace; a stateful one appends.
    pub fn push_latest(&self, key: &Arc<str>, message: &Bytes) -> Result<(), PushError> {
        self.push_or_close(self.lock_after_batches(), |waiting| waiting.push_latest(key, message))
    }

    /// As [`push`](Self::push), but waits while it is full: for items of a stream, whose sender waits rather than losing the
    /// connection.
    pub async fn push_when_room(&self, message: &Bytes, is_countable: bool) -> Result<(), PushError> {
        loop {
            let mut rung = std::pin::pin!(self.room.notified());
            rung.as_mut().enable();
            match self.changed(|waiting| waiting.push(message, is_countable)) {
                Err(PushError::Full) => rung.await,
                pushed_or_closed => return pushed_or_closed,
            }
        }
    }

    /// Waits until at most half of the bound waits. Where several wait for it, [`push_when_room`](Self::push_when_room) is safer.
    pub async fn room(&self) -> Result<(), PushError> {
        loop {
            let mut rung = std::pin::pin!(self.room.notified());
            rung.as_mut().enable();
            if self.lock().is_half_empty()? {
                return Ok(());
            }
            rung.await;
        }
    }

    /// The client has received all up to this number.
    pub fn acknowledge(&self, sequence: u64) -> Result<(), PushError> {
        let acknowledged = self.changed(|waiting| waiting.acknowledge(sequence));
        self.room.notify_waiters();
        acknowledged
    }

    /// Nothing is taken any more; `last` (a Close message) is sent after what waits.
    pub fn close(&self, last: Option<Bytes>) {
        self.changed(|waiting| waiting.close(last));
        self.room.notify_waiters();
    }

    /// Waits until it is closed, by whomever: also because the client did not read.
    pub async fn closed(&self) {
        loop {
            let mut rung = std::pin::pin!(self.room.notified());
            rung.as_mut().enable();
            if self.lock().is_closed() {
                return;
            }
            rung.await;
        }
    }

    /// When something was last taken to be sent, for the keep-alive.
    pub fn last_taken(&self) -> Instant {
        self.lock().last_taken()
    }

    /// The handshake is done: from now on messages gather, and a full outbox says Close in its last message.
    pub(crate) fn opened(&self, gather: Option<Arc<Gather>>) {
        self.lock().opened(gather);
    }

    /// Appends messages that were sent to many clients. Where it is full, the connection is closed.
    pub(crate) fn push_batch(&self, batch: &Batch, is_due: bool) {
        let _ = self.push_or_close(self.lock(), |waiting| waiting.push_batch(batch, is_due));
    }

    /// A transport begins to take; what an earlier one took and the client has not acknowledged is sent again, after its Sequence
    /// message.
    pub(crate) fn attach(&self) -> Attachment {
        let (attachment, earlier) = self.lock().attach();
        if let Some(earlier) = earlier {
            earlier.wake();
        }
        self.room.notify_waiters();
        Attachment(attachment)
    }

    /// Waits for messages, and appends at most about `limit_bytes` of whole messages (always one) to `into`. Asking for more says
    /// that what was taken before is written.
    pub(crate) async fn take(&self, attachment: Attachment, limit_bytes: usize, into: &mut Vec<u8>) -> Taken {
        poll_fn(|context| self.poll_take(attachment, limit_bytes, into, context)).await
    }

    /// As [`take`](Self::take).
    pub(crate) fn poll_take(
        &self,
        attachment: Attachment,
        limit_bytes: usize,
        into: &mut Vec<u8>,
        context: &Context<'_>,
    ) -> Poll<Taken> {
        let mut waiting = self.lock();
        let makes_room = waiting.written(attachment.0);
        let taken = waiting.poll_take(attachment.0, limit_bytes, into, context);
        drop(waiting);
        if makes_room {
            self.room.notify_waiters();
        }
        taken
    }

    /// Whether nothing waits, not even the last message.
    pub(crate) fn is_all_taken(&self) -> bool {
        self.lock().is_all_taken()
    }

    fn push_or_close(
        &self,
        waiting: MutexGuard<'_, Waiting>,
        push: impl FnOnce(&mut Waiting) -> Result<(), PushError>,
    ) -> Result<(), PushError> {
        let pushed = self.change(waiting, |waiting| {
            let pushed = push(waiting);
            if pushed == Err(PushError::Full) {
                waiting.close_unread();
            }
            pushed
        });
        if pushed == Err(PushError::Full) {
            self.room.notify_waiters();
        }
        pushed
    }

    fn changed<R>(&self, change: impl FnOnce(&mut Waiting) -> R) -> R {
        self.change(self.lock_after_batches(), change)
    }

    /// Changes what waits, and sees that it is taken: at once, or at the end of the window.
    fn change<R>(&self, mut waiting: MutexGuard<'_, Waiting>, change: impl FnOnce(&mut Waiting) -> R) -> R {
        let result = change(&mut waiting);
        let taker = waiting.taker_to_wake(&self.this);
        drop(waiting);
        if let Some(taker) = taker {
            taker.wake();
        }
        result
    }

    /// What was sent to many clients before is here before anything else.
    fn lock_after_batches(&self) -> MutexGuard<'_, Waiting> {
        let waiting = self.lock();
        let Some(gather) = waiting.lacks_batches() else { return waiting };
        drop(waiting);
        gather.hand_out(false);
        self.lock()
    }

    fn window_ended(&self) {
        let taker = self.lock().window_ended();
        if let Some(taker) = taker {
            taker.wake();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
