//! What a handler writes, raises and sends: one transaction.

use std::any::{Any, TypeId, type_name};
use std::collections::HashMap;
use std::sync::Arc;

use thiserror::Error;
use tick_sdk::contracts::bus::{CommandCancelled, CommandCompleted, CommandFailed, ReadableAt};
use tick_sdk::contracts::{Command, CommandId, ConversationId, Event};
use uuid::Uuid;

use crate::events::json;
use crate::handler::Message;
use crate::lane::Place;
use crate::store::{
    Acceptance, CommandState, DueCommand, NewCommand, NewEvent, StateChange, StateKind, StoreError,
    StoreTransaction,
};
use crate::tables::Tables;

/// What handlers need beside their messages, by type: configuration, clients.
#[derive(Clone, Default)]
pub struct Resources(HashMap<TypeId, Arc<dyn Any + Send + Sync>>);

impl Resources {
    /// Adds one; another of the same type is replaced.
    #[must_use]
    pub fn with<T: Send + Sync + 'static>(mut self, resource: T) -> Self {
        self.0.insert(TypeId::of::<T>(), Arc::new(resource));
        self
    }

    /// The one of this type.
    ///
    /// # Errors
    /// The process was started without it.
    pub fn get<T: Send + Sync + 'static>(&self) -> Result<&T, WorkError> {
        let found = self.0.get(&TypeId::of::<T>()).and_then(|resource| resource.downcast_ref());
        found.ok_or(WorkError::NoResource { name: type_name::<T>() })
    }
}

/// What a handler asked for that is not there.
#[derive(Debug, Error)]
pub enum WorkError {
    /// The process was started without it.
    #[error("there is no {name}: give it to the bus when it is built, with resource(…)")]
    NoResource {
        /// The type.
        name: &'static str,
    },
    /// What follows an error that the store has ended the transaction for, as a full disk does.
    #[error("the store has given up this transaction: see the error before")]
    GivenUp,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The message that something is caused by.
#[derive(Clone, Debug)]
pub(crate) struct Cause {
    /// The consumer that handles an event; `None` for a command, which has one handler.
    pub(crate) sender: Option<&'static str>,
    /// The id of the command or the event that is being handled.
    pub(crate) source: Uuid,
    /// The command, or that which caused the event.
    pub(crate) command_id: Option<CommandId>,
    pub(crate) conversation_id: Option<ConversationId>,
    pub(crate) initiator_id: Option<CommandId>,
}

/// One transaction of a handler. It begins when the handler first writes, so that one that waits for something
/// else before holds nobody up.
pub struct Work<'a> {
    place: &'a Place,
    transaction: Option<Box<dyn StoreTransaction>>,
    now_ms: u64,
    cause: Option<Cause>,
    events: Vec<NewEvent>,
    sent: Vec<NewCommand>,
    /// How many commands each message has sent.
    sent_by: HashMap<Uuid, u32>,
    /// The store did not begin a transaction: what the handler says then is no failure of its own.
    could_not_begin: bool,
    /// What is being handled, where it stands in no inbox yet.
    arrived: Option<Arc<[DueCommand]>>,
    /// Others of the same handler run beside it.
    is_beside: bool,
}

impl<'a> Work<'a> {
    pub(crate) fn new(place: &'a Place, now_ms: u64) -> Self {
        Self {
            place,
            transaction: None,
            now_ms,
            cause: None,
            events: Vec::new(),
            sent: Vec::new(),
            sent_by: HashMap::new(),
            could_not_begin: false,
            arrived: None,
            is_beside: false,
        }
    }

    /// The same for commands that stand in no inbox yet.
    pub(crate) fn of_arrived(mut self, arrived: Arc<[DueCommand]>, is_beside: bool) -> Self {
        self.arrived = Some(arrived);
        self.is_beside = is_beside;
        self
    }

    /// The time, in ms since the UNIX epoch; the same throughout the transaction.
    pub const fn now_ms(&self) -> u64 {
        self.now_ms
    }

    /// What the process was given for its handlers.
    ///
    /// # Errors
    /// It was not given.
    pub fn resource<T: Send + Sync + 'static>(&self) -> Result<&'a T, WorkError> {
        self.place.resources.get()
    }

    /// The context's own tables, in this transaction.
    ///
    /// # Errors
    /// The store is busy for too long, or failed.
    pub fn tables(&mut self) -> Result<&mut dyn Tables, WorkError> {
        let transaction = self.transaction()?;
        if !transaction.is_open() {
            return Err(WorkError::GivenUp);
        }
        Ok(transaction.tables())
    }

