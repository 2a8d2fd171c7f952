//! Everything that one message brings about.

use tick_sdk::contracts::CommandId;
use uuid::Uuid;

use super::{Acceptance, CommandState, DueCommand, NewCommand, NewEvent, OutgoingMessage, StoreError};
use crate::tables::Tables;

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

    /// Puts a command into this context's inbox as [`Store::accept`](super::Store::accept) does.
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
