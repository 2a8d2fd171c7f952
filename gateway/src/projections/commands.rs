//! What has become of commands, of the events that the bus writes beside each context's own.

use bus::StoredEvent;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tick_sdk::api::{CommandView, command_state};
use tick_sdk::contracts::CommandId;
use tick_sdk::contracts::bus::{
    CommandAccepted, CommandCancelled, CommandCompleted, CommandFailed, CommandProcessing, CommandRequeued,
    CommandRetried, CommandsForgotten, HEARD, OtherCommandRefused, ReadableAt,
};
use uuid::Uuid;

use super::{ApplyError, Projection, Readable, read};
use crate::documents::{Batch, Collection, DocumentError, Key};
use crate::instant::{ms_of_text, text_of_ms};

mod heard;

/// Commands by id; in order of acceptance, by state, and by the tree of causes.
pub(crate) static COMMANDS: Collection =
    Collection { name: "commands", indexes: &["by_time", "by_state", "by_tree"] };
/// The index of [`COMMANDS`] by acceptance.
pub(crate) const BY_TIME: usize = 0;
/// The index of [`COMMANDS`] by state, then acceptance.
pub(crate) const BY_STATE: usize = 1;
/// The index of [`COMMANDS`] by tree of causes, then acceptance. It leaves out the first of a tree, which is found by
/// its id: most commands are the only ones of theirs.
pub(crate) const BY_TREE: usize = 2;

/// Commands that have ended, but are shown as processing until what they made can be read.
pub(crate) static HELD: Collection = Collection { name: "held_commands", indexes: &[] };

/// Commands whose context has no log that is read: what is heard says what becomes of them.
static FOLLOWED: Collection = Collection { name: "followed_commands", indexes: &[] };

/// Of commands whose ids their senders chose, what tells another one under the same id from them.
pub(crate) static KEYED: Collection = Collection { name: "keyed_commands", indexes: &[] };

struct Commands;

crate::projection!(Commands);

/// The end of a command that is held back.
#[derive(Serialize, Deserialize)]
struct Held {
    readable_at: Vec<ReadableAt>,
    ended: CommandView,
}

/// [`CommandAccepted`] with the message as it lies there, or [`CommandSeen`](tick_sdk::contracts::bus::CommandSeen)
/// without one.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AcceptedHead<'a> {
    command: String,
    endpoint: String,
    caller: String,
    #[serde(borrow, default)]
    body: Option<&'a RawValue>,
    #[serde(default)]
    body_hash: Option<Uuid>,
}

/// An id that was made of an `Idempotency-Key`, which may come again with another body.
const IS_OF_KEY: usize = 5;

impl Projection for Commands {
    const NAME: &'static str = "commands";
    const VERSION: u32 = 3;
    const COLLECTIONS: &'static [&'static Collection] = &[&COMMANDS, &HELD, &FOLLOWED, &KEYED];

    fn apply(event: &StoredEvent, context: &str, batch: &mut Batch<'_>) -> Result<(), ApplyError> {
        if context == HEARD {
            return heard::apply(event, batch);
        }
        match event.name.as_str() {
            CommandAccepted::NAME => accept(event, batch),
            CommandRetried::NAME => {
                let retried: CommandRetried = read(event)?;
                change(event, batch, |command| {
                    command.state = command_state::ACCEPTED.to_owned();
                    command.attempts = retried.attempts;
                    command.reason = Some(retried.reason);
                    command.retry_at = Some(text_of_ms(retried.due_ms));
                })
            }
            CommandProcessing::NAME => {
                let processing: CommandProcessing = read(event)?;
                change(event, batch, |command| {
                    process(command, event);
                    command.attempts = processing.attempts;
                    command.reason = None;
                })
            }
            CommandRequeued::NAME => {
                let requeued: CommandRequeued = read(event)?;
                change(event, batch, |command| {
                    command.state = command_state::ACCEPTED.to_owned();
                    command.ended_at = None;
                    command.requeued_by = Some(requeued.requeued_by);
                })
            }
            OtherCommandRefused::NAME => {
                let refused: OtherCommandRefused = read(event)?;
                change(event, batch, |command| command.other_refused = Some(refused.reason))
            }
            CommandsForgotten::NAME => forget(event, batch),
            _ => apply_end(event, batch),
        }
    }

    fn settle(readable: &Readable, batch: &mut Batch<'_>) -> Result<(), DocumentError> {
        for (id, _) in batch.all(&HELD)? {
            let Some(held) = batch.get::<Held>(&HELD, &id)? else { continue };
            let is_readable = |at: &ReadableAt| readable.0.get(&at.context) >= Some(&at.position);
            if held.readable_at.iter().all(is_readable) {
                put(batch, &held.ended)?;
                batch.delete(&HELD, &id);
            }
        }
        Ok(())
    }
}

