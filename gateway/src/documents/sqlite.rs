//! Documents in one SQLite file: a table a collection, write-ahead log, one transaction a commit.
//!
//! The log is synchronised at checkpoints, which a thread makes: a loss of power may lose the last commits whole, and their
//! cursors with them, so that they are made again of the events.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, OptionalExtension, Row, Statement, params, params_from_iter};

use super::{
    Change, Collection, Commit, Cursor, Document, DocumentError, DocumentStore, Found, IndexQuery, Key, Stop,
    Stored,
};

mod checkpoints;
mod schema;

use checkpoints::Checkpoints;

/// How long another process's transaction is waited for; there should be none.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);
/// The writer's own memory. SQLite goes through all of it at nearly every commit that has split a page.
const CACHE_KIB: i64 = 8192;
/// So many read connections are kept open when nobody uses them.
const IDLE_READERS: usize = 8;
/// So many new documents are one statement: half of what a row costs is its statement's.
const TOGETHER: usize = 10;
/// Statements that a connection keeps prepared: a few for each collection.
const STATEMENTS: usize = 128;

/// What survives a loss of power.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// Everything but the last commits, and the file stays whole.
    LastCommitsMayBeLost,
    /// Nothing need survive: the file is still being built.
    None,
}

/// Documents in a SQLite file.
#[derive(Debug)]
pub struct SqliteDocuments {
    place: PathBuf,
    /// Ends before the connections are closed; `None` where nothing waits for the disk.
    checkpoints: Option<Checkpoints>,
    writer: Mutex<Connection>,
    idle: Mutex<Vec<Connection>>,
}

impl SqliteDocuments {
    /// Opens the file, and makes it where it is missing.
    ///
    /// # Errors
    /// The file cannot be opened, or was written by another version.
    pub fn open(place: &Path, durability: Durability) -> Result<Self, DocumentError> {
        let failed = failed(place);
        let mut writer = Connection::open(place).map_err(&failed)?;
        writer.busy_timeout(BUSY_TIMEOUT).map_err(&failed)?;
        writer.set_prepared_statement_cache_capacity(STATEMENTS);
        writer.pragma_update(None, "journal_mode", "WAL").map_err(&failed)?;
        let synchronous = match durability {
            Durability::LastCommitsMayBeLost => "NORMAL",
            Durability::None => "OFF",
        };
        writer.pragma_update(None, "synchronous", synchronous).map_err(&failed)?;
        writer.pragma_update(None, "wal_autocheckpoint", checkpoints::FROM_PAGES).map_err(&failed)?;
        keep_plans(&writer)
            .and_then(|()| writer.pragma_update(None, "cache_size", -CACHE_KIB))
            .map_err(&failed)?;
        let found = schema::prepare(&mut writer).map_err(&failed)?;
        if found != schema::VERSION {
            let place = place.display().to_string();
            return Err(DocumentError::Schema { place, found, expected: schema::VERSION });
        }
        let checkpoints = match durability {
            Durability::LastCommitsMayBeLost => {
                Some(Checkpoints::begin(place, &mut writer, checkpoints::FROM_PAGES).map_err(&failed)?)
            }
            Durability::None => None,
        };
        let (place, idle) = (place.to_owned(), Mutex::new(Vec::new()));
        Ok(Self { place, checkpoints, writer: Mutex::new(writer), idle })
    }

    fn writer(&self) -> MutexGuard<'_, Connection> {
        // A panic while writing left a transaction that was rolled back: the connection is as good as new.
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read<T>(
        &self,
        operation: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, DocumentError> {
        let failed = failed(&self.place);
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let connection = idle.map_or_else(|| self.open_reader(), Ok).map_err(&failed)?;
        let done = operation(&connection).map_err(failed);
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < IDLE_READERS {
            idle.push(connection);
        }
        done
    }

    fn open_reader(&self) -> rusqlite::Result<Connection> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&self.place, flags)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS);
        keep_plans(&connection)?;
        connection.pragma_update(None, "query_only", true)?;
        connection.pragma_update(None, "mmap_size", 1_i64 << 30)?;
        Ok(connection)
    }
}

