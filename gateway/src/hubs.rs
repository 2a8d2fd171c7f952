//! Live views: hubs over SignalR beside the routes. State (prices, how the system stands) is pushed to groups, the latest
//! wins; logs (signals, commands) are streams that follow a cursor, so that nothing is left out, also after a restart and
//! at another gateway.

use std::sync::Arc;

use live::LiveMarket;
use signalr::{HubServer, Options};

mod caller;
mod commands;
mod market;
pub mod payloads;
mod signals;
mod system;

pub use commands::CommandsHub;
pub use market::MarketHub;
pub use signals::SignalsHub;
pub use system::{SystemHub, SystemSource};

use crate::http::GatewayState;

/// Every hub of a gateway.
pub(crate) struct Hubs {
    market: HubServer<MarketHub>,
    signals: HubServer<SignalsHub>,
    system: HubServer<SystemHub>,
    commands: HubServer<CommandsHub>,
}

impl Hubs {
    pub(crate) fn new(
        state: &Arc<GatewayState>,
        market: LiveMarket,
        system: Option<Arc<dyn SystemSource>>,
    ) -> Self {
        let options = Options::default;
        Self {
            market: HubServer::new(MarketHub::new(market), options()),
            signals: HubServer::new(SignalsHub::new(state.clone()), options()),
            system: HubServer::new(SystemHub::new(system), options()),
            commands: HubServer::new(CommandsHub::new(state.clone()), options()),
        }
    }

    /// The routes `/hubs/…`.
    pub(crate) fn router(&self) -> axum::Router {
        self.market
            .router("/hubs/market")
            .merge(self.signals.router("/hubs/signals"))
            .merge(self.system.router("/hubs/system"))
            .merge(self.commands.router("/hubs/commands"))
    }
}
