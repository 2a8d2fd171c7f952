//! What was heard, as events of a log.

use std::collections::HashSet;
use std::sync::LazyLock;

use tick_sdk::contracts::bus::{
    CommandAccepted, CommandCompleted, CommandFailed, CommandSeen, CommandsForgotten,
};
use tick_sdk::contracts::{CommandId, KnownEvent};
use uuid::Uuid;

use crate::events::json;
use crate::store::{NewCommand, NewEvent, Store, StoreError, StoreTransaction};
use crate::tables::TablesError;
use crate::wire::{IncomingEvent, IncomingFault};
use crate::{Value, values};

/// So many messages are asked for in one statement.
const ROWS: usize = 100;
/// One message, and what is written of it.
#[derive(Clone, Debug)]
pub(super) struct Heard {
    /// The command's id, or the message's own.
    id: Uuid,
    kind: Kind,
    event: NewEvent,
}

/// What tells messages with one id from each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Command = 0,
    Event = 1,
    Fault = 2,
    /// It says what is forgotten; this log's own.
    Forgotten = 3,
    /// A command has caused another.
    Cause = 4,
}

/// The events that this program has contracts of: documents are made of them, and nothing says when those go.
static KNOWN: LazyLock<HashSet<&str>> =
    LazyLock::new(|| KnownEvent::all().into_iter().map(|known| known.name).collect());

impl Heard {
    /// A copy of a command. What becomes of one that `is_followed` is told by what is heard later; of any other, its
    /// context's log tells it.
    pub(super) fn command(command: NewCommand, is_followed: bool) -> Self {
        let NewCommand { command_id, conversation_id, initiator_id, name, endpoint, caller, body, .. } =
            command;
        let (event, body) = if is_followed {
            let body = serde_json::from_str(&body).unwrap_or_default();
            (CommandAccepted::NAME, json(&CommandAccepted { command: name, endpoint, caller, body }))
        } else {
            let body_hash = Some(crate::store::body_hash(&name, &body));
            (CommandSeen::NAME, json(&CommandSeen { command: name, endpoint, caller, body_hash }))
        };
        let event = status(event, command_id, Some(conversation_id), initiator_id, body);
        Self { id: command_id.0, kind: Kind::Command, event }
    }

    /// An event of another service.
    pub(super) fn event(event: IncomingEvent) -> Self {
        let IncomingEvent {
            message_id, name, version, command_id, conversation_id, initiator_id, body, ..
        } = event;
        let event = NewEvent { name, version, command_id, conversation_id, initiator_id, body };
        Self { id: message_id.0, kind: Kind::Event, event }
    }

    /// A command says that the one was carried out that has caused it; that counts where the former is another
    /// service's. `None` where none is said.
    pub(super) fn causes(command: &NewCommand) -> Option<Self> {
        let command_id = command.initiator_id?;
        let completed =
            CommandCompleted { attempts: 1, result: serde_json::Value::Null, readable_at: vec![] };
        let (name, conversation_id) = (CommandCompleted::NAME, Some(command.conversation_id));
        let event = status(name, command_id, conversation_id, None, json(&completed));
        Some(Self { id: command_id.0, kind: Kind::Cause, event })
    }

    /// A command of another service has failed; `None` where the fault does not say which.
    pub(super) fn fault(fault: IncomingFault) -> Option<Self> {
        let failed = json(&CommandFailed { attempts: 1, reason: fault.reason });
        let event = status(CommandFailed::NAME, fault.command_id?, fault.conversation_id, None, failed);
        Some(Self { id: fault.message_id.0, kind: Kind::Fault, event })
    }
}

fn status(
    name: &str,
    command_id: CommandId,
    conversation_id: Option<tick_sdk::contracts::ConversationId>,
    initiator_id: Option<CommandId>,
    body: String,
) -> NewEvent {
    let name = name.to_owned();
    NewEvent { name, version: 1, command_id: Some(command_id), conversation_id, initiator_id, body }
}

/// Appends those that were not heard before, all in one commit.
///
/// # Errors
/// Nothing is appended.
pub(super) fn append(store: &dyn Store, heard: &[Heard], now_ms: u64) -> Result<(), StoreError> {
    let mut transaction = store.begin()?;
    for some in heard.chunks(ROWS) {
        append_new(&mut *transaction, some, now_ms)?;
    }
    transaction.commit()
}

fn append_new(
    transaction: &mut dyn StoreTransaction,
    heard: &[Heard],
    now_ms: u64,
) -> Result<(), StoreError> {
    let followed = followed(transaction, heard).map_err(into_store_error)?;
    let counts = |one: &&Heard| one.kind != Kind::Cause || followed.contains(&one.id);
    let noted = heard.iter().filter(counts).map(|one| (one.id, one.kind as i64));
    let mut new = note(transaction, noted, now_ms).map_err(into_store_error)?;
    let is_new = |one: &&Heard| new.remove(&(one.id, one.kind as i64));
    let new: Vec<_> = heard.iter().filter(is_new).collect();
    if new.is_empty() {
        return Ok(());
    }
    let events: Vec<_> = new.iter().map(|one| one.event.clone()).collect();
    transaction.append(&events, now_ms)?;
    let last = transaction.position()?;
    let first = last + 1 - new.len() as u64;
    let is_asked_for = |one: &Heard| one.kind != Kind::Event || !KNOWN.contains(one.event.name.as_str());
    let places = new.iter().zip(first..).filter(|(one, _)| is_asked_for(one));
    let places: Vec<_> = places.map(|(one, position)| (one.id, one.kind, position)).collect();
    note_places(transaction, &places).map_err(into_store_error)
}

