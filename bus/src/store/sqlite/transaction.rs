//! One commit in the making, on the connection that writes.

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, params};
use tick_sdk::contracts::CommandId;
use tick_sdk::contracts::bus::CommandsForgotten;
use uuid::Uuid;

use super::completing::Run;
use super::rows::{DUE, DUE_FROM, due_of};
use super::{Writer, appending, head_of, serving, sql_of};
use crate::store::{
    Acceptance, CommandState, DueCommand, NewCommand, NewEvent, OutgoingMessage, StateChange, StateKind,
    StoreError, StoreTransaction, Sweep,
};
use crate::tables::Tables;

const UPDATE_STATE: &str = "\
    UPDATE inbox SET state = ?1, attempts = coalesce(?2, attempts), due_ms = coalesce(?3, due_ms), \
    ended_ms = ?4, positions = CAST(positions || ?5 AS BLOB) \
    WHERE seq = (SELECT seq FROM command WHERE command_id = ?6) AND state = ?7 AND attempts = coalesce(?8, attempts)";

/// The writer's connection with a transaction begun.
pub(super) struct SqliteTransaction {
    /// `None` once it was given back.
    connection: Option<Connection>,
    /// Of the last event that was appended.
    position: u64,
    /// The last one may be among the removed ones.
    has_removed_last: bool,
    /// A statement on the context's own tables failed: so does the commit.
    pub(super) refused: Option<StoreError>,
    writer: Arc<Writer>,
}

impl SqliteTransaction {
    pub(super) fn begin(writer: Arc<Writer>) -> Result<Self, StoreError> {
        let connection = writer.take()?;
        let mut transaction = Self {
            connection: Some(connection),
            position: 0,
            has_removed_last: false,
            refused: None,
            writer,
        };
        let connection = transaction.connection_ref();
        let begun = connection.execute_batch("BEGIN IMMEDIATE").and_then(|()| head_of(connection));
        transaction.position = begun.map_err(|source| transaction.failed(source))?;
        Ok(transaction)
    }

    pub(super) fn connection_ref(&self) -> &Connection {
        self.connection.as_ref().expect("it is given back at the end only")
    }

    pub(super) fn place(&self) -> &str {
        &self.writer.place
    }

    pub(super) fn write(&self, sql: &str, params: impl rusqlite::Params) -> Result<usize, StoreError> {
        self.check_open()?;
        let executed =
            self.connection_ref().prepare_cached(sql).and_then(|mut statement| statement.execute(params));
        executed.map_err(|source| self.failed(source))
    }

    pub(super) fn read<T>(
        &self,
        query: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        query(self.connection_ref()).map_err(|source| self.failed(source))
    }

    /// SQLite rolls back by itself after some errors. What was written from then on would be a commit of its own.
    pub(super) fn check_open(&self) -> Result<(), StoreError> {
        if self.is_open() {
            return Ok(());
        }
        let reason = "SQLite rolled it back after an error".to_owned();
        Err(StoreError::GivenUp { place: self.writer.place.clone(), reason })
    }

    fn failed(&self, source: rusqlite::Error) -> StoreError {
        StoreError::Sqlite { place: self.writer.place.clone(), source }
    }

    fn append_one(&mut self, event: &NewEvent, now_ms: u64) -> Result<(), StoreError> {
        self.append(std::slice::from_ref(event), now_ms)
    }

    fn append_all(&mut self, events: &[&NewEvent], now_ms: u64) -> Result<(), StoreError> {
        self.check_open()?;
        let id_of = |position| self.writer.message_ids.of(position, now_ms);
        self.read(|connection| appending::insert(connection, events, self.position + 1, now_ms, id_of))?;
        self.position += events.len() as u64;
        self.has_removed_last &= events.is_empty();
        Ok(())
    }

    /// As [`Store::sweep`](crate::store::Store::sweep). What it deletes was found in this very transaction: a
    /// command that is requeued meanwhile is not among it.
    pub(super) fn sweep(&mut self, sweep: &Sweep, now_ms: u64) -> Result<usize, StoreError> {
        let found =
            self.ended_before(sweep.ended_before_ms, sweep.limit).map_err(|source| self.failed(source))?;
        let mut forgotten = CommandsForgotten { command_ids: Vec::with_capacity(found.len()) };
        for Ended { seq, command_id, positions, last_position } in &found {
            self.write("DELETE FROM inbox WHERE seq = ?1", params![seq])?;
            self.write("DELETE FROM command WHERE seq = ?1", params![seq])?;
            let positions = positions.as_chunks::<8>().0.iter().map(|position| i64::from_le_bytes(*position));
            for position in positions.chain(*last_position) {
                self.write("DELETE FROM event WHERE position = ?1", params![position])?;
            }
            forgotten.command_ids.push(*command_id);
        }
        // It comes last in the log, so that the last position is never given again.
        self.append(&[NewEvent::of_bus(CommandsForgotten::NAME, &forgotten)], now_ms)?;
        self.drop_forgotten(sweep.known_before_ms, sweep.limit)?;
        let sql = "INSERT INTO forgotten (position, at_ms) VALUES (?1, ?2)";
        self.write(sql, params![sql_of(self.position), sql_of(now_ms)])?;
        Ok(found.len())
    }

