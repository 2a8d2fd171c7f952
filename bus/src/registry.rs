//! Handlers and consumers, found where they are written.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use serde::de::DeserializeOwned;
use thiserror::Error;
use tick_sdk::contracts::{Command, Contract, Event, KnownCommand};

use crate::handler::{BatchHandler, Consumer, Handled, Handler, HandlerError, Message};
use crate::lane::Intake;
use crate::retry::Retry;
use crate::store::{DueCommand, StoredEvent};
use crate::work::{Cause, Work};

/// So many commands from a broker may wait for a handler at least, and at most.
const LEAST_WAITING: usize = 16;
const MOST_WAITING: usize = 1_000;

/// What an attempt comes to.
pub(crate) type Attempt<'a, T> = Pin<Box<dyn Future<Output = Result<T, HandlerError>> + 'a>>;

/// How a lane treats its messages.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Policy {
    pub(crate) retry: Retry,
    pub(crate) timeout: Duration,
    pub(crate) batch: usize,
    /// So many transactions at once.
    pub(crate) at_once: usize,
}

/// A handler of any command.
pub(crate) trait AnyHandler: Send + Sync {
    fn policy(&self) -> Policy;
    fn handle_all<'a>(&'a self, due: &'a [DueCommand], work: &'a mut Work<'_>) -> Attempt<'a, Vec<Handled>>;
}

/// A consumer of any event.
pub(crate) trait AnyConsumer: Send {
    fn policy(&self) -> Policy;
    fn consume_all<'a>(
        &'a self,
        events: &'a [StoredEvent],
        attempt: u32,
        work: &'a mut Work<'_>,
    ) -> Attempt<'a, ()>;
}

/// A command's handler as it was registered.
pub struct HandlerEntry {
    command: &'static str,
    endpoint: &'static str,
    origin: &'static str,
    make: fn() -> Arc<dyn AnyHandler>,
}

/// An event's consumer as it was registered.
pub struct ConsumerEntry {
    event: &'static str,
    from: &'static str,
    context: &'static str,
    origin: &'static str,
    make: fn(&'static str) -> Box<dyn AnyConsumer>,
}

tick_sdk::inventory::collect!(HandlerEntry);
tick_sdk::inventory::collect!(ConsumerEntry);

impl HandlerEntry {
    /// For [`handler!`](crate::handler).
    #[doc(hidden)]
    pub const fn of<H: Handler + Send + Sync>(origin: &'static str) -> Self {
        Self {
            command: H::Command::NAME,
            endpoint: H::Command::ENDPOINT,
            origin,
            make: || Arc::new(One(H::default())),
        }
    }

    /// For [`batch_handler!`](crate::batch_handler).
    #[doc(hidden)]
    pub const fn of_batch<H: BatchHandler + Send + Sync>(origin: &'static str) -> Self {
        Self {
            command: H::Command::NAME,
            endpoint: H::Command::ENDPOINT,
            origin,
            make: || Arc::new(Many(H::default())),
        }
    }
}

impl ConsumerEntry {
    /// For [`consumer!`](crate::consumer).
    #[doc(hidden)]
    pub const fn of<C: Consumer + Send + Sync>(context: &'static str, origin: &'static str) -> Self {
        Self {
            event: C::Event::NAME,
            from: C::Event::CONTEXT,
            context,
            origin,
            make: |origin| Box::new(Taker { consumer: C::default(), origin }),
        }
    }
}

/// Registers a [`Handler`]: `bus::handler!(OnCreateUser);`.
#[macro_export]
macro_rules! handler {
    ($Handler:ty) => {
        $crate::inventory::submit! {
            $crate::HandlerEntry::of::<$Handler>(::core::concat!(
                ::core::module_path!(), "::", ::core::stringify!($Handler)
            ))
        }
    };
}

/// Registers a [`BatchHandler`]: `bus::batch_handler!(OnMeasurements);`.
#[macro_export]
macro_rules! batch_handler {
    ($Handler:ty) => {
        $crate::inventory::submit! {
            $crate::HandlerEntry::of_batch::<$Handler>(::core::concat!(
                ::core::module_path!(), "::", ::core::stringify!($Handler)
            ))
        }
    };
}

/// Registers a [`Consumer`], with the context whose store it writes to: `bus::consumer!(OnUserCreated, in "crm");`.
#[macro_export]
macro_rules! consumer {
    ($Consumer:ty, in $context:expr) => {
        $crate::inventory::submit! {
            $crate::ConsumerEntry::of::<$Consumer>($context, ::core::concat!(
                ::core::module_path!(), "::", ::core::stringify!($Consumer)
            ))
        }
    };
}

/// Why a bus does not start.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum RegistryError {
    /// A command would be carried out twice.
    #[error("two handlers carry out {command}: {first} and {second}; remove one of them")]
    TwoHandlers {
        /// The contract.
        command: &'static str,
        /// Where one was registered.
        first: &'static str,
        /// Where the other was.
        second: &'static str,
    },
    /// A command of an endpoint that this process serves would wait for ever.
    #[error(
        "nothing carries out {command} of endpoint {endpoint}, which this process serves: register a handler"
    )]
    NoHandler {
        /// The contract.
        command: &'static str,
        /// The endpoint.
        endpoint: &'static str,
    },
    /// Two consumers would share one cursor.
    #[error("the consumer {origin} is registered twice")]
    TwoConsumers {
        /// Where.
        origin: &'static str,
    },
}

