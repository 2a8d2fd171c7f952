//! Messages to everyone, or to a whole group, that gather for a window: then each client is given all of them at once, which costs
//! little more than one message.

use std::sync::PoisonError;

use super::Inner;
use crate::backplane::Recipients;
use crate::options::Options;
use crate::outbox::{Batch, Gathering};
use crate::protocol::Protocol;

/// What gathers at most, before the window ends.
const MAX_BYTES: usize = 16 * 1024;

#[derive(Debug)]
pub(super) struct Batches {
    max_bytes: usize,
    bytes: usize,
    /// In the order in which they were sent: only the last one grows.
    batches: Vec<Open>,
}

#[derive(Debug)]
struct Open {
    to: Whole,
    json: Gathering,
    messagepack: Gathering,
}

/// A set of clients to which messages gather.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Whole {
    Everyone,
    Group(String),
}

impl Whole {
    pub(super) fn of(to: &Recipients) -> Option<Self> {
        match to {
            Recipients::All => Some(Self::Everyone),
            Recipients::Groups(names) if names.len() == 1 => Some(Self::Group(names[0].clone())),
            _ => None,
        }
    }
}

impl Batches {
    /// A batch is a small part of what may wait for a client.
    pub(super) fn new(options: &Options) -> Self {
        Self { max_bytes: MAX_BYTES.min(options.max_waiting_bytes / 4), bytes: 0, batches: Vec::new() }
    }

    fn push(&mut self, to: Whole, json: &[u8], messagepack: &[u8]) {
        self.bytes += json.len().max(messagepack.len());
        if self.batches.last().is_none_or(|last| last.to != to) {
            self.batches.push(Open { to, json: Gathering::default(), messagepack: Gathering::default() });
        }
        if let Some(last) = self.batches.last_mut() {
            last.json.push(json);
            last.messagepack.push(messagepack);
        }
    }
}

impl Inner {
    /// Sends it at the window's end at the latest. A protocol that nobody speaks may have an empty message.
    pub(super) fn gather(&self, to: Whole, json: &[u8], messagepack: &[u8]) {
        let Some(gather) = &self.gather else { return };
        let mut batches = self.batches.lock().unwrap_or_else(PoisonError::into_inner);
        if batches.bytes + json.len().max(messagepack.len()) > batches.max_bytes {
            self.hand_out(&mut batches, false);
        }
        batches.push(to, json, messagepack);
        gather.add_batch();
    }

    /// Gives the clients what has gathered, in the order in which it was sent. `is_due`: the window has ended.
    pub(super) fn hand_out_batches(&self, is_due: bool) {
        let mut batches = self.batches.lock().unwrap_or_else(PoisonError::into_inner);
        self.hand_out(&mut batches, is_due);
        if let Some(gather) = &self.gather {
            gather.batches_handed_out();
        }
    }

    fn hand_out(&self, batches: &mut Batches, is_due: bool) {
        batches.bytes = 0;
        let members = self.members.read().unwrap_or_else(PoisonError::into_inner);
        for Open { to, json, messagepack } in batches.batches.drain(..) {
            let (json, messagepack): (Batch, Batch) = (json.finish(), messagepack.finish());
            members.each_of(&to, |outbox, codec| {
                let batch = match codec.protocol {
                    Protocol::Json => &json,
                    Protocol::MessagePack => &messagepack,
                };
                outbox.push_batch(batch, is_due);
            });
        }
    }
}
