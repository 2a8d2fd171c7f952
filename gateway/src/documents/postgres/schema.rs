//! Tables of the documents' schema, and the statements of each collection.

use std::fmt::Write;

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection};

use super::super::{Change, Collection, IndexQuery};

/// The version that this program reads and writes.
pub(super) const VERSION: i32 = 1;

/// Ids and keys are bytes, so that they sort as in every other store and may hold any character.
const TABLES: &str = "
    CREATE TABLE schema_version (version INTEGER NOT NULL);
    CREATE TABLE keeper (
        one_row BOOLEAN PRIMARY KEY DEFAULT TRUE CHECK (one_row),
        holder UUID, epoch BIGINT NOT NULL, until TIMESTAMPTZ NOT NULL, commits BIGINT NOT NULL
    );
    INSERT INTO keeper (epoch, until, commits) VALUES (0, '-infinity', 0);
    CREATE TABLE projection (name TEXT PRIMARY KEY, version BIGINT NOT NULL);
    CREATE TABLE cursor (
        projection TEXT NOT NULL, context TEXT NOT NULL, position BIGINT NOT NULL,
        PRIMARY KEY (projection, context)
    );
    CREATE TABLE stop (
        projection TEXT NOT NULL, context TEXT NOT NULL, position BIGINT NOT NULL,
        event TEXT NOT NULL, reason TEXT NOT NULL, is_skipped BOOLEAN NOT NULL,
        PRIMARY KEY (projection, context, position)
    );
";

/// What each connection begins with. A page is always sought in its index, whatever the server guesses of sizes.
pub(super) fn session(schema: &str) -> String {
    format!(
        "SET search_path TO {schema};
        SET default_transaction_isolation = 'read committed';
        SET statement_timeout = '20s';
        SET lock_timeout = '5s';
        SET idle_in_transaction_session_timeout = '300s';
        SET tcp_keepalives_idle = 10;
        SET tcp_keepalives_interval = 5;
        SET tcp_keepalives_count = 3;
        SET client_min_messages = warning;
        SET enable_seqscan = off;
        SET enable_bitmapscan = off;
        SET plan_cache_mode = force_generic_plan;
        SET jit = off"
    )
}

/// Makes the schema where it is missing, one process after the other; gives its version.
pub(super) async fn prepare(connection: &mut PgConnection, schema: &str) -> sqlx::Result<i32> {
    let mut transaction = connection.begin().await?;
    // It is waited for as long as another process takes to make its tables.
    execute(&mut transaction, "SET LOCAL lock_timeout = 0").await?;
    let lock = "SELECT pg_advisory_xact_lock(hashtextextended('orchard documents ' || $1, 0))";
    sqlx::query(lock).bind(schema).execute(&mut *transaction).await?;
    let there = "SELECT EXISTS (SELECT FROM pg_catalog.pg_tables
        WHERE schemaname = $1 AND tablename = 'schema_version')";
    if !sqlx::query_scalar::<_, bool>(there).bind(schema).fetch_one(&mut *transaction).await? {
        execute(&mut transaction, &format!("CREATE SCHEMA IF NOT EXISTS {schema}; {TABLES}")).await?;
        let insert = "INSERT INTO schema_version (version) VALUES ($1)";
        sqlx::query(insert).bind(VERSION).execute(&mut *transaction).await?;
    }
    let version =
        sqlx::query_scalar("SELECT version FROM schema_version").fetch_one(&mut *transaction).await?;
    transaction.commit().await?;
    Ok(version)
}

