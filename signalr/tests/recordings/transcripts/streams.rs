//! What one connection of the client receives, whatever carries it.

use std::time::Duration;

use serde_json::{Value as Json, json};

use super::poller::Poller;
use crate::answers::events;
use crate::link::{Link, Seen};
use crate::messages::{messages, question, settled};
use crate::websocket_probes::data;

/// The server's messages of one socket, one stream of events or one id that is polled.
pub(super) struct Stream {
    pub(super) name: String,
    protocol: String,
    pub(super) recorded: Vec<u8>,
    /// What the client sent on it.
    pub(super) sent: Vec<u8>,
    /// What one that stalled does not read is not compared.
    pub(super) is_stalled: bool,
    /// The client has ended it with a DELETE.
    pub(super) is_stopped: bool,
}

/// What carries a stream.
pub(super) enum Carrier<'a> {
    Link(&'a Link),
    Poller(&'a Poller),
}

impl Stream {
    pub(super) fn new(name: String, protocol: &str) -> Self {
        let protocol = protocol.to_owned();
        Self { name, protocol, recorded: Vec::new(), sent: Vec::new(), is_stalled: false, is_stopped: false }
    }

    pub(super) fn recorded(&self) -> Vec<Json> {
        messages(&self.protocol, &self.recorded)
    }

    pub(super) fn sent(&self) -> Vec<Json> {
        let mut sent = messages(&self.protocol, &self.sent);
        // It counts as a Close.
        sent.extend(self.is_stopped.then(|| json!({"type": 7})));
        sent
    }

    pub(super) fn ours(&self, carrier: &Carrier<'_>) -> Vec<Json> {
        messages(&self.protocol, &carrier.bytes())
    }

    /// Waits until as many messages have come as were recorded.
    pub(super) async fn catch_up(&self, carrier: &Carrier<'_>, within: Duration) -> bool {
        let sent = self.sent();
        let recorded = settled(self.recorded(), &sent);
        let has_all = |bytes: &[u8]| settled(messages(&self.protocol, bytes), &sent).has_all_of(&recorded);
        match carrier {
            Carrier::Link(link) => link.comes_to(within, |seen| has_all(&carried(seen))).await,
            Carrier::Poller(poller) => poller.comes_to(within, |polled| has_all(&polled.bytes)).await,
        }
    }

    /// Our id for each question's recorded id.
    pub(super) fn questions(&self, carrier: &Carrier<'_>) -> Vec<(String, String)> {
        let ids = |messages: Vec<Json>| -> Vec<String> {
            messages.iter().filter_map(question).map(str::to_owned).collect()
        };
        ids(self.recorded()).into_iter().zip(ids(self.ours(carrier))).collect()
    }
}

impl Carrier<'_> {
    fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Link(link) => carried(&link.seen()),
            Self::Poller(poller) => poller.polled().bytes,
        }
    }
}

fn carried(seen: &Seen) -> Vec<u8> {
    if seen.status() == Some(101) { data(&seen.frames) } else { events(&seen.body) }
}