impl DocumentStore for SqliteDocuments {
    fn get(&self, collection: &'static Collection, id: &str) -> Result<Option<Arc<str>>, DocumentError> {
        let sql = format!("SELECT body FROM doc_{} WHERE id = ?1", collection.name);
        self.read(|connection| {
            connection.prepare_cached(&sql)?.query_row([id], |row| shared(row, 0)).optional()
        })
    }

    fn stored(&self, collection: &'static Collection, id: &str) -> Result<Option<Stored>, DocumentError> {
        let writer = self.writer();
        let read = || {
            if writer.is_autocommit() {
                // It goes on with the commit: what is read once is in memory then, and no lock is taken for each.
                writer.execute_batch("BEGIN")?;
            }
            let mut statement = writer.prepare_cached(&schema::stored_sql(collection))?;
            statement.query_row([id], |row| stored_of(row, collection)).optional()
        };
        read().map_err(failed(&self.place))
    }

    fn page(&self, collection: &'static Collection, query: &IndexQuery) -> Result<Vec<Found>, DocumentError> {
        let (sql, values) = page_sql(collection, query);
        self.read(|connection| {
            let mut statement = connection.prepare_cached(&sql)?;
            let found = statement.query_map(params_from_iter(values), |row| {
                let document = Document { id: row.get(1)?, body: shared(row, 2)? };
                Ok(Found { key: Key(row.get(0)?), document })
            })?;
            found.collect()
        })
    }

    fn count(&self, collection: &'static Collection, query: &IndexQuery) -> Result<u64, DocumentError> {
        let (sql, values) = count_sql(collection, query);
        self.read(|connection| {
            let mut statement = connection.prepare_cached(&sql)?;
            statement.query_row(params_from_iter(values), |row| Ok(row.get::<_, i64>(0)?.cast_unsigned()))
        })
    }

    fn scan(
        &self,
        collection: &'static Collection,
        after: &str,
        limit: usize,
    ) -> Result<Vec<Document>, DocumentError> {
        let sql = format!("SELECT id, body FROM doc_{} WHERE id > ?1 ORDER BY id LIMIT ?2", collection.name);
        self.read(|connection| {
            let mut statement = connection.prepare_cached(&sql)?;
            let rows = statement.query_map(params![after, limit as i64], |row| {
                Ok(Document { id: row.get(0)?, body: shared(row, 1)? })
            })?;
            rows.collect()
        })
    }

    fn commit(&self, commit: &Commit) -> Result<(), DocumentError> {
        let writer = self.writer();
        let failed = failed(&self.place);
        let transaction = Open(&writer);
        transaction.begin().map_err(&failed)?;
        if !are_as_expected(&writer, &commit.expected).map_err(&failed)? {
            return Err(DocumentError::WrittenElsewhere { place: self.place.display().to_string() });
        }
        transaction.commit(commit).map_err(&failed)?;
        if let Some(checkpoints) = &self.checkpoints {
            checkpoints.complete(&writer);
        }
        bus::kill_point("documents", "after-commit");
        Ok(())
    }

    fn cursors(&self) -> Result<Vec<Cursor>, DocumentError> {
        self.read(|connection| {
            let mut statement =
                connection.prepare_cached("SELECT projection, context, position FROM cursor")?;
            let rows = statement.query_map([], |row| {
                let position: i64 = row.get(2)?;
                Ok(Cursor { projection: row.get(0)?, context: row.get(1)?, position: position as u64 })
            })?;
            rows.collect()
        })
    }

