//! A hub as an application sees it: its routes, its clients, its end.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use super::Hub;
use super::ask::{AskError, ask};
use super::filter::Filter;
use super::serving::Core;
use crate::clients::Clients;
use crate::clock::now;
use crate::events::{EventArguments, Question};
use crate::options::Options;
use crate::transports::{Connection, ConnectionId, Counts, Endpoint, Handler, Redirect};
use crate::user::{Authenticate, Refused, User};

/// Serves a hub on the routes of [`router`](Self::router). Cheap to clone.
pub struct HubServer<H> {
    core: Arc<Core<H>>,
    authenticate: Arc<dyn Authenticate>,
    redirect: Option<Arc<Redirecting>>,
    endpoint: Arc<OnceLock<Endpoint>>,
}

type Redirecting = dyn Fn(&Parts) -> Option<Redirect> + Send + Sync;

/// What came of [`HubServer::shutdown`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shutdown {
    /// Connections there were when it began.
    pub connections: usize,
    /// Of these, those that were cut: because the time was over, or because they did not poll any more for what waited for them.
    pub cut: usize,
    /// Calls of `on_disconnected` that still run.
    pub leaving: usize,
}

impl<H: Hub> HubServer<H> {
    /// A hub with these settings, open to everyone.
    pub fn new(hub: H, options: Options) -> Self {
        let anonymous = |_: Option<&str>, _: &Parts| Ok(None::<User>);
        Self {
            core: Arc::new(Core::new(hub, options)),
            authenticate: Arc::new(anonymous),
            redirect: None,
            endpoint: Arc::default(),
        }
    }

    /// How users are found. To be called before [`router`](Self::router).
    pub fn authenticate(mut self, authenticate: impl Authenticate) -> Self {
        self.authenticate = Arc::new(authenticate);
        self
    }

    /// Clients for which `redirect` answers something are sent there when they negotiate. To be called before
    /// [`router`](Self::router).
    pub fn redirect(mut self, redirect: impl Fn(&Parts) -> Option<Redirect> + Send + Sync + 'static) -> Self {
        self.redirect = Some(Arc::new(redirect));
        self
    }

    /// Runs the filter around calls, inside of those that were added before.
    ///
    /// # Panics
    /// After the server was cloned, or its routes were made.
    pub fn filter(mut self, filter: impl Filter) -> Self {
        let core =
            Arc::get_mut(&mut self.core).expect("filters are added before the server is cloned or routed");
        core.filters.push(Box::new(filter));
        self
    }

    /// The routes `path` and `path/negotiate`.
    pub fn router(&self, path: &str) -> axum::Router {
        self.endpoint().router(path)
    }

    /// The hub itself.
    pub fn hub(&self) -> &Arc<H> {
        &self.core.hub
    }

    /// The hub's clients, for sending from anywhere.
    pub fn clients(&self) -> &Clients {
        &self.core.shared.clients
    }

    /// The connections whose handshake is done, of this instance.
    pub fn connections(&self) -> Vec<ConnectionId> {
        self.core.connections().keys().cloned().collect()
    }

    /// How many connections there are, by what carries them.
    pub fn counts(&self) -> Counts {
        self.endpoint().counts()
    }

    /// Asks one client of this instance, and waits for its answer or the connection's end. The client may never answer: put a
    /// timeout around it.
    pub async fn ask<A: EventArguments, R: DeserializeOwned>(
        &self,
        connection: &ConnectionId,
        question: &Question<A, R>,
        arguments: A,
    ) -> Result<R, AskError> {
        let caller = self.core.connections().get(connection).cloned();
        ask(&caller.ok_or(AskError::Ended)?, question, arguments).await
    }

    /// Ends all connections: calls that run may end within half of the time, then each client receives a Close that allows it to
    /// connect again. New clients are refused at once, and what is left after the time is cut; a client that polls and does not
    /// come for its Close within 2 s is waited for no longer.
    pub async fn shutdown(&self, within: Duration) -> Shutdown {
        let begin = now();
        let connections = self.core.connections().len();
        self.core.stop_within(within / 2);
        let cut = self.endpoint().shut_down(within).await;
        let left = within.saturating_sub(begin.elapsed());
        let _ = tokio::time::timeout(left, self.core.leaving.none()).await;
        Shutdown { connections, cut, leaving: self.core.leaving.count() }
    }

    fn endpoint(&self) -> &Endpoint {
        self.endpoint.get_or_init(|| {
            let (core, authenticate) = (self.core.clone(), self.authenticate.clone());
            let authorise = move |token: Option<&str>, request: &Parts| {
                let user = authenticate.authenticate(token, request)?;
                if core.hub.authorise(user.as_ref(), request) { Ok(user) } else { Err(Refused) }
            };
            let served = Served { core: self.core.clone() };
            let endpoint = Endpoint::new(Arc::new(served), self.core.shared.options.clone(), authorise);
            match self.redirect.clone() {
                Some(redirect) => endpoint.redirect(move |request| redirect(request)),
                None => endpoint,
            }
        })
    }
}

impl<H> Clone for HubServer<H> {
    fn clone(&self) -> Self {
        Self {
            core: self.core.clone(),
            authenticate: self.authenticate.clone(),
            redirect: self.redirect.clone(),
            endpoint: self.endpoint.clone(),
        }
    }
}

impl<H> fmt::Debug for HubServer<H> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("HubServer").field("connections", &self.core.connections().len()).finish()
    }
}

impl<H: Hub> Handler for HubServer<H> {
    async fn serve(&self, connection: Connection) {
        self.core.clone().serve(connection).await;
    }
}

/// What an endpoint has: without the endpoint in it.
struct Served<H> {
    core: Arc<Core<H>>,
}

impl<H: Hub> Handler for Served<H> {
    async fn serve(&self, connection: Connection) {
        self.core.clone().serve(connection).await;
    }
}
