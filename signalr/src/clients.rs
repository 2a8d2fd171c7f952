//! Who is connected, in which groups, and how they are reached, here and on other instances.

mod batches;
mod members;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::{Arc, Mutex, Once, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use bytes::Bytes;

use crate::backplane::{Backplane, BackplaneError, Envelope, Recipients};
use crate::events::{Event, EventArguments};
use crate::message::Outgoing;
use crate::options::{Keys, Options};
use crate::outbox::{Gather, Outbox};
use crate::protocol::{Codec, PayloadError, Protocol};
use crate::transports::ConnectionId;
use batches::{Batches, Whole};
use members::Members;

/// The clients of one hub, from anywhere in the application. Cheap to clone.
#[derive(Clone)]
pub struct Clients {
    inner: Arc<Inner>,
}

struct Inner {
    members: RwLock<Members>,
    gather: Option<Arc<Gather>>,
    batches: Mutex<Batches>,
    keys: Keys,
    backplane: Option<Arc<dyn Backplane>>,
    backplane_started: Once,
}

/// Some of the clients.
#[derive(Clone, Debug)]
pub struct Target<'a> {
    clients: &'a Clients,
    to: Recipients,
}

/// A message that could not be sent.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// An argument cannot be encoded.
    #[error("argument of {event}: {error}")]
    Payload {
        /// The event's name.
        event: &'static str,
        /// Why.
        error: PayloadError,
    },
    /// The message reached the clients of this instance, and maybe not those of others.
    #[error(transparent)]
    Backplane(#[from] BackplaneError),
}