    fn stops(&self) -> Result<Vec<Stop>, DocumentError> {
        let sql =
            "SELECT projection, context, position, event, reason, is_skipped FROM stop ORDER BY 1, 2, 3";
        self.read(|connection| {
            let mut statement = connection.prepare_cached(sql)?;
            let rows = statement.query_map([], |row| {
                let position: i64 = row.get(2)?;
                Ok(Stop {
                    projection: row.get(0)?,
                    context: row.get(1)?,
                    position: position as u64,
                    event: row.get(3)?,
                    reason: row.get(4)?,
                    is_skipped: row.get(5)?,
                })
            })?;
            rows.collect()
        })
    }

    fn prepare(
        &self,
        projection: &str,
        version: u32,
        collections: &[&'static Collection],
    ) -> Result<(), DocumentError> {
        let mut writer = self.writer();
        drop(Open(&writer));
        schema::prepare_projection(&mut writer, projection, version, collections).map_err(failed(&self.place))
    }

    fn clear(&self, projection: &str, collections: &[&'static Collection]) -> Result<(), DocumentError> {
        let mut writer = self.writer();
        drop(Open(&writer));
        schema::clear_projection(&mut writer, projection, collections).map_err(failed(&self.place))
    }
}

/// The writer's transaction, where one has begun. What is not committed is rolled back, after a panic, too.
struct Open<'a>(&'a Connection);

impl Open<'_> {
    fn begin(&self) -> rusqlite::Result<()> {
        if self.0.is_autocommit() { self.0.execute_batch("BEGIN IMMEDIATE") } else { Ok(()) }
    }

    fn commit(&self, commit: &Commit) -> rusqlite::Result<()> {
        write(self.0, commit)?;
        self.0.execute_batch("COMMIT")
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        if !self.0.is_autocommit()
            && let Err(error) = self.0.execute_batch("ROLLBACK")
        {
            tracing::error!(%error, "a transaction of the read model could not be rolled back");
        }
    }
}

/// SQLite would prepare a statement anew for each key that it compares an index with.
fn keep_plans(connection: &Connection) -> rusqlite::Result<()> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map(drop)
}

fn failed(place: &Path) -> impl Fn(rusqlite::Error) -> DocumentError + '_ {
    move |source| DocumentError::Sqlite { place: place.display().to_string(), source }
}

fn shared(row: &Row<'_>, column: usize) -> rusqlite::Result<Arc<str>> {
    Ok(row.get_ref(column)?.as_str()?.into())
}

fn stored_of(row: &Row<'_>, collection: &Collection) -> rusqlite::Result<Stored> {
    let key = |index: usize| Ok(row.get::<_, Option<Vec<u8>>>(index + 1)?.map(Key));
    let keys = (0..collection.indexes.len()).map(key).collect::<rusqlite::Result<_>>()?;
    Ok(Stored { body: row.get(0)?, keys })
}

fn page_sql(collection: &Collection, query: &IndexQuery) -> (String, Vec<rusqlite::types::Value>) {
    use rusqlite::types::Value;
    let (order, beyond) = if query.is_descending { ("DESC", "<") } else { ("ASC", ">") };
    let key = format!("k{}", query.index);
    // SQLite seeks by a condition on the key alone, not by one on key and id: the key of the document that a page
    // begins behind bounds it, too. That there is a lower bound also says that the key is not null, without which
    // the partial index is not used.
    let mut from = query.from.clone().unwrap_or_default();
    let mut sql = format!("SELECT {key}, id, body FROM doc_{} WHERE {key} >= ?", collection.name);
    let mut bounds = Vec::new();
    if let Some(to) = &query.to {
        sql += &format!(" AND {key} < ?");
        bounds.push(Value::Blob(to.0.clone()));
    }
    if let Some((after, id)) = &query.after {
        if query.is_descending {
            sql += &format!(" AND {key} <= ?");
            bounds.push(Value::Blob(after.0.clone()));
        } else {
            from = from.max(after.clone());
        }
        sql += &format!(" AND ({key}, id) {beyond} (?, ?)");
        bounds.extend([Value::Blob(after.0.clone()), Value::Text(id.clone())]);
    }
    let mut values = vec![Value::Blob(from.0)];
    values.append(&mut bounds);
    sql += &format!(" ORDER BY {key} {order}, id {order} LIMIT ?");
    values.push(Value::Integer(query.limit as i64));
    (sql, values)
}

