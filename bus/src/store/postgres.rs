//! A context's store in a PostgreSQL database, in a schema of the context's name.
//!
//! Several processes may serve one context: commands that are due are handed to one of them, cursors and leases
//! are compared when they are moved, and positions are given in the order of commits. Each commit wakes the
//! other processes. While the server is away, calls fail with errors that may pass.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sqlx::AssertSqlSafe;
use sqlx::postgres::PgConnection;
use tick_sdk::contracts::CommandId;
use uuid::Uuid;

use super::{
    Acceptance, Change, CommandState, DueCommand, LARGEST_READ, LogPage, NewCommand, Note, OutgoingMessage,
    Store, StoreError, StoreTransaction, Sweep,
};
use crate::tables::{Row, TablesError, Value};

mod listen;
mod pool;
mod reactor;
mod rows;
mod schema;
mod statements;
mod tables;
mod tail;
mod transaction;
mod unsent;

use listen::{Joining, Seat, Shared};
pub use pool::Pool as PostgresPool;
use pool::Pool;
use rows::{COMMAND, event_of, handed_of, message_of, outgoing_of, sql_of, state_of};
use tail::Tail;
use transaction::PostgresTransaction;
use unsent::Unsent;

/// What another process was handed and has not ended is looked at again after this time.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// A context's name is part of a channel's, which has 63 bytes at most.
const LONGEST_NAME: usize = 50;

/// A context's store in a PostgreSQL database.
pub struct PostgresStore {
    pool: Arc<Pool>,
    /// The number of this store among those that serve the context.
    own: i32,
    seat: Seat,
    opened: Arc<Opened>,
}

/// An open store, as its transactions know it.
struct Opened {
    pool: Arc<Pool>,
    own: i32,
    shared: Arc<Shared>,
    tail: Tail,
    /// Commands that handlers have sent.
    commands: Unsent,
    /// Messages for a broker.
    messages: Unsent,
}

impl Opened {
    /// As who a transaction wakes others; `None` where nobody is there.
    fn wakes_as(&self) -> Option<i32> {
        self.shared.has_company().then_some(self.own)
    }

    /// Wakes those that came after a transaction had found nobody to wake. Where the server is away they look for
    /// themselves, when it is back.
    fn wake_newcomers(&self) {
        if !self.shared.has_company() {
            return;
        }
        let woken = self.pool.run(async |connection| {
            sqlx::query("SELECT wake($1, 'c'), wake($1, 'e')").bind(self.own).execute(connection).await
        });
        if let Err(error) = woken {
            tracing::debug!(%error, "others find what was committed by a look");
        }
    }
}

impl PostgresStore {
    /// Opens a context's schema in the database of a `postgres://` URL, and makes it where it is missing; several
    /// processes may do so at once. `tables` are the context's own, written as
    /// [`SqliteStore::open`](crate::SqliteStore::open) takes them.
    ///
    /// It needs sessions of its own: a pooler that lends one to several clients breaks it.
    ///
    /// # Errors
    /// The URL cannot be read, the server is away or refuses, or the schema is of another version.
    pub fn open(url: &str, context: &str, tables: &str) -> Result<Self, StoreError> {
        Self::open_as(url, context, tables, true)
    }

    /// As [`PostgresStore::open`], for who reads the log and carries out nothing: no command is kept for it. The
    /// context's own tables are made by whoever serves it.
    ///
    /// # Errors
    /// As [`PostgresStore::open`].
    pub fn open_to_read(url: &str, context: &str) -> Result<Self, StoreError> {
        Self::open_as(url, context, "", false)
    }

