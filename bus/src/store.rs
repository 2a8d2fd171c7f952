//! Where a context keeps what it was asked, what it did and what it said: inbox, event log, outgoing commands.
//!
//! Everything that one message brings about is one [`StoreTransaction`]. [`SqliteStore`] is the embedded one, and
//! `PostgresStore` (feature `postgres`) the one that several processes share;
//! `store/conformance.rs` is what every implementation must pass.

use std::time::Duration;

use tick_sdk::contracts::CommandId;
use uuid::Uuid;

use crate::tables::{Row, TablesError, Value};

#[cfg(test)]
mod conformance;
mod error;
mod held;
#[cfg(feature = "postgres")]
mod postgres;
mod sqlite;
mod transaction;

pub use error::StoreError;
pub use held::{
    Acceptance, CommandState, DueCommand, LogPage, NewCommand, NewEvent, Note, OutgoingMessage, StoredEvent,
    body_hash,
};
#[cfg(feature = "postgres")]
pub use postgres::{PostgresPool, PostgresStore};
pub use sqlite::SqliteStore;
pub use transaction::{StateChange, StateKind, StoreTransaction};

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

    /// As [`StoreTransaction::move_cursor`], as all of a commit, where what was done may be done again: a store need not
    /// wait for its disk, so that a loss of power may undo this.
    ///
    /// # Errors
    /// The store failed.
    fn note_cursor(&self, consumer: &str, context: &str, from: u64, to: u64) -> Result<bool, StoreError> {
        let mut transaction = self.begin()?;
        let is_moved = transaction.move_cursor(consumer, context, from, to)?;
        if is_moved {
            transaction.commit()?;
        }
        Ok(is_moved)
    }

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

    /// Removes outgoing messages up to this place: the broker has them. A loss of power may undo that, and they are sent
    /// again as they were, under the same ids.
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

    /// Removes the note of a message where it is this process's own; one that another has made or kept stays.
    ///
    /// # Errors
    /// The store failed.
    fn forget_note(&self, message: Uuid) -> Result<(), StoreError>;

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

/// A transaction is waited for so long before another begins.
pub const LONGEST_TRANSACTION: Duration = Duration::from_secs(5);

/// A read of a log ends with the event that makes its messages so many bytes, so that what a reader holds is
/// bounded whatever their size: an event of signals has more than a hundred thousand.
pub const LARGEST_READ: usize = 8 << 20;
