//! Where a context keeps what it was asked, what it did and what it said: inbox, event log, outgoing commands.
//!
//! Everything that one message brings about is one [`StoreTransaction`]. [`SqliteStore`] is the embedded one, and
//! `PostgresStore` (feature `postgres`) the one that several processes share;
//! `store/conformance.rs` is what every implementation must pass.

use std::time::Duration;

use rusqlite::ErrorCode;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use tick_sdk::contracts::{CommandId, ConversationId, MessageId};
use uuid::Uuid;

use crate::tables::{Row, Tables, TablesError, Value};

#[cfg(test)]
mod conformance;
#[cfg(feature = "postgres")]
mod postgres;
mod sqlite;

#[cfg(feature = "postgres")]
pub use postgres::{PostgresPool, PostgresStore};
pub use sqlite::SqliteStore;

/// What a store could not do. Nothing of it is stored.
#[derive(Debug, Error)]
pub enum StoreError {
    /// SQLite refused: the disk is full, the file is damaged or not writable.
    #[error("{place}: {source}")]
    Sqlite {
        /// The file.
        place: String,
        /// SQLite's words.
        source: rusqlite::Error,
    },
    /// PostgreSQL refused, or is away.
    #[cfg(feature = "postgres")]
    #[error("{place}: {source}{}", database::advice(.source))]
    Postgres {
        /// The database, without its password.
        place: String,
        /// The server's words, or what came instead of them.
        source: sqlx::Error,
    },
    /// The file is of another version of this program.
    #[error(
        "{place} has schema {found}, and this program reads {expected}: start with another folder of state"
    )]
    Schema {
        /// The file.
        place: String,
        /// Its version.
        found: i64,
        /// This program's version.
        expected: i64,
    },
    /// Another transaction did not end in time.
    #[error(
        "{place} was busy for {seconds} s: a handler or another process holds a transaction for too long"
    )]
    Busy {
        /// The file.
        place: String,
        /// How long it was waited for.
        seconds: u64,
    },
    /// The store gave no transaction to a handler, or ended it by itself.
    #[error("{place} could not go on with a transaction: {reason}")]
    GivenUp {
        /// The file or the context.
        place: String,
        /// What was said about it.
        reason: String,
    },
    /// The store does not commit what a transaction holds.
    #[error("{place}: nothing of the transaction is stored: {reason}")]
    Refused {
        /// The file or the context.
        place: String,
        /// Why.
        reason: String,
    },
    /// What is stored cannot be read.
    #[error("{place}: {what}")]
    Damaged {
        /// The file.
        place: String,
        /// What is wrong with it.
        what: String,
    },
}

impl StoreError {
    /// Whether the same may work later, when there is space, or whoever holds the file has let go of it.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Busy { .. } | Self::GivenUp { .. } => true,
            Self::Sqlite { source, .. } => source.sqlite_error_code().is_some_and(|code| {
                matches!(
                    code,
                    ErrorCode::DatabaseBusy
                        | ErrorCode::DatabaseLocked
                        | ErrorCode::DiskFull
                        | ErrorCode::SystemIoFailure
                        | ErrorCode::OutOfMemory
                        | ErrorCode::CannotOpen
                        | ErrorCode::ReadOnly
                )
            }),
            #[cfg(feature = "postgres")]
            Self::Postgres { source, .. } => database::is_temporary(source),
            Self::Schema { .. } | Self::Refused { .. } | Self::Damaged { .. } => false,
        }
    }
}

/// A command on its way to its endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewCommand {
    /// What its status stands under.
    pub command_id: CommandId,
    /// The tree of causes it belongs to.
    pub conversation_id: ConversationId,
    /// The command that caused it.
    pub initiator_id: Option<CommandId>,
    /// The contract's name.
    pub name: String,
    /// The contract's version.
    pub version: u32,
    /// The endpoint, which is a context's name.
    pub endpoint: String,
    /// Who asked.
    pub caller: String,
    /// The message as JSON.
    pub body: String,
    /// The delivery that brought it, where a broker did: what its answer, its fault and its copy in an error queue
    /// are made of. The store does not read it, and it does not tell one command from another.
    pub original: Option<Vec<u8>>,
}

