//! Serves a hub: its connections from their handshake to `on_disconnected`.

use std::collections::HashMap;
use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use axum::http::request::Parts;
use futures_util::future::{BoxFuture, FutureExt as _};
use serde::de::DeserializeOwned;
use tokio::sync::Notify;

use super::Hub;
use super::ask::{AskError, ask};
use super::connection::{Caller, Opening, Shared};
use super::context::Context;
use super::ending::{self, End};
use super::error::HubError;
use super::filter::{AnyFilter, Filter, Next};
use super::methods::{Method, Methods};
use super::session::Session;
use crate::clients::Clients;
use crate::conversation::{Conversation, Due, Ended, Step};
use crate::events::{EventArguments, Question};
use crate::options::Options;
use crate::outbox::{Format, Outbox};
use crate::protocol::{Codec, Protocol, handshake_answer, handshake_refusal};
use crate::transports::{
    Connection, ConnectionId, Counts, Endpoint, Handler, Input, Received, Redirect, Transport,
};
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
    /// Of these, those that were cut because the time was over.
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
    /// connect again. New clients are refused at once, and what is left after the time is cut.
    pub async fn shutdown(&self, within: Duration) -> Shutdown {
        let begin = now();
        let connections = self.core.connections().len();
        // Should the time be beyond what a clock can say, it is no limit.
        let _ = self.core.stops_at.set(begin.checked_add(within / 2));
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

/// A hub and its connections.
pub(super) struct Core<H> {
    pub(super) hub: Arc<H>,
    pub(super) methods: HashMap<Box<str>, Arc<Method<H>>>,
    pub(super) filters: Vec<Box<dyn AnyFilter>>,
    pub(super) shared: Arc<Shared>,
    connections: Mutex<HashMap<ConnectionId, Arc<Caller>>>,
    /// Set when the server stops: until when calls may end.
    stops_at: OnceLock<Option<Instant>>,
    leaving: Leaving,
}

impl<H> Core<H> {
    fn connections(&self) -> MutexGuard<'_, HashMap<ConnectionId, Arc<Caller>>> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn stops_at(&self) -> Option<Instant> {
        self.stops_at.get().copied().flatten()
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.stops_at.get().is_some()
    }
}

impl<H: Hub> Core<H> {
    fn new(hub: H, options: Options) -> Self {
        let mut methods = Methods::new();
        H::register(&mut methods);
        let clients = Clients::new(&options);
        Self {
            hub: Arc::new(hub),
            methods: methods.by_name(),
            filters: Vec::new(),
            shared: Arc::new(Shared::new(options, clients)),
            connections: Mutex::default(),
            stops_at: OnceLock::new(),
            leaving: Leaving::default(),
        }
    }

    async fn serve(self: Arc<Self>, connection: Connection) {
        let Connection { id, user, transport, request, is_stateful, mut input, outbox } = connection;
        let mut conversation = Conversation::begin(
            &self.shared.options,
            now(),
            is_stateful,
            transport == Transport::ServerSentEvents,
            transport == Transport::LongPolling,
        );
        let accepted = accepted(&mut conversation, &mut input).await;
        let (codec, is_stateful) = match accepted {
            Ok(accepted) => accepted,
            Err(end) => return refuse(&outbox, &end),
        };
        answer(&outbox, codec, is_stateful);
        if !is_stateful {
            input.forbid_reattach();
        }
        let opening = Opening { id, user, transport, request, codec, outbox };
        let caller = Caller::new(opening, self.shared.clone());
        let mut open = Open::new(self.clone(), caller.clone());
        let mut session = Session::new(self.clone(), caller.clone(), conversation, input, is_stateful);
        let end = session.run().await;
        close(&caller, &end);
        open.end(end);
    }

    /// Runs `Hub::on_connected` with its filters.
    pub(super) fn connected(
        self: Arc<Self>,
        caller: Arc<Caller>,
    ) -> BoxFuture<'static, Result<(), HubError>> {
        let connected = async move {
            let context = Context::new(caller, None);
            let mut next: BoxFuture<'_, _> = self.hub.clone().on_connected(context.clone()).boxed();
            for filter in self.filters.iter().rev() {
                next = filter.connected(&context, Next::new(next));
            }
            next.await
        };
        let caught = AssertUnwindSafe(connected).catch_unwind();
        caught.map(|connected| connected.unwrap_or_else(|panic| Err(HubError::panic(&*panic)))).boxed()
    }

    /// Runs `Hub::on_disconnected` with its filters, on a task of its own: an ended id must be unknown at once.
    fn disconnected(self: Arc<Self>, caller: Arc<Caller>, end: End) {
        if let End::Refused(_) = end {
            return;
        }
        // Without a runtime the program ends.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let leaving = Entered::new(self);
        runtime.spawn(async move {
            let core = &leaving.core;
            let (context, error) = (Context::new(caller.clone(), None), end.reason());
            let disconnected = async {
                let mut next: BoxFuture<'_, ()> =
                    core.hub.clone().on_disconnected(context.clone(), error.clone()).boxed();
                for filter in core.filters.iter().rev() {
                    next = filter.disconnected(&context, error.as_deref(), Next::new(next));
                }
                next.await;
            };
            if let Err(panic) = AssertUnwindSafe(disconnected).catch_unwind().await {
                let error = HubError::panic(&*panic);
                tracing::error!(connection = %caller.id, "on_disconnected failed: {error:?}");
            }
        });
    }
}

