//! The statements that both a store and a transaction make.

use sqlx::postgres::PgConnection;

use super::rows::{ChangeColumns, CommandColumns, EventColumns, HandledColumns, sql_of};
use crate::store::{Acceptance, NewCommand, NewEvent};

/// Puts commands into the inbox; what became of each.
pub(super) async fn accept(
    connection: &mut PgConnection,
    own: Option<i32>,
    commands: &[NewCommand],
    now_ms: u64,
) -> sqlx::Result<Vec<Acceptance>> {
    let columns = CommandColumns::of(commands);
    let mut events = EventColumns::default();
    commands.iter().for_each(|command| events.push(NewEvent::accepted(command)));
    let hashes: Vec<_> = commands.iter().map(NewCommand::body_hash).collect();
    let sql = "SELECT accept($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)";
    let answers: Option<Vec<i16>> = sqlx::query_scalar(sql)
        .bind(own)
        .bind(sql_of(now_ms))
        .bind(columns.ids)
        .bind(columns.conversation_ids)
        .bind(columns.initiator_ids)
        .bind(columns.names)
        .bind(columns.versions)
        .bind(columns.endpoints)
        .bind(columns.callers)
        .bind(columns.bodies)
        .bind(hashes)
        .bind(columns.originals)
        .bind(events.message_ids)
        .bind(events.names)
        .bind(events.bodies)
        .fetch_one(connection)
        .await?;
    let acceptance = |answer| match answer {
        0 => Acceptance::New,
        1 => Acceptance::Known,
        _ => Acceptance::OtherBody,
    };
    Ok(answers.unwrap_or_default().into_iter().map(acceptance).collect())
}

/// Appends events, of which the last are those of the changes; the log's last position, or [`None`] where a change
/// was not made.
pub(super) async fn write(
    connection: &mut PgConnection,
    own: Option<i32>,
    events: &EventColumns,
    changes: &ChangeColumns,
    now_ms: u64,
) -> sqlx::Result<Option<u64>> {
    let sql = "SELECT write($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)";
    let head: Option<i64> = sqlx::query_scalar(sql)
        .bind(own)
        .bind(sql_of(now_ms))
        .bind(&events.message_ids)
        .bind(&events.names)
        .bind(&events.versions)
        .bind(&events.command_ids)
        .bind(&events.conversation_ids)
        .bind(&events.initiator_ids)
        .bind(&events.bodies)
        .bind(&changes.ids)
        .bind(&changes.from)
        .bind(&changes.expected)
        .bind(&changes.attempts)
        .bind(&changes.to)
        .bind(&changes.dues)
        .bind(&changes.ends)
        .fetch_one(connection)
        .await?;
    Ok(head.map(i64::cast_unsigned))
}

/// Puts commands that are handled already into the inbox with these events; the log's last position, 0 where the events
/// have no positions yet, or [`None`] where a command is known.
pub(super) async fn handle(
    connection: &mut PgConnection,
    own: Option<i32>,
    is_staged: bool,
    handled: &HandledColumns,
    events: &EventColumns,
    now_ms: u64,
) -> sqlx::Result<Option<u64>> {
    let sql = "SELECT handle($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, \
               $20, $21, $22)";
    let head: Option<i64> = sqlx::query_scalar(sql)
        .bind(own)
        .bind(sql_of(now_ms))
        .bind(is_staged)
        .bind(&handled.name)
        .bind(handled.version)
        .bind(&handled.endpoint)
        .bind(&handled.ids)
        .bind(&handled.conversation_ids)
        .bind(&handled.initiator_ids)
        .bind(&handled.callers)
        .bind(&handled.bodies)
        .bind(&handled.hashes)
        .bind(&handled.originals)
        .bind(&handled.states)
        .bind(&handled.ends)
        .bind(&events.message_ids)
        .bind(&events.names)
        .bind(&events.versions)
        .bind(&events.command_ids)
        .bind(&events.conversation_ids)
        .bind(&events.initiator_ids)
        .bind(&events.bodies)
        .fetch_one(connection)
        .await?;
    Ok(head.map(i64::cast_unsigned))
}

/// Moves a cursor that stands at `from`; `false` where it does not.
pub(super) async fn move_cursor(
    connection: &mut PgConnection,
    consumer: &str,
    context: &str,
    from: u64,
    to: u64,
) -> sqlx::Result<bool> {
    let sql = if from == 0 {
        "INSERT INTO cursor (consumer, context, position) VALUES ($1, $2, $4)
        ON CONFLICT (consumer, context) DO UPDATE SET position = excluded.position WHERE cursor.position = $3"
    } else {
        "UPDATE cursor SET position = $4 WHERE consumer = $1 AND context = $2 AND position = $3"
    };
    let moving = sqlx::query(sql).bind(consumer).bind(context).bind(sql_of(from)).bind(sql_of(to));
    Ok(moving.execute(connection).await?.rows_affected() > 0)
}

/// As [`move_cursor`] for one that has been moved before, in a commit that does not wait for the disk.
pub(super) async fn note_cursor(
    connection: &mut PgConnection,
    consumer: &str,
    context: &str,
    from: u64,
    to: u64,
) -> sqlx::Result<bool> {
    let sql =
        "UPDATE cursor SET position = $4 FROM (SELECT set_config('synchronous_commit', 'off', TRUE)) said
        WHERE consumer = $1 AND context = $2 AND position = $3";
    let moving = sqlx::query(sql).bind(consumer).bind(context).bind(sql_of(from)).bind(sql_of(to));
    Ok(moving.execute(connection).await?.rows_affected() > 0)
}
