//! Rows as the store's types.

use rusqlite::Row;
use tick_sdk::contracts::{CommandId, ConversationId, MessageId};
use uuid::Uuid;

use crate::store::{CommandState, DueCommand, NewCommand, OutgoingMessage, StoredEvent};

fn id(row: &Row<'_>, column: usize) -> rusqlite::Result<Uuid> {
    Ok(Uuid::from_bytes(row.get(column)?))
}

fn optional_id(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Uuid>> {
    Ok(row.get::<_, Option<[u8; 16]>>(column)?.map(Uuid::from_bytes))
}

/// The columns of [`command_of`].
pub(super) const COMMAND: &str =
    "command_id, conversation_id, initiator_id, name, version, endpoint, caller, body, original";
/// The columns of [`due_of`], of [`DUE_FROM`].
pub(super) const DUE: &str = "command_id, conversation_id, initiator_id, command.name, version, endpoint, caller, \
                              body, original, attempts, accepted_ms";
/// What came, and what became of it. SQLite begins with what is named first.
pub(super) const DUE_FROM: &str = "inbox CROSS JOIN command ON command.seq = inbox.seq";

/// A command in columns 0 to 8.
pub(super) fn command_of(row: &Row<'_>) -> rusqlite::Result<NewCommand> {
    Ok(NewCommand {
        command_id: CommandId(id(row, 0)?),
        conversation_id: ConversationId(id(row, 1)?),
        initiator_id: optional_id(row, 2)?.map(CommandId),
        name: row.get(3)?,
        version: row.get(4)?,
        endpoint: row.get(5)?,
        caller: row.get(6)?,
        body: row.get(7)?,
        original: row.get(8)?,
    })
}

/// A command in columns 0 to 8, its attempts and when it was accepted in 9 and 10.
pub(super) fn due_of(row: &Row<'_>) -> rusqlite::Result<DueCommand> {
    Ok(DueCommand {
        command: command_of(row)?,
        attempts: row.get(9)?,
        accepted_ms: row.get::<_, i64>(10)?.cast_unsigned(),
        // One process at a time has the file.
        is_suspect: false,
    })
}

/// A message with its place in column 0.
pub(super) fn message_of(row: &Row<'_>) -> rusqlite::Result<(u64, OutgoingMessage)> {
    let message = OutgoingMessage {
        exchange: row.get(1)?,
        key: row.get(2)?,
        is_mandatory: row.get(3)?,
        properties: row.get(4)?,
        body: row.get(5)?,
    };
    Ok((row.get::<_, i64>(0)?.cast_unsigned(), message))
}

/// An event in columns 0 to 8; `None` where it has no body, as it is not asked for.
pub(super) fn event_of(row: &Row<'_>) -> rusqlite::Result<Option<StoredEvent>> {
    let Some(body) = row.get(8)? else { return Ok(None) };
    Ok(Some(StoredEvent {
        position: row.get::<_, i64>(0)?.cast_unsigned(),
        message_id: MessageId(id(row, 1)?),
        name: row.get(2)?,
        version: row.get(3)?,
        command_id: optional_id(row, 4)?.map(CommandId),
        conversation_id: optional_id(row, 5)?.map(ConversationId),
        initiator_id: optional_id(row, 6)?.map(CommandId),
        at_ms: row.get::<_, i64>(7)?.cast_unsigned(),
        body,
    }))
}

/// A state as it is stored.
pub(super) fn state_of(stored: i64, due_ms: u64) -> CommandState {
    match stored {
        0 => CommandState::Waiting { due_ms },
        1 => CommandState::Processing,
        2 => CommandState::Completed,
        3 => CommandState::Failed,
        _ => CommandState::Cancelled,
    }
}
