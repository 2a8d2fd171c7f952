//! What stands on a broker for Orchard's endpoints, and what should.
//!
//! Looking declares nothing. The management API says all; without it passive declarations say only what exists.

use std::collections::BTreeSet;

use anyhow::Result;
use broker::management::{BindingFacts, ExchangeFacts, ManagementError, QueueFacts};
use broker::{BrokerError, BrokerUrl, Channel, Connection, ExchangeKind, ExchangeOptions, Management};
use broker::{QueueOptions, Table, Value};
use bus::wire::{Argument, BoundTo, Difference, MovedTo, Queue, QueueKind, Topology};
use serde_json::{Value as Json, json};
use tick_sdk::contracts::{EventKind, Kind, KnownCommand, KnownEvent, KnownRequest};

/// How a broker was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    /// By the management API at this address: all of it.
    Management(String),
    /// By passive declarations, which say what exists and nothing more; and why.
    Passive(String),
}

/// What a broker has, and how that is known.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) topology: Topology,
    pub(crate) seen: Seen,
}

/// What these endpoints need on a broker, of all that are known where none is named.
pub(crate) fn wanted(endpoints: &[String], queues: QueueKind) -> Topology {
    if !endpoints.is_empty() {
        let named: Vec<&str> = endpoints.iter().map(String::as_str).collect();
        return Topology::of(&named, queues);
    }
    let endpoints = known_endpoints();
    let mut topology = Topology::of(&endpoints, queues);
    for event in KnownEvent::all().into_iter().filter(|event| !endpoints.contains(&event.context)) {
        topology.publishes(event.name, EventKind::MARKER);
    }
    topology
}

/// The endpoints that the program's contracts name.
fn known_endpoints() -> Vec<&'static str> {
    let of_commands = KnownCommand::all().into_iter().map(|command| command.endpoint);
    let of_requests = KnownRequest::all().into_iter().map(|request| request.endpoint);
    of_commands.chain(of_requests).collect::<BTreeSet<_>>().into_iter().collect()
}

/// The queues of failed messages, which need not be there: they are declared with the first one.
fn moved(wanted: &Topology) -> Topology {
    let mut moved = Topology::default();
    for (name, queue) in &wanted.queues {
        for to in [MovedTo::Error, MovedTo::Skipped] {
            let mut one = Topology::default();
            one.moves(name, to, QueueKind::Classic);
            one.queues.values_mut().for_each(|moved| *moved = queue.clone());
            moved.add(one);
        }
    }
    moved
}

/// What differs; failed messages' queues only where they exist.
pub(crate) fn differences(wanted: &Topology, found: &Topology) -> Vec<Difference> {
    let mut differences = wanted.differences(found);
    let moved = moved(wanted).differences(found);
    differences.extend(moved.into_iter().filter(|difference| !difference.is_absent));
    differences
}

/// Looks at all that is wanted, and at nothing else.
pub(crate) async fn look(
    connection: &Connection,
    management: Option<&str>,
    wanted: &Topology,
) -> Result<Found> {
    let mut all = wanted.clone();
    all.add(moved(wanted));
    let url = connection.url();
    let (api, is_named) = match management {
        Some("none") => return passive(connection, &all, "it was not to be asked".to_owned()).await,
        Some(address) => (Management::at(address, url)?, true),
        None => (Management::beside(url), false),
    };
    match listed(&api, &all).await {
        Ok(definitions) => {
            let topology = Topology::of_definitions(&definitions.to_string())?;
            Ok(Found { topology, seen: Seen::Management(api.address()) })
        }
        Err(error) if is_named => Err(error.into()),
        Err(error) => passive(connection, &all, error.to_string()).await,
    }
}

/// In the form of a broker's definitions.
async fn listed(api: &Management, wanted: &Topology) -> Result<Json, ManagementError> {
    let (mut exchanges, mut queues, mut bindings) = (Vec::new(), Vec::new(), Vec::new());
    for name in wanted.exchanges.keys() {
        exchanges.extend(api.exchange(name).await?.map(exchange_row));
        bindings.extend(api.bindings_of_exchange(name).await?.into_iter().map(binding_row));
    }
    for name in wanted.queues.keys() {
        queues.extend(api.queue(name).await?.map(queue_row));
        bindings.extend(api.bindings_of_queue(name).await?.into_iter().map(binding_row));
    }
    Ok(json!({ "exchanges": exchanges, "queues": queues, "bindings": bindings }))
}

fn exchange_row(facts: ExchangeFacts) -> Json {
    let ExchangeFacts { name, kind, durable, auto_delete, arguments } = facts;
    json!({ "name": name, "type": kind, "durable": durable, "auto_delete": auto_delete, "arguments": arguments })
}