    fn open_as(url: &str, context: &str, tables: &str, serves: bool) -> Result<Self, StoreError> {
        let pool = Pool::open(url, schema::session(context))?;
        if context.is_empty() || context.len() > LONGEST_NAME || context.contains('\0') {
            let reason = format!("a context has a name of 1 to {LONGEST_NAME} bytes, not '{context}'");
            return Err(StoreError::Refused { place: pool.place().to_owned(), reason });
        }
        let found = pool.run(async |connection| schema::prepare(connection, context, tables).await)?;
        if found.version != schema::VERSION {
            let place = format!("schema {context} of {}", pool.place());
            let (found, expected) = (found.version.into(), schema::VERSION.into());
            return Err(StoreError::Schema { place, found, expected });
        }
        let joining = Joining { context, own: found.own, serves };
        let joined = Seat::join(pool.reactor(), url, pool.address(), joining);
        let seat = joined.map_err(|error| pool.failed(error))?;
        let opened = Arc::new(Opened {
            pool: pool.clone(),
            own: found.own,
            shared: seat.shared(),
            tail: Tail::default(),
            commands: Unsent::default(),
            messages: Unsent::default(),
        });
        let noting = opened.clone();
        seat.watch(Box::new(move |_| {
            noting.tail.clear();
            noting.commands.note();
            noting.messages.note();
        }));
        Ok(Self { pool, own: found.own, seat, opened })
    }

    /// Which database, without its password.
    pub fn place(&self) -> &str {
        self.pool.place()
    }
}

impl Store for PostgresStore {
    fn accept(&self, commands: &[NewCommand], now_ms: u64) -> Result<Vec<Acceptance>, StoreError> {
        // Where an answer is lost, what was stored is known when it is asked again.
        let own = self.opened.wakes_as();
        let accept =
            async |connection: &mut PgConnection| statements::accept(connection, own, commands, now_ms).await;
        let accepted = self.pool.run(accept)?;
        if own.is_none() {
            self.opened.wake_newcomers();
        }
        Ok(accepted)
    }

    fn due(&self, name: &str, now_ms: u64, limit: usize) -> Result<Vec<DueCommand>, StoreError> {
        let (now, limit) = (sql_of(now_ms), limit as i64);
        let sql = if self.seat.is_alone() {
            format!(
                "SELECT {COMMAND}, attempts, accepted_ms, claimed_by FROM inbox
                WHERE state = 0 AND name = $2 AND due_ms <= $3 AND $1 IS NOT NULL
                ORDER BY due_ms, seq LIMIT $4"
            )
        } else {
            format!("SELECT {COMMAND}, attempts, accepted_ms, claimed_by FROM claim($1, $2, $3, $4)")
        };
        self.pool.run(async |connection| {
            let finding = sqlx::query(AssertSqlSafe(sql.as_str())).bind(self.own).bind(name);
            let rows = finding.bind(now).bind(limit).fetch_all(connection).await?;
            rows.iter().map(|row| handed_of(row, self.own)).collect()
        })
    }