/// Waits for the handshake.
async fn accepted(conversation: &mut Conversation, input: &mut Input) -> Result<(Codec, bool), End> {
    loop {
        if let Some(Step::Opened { codec, is_stateful }) =
            conversation.next_step().map_err(End::Conversation)?
        {
            return Ok((codec, is_stateful));
        }
        let due = conversation.due().unwrap_or_else(now);
        match tokio::time::timeout_at(due.into(), input.next()).await {
            Ok(Some(Received::Bytes(bytes))) => conversation.receive(now(), &bytes),
            Ok(Some(Received::Reattached)) => conversation.reattached(now()),
            Ok(Some(Received::Stopping)) => {
                return Err(End::Conversation(Ended::Handshake("Handshake was canceled.".to_owned())));
            }
            Ok(None) => return Err(End::Gone),
            Err(_) => {
                if let Some(Due::End(ended)) = conversation.on_time(now()) {
                    return Err(End::Conversation(ended));
                }
            }
        }
    }
}

fn refuse(outbox: &Outbox, end: &End) {
    match end {
        End::Conversation(Ended::Handshake(text)) => outbox.close(Some(handshake_refusal(text))),
        _ => outbox.close(None),
    }
}

/// Accepts the handshake; what is sent from now on follows the answer.
fn answer(outbox: &Outbox, codec: Codec, is_stateful: bool) {
    outbox.set_format(match codec.protocol {
        Protocol::Json => Format::Text,
        Protocol::MessagePack => Format::Binary,
    });
    // A connection that has ended meanwhile is noticed by its input.
    let _ = outbox.push(&handshake_answer(), false);
    if is_stateful {
        outbox.number_messages();
    }
}

fn close(caller: &Caller, end: &End) {
    tracing::debug!(connection = %caller.id, "connection ends: {end:?}");
    let close = end.close(caller.shared.options.detailed_errors);
    caller.outbox.close(close.map(|close| caller.codec.encode(&ending::message(&close))));
}

/// A connection that is reached by others. Whatever ends it, also where its task is aborted, it is reached no more, and the hub
/// learns it.
struct Open<H: Hub> {
    core: Arc<Core<H>>,
    caller: Arc<Caller>,
    end: End,
}

impl<H: Hub> Open<H> {
    fn new(core: Arc<Core<H>>, caller: Arc<Caller>) -> Self {
        let user = caller.user.as_ref().map(|user| user.id.as_str());
        core.shared.clients.add(&caller.id, &caller.outbox, caller.codec, user);
        core.connections().insert(caller.id.clone(), caller.clone());
        Self { core, caller, end: End::Cut }
    }

    fn end(&mut self, end: End) {
        self.end = end;
    }
}

impl<H: Hub> Drop for Open<H> {
    fn drop(&mut self) {
        self.core.connections().remove(&self.caller.id);
        self.core.shared.clients.remove(&self.caller.id);
        self.caller.end();
        let end = std::mem::replace(&mut self.end, End::Cut);
        self.core.clone().disconnected(self.caller.clone(), end);
    }
}

/// Counts calls of `on_disconnected`.
#[derive(Debug, Default)]
struct Leaving {
    count: AtomicUsize,
    changed: Notify,
}

impl Leaving {
    fn count(&self) -> usize {
        self.count.load(Ordering::Acquire)
    }

    async fn none(&self) {
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            if self.count() == 0 {
                return;
            }
            changed.await;
        }
    }
}

struct Entered<H> {
    core: Arc<Core<H>>,
}

impl<H> Entered<H> {
    fn new(core: Arc<Core<H>>) -> Self {
        core.leaving.count.fetch_add(1, Ordering::AcqRel);
        Self { core }
    }
}

impl<H> Drop for Entered<H> {
    fn drop(&mut self) {
        self.core.leaving.count.fetch_sub(1, Ordering::AcqRel);
        self.core.leaving.changed.notify_waiters();
    }
}

fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