/// It stays within the index.
fn count_sql(collection: &Collection, query: &IndexQuery) -> (String, Vec<rusqlite::types::Value>) {
    use rusqlite::types::Value;
    let key = format!("k{}", query.index);
    let mut sql = format!("SELECT count(*) FROM (SELECT 1 FROM doc_{} WHERE {key} >= ?", collection.name);
    let mut values = vec![Value::Blob(query.from.clone().unwrap_or_default().0)];
    if let Some(to) = &query.to {
        sql += &format!(" AND {key} < ?");
        values.push(Value::Blob(to.0.clone()));
    }
    sql += " LIMIT ?)";
    values.push(Value::Integer(query.limit as i64));
    (sql, values)
}

/// Binds a change from this place on: its id, its text, its keys. Gives the place behind it.
fn bind(statement: &mut Statement<'_>, first: usize, id: &str, change: &Change) -> rusqlite::Result<usize> {
    statement.raw_bind_parameter(first, id)?;
    let Some(body) = change.body() else { return Ok(first + 1) };
    statement.raw_bind_parameter(first + 1, body)?;
    let mut place = first + 2;
    let keys: Vec<&Option<Key>> = match change {
        Change::Put { keys, .. } => keys.iter().collect(),
        Change::Replace { keys, .. } => keys.iter().map(|(_, key)| key).collect(),
        Change::Delete => Vec::new(),
    };
    for key in keys {
        statement.raw_bind_parameter(place, key.as_ref().map(|key| key.0.as_slice()))?;
        place += 1;
    }
    Ok(place)
}

/// Whether every cursor is there. In a transaction that has only read so far, SQLite refuses what is written next where
/// somebody else has written since.
fn are_as_expected(connection: &Connection, expected: &[Cursor]) -> rusqlite::Result<bool> {
    let mut statement =
        connection.prepare_cached("SELECT position FROM cursor WHERE projection = ?1 AND context = ?2")?;
    for Cursor { projection, context, position } in expected {
        let found: Option<i64> = statement.query_row([projection, context], |row| row.get(0)).optional()?;
        if found.unwrap_or(0) as u64 != *position {
            return Ok(false);
        }
    }
    Ok(true)
}

