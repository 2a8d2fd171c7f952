//! What a configuration asks for, as a plan.

use std::time::Duration;

use broker::{BrokerError, BrokerUrl};
use bus::Retention;
use bus::rabbitmq::{ControlBudget, QueueKind, RabbitOptions};
use gateway::{Limits, RateLimit};
use strategy_host::hosts::HostsPlan;
use thiserror::Error;
use tick_sdk::names::{FeedName, InvalidName};

use super::{BrokerConfig, DocumentsConfig, GatewayConfig, Queues, Role, ServeConfig};
use crate::serve::{BrokerPlan, DocumentsPlan, FeedReplays, HostsRolePlan, Play, Roles, ServePlan};

/// The shortest lease of a replay: what is renewed once a second is late now and then.
const LEAST_LEASE_S: u16 = 3;

/// Why a configuration is no plan.
#[derive(Debug, Error)]
pub enum InvalidConfig {
    /// A key is missing.
    #[error("{key} is not set: {advice}")]
    Missing {
        /// The key, with its section.
        key: &'static str,
        /// What to do.
        advice: &'static str,
    },
    /// A broker's URL is none.
    #[error("broker.urls: {0}")]
    Broker(#[from] BrokerError),
    /// A worker would lose its replays to others while it plays them.
    #[error(
        "ingester.lease_s is {given}: give {LEAST_LEASE_S} seconds or more, as a process renews it once a second"
    )]
    Lease {
        /// What is set.
        given: u16,
    },
    /// A feed's name is none.
    #[error("hosts.feeds: {0}")]
    Feed(#[from] InvalidName),
}

impl InvalidConfig {
    /// The key that it is about, with its section.
    pub fn key(&self) -> &'static str {
        match self {
            Self::Missing { key, .. } => key,
            Self::Broker(_) => "broker.urls",
            Self::Lease { .. } => "ingester.lease_s",
            Self::Feed(_) => "hosts.feeds",
        }
    }
}

impl ServeConfig {
    /// Whether the names and addresses that it has are some.
    pub(super) fn check_names(&self) -> Result<(), InvalidConfig> {
        self.brokers()?;
        self.feeds().map(drop)
    }

    fn brokers(&self) -> Result<Vec<BrokerUrl>, InvalidConfig> {
        Ok(self.broker.urls.iter().map(|url| url.0.parse()).collect::<Result<_, _>>()?)
    }

    fn feeds(&self) -> Result<Vec<FeedName>, InvalidConfig> {
        Ok(self.hosts.feeds.iter().map(|name| name.parse()).collect::<Result<_, _>>()?)
    }

    /// What this process is to do.
    ///
    /// # Errors
    /// A key is missing, or is not what it must be.
    pub fn into_plan(self) -> Result<ServePlan, InvalidConfig> {
        let state = self.state.clone().ok_or(InvalidConfig::Missing {
            key: "state",
            advice: "give the folder of state, as --state DIR or state = \"DIR\"",
        })?;
        let (brokers, feeds) = (self.brokers()?, self.feeds()?);
        let database = self.database.as_ref().map(|database| database.0.clone());
        let roles = self.roles(brokers.is_empty() || database.is_none());
        let usual = ServePlan::new(state, "");
        let (documents, limits) = (self.documents(database.is_some()), self.gateway.limits());
        let broker = brokers.split_first().map(|(first, others)| self.broker.plan(first.clone(), others));
        let both = database.clone().filter(|_| !brokers.is_empty());
        let play = match (&both, self.ingester.feed_shards) {
            (Some(ledger), Some(shards)) => {
                Play::Feed(FeedReplays { shards, ..FeedReplays::new(brokers.clone(), ledger.clone()) })
            }
            (None, Some(_)) => {
                return Err(InvalidConfig::Missing {
                    key: "broker.urls or database",
                    advice: "replays through feeds (ingester.feed_shards) need a broker and a database",
                });
            }
            _ => Play::InProcess,
        };
        let hosts = both.map(|ledger| {
            let mut hosts = HostsPlan::new(brokers, ledger);
            hosts.most_lanes = self.hosts.most_lanes.unwrap_or(hosts.most_lanes);
            HostsRolePlan::new(hosts, feeds)
        });
        let replay_lease = match self.ingester.lease_s {
            Some(given) if given < LEAST_LEASE_S => return Err(InvalidConfig::Lease { given }),
            lease_s => lease_s.map_or(usual.replay_lease, |seconds| Duration::from_secs(seconds.into())),
        };
        let keep =
            self.services.keep_commands_days.map(|days| Duration::from_secs(u64::from(days) * 24 * 3600));
        let retention = Retention {
            keep: keep.unwrap_or(usual.retention.keep),
            most: self.services.most_commands.unwrap_or(usual.retention.most),
        };
        let listen = if self.gateway.listen.is_empty() { usual.listen.clone() } else { self.gateway.listen };
        Ok(ServePlan {
            roles,
            captures: self.captures,
            database,
            documents,
            broker,
            limits,
            listen,
            names: self.gateway.names,
            replays: self.ingester.replays.unwrap_or(usual.replays),
            replay_lease,
            play,
            hosts,
            retention,
            is_key_required: self.gateway.key_required,
            ..usual
        })
    }

    fn documents(&self, has_database: bool) -> DocumentsPlan {
        match self.documents {
            Some(DocumentsConfig::Own) => DocumentsPlan::Own,
            Some(DocumentsConfig::Shared) => DocumentsPlan::Shared,
            None if has_database && self.has(Role::Projections) => DocumentsPlan::Shared,
            None => DocumentsPlan::Own,
        }
    }

    /// The roles that are named; where none is, all that there can be.
    fn roles(&self, are_hosts_impossible: bool) -> Roles {
        if self.roles.is_empty() {
            return Roles { hosts: !are_hosts_impossible, ..Roles::ALONE };
        }
        Roles {
            gateway: self.has(Role::Gateway),
            projections: self.has(Role::Projections),
            services: self.has(Role::Services),
            ingester: self.has(Role::Ingester),
            hosts: self.has(Role::Hosts),
        }
    }
}

impl GatewayConfig {
    fn limits(&self) -> Limits {
        let usual = Limits::default();
        let limit = |set: Option<u32>, usual| match set {
            None => usual,
            Some(0) => RateLimit::NONE,
            Some(per_second) => RateLimit::per_second(per_second),
        };
        Limits {
            local: limit(self.local_requests_per_s, usual.local),
            key: limit(self.key_requests_per_s, usual.key),
            address: limit(self.address_requests_per_s, usual.address),
            ..usual
        }
    }
}

impl BrokerConfig {
    fn plan(&self, url: BrokerUrl, others: &[BrokerUrl]) -> BrokerPlan {
        let usual = RabbitOptions::default();
        let budget = ControlBudget {
            messages_per_s: self.messages_per_s.unwrap_or(usual.budget.messages_per_s),
            processes: self.processes.unwrap_or(usual.budget.processes),
        };
        let queue = match self.queues {
            Queues::Classic => QueueKind::Classic,
            Queues::Quorum => QueueKind::Quorum { members: None },
        };
        let prefetch = self.prefetch.unwrap_or(usual.prefetch);
        let (takes_raw_json, other_nodes) = (self.raw_json, others.to_vec());
        let options = RabbitOptions { queue, prefetch, budget, takes_raw_json, other_nodes, ..usual };
        BrokerPlan { url, management: self.management.clone(), options, follow: self.follow.clone() }
    }
}