impl NewCommand {
    /// What tells another body under the same id from this one.
    pub fn body_hash(&self) -> Uuid {
        body_hash(&self.name, &self.body)
    }
}

/// What tells a command's contract and body from others: [`NewCommand::body_hash`].
pub fn body_hash(name: &str, body: &str) -> Uuid {
    Uuid::new_v5(&Uuid::NAMESPACE_OID, format!("{name}\n{body}").as_bytes())
}

/// What became of a command that was handed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acceptance {
    /// It is stored.
    New,
    /// The same command was stored before; it is carried out once.
    Known,
    /// Another command has this id: nothing is stored.
    OtherBody,
}

/// A command of an inbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DueCommand {
    /// The command.
    pub command: NewCommand,
    /// Attempts that failed before.
    pub attempts: u32,
    /// When it was accepted, in ms since the UNIX epoch.
    pub accepted_ms: u64,
    /// Another process was handed it and has ended since: it may be what ended that one.
    pub is_suspect: bool,
}

/// How a command ends, or is put off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommandState {
    /// It waits for its due time.
    Waiting {
        /// In ms since the UNIX epoch.
        due_ms: u64,
    },
    /// Its handler is done, and its work goes on.
    Processing,
    /// It was carried out.
    Completed,
    /// It was not.
    Failed,
    /// It was stopped.
    Cancelled,
}

/// What became of a note that a message is handled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Note {
    /// It is kept until [`StoreTransaction::settle_note`].
    Begun,
    /// It was not made: the process that made one before has ended, and nobody has settled that.
    Ended {
        /// So many processes have ended while it was handled, that one included.
        deaths: u32,
    },
}

/// A message on its way to a broker that is no command of this bus: a fault, an answer, a copy for an error queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutgoingMessage {
    /// The exchange it is published to.
    pub exchange: String,
    /// Its routing key.
    pub key: String,
    /// Whether a queue must take it.
    pub is_mandatory: bool,
    /// Its properties and headers, encoded; the store does not read them.
    pub properties: Vec<u8>,
    /// The message itself.
    pub body: Vec<u8>,
}

/// An event before it has its position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEvent {
    /// The contract's name.
    pub name: String,
    /// The contract's version.
    pub version: u32,
    /// The command that caused it.
    pub command_id: Option<CommandId>,
    /// The tree of causes it belongs to.
    pub conversation_id: Option<ConversationId>,
    /// The command that caused that one.
    pub initiator_id: Option<CommandId>,
    /// The message as JSON.
    pub body: String,
}

/// An event in its context's log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StoredEvent {
    /// Its place in the log, from 1.
    pub position: u64,
    /// The message's id.
    pub message_id: MessageId,
    /// The contract's name.
    pub name: String,
    /// The contract's version.
    pub version: u32,
    /// The command that caused it.
    pub command_id: Option<CommandId>,
    /// The tree of causes it belongs to.
    pub conversation_id: Option<ConversationId>,
    /// The command that caused that one.
    pub initiator_id: Option<CommandId>,
    /// When it was written, in ms since the UNIX epoch.
    pub at_ms: u64,
    /// The message as JSON.
    pub body: String,
}

/// What a look at a log found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogPage {
    /// The events that were asked for, in order.
    pub events: Vec<StoredEvent>,
    /// The position of the last event that was looked at, asked for or not: the next look goes on after it. Where
    /// nothing follows, it is the position that was asked with.
    pub looked_to: u64,
}

