//! The store's types as columns of arrays, and rows as the store's types.

use sqlx::Row;
use sqlx::postgres::PgRow;
use tick_sdk::contracts::{CommandId, ConversationId, MessageId};
use uuid::Uuid;

use crate::store::{
    CommandState, DueCommand, NewCommand, NewEvent, OutgoingMessage, StateChange, StateKind, StoredEvent,
};

/// A position, a time or a count as SQL has it.
pub(super) fn sql_of(number: u64) -> i64 {
    number.cast_signed()
}

fn column<'a, T, V>(rows: &'a [T], value: impl Fn(&'a T) -> V) -> Vec<V> {
    rows.iter().map(value).collect()
}

/// Events as the arrays of a call.
#[derive(Default)]
pub(super) struct EventColumns {
    pub(super) message_ids: Vec<Uuid>,
    pub(super) names: Vec<String>,
    pub(super) versions: Vec<i64>,
    pub(super) command_ids: Vec<Option<Uuid>>,
    pub(super) conversation_ids: Vec<Option<Uuid>>,
    pub(super) initiator_ids: Vec<Option<Uuid>>,
    pub(super) bodies: Vec<String>,
}

impl EventColumns {
    pub(super) fn push(&mut self, event: NewEvent) {
        self.message_ids.push(crate::ids::next());
        self.names.push(event.name);
        self.versions.push(event.version.into());
        self.command_ids.push(event.command_id.map(|id| id.0));
        self.conversation_ids.push(event.conversation_id.map(|id| id.0));
        self.initiator_ids.push(event.initiator_id.map(|id| id.0));
        self.bodies.push(event.body);
    }

    pub(super) const fn len(&self) -> usize {
        self.names.len()
    }

    /// As the log has them, the last one at this position.
    pub(super) fn into_stored(self, last: u64, at_ms: u64) -> impl Iterator<Item = StoredEvent> {
        let Self { message_ids, names, versions, command_ids, conversation_ids, initiator_ids, bodies } =
            self;
        let first = (last + 1).saturating_sub(names.len() as u64);
        let ids = command_ids.into_iter().zip(conversation_ids).zip(initiator_ids);
        let events = message_ids.into_iter().zip(names).zip(versions).zip(ids).zip(bodies);
        events.zip(first..).map(move |(((((message_id, name), version), ids), body), position)| {
            let ((command_id, conversation_id), initiator_id) = ids;
            StoredEvent {
                position,
                message_id: MessageId(message_id),
                name,
                version: version as u32,
                command_id: command_id.map(CommandId),
                conversation_id: conversation_id.map(ConversationId),
                initiator_id: initiator_id.map(CommandId),
                at_ms,
                body,
            }
        })
    }
}

/// Commands as the arrays of a call.
pub(super) struct CommandColumns {
    pub(super) ids: Vec<Uuid>,
    pub(super) conversation_ids: Vec<Uuid>,
    pub(super) initiator_ids: Vec<Option<Uuid>>,
    pub(super) names: Vec<String>,
    pub(super) versions: Vec<i64>,
    pub(super) endpoints: Vec<String>,
    pub(super) callers: Vec<String>,
    pub(super) bodies: Vec<String>,
    pub(super) originals: Vec<Option<Vec<u8>>>,
}

impl CommandColumns {
    pub(super) fn of(commands: &[NewCommand]) -> Self {
        Self {
            ids: column(commands, |command| command.command_id.0),
            conversation_ids: column(commands, |command| command.conversation_id.0),
            initiator_ids: column(commands, |command| command.initiator_id.map(|id| id.0)),
            names: column(commands, |command| command.name.clone()),
            versions: column(commands, |command| command.version.into()),
            endpoints: column(commands, |command| command.endpoint.clone()),
            callers: column(commands, |command| command.caller.clone()),
            bodies: column(commands, |command| command.body.clone()),
            originals: column(commands, |command| command.original.clone()),
        }
    }
}

/// Changes of commands as the arrays of a call.
pub(super) struct ChangeColumns {
    pub(super) ids: Vec<Uuid>,
    pub(super) from: Vec<i16>,
    pub(super) expected: Vec<Option<i64>>,
    pub(super) attempts: Vec<Option<i64>>,
    pub(super) to: Vec<i16>,
    pub(super) dues: Vec<Option<i64>>,
    pub(super) ends: Vec<Option<i64>>,
}

impl ChangeColumns {
    pub(super) fn of(changes: &[StateChange<'_>], now_ms: u64) -> Self {
        let from = |change: &StateChange<'_>| match change.from {
            StateKind::Waiting => 0,
            StateKind::Processing => 1,
            StateKind::Failed => 3,
        };
        let to = |change: &StateChange<'_>| match change.to {
            CommandState::Waiting { .. } => 0,
            CommandState::Processing => 1,
            CommandState::Completed => 2,
            CommandState::Failed => 3,
            CommandState::Cancelled => 4,
        };
        let due = |change: &StateChange<'_>| match change.to {
            CommandState::Waiting { due_ms } => Some(sql_of(due_ms)),
            _ => None,
        };
        let end = |change: &StateChange<'_>| (to(change) >= 2).then_some(sql_of(now_ms));
        Self {
            ids: column(changes, |change| change.command_id.0),
            from: column(changes, from),
            expected: column(changes, |change| change.expected_attempts.map(i64::from)),
            attempts: column(changes, |change| change.attempts.map(i64::from)),
            to: column(changes, to),
            dues: column(changes, due),
            ends: column(changes, end),
        }
    }
}

