//! What a configuration asks for, as a plan.

use std::time::Duration;

use broker::{BrokerError, BrokerUrl};
use bus::Retention;
use bus::rabbitmq::{ControlBudget, QueueKind, RabbitOptions};
use strategy_host::hosts::HostsPlan;
use thiserror::Error;
use tick_sdk::names::{FeedName, InvalidName};

use super::{BrokerConfig, Queues, Role, ServeConfig};
use crate::serve::{BrokerPlan, FeedReplays, HostsRolePlan, Play, Roles, ServePlan};

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
    /// A feed's name is none.
    #[error("hosts.feeds: {0}")]
    Feed(#[from] InvalidName),
}

impl ServeConfig {
    /// What this process is to do.
    ///
    /// # Errors
    /// A key is missing, or is not what it must be.
    pub fn into_plan(self) -> Result<ServePlan, InvalidConfig> {
        let state = self.state.clone().ok_or(InvalidConfig::Missing {
            key: "state",
            advice: "give the folder of state, as --state DIR or state = \"DIR\"",
        })?;
        let brokers = self.broker.urls.iter().map(|url| url.0.parse::<BrokerUrl>());
        let brokers = brokers.collect::<Result<Vec<_>, _>>()?;
        let database = self.database.as_ref().map(|database| database.0.clone());
        let roles = self.roles(brokers.is_empty() || database.is_none());
        let usual = ServePlan::new(state, "");
        let broker = brokers.first().map(|url| self.broker.plan(url.clone()));
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
        let feeds = self.hosts.feeds.iter().map(|name| name.parse()).collect::<Result<Vec<FeedName>, _>>()?;
        let hosts = both.map(|ledger| {
            let mut hosts = HostsPlan::new(brokers, ledger);
            hosts.most_lanes = self.hosts.most_lanes.unwrap_or(hosts.most_lanes);
            HostsRolePlan::new(hosts, feeds)
        });
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
            broker,
            listen,
            names: self.gateway.names,
            replays: self.ingester.replays.unwrap_or(usual.replays),
            play,
            hosts,
            retention,
            is_key_required: self.gateway.key_required,
            ..usual
        })
    }

    /// The roles that are named; where none is, all that there can be.
    fn roles(&self, are_hosts_impossible: bool) -> Roles {
        if self.roles.is_empty() {
            return Roles { hosts: !are_hosts_impossible, ..Roles::ALONE };
        }
        Roles {
            gateway: self.has(Role::Gateway),
            services: self.has(Role::Services),
            ingester: self.has(Role::Ingester),
            hosts: self.has(Role::Hosts),
        }
    }
}

impl BrokerConfig {
    fn plan(&self, url: BrokerUrl) -> BrokerPlan {
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
        let options = RabbitOptions { queue, prefetch, budget, takes_raw_json: self.raw_json, ..usual };
        BrokerPlan { url, management: self.management.clone(), options, follow: self.follow.clone() }
    }
}
