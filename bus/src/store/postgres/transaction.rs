//! One commit in the making, on a connection of its own.
//!
//! Events wait here until something needs their positions, so that they and the changes of a batch are one call.

use std::sync::Arc;

use sqlx::Executor;
use sqlx::postgres::PgConnection;
use tick_sdk::contracts::CommandId;
use tick_sdk::contracts::bus::CommandsForgotten;
use uuid::Uuid;

use super::pool::Lent;
use super::rows::{COMMAND, ChangeColumns, CommandColumns, EventColumns, HandledColumns, due_of, sql_of};
use super::{Opened, statements, tables};
use crate::store::{
    Acceptance, DueCommand, LARGEST_READ, NewCommand, NewEvent, OutgoingMessage, StateChange, StoreError,
    StoreTransaction, StoredEvent, Sweep,
};
use crate::tables::{Row, Tables, TablesError, Value};

/// A connection with a transaction begun.
pub(super) struct PostgresTransaction {
    /// `None` once it was given back.
    lent: Option<Lent>,
    opened: Arc<Opened>,
    /// As who it wakes others; `None` where nobody was there to be woken when it began.
    wakes_as: Option<i32>,
    /// Appended, and not yet sent to the server.
    pending: EventColumns,
    pending_bytes: usize,
    now_ms: u64,
    /// Of the last event that the server was sent. Known once the log is locked.
    position: Option<u64>,
    /// The last one may be among the removed ones.
    has_removed_last: bool,
    /// What was said about a statement that the server refused: it refuses all that follow.
    refused: Option<String>,
    /// The server is away, or has ended the transaction so that others can go on.
    is_lost: bool,
    /// What it handles is committed beside others, and gets its positions afterwards.
    is_beside: bool,
    /// Nobody else appends until it ends.
    has_locked: bool,
    /// What it has appended, for the readers of this process.
    appended: Vec<StoredEvent>,
    /// Commands or messages that are to be sent.
    has_sent: bool,
    /// Some of what readers have may be removed.
    has_removed: bool,
}

impl PostgresTransaction {
    /// As [`PostgresTransaction::begin`], for one of several of a handler.
    pub(super) fn begin_beside(opened: &Arc<Opened>) -> Result<Self, StoreError> {
        let mut transaction = Self::begin(opened)?;
        transaction.is_beside = true;
        Ok(transaction)
    }

    pub(super) fn begin(opened: &Arc<Opened>) -> Result<Self, StoreError> {
        let ((), lent) = opened.pool.begin(async |connection| connection.execute("BEGIN").await.map(drop))?;
        Ok(Self {
            lent: Some(lent),
            opened: opened.clone(),
            wakes_as: opened.wakes_as(),
            pending: EventColumns::default(),
            pending_bytes: 0,
            now_ms: 0,
            position: None,
            has_removed_last: false,
            refused: None,
            is_lost: false,
            is_beside: false,
            has_locked: false,
            appended: Vec::new(),
            has_sent: false,
            has_removed: false,
        })
    }

    fn place(&self) -> String {
        self.opened.pool.place().to_owned()
    }

    fn given_up(&self, reason: &str) -> StoreError {
        StoreError::GivenUp { place: self.place(), reason: reason.to_owned() }
    }

    fn refusal(&self, reason: &str) -> StoreError {
        StoreError::Refused { place: self.place(), reason: reason.to_owned() }
    }

    /// Waits for what the server does; after an error it does nothing more.
    fn act<T>(
        &mut self,
        act: impl AsyncFnOnce(&mut PgConnection) -> sqlx::Result<T>,
    ) -> Result<T, StoreError> {
        if let Some(before) = &self.refused {
            return Err(self.refusal(before));
        }
        let lent = self.lent.as_mut().filter(|_| !self.is_lost);
        let Some(lent) = lent else { return Err(self.given_up("the server ended it after an error")) };
        lent.wait(act).map_err(|source| {
            let error = lent.pool().failed(source);
            self.is_lost = error.may_pass();
            self.refused = (!self.is_lost).then(|| error.to_string());
            error
        })
    }