    /// Publishes an event, if and when this transaction is committed.
    ///
    /// # Panics
    /// The event is of another context: it would stand in a log where nobody looks for it.
    pub fn publish<E: Event>(&mut self, event: &E) {
        assert_eq!(E::CONTEXT, self.place.context, "{} is an event of another context", E::NAME);
        let cause = self.cause.as_ref();
        self.events.push(NewEvent {
            name: E::NAME.to_owned(),
            version: E::VERSION,
            command_id: cause.and_then(|cause| cause.command_id),
            conversation_id: cause.and_then(|cause| cause.conversation_id),
            initiator_id: cause.and_then(|cause| cause.initiator_id),
            body: json(event),
        });
    }

    /// Sends a command, if and when this transaction is committed; its initiator is the command that is being
    /// handled. Gives its id.
    pub fn send<C: Command>(&mut self, command: &C) -> CommandId {
        let command_id = self.next_sent(C::NAME);
        let cause = self.cause.as_ref();
        let conversation_id = cause.and_then(|cause| cause.conversation_id);
        self.sent.push(NewCommand {
            command_id,
            conversation_id: conversation_id.unwrap_or(ConversationId(command_id.0)),
            initiator_id: cause.and_then(|cause| cause.command_id),
            name: C::NAME.to_owned(),
            version: C::VERSION,
            endpoint: C::ENDPOINT.to_owned(),
            caller: self.place.context.clone(),
            body: json(command),
            original: None,
        });
        command_id
    }

    /// The id of the next command that is sent: the same when the attempt is made again.
    fn next_sent(&mut self, name: &str) -> CommandId {
        let Some(cause) = &self.cause else { return CommandId::new() };
        let count = self.sent_by.entry(cause.source).or_default();
        let source = cause.source.hyphenated();
        let key = match cause.sender {
            Some(consumer) => format!("{consumer}:{source}:{name}:{count}"),
            None => format!("{source}:{name}:{count}"),
        };
        *count += 1;
        CommandId::of_key(&self.place.context, &key)
    }

    /// What follows is caused by this message; a batch handler says so before it raises or sends.
    pub fn caused_by<M>(&mut self, message: &Message<M>) {
        self.set_cause(Cause {
            sender: None,
            source: message.command_id.0,
            command_id: Some(message.command_id),
            conversation_id: Some(message.conversation_id),
            initiator_id: message.initiator_id,
        });
    }

    /// As [`Work::caused_by`], outside of a handler: what follows is part of the work that this command left as
    /// processing, so its events carry the command's id.
    pub fn caused_by_command(&mut self, command: &EndedCommand) {
        self.set_cause(Cause {
            sender: None,
            source: command.command_id.0,
            command_id: Some(command.command_id),
            conversation_id: Some(command.conversation_id),
            initiator_id: command.initiator_id,
        });
    }

    pub(crate) fn set_cause(&mut self, cause: Cause) {
        self.cause = Some(cause);
    }

    /// Ends a command whose handler left it as processing. `false`: it has ended already, and it stays as it is;
    /// what else this transaction holds is committed all the same, unless the caller returns an error.
    ///
    /// # Errors
    /// The store failed.
    pub fn end(&mut self, command: &EndedCommand, end: CommandEnd) -> Result<bool, StoreError> {
        let mut failed_as = None;
        let (to, name, body) = match end {
            CommandEnd::Completed { result, readable_at } => {
                let completed = CommandCompleted { attempts: command.attempts, result, readable_at };
                (CommandState::Completed, CommandCompleted::NAME, json(&completed))
            }
            CommandEnd::Failed { reason } => {
                let failed = CommandFailed { attempts: command.attempts, reason };
                let body = json(&failed);
                failed_as = Some(failed.reason);
                (CommandState::Failed, CommandFailed::NAME, body)
            }
            CommandEnd::Cancelled { result, readable_at } => {
                let cancelled = CommandCancelled { result, readable_at };
                (CommandState::Cancelled, CommandCancelled::NAME, json(&cancelled))
            }
        };
        let event = NewEvent {
            name: name.to_owned(),
            version: 1,
            command_id: Some(command.command_id),
            conversation_id: Some(command.conversation_id),
            initiator_id: command.initiator_id,
            body,
        };
        // What was published before it stands before it in the log.
        self.flush()?;
        let change = StateChange {
            command_id: command.command_id,
            from: StateKind::Processing,
            expected_attempts: None,
            attempts: None,
            to,
            event: &event,
        };
        let (place, now_ms) = (self.place, self.now_ms);
        let transaction = self.transaction()?;
        let has_ended = transaction.change(&change, now_ms)?;
        if has_ended
            && let (Some(on_failed), Some(reason)) = (&place.on_failed, failed_as)
            && let Some(failed) = transaction.find(command.command_id)?
        {
            on_failed.send(transaction, &failed, &reason, failed.attempts)?;
        }
        Ok(has_ended)
    }

