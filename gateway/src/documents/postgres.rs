//! Documents in a schema of a PostgreSQL database: any number of processes read them, and one at a time keeps them.
//!
//! Who keeps them holds a lease of the schema's, and each commit compares it: one that lost it while it was slow
//! stores nothing. Commits are announced, so that other processes wake those who wait for a document.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, PoisonError};

use bus::StoreError;
use bus::store::PostgresPool;
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{AssertSqlSafe, Connection, Row};
use tokio::task::JoinHandle;
use uuid::Uuid;

use super::{
    Collection, Commit, Cursor, Document, DocumentError, DocumentStore, Found, Hold, IndexQuery, Keeper, Key,
    OnChange, Sharing, Stop, Stored,
};

mod exchange;
mod listen;
mod schema;
mod writing;

pub(crate) use exchange::NextDocuments;
use listen::Watchers;

/// The schema of the documents that are read.
const SCHEMA: &str = "documents";
/// Commits are announced here.
const CHANNEL: &str = "orchard_documents";
/// So many seconds after its last sign a process keeps the documents no more.
const LEASE: u32 = 3;

/// Documents in a PostgreSQL database. Its copies are the same store.
#[derive(Clone)]
pub struct PostgresDocuments(Arc<Store>);

struct Store {
    pool: Arc<PostgresPool>,
    /// This store, among those that may keep the documents.
    own: Uuid,
    /// Of its lease; 0 where it has none.
    epoch: AtomicI64,
    watchers: Watchers,
    listening: Option<JoinHandle<()>>,
}

impl Drop for Store {
    fn drop(&mut self) {
        if let Some(listening) = &self.listening {
            listening.abort();
        }
    }
}

impl PostgresDocuments {
    /// Opens the documents in the database of a `postgres://` URL, and makes their schema where it is missing.
    ///
    /// # Errors
    /// The URL cannot be read, the server is away or refuses, or a newer program made the documents.
    pub fn open(url: &str) -> Result<Self, DocumentError> {
        Self::open_in(url, SCHEMA, true)
    }

    fn open_in(url: &str, schema: &'static str, listens: bool) -> Result<Self, DocumentError> {
        let pool = PostgresPool::open(url, schema::session(schema))?;
        let found = pool.run(async |connection| schema::prepare(connection, schema).await)?;
        if found != schema::VERSION {
            let place = pool.place().to_owned();
            return Err(DocumentError::Newer { place, found: found.into(), known: schema::VERSION.into() });
        }
        let watchers = Watchers::default();
        let listening = listens.then(|| {
            let listening = listen::listen(pool.address().clone(), schema, watchers.clone());
            pool.reactor().spawn(listening)
        });
        let (own, epoch) = (Uuid::new_v4(), AtomicI64::new(0));
        Ok(Self(Arc::new(Store { pool, own, epoch, watchers, listening })))
    }

    fn run<T>(&self, act: impl AsyncFn(&mut PgConnection) -> sqlx::Result<T>) -> Result<T, DocumentError> {
        self.0.pool.run(act).map_err(DocumentError::from)
    }

    /// Does this in a transaction in which nobody else keeps the documents.
    fn run_as_keeper<T>(
        &self,
        act: impl AsyncFn(&mut PgConnection) -> sqlx::Result<T>,
    ) -> Result<T, DocumentError> {
        let (own, epoch) = (self.0.own, self.0.epoch.load(Ordering::Acquire));
        let done = self.run(async |connection| {
            let mut transaction = connection.begin().await?;
            let fence = "SELECT TRUE FROM keeper WHERE holder = $1 AND epoch = $2 FOR UPDATE";
            let fencing = sqlx::query(fence).bind(own).bind(epoch).fetch_optional(&mut *transaction);
            if fencing.await?.is_none() {
                return Ok(None);
            }
            let done = act(&mut transaction).await?;
            transaction.commit().await?;
            Ok(Some(done))
        })?;
        done.ok_or(DocumentError::KeptElsewhere)
    }
}

/// An id as it was put.
fn id_of(row: &PgRow, column: usize) -> sqlx::Result<String> {
    String::from_utf8(row.try_get(column)?).map_err(|error| sqlx::Error::Decode(error.into()))
}

fn body_of(row: &PgRow, column: usize) -> sqlx::Result<Arc<str>> {
    Ok(row.try_get::<&str, _>(column)?.into())
}