/// A handler with what its lane is called.
pub(crate) struct NamedHandler {
    pub(crate) command: &'static str,
    pub(crate) handler: Arc<dyn AnyHandler>,
}

impl NamedHandler {
    /// Room for what its lanes are at next: the rest waits at the broker.
    pub(crate) fn intake(&self) -> Intake {
        let Policy { batch, at_once, .. } = self.handler.policy();
        Intake::new(batch.saturating_mul(at_once).saturating_mul(2).clamp(LEAST_WAITING, MOST_WAITING))
    }
}

/// A consumer with what its lane is called.
pub(crate) struct NamedConsumer {
    /// The consumer's own name, under which its cursor stands.
    pub(crate) name: &'static str,
    pub(crate) event: &'static str,
    /// The context whose log it reads.
    pub(crate) from: &'static str,
    pub(crate) consumer: Box<dyn AnyConsumer>,
}

/// The handlers of an endpoint: each of its commands that the program knows has exactly one.
pub(crate) fn handlers_of(endpoint: &str) -> Result<Vec<NamedHandler>, RegistryError> {
    let all = tick_sdk::inventory::iter::<HandlerEntry>.into_iter();
    let mut entries: Vec<_> = all.filter(|entry| entry.endpoint == endpoint).collect();
    entries.sort_by_key(|entry| (entry.command, entry.origin));
    for pair in entries.windows(2) {
        if pair[0].command == pair[1].command {
            let (command, first, second) = (pair[0].command, pair[0].origin, pair[1].origin);
            return Err(RegistryError::TwoHandlers { command, first, second });
        }
    }
    for known in KnownCommand::of_endpoint(endpoint) {
        if !entries.iter().any(|entry| entry.command == known.name) {
            return Err(RegistryError::NoHandler { command: known.name, endpoint: known.endpoint });
        }
    }
    let made = entries.iter().map(|entry| NamedHandler { command: entry.command, handler: (entry.make)() });
    Ok(made.collect())
}

/// Where the handler of an endpoint's command was registered.
pub(crate) fn origin_of(command: &str, endpoint: &str) -> Option<&'static str> {
    let mut all = tick_sdk::inventory::iter::<HandlerEntry>.into_iter();
    all.find(|entry| entry.command == command && entry.endpoint == endpoint).map(|entry| entry.origin)
}

/// The consumers that write to a context's store.
pub(crate) fn consumers_of(context: &str) -> Result<Vec<NamedConsumer>, RegistryError> {
    let all = tick_sdk::inventory::iter::<ConsumerEntry>.into_iter();
    let mut entries: Vec<_> = all.filter(|entry| entry.context == context).collect();
    entries.sort_by_key(|entry| entry.origin);
    for pair in entries.windows(2) {
        if pair[0].origin == pair[1].origin {
            return Err(RegistryError::TwoConsumers { origin: pair[0].origin });
        }
    }
    let made = entries.iter().map(|entry| NamedConsumer {
        name: entry.origin,
        event: entry.event,
        from: entry.from,
        consumer: (entry.make)(entry.origin),
    });
    Ok(made.collect())
}