/// Notes where messages stand in the log, which are noted as heard.
fn note_places(
    transaction: &mut dyn StoreTransaction,
    places: &[(Uuid, Kind, u64)],
) -> Result<(), TablesError> {
    if places.is_empty() {
        return Ok(());
    }
    let mut rows = Vec::new();
    let mut parameters: Vec<Value> = Vec::new();
    for (id, kind, position) in places {
        let at = parameters.len();
        rows.push(format!("(${}, ${}, ${})", at + 1, at + 2, at + 3));
        parameters.extend(values![*id, *kind as i64, *position]);
    }
    let sql = format!(
        "UPDATE message SET position = place.column3 FROM (VALUES {}) AS place \
         WHERE message.id = place.column1 AND message.kind = place.column2",
        rows.join(", ")
    );
    transaction.tables().execute(&sql, &parameters)?;
    Ok(())
}

/// Of the commands that have caused others, those that stand in the log, or are about to.
fn followed(transaction: &mut dyn StoreTransaction, heard: &[Heard]) -> Result<HashSet<Uuid>, TablesError> {
    let of = |kind| heard.iter().filter(move |one| one.kind == kind).map(|one| CommandId(one.id));
    let causes: Vec<_> = of(Kind::Cause).collect();
    if causes.is_empty() {
        return Ok(HashSet::new());
    }
    let known = seen(transaction, &causes)?.into_iter().map(|(id, _)| id);
    Ok(known.chain(of(Kind::Command).map(|id| id.0)).collect())
}

/// Notes ids as heard, and gives those that were not noted before.
fn note(
    transaction: &mut dyn StoreTransaction,
    ids: impl Iterator<Item = (Uuid, i64)>,
    now_ms: u64,
) -> Result<HashSet<(Uuid, i64)>, TablesError> {
    let mut sql = String::from("INSERT INTO message (id, kind, heard_ms) VALUES ");
    let mut parameters: Vec<Value> = Vec::new();
    for (id, kind) in ids {
        let at = parameters.len();
        let comma = if at == 0 { "" } else { ", " };
        sql.push_str(&format!("{comma}(${}, ${}, ${})", at + 1, at + 2, at + 3));
        parameters.extend(values![id, kind, now_ms]);
    }
    if parameters.is_empty() {
        return Ok(HashSet::new());
    }
    sql.push_str(" ON CONFLICT DO NOTHING RETURNING id, kind");
    let rows = transaction.tables().query(&sql, &parameters)?;
    rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect()
}

/// Its context's log tells what becomes of these commands: that they were seen, before or after, is of no use.
///
/// # Errors
/// Nothing is written.
pub(super) fn forget_seen(
    transaction: &mut dyn StoreTransaction,
    commands: &[CommandId],
    now_ms: u64,
) -> Result<(), StoreError> {
    let last = transaction.position()?;
    let mut has_removed_last = false;
    for some in commands.chunks(ROWS) {
        for (id, position) in seen(transaction, some).map_err(into_store_error)? {
            transaction.remove_events(position, position)?;
            has_removed_last |= position == last;
            let sql = "UPDATE message SET position = NULL WHERE id = $1 AND kind = $2";
            let place = values![id, Kind::Command as i64];
            transaction.tables().execute(sql, &place).map_err(into_store_error)?;
        }
        let noted = some.iter().map(|id| (id.0, Kind::Command as i64));
        note(transaction, noted, now_ms).map_err(into_store_error)?;
    }
    if has_removed_last {
        // No position is given twice.
        say_forgotten(transaction, &forgotten(Vec::new()), now_ms)?;
    }
    Ok(())
}

/// Appends that something is forgotten, and notes where that stands: it is to be forgotten in its turn.
pub(super) fn say_forgotten(
    transaction: &mut dyn StoreTransaction,
    event: &NewEvent,
    now_ms: u64,
) -> Result<(), StoreError> {
    transaction.append(std::slice::from_ref(event), now_ms)?;
    let position = transaction.position()?;
    let sql = "INSERT INTO message (id, kind, heard_ms, position) VALUES ($1, $2, $3, $4)";
    let row = values![Uuid::now_v7(), Kind::Forgotten as i64, now_ms, position];
    transaction.tables().execute(sql, &row).map_err(into_store_error)?;
    Ok(())
}

/// Which of these commands stand in the log, and where.
fn seen(
    transaction: &mut dyn StoreTransaction,
    commands: &[CommandId],
) -> Result<Vec<(Uuid, u64)>, TablesError> {
    let places: Vec<_> = (2..commands.len() + 2).map(|at| format!("${at}")).collect();
    let sql = format!(
        "SELECT id, position FROM message WHERE kind = $1 AND position IS NOT NULL AND id IN ({})",
        places.join(", ")
    );
    let mut parameters = vec![Value::from(Kind::Command as i64)];
    parameters.extend(commands.iter().map(|id| Value::from(id.0)));
    let rows = transaction.tables().query(&sql, &parameters)?;
    rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect()
}

pub(super) fn forgotten(command_ids: Vec<CommandId>) -> NewEvent {
    NewEvent::of_bus(CommandsForgotten::NAME, &CommandsForgotten { command_ids })
}

pub(super) fn into_store_error(error: TablesError) -> StoreError {
    match error {
        TablesError::Store(error) => error,
        error => StoreError::GivenUp { place: super::HEARD.to_owned(), reason: error.to_string() },
    }
}