/// What is forgotten is shown no more.
fn forget(event: &StoredEvent, batch: &mut Batch<'_>) -> Result<(), ApplyError> {
    let forgotten: CommandsForgotten = read(event)?;
    for id in forgotten.command_ids {
        for collection in Commands::COLLECTIONS {
            batch.delete(collection, &id.to_string());
        }
    }
    Ok(())
}

fn accept(event: &StoredEvent, batch: &mut Batch<'_>) -> Result<(), ApplyError> {
    let AcceptedHead { command, endpoint, caller, body, body_hash } = serde_json::from_str(&event.body)?;
    let id = command_id(event)?;
    if id.0.get_version_num() == IS_OF_KEY {
        let hash = body_hash.or_else(|| body.map(|body| bus::body_hash(&command, body.get())));
        batch.put(&KEYED, &id.to_string(), vec![], &hash)?;
    }
    let accepted = CommandView {
        command_id: id,
        command,
        endpoint,
        caller,
        state: command_state::ACCEPTED.to_owned(),
        accepted_at: text_of_ms(event.at_ms),
        correlation_id: event.conversation_id,
        caused_by: event.initiator_id,
        ..CommandView::default()
    };
    Ok(put(batch, &accepted)?)
}

fn apply_end(event: &StoredEvent, batch: &mut Batch<'_>) -> Result<(), ApplyError> {
    match event.name.as_str() {
        CommandCompleted::NAME => {
            if complete_text(event, batch)? {
                return Ok(());
            }
            let CommandCompleted { attempts, result, readable_at } = read(event)?;
            end(event, batch, readable_at, |command| {
                command.state = command_state::COMPLETED.to_owned();
                command.attempts = attempts;
                command.reason = None;
                command.result = Some(result).filter(|result| !result.is_null());
            })
        }
        CommandFailed::NAME => {
            let CommandFailed { attempts, reason } = read(event)?;
            end(event, batch, Vec::new(), |command| {
                command.state = command_state::FAILED.to_owned();
                command.attempts = attempts;
                command.reason = Some(reason);
            })
        }
        CommandCancelled::NAME => {
            let CommandCancelled { result, readable_at } = read(event)?;
            end(event, batch, readable_at, |command| {
                command.state = command_state::CANCELLED.to_owned();
                command.reason = None;
                command.result = Some(result).filter(|result| !result.is_null());
            })
        }
        _ => Ok(()),
    }
}

/// [`CommandCompleted`] with the result as it stands there.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CompletedText<'a> {
    attempts: u32,
    #[serde(borrow)]
    result: &'a RawValue,
    #[serde(default)]
    readable_at: Vec<ReadableAt>,
}