    fn on_tables<T>(
        &mut self,
        sql: &str,
        act: impl AsyncFnOnce(&mut PgConnection) -> sqlx::Result<T>,
    ) -> Result<T, TablesError> {
        if let Some(before) = &self.refused {
            return Err(TablesError::AfterError { statement: sql.into(), before: before.clone() });
        }
        self.act(act).map_err(|error| {
            if matches!(&error, StoreError::Postgres { source, .. } if tables::is_too_slow(source)) {
                // That is the handler's failure, and counted as an attempt.
                self.is_lost = false;
                self.refused = Some(error.to_string());
            }
            tables::failed(sql, error)
        })
    }

    /// Sends what waits, with these changes; `false`: one of them was not made.
    fn write(&mut self, changes: &[StateChange<'_>], now_ms: u64) -> Result<bool, StoreError> {
        let mut events = std::mem::take(&mut self.pending);
        self.pending_bytes = 0;
        changes.iter().for_each(|change| events.push(change.event.clone()));
        let (own, changes) = (self.wakes_as, ChangeColumns::of(changes, now_ms));
        self.has_locked = true;
        let written =
            self.act(async |connection| statements::write(connection, own, &events, &changes, now_ms).await)?;
        let Some(position) = written else { return Ok(false) };
        self.position = Some(position);
        self.has_removed_last &= events.len() == 0;
        self.appended.extend(events.into_stored(position, now_ms));
        Ok(true)
    }

    /// Says in this process what is new, and to others that came while it was written.
    fn note_commit(&mut self) {
        if self.has_sent {
            self.opened.commands.note();
            self.opened.messages.note();
        }
        if self.has_removed {
            self.opened.tail.clear();
        } else if !self.appended.is_empty() {
            self.opened.tail.push(std::mem::take(&mut self.appended));
        }
        if self.wakes_as.is_none() {
            self.opened.wake_newcomers();
        }
    }

    fn flush(&mut self) -> Result<(), StoreError> {
        if self.pending.len() > 0 {
            self.write(&[], self.now_ms)?;
        }
        Ok(())
    }

    /// As [`Store::sweep`](crate::store::Store::sweep). What another process forgets, or requeues, at this moment
    /// is left to it.
    pub(super) fn sweep(&mut self, sweep: &Sweep, now_ms: u64) -> Result<usize, StoreError> {
        let (before, known, limit) =
            (sql_of(sweep.ended_before_ms), sql_of(sweep.known_before_ms), sweep.limit as i64);
        // The log comes first, as in every transaction, so that none waits for another that waits for it.
        self.position()?;
        self.has_removed = true;
        let found: Vec<(Uuid, Vec<i64>)> = self.act(async |connection| {
            let sql = "WITH old AS (
                    SELECT seq, ended_ms FROM inbox WHERE state >= 2 AND ended_ms < $1
                    ORDER BY ended_ms LIMIT $2 FOR UPDATE SKIP LOCKED
                ), gone AS (
                    DELETE FROM inbox i USING old WHERE i.seq = old.seq
                    RETURNING i.command_id, i.positions, old.ended_ms, i.seq
                )
                SELECT command_id, positions FROM gone ORDER BY ended_ms, seq";
            sqlx::query_as(sql).bind(before).bind(limit).fetch_all(connection).await
        })?;
        let mut forgotten = CommandsForgotten { command_ids: Vec::with_capacity(found.len()) };
        let mut positions = Vec::new();
        for (command_id, of_command) in found {
            forgotten.command_ids.push(CommandId(command_id));
            positions.extend(of_command);
        }
        let swept = forgotten.command_ids.len();
        self.append(&[NewEvent::of_bus(CommandsForgotten::NAME, &forgotten)], now_ms)?;
        let position = sql_of(self.position()?);
        self.act(async |connection| {
            // They are in order of time, so that the first that is too young ends the search.
            let sql = "WITH old AS (
                    DELETE FROM forgotten WHERE position IN (
                        SELECT position FROM (SELECT position, at_ms FROM forgotten ORDER BY position LIMIT $2) f
                        WHERE at_ms < $1)
                    RETURNING position
                ), said AS (INSERT INTO forgotten (position, at_ms) VALUES ($3, $4))
                DELETE FROM event
                WHERE position = ANY ($5) OR position = ANY (ARRAY (SELECT position FROM old))";
            let deleting = sqlx::query(sql).bind(known).bind(limit).bind(position).bind(sql_of(now_ms));
            deleting.bind(positions).execute(connection).await.map(drop)
        })?;
        Ok(swept)
    }
}

