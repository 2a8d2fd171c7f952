//! What a connection's calls share: who calls, how the connection is ended, what waits for whom.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use axum::http::request::Parts;
use bytes::Bytes;
use tokio::sync::Notify;

use super::ask::Asked;
use crate::clients::Clients;
use crate::message::{Outgoing, Payload};
use crate::options::Options;
use crate::outbox::{Outbox, PushError};
use crate::protocol::{Codec, Protocol};
use crate::transports::{ConnectionId, Transport};
use crate::user::User;

/// A connection after its handshake. Each idle one has this in memory, so what is rare is boxed.
pub(super) struct Caller {
    pub(super) id: ConnectionId,
    pub(super) user: Option<Arc<User>>,
    pub(super) transport: Transport,
    pub(super) request: Arc<Parts>,
    pub(super) codec: Codec,
    pub(super) outbox: Arc<Outbox>,
    pub(super) shared: Arc<Shared>,
    pub(super) asked: Asked,
    pub(super) excess: Excess,
    /// Calls that wait for the client and gave their slot free.
    pub(super) unslotted: AtomicUsize,
    /// Rings for the session: something below has changed.
    pub(super) changed: Arc<Notify>,
    state: Mutex<State>,
    ended: Notify,
}

#[derive(Default)]
struct State {
    is_aborted: bool,
    has_ended: bool,
    items: Option<Box<Items>>,
}

type Items = HashMap<TypeId, Arc<dyn Any + Send + Sync>>;

/// What all connections of a hub share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) options: Options,
    pub(super) clients: Clients,
    questions: AtomicU64,
}

impl Shared {
    pub(super) fn new(options: Options, clients: Clients) -> Self {
        Self { options, clients, questions: AtomicU64::new(0) }
    }

    /// One counter a hub, from 1.
    pub(super) fn next_question(&self) -> u64 {
        self.questions.fetch_add(1, Ordering::Relaxed) + 1
    }
}

/// Bytes of items that clients sent beyond what their readers let wait. The session stops reading while there are too many.
#[derive(Debug)]
pub(super) struct Excess {
    bytes: AtomicUsize,
    limit_bytes: usize,
    changed: Arc<Notify>,
}

impl Excess {
    pub(super) fn add(&self, bytes: usize) {
        self.bytes.fetch_add(bytes, Ordering::AcqRel);
    }

    pub(super) fn remove(&self, bytes: usize) {
        if bytes == 0 {
            return;
        }
        let before = self.bytes.fetch_sub(bytes, Ordering::AcqRel);
        if before > self.limit_bytes {
            self.changed.notify_one();
        }
    }

    pub(super) fn is_too_much(&self) -> bool {
        self.bytes.load(Ordering::Acquire) > self.limit_bytes
    }
}

/// Of a connection, as it is opened.
pub(super) struct Opening {
    pub(super) id: ConnectionId,
    pub(super) user: Option<Arc<User>>,
    pub(super) transport: Transport,
    pub(super) request: Arc<Parts>,
    pub(super) codec: Codec,
    pub(super) outbox: Arc<Outbox>,
}

impl Caller {
    pub(super) fn new(opening: Opening, shared: Arc<Shared>) -> Arc<Self> {
        let Opening { id, user, transport, request, codec, outbox } = opening;
        let changed = Arc::<Notify>::default();
        let limit_bytes = shared.options.max_message_bytes;
        let excess = Excess { bytes: AtomicUsize::new(0), limit_bytes, changed: changed.clone() };
        Arc::new(Self {
            id,
            user,
            transport,
            request,
            codec,
            outbox,
            shared,
            asked: Asked::default(),
            excess,
            unslotted: AtomicUsize::new(0),
            changed,
            state: Mutex::default(),
            ended: Notify::new(),
        })
    }

    /// Sends a countable message as soon as there is room for it.
    pub(super) async fn send(&self, message: &Outgoing<'_>) -> Result<(), PushError> {
        let bytes = self.codec.encode(message);
        self.outbox.push_when_room(&bytes, true).await
    }

    pub(super) fn null(&self) -> Payload {
        let bytes: &'static [u8] = match self.codec.protocol {
            Protocol::Json => b"null",
            Protocol::MessagePack => &[0xc0],
        };
        Payload { codec: self.codec, bytes: Bytes::from_static(bytes) }
    }

    pub(super) fn abort(&self) {
        self.state().is_aborted = true;
        self.changed.notify_one();
    }

    pub(super) fn is_aborted(&self) -> bool {
        self.state().is_aborted
    }

    /// All that wait for the connection learn that it has ended.
    pub(super) fn end(&self) {
        self.state().has_ended = true;
        self.ended.notify_waiters();
        self.asked.end();
    }

    pub(super) fn has_ended(&self) -> bool {
        self.state().has_ended
    }

    pub(super) async fn ended(&self) {
        loop {
            let mut ended = std::pin::pin!(self.ended.notified());
            ended.as_mut().enable();
            if self.has_ended() {
                return;
            }
            ended.await;
        }
    }

    pub(super) fn item<T: Send + Sync + 'static>(&self) -> Option<Arc<T>> {
        let item = self.state().items.as_ref()?.get(&TypeId::of::<T>())?.clone();
        item.downcast().ok()
    }

    pub(super) fn set_item<T: Send + Sync + 'static>(&self, item: T) -> Option<Arc<T>> {
        let earlier = self.state().items.get_or_insert_default().insert(TypeId::of::<T>(), Arc::new(item));
        earlier?.downcast().ok()
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Caller {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without the request: its headers may carry secrets.
        formatter
            .debug_struct("Caller")
            .field("id", &self.id)
            .field("user", &self.user.as_ref().map(|user| &user.id))
            .field("transport", &self.transport)
            .finish_non_exhaustive()
    }
}
