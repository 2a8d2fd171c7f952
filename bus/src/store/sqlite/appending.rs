//! Writing a log's events.

use rusqlite::{Connection, Statement};
use tick_sdk::contracts::MessageId;

use super::sql_of;
use crate::store::NewEvent;

/// So many events are one statement: half of what a row costs is its statement's.
const TOGETHER: usize = 10;
const COLUMNS: usize = 9;

/// Writes events to places from `position` on.
pub(super) fn insert(
    connection: &Connection,
    events: &[&NewEvent],
    position: u64,
    now_ms: u64,
    id_of: impl Fn(u64) -> MessageId,
) -> rusqlite::Result<()> {
    let (together, single) = events.as_chunks::<TOGETHER>();
    let mut positions = position..;
    if !together.is_empty() {
        let mut statement = connection.prepare_cached(&insert_sql(TOGETHER))?;
        for events in together {
            for ((place, event), position) in (0..).zip(events).zip(&mut positions) {
                bind(&mut statement, place, event, position, id_of(position), now_ms)?;
            }
            statement.raw_execute()?;
        }
    }
    if !single.is_empty() {
        let mut statement = connection.prepare_cached(&insert_sql(1))?;
        for (event, position) in single.iter().zip(positions) {
            bind(&mut statement, 0, event, position, id_of(position), now_ms)?;
            statement.raw_execute()?;
        }
    }
    Ok(())
}

fn insert_sql(rows: usize) -> String {
    let row = ["(?, ?, ?, ?, ?, ?, ?, ?, ?)"];
    format!(
        "INSERT INTO event (position, message_id, name, version, command_id, conversation_id, initiator_id, at_ms, \
         body) VALUES {}",
        row.repeat(rows).join(", ")
    )
}

/// Binds an event as the row at this place of its statement.
fn bind(
    statement: &mut Statement<'_>,
    place: usize,
    event: &NewEvent,
    position: u64,
    id: MessageId,
    now_ms: u64,
) -> rusqlite::Result<()> {
    let first = place * COLUMNS + 1;
    let bytes = |id: Option<uuid::Uuid>| id.map(uuid::Uuid::into_bytes);
    statement.raw_bind_parameter(first, sql_of(position))?;
    statement.raw_bind_parameter(first + 1, id.0.as_bytes())?;
    statement.raw_bind_parameter(first + 2, &event.name)?;
    statement.raw_bind_parameter(first + 3, event.version)?;
    statement.raw_bind_parameter(first + 4, bytes(event.command_id.map(|id| id.0)))?;
    statement.raw_bind_parameter(first + 5, bytes(event.conversation_id.map(|id| id.0)))?;
    statement.raw_bind_parameter(first + 6, bytes(event.initiator_id.map(|id| id.0)))?;
    statement.raw_bind_parameter(first + 7, sql_of(now_ms))?;
    statement.raw_bind_parameter(first + 8, &event.body)
}
