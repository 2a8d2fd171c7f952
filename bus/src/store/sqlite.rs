//! A context's store in one SQLite file.
//!
//! One connection writes and is lent to one transaction at a time; others read. What is committed is
//! synchronised (`synchronous=FULL`): "accepted" means on disk. As there is one writer, positions are given in
//! the transaction itself, in the order of commits and without holes.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OptionalExtension, params};
use tick_sdk::contracts::CommandId;
#[cfg(feature = "testing")]
use tick_sdk::contracts::MessageId;
use uuid::Uuid;

use super::{
    Acceptance, CommandState, DueCommand, LARGEST_READ, LONGEST_TRANSACTION, LogPage, NewCommand, Note,
    OutgoingMessage, Store, StoreError, StoreTransaction, Sweep,
};
use crate::tables::{Row, TablesError, Value};

mod appending;
mod checkpoints;
mod completing;
mod lease;
mod log;
mod message_ids;
mod rows;
mod schema;
mod serving;
mod tables;
mod transaction;

use checkpoints::Checkpoints;
use message_ids::MessageIds;
use rows::{COMMAND, DUE, DUE_FROM, command_of, due_of, message_of, state_of};
use transaction::SqliteTransaction;

/// Readers that are kept open for the next read.
const IDLE_READERS: usize = 8;

/// Waiting for the lock of another process's transaction.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// A context's store in a SQLite file.
pub struct SqliteStore {
    place: PathBuf,
    /// Ends before the connections are closed.
    _checkpoints: Checkpoints,
    writer: Arc<Writer>,
    readers: Mutex<Vec<Connection>>,
    /// By which what it notes is told from what a process before it did.
    own: Uuid,
}

/// The one connection that writes, while nobody has it.
struct Writer {
    place: String,
    connection: Mutex<Option<Connection>>,
    returned: Condvar,
    message_ids: MessageIds,
}

impl SqliteStore {
    /// Opens the file of a context, and makes it where it is missing. `tables` are the context's own: SQL that
    /// may be run again, `CREATE TABLE IF NOT EXISTS …`.
    ///
    /// # Errors
    /// The file cannot be made or is of another version.
    pub fn open(place: &Path, tables: &str) -> Result<Self, StoreError> {
        Self::open_with(place, tables, MessageIds::new())
    }

    /// As [`SqliteStore::open`], with ids of messages that are the same in each run of a test.
    #[cfg(feature = "testing")]
    pub(crate) fn open_repeatable(
        place: &Path,
        tables: &str,
        message_id: fn(u64) -> MessageId,
    ) -> Result<Self, StoreError> {
        Self::open_with(place, tables, MessageIds::Given(message_id))
    }

    fn open_with(place: &Path, tables: &str, message_ids: MessageIds) -> Result<Self, StoreError> {
        let failed = |source| StoreError::Sqlite { place: place.display().to_string(), source };
        let mut connection = Connection::open(place).and_then(set_up).map_err(failed)?;
        schema::prepare(&connection, place, tables)?;
        let writer = Writer {
            place: place.display().to_string(),
            connection: Mutex::new(None),
            returned: Condvar::new(),
            message_ids,
        };
        let writer = Arc::new(writer);
        let checkpoints = Checkpoints::begin(place, &writer, &mut connection).map_err(failed)?;
        writer.give_back(connection);
        let (place, readers) = (place.to_owned(), Mutex::default());
        Ok(Self { place, _checkpoints: checkpoints, writer, readers, own: Uuid::new_v4() })
    }

    fn failed(&self) -> impl Fn(rusqlite::Error) -> StoreError + '_ {
        |source| StoreError::Sqlite { place: self.place.display().to_string(), source }
    }

    /// Reads with a connection that no writer waits for. A context's own queries may use it, too.
    ///
    /// # Errors
    /// The store failed.
    pub fn read<T>(&self, query: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, StoreError> {
        let idle = self.readers.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let reader = match idle {
            Some(reader) => reader,
            None => self.open_reader().map_err(self.failed())?,
        };
        let found = query(&reader).map_err(self.failed());
        let mut readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        if readers.len() < IDLE_READERS {
            readers.push(reader);
        }
        found
    }

    fn open_reader(&self) -> rusqlite::Result<Connection> {
        let reader = Connection::open(&self.place).and_then(set_up)?;
        reader.pragma_update(None, "query_only", true)?;
        Ok(reader)
    }

    fn transaction(&self) -> Result<SqliteTransaction, StoreError> {
        SqliteTransaction::begin(self.writer.clone())
    }

    /// Lets the file grow to so many pages of 4 KiB and no further: a full disk, for tests.
    ///
    /// # Errors
    /// The store failed.
    #[cfg(feature = "testing")]
    pub fn limit_pages(&self, pages: u32) -> Result<(), StoreError> {
        let connection = self.writer.take()?;
        let limited = connection.pragma_update(None, "max_page_count", pages).map_err(self.failed());
        self.writer.give_back(connection);
        limited
    }
}