impl StoreTransaction for PostgresTransaction {
    fn append(&mut self, events: &[NewEvent], now_ms: u64) -> Result<(), StoreError> {
        if now_ms != self.now_ms || self.pending_bytes > LARGEST_READ {
            self.flush()?;
        }
        self.now_ms = now_ms;
        for event in events {
            self.pending_bytes += event.body.len();
            self.pending.push(event.clone());
        }
        Ok(())
    }

    fn remove_events(&mut self, first: u64, last: u64) -> Result<(), StoreError> {
        self.has_removed_last |= last >= self.position()?;
        self.has_removed = true;
        self.act(async |connection| {
            let sql = "DELETE FROM event WHERE position BETWEEN $1 AND $2";
            sqlx::query(sql).bind(sql_of(first)).bind(sql_of(last)).execute(connection).await.map(drop)
        })
    }

    fn accept(&mut self, command: &NewCommand, now_ms: u64) -> Result<Acceptance, StoreError> {
        self.flush()?;
        let (own, command) = (self.wakes_as, std::slice::from_ref(command));
        self.has_locked = true;
        let answers =
            self.act(async |connection| statements::accept(connection, own, command, now_ms).await)?;
        let answer = answers.first().copied().unwrap_or(Acceptance::Known);
        if answer == Acceptance::New {
            // Asked for again where it is needed.
            self.position = None;
            self.has_removed_last = false;
        }
        Ok(answer)
    }

    fn change(&mut self, change: &StateChange<'_>, now_ms: u64) -> Result<bool, StoreError> {
        // What waits is appended, whatever becomes of the change.
        self.flush()?;
        self.write(std::slice::from_ref(change), now_ms)
    }

