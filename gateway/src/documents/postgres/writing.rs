//! One commit: who may, what changes, and who is to know.

use std::collections::BTreeMap;

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection};
use uuid::Uuid;

use super::super::{Change, Collection, Commit};
use super::schema::Shape;
use super::{CHANNEL, LEASE};

/// A notification has less than 8,000 bytes.
const LONGEST_NOTE: usize = 7_500;

/// Commits all of it, unless another process keeps the documents: `false`.
pub(super) async fn commit(
    connection: &mut PgConnection,
    holder: Uuid,
    epoch: i64,
    commit: &Commit,
) -> sqlx::Result<bool> {
    let mut transaction = connection.begin().await?;
    // What was decided about an event that stopped a projection may be written by anybody.
    let is_open_to_all = commit.changes.is_empty() && commit.cursors.is_empty();
    if !is_open_to_all {
        let fence = format!(
            "UPDATE keeper SET commits = commits + 1, until = clock_timestamp() + interval '{LEASE} seconds'
            WHERE holder = $1 AND epoch = $2 RETURNING commits"
        );
        let fencing = sqlx::query_scalar(AssertSqlSafe(fence)).bind(holder).bind(epoch);
        let Some(commits) = fencing.fetch_optional(&mut *transaction).await? else { return Ok(false) };
        write_documents(&mut transaction, commit).await?;
        write_cursors(&mut transaction, commit).await?;
        note(&mut transaction, commits, commit).await?;
    }
    write_stops(&mut transaction, commit).await?;
    transaction.commit().await?;
    Ok(true)
}

/// Changes of one collection that one statement carries out, an array for each column.
#[derive(Default)]
struct Columns<'a> {
    ids: Vec<&'a [u8]>,
    bodies: Vec<&'a str>,
    /// One for each index that gets a key.
    keys: Vec<Vec<Option<&'a [u8]>>>,
}

impl<'a> Columns<'a> {
    fn push(&mut self, id: &'a str, change: &'a Change) {
        self.ids.push(id.as_bytes());
        self.bodies.extend(change.body());
        let keys: Vec<_> = match change {
            Change::Put { keys, .. } => keys.iter().collect(),
            Change::Replace { keys, .. } => keys.iter().map(|(_, key)| key).collect(),
            Change::Delete => Vec::new(),
        };
        self.keys.resize_with(keys.len(), Vec::new);
        for (column, key) in self.keys.iter_mut().zip(keys) {
            column.push(key.as_ref().map(|key| key.0.as_slice()));
        }
    }
}

async fn write_documents(connection: &mut PgConnection, commit: &Commit) -> sqlx::Result<()> {
    let mut all: BTreeMap<(&str, Shape), (&'static Collection, Columns<'_>)> = BTreeMap::new();
    for (collection, id, change) in &commit.changes {
        let place = (collection.name, Shape::of(change));
        all.entry(place).or_insert_with(|| (collection, Columns::default())).1.push(id, change);
    }
    for ((_, shape), (collection, columns)) in all {
        let (sql, changed) = (shape.sql(collection), columns.ids.len() as u64);
        let mut changing = sqlx::query(AssertSqlSafe(sql)).bind(columns.ids);
        if shape != Shape::Delete {
            changing = changing.bind(columns.bodies);
        }
        for column in columns.keys {
            changing = changing.bind(column);
        }
        let done = changing.execute(&mut *connection).await?;
        if matches!(shape, Shape::Replace(_)) && done.rows_affected() != changed {
            return Err(sqlx::Error::RowNotFound);
        }
    }
    bus::kill_point("documents", "mid-commit");
    Ok(())
}

async fn write_cursors(connection: &mut PgConnection, commit: &Commit) -> sqlx::Result<()> {
    let put = "INSERT INTO cursor (projection, context, position) VALUES ($1, $2, $3)
        ON CONFLICT (projection, context) DO UPDATE SET position = excluded.position";
    for cursor in &commit.cursors {
        let putting = sqlx::query(put).bind(&cursor.projection).bind(&cursor.context);
        putting.bind(cursor.position.cast_signed()).execute(&mut *connection).await?;
    }
    Ok(())
}

async fn write_stops(connection: &mut PgConnection, commit: &Commit) -> sqlx::Result<()> {
    let put = "INSERT INTO stop (projection, context, position, event, reason, is_skipped)
        VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (projection, context, position) DO UPDATE
        SET event = excluded.event, reason = excluded.reason, is_skipped = excluded.is_skipped";
    for stop in &commit.stops {
        let putting = sqlx::query(put).bind(&stop.projection).bind(&stop.context);
        let putting = putting.bind(stop.position.cast_signed()).bind(&stop.event);
        // A panic's words may have in them what PostgreSQL takes in no text.
        let reason = stop.reason.replace('\0', "");
        putting.bind(reason).bind(stop.is_skipped).execute(&mut *connection).await?;
    }
    Ok(())
}

/// Says to the other processes which documents have changed, of those that are named by an id: nobody waits for the
/// others.
async fn note(connection: &mut PgConnection, commits: i64, commit: &Commit) -> sqlx::Result<()> {
    let mut ids =
        commit.changes.iter().map(|(_, id, _)| id).filter(|id| Uuid::try_parse(id).is_ok()).peekable();
    loop {
        let mut note = commits.to_string();
        while let Some(id) = ids.next_if(|id| note.len() + id.len() < LONGEST_NOTE) {
            note.push(' ');
            note.push_str(id);
        }
        sqlx::query("SELECT pg_notify($1, $2)").bind(CHANNEL).bind(note).execute(&mut *connection).await?;
        if ids.peek().is_none() {
            return Ok(());
        }
    }
}