impl Writer {
    fn take(&self) -> Result<Connection, StoreError> {
        let until = Instant::now() + LONGEST_TRANSACTION;
        let mut slot = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(connection) = slot.take() {
                return Ok(connection);
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(StoreError::Busy {
                    place: self.place.clone(),
                    seconds: LONGEST_TRANSACTION.as_secs(),
                });
            }
            slot = self.returned.wait_timeout(slot, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn give_back(&self, connection: Connection) {
        *self.connection.lock().unwrap_or_else(PoisonError::into_inner) = Some(connection);
        self.returned.notify_one();
    }
}

fn set_up(connection: Connection) -> rusqlite::Result<Connection> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(64);
    // A plan is kept whatever is asked with it: SQLite would prepare a statement anew for each number it compares
    // an index with, which takes longer than a hundred rows.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(connection)
}

/// The position of the last event.
fn head_of(connection: &Connection) -> rusqlite::Result<u64> {
    let mut statement = connection.prepare_cached("SELECT coalesce(max(position), 0) FROM event")?;
    statement.query_row([], |row| row.get::<_, i64>(0)).map(i64::cast_unsigned)
}

/// A position or a time as SQLite has it.
fn sql_of(number: u64) -> i64 {
    number.cast_signed()
}

impl Store for SqliteStore {
    fn accept(&self, commands: &[NewCommand], now_ms: u64) -> Result<Vec<Acceptance>, StoreError> {
        let mut transaction = self.transaction()?;
        let accepted =
            commands.iter().map(|command| transaction.accept(command, now_ms)).collect::<Result<_, _>>()?;
        Box::new(transaction).commit()?;
        Ok(accepted)
    }

    fn due(&self, name: &str, now_ms: u64, limit: usize) -> Result<Vec<DueCommand>, StoreError> {
        self.read(|reader| {
            let mut statement = reader.prepare_cached(&format!(
                "SELECT {DUE} FROM {DUE_FROM} WHERE state = 0 AND inbox.name = ?1 AND due_ms <= ?2 \
                 ORDER BY due_ms, inbox.seq LIMIT ?3",
            ))?;
            statement.query_map(params![name, sql_of(now_ms), limit as i64], due_of)?.collect()
        })
    }

    fn next_due(&self, name: &str) -> Result<Option<u64>, StoreError> {
        self.read(|reader| {
            let mut statement =
                reader.prepare_cached("SELECT min(due_ms) FROM inbox WHERE state = 0 AND name = ?1")?;
            let due: Option<i64> = statement.query_row([name], |row| row.get(0))?;
            Ok(due.map(i64::cast_unsigned))
        })
    }

    fn state(&self, command: CommandId) -> Result<Option<CommandState>, StoreError> {
        self.read(|reader| {
            let mut statement = reader.prepare_cached(
                "SELECT state, due_ms FROM inbox WHERE seq = (SELECT seq FROM command WHERE command_id = ?1)",
            )?;
            statement
                .query_row([command.0.as_bytes()], |row| {
                    Ok(state_of(row.get(0)?, row.get::<_, i64>(1)?.cast_unsigned()))
                })
                .optional()
        })
    }

    fn begin(&self) -> Result<Box<dyn StoreTransaction>, StoreError> {
        Ok(Box::new(self.transaction()?))
    }

    fn look(&self, position: u64, limit: usize, names: Option<&[&str]>) -> Result<LogPage, StoreError> {
        self.read(|reader| log::look(reader, position, limit, names))
    }

    fn head(&self) -> Result<u64, StoreError> {
        self.read(head_of)
    }

    fn cursor(&self, consumer: &str, context: &str) -> Result<u64, StoreError> {
        self.read(|reader| {
            let sql = "SELECT position FROM cursor WHERE consumer = ?1 AND context = ?2";
            let position: Option<i64> =
                reader.prepare_cached(sql)?.query_row([consumer, context], |row| row.get(0)).optional()?;
            Ok(position.unwrap_or(0).cast_unsigned())
        })
    }

    fn outgoing(&self, limit: usize) -> Result<Vec<(u64, NewCommand)>, StoreError> {
        self.read(|reader| {
            let sql = format!("SELECT {COMMAND}, seq FROM outgoing ORDER BY seq LIMIT ?1");
            let mut statement = reader.prepare_cached(&sql)?;
            let rows = statement.query_map([limit as i64], |row| {
                Ok((row.get::<_, i64>(9)?.cast_unsigned(), command_of(row)?))
            })?;
            rows.collect()
        })
    }