    fn change_all(&mut self, changes: &[StateChange<'_>], now_ms: u64) -> Result<bool, StoreError> {
        if now_ms != self.now_ms {
            self.flush()?;
        }
        let are_made = changes.is_empty() || self.write(changes, now_ms)?;
        if !are_made {
            self.refused = Some("a command was changed by somebody else".to_owned());
        }
        Ok(are_made)
    }

    fn handle_new(
        &mut self,
        commands: &[DueCommand],
        changes: &[StateChange<'_>],
        events: &[NewEvent],
        now_ms: u64,
    ) -> Result<bool, StoreError> {
        self.flush()?;
        let handled = HandledColumns::of(commands, changes, now_ms);
        let mut columns = EventColumns::default();
        commands.iter().for_each(|due| columns.push(NewEvent::accepted(&due.command)));
        events.iter().for_each(|event| columns.push(event.clone()));
        changes.iter().for_each(|change| columns.push(change.event.clone()));
        // Whoever has locked the log appends at once.
        let (own, is_staged) = (self.wakes_as, self.is_beside && !self.has_locked);
        let written = self.act(async |connection| {
            statements::handle(connection, own, is_staged, &handled, &columns, now_ms).await
        })?;
        match written {
            None => {
                self.refused = Some("a command is known already".to_owned());
                return Ok(false);
            }
            Some(_) if is_staged => {}
            Some(position) => {
                self.position = Some(position);
                self.has_removed_last = false;
                self.appended.extend(columns.into_stored(position, now_ms));
            }
        }
        Ok(true)
    }

    fn send(&mut self, commands: &[NewCommand]) -> Result<(), StoreError> {
        let (own, columns) = (self.wakes_as, CommandColumns::of(commands));
        self.has_locked = true;
        self.has_sent = true;
        // Places are given while the log is locked, so in the order of commits: whoever forgets what was sent up
        // to one has seen all before it.
        self.act(async |connection| {
            let sql = "INSERT INTO outgoing (command_id, conversation_id, initiator_id, name, version, endpoint,
                    caller, body, original)
                SELECT c.id, c.conversation, c.initiator, c.name, c.version, c.endpoint, c.caller, c.body, c.original
                FROM lock_log(), wake($1, 'e'), unnest($2, $3, $4, $5, $6, $7, $8, $9, $10) WITH ORDINALITY
                    c (id, conversation, initiator, name, version, endpoint, caller, body, original, n)
                ORDER BY c.n";
            sqlx::query(sql)
                .bind(own)
                .bind(columns.ids)
                .bind(columns.conversation_ids)
                .bind(columns.initiator_ids)
                .bind(columns.names)
                .bind(columns.versions)
                .bind(columns.endpoints)
                .bind(columns.callers)
                .bind(columns.bodies)
                .bind(columns.originals)
                .execute(connection)
                .await
                .map(drop)
        })
    }

    fn send_messages(&mut self, messages: &[OutgoingMessage]) -> Result<(), StoreError> {
        let own = self.wakes_as;
        self.has_locked = true;
        self.has_sent = true;
        self.act(async |connection| {
            let sql = "INSERT INTO outgoing_message (exchange, key, is_mandatory, properties, body)
                SELECT m.exchange, m.key, m.is_mandatory, m.properties, m.body
                FROM lock_log(), wake($1, 'e'), unnest($2, $3, $4, $5, $6) WITH ORDINALITY
                    m (exchange, key, is_mandatory, properties, body, n)
                ORDER BY m.n";
            sqlx::query(sql)
                .bind(own)
                .bind(messages.iter().map(|message| message.exchange.as_str()).collect::<Vec<_>>())
                .bind(messages.iter().map(|message| message.key.as_str()).collect::<Vec<_>>())
                .bind(messages.iter().map(|message| message.is_mandatory).collect::<Vec<_>>())
                .bind(messages.iter().map(|message| message.properties.as_slice()).collect::<Vec<_>>())
                .bind(messages.iter().map(|message| message.body.as_slice()).collect::<Vec<_>>())
                .execute(connection)
                .await
                .map(drop)
        })
    }

    fn move_cursor(&mut self, consumer: &str, context: &str, from: u64, to: u64) -> Result<bool, StoreError> {
        self.act(async |connection| statements::move_cursor(connection, consumer, context, from, to).await)
    }

    fn find(&mut self, command: CommandId) -> Result<Option<DueCommand>, StoreError> {
        let sql = format!("SELECT {COMMAND}, attempts, accepted_ms FROM inbox WHERE command_id = $1");
        self.act(async |connection| {
            let finding = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(command.0);
            finding.fetch_optional(connection).await?.as_ref().map(due_of).transpose()
        })
    }

    fn settle_note(&mut self, message: Uuid, deaths: Option<u32>) -> Result<(), StoreError> {
        self.act(async |connection| {
            let settling = match deaths {
                None => sqlx::query("DELETE FROM handling WHERE id = $1").bind(message),
                Some(deaths) => sqlx::query("UPDATE handling SET own = NULL, deaths = $2 WHERE id = $1")
                    .bind(message)
                    .bind(i64::from(deaths)),
            };
            settling.execute(connection).await.map(drop)
        })
    }

    fn is_open(&self) -> bool {
        !self.is_lost
    }

    fn position(&mut self) -> Result<u64, StoreError> {
        self.flush()?;
        if let Some(position) = self.position {
            return Ok(position);
        }
        self.has_locked = true;
        let locked: i64 =
            self.act(async |connection| sqlx::query_scalar("SELECT lock_log()").fetch_one(connection).await)?;
        self.position = Some(locked.cast_unsigned());
        Ok(locked.cast_unsigned())
    }

    fn tables(&mut self) -> &mut dyn Tables {
        self
    }

    fn commit(mut self: Box<Self>) -> Result<(), StoreError> {
        self.flush()?;
        if self.has_removed_last {
            return Err(self.refusal(
                "it removed the last event without a later one, so that its position would be given again",
            ));
        }
        self.act(async |connection| connection.execute("COMMIT").await.map(drop))?;
        if let Some(lent) = self.lent.take() {
            lent.give_back();
        }
        self.note_commit();
        Ok(())
    }
}

impl Tables for PostgresTransaction {
    fn execute(&mut self, sql: &str, values: &[Value]) -> Result<u64, TablesError> {
        self.on_tables(sql, async |connection| tables::execute(connection, sql, values).await)
    }

    fn query(&mut self, sql: &str, values: &[Value]) -> Result<Vec<Row>, TablesError> {
        self.on_tables(sql, async |connection| tables::query(connection, sql, values).await)
    }
}

impl Drop for PostgresTransaction {
    fn drop(&mut self) {
        let Some(mut lent) = self.lent.take() else { return };
        match lent.wait(async |connection| connection.execute("ROLLBACK").await) {
            Ok(_) => lent.give_back(),
            // The server does it as the connection is closed.
            Err(error) => {
                tracing::debug!(place = self.place(), %error, "a transaction could not be rolled back")
            }
        }
    }
}
