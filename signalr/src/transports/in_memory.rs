//! A client without a network, for tests of handlers: bytes in, bytes out.

use std::sync::Arc;
use std::time::Duration;

use axum::http::request::Parts;
use tokio::time::timeout;

use super::input::Inbox;
use super::{Connection, ConnectionId, Input, Transport};
use crate::options::Options;
use crate::outbox::{Attachment, Format, Outbox, Taken};
use crate::user::User;

/// Nothing takes so long but what hangs.
const PATIENCE: Duration = Duration::from_secs(10);
const TAKEN_BYTES: usize = 64 * 1024;

/// The client's end of a connection.
pub(crate) struct Client {
    inbox: Arc<Inbox>,
    outbox: Arc<Outbox>,
    attachment: Attachment,
}

/// What opens a connection.
pub(crate) struct Opened {
    pub(crate) id: &'static str,
    pub(crate) user: Option<User>,
    pub(crate) transport: Transport,
    pub(crate) request: Parts,
    pub(crate) is_stateful: bool,
}

impl Client {
    pub(crate) fn connect(options: &Options, opened: Opened) -> (Self, Connection) {
        let inbox = Inbox::new(opened.is_stateful);
        let outbox = Outbox::new(options);
        let connection = Connection {
            id: ConnectionId::of(opened.id),
            user: opened.user.map(Arc::new),
            transport: opened.transport,
            request: Arc::new(opened.request),
            is_stateful: opened.is_stateful,
            input: Input::of(inbox.clone()),
            outbox: outbox.clone(),
        };
        let attachment = outbox.attach();
        (Self { inbox, outbox, attachment }, connection)
    }

    /// Waits where the server does not take it.
    pub(crate) async fn send(&self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let room = timeout(PATIENCE, self.inbox.room()).await.expect("the server reads");
            let Some(room) = room else { return };
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            self.inbox.push(now);
            bytes = later;
        }
    }

    /// Whether the server makes room for so many bytes soon.
    pub(crate) async fn may_send(&self, bytes: usize) -> bool {
        let room = async {
            while self.inbox.room().await? < bytes {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            Some(())
        };
        matches!(timeout(Duration::from_millis(50), room).await, Ok(Some(())))
    }

    /// What comes next; `None` at the end.
    pub(crate) async fn receive(&mut self) -> Option<(Format, Vec<u8>)> {
        let mut bytes = Vec::new();
        let taken = self.outbox.take(self.attachment, TAKEN_BYTES, &mut bytes);
        match timeout(PATIENCE, taken).await.expect("the server sends something or ends") {
            Taken::Messages(format) => Some((format, bytes)),
            Taken::Closed | Taken::Superseded => None,
        }
    }

    /// The socket breaks, and another one carries the connection.
    pub(crate) fn reattach(&mut self) {
        self.inbox.next_socket();
        self.attachment = self.outbox.attach();
    }

    /// The client goes without a word.
    pub(crate) fn go(&self) {
        self.inbox.end();
    }

    pub(crate) fn stop_server(&self) {
        self.inbox.stop();
    }
}