/// One context's store. Calls block: they are made on threads of the bus.
pub trait Store: Send + Sync + 'static {
    /// Stores commands, and that they were accepted, so that a loss of power does not lose them.
    ///
    /// # Errors
    /// None of them is stored.
    fn accept(&self, commands: &[NewCommand], now_ms: u64) -> Result<Vec<Acceptance>, StoreError>;

    /// Up to `limit` commands of one name that are due, the longest due first.
    ///
    /// # Errors
    /// The store failed.
    fn due(&self, name: &str, now_ms: u64, limit: usize) -> Result<Vec<DueCommand>, StoreError>;

    /// When the next command of this name is due.
    ///
    /// # Errors
    /// The store failed.
    fn next_due(&self, name: &str) -> Result<Option<u64>, StoreError>;

    /// The state of a command, if it is known.
    ///
    /// # Errors
    /// The store failed.
    fn state(&self, command: CommandId) -> Result<Option<CommandState>, StoreError>;

    /// Begins a transaction. A store may let one wait until the one before has ended.
    ///
    /// # Errors
    /// The one before does not end, or the store failed.
    fn begin(&self) -> Result<Box<dyn StoreTransaction>, StoreError>;

    /// As [`Store::begin`], for one of several transactions of a handler at once. Where a store can, it lets them
    /// commit beside each other: what [`StoreTransaction::handle_new`] appends has its positions only after
    /// [`Store::number`].
    ///
    /// # Errors
    /// As [`Store::begin`].
    fn begin_beside(&self) -> Result<Box<dyn StoreTransaction>, StoreError> {
        self.begin()
    }

    /// Gives positions to all events that are committed and have none; whether there were any. Whoever appends does
    /// so as well.
    ///
    /// # Errors
    /// The store failed.
    fn number(&self) -> Result<bool, StoreError> {
        Ok(false)
    }

    /// Looks at up to `limit` events after a position, in order, and gives those with one of these names; all of
    /// them for `None`. It looks at fewer once those that it gives hold [`LARGEST_READ`] bytes, at none only where
    /// nothing follows. Bodies of events that are not asked for are not read.
    ///
    /// A later commit that overtakes an earlier one never makes a reader pass that one: a position is seen only
    /// when all before it are.
    ///
    /// # Errors
    /// The store failed.
    fn look(&self, position: u64, limit: usize, names: Option<&[&str]>) -> Result<LogPage, StoreError>;

    /// Up to `limit` events after a position, whatever their names, as [`Store::look`] gives them.
    ///
    /// # Errors
    /// The store failed.
    fn events_after(&self, position: u64, limit: usize) -> Result<Vec<StoredEvent>, StoreError> {
        Ok(self.look(position, limit, None)?.events)
    }

    /// The position of the last event that can be seen, 0 where there is none.
    ///
    /// # Errors
    /// The store failed.
    fn head(&self) -> Result<u64, StoreError>;

    /// Where a consumer stands in another context's log.
    ///
    /// # Errors
    /// The store failed.
    fn cursor(&self, consumer: &str, context: &str) -> Result<u64, StoreError>;

    /// Up to `limit` commands that handlers have sent, with their places, in order.
    ///
    /// # Errors
    /// The store failed.
    fn outgoing(&self, limit: usize) -> Result<Vec<(u64, NewCommand)>, StoreError>;

    /// Removes outgoing commands up to this place: their endpoints have them.
    ///
    /// # Errors
    /// The store failed.
    fn forget_outgoing(&self, up_to: u64) -> Result<(), StoreError>;

    /// Up to `limit` messages for a broker that transactions have sent, with their places, in order; fewer once
    /// they hold [`LARGEST_READ`] bytes, none only where there are none.
    ///
    /// # Errors
    /// The store failed.
    fn outgoing_messages(&self, limit: usize) -> Result<Vec<(u64, OutgoingMessage)>, StoreError>;

    /// Removes outgoing messages up to this place: the broker has them.
    ///
    /// # Errors
    /// The store failed.
    fn forget_outgoing_messages(&self, up_to: u64) -> Result<(), StoreError>;

    /// Takes a lease for so long, where it is free, has run out, or is this holder's own; `None` while another
    /// holder has it. The epoch is the same as long as one holder renews it, and greater for every later one, also
    /// where one takes up again what had run out. Taken for 0 ms it is released.
    ///
    /// # Errors
    /// The store failed.
    fn lease(&self, name: &str, holder: Uuid, for_ms: u64, now_ms: u64) -> Result<Option<u64>, StoreError>;

    /// The rows that a query of the context's own tables gives, outside of any transaction.
    ///
    /// # Errors
    /// The store failed, or refused the query.
    fn query(&self, sql: &str, values: &[Value]) -> Result<Vec<Row>, TablesError>;

    /// When the last of those ended commands ended that are beyond so many younger ones; `None` where there are no
    /// more. It takes time for these, so it is not for every step.
    ///
    /// # Errors
    /// The store failed.
    fn ended_beyond(&self, commands: u64) -> Result<Option<u64>, StoreError>;

    /// Forgets commands, and their status events; gives how many.
    ///
    /// # Errors
    /// The store failed.
    fn sweep(&self, sweep: &Sweep, now_ms: u64) -> Result<usize, StoreError>;

    /// This process handles the context's messages from now on. Whether one that did so before it has ended without
    /// [`Store::end_serving`]: what it was at may have ended it.
    ///
    /// # Errors
    /// The store failed.
    fn begin_serving(&self) -> Result<bool, StoreError>;

    /// This process has handled its last message, and ends as it should.
    ///
    /// # Errors
    /// The store failed.
    fn end_serving(&self) -> Result<(), StoreError>;

    /// Notes that this process handles a message now which may end it. The note outlives the process.
    ///
    /// # Errors
    /// The store failed.
    fn note(&self, message: Uuid) -> Result<Note, StoreError>;

    /// Whether there is a note of this message.
    ///
    /// # Errors
    /// The store failed.
    fn is_noted(&self, message: Uuid) -> Result<bool, StoreError>;

    /// From now on `ring`, too, is called when another process may have changed something. It returns at once, and may
    /// be called in vain. `false`: this store never calls it, as nobody tells it of others.
    fn watch(&self, ring: Box<dyn Fn(Change) + Send + Sync>) -> bool {
        drop(ring);
        false
    }
}

