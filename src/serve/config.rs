//! `orchard.toml`: what a process of a server does, and with whom it shares the work.
//!
//! ```toml
//! # All that there is to do; any split over processes.
//! roles = ["gateway", "projections", "services", "ingester", "hosts"]
//! state = "state"                                    # this process's own folder
//! captures = "captures"
//! database = "postgres://orchard:secret@db/orchard"  # the contexts' stores and the hosts' ledger
//! documents = "own"                                  # or "shared": in the database, for all gateways
//!
//! [broker]
//! urls = ["amqp://orchard:secret@node1/%2f"]         # commands and events go by one, feeds by all of them
//! queues = "classic"                                 # or "quorum"
//!
//! [gateway]
//! listen = ["127.0.0.1:8090"]
//! ```
//!
//! Each key can be given by the environment, too, which wins: `ORCHARD_SERVE__GATEWAY__LISTEN=0.0.0.0:8090`.

use std::fmt;
use std::marker::PhantomData;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::de::{self, IntoDeserializer, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use thiserror::Error;
use toml::de::DeTable;
use toml::{Table, Value};

mod plan;

pub use plan::InvalidConfig;

/// Variables with this prefix are keys of the configuration, `__` between a section and its key.
pub const PREFIX: &str = "ORCHARD_SERVE__";

/// What a process of a server does.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Answers over HTTP.
    Gateway,
    /// Makes the documents that gateways share.
    Projections,
    /// Carries out commands, and publishes events.
    Services,
    /// Plays replays.
    Ingester,
    /// Runs what is deployed to feeds, and the lanes of replays that are played through one.
    Hosts,
}

/// The file, with what the environment says instead.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct ServeConfig {
    /// What this process does; everything that its other settings allow, unless set.
    #[serde(deserialize_with = "one_or_many")]
    pub roles: Vec<Role>,
    /// The folder of state.
    pub state: Option<PathBuf>,
    /// The folder whose files can be replayed.
    pub captures: Option<PathBuf>,
    /// PostgreSQL, as `postgres://` URL: without it the stores are files in the folder of state.
    pub database: Option<Secret>,
    /// Where the documents are that gateways read; `shared` for a process that is given the role `projections` and a
    /// database, `own` for any other, unless set.
    pub documents: Option<DocumentsConfig>,
    /// The broker.
    pub broker: BrokerConfig,
    /// The role `gateway`.
    pub gateway: GatewayConfig,
    /// The role `services`.
    pub services: ServicesConfig,
    /// The role `ingester`.
    pub ingester: IngesterConfig,
    /// The role `hosts`.
    pub hosts: HostsConfig,
}

/// Where documents are.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum DocumentsConfig {
    /// Each gateway makes documents of its own, in its folder of state.
    Own,
    /// In the database: processes with the role `projections` make them, one at a time, and all gateways read them.
    Shared,
}

/// Settings of the broker.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct BrokerConfig {
    /// Its nodes, as `amqp://` URLs, in the order that all processes of a feed have. Commands and events go by the first
    /// that is there: when a process loses its node, it goes on by the next.
    #[serde(deserialize_with = "one_or_many")]
    pub urls: Vec<Secret>,
    /// The management API of the first, as `http://` URL, which knows all queues of messages that failed; port 15672
    /// beside it unless set.
    pub management: Option<String>,
    /// What the endpoints' queues are.
    pub queues: Queues,
    /// Deliveries of each endpoint that are on their way at most.
    pub prefetch: Option<u16>,
    /// Messages a second of all processes together; 0 for any number.
    pub messages_per_s: Option<u32>,
    /// How many processes share them.
    pub processes: Option<u32>,
    /// Whether endpoints also read raw JSON.
    pub raw_json: bool,
    /// Endpoints of other services whose commands a gateway follows.
    #[serde(deserialize_with = "one_or_many")]
    pub follow: Vec<String>,
}

/// What the endpoints' queues are.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Queues {
    /// What .NET senders to `queue:NAME` declare.
    #[default]
    Classic,
    /// Replicated; senders use `exchange:NAME`.
    Quorum,
}

/// Settings of the role `gateway`.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct GatewayConfig {
    /// Where requests are accepted; 127.0.0.1:8090 unless set.
    #[serde(deserialize_with = "one_or_many")]
    pub listen: Vec<SocketAddr>,
    /// Names that the server has beside its addresses.
    #[serde(deserialize_with = "one_or_many")]
    pub names: Vec<String>,
    /// Whether requests of this machine need the key, too.
    pub key_required: bool,
    /// Requests a second of this machine's programs without the key, taken together; 20,000 unless set, 0 for any
    /// number. Of each of these limits, two seconds' requests may come at once.
    pub local_requests_per_s: Option<u32>,
    /// Requests a second with the key; 2,000 unless set, 0 for any number.
    pub key_requests_per_s: Option<u32>,
    /// Requests a second of each address beyond this machine; 2,000 unless set, 0 for any number.
    pub address_requests_per_s: Option<u32>,
}

/// Settings of the role `services`.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct ServicesConfig {
    /// How many days ended commands are remembered.
    pub keep_commands_days: Option<u32>,
    /// How many ended commands of each context are remembered at most.
    pub most_commands: Option<u64>,
}

