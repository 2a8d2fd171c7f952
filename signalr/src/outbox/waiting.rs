//! The outbox under its lock: what waits, who takes it, and when.

use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use bytes::Bytes;

use super::batch::Batch;
use super::gather::Gather;
use super::queue::Queue;
use super::stateful::Stateful;
use super::{Format, Outbox, PushError, Taken};
use crate::clock::now;
use crate::message::Outgoing;
use crate::options::Keys;
use crate::protocol::{Codec, Protocol};

#[derive(Debug)]
pub(super) struct Waiting {
    queue: Queue,
    limit_bytes: usize,
    /// Taken, and maybe not written yet: it costs memory as what waits does.
    unwritten_bytes: usize,
    /// Of what is pushed.
    format: Format,
    stateful: Option<Box<Stateful>>,
    /// Where messages gather for a window.
    gather: Option<Arc<Gather>>,
    /// Whether the end of the window will come for this outbox.
    is_gathering: bool,
    /// Whether what waits may be taken now.
    is_due: bool,
    /// Whether the client understands a Close message.
    speaks_hub_protocol: bool,
    end: Option<End>,
    taker: Option<Waker>,
    attachment: u64,
    last_taken: Instant,
}

/// Nothing is pushed any more.
#[derive(Debug)]
struct End {
    last: Option<Bytes>,
}

impl Waiting {
    pub(super) fn new(limit_bytes: usize) -> Self {
        Self {
            queue: Queue::default(),
            limit_bytes,
            unwritten_bytes: 0,
            format: Format::Text,
            stateful: None,
            gather: None,
            is_gathering: false,
            is_due: false,
            speaks_hub_protocol: false,
            end: None,
            taker: None,
            attachment: 0,
            last_taken: now(),
        }
    }

    pub(super) fn set_format(&mut self, format: Format) {
        if format != self.format {
            self.format = format;
            self.queue.switch_format(format);
        }
    }

    pub(super) fn opened(&mut self, gather: Option<Arc<Gather>>) {
        self.speaks_hub_protocol = true;
        self.gather = gather;
        // The answer to the handshake does not wait for a window.
        self.is_due = !self.queue.is_empty();
    }

    pub(super) fn number_messages(&mut self, max_replay_bytes: usize) {
        self.stateful = Some(Box::new(Stateful::new(max_replay_bytes)));
    }

    pub(super) fn release_countable(&mut self) {
        if let Some(stateful) = &mut self.stateful {
            stateful.release(&mut self.queue);
        }
    }

    pub(super) fn push(&mut self, message: &Bytes, is_countable: bool) -> Result<(), PushError> {
        if self.end.is_some() {
            return Err(PushError::Closed);
        }
        if is_countable && self.stateful.is_some() {
            return self.push_countable(message);
        }
        self.check_room(message.len())?;
        self.queue.push(message);
        Ok(())
    }

    fn push_countable(&mut self, message: &Bytes) -> Result<(), PushError> {
        let has_room = self.check_room(Stateful::cost(message));
        let Some(stateful) = &mut self.stateful else { return Ok(()) };
        if stateful.can_number() {
            stateful.number(message.clone(), &mut self.queue);
        } else {
            has_room?;
            stateful.hold(message.clone());
        }
        Ok(())
    }

    pub(super) fn push_latest(&mut self, key: &Arc<str>, message: &Bytes) -> Result<(), PushError> {
        if self.stateful.is_some() {
            return self.push(message, true);
        }
        if self.end.is_some() {
            return Err(PushError::Closed);
        }
        self.check_room(self.queue.cost_of_latest(key, message))?;
        self.queue.push_latest(key, message);
        Ok(())
    }

    /// Messages that were sent to many clients.
    pub(super) fn push_batch(&mut self, batch: &Batch, is_due: bool) -> Result<(), PushError> {
        if self.end.is_some() {
            return Err(PushError::Closed);
        }
        if self.stateful.is_some() {
            batch.messages().try_for_each(|message| self.push_countable(&message))?;
        } else {
            self.check_room(batch.bytes().len())?;
            self.queue.push_batch(batch.bytes());
        }
        self.is_due |= is_due;
        Ok(())
    }

    /// Where messages gather that were sent before and are not here yet.
    pub(super) fn lacks_batches(&self) -> Option<Arc<Gather>> {
        self.gather.as_ref().filter(|gather| gather.has_batches()).cloned()
    }

    /// The client does not read: what waits is dropped, and it may connect again.
    pub(super) fn close_unread(&mut self) {
        self.queue.clear();
        if let Some(stateful) = &mut self.stateful {
            stateful.drop_held();
        }
        let close = self
            .speaks_hub_protocol
            .then(|| self.codec().encode(&Outgoing::Close { error: None, allow_reconnect: true }));
        self.close(close);
    }

