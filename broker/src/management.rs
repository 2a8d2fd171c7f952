//! What only the management API of RabbitMQ says: which queues there are, how they were made, what is bound.
//!
//! It is a plugin that need not be enabled, so nothing may depend on it: whoever asks says what cannot be seen
//! without it. Nothing is changed over it. Every answer is bounded, and comes within [`TIMEOUT`](crate::TIMEOUT).

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use thiserror::Error;

use crate::BrokerUrl;

mod http;

use http::Address;

/// Queues and channels are asked for in pages of so many.
const PAGE: usize = 500;
/// No more channels than these are counted.
pub const MAX_CHANNELS: usize = 5_000;
/// No more queues than these are listed.
pub const MAX_QUEUES: usize = 20_000;

/// Why the management API gave no answer.
#[derive(Clone, Debug, Error)]
pub enum ManagementError {
    /// The text is not a valid address.
    #[error(
        "'{address}' is not an address of a management API: write http://HOST:15672 or https://HOST:15671"
    )]
    Address {
        /// The text, without a password.
        address: String,
    },
    /// Nobody answers.
    #[error(
        "the management API at {address} does not answer: {reason}\n  enable the plugin rabbitmq_management, or say where it is"
    )]
    Unreachable {
        /// Where it was looked for.
        address: String,
        /// What was tried, and what came of it.
        reason: String,
    },
    /// The login is refused, or has no rights.
    #[error(
        "the management API at {address} refuses the login: the user needs the tag `monitoring` or `management`"
    )]
    Login {
        /// Where.
        address: String,
    },
    /// It answers something else.
    #[error("the management API at {address}: {request}: {reason}")]
    Answer {
        /// Where.
        address: String,
        /// What was asked.
        request: String,
        /// What is wrong with the answer.
        reason: String,
    },
}

/// A broker's management API, for the vhost of a [`BrokerUrl`].
#[derive(Clone, Debug)]
pub struct Management {
    address: Address,
    vhost: String,
}

/// How a queue was made.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct QueueFacts {
    /// Its name.
    pub name: String,
    /// `classic`, `quorum` or `stream`; empty where the broker does not say.
    #[serde(default, rename = "type")]
    pub queue_type: String,
    /// Whether it survives a restart of the broker.
    #[serde(default)]
    pub durable: bool,
    /// Whether it is deleted with its last consumer.
    #[serde(default)]
    pub auto_delete: bool,
    /// Whether it belongs to one connection.
    #[serde(default)]
    pub exclusive: bool,
    /// What else it was declared with.
    #[serde(default)]
    pub arguments: Map<String, Value>,
    /// What policies make of it; an empty list where there is none.
    #[serde(default)]
    effective_policy_definition: Value,
}

impl QueueFacts {
    /// After so many returns the broker drops a message of it, or dead-letters it: the smaller one of its
    /// argument and its policies.
    pub fn delivery_limit(&self) -> Option<i64> {
        let argument = self.arguments.get("x-delivery-limit").and_then(Value::as_i64);
        let policy = self.effective_policy_definition.get("delivery-limit").and_then(Value::as_i64);
        argument.into_iter().chain(policy).min()
    }
}

/// How an exchange was made.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct ExchangeFacts {
    /// Its name.
    pub name: String,
    /// `fanout`, `direct`, `topic`, `headers`, or what a plugin adds.
    #[serde(default, rename = "type")]
    pub kind: String,
    /// Whether it survives a restart of the broker.
    #[serde(default)]
    pub durable: bool,
    /// Whether it is deleted with its last binding.
    #[serde(default)]
    pub auto_delete: bool,
    /// What else it was declared with.
    #[serde(default)]
    pub arguments: Map<String, Value>,
}

/// What an exchange passes on, and where to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct BindingFacts {
    /// The exchange that messages come from; empty for the default one.
    pub source: String,
    /// The queue or exchange that they go to.
    pub destination: String,
    /// `queue` or `exchange`.
    pub destination_type: String,
    /// With which routing key.
    #[serde(default)]
    pub routing_key: String,
}

/// How a node of the cluster is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct NodeFacts {
    /// Its name, as `rabbit@host`.
    pub name: String,
    /// Whether it runs.
    #[serde(default)]
    pub running: bool,
    /// Whether it has too little memory, so that publishers are blocked.
    #[serde(default, rename = "mem_alarm")]
    pub memory_alarm: bool,
    /// Whether its disk is nearly full, so that publishers are blocked.
    #[serde(default, rename = "disk_free_alarm")]
    pub disk_alarm: bool,
}

/// What a cluster is given, as its statistics have it, which are some seconds old.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Published {
    /// The node that answered.
    pub node: String,
    /// Messages a second that are published, over all nodes; `None` where none was ever.
    pub per_second: Option<f64>,
}

#[derive(Deserialize)]
struct Page<T> {
    items: Vec<T>,
    #[serde(default)]
    page_count: usize,
}

#[derive(Deserialize)]
struct OfNode {
    node: String,
    #[serde(default)]
    message_stats: Statistics,
}

impl OfNode {
    fn per_second(&self) -> Option<f64> {
        self.message_stats.publish_details.as_ref().map(|details| details.rate)
    }
}

#[derive(Default, Deserialize)]
struct Statistics {
    publish_details: Option<Rate>,
}

#[derive(Deserialize)]
struct Rate {
    rate: f64,
}