    fn next_due(&self, name: &str) -> Result<Option<u64>, StoreError> {
        if self.seat.is_alone() {
            let sql = "SELECT due_ms FROM inbox WHERE state = 0 AND name = $1 ORDER BY due_ms LIMIT 1";
            let due: Option<i64> = self.pool.run(async |connection| {
                sqlx::query_scalar(sql).bind(name).fetch_optional(connection).await
            })?;
            return Ok(due.map(i64::cast_unsigned));
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64);
        // What others were handed is theirs while they live, and not due here.
        let sql = "SELECT least(
            (SELECT due_ms FROM inbox WHERE state = 0 AND name = $1 AND (claimed_by IS NULL OR claimed_by = $2)
                ORDER BY due_ms LIMIT 1),
            (SELECT $3 + $4 FROM inbox WHERE state = 0 AND name = $1 AND due_ms <= $3 AND claimed_by <> $2 LIMIT 1))";
        let again = LOOK_AGAIN.as_millis() as i64;
        let due: Option<i64> = self.pool.run(async |connection| {
            let finding = sqlx::query_scalar(sql).bind(name).bind(self.own).bind(now).bind(again);
            finding.fetch_one(connection).await
        })?;
        Ok(due.map(i64::cast_unsigned))
    }

    fn state(&self, command: CommandId) -> Result<Option<CommandState>, StoreError> {
        let sql = "SELECT state, due_ms FROM inbox WHERE command_id = $1";
        let found: Option<(i16, i64)> = self
            .pool
            .run(async |connection| sqlx::query_as(sql).bind(command.0).fetch_optional(connection).await)?;
        Ok(found.map(|(state, due_ms)| state_of(state, due_ms.cast_unsigned())))
    }

    fn begin(&self) -> Result<Box<dyn StoreTransaction>, StoreError> {
        Ok(Box::new(PostgresTransaction::begin(&self.opened)?))
    }

    fn begin_beside(&self) -> Result<Box<dyn StoreTransaction>, StoreError> {
        Ok(Box::new(PostgresTransaction::begin_beside(&self.opened)?))
    }

    fn number(&self) -> Result<bool, StoreError> {
        let own = self.opened.wakes_as();
        let numbered = self.pool.run(async |connection| {
            let numbering = sqlx::query("SELECT * FROM number($1, $2)").bind(own);
            let rows = numbering.bind(tail::MOST_EVENTS as i64).fetch_all(connection).await?;
            rows.iter().rev().map(event_of).collect::<sqlx::Result<Vec<_>>>()
        })?;
        let is_any = !numbered.is_empty();
        self.opened.tail.push(numbered.into_iter().flatten().collect());
        if is_any && own.is_none() {
            self.opened.wake_newcomers();
        }
        Ok(is_any)
    }

    fn look(&self, position: u64, limit: usize, names: Option<&[&str]>) -> Result<LogPage, StoreError> {
        // Where others write, too, only the server has what follows.
        if self.seat.is_alone()
            && let Some(page) = self.opened.tail.look(position, limit, names)
        {
            return Ok(page);
        }
        // Those that come after so many bytes are left out by the server, and of those that are not asked for all but the
        // last, which says how far it has looked.
        let sql =
            "SELECT position, message_id, name, version, command_id, conversation_id, initiator_id, at_ms, body
            FROM (
                SELECT *, max(position) OVER () AS last
                FROM (
                    SELECT *, coalesce(sum(octet_length(body)) OVER (
                        ORDER BY position ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS bytes_before
                    FROM (
                        SELECT position, message_id, name, version, command_id, conversation_id, initiator_id, at_ms,
                            CASE WHEN $3::text[] IS NULL OR name = ANY ($3) THEN body END AS body
                        FROM event WHERE position > $1 ORDER BY position LIMIT $2) looked) counted
                WHERE bytes_before < $4) bounded
            WHERE body IS NOT NULL OR position = last ORDER BY position";
        let names = names.map(|names| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
        self.pool.run(async |connection| {
            let looking = sqlx::query(sql).bind(sql_of(position)).bind(limit as i64).bind(&names);
            let rows = looking.bind(LARGEST_READ as i64).fetch_all(connection).await?;
            let mut page = LogPage { events: Vec::with_capacity(rows.len()), looked_to: position };
            for row in &rows {
                page.looked_to = sqlx::Row::try_get::<i64, _>(row, 0)?.cast_unsigned();
                page.events.extend(event_of(row)?);
            }
            Ok(page)
        })
    }

    fn head(&self) -> Result<u64, StoreError> {
        let head: i64 = self
            .pool
            .run(async |connection| sqlx::query_scalar("SELECT head FROM log").fetch_one(connection).await)?;
        Ok(head.cast_unsigned())
    }

    fn cursor(&self, consumer: &str, context: &str) -> Result<u64, StoreError> {
        let sql = "SELECT position FROM cursor WHERE consumer = $1 AND context = $2";
        let position: Option<i64> = self.pool.run(async |connection| {
            sqlx::query_scalar(sql).bind(consumer).bind(context).fetch_optional(connection).await
        })?;
        Ok(position.unwrap_or(0).cast_unsigned())
    }

    fn note_cursor(&self, consumer: &str, context: &str, from: u64, to: u64) -> Result<bool, StoreError> {
        if from == 0 {
            let mut transaction = self.begin()?;
            let is_moved = transaction.move_cursor(consumer, context, from, to)?;
            transaction.commit()?;
            return Ok(is_moved);
        }
        // Where an answer is lost, whoever asks again finds the cursor moved, and reads it.
        let note = async |connection: &mut PgConnection| {
            statements::note_cursor(connection, consumer, context, from, to).await
        };
        self.pool.run(note)
    }

    fn outgoing(&self, limit: usize) -> Result<Vec<(u64, NewCommand)>, StoreError> {
        if !self.opened.commands.is_due() && self.seat.is_alone() {
            return Ok(Vec::new());
        }
        let sql = format!("SELECT seq, {COMMAND} FROM outgoing ORDER BY seq LIMIT $1");
        let found = self.pool.run(async |connection| {
            let finding = sqlx::query(AssertSqlSafe(sql.as_str())).bind(limit as i64);
            finding.fetch_all(connection).await?.iter().map(outgoing_of).collect::<sqlx::Result<Vec<_>>>()
        });
        // There may be more, and they are there until they are forgotten.
        if found.as_ref().map_or(true, |found| !found.is_empty()) {
            self.opened.commands.note();
        }
        found
    }

    fn forget_outgoing(&self, up_to: u64) -> Result<(), StoreError> {
        // One that is sent on again may get another id of its own, so that is not to happen after each crash.
        self.forget("outgoing", up_to, "on")
    }

    fn outgoing_messages(&self, limit: usize) -> Result<Vec<(u64, OutgoingMessage)>, StoreError> {
        if !self.opened.messages.is_due() && self.seat.is_alone() {
            return Ok(Vec::new());
        }
        let sql = "SELECT seq, exchange, key, is_mandatory, properties, body
            FROM (
                SELECT *, coalesce(sum(octet_length(body)) OVER (
                    ORDER BY seq ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS bytes_before
                FROM (SELECT * FROM outgoing_message ORDER BY seq LIMIT $1) first) counted
            WHERE bytes_before < $2 ORDER BY seq";
        let found = self.pool.run(async |connection| {
            let finding = sqlx::query(sql).bind(limit as i64).bind(LARGEST_READ as i64);
            finding.fetch_all(connection).await?.iter().map(message_of).collect::<sqlx::Result<Vec<_>>>()
        });
        if found.as_ref().map_or(true, |found| !found.is_empty()) {
            self.opened.messages.note();
        }
        found
    }

    fn forget_outgoing_messages(&self, up_to: u64) -> Result<(), StoreError> {
        self.forget("outgoing_message", up_to, "off")
    }

    fn lease(&self, name: &str, holder: Uuid, for_ms: u64, now_ms: u64) -> Result<Option<u64>, StoreError> {
        let sql = "INSERT INTO lease AS l (name, holder, epoch, until_ms) VALUES ($1, $2, 1, $3)
            ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, until_ms = excluded.until_ms,
                epoch = CASE WHEN l.until_ms <= $4 THEN l.epoch + 1 ELSE l.epoch END
            WHERE l.until_ms <= $4 OR l.holder = excluded.holder
            RETURNING epoch";
        let until = sql_of(now_ms.saturating_add(for_ms));
        let epoch: Option<i64> = self.pool.run(async |connection| {
            let taking = sqlx::query_scalar(sql).bind(name).bind(holder).bind(until).bind(sql_of(now_ms));
            taking.fetch_optional(connection).await
        })?;
        Ok(epoch.map(i64::cast_unsigned))
    }

    fn query(&self, sql: &str, values: &[Value]) -> Result<Vec<Row>, TablesError> {
        let found = self.pool.run(async |connection| tables::query(connection, sql, values).await);
        found.map_err(|error| tables::failed(sql, error))
    }

    fn ended_beyond(&self, commands: u64) -> Result<Option<u64>, StoreError> {
        self.pool.run(async |connection| {
            // Where there are not so many at all, that is known at once.
            let span = "SELECT coalesce((SELECT max(seq) FROM inbox), 0) - coalesce((SELECT min(seq) FROM inbox), 0)";
            let span: i64 = sqlx::query_scalar(span).fetch_one(&mut *connection).await?;
            if span.cast_unsigned() < commands {
                return Ok(None);
            }
            let sql = "SELECT ended_ms FROM inbox WHERE state >= 2 ORDER BY ended_ms DESC LIMIT 1 OFFSET $1";
            let ended: Option<i64> =
                sqlx::query_scalar(sql).bind(sql_of(commands)).fetch_optional(connection).await?;
            Ok(ended.map(i64::cast_unsigned))
        })
    }

    fn sweep(&self, sweep: &Sweep, now_ms: u64) -> Result<usize, StoreError> {
        // The first of those that have ended: whether there is any would be looked for among all that wait.
        let sql = "SELECT ended_ms < $1 FROM inbox WHERE state >= 2 ORDER BY ended_ms LIMIT 1";
        let is_there: Option<bool> = self.pool.run(async |connection| {
            sqlx::query_scalar(sql).bind(sql_of(sweep.ended_before_ms)).fetch_optional(connection).await
        })?;
        if is_there != Some(true) {
            return Ok(0);
        }
        let mut transaction = PostgresTransaction::begin(&self.opened)?;
        let swept = transaction.sweep(sweep, now_ms)?;
        Box::new(transaction).commit()?;
        Ok(swept)
    }

    fn begin_serving(&self) -> Result<bool, StoreError> {
        let sql = "WITH ended AS (
                DELETE FROM serving WHERE own <> $1 AND own NOT IN (SELECT living()) RETURNING own
            ), begun AS (INSERT INTO serving (own) VALUES ($1) ON CONFLICT DO NOTHING)
            SELECT EXISTS (SELECT FROM ended)";
        self.pool.run(async |connection| sqlx::query_scalar(sql).bind(self.own).fetch_one(connection).await)
    }

    fn end_serving(&self) -> Result<(), StoreError> {
        let sql = "DELETE FROM serving WHERE own = $1";
        self.pool.run(async |connection| sqlx::query(sql).bind(self.own).execute(connection).await.map(drop))
    }

    fn note(&self, message: Uuid) -> Result<Note, StoreError> {
        let ended: Option<i64> = self.pool.run(async |connection| {
            let noting = sqlx::query_scalar("SELECT note($1, $2)").bind(self.own).bind(message);
            noting.fetch_one(connection).await
        })?;
        Ok(ended.map_or(Note::Begun, |deaths| Note::Ended { deaths: deaths as u32 }))
    }

    fn forget_note(&self, message: Uuid) -> Result<(), StoreError> {
        let sql = "DELETE FROM handling WHERE id = $1 AND own = $2";
        self.pool.run(async |connection| {
            let forgetting = sqlx::query(sql).bind(message).bind(self.own);
            forgetting.execute(connection).await.map(drop)
        })
    }

    fn is_noted(&self, message: Uuid) -> Result<bool, StoreError> {
        let sql = "SELECT EXISTS (SELECT FROM handling WHERE id = $1)";
        self.pool.run(async |connection| sqlx::query_scalar(sql).bind(message).fetch_one(connection).await)
    }

    fn watch(&self, ring: Box<dyn Fn(Change) + Send + Sync>) -> bool {
        self.seat.watch(ring);
        true
    }
}

impl PostgresStore {
    /// Removes what stands at the beginning of a table, and waits for the disk or not. It says where the beginning is,
    /// as a server that knows nothing of the table yet would read all of it.
    fn forget(&self, table: &'static str, up_to: u64, waits: &str) -> Result<(), StoreError> {
        let sql = format!(
            "DELETE FROM {table} USING (SELECT set_config('synchronous_commit', '{waits}', TRUE)) said
            WHERE seq BETWEEN (SELECT seq FROM {table} ORDER BY seq LIMIT 1) AND $1"
        );
        self.pool.run(async |connection| {
            let forgetting = sqlx::query(AssertSqlSafe(sql.as_str())).bind(sql_of(up_to));
            forgetting.execute(connection).await.map(drop)
        })
    }
}

#[cfg(test)]
mod tests;
