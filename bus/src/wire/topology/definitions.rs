//! What a broker has, as its management API lists it.

use serde::Deserialize;
use serde_json::Value;
use thiserror::Error;

use super::{Argument, Arguments, Binding, BoundTo, Exchange, Queue, Topology};

/// A text that is no list of what a broker has.
#[derive(Debug, Error)]
#[error(
    "this is no list of exchanges, queues and bindings: {source}; give what RabbitMQ's management API lists"
)]
pub struct InvalidDefinitions {
    source: serde_json::Error,
}

#[derive(Deserialize)]
struct Definitions {
    exchanges: Vec<ExchangeRow>,
    queues: Vec<QueueRow>,
    bindings: Vec<BindingRow>,
}

#[derive(Deserialize)]
struct ExchangeRow {
    name: String,
    #[serde(rename = "type")]
    kind: String,
    durable: bool,
    auto_delete: bool,
    #[serde(default)]
    arguments: serde_json::Map<String, Value>,
}

#[derive(Deserialize)]
struct QueueRow {
    name: String,
    durable: bool,
    auto_delete: bool,
    #[serde(default)]
    exclusive: bool,
    #[serde(default)]
    arguments: serde_json::Map<String, Value>,
}

#[derive(Deserialize)]
struct BindingRow {
    source: String,
    destination: String,
    destination_type: String,
    routing_key: String,
}

impl Topology {
    /// What a broker has: an object with the lists `exchanges`, `queues` and `bindings`, each as RabbitMQ's management
    /// API lists it (`/api/exchanges/VHOST`, …; `/api/definitions/VHOST` has all of them). The broker's own exchanges
    /// are left out.
    ///
    /// # Errors
    /// It is something else.
    pub fn of_definitions(json: &str) -> Result<Self, InvalidDefinitions> {
        let definitions: Definitions =
            serde_json::from_str(json).map_err(|source| InvalidDefinitions { source })?;
        let mut topology = Self::default();
        for row in definitions.exchanges {
            if row.name.is_empty() || row.name.starts_with("amq.") {
                continue;
            }
            let exchange = Exchange {
                kind: row.kind,
                is_durable: row.durable,
                is_auto_delete: row.auto_delete,
                arguments: arguments(row.arguments),
            };
            topology.exchanges.insert(row.name, exchange);
        }
        for row in definitions.queues {
            let queue = Queue {
                is_durable: row.durable,
                is_auto_delete: row.auto_delete,
                is_exclusive: row.exclusive,
                arguments: arguments(row.arguments),
            };
            topology.queues.insert(row.name, queue);
        }
        // Every queue is bound to the exchange without a name.
        for row in definitions.bindings.into_iter().filter(|row| !row.source.is_empty()) {
            let to = if row.destination_type == "queue" { BoundTo::Queue } else { BoundTo::Exchange };
            let (source, destination, key) = (row.source, row.destination, row.routing_key);
            topology.bindings.insert(Binding { source, destination, to, key });
        }
        Ok(topology)
    }
}

/// RabbitMQ 4 lists the type of a classic queue, too, which nobody has to name.
fn arguments(listed: serde_json::Map<String, Value>) -> Arguments {
    let listed = listed.into_iter().filter(|(name, value)| name != "x-queue-type" || value != "classic");
    let argument = |value: Value| match value {
        Value::String(text) => Argument::Text(text),
        Value::Bool(is_so) => Argument::Boolean(is_so),
        Value::Number(number) if number.is_i64() => Argument::Number(number.as_i64().unwrap_or_default()),
        other => Argument::Other(other.to_string()),
    };
    listed.map(|(name, value)| (name, argument(value))).collect()
}