fn write(connection: &Connection, commit: &Commit) -> rusqlite::Result<()> {
    let mut prepared = None;
    let mut left = &commit.changes[..];
    while let [(collection, _, change), ..] = left {
        let shape = schema::Shape::of(change);
        let is_like = |other: &(&'static Collection, String, Change)| {
            other.0.name == collection.name && schema::Shape::of(&other.2) == schema::Shape::Put
        };
        let are_together =
            shape == schema::Shape::Put && left.get(..TOGETHER).is_some_and(|next| next.iter().all(is_like));
        let rows = if are_together { TOGETHER } else { 1 };
        let of = (collection.name, shape, rows);
        if prepared.as_ref().is_none_or(|(known, _)| *known != of) {
            let sql = schema::change_sql(collection, shape, rows);
            prepared = Some((of, connection.prepare_cached(&sql)?));
        }
        let Some((_, statement)) = &mut prepared else { break };
        let mut place = 1;
        for (_, id, change) in &left[..rows] {
            place = bind(statement, place, id, change)?;
        }
        let changed = statement.raw_execute()?;
        if changed == 0 && matches!(change, Change::Replace { .. }) {
            return Err(rusqlite::Error::StatementChangedRows(changed));
        }
        left = &left[rows..];
    }
    drop(prepared);
    bus::kill_point("documents", "mid-commit");
    let sql = "INSERT INTO cursor VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET position = excluded.position";
    for Cursor { projection, context, position } in &commit.cursors {
        connection.prepare_cached(sql)?.execute(params![projection, context, *position as i64])?;
    }
    let sql = "INSERT OR REPLACE INTO stop VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    for Stop { projection, context, position, event, reason, is_skipped } in &commit.stops {
        let values = params![projection, context, *position as i64, event, reason, is_skipped];
        connection.prepare_cached(sql)?.execute(values)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::conformance;
    use super::*;

    #[test]
    fn it_conforms() {
        conformance::run(|| {
            let folder = tempfile::tempdir().unwrap();
            let place = folder.path().join("read.sqlite");
            (SqliteDocuments::open(&place, Durability::LastCommitsMayBeLost).unwrap(), folder)
        });
    }

    #[test]
    fn a_file_of_another_version_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("read.sqlite");
        drop(SqliteDocuments::open(&place, Durability::None).unwrap());
        let connection = Connection::open(&place).unwrap();
        connection.pragma_update(None, "user_version", 99).unwrap();
        let refused = SqliteDocuments::open(&place, Durability::None).unwrap_err().to_string();
        assert!(refused.contains("schema 99") && refused.contains("--rebuild"), "{refused}");
    }

    #[test]
    fn a_commit_that_expects_another_cursor_stores_nothing() {
        static NOTES: Collection = Collection { name: "notes", indexes: &[] };
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("read.sqlite");
        let open = || SqliteDocuments::open(&place, Durability::None).unwrap();
        let (store, other) = (open(), open());
        store.prepare("noting", 1, &[&NOTES]).unwrap();
        let cursor = |position| Cursor { projection: "noting".into(), context: "ticks".into(), position };
        let commit = |from, to, body: &str| {
            let change = Change::Put { body: body.into(), keys: vec![] };
            let changes = vec![(&NOTES, "a".to_owned(), change)];
            let (expected, cursors) = (vec![cursor(from)], vec![cursor(to)]);
            Commit { changes, expected, cursors, stops: vec![] }
        };
        store.commit(&commit(0, 3, "1")).unwrap();
        for from in [0, 2, 4] {
            let refused = other.commit(&commit(from, 5, "2")).unwrap_err();
            assert!(matches!(refused, DocumentError::WrittenElsewhere { .. }), "{refused}");
        }
        assert_eq!(store.get(&NOTES, "a").unwrap().as_deref(), Some("1"));
        assert_eq!(store.cursors().unwrap(), [cursor(3)]);
        // What was refused is rolled back, and keeps nobody from writing.
        other.commit(&commit(3, 5, "2")).unwrap();
        store.commit(&commit(5, 6, "3")).unwrap();
    }

    /// Any page costs what the first one does.
    #[test]
    fn a_page_is_sought_and_not_scanned_for() {
        static NOTES: Collection = Collection { name: "notes", indexes: &["by_time"] };
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteDocuments::open(&folder.path().join("read"), Durability::None).unwrap();
        store.prepare("noting", 1, &[&NOTES]).unwrap();
        let change = |number: u64| {
            let keys = vec![Some(Key::new().number(number))];
            (&NOTES, format!("{number:05}"), Change::Put { body: "{}".into(), keys })
        };
        store.commit(&Commit { changes: (0..10_000).map(change).collect(), ..Commit::default() }).unwrap();
        for (is_descending, after) in [(false, 9_000), (true, 1_000), (false, 10), (true, 9_990)] {
            let after = Some((Key::new().number(after), format!("{after:05}")));
            let query = IndexQuery { index: 0, from: None, to: None, is_descending, after, limit: 5 };
            let (sql, values) = page_sql(&NOTES, &query);
            let writer = store.writer();
            let mut statement = writer.prepare(&sql).unwrap();
            let ids = statement.query_map(params_from_iter(values), |row| row.get::<_, String>(1)).unwrap();
            assert_eq!(ids.count(), 5);
            let steps = statement.get_status(rusqlite::StatementStatus::VmStep);
            assert!(steps < 300, "{is_descending}: {steps} steps");
        }
    }
}