impl DocumentStore for PostgresDocuments {
    fn get(&self, collection: &'static Collection, id: &str) -> Result<Option<Arc<str>>, DocumentError> {
        let sql = format!("SELECT body FROM doc_{} WHERE id = $1", collection.name);
        self.run(async |connection| {
            let finding = sqlx::query(AssertSqlSafe(sql.as_str())).bind(id.as_bytes());
            finding.fetch_optional(connection).await?.map(|row| body_of(&row, 0)).transpose()
        })
    }

    fn stored(&self, collection: &'static Collection, id: &str) -> Result<Option<Stored>, DocumentError> {
        let sql = schema::stored_sql(collection);
        self.run(async |connection| {
            let finding = sqlx::query(AssertSqlSafe(sql.as_str())).bind(id.as_bytes());
            let Some(row) = finding.fetch_optional(connection).await? else { return Ok(None) };
            let key = |index: usize| Ok(row.try_get::<Option<Vec<u8>>, _>(index + 1)?.map(Key));
            let keys = (0..collection.indexes.len()).map(key).collect::<sqlx::Result<_>>()?;
            Ok(Some(Stored { body: row.try_get(0)?, keys }))
        })
    }

    fn page(&self, collection: &'static Collection, query: &IndexQuery) -> Result<Vec<Found>, DocumentError> {
        let sql = schema::page_sql(collection, query);
        let from = query.from.as_ref().map_or(&[][..], |key| &key.0);
        self.run(async |connection| {
            let mut finding = sqlx::query(AssertSqlSafe(sql.as_str())).bind(from);
            if let Some(to) = &query.to {
                finding = finding.bind(&to.0);
            }
            if let Some((key, id)) = &query.after {
                finding = finding.bind(&key.0).bind(id.as_bytes());
            }
            let rows = finding.bind(query.limit as i64).fetch_all(connection).await?;
            let found = |row: &PgRow| {
                let document = Document { id: id_of(row, 1)?, body: body_of(row, 2)? };
                Ok(Found { key: Key(row.try_get(0)?), document })
            };
            rows.iter().map(found).collect()
        })
    }

    fn count(&self, collection: &'static Collection, query: &IndexQuery) -> Result<u64, DocumentError> {
        let sql = schema::count_sql(collection, query);
        let from = query.from.as_ref().map_or(&[][..], |key| &key.0);
        self.run(async |connection| {
            let mut counting = sqlx::query_scalar::<_, i64>(AssertSqlSafe(sql.as_str())).bind(from);
            if let Some(to) = &query.to {
                counting = counting.bind(&to.0);
            }
            Ok(counting.bind(query.limit as i64).fetch_one(connection).await?.cast_unsigned())
        })
    }

    fn scan(
        &self,
        collection: &'static Collection,
        after: &str,
        limit: usize,
    ) -> Result<Vec<Document>, DocumentError> {
        let sql = format!("SELECT id, body FROM doc_{} WHERE id > $1 ORDER BY id LIMIT $2", collection.name);
        self.run(async |connection| {
            let finding = sqlx::query(AssertSqlSafe(sql.as_str())).bind(after.as_bytes()).bind(limit as i64);
            let rows = finding.fetch_all(connection).await?;
            rows.iter().map(|row| Ok(Document { id: id_of(row, 0)?, body: body_of(row, 1)? })).collect()
        })
    }

    fn commit(&self, commit: &Commit) -> Result<(), DocumentError> {
        let (own, epoch) = (self.0.own, self.0.epoch.load(Ordering::Acquire));
        let is_done = self.run(async |connection| writing::commit(connection, own, epoch, commit).await)?;
        bus::kill_point("documents", "after-commit");
        if is_done { Ok(()) } else { Err(DocumentError::KeptElsewhere) }
    }

    fn cursors(&self) -> Result<Vec<Cursor>, DocumentError> {
        let sql = "SELECT projection, context, position FROM cursor ORDER BY projection, context";
        self.run(async |connection| {
            let rows = sqlx::query(sql).fetch_all(connection).await?;
            let cursor = |row: &PgRow| {
                let position = row.try_get::<i64, _>(2)?.cast_unsigned();
                Ok(Cursor { projection: row.try_get(0)?, context: row.try_get(1)?, position })
            };
            rows.iter().map(cursor).collect()
        })
    }

