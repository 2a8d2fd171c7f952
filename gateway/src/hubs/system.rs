//! `/hubs/system`: how everything stands. It is looked at once a second while somebody watches, once for all who do;
//! when nobody does, nothing is done.

use std::collections::HashSet;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::http::request::Parts;
use signalr::{Clients, ConnectionId, Context, Event, Hub, HubError, Methods, User};
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use super::caller::{Wish, may};
use super::payloads::SystemState;
use crate::http::GatewayState;

mod attention;
mod looking;
mod own;

use looking::Looking;

/// How everything stands.
static SYSTEM: Event<(SystemState,)> = Event::new("System", &["state"]);

/// Everybody who watches; what waits for one of them is replaced under the same name.
const GROUP: &str = "system";
/// Between two looks.
const EVERY: Duration = Duration::from_secs(1);

/// Where the hub has what it shows from, beside the gateway's own documents. Called once a second, on a thread that may block.
pub trait SystemSource: fmt::Debug + Send + Sync + 'static {
    /// Fills in roles, feeds, nodes and takeovers. The replays that run are there, and the names of the feeds that
    /// something is deployed to.
    fn look(&self, state: &mut SystemState);
}

/// How everything stands, about once a second.
pub struct SystemHub {
    looking: tokio::sync::Mutex<Looking>,
    watchers: Mutex<Watchers>,
    /// Whether the gateway is to end.
    stopping: watch::Receiver<bool>,
}

/// Who watches.
#[derive(Default)]
struct Watchers {
    connections: HashSet<ConnectionId>,
    /// Whether a task looks for them.
    is_ticking: bool,
}

impl SystemHub {
    pub(super) fn new(state: Arc<GatewayState>, source: Option<Arc<dyn SystemSource>>) -> Self {
        let stopping = state.stopping.clone();
        let looking = tokio::sync::Mutex::new(Looking::new(state, source));
        Self { looking, watchers: Mutex::default(), stopping }
    }

    async fn watch(self: Arc<Self>, context: Context) -> Result<SystemState, HubError> {
        // First: what is sent from now on is not missed.
        context.join(GROUP).await?;
        if self.begins(context.connection_id()) {
            tokio::spawn(self.clone().tick(context.clients().clone()));
        }
        Ok(self.looking.lock().await.within(EVERY).await)
    }

    /// Whether somebody has to begin to look.
    fn begins(&self, watcher: &ConnectionId) -> bool {
        let mut watchers = self.watchers();
        watchers.connections.insert(watcher.clone());
        !std::mem::replace(&mut watchers.is_ticking, true)
    }

    /// Whether somebody watches still; if not, the next one who does has to begin.
    fn goes_on(&self) -> bool {
        let mut watchers = self.watchers();
        watchers.is_ticking = !watchers.connections.is_empty() && !*self.stopping.borrow();
        watchers.is_ticking
    }

    fn watchers(&self) -> MutexGuard<'_, Watchers> {
        self.watchers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn tick(self: Arc<Self>, clients: Clients) {
        let mut every = interval_at(Instant::now() + EVERY, EVERY);
        // A look that took longer is not made up for.
        every.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            every.tick().await;
            if !self.goes_on() {
                return;
            }
            let state = self.looking.lock().await.anew().await;
            if let Err(error) = clients.group(GROUP).send_latest(GROUP, &SYSTEM, (state,)).await {
                tracing::warn!(%error, "how everything stands could not be sent");
            }
        }
    }
}

impl Hub for SystemHub {
    fn register(methods: &mut Methods<Self>) {
        methods
            .call("Watch", [], Self::watch)
            .docs("How everything stands; from now on also as `System`, about once a second.");
        methods.event(&SYSTEM).docs("How everything stands.");
    }

    fn authorise(&self, user: Option<&User>, _: &Parts) -> bool {
        may(user, Wish::See)
    }

    async fn on_disconnected(self: Arc<Self>, context: Context, _: Option<String>) {
        self.watchers().connections.remove(context.connection_id());
    }
}