/// What another process has changed in a store that it shares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Commands may be due.
    Commands,
    /// The log has grown.
    Events,
}

/// One commit in the making; dropped without [`StoreTransaction::commit`] it has stored nothing.
pub trait StoreTransaction: Send {
    /// Appends to the context's log.
    ///
    /// # Errors
    /// The store failed.
    fn append(&mut self, events: &[NewEvent], now_ms: u64) -> Result<(), StoreError>;

    /// Removes the events from one position to another, both included. An event must be appended after it in the
    /// same transaction where they are the last ones: no position is given twice.
    ///
    /// # Errors
    /// The store failed.
    fn remove_events(&mut self, first: u64, last: u64) -> Result<(), StoreError>;

    /// Puts a command into this context's inbox as [`Store::accept`] does.
    ///
    /// # Errors
    /// The store failed.
    fn accept(&mut self, command: &NewCommand, now_ms: u64) -> Result<Acceptance, StoreError>;

    /// Moves a command to its next state after so many attempts, and appends the event that says so. `false`:
    /// it is not as `expected_attempts` has it, as somebody else had it meanwhile, and nothing was changed.
    ///
    /// # Errors
    /// The store failed.
    fn change(&mut self, change: &StateChange<'_>, now_ms: u64) -> Result<bool, StoreError>;

    /// Makes these changes in order, each as [`StoreTransaction::change`] does. `false`: one of them was not made,
    /// and the transaction is to be dropped.
    ///
    /// # Errors
    /// The store failed.
    fn change_all(&mut self, changes: &[StateChange<'_>], now_ms: u64) -> Result<bool, StoreError> {
        for change in changes {
            if !self.change(change, now_ms)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Puts commands of one contract into the inbox together with what has become of them at once, as if they had
    /// been accepted, had waited, and had been changed: the events that say that they were accepted, these, and those of
    /// the changes, in this order. Each change is that of the command in its place, from waiting and no attempts to
    /// processing or completed. `false`: one of them is known, and the transaction is to be dropped.
    ///
    /// # Errors
    /// The store failed.
    fn handle_new(
        &mut self,
        commands: &[DueCommand],
        changes: &[StateChange<'_>],
        events: &[NewEvent],
        now_ms: u64,
    ) -> Result<bool, StoreError> {
        for due in commands {
            if self.accept(&due.command, now_ms)? != Acceptance::New {
                return Ok(false);
            }
        }
        self.append(events, now_ms)?;
        self.change_all(changes, now_ms)
    }

    /// Puts commands where the bus fetches them to send.
    ///
    /// # Errors
    /// The store failed.
    fn send(&mut self, commands: &[NewCommand]) -> Result<(), StoreError>;

    /// Puts messages for a broker where whoever is connected to it fetches them.
    ///
    /// # Errors
    /// The store failed.
    fn send_messages(&mut self, messages: &[OutgoingMessage]) -> Result<(), StoreError>;

    /// A consumer has taken a context's log from where it stood up to `to`. `false`: it does not stand at
    /// `from`, as somebody else has taken these events, and nothing was changed.
    ///
    /// # Errors
    /// The store failed.
    fn move_cursor(&mut self, consumer: &str, context: &str, from: u64, to: u64) -> Result<bool, StoreError>;

    /// A command of this inbox, in whatever state.
    ///
    /// # Errors
    /// The store failed.
    fn find(&mut self, command: CommandId) -> Result<Option<DueCommand>, StoreError>;

    /// Removes the note of a message, or keeps it as one that nobody handles now, with the count of processes that have
    /// ended at it.
    ///
    /// # Errors
    /// The store failed.
    fn settle_note(&mut self, message: Uuid, deaths: Option<u32>) -> Result<(), StoreError>;

    /// Whether what is written still becomes one commit: a store may give a transaction up by itself, as SQLite
    /// does when the disk is full.
    fn is_open(&self) -> bool;

    /// The position that the last appended event has, or will have. Nobody else appends from then on until this
    /// transaction has ended.
    ///
    /// # Errors
    /// The store failed.
    fn position(&mut self) -> Result<u64, StoreError>;

    /// The context's own tables, in this transaction.
    fn tables(&mut self) -> &mut dyn Tables;

    /// Stores everything.
    ///
    /// # Errors
    /// Nothing is stored.
    fn commit(self: Box<Self>) -> Result<(), StoreError>;
}

/// A step that forgets ended commands, the oldest first. Times are in ms since the UNIX epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sweep {
    /// Commands that ended before this are forgotten.
    pub ended_before_ms: u64,
    /// Whoever reads the log has long known what was forgotten before this: the events that said so go, too.
    pub known_before_ms: u64,
    /// At most so many in this step.
    pub limit: usize,
}

/// A command's next state.
#[derive(Clone, Debug)]
pub struct StateChange<'a> {
    /// The command.
    pub command_id: CommandId,
    /// The state it must be in: waiting, or processing, or failed.
    pub from: StateKind,
    /// The attempts it must have; `None` where that does not matter.
    pub expected_attempts: Option<u32>,
    /// The attempts it has from now on; `None` to leave them.
    pub attempts: Option<u32>,
    /// The state from now on.
    pub to: CommandState,
    /// The event that says so.
    pub event: &'a NewEvent,
}

/// A [`CommandState`] without its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StateKind {
    /// It waits for its due time.
    Waiting,
    /// Its work goes on.
    Processing,
    /// It failed.
    Failed,
}

/// A transaction is waited for so long before another begins.
pub const LONGEST_TRANSACTION: Duration = Duration::from_secs(5);

/// A read of a log ends with the event that makes its messages so many bytes, so that what a reader holds is
/// bounded whatever their size: an event of signals has more than a hundred thousand.
pub const LARGEST_READ: usize = 8 << 20;