    /// Who reads the log has long known what was forgotten before this time.
    fn drop_forgotten(&self, before_ms: u64, limit: usize) -> Result<(), StoreError> {
        // They are in order of time, so that the first that is too young ends the search.
        const OLD: &str = "SELECT position FROM (SELECT position, at_ms FROM forgotten ORDER BY position LIMIT ?2) \
                           WHERE at_ms < ?1";
        let bounds = params![sql_of(before_ms), limit as i64];
        self.write(&format!("DELETE FROM event WHERE position IN ({OLD})"), bounds)?;
        self.write(&format!("DELETE FROM forgotten WHERE position IN ({OLD})"), bounds)?;
        Ok(())
    }

    fn ended_before(&self, ended_before_ms: u64, limit: usize) -> rusqlite::Result<Vec<Ended>> {
        let mut statement = self.connection_ref().prepare_cached(
            "SELECT inbox.seq, command_id, positions, last_position FROM inbox CROSS JOIN command ON command.seq = inbox.seq \
             WHERE state >= 2 AND ended_ms < ?1 ORDER BY ended_ms LIMIT ?2",
        )?;
        let rows = statement.query_map(params![sql_of(ended_before_ms), limit as i64], |row| {
            let command_id = CommandId(uuid::Uuid::from_bytes(row.get(1)?));
            Ok(Ended { seq: row.get(0)?, command_id, positions: row.get(2)?, last_position: row.get(3)? })
        })?;
        rows.collect()
    }

    /// What a command stands for is in the inbox already.
    fn known(&self, command: &NewCommand) -> Result<Option<Acceptance>, StoreError> {
        let sql = "SELECT body_hash FROM command WHERE command_id = ?1";
        let found = self.connection_ref().prepare_cached(sql).and_then(|mut statement| {
            statement.query_row([command.command_id.0.as_bytes()], |row| row.get::<_, [u8; 16]>(0)).optional()
        });
        let found = found.map_err(|source| self.failed(source))?;
        Ok(found.map(|hash| {
            if hash == command.body_hash().into_bytes() { Acceptance::Known } else { Acceptance::OtherBody }
        }))
    }
}

/// Moves a command to its next state; its event gets this position. `false`: it is not as it should be.
fn update_state(
    connection: &Connection,
    change: &StateChange<'_>,
    position: u64,
    now_ms: u64,
) -> rusqlite::Result<bool> {
    let from = match change.from {
        StateKind::Waiting => 0,
        StateKind::Processing => 1,
        StateKind::Failed => 3,
    };
    let (to, due_ms, ended) = match change.to {
        CommandState::Waiting { due_ms } => (0, Some(due_ms), false),
        CommandState::Processing => (1, None, false),
        CommandState::Completed => (2, None, true),
        CommandState::Failed => (3, None, true),
        CommandState::Cancelled => (4, None, true),
    };
    let changed = connection.prepare_cached(UPDATE_STATE)?.execute(params![
        to,
        change.attempts,
        due_ms.map(sql_of),
        ended.then_some(sql_of(now_ms)),
        position.to_le_bytes(),
        change.command_id.0.as_bytes(),
        from,
        change.expected_attempts,
    ])?;
    Ok(changed > 0)
}

impl StoreTransaction for SqliteTransaction {
    fn append(&mut self, events: &[NewEvent], now_ms: u64) -> Result<(), StoreError> {
        self.append_all(&events.iter().collect::<Vec<_>>(), now_ms)
    }

    fn remove_events(&mut self, first: u64, last: u64) -> Result<(), StoreError> {
        self.write(
            "DELETE FROM event WHERE position BETWEEN ?1 AND ?2",
            params![sql_of(first), sql_of(last)],
        )?;
        self.has_removed_last |= last >= self.position;
        Ok(())
    }

    fn accept(&mut self, command: &NewCommand, now_ms: u64) -> Result<Acceptance, StoreError> {
        if let Some(known) = self.known(command)? {
            return Ok(known);
        }
        self.append_one(&NewEvent::accepted(command), now_ms)?;
        self.write(
            "INSERT INTO command (command_id, conversation_id, initiator_id, name, version, endpoint, caller, \
             body, body_hash, accepted_ms, original) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
            params![
                command.command_id.0.as_bytes(),
                command.conversation_id.0.as_bytes(),
                command.initiator_id.map(|id| id.0.into_bytes()),
                command.name,
                command.version,
                command.endpoint,
                command.caller,
                command.body,
                command.body_hash().as_bytes(),
                sql_of(now_ms),
                command.original,
            ],
        )?;
        let seq = self.connection_ref().last_insert_rowid();
        self.write(
            // As large as it is once the command has completed: the row is then written over where it is.
            "INSERT INTO inbox (seq, name, state, attempts, due_ms, ended_ms, positions, last_position) \
             VALUES (?1, ?2, 0, 0, ?3, -1, ?4, ?5)",
            params![seq, command.name, sql_of(now_ms), self.position.to_le_bytes(), sql_of(self.position)],
        )?;
        Ok(Acceptance::New)
    }