fn read<M: Contract + DeserializeOwned>(body: &str) -> Result<M, HandlerError> {
    serde_json::from_str(body)
        .map_err(|error| HandlerError::refused(format!("{} cannot be read: {error}", M::NAME)))
}

fn command<C: Command>(due: &DueCommand) -> Result<Message<C>, HandlerError> {
    Ok(Message {
        body: read(&due.command.body)?,
        command_id: due.command.command_id,
        conversation_id: due.command.conversation_id,
        initiator_id: due.command.initiator_id,
        message_id: Default::default(),
        position: 0,
        caller: due.command.caller.clone(),
        attempt: due.attempts + 1,
        at_ms: due.accepted_ms,
    })
}

struct One<H>(H);

impl<H: Handler + Send + Sync> AnyHandler for One<H> {
    fn policy(&self) -> Policy {
        Policy { retry: H::RETRY, timeout: H::TIMEOUT, batch: H::BATCH.max(1), at_once: H::AT_ONCE.max(1) }
    }

    fn handle_all<'a>(&'a self, due: &'a [DueCommand], work: &'a mut Work<'_>) -> Attempt<'a, Vec<Handled>> {
        Box::pin(async move {
            let mut handled = Vec::with_capacity(due.len());
            for due in due {
                let message = command(due)?;
                work.caused_by(&message);
                handled.push(self.0.handle(&message, work).await?);
            }
            Ok(handled)
        })
    }
}

struct Many<H>(H);

impl<H: BatchHandler + Send + Sync> AnyHandler for Many<H> {
    fn policy(&self) -> Policy {
        Policy { retry: H::RETRY, timeout: H::TIMEOUT, batch: H::BATCH.max(1), at_once: H::AT_ONCE.max(1) }
    }

    fn handle_all<'a>(&'a self, due: &'a [DueCommand], work: &'a mut Work<'_>) -> Attempt<'a, Vec<Handled>> {
        Box::pin(async move {
            let messages = due.iter().map(command).collect::<Result<Vec<_>, _>>()?;
            if let [only] = messages.as_slice() {
                work.caused_by(only);
            }
            let handled = self.0.handle_all(&messages, work).await?;
            if handled.len() == messages.len() {
                return Ok(handled);
            }
            let (given, taken) = (handled.len(), messages.len());
            Err(HandlerError::refused(format!("the handler gave {given} outcomes for {taken} messages")))
        })
    }
}

struct Taker<C> {
    consumer: C,
    origin: &'static str,
}

impl<C: Consumer + Send> AnyConsumer for Taker<C> {
    fn policy(&self) -> Policy {
        Policy { retry: C::RETRY, timeout: C::TIMEOUT, batch: C::BATCH.max(1), at_once: 1 }
    }

    fn consume_all<'a>(
        &'a self,
        events: &'a [StoredEvent],
        attempt: u32,
        work: &'a mut Work<'_>,
    ) -> Attempt<'a, ()> {
        Box::pin(async move {
            for event in events {
                let message = Message {
                    body: read(&event.body)?,
                    command_id: event.command_id.unwrap_or_default(),
                    conversation_id: event.conversation_id.unwrap_or_default(),
                    initiator_id: event.initiator_id,
                    message_id: event.message_id,
                    position: event.position,
                    caller: String::new(),
                    attempt,
                    at_ms: event.at_ms,
                };
                // What it sends has ids of its own: two consumers of one event may send the same command, and
                // one consumer two of them for two events of one command.
                work.set_cause(Cause {
                    sender: Some(self.origin),
                    source: event.message_id.0,
                    command_id: event.command_id,
                    conversation_id: event.conversation_id,
                    initiator_id: event.initiator_id,
                });
                self.consumer.consume(&message, work).await?;
            }
            Ok(())
        })
    }
}
