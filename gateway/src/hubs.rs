//! Live views: hubs over SignalR beside the routes. State (prices, how the system stands) is pushed to groups, the latest
//! wins; logs (signals, commands) are streams that follow a cursor, so that nothing is left out, also after a restart and
//! at another gateway.

use std::sync::Arc;
use std::time::Duration;

use live::LiveMarket;
use signalr::{Hub, HubServer, Options};

mod caller;
mod commands;
mod market;
pub mod payloads;
mod signals;
mod system;
mod tail;

pub use commands::CommandsHub;
pub use market::MarketHub;
pub use signals::SignalsHub;
pub use system::{SystemHub, SystemSource};

use crate::http::GatewayState;

/// The typed clients of the hubs, as files of TypeScript: their names, and what is in them. They are checked in under
/// `dashboard/src/generated`, and a test compares.
pub fn typescript() -> Vec<(&'static str, String)> {
    vec![
        ("market.ts", signalr::typescript::<MarketHub>()),
        ("signals.ts", signalr::typescript::<SignalsHub>()),
        ("system.ts", signalr::typescript::<SystemHub>()),
        ("commands.ts", signalr::typescript::<CommandsHub>()),
    ]
}

/// Every hub of a gateway. Dropped, their clients are cut.
///
/// Several gateways need nothing between them: streams of logs go on by positions that are the same at each, and a group is
/// of the clients of one gateway, which it tells what that gateway knows.
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
        Self {
            market: server(MarketHub::new(market, state.stopping.clone()), of_states()),
            signals: server(SignalsHub::new(state.clone()), of_logs()),
            system: server(SystemHub::new(state.clone(), system), of_states()),
            commands: server(CommandsHub::new(state.clone()), of_logs()),
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

    /// Tells every client to connect again, takes no more, and cuts those that are left after this time.
    pub(crate) async fn shutdown(&self, within: Duration) {
        let (market, signals, system, commands) = tokio::join!(
            self.market.shutdown(within),
            self.signals.shutdown(within),
            self.system.shutdown(within),
            self.commands.shutdown(within),
        );
        let all = [market, signals, system, commands];
        let connections: usize = all.iter().map(|ended| ended.connections).sum();
        let cut: usize = all.iter().map(|ended| ended.cut).sum();
        if connections > 0 {
            tracing::info!(connections, cut, "the clients of hubs were told to connect again");
        }
    }
}

impl Drop for Hubs {
    fn drop(&mut self) {
        // Without a runtime the program ends.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let (market, signals) = (self.market.clone(), self.signals.clone());
        let (system, commands) = (self.system.clone(), self.commands.clone());
        runtime.spawn(async move {
            let now = Duration::ZERO;
            tokio::join!(
                market.shutdown(now),
                signals.shutdown(now),
                system.shutdown(now),
                commands.shutdown(now)
            );
        });
    }
}

fn server<H: Hub>(hub: H, options: Options) -> HubServer<H> {
    HubServer::new(hub, options).authenticate(caller::user)
}

/// Of hubs that send states, of which the latest counts.
fn of_states() -> Options {
    Options {
        // Of each watch three updates wait at most: room for all of 4,000 instruments. They are shared by the clients of a
        // group, so that one who does not read costs less than this.
        max_waiting_bytes: 4 << 20,
        // What is numbered cannot be replaced by what is newer. Whose link is cut watches again, and begins with a snapshot.
        stateful_reconnect: false,
        ..Options::default()
    }
}

/// Of hubs whose streams follow logs: an item waits until the client has room for it.
fn of_logs() -> Options {
    Options {
        // Room for a usual update, so that the next is read while one is sent.
        max_waiting_bytes: 256 << 10,
        // A link that was cut is taken up where it was. After a restart, and at another gateway, the cursor does it.
        stateful_reconnect: true,
        // Clients acknowledge about once a second, and are sent no more than this in between.
        max_replay_bytes: 2 << 20,
        ..Options::default()
    }
}
