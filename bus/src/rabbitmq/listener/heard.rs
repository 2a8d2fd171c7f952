//! What was heard, as events of a log.

use std::collections::HashSet;

use tick_sdk::contracts::CommandId;
use tick_sdk::contracts::bus::{CommandAccepted, CommandFailed, CommandSeen, CommandsForgotten};
use uuid::Uuid;

use crate::events::json;
use crate::store::{NewCommand, NewEvent, Store, StoreError, StoreTransaction};
use crate::tables::TablesError;
use crate::wire::{IncomingEvent, IncomingFault};
use crate::{Value, values};

/// So many messages are asked for in one statement.
const ROWS: usize = 100;
/// Commands of others are remembered for so long, and messages known again: what is sent again is sent by then.
const KEEP_MS: u64 = 7 * 24 * 3600 * 1000;
/// At most so many of a kind are forgotten with each commit, so that there are never many to forget.
const FORGET: i64 = 200;

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
enum Kind {
    Command = 0,
    Event = 1,
    Fault = 2,
}

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

/// Appends those that were not heard before, and forgets what is old, all in one commit.
///
/// # Errors
/// Nothing is appended.
pub(super) fn append(store: &dyn Store, heard: &[Heard], now_ms: u64) -> Result<(), StoreError> {
    let mut transaction = store.begin()?;
    for some in heard.chunks(ROWS) {
        append_new(&mut *transaction, some, now_ms)?;
    }
    forget_old(&mut *transaction, now_ms)?;
    transaction.commit()
}

fn append_new(
    transaction: &mut dyn StoreTransaction,
    heard: &[Heard],
    now_ms: u64,
) -> Result<(), StoreError> {
    let noted = heard.iter().map(|one| (one.id, one.kind as i64));
    let mut new = note(transaction, noted, now_ms).map_err(into_store_error)?;
    let is_new = |one: &&Heard| new.remove(&(one.id, one.kind as i64));
    let new: Vec<_> = heard.iter().filter(is_new).collect();
    if new.is_empty() {
        return Ok(());
    }
    let events: Vec<_> = new.iter().map(|one| one.event.clone()).collect();
    transaction.append(&events, now_ms)?;
    let last = transaction.position()?;
    for (one, position) in new.iter().rev().zip((1..=last).rev()) {
        // Only of commands it is asked for.
        if one.kind != Kind::Event {
            let sql = "UPDATE message SET position = $1 WHERE id = $2 AND kind = $3";
            let place = values![position, one.id, one.kind as i64];
            transaction.tables().execute(sql, &place).map_err(into_store_error)?;
        }
    }
    Ok(())
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
        transaction.append(&[forgotten(Vec::new())], now_ms)?;
    }
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

/// Forgets old commands with what their log said of them, and that old messages were heard; the events of others
/// stay, as documents may be made of them.
fn forget_old(transaction: &mut dyn StoreTransaction, now_ms: u64) -> Result<(), StoreError> {
    let (mut old_commands, mut removed) = (Vec::new(), 0);
    for kind in [Kind::Command, Kind::Event, Kind::Fault] {
        let sql = "DELETE FROM message WHERE kind = $1 AND id IN \
                   (SELECT id FROM message WHERE kind = $1 AND heard_ms < $2 ORDER BY heard_ms LIMIT $3) \
                   RETURNING id, position";
        let old = values![kind as i64, now_ms.saturating_sub(KEEP_MS), FORGET];
        for row in transaction.tables().query(sql, &old).map_err(into_store_error)? {
            let (id, position): (Uuid, Option<u64>) =
                (row.get(0).map_err(into_store_error)?, row.get(1).map_err(into_store_error)?);
            let Some(position) = position else { continue };
            transaction.remove_events(position, position)?;
            removed += 1;
            if kind == Kind::Command {
                old_commands.push(CommandId(id));
            }
        }
    }
    if removed > 0 {
        transaction.append(&[forgotten(old_commands)], now_ms)?;
    }
    Ok(())
}

fn forgotten(command_ids: Vec<CommandId>) -> NewEvent {
    let body = json(&CommandsForgotten { command_ids });
    let name = CommandsForgotten::NAME.to_owned();
    NewEvent { name, version: 1, command_id: None, conversation_id: None, initiator_id: None, body }
}

pub(super) fn into_store_error(error: TablesError) -> StoreError {
    match error {
        TablesError::Store(error) => error,
        error => StoreError::GivenUp { place: super::HEARD.to_owned(), reason: error.to_string() },
    }
}
