//! Tables of the documents' file.

use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};

use super::super::{Change, Collection};

/// Raised when the tables change; a file of another version is refused.
pub(super) const VERSION: i64 = 1;

const TABLES: &str = "
    CREATE TABLE projection (name TEXT PRIMARY KEY, version INTEGER NOT NULL) WITHOUT ROWID;
    CREATE TABLE cursor (
        projection TEXT NOT NULL, context TEXT NOT NULL, position INTEGER NOT NULL,
        PRIMARY KEY (projection, context)
    ) WITHOUT ROWID;
    CREATE TABLE stop (
        projection TEXT NOT NULL, context TEXT NOT NULL, position INTEGER NOT NULL,
        event TEXT NOT NULL, reason TEXT NOT NULL, is_skipped INTEGER NOT NULL,
        PRIMARY KEY (projection, context, position)
    ) WITHOUT ROWID;
";

/// Makes the tables in an empty file; returns the schema's version.
pub(super) fn prepare(connection: &mut Connection) -> rusqlite::Result<i64> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let found: i64 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if found != 0 {
        return Ok(found);
    }
    transaction.execute_batch(TABLES)?;
    transaction.pragma_update(None, "user_version", VERSION)?;
    transaction.commit()?;
    Ok(VERSION)
}

/// Makes the tables of a projection's collections, emptied where another version filled them.
pub(super) fn prepare_projection(
    connection: &mut Connection,
    projection: &str,
    version: u32,
    collections: &[&'static Collection],
) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let sql = "SELECT version FROM projection WHERE name = ?1";
    let found: Option<u32> = transaction.query_row(sql, [projection], |row| row.get(0)).optional()?;
    if found.is_some_and(|found| found != version) {
        drop_projection(&transaction, projection, collections)?;
    }
    for collection in collections {
        transaction.execute_batch(&table_sql(collection))?;
    }
    transaction.execute("INSERT OR REPLACE INTO projection VALUES (?1, ?2)", params![projection, version])?;
    transaction.commit()
}

/// Empties the tables of a projection's collections.
pub(super) fn clear_projection(
    connection: &mut Connection,
    projection: &str,
    collections: &[&'static Collection],
) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    drop_projection(&transaction, projection, collections)?;
    for collection in collections {
        transaction.execute_batch(&table_sql(collection))?;
    }
    transaction.commit()
}

fn drop_projection(
    connection: &Connection,
    projection: &str,
    collections: &[&'static Collection],
) -> rusqlite::Result<()> {
    for collection in collections {
        connection.execute_batch(&format!("DROP TABLE IF EXISTS doc_{}", collection.name))?;
    }
    connection.execute("DELETE FROM cursor WHERE projection = ?1", [projection])?;
    connection.execute("DELETE FROM stop WHERE projection = ?1", [projection])?;
    Ok(())
}

/// Rows are in order of their arrival, so that new ones go to the end of the file's tree whatever their ids, and its
/// inner pages hold no documents. Keys stand before the body: they are found without reading through a long one.
fn table_sql(collection: &Collection) -> String {
    let name = collection.name;
    let keys: String = (0..collection.indexes.len()).map(|index| format!("k{index} BLOB, ")).collect();
    let mut sql = format!(
        "CREATE TABLE IF NOT EXISTS doc_{name} (id TEXT PRIMARY KEY NOT NULL, {keys}body TEXT NOT NULL);"
    );
    for (place, index) in collection.indexes.iter().enumerate() {
        sql += &format!(
            "CREATE INDEX IF NOT EXISTS doc_{name}_{index} ON doc_{name} (k{place}, id) WHERE k{place} IS NOT NULL;"
        );
    }
    sql
}

/// Changes of one shape are carried out by one statement.
#[derive(Clone, Copy, PartialEq, Eq)]
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
}

/// What carries a change out, or so many new documents: parameters are the id, the body, and keys in order of their
/// indexes.
pub(super) fn change_sql(collection: &Collection, shape: Shape, rows: usize) -> String {
    let name = collection.name;
    match shape {
        Shape::Put => put_sql(collection, rows),
        Shape::Replace(indexes) => {
            let changed = (0..collection.indexes.len()).filter(|index| indexes & 1 << index != 0);
            let keys: String =
                changed.zip(3..).map(|(index, place)| format!(", k{index} = ?{place}")).collect();
            format!("UPDATE doc_{name} SET body = ?2{keys} WHERE id = ?1")
        }
        Shape::Delete => format!("DELETE FROM doc_{name} WHERE id = ?1"),
    }
}

/// A document with its keys.
pub(super) fn stored_sql(collection: &Collection) -> String {
    let keys: String = (0..collection.indexes.len()).map(|index| format!(", k{index}")).collect();
    format!("SELECT body{keys} FROM doc_{} WHERE id = ?1", collection.name)
}

/// Stores documents under their ids and keys, or replaces them.
fn put_sql(collection: &Collection, rows: usize) -> String {
    let places = 0..collection.indexes.len();
    let columns: String = places.clone().map(|place| format!(", k{place}")).collect();
    let row = format!("(?, ?{})", ", ?".repeat(places.len()));
    let rows = vec![row; rows].join(", ");
    let updates: String = places.map(|place| format!(", k{place} = excluded.k{place}")).collect();
    format!(
        "INSERT INTO doc_{} (id, body{columns}) VALUES {rows}
         ON CONFLICT (id) DO UPDATE SET body = excluded.body{updates}",
        collection.name
    )
}