fn queue_row(facts: QueueFacts) -> Json {
    let QueueFacts { name, durable, auto_delete, exclusive, arguments, .. } = facts;
    json!({
        "name": name, "durable": durable, "auto_delete": auto_delete, "exclusive": exclusive,
        "arguments": arguments,
    })
}

fn binding_row(facts: BindingFacts) -> Json {
    let BindingFacts { source, destination, destination_type, routing_key } = facts;
    json!({
        "source": source, "destination": destination, "destination_type": destination_type,
        "routing_key": routing_key,
    })
}

/// What exists is taken to be as it is wanted.
async fn passive(connection: &Connection, wanted: &Topology, why: String) -> Result<Found> {
    let mut topology = Topology::default();
    for (name, exchange) in &wanted.exchanges {
        if has_exchange(connection, name).await? {
            topology.exchanges.insert(name.clone(), exchange.clone());
        }
    }
    for (name, queue) in &wanted.queues {
        if has_queue(connection, name).await? {
            topology.queues.insert(name.clone(), queue.clone());
        }
    }
    for binding in &wanted.bindings {
        let is_there = match binding.to {
            BoundTo::Exchange => topology.exchanges.contains_key(&binding.destination),
            BoundTo::Queue => topology.queues.contains_key(&binding.destination),
        };
        if is_there && topology.exchanges.contains_key(&binding.source) {
            topology.bindings.insert(binding.clone());
        }
    }
    Ok(Found { topology, seen: Seen::Passive(why) })
}

/// Declares and binds what is missing; what exists is neither declared again nor deleted. Gives what was declared.
pub(crate) async fn deploy(connection: &Connection, wanted: &Topology) -> Result<Vec<String>> {
    let mut declared = Vec::new();
    let channel = connection.open_channel().await?;
    for (name, queue) in &wanted.queues {
        if !has_queue(connection, name).await? {
            channel.declare_queue(name, &queue_options(queue)).await?;
            declared.push(format!("queue {name}"));
        }
    }
    for (name, exchange) in &wanted.exchanges {
        if !has_exchange(connection, name).await? {
            let options =
                ExchangeOptions { is_durable: exchange.is_durable, is_auto_delete: exchange.is_auto_delete };
            channel.declare_exchange(name, ExchangeKind::Fanout, options).await?;
            declared.push(format!("exchange {name}"));
        }
    }
    // A binding that is there stays the same.
    for binding in &wanted.bindings {
        let (to, from, key) = (&binding.destination, &binding.source, &binding.key);
        match binding.to {
            BoundTo::Queue => channel.bind_queue(to, from, key).await?,
            BoundTo::Exchange => channel.bind_exchange(to, from, key).await?,
        }
    }
    channel.close().await?;
    Ok(declared)
}

async fn has_exchange(connection: &Connection, name: &str) -> Result<bool> {
    let channel = connection.open_channel().await?;
    is_there(&channel, channel.inspect_exchange(name).await).await
}

async fn has_queue(connection: &Connection, name: &str) -> Result<bool> {
    let channel = connection.open_channel().await?;
    is_there(&channel, channel.inspect_queue(name).await.map(drop)).await
}

async fn is_there(channel: &Channel, inspected: Result<(), BrokerError>) -> Result<bool> {
    match inspected {
        Ok(()) => {
            channel.close().await?;
            Ok(true)
        }
        // Whoever may not look at it can be sure that it is there.
        Err(BrokerError::Locked { .. } | BrokerError::Refused { .. }) => Ok(true),
        Err(BrokerError::NotFound { .. }) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

fn queue_options(queue: &Queue) -> QueueOptions {
    let Queue { is_durable, is_auto_delete, is_exclusive, arguments } = queue;
    let value = |argument: &Argument| match argument {
        Argument::Text(text) | Argument::Other(text) => Value::Text(text.clone()),
        Argument::Number(number) => i32::try_from(*number).map_or(Value::Integer(*number), Value::I32),
        Argument::Boolean(is_so) => Value::Boolean(*is_so),
    };
    let arguments =
        arguments.iter().fold(Table::default(), |table, (name, argument)| table.with(name, value(argument)));
    QueueOptions {
        is_durable: *is_durable,
        is_auto_delete: *is_auto_delete,
        is_exclusive: *is_exclusive,
        arguments,
    }
}

/// Connects.
pub(crate) async fn connect(url: &BrokerUrl) -> Result<Connection> {
    Ok(Connection::open(url, "orchard topology").await?)
}