impl Management {
    /// Where the plugin listens unless it is configured: the broker's host, port 15672, with TLS 15671.
    pub fn beside(url: &BrokerUrl) -> Self {
        Self { address: Address::beside(url), vhost: url.vhost().to_owned() }
    }

    /// At `http://HOST:PORT` or `https://HOST:PORT`; user and password may stand before the host, else
    /// they are the broker's, whose certificates are used for https, too.
    ///
    /// # Errors
    /// [`ManagementError::Address`].
    pub fn at(address: &str, url: &BrokerUrl) -> Result<Self, ManagementError> {
        Ok(Self { address: Address::parse(address, url)?, vhost: url.vhost().to_owned() })
    }

    /// Its address, without a password.
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// The queues whose names match this regular expression, at most [`MAX_QUEUES`], in order of name.
    ///
    /// # Errors
    /// See [`ManagementError`].
    pub async fn queues(&self, pattern: &str) -> Result<Vec<QueueFacts>, ManagementError> {
        let columns = "name,type,durable,auto_delete,exclusive,arguments,effective_policy_definition";
        let mut queues: Vec<QueueFacts> = Vec::new();
        for page in 1..=MAX_QUEUES / PAGE {
            let path = format!(
                "/api/queues/{}?page={page}&page_size={PAGE}&use_regex=true&name={}&sort=name&columns={columns}",
                http::encoded(&self.vhost),
                http::encoded(pattern),
            );
            let Some(found) = self.ask::<Page<QueueFacts>>(&path).await? else { break };
            queues.extend(found.items);
            if page >= found.page_count {
                break;
            }
        }
        Ok(queues)
    }

    /// The nodes of the cluster.
    ///
    /// # Errors
    /// See [`ManagementError`].
    pub async fn nodes(&self) -> Result<Vec<NodeFacts>, ManagementError> {
        let path = "/api/nodes?columns=name,running,mem_alarm,disk_free_alarm";
        Ok(self.ask(path).await?.unwrap_or_default())
    }

    /// What the cluster is given.
    ///
    /// # Errors
    /// See [`ManagementError`].
    pub async fn published(&self) -> Result<Published, ManagementError> {
        let path = "/api/overview?columns=node,message_stats.publish_details.rate";
        let found: Option<OfNode> = self.ask(path).await?;
        Ok(found.map_or_else(Published::default, |found| Published {
            per_second: found.per_second(),
            node: found.node,
        }))
    }

    /// Messages a second that are published to each node of the cluster, by the channels that are open there, of which
    /// at most [`MAX_CHANNELS`] are looked at.
    ///
    /// # Errors
    /// See [`ManagementError`].
    pub async fn published_by_node(&self) -> Result<BTreeMap<String, f64>, ManagementError> {
        let mut nodes = BTreeMap::new();
        for page in 1..=MAX_CHANNELS / PAGE {
            let path = format!(
                "/api/channels?page={page}&page_size={PAGE}&columns=node,message_stats.publish_details.rate"
            );
            let Some(found) = self.ask::<Page<OfNode>>(&path).await? else { break };
            for channel in &found.items {
                *nodes.entry(channel.node.clone()).or_default() += channel.per_second().unwrap_or(0.0);
            }
            if page >= found.page_count {
                break;
            }
        }
        Ok(nodes)
    }

    /// One queue; `None` if it is not there.
    ///
    /// # Errors
    /// See [`ManagementError`].
    pub async fn queue(&self, name: &str) -> Result<Option<QueueFacts>, ManagementError> {
        self.ask(&self.path_of("queues", name, "")).await
    }

    /// One exchange; `None` if it is not there.
    ///
    /// # Errors
    /// See [`ManagementError`].
    pub async fn exchange(&self, name: &str) -> Result<Option<ExchangeFacts>, ManagementError> {
        self.ask(&self.path_of("exchanges", name, "")).await
    }

    /// What brings messages to a queue; empty if it is not there.
    ///
    /// # Errors
    /// See [`ManagementError`].
    pub async fn bindings_of_queue(&self, name: &str) -> Result<Vec<BindingFacts>, ManagementError> {
        Ok(self.ask(&self.path_of("queues", name, "/bindings")).await?.unwrap_or_default())
    }

    /// What brings messages to an exchange; empty if it is not there.
    ///
    /// # Errors
    /// See [`ManagementError`].
    pub async fn bindings_of_exchange(&self, name: &str) -> Result<Vec<BindingFacts>, ManagementError> {
        let path = self.path_of("exchanges", name, "/bindings/destination");
        Ok(self.ask(&path).await?.unwrap_or_default())
    }

    fn path_of(&self, kind: &str, name: &str, what: &str) -> String {
        format!("/api/{kind}/{}/{}{what}", http::encoded(&self.vhost), http::encoded(name))
    }

    async fn ask<T: DeserializeOwned>(&self, path: &str) -> Result<Option<T>, ManagementError> {
        let answer = http::get(&self.address, path).await?;
        let wrong = |reason: String| ManagementError::Answer {
            address: self.address(),
            request: path.split('?').next().unwrap_or(path).to_owned(),
            reason,
        };
        match answer.status {
            200 => serde_json::from_slice(&answer.body).map(Some).map_err(|error| wrong(error.to_string())),
            404 => Ok(None),
            401 | 403 => Err(ManagementError::Login { address: self.address() }),
            status => Err(wrong(format!("it answers {status}"))),
        }
    }
}
