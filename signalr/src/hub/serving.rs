//! Serves the connections of a hub, from their handshake to `on_disconnected`.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use futures_util::future::{BoxFuture, FutureExt as _};

use super::Hub;
use super::connection::{Caller, Opening, Shared};
use super::context::Context;
use super::ending::{self, End};
use super::error::HubError;
use super::filter::{AnyFilter, Next};
use super::leaving::Leaving;
use super::methods::{Method, Methods};
use super::session::Session;
use crate::clients::Clients;
use crate::clock::now;
use crate::conversation::{Conversation, Due, Ended, Step};
use crate::options::Options;
use crate::outbox::{Format, Outbox};
use crate::protocol::{Codec, Protocol, handshake_answer, handshake_refusal};
use crate::transports::{Connection, ConnectionId, Input, Received, Transport};

/// A hub and its connections.
pub(super) struct Core<H> {
    pub(super) hub: Arc<H>,
    pub(super) methods: HashMap<Box<str>, Arc<Method<H>>>,
    pub(super) filters: Vec<Box<dyn AnyFilter>>,
    pub(super) shared: Arc<Shared>,
    connections: Mutex<HashMap<ConnectionId, Arc<Caller>>>,
    /// Set when the server stops: until when calls may end.
    stops_at: OnceLock<Option<Instant>>,
    pub(super) leaving: Arc<Leaving>,
}

impl<H> Core<H> {
    pub(super) fn connections(&self) -> MutexGuard<'_, HashMap<ConnectionId, Arc<Caller>>> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on calls that run may end within this time.
    pub(super) fn stop_within(&self, within: Duration) {
        // Should the time be beyond what a clock can say, it is no limit.
        let _ = self.stops_at.set(now().checked_add(within));
    }

    pub(super) fn stops_at(&self) -> Option<Instant> {
        self.stops_at.get().copied().flatten()
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.stops_at.get().is_some()
    }
}

impl<H: Hub> Core<H> {
    pub(super) fn new(hub: H, options: Options) -> Self {
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
            leaving: Arc::default(),
        }
    }

    pub(super) async fn serve(self: Arc<Self>, connection: Connection) {
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
        let leaving = self.leaving.begin();
        runtime.spawn(async move {
            let _leaving = leaving;
            let (context, error) = (Context::new(caller.clone(), None), end.reason());
            let disconnected = async {
                let mut next: BoxFuture<'_, ()> =
                    self.hub.clone().on_disconnected(context.clone(), error.clone()).boxed();
                for filter in self.filters.iter().rev() {
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
