//! A context's schema, and which version of it there is.

use std::borrow::Cow;

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection};

use super::tables::translated;

/// Every change of what each context has, in order; the version is how many were made.
const MIGRATIONS: [&str; 4] = [
    include_str!("../../../migrations/0001_context.sql"),
    include_str!("../../../migrations/0002_serving.sql"),
    include_str!("../../../migrations/0003_handled.sql"),
    include_str!("../../../migrations/0004_alone.sql"),
];

/// The version that this program reads and writes.
pub(super) const VERSION: i32 = MIGRATIONS.len() as i32;

/// What a store needs to know of its schema.
pub(super) struct Found {
    pub(super) version: i32,
    /// The store's own number.
    pub(super) own: i32,
}

/// What each connection begins with. A statement that waits for a lock for longer than a transaction may take, or
/// works for 20 s, is ended by the server, and so are those whose machine has gone without a word.
pub(super) fn session(context: &str) -> String {
    format!(
        "SET search_path TO {};
        SET default_transaction_isolation = 'read committed';
        SET synchronous_commit = on;
        SET statement_timeout = '20s';
        SET lock_timeout = '5s';
        SET idle_in_transaction_session_timeout = '300s';
        SET tcp_keepalives_idle = 10;
        SET tcp_keepalives_interval = 5;
        SET tcp_keepalives_count = 3;
        SET client_min_messages = warning;
        SET jit = off",
        quoted(context)
    )
}

/// A name in SQL.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Makes what is missing, one process after the other.
pub(super) async fn prepare(
    connection: &mut PgConnection,
    context: &str,
    tables: &str,
) -> sqlx::Result<Found> {
    let mut transaction = connection.begin().await?;
    // It is waited for as long as another process takes to make its tables.
    execute(&mut transaction, "SET LOCAL lock_timeout = 0").await?;
    let lock = "SELECT pg_advisory_xact_lock(hashtextextended('orchard bus ' || $1, 0))";
    sqlx::query(lock).bind(context).execute(&mut *transaction).await?;
    let there = "SELECT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = $1)";
    if !sqlx::query_scalar::<_, bool>(there).bind(context).fetch_one(&mut *transaction).await? {
        execute(&mut transaction, format!("CREATE SCHEMA {}", quoted(context))).await?;
    }
    let there = "SELECT EXISTS (SELECT FROM pg_catalog.pg_tables
        WHERE schemaname = $1 AND tablename = 'schema_version')";
    let version = if sqlx::query_scalar(there).bind(context).fetch_one(&mut *transaction).await? {
        sqlx::query_scalar("SELECT version FROM schema_version").fetch_one(&mut *transaction).await?
    } else {
        0
    };
    for migration in MIGRATIONS.iter().skip(version.max(0) as usize) {
        execute(&mut transaction, *migration).await?;
    }
    if version < VERSION {
        let record = "INSERT INTO schema_version (version) VALUES ($1)
            ON CONFLICT (one_row) DO UPDATE SET version = excluded.version";
        sqlx::query(record).bind(VERSION).execute(&mut *transaction).await?;
    } else if version > VERSION {
        return Ok(Found { version, own: 0 });
    }
    execute(&mut transaction, translated(tables)).await?;
    let own = sqlx::query_scalar("SELECT nextval('opened')::integer").fetch_one(&mut *transaction).await?;
    transaction.commit().await?;
    Ok(Found { version: VERSION, own })
}

async fn execute(connection: &mut PgConnection, sql: impl Into<Cow<'_, str>>) -> sqlx::Result<()> {
    sqlx::raw_sql(AssertSqlSafe(sql.into().into_owned())).execute(connection).await.map(drop)
}
