//! Who carries out commands and takes events.

use std::any::Any;
use std::fmt;
use std::future::Future;
use std::time::Duration;

use serde_json::Value;
use tick_sdk::contracts::{Command, CommandId, ConversationId, Event, MessageId};

use crate::retry::Retry;
use crate::work::Work;

/// A message as its handler gets it.
#[derive(Clone, Debug)]
pub struct Message<M> {
    /// The contract.
    pub body: M,
    /// A command's own id; an event's is that of the command that caused it.
    pub command_id: CommandId,
    /// The tree of causes it belongs to.
    pub conversation_id: ConversationId,
    /// The command that caused a command.
    pub initiator_id: Option<CommandId>,
    /// The message's own id; an event's, and zero for a command.
    pub message_id: MessageId,
    /// An event's place in its context's log, which orders it among the others there; 0 for a command. Consumers
    /// of two contracts, and an event that is taken again after a failure, may come in another order.
    pub position: u64,
    /// Who asked for a command; empty for an event.
    pub caller: String,
    /// This attempt, from 1.
    pub attempt: u32,
    /// When the command was accepted or the event written, in ms since the UNIX epoch.
    pub at_ms: u64,
}

/// How a handler leaves a command that it has not refused.
#[derive(Clone, Debug, PartialEq)]
pub enum Handled {
    /// It is done; the value is the command's result, an object or null.
    Done(Value),
    /// The rest goes on elsewhere; [`crate::Bus::transaction`] ends the command.
    Processing,
}

impl Handled {
    /// Done, with nothing to say about it.
    pub const DONE: Self = Self::Done(Value::Null);
}

/// Why a message was not handled.
#[derive(Debug)]
pub struct HandlerError {
    reason: String,
    is_refusal: bool,
}

impl HandlerError {
    /// The message cannot be carried out as it is, now or later: it is not tried again.
    pub fn refused(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), is_refusal: true }
    }

    /// It did not work this time: it is tried again as the handler's [`Retry`] says.
    pub fn failed(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), is_refusal: false }
    }

    /// Whether another attempt is of no use.
    pub const fn is_refusal(&self) -> bool {
        self.is_refusal
    }

    /// Why.
    pub fn reason(&self) -> &str {
        &self.reason
    }
}

impl fmt::Display for HandlerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

/// Any error is a failure that may pass, with its causes as the reason.
impl<E: std::error::Error> From<E> for HandlerError {
    fn from(error: E) -> Self {
        let mut reason = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            let text = error.to_string();
            if !reason.contains(&text) {
                reason = format!("{reason}: {text}");
            }
            cause = error.source();
        }
        Self::failed(reason)
    }
}

/// Carries out the commands of one contract. Registered where it is written by [`handler!`](crate::handler).
///
/// Writes through [`Work`], events and messages that it raises, and the command's end are one commit: a handler
/// that fails has done nothing. It must not block for long and does nothing outside of `work` that cannot be done
/// twice.
pub trait Handler: Default + 'static {
    /// The contract.
    type Command: Command;
    /// What follows a failure.
    const RETRY: Retry = Retry::DEFAULT;
    /// An attempt that takes longer has failed.
    const TIMEOUT: Duration = Duration::from_secs(30);
    /// So many messages may share one transaction; when one of them fails they are handled one by one.
    const BATCH: usize = 100;
    /// So many transactions run at once where commands come over RabbitMQ, each on a thread and a connection of its
    /// own. It pays with PostgreSQL, for handlers that wait or that have a transaction for each command; of two that
    /// are at once either may be first, and one that asks for [`Work::position`] holds only those up that do, too.
    const AT_ONCE: usize = 1;

    /// Carries out one command.
    ///
    /// # Errors
    /// It is refused, or did not work this time.
    fn handle(
        &self,
        message: &Message<Self::Command>,
        work: &mut Work<'_>,
    ) -> impl Future<Output = Result<Handled, HandlerError>>;
}

/// Carries out commands of one contract many at a time. Registered by [`batch_handler!`](crate::batch_handler).
pub trait BatchHandler: Default + 'static {
    /// The contract.
    type Command: Command;
    /// What follows a failure.
    const RETRY: Retry = Retry::DEFAULT;
    /// An attempt that takes longer has failed.
    const TIMEOUT: Duration = Duration::from_secs(30);
    /// The most messages in a batch.
    const BATCH: usize = 100;
    /// As [`Handler::AT_ONCE`].
    const AT_ONCE: usize = 1;

    /// Carries out all of them; what it raises is caused by the message that [`Work::caused_by`] names. On an
    /// error each is handled again in a batch of its own.
    ///
    /// # Errors
    /// At least one is refused, or did not work this time.
    fn handle_all(
        &self,
        messages: &[Message<Self::Command>],
        work: &mut Work<'_>,
    ) -> impl Future<Output = Result<Vec<Handled>, HandlerError>>;
}

/// Takes the events of one contract, each once. Registered by [`consumer!`](crate::consumer).
///
/// Its writes and its place in the other context's log are one commit. An event that it fails on is put into the
/// inbox of its context, tried again from there, and shown as a failed command in the end; later events do not
/// wait for it.
pub trait Consumer: Default + 'static {
    /// The contract.
    type Event: Event;
    /// What follows a failure.
    const RETRY: Retry = Retry::DEFAULT;
    /// An attempt that takes longer has failed.
    const TIMEOUT: Duration = Duration::from_secs(30);
    /// So many events may share one transaction.
    const BATCH: usize = 100;

    /// Takes one event.
    ///
    /// # Errors
    /// It did not work this time, or never will.
    fn consume(
        &self,
        message: &Message<Self::Event>,
        work: &mut Work<'_>,
    ) -> impl Future<Output = Result<(), HandlerError>>;
}

/// What a panic said, where it said it in words.
pub(crate) fn panic_reason(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("without a message");
    format!("the handler panicked: {text}")
}
