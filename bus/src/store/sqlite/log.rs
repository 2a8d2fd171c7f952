//! Reading a context's log.

use rusqlite::{Connection, params_from_iter};

use super::rows::event_of;
use super::{LARGEST_READ, LogPage, sql_of};

/// As [`Store::look`](crate::store::Store::look).
pub(super) fn look(
    connection: &Connection,
    position: u64,
    limit: usize,
    names: Option<&[&str]>,
) -> rusqlite::Result<LogPage> {
    let mut statement = connection.prepare_cached(&look_sql(names))?;
    let bounds = [sql_of(position), limit as i64].map(rusqlite::types::Value::from);
    let names = names.unwrap_or_default().iter().map(|name| rusqlite::types::Value::from((*name).to_owned()));
    let mut rows = statement.query(params_from_iter(bounds.into_iter().chain(names)))?;
    let mut page = LogPage { events: Vec::new(), looked_to: position };
    let mut bytes = 0;
    while bytes < LARGEST_READ
        && let Some(row) = rows.next()?
    {
        page.looked_to = row.get::<_, i64>(0)?.cast_unsigned();
        if let Some(event) = event_of(row)? {
            bytes += event.body.len();
            page.events.push(event);
        }
    }
    Ok(page)
}

/// What is not asked for has no body here: SQLite does not read the pages of a body that nobody wants.
fn look_sql(names: Option<&[&str]>) -> String {
    let body = match names {
        None => "body".to_owned(),
        Some([]) => "NULL".to_owned(),
        Some(names) => {
            let places: Vec<_> = (3..names.len() + 3).map(|place| format!("?{place}")).collect();
            format!("CASE WHEN name IN ({}) THEN body END", places.join(", "))
        }
    };
    format!(
        "SELECT position, message_id, name, version, command_id, conversation_id, initiator_id, at_ms, {body} \
         FROM event WHERE position > ?1 ORDER BY position LIMIT ?2"
    )
}