    fn stops(&self) -> Result<Vec<Stop>, DocumentError> {
        let sql =
            "SELECT projection, context, position, event, reason, is_skipped FROM stop ORDER BY 1, 2, 3";
        self.run(async |connection| {
            let rows = sqlx::query(sql).fetch_all(connection).await?;
            let stop = |row: &PgRow| {
                Ok(Stop {
                    projection: row.try_get(0)?,
                    context: row.try_get(1)?,
                    position: row.try_get::<i64, _>(2)?.cast_unsigned(),
                    event: row.try_get(3)?,
                    reason: row.try_get(4)?,
                    is_skipped: row.try_get(5)?,
                })
            };
            rows.iter().map(stop).collect()
        })
    }

    fn prepare(
        &self,
        projection: &str,
        version: u32,
        collections: &[&'static Collection],
    ) -> Result<(), DocumentError> {
        let found = self.run_as_keeper(async |connection| {
            schema::prepare_projection(connection, projection, version, collections).await
        })?;
        match found.filter(|found| *found > version.into()) {
            None => Ok(()),
            Some(found) => {
                let place = format!("{projection} in {}", self.0.pool.place());
                Err(DocumentError::Newer { place, found, known: version.into() })
            }
        }
    }

    fn clear(&self, projection: &str, collections: &[&'static Collection]) -> Result<(), DocumentError> {
        self.run_as_keeper(async |connection| {
            schema::clear_projection(connection, projection, collections).await
        })
    }
}

impl Sharing for PostgresDocuments {
    fn hold(&self) -> Result<Hold, DocumentError> {
        let taking = format!(
            "UPDATE keeper SET holder = $1, until = clock_timestamp() + interval '{LEASE} seconds',
                epoch = CASE WHEN holder = $1 AND until > clock_timestamp() THEN epoch ELSE epoch + 1 END
            WHERE holder IS NULL OR holder = $1 OR until <= clock_timestamp()
            RETURNING epoch"
        );
        let own = self.0.own;
        let epoch: Option<i64> = self.run(async |connection| {
            sqlx::query_scalar(AssertSqlSafe(taking.as_str())).bind(own).fetch_optional(connection).await
        })?;
        let had = self.0.epoch.swap(epoch.unwrap_or(0), Ordering::AcqRel);
        Ok(match epoch {
            None => Hold::Elsewhere,
            Some(epoch) if epoch == had => Hold::GoesOn,
            Some(_) => Hold::Begun,
        })
    }

    fn release(&self) {
        if self.0.epoch.swap(0, Ordering::AcqRel) == 0 {
            return;
        }
        let releasing = "UPDATE keeper SET holder = NULL, until = clock_timestamp() WHERE holder = $1";
        let own = self.0.own;
        let released =
            self.run(async |connection| sqlx::query(releasing).bind(own).execute(connection).await.map(drop));
        if let Err(error) = released {
            tracing::debug!(%error, "the lease of the documents runs out by itself");
        }
    }

    fn keeper(&self) -> Result<Keeper, DocumentError> {
        let sql = "SELECT holder IS NOT NULL AND until > clock_timestamp(), epoch,
            CASE WHEN isfinite(until) THEN extract(epoch FROM clock_timestamp() - until)::bigint ELSE 0 END
            FROM keeper";
        let (is_there, epoch, away): (bool, i64, i64) =
            self.run(async |connection| sqlx::query_as(sql).fetch_one(connection).await)?;
        Ok(match (is_there, epoch) {
            (true, _) => Keeper::There,
            (false, 0) => Keeper::Never,
            (false, _) => Keeper::AwayFor(away.max(0).cast_unsigned()),
        })
    }

    fn watch(&self, changed: OnChange) {
        self.0.watchers.lock().unwrap_or_else(PoisonError::into_inner).push(changed);
    }
}

impl From<StoreError> for DocumentError {
    fn from(source: StoreError) -> Self {
        // A table of a collection is missing.
        let is_unmade = |error: &sqlx::Error| {
            error.as_database_error().is_some_and(|error| error.code().as_deref() == Some("42P01"))
        };
        match source {
            StoreError::Postgres { place, source } if is_unmade(&source) => Self::Unmade { place },
            source => Self::Shared { source },
        }
    }
}

#[cfg(test)]
mod tests;
