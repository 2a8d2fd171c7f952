//! Where a client of commands begins.

use std::collections::{BTreeMap, BTreeSet};

use bus::EventSource;
use serde::Deserialize;
use serde_json::Value;
use tick_sdk::contracts::CommandId;
use tick_sdk::contracts::bus::{CommandCancelled, CommandCompleted};

use super::Filter;
use super::changes::{At, Positions, ReadError, Reading, Shown, projected};
use crate::documents::{DocumentStore, IndexQuery};
use crate::projections::commands::{BY_TIME, COMMANDS, HELD};

/// Documents are read so many at a time.
const READ: usize = 500;
/// For the latest commands of one caller so many are looked at, at most.
const MOST_LOOKED_AT: usize = 20_000;
/// So far back the end of a command is looked for that is not shown yet.
const HELD_WITHIN: u64 = 50_000;
/// So many commands may be held at a time: more are only while a projection has stopped.
const MOST_HELD: usize = 10_000;

/// What a client begins with.
#[derive(Debug)]
pub(super) struct Begin {
    pub(super) reading: Reading,
    /// `None` where it goes on by its own cursor.
    pub(super) past: Option<Past>,
}

/// Commands as they were when the client came, the oldest first.
#[derive(Debug)]
pub(super) struct Past {
    pub(super) cursor: Positions,
    pub(super) commands: Vec<Value>,
}

/// Finds where to begin. It blocks.
pub(super) fn begin(
    source: &dyn EventSource,
    documents: &dyn DocumentStore,
    after: Option<Positions>,
    latest: usize,
    filter: &Filter,
) -> Result<Begin, ReadError> {
    if let Some(after) = after
        && is_of_these_logs(source, &after)?
    {
        let of_context = |context: String| {
            let position = after.get(&context).copied().unwrap_or(0);
            (context, position)
        };
        let positions = source.contexts().into_iter().map(of_context).collect();
        return Ok(Begin { reading: Reading { positions, ..Reading::default() }, past: None });
    }
    // Positions come before documents: what changes between comes once more.
    let positions = projected(source, documents)?;
    let unsettled = held(source, documents, &positions)?;
    let reading = Reading { positions, unsettled };
    let commands = if filter.ids.is_empty() {
        latest_commands(documents, latest, filter)?
    } else {
        named_commands(documents, filter)?
    };
    let past = Past { cursor: reading.cursor(), commands };
    Ok(Begin { reading, past: Some(past) })
}

/// A cursor that is ahead of a log is of one that was lost: it is as good as none.
fn is_of_these_logs(source: &dyn EventSource, after: &Positions) -> Result<bool, ReadError> {
    for context in source.contexts() {
        if after.get(&context).copied().unwrap_or(0) > source.head(&context)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn latest_commands(
    documents: &dyn DocumentStore,
    latest: usize,
    filter: &Filter,
) -> Result<Vec<Value>, ReadError> {
    let mut commands = Vec::new();
    let mut after = None;
    let mut looked_at = 0;
    while commands.len() < latest && looked_at < MOST_LOOKED_AT {
        let query = IndexQuery {
            index: BY_TIME,
            from: None,
            to: None,
            is_descending: true,
            after: after.take(),
            limit: READ.min(if filter.caller.is_none() { latest } else { READ }),
        };
        let found = documents.page(&COMMANDS, &query)?;
        let Some(last) = found.last() else { break };
        after = Some((last.key.clone(), last.document.id.clone()));
        looked_at += found.len();
        let shown = found.iter().filter_map(|found| {
            let id = found.document.id.parse().ok()?;
            Shown::of(id, &found.document.body).filter(|command| filter.takes(command))
        });
        commands.extend(shown.map(|command| command.document));
    }
    commands.truncate(latest);
    commands.reverse();
    Ok(commands)
}

fn named_commands(documents: &dyn DocumentStore, filter: &Filter) -> Result<Vec<Value>, ReadError> {
    let mut commands = Vec::new();
    for id in &filter.ids {
        let text = documents.get(&COMMANDS, &id.to_string())?;
        let command = text.and_then(|text| Shown::of(*id, &text));
        commands.extend(command.filter(|command| filter.takes(command)).map(|command| command.document));
    }
    Ok(commands)
}

/// Commands whose end is behind these positions and not shown yet: with the events that ended them, or, of older ones, a
/// place before them.
fn held(
    source: &dyn EventSource,
    documents: &dyn DocumentStore,
    positions: &Positions,
) -> Result<BTreeMap<CommandId, At>, ReadError> {
    #[derive(Deserialize)]
    struct Held {
        ended: Ended,
    }
    #[derive(Deserialize)]
    struct Ended {
        endpoint: String,
    }
    let mut unsettled = BTreeMap::new();
    for document in documents.scan(&HELD, "", MOST_HELD)? {
        let (Ok(id), Ok(held)) = (document.id.parse(), serde_json::from_str::<Held>(&document.body)) else {
            continue;
        };
        let context = held.ended.endpoint;
        let Some(head) = positions.get(&context) else { continue };
        unsettled.insert(id, At { position: head.saturating_sub(HELD_WITHIN) + 1, context });
    }
    let contexts: BTreeSet<_> = unsettled.values().map(|at: &At| at.context.clone()).collect();
    for context in contexts {
        let Some(head) = positions.get(&context) else { continue };
        let mut at = head.saturating_sub(HELD_WITHIN);
        while at < *head {
            let names = [CommandCompleted::NAME, CommandCancelled::NAME];
            let read = source.look(&context, at, READ, Some(&names))?;
            if read.looked_to == at {
                break;
            }
            at = read.looked_to;
            for event in read.events {
                let place = event.command_id.and_then(|id| unsettled.get_mut(&id));
                if let Some(place) = place.filter(|place| place.context == context) {
                    place.position = event.position;
                }
            }
        }
    }
    Ok(unsettled)
}