/// Makes the tables of a projection's collections, emptied where an older version filled them, or where they are to
/// be; gives the version that was there.
pub(super) async fn prepare_projection(
    connection: &mut PgConnection,
    projection: &str,
    version: u32,
    collections: &[&'static Collection],
) -> sqlx::Result<Option<i64>> {
    let found = "SELECT version FROM projection WHERE name = $1";
    let found: Option<i64> =
        sqlx::query_scalar(found).bind(projection).fetch_optional(&mut *connection).await?;
    if found.is_some_and(|found| found > version.into()) {
        return Ok(found);
    }
    if found.is_some_and(|found| found < version.into()) {
        drop_projection(connection, projection, collections).await?;
    }
    make_tables(connection, collections).await?;
    let put = "INSERT INTO projection (name, version) VALUES ($1, $2)
        ON CONFLICT (name) DO UPDATE SET version = excluded.version";
    sqlx::query(put).bind(projection).bind(i64::from(version)).execute(connection).await?;
    Ok(found)
}

/// Empties the tables of a projection's collections.
pub(super) async fn clear_projection(
    connection: &mut PgConnection,
    projection: &str,
    collections: &[&'static Collection],
) -> sqlx::Result<()> {
    drop_projection(connection, projection, collections).await?;
    make_tables(connection, collections).await
}

async fn drop_projection(
    connection: &mut PgConnection,
    projection: &str,
    collections: &[&'static Collection],
) -> sqlx::Result<()> {
    for collection in collections {
        execute(connection, &format!("DROP TABLE IF EXISTS doc_{}", collection.name)).await?;
    }
    for table in ["cursor", "stop"] {
        let delete = format!("DELETE FROM {table} WHERE projection = $1");
        sqlx::query(AssertSqlSafe(delete)).bind(projection).execute(&mut *connection).await?;
    }
    Ok(())
}

async fn make_tables(connection: &mut PgConnection, collections: &[&'static Collection]) -> sqlx::Result<()> {
    for collection in collections {
        execute(connection, &table_sql(collection)).await?;
    }
    Ok(())
}

async fn execute(connection: &mut PgConnection, sql: &str) -> sqlx::Result<()> {
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection).await.map(drop)
}

fn table_sql(collection: &Collection) -> String {
    let name = collection.name;
    let mut sql = format!("CREATE TABLE IF NOT EXISTS doc_{name} (id BYTEA PRIMARY KEY, body TEXT NOT NULL");
    // Writing to a text does not fail.
    for place in 0..collection.indexes.len() {
        let _ = write!(sql, ", k{place} BYTEA");
    }
    sql.push_str(");");
    for (place, index) in collection.indexes.iter().enumerate() {
        let _ = write!(
            sql,
            "CREATE INDEX IF NOT EXISTS doc_{name}_{index} ON doc_{name} (k{place}, id) WHERE k{place} IS NOT NULL;"
        );
    }
    sql
}

/// Changes of one shape are carried out by one statement.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Shape {
    Put,
    /// With a bit for each index that gets a key.
    Replace(u64),
    Delete,
}

impl Shape {
    pub(super) fn of(change: &Change) -> Self {
        match change {
            Change::Put { .. } => Self::Put,
            Change::Replace { keys, .. } => {
                Self::Replace(keys.iter().fold(0, |indexes, (index, _)| indexes | 1 << index))
            }
            Change::Delete => Self::Delete,
        }
    }

    /// What carries changes out, given as an array for each column: `$1` are ids, `$2` bodies, and keys follow in order
    /// of their indexes.
    pub(super) fn sql(self, collection: &Collection) -> String {
        let (name, all) = (collection.name, 0..collection.indexes.len());
        let keys: Vec<usize> = match self {
            Self::Put => all.collect(),
            Self::Replace(indexes) => all.filter(|index| indexes & 1 << index != 0).collect(),
            Self::Delete => return format!("DELETE FROM doc_{name} WHERE id = ANY ($1)"),
        };
        let columns: String = keys.iter().map(|key| format!(", k{key}")).collect();
        let arrays: String = (3..).zip(&keys).map(|(place, _)| format!(", ${place}::bytea[]")).collect();
        let rows = format!("unnest($1::bytea[], $2::text[]{arrays})");
        let set = |of: &str| keys.iter().map(|key| format!(", k{key} = {of}.k{key}")).collect::<String>();
        if self == Self::Put {
            return format!(
                "INSERT INTO doc_{name} (id, body{columns}) SELECT * FROM {rows}
                ON CONFLICT (id) DO UPDATE SET body = excluded.body{}",
                set("excluded")
            );
        }
        format!(
            "UPDATE doc_{name} AS doc SET body = changed.body{} FROM {rows} AS changed (id, body{columns})
            WHERE doc.id = changed.id",
            set("changed")
        )
    }
}

/// A document with its keys.
pub(super) fn stored_sql(collection: &Collection) -> String {
    let keys: String = (0..collection.indexes.len()).map(|index| format!(", k{index}")).collect();
    format!("SELECT body{keys} FROM doc_{} WHERE id = $1", collection.name)
}

/// A part of an index. Its values are: the first key; the key that is left out; the key and the id of the document
/// that it begins behind, by twos; the limit. Of those that the query has not, there are none.
pub(super) fn page_sql(collection: &Collection, query: &IndexQuery) -> String {
    let (order, beyond) = if query.is_descending { ("DESC", "<") } else { ("ASC", ">") };
    let key = format!("k{}", query.index);
    // That there is a lower bound also says that the key is not null, without which the index is not used.
    let mut sql = format!("SELECT {key}, id, body FROM doc_{} WHERE {key} >= $1", collection.name);
    let mut last = 1;
    if query.to.is_some() {
        last += 1;
        let _ = write!(sql, " AND {key} < ${last}");
    }
    if query.after.is_some() {
        let _ = write!(sql, " AND ({key}, id) {beyond} (${}, ${})", last + 1, last + 2);
        last += 2;
    }
    let _ = write!(sql, " ORDER BY {key} {order}, id {order} LIMIT ${}", last + 1);
    sql
}

/// It stays within the index.
pub(super) fn count_sql(collection: &Collection, query: &IndexQuery) -> String {
    let key = format!("k{}", query.index);
    let (to, limit) = match query.to {
        Some(_) => (format!(" AND {key} < $2"), 3),
        None => (String::new(), 2),
    };
    format!(
        "SELECT count(*) FROM (SELECT 1 FROM doc_{} WHERE {key} >= $1{to} LIMIT ${limit}) AS found",
        collection.name
    )
}