    fn change(&mut self, change: &StateChange<'_>, now_ms: u64) -> Result<bool, StoreError> {
        self.change_all(std::slice::from_ref(change), now_ms)
    }

    fn change_all(&mut self, changes: &[StateChange<'_>], now_ms: u64) -> Result<bool, StoreError> {
        let mut left = changes;
        let mut has_runs = true;
        while let [next, ..] = left {
            self.check_open()?;
            let position = self.position + 1;
            let run = if has_runs { self.read(|connection| Run::of(connection, left))? } else { None };
            has_runs = run.is_some();
            let (is_made, count) = match run {
                Some(run) => {
                    (self.read(|connection| run.complete(connection, position, now_ms))?, run.length)
                }
                None => (self.read(|connection| update_state(connection, next, position, now_ms))?, 1),
            };
            if !is_made {
                return Ok(false);
            }
            let events: Vec<_> = left[..count].iter().map(|change| change.event).collect();
            self.append_all(&events, now_ms)?;
            left = &left[count..];
        }
        Ok(true)
    }

    fn send(&mut self, commands: &[NewCommand]) -> Result<(), StoreError> {
        for command in commands {
            self.write(
                "INSERT INTO outgoing (command_id, conversation_id, initiator_id, name, version, endpoint, \
                 caller, body, original) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
                params![
                    command.command_id.0.as_bytes(),
                    command.conversation_id.0.as_bytes(),
                    command.initiator_id.map(|id| id.0.into_bytes()),
                    command.name,
                    command.version,
                    command.endpoint,
                    command.caller,
                    command.body,
                    command.original,
                ],
            )?;
        }
        Ok(())
    }

    fn send_messages(&mut self, messages: &[OutgoingMessage]) -> Result<(), StoreError> {
        for OutgoingMessage { exchange, key, is_mandatory, properties, body } in messages {
            self.write(
                "INSERT INTO outgoing_message (exchange, key, is_mandatory, properties, body) \
                 VALUES (?1, ?2, ?3, ?4, ?5)",
                params![exchange, key, is_mandatory, properties, body],
            )?;
        }
        Ok(())
    }

    fn move_cursor(&mut self, consumer: &str, context: &str, from: u64, to: u64) -> Result<bool, StoreError> {
        let moved = self.write(
            "UPDATE cursor SET position = ?4 WHERE consumer = ?1 AND context = ?2 AND position = ?3",
            params![consumer, context, sql_of(from), sql_of(to)],
        )?;
        if moved > 0 || from > 0 {
            return Ok(moved > 0);
        }
        let begun = self.write(
            "INSERT INTO cursor (consumer, context, position) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
            params![consumer, context, sql_of(to)],
        )?;
        Ok(begun > 0)
    }

    fn find(&mut self, command: CommandId) -> Result<Option<DueCommand>, StoreError> {
        let sql = format!(
            "SELECT {DUE} FROM {DUE_FROM} WHERE inbox.seq = (SELECT seq FROM command WHERE command_id = ?1)"
        );
        self.read(|connection| {
            connection.prepare_cached(&sql)?.query_row([command.0.as_bytes()], due_of).optional()
        })
    }

    fn settle_note(&mut self, message: Uuid, deaths: Option<u32>) -> Result<(), StoreError> {
        serving::settle(self, message, deaths)
    }

    fn is_open(&self) -> bool {
        !self.connection_ref().is_autocommit()
    }

    fn position(&mut self) -> Result<u64, StoreError> {
        Ok(self.position)
    }

    fn tables(&mut self) -> &mut dyn Tables {
        self
    }

    fn commit(mut self: Box<Self>) -> Result<(), StoreError> {
        self.check_open()?;
        if let Some(refused) = self.refused.take() {
            return Err(refused);
        }
        if self.has_removed_last {
            let reason =
                "it removed the last event without a later one, so that its position would be given again";
            return Err(StoreError::Refused { place: self.writer.place.clone(), reason: reason.to_owned() });
        }
        self.connection_ref().execute_batch("COMMIT").map_err(|source| self.failed(source))?;
        if let Some(connection) = self.connection.take() {
            self.writer.give_back(connection);
        }
        Ok(())
    }
}

impl Drop for SqliteTransaction {
    fn drop(&mut self) {
        let Some(connection) = self.connection.take() else { return };
        if !connection.is_autocommit()
            && let Err(error) = connection.execute_batch("ROLLBACK")
        {
            tracing::error!(place = %self.writer.place, %error, "a transaction could not be rolled back");
        }
        self.writer.give_back(connection);
    }
}

/// An ended command, as much of it as is needed to forget it.
struct Ended {
    seq: i64,
    command_id: CommandId,
    /// Of its status events, 8 bytes each.
    positions: Vec<u8>,
    /// Of one more, or of one of them.
    last_position: Option<i64>,
}
