//! Hubs: what clients may call, and the server that calls it.

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::sync::Arc;

use crate::clients::Clients;
use crate::options::Options;
use crate::transports::{Connection, ConnectionId, Handler};
use crate::user::User;

/// A struct whose methods clients call.
pub trait Hub: Send + Sync + Sized + 'static {
    /// Registers what clients call and are sent, a line each.
    fn register(methods: &mut Methods<Self>);

    /// A client has connected; an error refuses it.
    fn on_connected(self: Arc<Self>, context: Context) -> impl Future<Output = Result<(), HubError>> + Send {
        let _ = context;
        async { Ok(()) }
    }

    /// A client has gone; `error` says why, unless it closed by itself.
    fn on_disconnected(
        self: Arc<Self>,
        context: Context,
        error: Option<String>,
    ) -> impl Future<Output = ()> + Send {
        let _ = (context, error);
        async {}
    }
}

/// What a hub offers, and what the generated client knows.
pub struct Methods<H> {
    _hub: PhantomData<fn() -> H>,
}

impl<H> fmt::Debug for Methods<H> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Methods")
    }
}

/// The connection that calls. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Context {
    _nothing: Arc<()>,
}

impl Context {
    /// Of the connection; may be shown.
    pub fn connection_id(&self) -> &ConnectionId {
        todo!()
    }

    /// Who it is.
    pub fn user(&self) -> Option<&User> {
        todo!()
    }

    /// The hub's clients.
    pub fn clients(&self) -> &Clients {
        todo!()
    }

    /// Ends the connection; the client does not connect again by itself.
    pub fn abort(&self) {
        todo!()
    }
}

/// An error of a method. [`HubError::deliberate`] reaches the client; any other error is logged, and the client learns that
/// there was one.
#[derive(Debug)]
pub struct HubError {
    _nothing: (),
}

impl HubError {
    /// This text reaches the client.
    pub fn deliberate(text: impl Into<String>) -> Self {
        let _ = text.into();
        todo!()
    }
}

impl<E: std::error::Error + Send + Sync + 'static> From<E> for HubError {
    fn from(error: E) -> Self {
        let _ = error;
        todo!()
    }
}

/// A question that was not answered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    /// The client answered with an error.
    #[error("{0}")]
    Client(String),
    /// The connection has ended, or is none of this instance.
    #[error("the connection has ended")]
    Ended,
}

/// A stream of the client, as an argument of a method.
#[derive(Debug)]
pub struct Upload<T> {
    _items: PhantomData<fn() -> T>,
}

/// Serves a hub: the handler of its connections.
#[derive(Clone, Debug)]
pub struct HubServer<H> {
    _hub: Arc<H>,
}

impl<H: Hub> HubServer<H> {
    /// A hub with these settings.
    pub fn new(hub: H, options: Options) -> Self {
        let _ = options;
        Self { _hub: Arc::new(hub) }
    }
}

impl<H: Hub> Handler for HubServer<H> {
    async fn serve(&self, connection: Connection) {
        let _ = connection;
        todo!()
    }
}