    pub(super) fn close(&mut self, last: Option<Bytes>) {
        if self.end.is_some() {
            return;
        }
        if let Some(stateful) = &mut self.stateful {
            stateful.number_all_held(&mut self.queue);
        }
        if let Some(last) = &last {
            self.queue.push(last);
        }
        self.end = Some(End { last });
        self.is_due = true;
    }

    pub(super) fn acknowledge(&mut self, sequence: u64) -> Result<(), PushError> {
        if let Some(stateful) = &mut self.stateful {
            stateful.acknowledge(sequence, &mut self.queue);
        }
        Ok(())
    }

    pub(super) fn is_half_empty(&self) -> Result<bool, PushError> {
        if self.end.is_some() {
            return Err(PushError::Closed);
        }
        Ok(self.bytes() <= self.limit_bytes / 2)
    }

    pub(super) fn is_all_taken(&self) -> bool {
        self.queue.is_empty()
    }

    pub(super) fn is_closed(&self) -> bool {
        self.end.is_some()
    }

    pub(super) fn last_taken(&self) -> Instant {
        self.last_taken
    }

    /// The new attachment, and who waits with the earlier one.
    pub(super) fn attach(&mut self) -> (u64, Option<Waker>) {
        self.attachment += 1;
        self.unwritten_bytes = 0;
        let codec = self.codec();
        if let Some(stateful) = &mut self.stateful {
            // The client counts from the Sequence message on.
            stateful.release(&mut self.queue);
            if let Some(End { last: Some(last) }) = &self.end
                && self.queue.is_empty()
            {
                self.queue.push(last);
            }
            stateful.again(codec, &mut self.queue);
            self.is_due = true;
        }
        (self.attachment, self.taker.take())
    }

    /// The transport has written all that it took. Whether that makes room.
    pub(super) fn written(&mut self, attachment: u64) -> bool {
        if attachment != self.attachment || self.unwritten_bytes == 0 {
            return false;
        }
        self.unwritten_bytes = 0;
        true
    }

    pub(super) fn poll_take(
        &mut self,
        attachment: u64,
        limit_bytes: usize,
        into: &mut Vec<u8>,
        context: &Context<'_>,
    ) -> Poll<Taken> {
        if attachment != self.attachment {
            return Poll::Ready(Taken::Superseded);
        }
        if !self.queue.is_empty() && (self.is_due || self.gather.is_none()) {
            let (format, bytes) = self.queue.take(limit_bytes, into);
            self.unwritten_bytes += bytes;
            self.is_due = self.end.is_some() || !self.queue.is_empty();
            self.last_taken = now();
            return Poll::Ready(Taken::Messages(format));
        }
        if self.queue.is_empty() && self.end.is_some() {
            return Poll::Ready(Taken::Closed);
        }
        match &mut self.taker {
            Some(taker) => taker.clone_from(context.waker()),
            none => *none = Some(context.waker().clone()),
        }
        Poll::Pending
    }

    /// Who takes what waits now; or nobody, and the window's end will come.
    pub(super) fn taker_to_wake(&mut self, this: &Weak<Outbox>) -> Option<Waker> {
        if self.queue.is_empty() && self.end.is_none() {
            return None;
        }
        match &self.gather {
            Some(gather) if !self.is_due => {
                if !self.is_gathering {
                    self.is_gathering = true;
                    gather.add(this.clone());
                }
                None
            }
            _ => self.taker.take(),
        }
    }

    pub(super) fn window_ended(&mut self) -> Option<Waker> {
        self.is_gathering = false;
        if self.queue.is_empty() {
            return None;
        }
        self.is_due = true;
        self.taker.take()
    }

    /// A message larger than the limit is taken alone, so that it can be sent at all.
    fn check_room(&self, cost: usize) -> Result<(), PushError> {
        let bytes = self.bytes();
        if bytes > 0 && bytes + cost > self.limit_bytes { Err(PushError::Full) } else { Ok(()) }
    }

    fn bytes(&self) -> usize {
        let held = self.stateful.as_ref().map_or(0, |stateful| stateful.held_bytes());
        self.queue.bytes() + held + self.unwritten_bytes
    }

    /// Messages that the outbox writes itself have no fields of applications.
    fn codec(&self) -> Codec {
        let protocol = match self.format {
            Format::Text => Protocol::Json,
            Format::Binary => Protocol::MessagePack,
        };
        Codec { protocol, keys: Keys::default() }
    }

    #[cfg(test)]
    pub(super) fn bytes_for_test(&self) -> usize {
        self.bytes()
    }

    #[cfg(test)]
    pub(super) fn tail_for_test(&self) -> usize {
        self.queue.tail_bytes()
    }

    #[cfg(test)]
    pub(super) fn kept_for_test(&self) -> usize {
        self.queue.kept_bytes()
    }
}