    /// The position that the last event published so far has in the context's log.
    ///
    /// # Errors
    /// The store failed.
    pub fn position(&mut self) -> Result<u64, StoreError> {
        self.flush()?;
        self.transaction()?.position()
    }

    /// Removes the context's events from one position to another, both included, if and when this transaction is
    /// committed; readers pass over the hole. Only together with whatever was made of them: an event that comes
    /// after says so to their readers, so that documents made anew of the log equal those that grew.
    ///
    /// # Errors
    /// The store failed.
    pub fn remove_events(&mut self, first: u64, last: u64) -> Result<(), StoreError> {
        self.flush()?;
        self.transaction()?.remove_events(first, last)
    }

    pub(crate) fn transaction(&mut self) -> Result<&mut dyn StoreTransaction, StoreError> {
        if self.transaction.is_none() {
            let store = &self.place.store;
            let begun = if self.is_beside { store.begin_beside() } else { store.begin() };
            self.could_not_begin = begun.is_err();
            self.transaction = Some(begun?);
        }
        Ok(self.transaction.as_deref_mut().expect("it was just made"))
    }

    /// Whether the store gave no transaction, or has given up the one that there was.
    pub(crate) fn is_lost(&self) -> bool {
        self.could_not_begin || self.transaction.as_ref().is_some_and(|transaction| !transaction.is_open())
    }

    /// Writes what was raised and sent so far; before it, that what is being handled was accepted.
    pub(crate) fn flush(&mut self) -> Result<(), StoreError> {
        if let Some(arrived) = self.arrived.take() {
            let now_ms = self.now_ms;
            for due in arrived.iter() {
                if self.transaction()?.accept(&due.command, now_ms)? != Acceptance::New {
                    let (place, id) = (self.place.context.clone(), due.command.command_id);
                    return Err(StoreError::Refused { place, reason: format!("{id} is known already") });
                }
            }
        }
        let events = std::mem::take(&mut self.events);
        let sent = std::mem::take(&mut self.sent);
        let now_ms = self.now_ms;
        if !events.is_empty() {
            self.transaction()?.append(&events, now_ms)?;
        }
        if !sent.is_empty() {
            self.transaction()?.send(&sent)?;
        }
        Ok(())
    }

    /// As [`Work::commit`], with what has become of what arrived. `false`: one of them is known, and nothing is
    /// stored.
    pub(crate) fn commit_arrived(mut self, changes: &[StateChange<'_>]) -> Result<bool, StoreError> {
        let now_ms = self.now_ms;
        let Some(arrived) = self.arrived.take() else {
            // The handler asked for its position, so that they have been accepted.
            self.flush()?;
            let are_changed = self.transaction()?.change_all(changes, now_ms)?;
            return if are_changed { self.commit().map(|()| true) } else { Ok(false) };
        };
        let sent = std::mem::take(&mut self.sent);
        if !sent.is_empty() {
            self.transaction()?.send(&sent)?;
        }
        let events = std::mem::take(&mut self.events);
        if !self.transaction()?.handle_new(&arrived, changes, &events, now_ms)? {
            return Ok(false);
        }
        self.commit().map(|()| true)
    }

    /// Commits what there is.
    pub(crate) fn commit(mut self) -> Result<(), StoreError> {
        self.flush()?;
        self.transaction.map_or(Ok(()), StoreTransaction::commit)
    }
}

/// A command that ends after its handler.
#[derive(Clone, Copy, Debug)]
pub struct EndedCommand {
    /// The command.
    pub command_id: CommandId,
    /// The tree of causes it belongs to.
    pub conversation_id: ConversationId,
    /// The command that caused it.
    pub initiator_id: Option<CommandId>,
    /// Attempts of its handler.
    pub attempts: u32,
}

/// How it ends.
#[derive(Clone, Debug)]
pub enum CommandEnd {
    /// It was carried out.
    Completed {
        /// What came of it, an object or null.
        result: serde_json::Value,
        /// It is shown as completed once these can be read.
        readable_at: Vec<ReadableAt>,
    },
    /// It was not.
    Failed {
        /// Why.
        reason: String,
    },
    /// It was stopped.
    Cancelled {
        /// What came of it until then, an object or null.
        result: serde_json::Value,
        /// As above.
        readable_at: Vec<ReadableAt>,
    },
}
