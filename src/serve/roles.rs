//! What of a server a process does.

use std::fmt;

use broker::BrokerUrl;
use bus::rabbitmq::RabbitOptions;
use tick_sdk::contracts::strategies::STRATEGIES;
use tick_sdk::contracts::ticks::TICKS;

/// What of a server a process does; the rest is done by other processes, with the same database and broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Roles {
    /// Answers over HTTP.
    pub gateway: bool,
    /// Makes the documents that are read, where processes share them; a gateway with documents of its own makes those.
    pub projections: bool,
    /// Carries out the commands of every context, and publishes its events.
    pub services: bool,
    /// Plays replays: it carries out the commands about them, too.
    pub ingester: bool,
    /// Runs lanes of feeds, and publishes their signals.
    pub hosts: bool,
}

impl Roles {
    /// Everything but lanes of feeds, for which there must be feeds.
    pub const ALONE: Self =
        Self { gateway: true, projections: true, services: true, ingester: true, hosts: false };

    /// Whether a process with these roles carries out a context's commands.
    pub(super) fn serve(self, context: &str) -> bool {
        match context {
            TICKS => self.services || self.ingester,
            // Whoever plays or hosts writes signals to its log.
            STRATEGIES => self.services || self.ingester || self.hosts,
            _ => self.services,
        }
    }
}

impl fmt::Display for Roles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { gateway, projections, services, ingester, hosts } = *self;
        let all = [
            (gateway, "gateway"),
            (projections, "projections"),
            (services, "services"),
            (ingester, "ingester"),
            (hosts, "hosts"),
        ];
        let had: Vec<_> = all.iter().filter(|(has, _)| *has).map(|(_, name)| *name).collect();
        f.write_str(&had.join(", "))
    }
}

/// The broker that processes share.
#[derive(Clone, Debug)]
pub struct BrokerPlan {
    /// The node that carries commands and events; `options` has those that follow when it is lost.
    pub url: BrokerUrl,
    /// Its management API, which knows all queues of messages that failed; `None` for port 15672 of the node.
    pub management: Option<String>,
    /// How the bus uses it.
    pub options: RabbitOptions,
    /// Endpoints of other services whose commands a gateway follows.
    pub follow: Vec<String>,
}