/// Settings of the role `ingester`.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct IngesterConfig {
    /// How many replays are played at once; 1 unless set.
    pub replays: Option<u16>,
    /// A replay whose process is silent for so many seconds is taken over by another; 30 unless set, 3 at least.
    pub lease_s: Option<u16>,
    /// Into how many shards a replay's feed is cut, where hosts of other processes run its strategies; without it
    /// replays are played in this process.
    pub feed_shards: Option<u16>,
}

/// Settings of the role `hosts`.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct HostsConfig {
    /// The feeds whose deployments are run here.
    #[serde(deserialize_with = "one_or_many")]
    pub feeds: Vec<String>,
    /// How many lanes at most.
    pub most_lanes: Option<usize>,
}

/// A URL with a password, which no message shows.
#[derive(Clone, Deserialize, PartialEq, Eq)]
#[serde(transparent)]
pub struct Secret(pub String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(hidden)")
    }
}

/// Why a configuration is of no use.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{}: {source}", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// The system's words.
        source: std::io::Error,
    },
    /// The file is not TOML, or says what is not known.
    #[error("{}: {reason}", file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// Which line, which key, and why.
        reason: String,
    },
    /// A variable of the environment says what is not known.
    #[error("the environment's {variable}: {reason}")]
    Variable {
        /// The variable.
        variable: String,
        /// Why.
        reason: String,
    },
}

impl ServeConfig {
    /// Reads the file, if there is one, and what the environment says instead.
    ///
    /// # Errors
    /// Either says what is not known.
    pub fn read(
        file: Option<&Path>,
        variables: impl Iterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        let mut table = match file {
            None => Table::new(),
            Some(file) => {
                let named = |reason: String| ConfigError::File { file: file.to_owned(), reason };
                let text = std::fs::read_to_string(file)
                    .map_err(|source| ConfigError::Read { file: file.to_owned(), source })?;
                // For its line: what is merged with the environment has none.
                let read = toml::from_str::<Self>(&text).map_err(|error| named(error.to_string()))?;
                read.check_names().map_err(|error| named(at_line(&text, &error)))?;
                text.parse().map_err(|error: toml::de::Error| named(error.to_string()))?
            }
        };
        let mut variables: Vec<_> = variables.filter(|(name, _)| name.starts_with(PREFIX)).collect();
        variables.sort();
        for (variable, text) in variables {
            let reasoned = |reason: String| ConfigError::Variable { variable: variable.clone(), reason };
            let path: Vec<String> = variable[PREFIX.len()..].split("__").map(str::to_lowercase).collect();
            set(&mut table, &path, value_of(&text)).map_err(reasoned)?;
            let so_far = Value::Table(table.clone()).try_into::<Self>();
            let so_far = so_far.map_err(|error| reasoned(error.to_string()))?;
            so_far.check_names().map_err(|error| reasoned(error.to_string()))?;
        }
        // It was read above, or is empty.
        Ok(Value::Table(table).try_into().unwrap_or_default())
    }

    /// Whether this process has a role.
    pub fn has(&self, role: Role) -> bool {
        self.roles.contains(&role)
    }
}

/// What is wrong with a key of the file, and in which line that stands; not the line itself, which may have a password.
fn at_line(text: &str, error: &InvalidConfig) -> String {
    let mut keys = error.key().split('.');
    let table = DeTable::parse(text).ok();
    let place = table.as_ref().and_then(|table| {
        let first = table.get_ref().get(keys.next()?)?;
        keys.try_fold(first, |value, key| value.get_ref().as_table()?.get(key))
    });
    let line = place.map(|place| text[..place.span().start].matches('\n').count() + 1);
    line.map_or_else(|| error.to_string(), |line| format!("line {line}: {error}"))
}

fn set(table: &mut Table, path: &[String], value: Value) -> Result<(), String> {
    match path {
        [] => Ok(()),
        [key] => {
            table.insert(key.clone(), value);
            Ok(())
        }
        [section, rest @ ..] => {
            let entry = table.entry(section.clone()).or_insert_with(|| Value::Table(Table::new()));
            let section = entry.as_table_mut().ok_or_else(|| format!("'{section}' is no section"))?;
            set(section, rest, value)
        }
    }
}

/// A variable's text as TOML has it where that is a number, a list or true, and as text otherwise.
fn value_of(text: &str) -> Value {
    let parsed = format!("value = {text}").parse::<Table>().ok();
    let plain = parsed.and_then(|mut table| table.remove("value"));
    let plain =
        plain.filter(|value| !matches!(value, Value::Datetime(_) | Value::Table(_) | Value::Float(_)));
    plain.unwrap_or_else(|| Value::String(text.to_owned()))
}

/// A list; one text alone is a list of one.
fn one_or_many<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Vec<T>, D::Error> {
    from.deserialize_any(OneOrMany(PhantomData))
}

/// Says of each element what is wrong with it, where an enum of both would say that it is neither.
struct OneOrMany<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for OneOrMany<T> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text, or a list of texts")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Vec<T>, E> {
        T::deserialize(text.into_deserializer()).map(|one| vec![one])
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<T>, A::Error> {
        let mut many = Vec::new();
        while let Some(one) = list.next_element()? {
            many.push(one);
        }
        Ok(many)
    }
}

#[cfg(test)]
mod tests;
