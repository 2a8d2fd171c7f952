//! Every setting of a hub, with the defaults of ASP.NET Core where it has the setting.

use std::sync::Arc;
use std::time::Duration;

use crate::backplane::Backplane;

/// Settings of one hub.
#[derive(Clone, Debug)]
pub struct Options {
    /// A message from a client, with its separator or length; 32 KiB.
    pub max_message_bytes: usize,
    /// What may wait for a client, and what one that never reads costs; 64 KiB.
    pub max_waiting_bytes: usize,
    /// Within it the handshake has to come; 15 s.
    pub handshake_timeout: Duration,
    /// After it without anything sent a Ping is sent; 15 s.
    pub keep_alive: Duration,
    /// After it without anything received the connection ends; 30 s.
    pub client_timeout: Duration,
    /// A client that reads nothing for it is dropped; 10 s.
    pub send_timeout: Duration,
    /// How long the client's close frame is waited for; 5 s.
    pub close_timeout: Duration,
    /// How long a poll waits for messages; 90 s.
    pub poll_timeout: Duration,
    /// How long an id lives without a socket or a poll; 15 s.
    pub disconnect_timeout: Duration,
    /// Items of a stream of the client that wait for its reader; 10.
    pub max_upload_items: usize,
    /// Invocations of one client that run at once, streams not counted; 1.
    pub max_parallel_invocations: usize,
    /// Invocations and streams of one client that run or wait; 100.
    pub max_pending_invocations: usize,
    /// Ids that were negotiated and not yet connected, of all clients; 10,000.
    pub max_abandoned: usize,
    /// Connections of one user; none by default.
    pub max_connections_per_user: Option<usize>,
    /// Connections from one address; none by default.
    pub max_connections_per_address: Option<usize>,
    /// Grants stateful reconnect to clients that ask for it. Requests of one connection must then reach this process.
    pub stateful_reconnect: bool,
    /// What a stateful client has not acknowledged, at most; 100,000 bytes.
    pub max_replay_bytes: usize,
    /// Reaches clients of other instances of the server; none by default.
    pub backplane: Option<Arc<dyn Backplane>>,
    /// All requests of a connection reach the instance that has it, though there is a [`backplane`](Self::backplane): without it
    /// stateful reconnect is not offered where there are several instances.
    pub is_routing_sticky: bool,
    /// Messages for a connection gather so long, and leave in one write; 0 sends at once.
    pub gather: Duration,
    /// Texts of errors that are not deliberate reach clients, too.
    pub detailed_errors: bool,
    /// Ends a connection when its user's token expires, with reconnect allowed.
    pub close_on_expiry: bool,
    /// How MessagePack names the fields of structs.
    pub messagepack_keys: Keys,
    /// Transports that are offered, in the order of the offer.
    pub transports: Vec<crate::transports::Transport>,
    /// Origins of browsers' pages that may connect, such as `https://app.example`; the page's own host always may.
    pub origins: Vec<Arc<str>>,
}

/// How MessagePack names the fields of structs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Keys {
    /// As in JSON, and so are the values: serde's types are told that the format is human-readable, as JSON is, and an UUID
    /// is text in both. One type fits both protocols in JavaScript.
    #[default]
    AsInJson,
    /// `UnitPrice` where JSON has `unitPrice`: .NET's MessagePack client expects it. Types are told that the format is not
    /// human-readable, and may write what .NET does, such as a timestamp where JSON has text.
    ///
    /// A type that serde reads by way of a buffer (`flatten`, `tag`, `untagged`) has to be given such names itself, by
    /// `rename_all = "PascalCase"`.
    PascalCase,
}

impl Options {
    /// Whether a client that asks for stateful reconnect gets it. What it has not acknowledged is in the memory of one instance, so
    /// that it must come back to the same one.
    pub fn offers_stateful_reconnect(&self) -> bool {
        self.stateful_reconnect && (self.backplane.is_none() || self.is_routing_sticky)
    }
}

impl Default for Options {
    fn default() -> Self {
        use crate::transports::Transport::{LongPolling, ServerSentEvents, WebSockets};
        Self {
            max_message_bytes: 32 * 1024,
            max_waiting_bytes: 64 * 1024,
            handshake_timeout: Duration::from_secs(15),
            keep_alive: Duration::from_secs(15),
            client_timeout: Duration::from_secs(30),
            send_timeout: Duration::from_secs(10),
            close_timeout: Duration::from_secs(5),
            poll_timeout: Duration::from_secs(90),
            disconnect_timeout: Duration::from_secs(15),
            max_upload_items: 10,
            max_parallel_invocations: 1,
            max_pending_invocations: 100,
            max_abandoned: 10_000,
            max_connections_per_user: None,
            max_connections_per_address: None,
            stateful_reconnect: false,
            max_replay_bytes: 100_000,
            backplane: None,
            is_routing_sticky: false,
            gather: Duration::ZERO,
            detailed_errors: false,
            close_on_expiry: false,
            messagepack_keys: Keys::AsInJson,
            transports: vec![WebSockets, ServerSentEvents, LongPolling],
            origins: Vec::new(),
        }
    }
}
