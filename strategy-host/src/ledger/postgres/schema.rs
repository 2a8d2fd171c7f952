//! The tables, functions and views in the schema `orchard`, and which version of them there is.

use sqlx::Connection;
use sqlx::postgres::PgConnection;
use tick_sdk::names::RunId;

/// Every change of the schema, in order; the version is how many were made.
const MIGRATIONS: [&str; 2] = [
    include_str!("../../../migrations/0001_ledger.sql"),
    include_str!("../../../migrations/0002_signal_view.sql"),
];

/// The version that this program reads and writes.
pub(super) const VERSION: i32 = MIGRATIONS.len() as i32;

/// Any number will do, if nobody else takes it: who holds this lock makes the tables.
const MIGRATION_LOCK: i64 = 0x6f72_6368_6172_6401;

/// The ledger in a database.
pub(super) struct Found {
    pub(super) id: String,
    pub(super) version: i32,
}

/// Makes what is missing, and says what is there then.
pub(super) async fn prepare(connection: &mut PgConnection) -> sqlx::Result<Found> {
    if let Some(found) = find(connection).await?.filter(|found| found.version >= VERSION) {
        return Ok(found);
    }
    let mut transaction = connection.begin().await?;
    sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(MIGRATION_LOCK).execute(&mut *transaction).await?;
    // Somebody else may have made them meanwhile.
    let found = find(&mut transaction).await?;
    let done = found.as_ref().map_or(0, |found| found.version.max(0) as usize);
    for migration in MIGRATIONS.iter().skip(done) {
        sqlx::raw_sql(*migration).execute(&mut *transaction).await?;
    }
    let id = found.map_or_else(|| RunId::random().to_string(), |found| found.id);
    let record = "INSERT INTO orchard.ledger (id, version) VALUES ($1, $2)
        ON CONFLICT (one_row) DO UPDATE SET version = greatest(ledger.version, excluded.version)
        RETURNING id, version";
    let (id, version) = sqlx::query_as(record).bind(id).bind(VERSION).fetch_one(&mut *transaction).await?;
    transaction.commit().await?;
    Ok(Found { id, version })
}

async fn find(connection: &mut PgConnection) -> sqlx::Result<Option<Found>> {
    // Reading the catalogue itself sees what another program has just made; looking the name up may not.
    let sql = "SELECT EXISTS (SELECT FROM pg_catalog.pg_tables WHERE schemaname = 'orchard' AND tablename = 'ledger')";
    if !sqlx::query_scalar(sql).fetch_one(&mut *connection).await? {
        return Ok(None);
    }
    let row: Option<(String, i32)> =
        sqlx::query_as("SELECT id, version FROM orchard.ledger").fetch_optional(connection).await?;
    Ok(row.map(|(id, version)| Found { id, version }))
}
