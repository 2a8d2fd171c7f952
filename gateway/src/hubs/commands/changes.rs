//! What has become of commands behind positions of the contexts' logs, read without waiting.

use std::collections::{BTreeMap, BTreeSet};

use bus::{EventSource, StoreError, StoredEvent};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;
use thiserror::Error;
use tick_sdk::api::command_state;
use tick_sdk::contracts::CommandId;
use tick_sdk::contracts::bus::{
    CommandAccepted, CommandCancelled, CommandCompleted, CommandFailed, CommandProcessing, CommandRequeued,
    CommandRetried, HEARD, OtherCommandRefused,
};

use crate::documents::{DocumentError, DocumentStore};
use crate::projections::commands::COMMANDS;

/// Events of a log are read so many at a time.
const READ: usize = 500;
/// The projection that makes the documents of commands.
const PROJECTION: &str = "commands";

/// Events of which documents of commands are made.
const NAMES: &[&str] = &[
    CommandAccepted::NAME,
    CommandRetried::NAME,
    CommandProcessing::NAME,
    CommandRequeued::NAME,
    CommandCompleted::NAME,
    CommandFailed::NAME,
    CommandCancelled::NAME,
    OtherCommandRefused::NAME,
];

/// By context, a position of its log.
pub(super) type Positions = BTreeMap<String, u64>;

/// Why commands cannot be read.
#[derive(Debug, Error)]
pub(super) enum ReadError {
    #[error(transparent)]
    Events(#[from] StoreError),
    #[error(transparent)]
    Documents(#[from] DocumentError),
}

/// Commands that have changed, as they are.
#[derive(Debug)]
pub(super) struct Changes {
    /// Of the events after these positions,
    pub(super) from: Positions,
    /// up to these.
    pub(super) to: Positions,
    /// Whoever goes on after these misses nothing: they are behind `to` where a command is to change once more without
    /// another event.
    pub(super) cursor: Positions,
    /// Whether this was all that documents have been made of.
    pub(super) is_latest: bool,
    pub(super) commands: Vec<Shown>,
}

/// A command's document.
#[derive(Debug)]
pub(super) struct Shown {
    pub(super) id: CommandId,
    pub(super) caller: String,
    pub(super) document: Value,
}

impl Shown {
    /// Of its text; `None` where that is not the document of a command.
    pub(super) fn of(id: CommandId, text: &str) -> Option<Self> {
        let document: Value = serde_json::from_str(text).ok()?;
        let caller = document.get("caller")?.as_str()?.to_owned();
        Some(Self { id, caller, document })
    }

    fn is_final(&self) -> bool {
        self.document.get("state").and_then(Value::as_str).is_some_and(command_state::is_final)
    }
}

/// How far somebody has read.
#[derive(Clone, Debug, Default)]
pub(super) struct Reading {
    pub(super) positions: Positions,
    /// Commands that have ended, and are shown as processing until what they made can be read: no event says when.
    pub(super) unsettled: BTreeMap<CommandId, At>,
}

/// The event that ended a command.
#[derive(Clone, Debug)]
pub(super) struct At {
    pub(super) context: String,
    pub(super) position: u64,
}

impl Reading {
    /// Reads on, up to where the documents are. It blocks.
    pub(super) fn step(
        &mut self,
        source: &dyn EventSource,
        documents: &dyn DocumentStore,
    ) -> Result<Changes, ReadError> {
        let from = self.positions.clone();
        let mut ids = BTreeSet::new();
        let mut is_latest = true;
        for (context, projected) in projected(source, documents)? {
            let position = self.positions.get(&context).copied().unwrap_or(0);
            let mut to = position;
            if position < projected {
                let names = (context != HEARD).then_some(NAMES);
                let read = source.look(&context, position, READ, names)?;
                to = read.looked_to.min(projected);
                for event in read.events.iter().filter(|event| event.position <= to) {
                    self.take(&context, event, &mut ids);
                }
                is_latest &= to >= projected;
            }
            self.positions.insert(context, to);
        }
        let commands = self.commands(documents, ids)?;
        Ok(Changes { from, to: self.positions.clone(), cursor: self.cursor(), is_latest, commands })
    }

    fn take(&mut self, context: &str, event: &StoredEvent, ids: &mut BTreeSet<CommandId>) {
        ids.extend(event.command_id);
        if context == HEARD {
            // A service that keeps no such log may say what caused its event, and no more.
            ids.extend(event.initiator_id);
        }
        if let Some(id) = event.command_id.filter(|_| is_held(event)) {
            self.unsettled.insert(id, At { context: context.to_owned(), position: event.position });
        }
    }

    /// The documents of these commands, and of those that have settled since.
    fn commands(
        &mut self,
        documents: &dyn DocumentStore,
        ids: BTreeSet<CommandId>,
    ) -> Result<Vec<Shown>, DocumentError> {
        let all: BTreeSet<_> = ids.iter().chain(self.unsettled.keys()).copied().collect();
        let mut commands = Vec::new();
        for id in all {
            let text = documents.get(&COMMANDS, &id.to_string())?;
            let command = text.and_then(|text| Shown::of(id, &text));
            let was_unsettled = self.unsettled.contains_key(&id);
            let is_settled = command.as_ref().is_none_or(Shown::is_final);
            if is_settled {
                self.unsettled.remove(&id);
            }
            if ids.contains(&id) || (was_unsettled && is_settled) {
                commands.extend(command);
            }
        }
        Ok(commands)
    }

    /// From where on somebody else would read all that this one has not seen.
    pub(super) fn cursor(&self) -> Positions {
        let mut cursor = self.positions.clone();
        for At { context, position } in self.unsettled.values() {
            if let Some(at) = cursor.get_mut(context) {
                *at = (*at).min(position.saturating_sub(1));
            }
        }
        cursor
    }
}

/// By context, up to where the documents of commands are.
pub(super) fn projected(
    source: &dyn EventSource,
    documents: &dyn DocumentStore,
) -> Result<Positions, DocumentError> {
    let mut positions: Positions = source.contexts().into_iter().map(|context| (context, 0)).collect();
    for cursor in documents.cursors()?.into_iter().filter(|cursor| cursor.projection == PROJECTION) {
        if let Some(position) = positions.get_mut(&cursor.context) {
            *position = cursor.position;
        }
    }
    Ok(positions)
}

/// Whether the command is to be shown as ended only once something else can be read.
pub(super) fn is_held(event: &StoredEvent) -> bool {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Ended {
        #[serde(default)]
        readable_at: Vec<IgnoredAny>,
    }
    let is_end = event.name == CommandCompleted::NAME || event.name == CommandCancelled::NAME;
    is_end && serde_json::from_str::<Ended>(&event.body).is_ok_and(|ended| !ended.readable_at.is_empty())
}
