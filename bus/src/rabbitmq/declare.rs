//! Declares what is missing, and uses what is there as it is.

use std::collections::HashSet;
use std::sync::Arc;

use broker::{BrokerError, Channel, Connection, ExchangeKind, ExchangeOptions, QueueOptions};

use super::convert;
use crate::wire::{BoundTo, Exchange, Queue, QueueKind, Table, Target, Topology, Value};

/// Declares over one connection at a time, and remembers what it has declared there: a broker that was restarted
/// may have lost it.
#[derive(Debug, Default)]
pub(super) struct Declarer {
    connection: Option<Arc<Connection>>,
    /// A channel for this alone, as a broker closes one by which it is asked for what is not there.
    channel: Option<Channel>,
    targets: HashSet<Target>,
    exchanges: HashSet<String>,
    /// What differs from what is wanted, as it was named in the log.
    named: HashSet<String>,
}

/// What a broker says of one thing.
enum Found {
    Absent,
    There,
}

impl Declarer {
    /// Declares what must be there before something goes to this target, unless that was done.
    pub(super) async fn declare_for(
        &mut self,
        connection: &Arc<Connection>,
        target: &Target,
        queue: QueueKind,
    ) -> Result<(), BrokerError> {
        self.begin(connection);
        if self.targets.contains(target) {
            return Ok(());
        }
        let topology = target.topology(queue);
        if topology.is_empty() {
            return Ok(());
        }
        self.declare(connection, &topology).await?;
        self.targets.insert(target.clone());
        Ok(())
    }

    /// What was declared for a target may be gone: it is declared again before the next message goes there. Whether
    /// anything was.
    pub(super) fn forget(&mut self, target: &Target) -> bool {
        self.exchanges.remove(&target.exchange());
        self.targets.remove(target)
    }

    /// Whether an exchange is there. One that was is not asked for again.
    pub(super) async fn has_exchange(
        &mut self,
        connection: &Arc<Connection>,
        name: &str,
    ) -> Result<bool, BrokerError> {
        self.begin(connection);
        if self.exchanges.contains(name) {
            return Ok(true);
        }
        match found(self.channel().await?.inspect_exchange(name).await)? {
            Found::Absent => Ok(false),
            Found::There => {
                self.exchanges.insert(name.to_owned());
                Ok(true)
            }
        }
    }

    /// Declares all that is missing. What is there and is another is used as it is, and named once in the log.
    pub(super) async fn declare(
        &mut self,
        connection: &Arc<Connection>,
        topology: &Topology,
    ) -> Result<(), BrokerError> {
        self.begin(connection);
        for (name, queue) in &topology.queues {
            let inspected = self.channel().await?.inspect_queue(name).await.map(drop);
            let is_absent = matches!(found(inspected)?, Found::Absent);
            let declared = self.channel().await?.declare_queue(name, &queue_options(queue)).await.map(drop);
            self.note_declared(is_absent, declared)?;
        }
        for (name, exchange) in &topology.exchanges {
            let is_absent = !self.has_exchange(connection, name).await?;
            let (kind, options) = exchange_options(exchange);
            let declared = self.channel().await?.declare_exchange(name, kind, options).await;
            self.note_declared(is_absent, declared)?;
        }
        // Queues first: what goes to an exchange from which only another exchange gets it would miss its queue.
        let of_kind = |to: BoundTo| topology.bindings.iter().filter(move |binding| binding.to == to);
        for binding in of_kind(BoundTo::Queue).chain(of_kind(BoundTo::Exchange)) {
            let channel = self.channel().await?;
            let (to, from, key) = (&binding.destination, &binding.source, &binding.key);
            let bound = match binding.to {
                BoundTo::Queue => channel.bind_queue(to, from, key).await,
                BoundTo::Exchange => channel.bind_exchange(to, from, key).await,
            };
            self.note_declared(false, bound)?;
        }
        Ok(())
    }

    /// A declaration of what is there only asks whether it is the same: that it is not, or that this login may not
    /// ask, keeps nobody from using it.
    fn note_declared(
        &mut self,
        was_absent: bool,
        declared: Result<(), BrokerError>,
    ) -> Result<(), BrokerError> {
        let reason = match declared {
            Ok(()) => return Ok(()),
            Err(BrokerError::Arguments { reason, .. }) => reason,
            Err(BrokerError::Refused { reason, .. }) if !was_absent => reason,
            Err(error) => return Err(error),
        };
        if self.named.insert(reason.clone()) {
            tracing::warn!("topology: {reason}; it is used as it is, and `orchard topology check` says more");
        }
        Ok(())
    }

    /// Another connection may lead to a broker that has nothing.
    fn begin(&mut self, connection: &Arc<Connection>) {
        let is_known = self.connection.as_ref().is_some_and(|known| Arc::ptr_eq(known, connection));
        if !is_known {
            self.connection = Some(connection.clone());
            self.channel = None;
            self.targets.clear();
            self.exchanges.clear();
        }
    }

    async fn channel(&mut self) -> Result<Channel, BrokerError> {
        if let Some(channel) = self.channel.as_ref().filter(|channel| channel.is_open()) {
            return Ok(channel.clone());
        }
        let Some(connection) = &self.connection else {
            let reason = "there is no connection to declare by".to_owned();
            return Err(BrokerError::Lost { url: String::new(), reason });
        };
        let channel = connection.open_channel().await?;
        self.channel = Some(channel.clone());
        Ok(channel)
    }
}

/// Something that another has locked is there; so is what this login may not look at, as far as is known.
fn found(inspected: Result<(), BrokerError>) -> Result<Found, BrokerError> {
    match inspected {
        Ok(()) | Err(BrokerError::Locked { .. } | BrokerError::Refused { .. }) => Ok(Found::There),
        Err(BrokerError::NotFound { .. }) => Ok(Found::Absent),
        Err(error) => Err(error),
    }
}

fn queue_options(queue: &Queue) -> QueueOptions {
    let Queue { is_durable, is_auto_delete, is_exclusive, arguments } = queue;
    let named = arguments.iter().map(|(name, argument)| (name.clone(), Value::from(argument)));
    let arguments = convert::table(&named.collect::<Table>());
    QueueOptions {
        is_durable: *is_durable,
        is_auto_delete: *is_auto_delete,
        is_exclusive: *is_exclusive,
        arguments,
    }
}

/// Every exchange that a bus wants is a fanout.
fn exchange_options(exchange: &Exchange) -> (ExchangeKind, ExchangeOptions) {
    let options =
        ExchangeOptions { is_durable: exchange.is_durable, is_auto_delete: exchange.is_auto_delete };
    (ExchangeKind::Fanout, options)
}