impl Clients {
    /// Everyone.
    pub fn all(&self) -> Target<'_> {
        self.target(Recipients::All)
    }

    /// Everyone but these.
    pub fn all_except(&self, without: &[ConnectionId]) -> Target<'_> {
        self.target(Recipients::AllExcept(texts(without)))
    }

    /// One connection.
    pub fn connection(&self, id: &ConnectionId) -> Target<'_> {
        self.target(Recipients::Connections(vec![id.to_string()]))
    }

    /// Some connections.
    pub fn connections(&self, ids: &[ConnectionId]) -> Target<'_> {
        self.target(Recipients::Connections(texts(ids)))
    }

    /// All connections of a user.
    pub fn user(&self, id: &str) -> Target<'_> {
        self.users(&[id])
    }

    /// All connections of some users.
    pub fn users(&self, ids: &[&str]) -> Target<'_> {
        self.target(Recipients::Users(texts(ids)))
    }

    /// A group.
    pub fn group(&self, name: &str) -> Target<'_> {
        self.groups(&[name])
    }

    /// Some groups; who is in several of them receives a message once.
    pub fn groups(&self, names: &[&str]) -> Target<'_> {
        self.target(Recipients::Groups(texts(names)))
    }

    /// A group but these.
    pub fn group_except(&self, name: &str, without: &[ConnectionId]) -> Target<'_> {
        self.target(Recipients::GroupExcept { group: name.to_owned(), without: texts(without) })
    }

    /// Adds a connection, of this instance or another, to a group. A connection that has ended is in no group.
    pub async fn join(&self, connection: &ConnectionId, group: &str) -> Result<(), SendError> {
        let connection = connection.to_string();
        if self.write().join(&connection, group) {
            return Ok(());
        }
        self.publish(Envelope::Join { connection, group: group.to_owned() }).await
    }

    /// Removes it.
    pub async fn leave(&self, connection: &ConnectionId, group: &str) -> Result<(), SendError> {
        let connection = connection.to_string();
        if self.write().leave(&connection, group) {
            return Ok(());
        }
        self.publish(Envelope::Leave { connection, group: group.to_owned() }).await
    }

    /// Nobody is connected yet.
    pub(crate) fn new(options: &Options) -> Self {
        let inner = Arc::new(Inner {
            members: RwLock::default(),
            gather: Gather::new(options.gather),
            batches: Mutex::new(Batches::new(options)),
            keys: options.messagepack_keys,
            backplane: options.backplane.clone(),
            backplane_started: Once::new(),
        });
        if let Some(gather) = &inner.gather {
            let inner = Arc::downgrade(&inner);
            gather.set_hand_out(move |is_due| {
                if let Some(inner) = inner.upgrade() {
                    inner.hand_out_batches(is_due);
                }
            });
        }
        Self { inner }
    }

    /// A connection whose handshake is done and answered: from now on it is reached. Within a runtime.
    pub(crate) fn add(&self, id: &ConnectionId, outbox: &Arc<Outbox>, codec: Codec, user: Option<&str>) {
        self.start_backplane();
        if let Some(gather) = &self.inner.gather {
            gather.start();
        }
        outbox.opened(self.inner.gather.clone());
        self.write().add(&id.to_string(), outbox, codec, user);
    }

    /// It has ended: it is in no group any more.
    pub(crate) fn remove(&self, id: &ConnectionId) {
        self.write().remove(&id.to_string());
    }

    fn target(&self, to: Recipients) -> Target<'_> {
        Target { clients: self, to }
    }

    async fn publish(&self, envelope: Envelope) -> Result<(), SendError> {
        self.start_backplane();
        match &self.inner.backplane {
            Some(backplane) => Ok(backplane.publish(envelope).await?),
            None => Ok(()),
        }
    }

    fn start_backplane(&self) {
        let Some(backplane) = &self.inner.backplane else { return };
        self.inner.backplane_started.call_once(|| {
            let inner = Arc::downgrade(&self.inner);
            backplane.start(Arc::new(move |envelope| {
                if let Some(inner) = inner.upgrade() {
                    Self { inner }.receive(&envelope);
                }
            }));
        });
    }

    /// What another instance has published.
    fn receive(&self, envelope: &Envelope) {
        match envelope {
            Envelope::Send { to, key, json, messagepack } => {
                if let Some(whole) = self.gathers(to, key.as_deref()) {
                    return self.inner.gather(whole, json, messagepack);
                }
                let key = key.as_deref().map(Arc::from);
                self.read().each(to, |outbox, codec| {
                    let message = match codec.protocol {
                        Protocol::Json => json,
                        Protocol::MessagePack => messagepack,
                    };
                    push(outbox, key.as_ref(), message);
                });
            }
            Envelope::Join { connection, group } => {
                self.write().join(connection, group);
            }
            Envelope::Leave { connection, group } => {
                self.write().leave(connection, group);
            }
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, Members> {
        self.inner.members.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// To whom messages gather before they come to the outboxes.
    fn gathers(&self, to: &Recipients, key: Option<&str>) -> Option<Whole> {
        let gathers = self.inner.gather.is_some() && key.is_none();
        gathers.then(|| Whole::of(to)).flatten()
    }

    /// Who joins is not sent what was sent before, and who leaves is.
    fn write(&self) -> RwLockWriteGuard<'_, Members> {
        if let Some(gather) = &self.inner.gather {
            gather.hand_out(false);
        }
        self.inner.members.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Target<'_> {
    /// Calls the clients' method. Where a client does not read, its connection is closed with reconnect allowed, and the others
    /// are reached.
    pub async fn send<A: EventArguments>(&self, event: &Event<A>, arguments: A) -> Result<(), SendError> {
        self.deliver(None, event, arguments).await
    }

    /// As [`send`](Self::send), but replaces what still waits under this key: the latest wins, for a client that reads slowly.
    pub async fn send_latest<A: EventArguments>(
        &self,
        key: &str,
        event: &Event<A>,
        arguments: A,
    ) -> Result<(), SendError> {
        self.deliver(Some(key), event, arguments).await
    }

    async fn deliver<A: EventArguments>(
        &self,
        key: Option<&str>,
        event: &Event<A>,
        arguments: A,
    ) -> Result<(), SendError> {
        let elsewhere = self
            .deliver_here(key, event, &arguments)
            .map_err(|error| SendError::Payload { event: event.name, error })?;
        drop(arguments);
        match elsewhere {
            Some(envelope) => self.clients.publish(envelope).await,
            None => Ok(()),
        }
    }

    /// To the clients of this instance; what the others shall get is returned.
    fn deliver_here<A: EventArguments>(
        &self,
        key: Option<&str>,
        event: &Event<A>,
        arguments: &A,
    ) -> Result<Option<Envelope>, PayloadError> {
        let mut message = Encoded { name: event.name, arguments, json: None, messagepack: None };
        let mut all_are_here = false;
        match self.clients.gathers(&self.to, key) {
            Some(whole) => self.gather_here(whole, &mut message)?,
            None => all_are_here = self.push_here(key, &mut message)?,
        }
        if self.clients.inner.backplane.is_none() || all_are_here {
            return Ok(None);
        }
        let keys = self.clients.inner.keys;
        Ok(Some(Envelope::Send {
            to: self.to.clone(),
            key: key.map(str::to_owned),
            json: message.of(Codec { protocol: Protocol::Json, keys })?.clone(),
            messagepack: message.of(Codec { protocol: Protocol::MessagePack, keys })?.clone(),
        }))
    }
}

impl Target<'_> {
    fn gather_here<A: EventArguments>(
        &self,
        to: Whole,
        message: &mut Encoded<'_, A>,
    ) -> Result<(), PayloadError> {
        let inner = &self.clients.inner;
        let mut of = |protocol| {
            let is_spoken = self.clients.read().speaks(protocol);
            let codec = Codec { protocol, keys: inner.keys };
            if is_spoken { message.of(codec).cloned() } else { Ok(Bytes::new()) }
        };
        inner.gather(to, &of(Protocol::Json)?, &of(Protocol::MessagePack)?);
        Ok(())
    }

    /// Whether nobody of them can be on another instance.
    fn push_here<A: EventArguments>(
        &self,
        key: Option<&str>,
        message: &mut Encoded<'_, A>,
    ) -> Result<bool, PayloadError> {
        let mut failed = None;
        let key = key.map(Arc::from);
        let all_are_here = self.clients.read().each(&self.to, |outbox, codec| match message.of(codec) {
            Ok(message) => push(outbox, key.as_ref(), message),
            Err(error) => failed = Some(error),
        });
        failed.map_or(Ok(all_are_here), Err)
    }
}

/// Encoded once for each protocol that somebody speaks.
struct Encoded<'a, A> {
    name: &'static str,
    arguments: &'a A,
    json: Option<Bytes>,
    messagepack: Option<Bytes>,
}

impl<A: EventArguments> Encoded<'_, A> {
    fn of(&mut self, codec: Codec) -> Result<&Bytes, PayloadError> {
        let encoded = match codec.protocol {
            Protocol::Json => &mut self.json,
            Protocol::MessagePack => &mut self.messagepack,
        };
        match encoded {
            Some(message) => Ok(message),
            none => {
                let arguments = self.arguments.payload(codec)?;
                let invocation = Outgoing::Invocation { id: None, target: self.name, arguments: &arguments };
                Ok(none.insert(codec.encode(&invocation)))
            }
        }
    }
}

/// An outbox that is full closes itself, and one that has ended will soon be removed: the others are reached.
fn push(outbox: &Outbox, key: Option<&Arc<str>>, message: &Bytes) {
    let _ = match key {
        Some(key) => outbox.push_latest(key, message),
        None => outbox.push(message, true),
    };
}

fn texts(names: &[impl ToString]) -> Vec<String> {
    names.iter().map(ToString::to_string).collect()
}

impl fmt::Debug for Clients {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Clients").field("backplane", &self.inner.backplane).finish_non_exhaustive()
    }
}