    fn forget_outgoing(&self, up_to: u64) -> Result<(), StoreError> {
        let transaction = self.transaction()?;
        transaction.write("DELETE FROM outgoing WHERE seq <= ?1", params![sql_of(up_to)])?;
        Box::new(transaction).commit()
    }

    fn outgoing_messages(&self, limit: usize) -> Result<Vec<(u64, OutgoingMessage)>, StoreError> {
        self.read(|reader| {
            let mut statement = reader.prepare_cached(
                "SELECT seq, exchange, key, is_mandatory, properties, body FROM outgoing_message \
                 ORDER BY seq LIMIT ?1",
            )?;
            let mut rows = statement.query([limit as i64])?;
            let mut messages = Vec::new();
            let mut bytes = 0;
            while bytes < LARGEST_READ
                && let Some(row) = rows.next()?
            {
                let (place, message) = message_of(row)?;
                bytes += message.body.len() + message.properties.len();
                messages.push((place, message));
            }
            Ok(messages)
        })
    }

    fn forget_outgoing_messages(&self, up_to: u64) -> Result<(), StoreError> {
        let transaction = self.transaction()?;
        transaction.write("DELETE FROM outgoing_message WHERE seq <= ?1", params![sql_of(up_to)])?;
        Box::new(transaction).commit()
    }

    fn lease(&self, name: &str, holder: Uuid, for_ms: u64, now_ms: u64) -> Result<Option<u64>, StoreError> {
        let transaction = self.transaction()?;
        let epoch = lease::take(&transaction, name, holder, for_ms, now_ms)?;
        if epoch.is_some() {
            Box::new(transaction).commit()?;
        }
        Ok(epoch)
    }

    fn query(&self, sql: &str, values: &[Value]) -> Result<Vec<Row>, TablesError> {
        let found = self.read(|reader| tables::query(reader, sql, values));
        found.map_err(|error| match error {
            StoreError::Sqlite { place, source } => tables::failed(&place, sql, source),
            other => other.into(),
        })
    }

    fn ended_beyond(&self, commands: u64) -> Result<Option<u64>, StoreError> {
        self.read(|reader| {
            // Where there are not so many at all, that is known at once.
            let span = "SELECT coalesce(max(seq), 0) - coalesce((SELECT min(seq) FROM inbox), 0) FROM inbox";
            let span: i64 = reader.prepare_cached(span)?.query_row([], |row| row.get(0))?;
            if span.cast_unsigned() < commands {
                return Ok(None);
            }
            let sql = "SELECT ended_ms FROM inbox WHERE state >= 2 ORDER BY ended_ms DESC LIMIT 1 OFFSET ?1";
            let ended: Option<i64> =
                reader.prepare_cached(sql)?.query_row([sql_of(commands)], |row| row.get(0)).optional()?;
            Ok(ended.map(i64::cast_unsigned))
        })
    }

    fn sweep(&self, sweep: &Sweep, now_ms: u64) -> Result<usize, StoreError> {
        let is_there = self.read(|reader| {
            let sql = "SELECT 1 FROM inbox WHERE state >= 2 AND ended_ms < ?1 LIMIT 1";
            reader.prepare_cached(sql)?.exists([sql_of(sweep.ended_before_ms)])
        })?;
        if !is_there {
            return Ok(0);
        }
        let mut transaction = self.transaction()?;
        let swept = transaction.sweep(sweep, now_ms)?;
        Box::new(transaction).commit()?;
        Ok(swept)
    }

    fn begin_serving(&self) -> Result<bool, StoreError> {
        let transaction = self.transaction()?;
        let has_ended = serving::begin(&transaction, self.own)?;
        Box::new(transaction).commit()?;
        Ok(has_ended)
    }

    fn end_serving(&self) -> Result<(), StoreError> {
        let transaction = self.transaction()?;
        transaction.write("DELETE FROM serving WHERE own = ?1", [self.own.as_bytes()])?;
        Box::new(transaction).commit()
    }

    fn note(&self, message: Uuid) -> Result<Note, StoreError> {
        let transaction = self.transaction()?;
        let note = serving::note(&transaction, self.own, message)?;
        if note == Note::Begun {
            Box::new(transaction).commit()?;
        }
        Ok(note)
    }

    fn forget_note(&self, message: Uuid) -> Result<(), StoreError> {
        let transaction = self.transaction()?;
        serving::forget(&transaction, self.own, message)?;
        Box::new(transaction).commit()
    }

    fn is_noted(&self, message: Uuid) -> Result<bool, StoreError> {
        self.read(|reader| {
            reader.prepare_cached("SELECT 1 FROM handling WHERE id = ?1")?.exists([message.as_bytes()])
        })
    }
}