/// Most commands complete at their first attempt, and nothing else has been said of them since they were accepted: what
/// says so is put into the document's text. `false`: this is not one of them.
fn complete_text(event: &StoredEvent, batch: &mut Batch<'_>) -> Result<bool, ApplyError> {
    let CompletedText { attempts, result, readable_at } = serde_json::from_str(&event.body)?;
    if !readable_at.is_empty() {
        return Ok(false);
    }
    let id = command_id(event)?.to_string();
    let edited = batch.edit(&COMMANDS, &id, |accepted, keys| {
        let by_time = keys[BY_TIME].as_ref()?;
        let mut by_state = Key::new().text(command_state::COMPLETED);
        by_state.0.extend(&by_time.0);
        keys[BY_STATE] = Some(by_state);
        completed_text(accepted, &text_of_ms(event.at_ms), attempts, result.get())
    });
    Ok(edited?)
}

/// The text of a command that was accepted only, once it has completed; `None` where that is not what it says.
fn completed_text(accepted: &str, at: &str, attempts: u32, result: &str) -> Option<String> {
    // Within a text every quote has a sign before it, so that this is found nowhere else.
    const STATE: &str = r#"","state":""#;
    const NOTHING_YET: &str =
        r#","startedAt":null,"endedAt":null,"retryAt":null,"reason":null,"result":null,"correlationId":"#;
    let (head, rest) = accepted.split_once(STATE)?;
    let rest = rest.strip_prefix(r#"accepted","attempts":0,"acceptedAt":""#)?;
    let (accepted_at, rest) = rest.split_once('"')?;
    let tail = rest.strip_prefix(NOTHING_YET)?;
    let attempts = attempts.to_string();
    let parts = [
        head,
        STATE,
        command_state::COMPLETED,
        r#"","attempts":"#,
        &attempts,
        r#","acceptedAt":""#,
        accepted_at,
        r#"","startedAt":""#,
        at,
        r#"","endedAt":""#,
        at,
        r#"","retryAt":null,"reason":null,"result":"#,
        result,
        r#","correlationId":"#,
        tail,
    ];
    Some(parts.concat())
}

fn end(
    event: &StoredEvent,
    batch: &mut Batch<'_>,
    readable_at: Vec<ReadableAt>,
    end: impl FnOnce(&mut CommandView),
) -> Result<(), ApplyError> {
    let id = command_id(event)?.to_string();
    let Some(mut command) = batch.get::<CommandView>(&COMMANDS, &id)? else { return Ok(()) };
    process(&mut command, event);
    let finish = |command: &mut CommandView| {
        command.ended_at = Some(text_of_ms(event.at_ms));
        end(command);
    };
    if readable_at.is_empty() {
        finish(&mut command);
        return Ok(put(batch, &command)?);
    }
    put(batch, &command)?;
    finish(&mut command);
    Ok(batch.put(&HELD, &id, vec![], &Held { readable_at, ended: command })?)
}

/// Of a command that was forgotten, later events mean nothing.
fn change(
    event: &StoredEvent,
    batch: &mut Batch<'_>,
    change: impl FnOnce(&mut CommandView),
) -> Result<(), ApplyError> {
    let id = command_id(event)?.to_string();
    if let Some(mut command) = batch.get::<CommandView>(&COMMANDS, &id)? {
        change(&mut command);
        put(batch, &command)?;
    }
    Ok(())
}

fn process(command: &mut CommandView, event: &StoredEvent) {
    command.state = command_state::PROCESSING.to_owned();
    command.retry_at = None;
    command.started_at.get_or_insert_with(|| text_of_ms(event.at_ms));
}

fn command_id(event: &StoredEvent) -> Result<CommandId, ApplyError> {
    event.command_id.ok_or_else(|| ApplyError::Refused("it names no command".to_owned()))
}

fn put(batch: &mut Batch<'_>, command: &CommandView) -> Result<(), DocumentError> {
    let time = ms_of_text(&command.accepted_at);
    let tree = command.correlation_id.filter(|id| id.0 != command.command_id.0);
    let tree = tree.map(|id| Key::new().text(&id.to_string()).number(time));
    let keys = vec![Some(Key::new().number(time)), Some(Key::new().text(&command.state).number(time)), tree];
    batch.put(&COMMANDS, &command.command_id.to_string(), keys, command)
}

#[cfg(test)]
mod tests;