/// Commands that are handled already as the arrays of a call. All are of one contract.
#[derive(Default)]
pub(super) struct HandledColumns {
    pub(super) name: String,
    pub(super) version: i64,
    pub(super) endpoint: String,
    pub(super) ids: Vec<Uuid>,
    pub(super) conversation_ids: Vec<Uuid>,
    pub(super) initiator_ids: Vec<Option<Uuid>>,
    pub(super) callers: Vec<String>,
    pub(super) bodies: Vec<String>,
    pub(super) hashes: Vec<Uuid>,
    pub(super) originals: Vec<Option<Vec<u8>>>,
    pub(super) states: Vec<i16>,
    pub(super) ends: Vec<Option<i64>>,
}

impl HandledColumns {
    pub(super) fn of(commands: &[DueCommand], changes: &[StateChange<'_>], now_ms: u64) -> Self {
        let ChangeColumns { to: states, ends, .. } = ChangeColumns::of(changes, now_ms);
        let first = commands.first().map(|due| &due.command);
        // What a completed command came as is of no use any more.
        let originals = commands
            .iter()
            .zip(&ends)
            .map(|(due, end)| if end.is_some() { None } else { due.command.original.clone() });
        Self {
            name: first.map(|command| command.name.clone()).unwrap_or_default(),
            version: first.map_or(0, |command| command.version.into()),
            endpoint: first.map(|command| command.endpoint.clone()).unwrap_or_default(),
            ids: column(commands, |due| due.command.command_id.0),
            conversation_ids: column(commands, |due| due.command.conversation_id.0),
            initiator_ids: column(commands, |due| due.command.initiator_id.map(|id| id.0)),
            callers: column(commands, |due| due.command.caller.clone()),
            bodies: column(commands, |due| due.command.body.clone()),
            hashes: column(commands, |due| due.command.body_hash()),
            originals: originals.collect(),
            states,
            ends,
        }
    }
}

/// The columns of [`command_of`].
pub(super) const COMMAND: &str =
    "command_id, conversation_id, initiator_id, name, version, endpoint, caller, body, original";

fn number(row: &PgRow, column: &str) -> sqlx::Result<u64> {
    row.try_get::<i64, _>(column).map(i64::cast_unsigned)
}

fn count(row: &PgRow, column: &str) -> sqlx::Result<u32> {
    let number: i64 = row.try_get(column)?;
    u32::try_from(number).map_err(|error| sqlx::Error::Decode(error.into()))
}

pub(super) fn command_of(row: &PgRow) -> sqlx::Result<NewCommand> {
    Ok(NewCommand {
        command_id: CommandId(row.try_get("command_id")?),
        conversation_id: ConversationId(row.try_get("conversation_id")?),
        initiator_id: row.try_get::<Option<_>, _>("initiator_id")?.map(CommandId),
        name: row.try_get("name")?,
        version: count(row, "version")?,
        endpoint: row.try_get("endpoint")?,
        caller: row.try_get("caller")?,
        body: row.try_get("body")?,
        original: row.try_get("original")?,
    })
}

pub(super) fn due_of(row: &PgRow) -> sqlx::Result<DueCommand> {
    Ok(DueCommand {
        command: command_of(row)?,
        attempts: count(row, "attempts")?,
        accepted_ms: number(row, "accepted_ms")?,
        is_suspect: false,
    })
}

/// A command that is handed to the store with this number, which another may have been handed before.
pub(super) fn handed_of(row: &PgRow, own: i32) -> sqlx::Result<DueCommand> {
    let claimed_by: Option<i32> = row.try_get("claimed_by")?;
    Ok(DueCommand { is_suspect: claimed_by.is_some_and(|by| by != own), ..due_of(row)? })
}

/// A command with its place.
pub(super) fn outgoing_of(row: &PgRow) -> sqlx::Result<(u64, NewCommand)> {
    Ok((number(row, "seq")?, command_of(row)?))
}

/// A message with its place.
pub(super) fn message_of(row: &PgRow) -> sqlx::Result<(u64, OutgoingMessage)> {
    let message = OutgoingMessage {
        exchange: row.try_get("exchange")?,
        key: row.try_get("key")?,
        is_mandatory: row.try_get("is_mandatory")?,
        properties: row.try_get("properties")?,
        body: row.try_get("body")?,
    };
    Ok((number(row, "seq")?, message))
}

/// An event, whose columns are in this order; `None` where it has no body, as it is not asked for. There are many of
/// them, so that no column is searched by its name.
pub(super) fn event_of(row: &PgRow) -> sqlx::Result<Option<StoredEvent>> {
    let Some(body) = row.try_get(8)? else { return Ok(None) };
    let version: i64 = row.try_get(3)?;
    Ok(Some(StoredEvent {
        position: row.try_get::<i64, _>(0)?.cast_unsigned(),
        message_id: MessageId(row.try_get(1)?),
        name: row.try_get(2)?,
        version: u32::try_from(version).map_err(|error| sqlx::Error::Decode(error.into()))?,
        command_id: row.try_get::<Option<_>, _>(4)?.map(CommandId),
        conversation_id: row.try_get::<Option<_>, _>(5)?.map(ConversationId),
        initiator_id: row.try_get::<Option<_>, _>(6)?.map(CommandId),
        at_ms: row.try_get::<i64, _>(7)?.cast_unsigned(),
        body,
    }))
}

/// A state as it is stored.
pub(super) const fn state_of(stored: i16, due_ms: u64) -> CommandState {
    match stored {
        0 => CommandState::Waiting { due_ms },
        1 => CommandState::Processing,
        2 => CommandState::Completed,
        3 => CommandState::Failed,
        _ => CommandState::Cancelled,
    }
}
