//! Commands as they are heard of on a broker, beside what the logs of contexts say.
//!
//! One that was only seen is accepted until its context's log says more. One that is followed is carried out by a
//! service whose log nobody reads here: its first event completes it, a fault has failed it.

use bus::StoredEvent;
use serde_json::json;
use tick_sdk::api::{CommandView, command_state};
use tick_sdk::contracts::CommandId;
use tick_sdk::contracts::bus::{
    CommandAccepted, CommandFailed, CommandSeen, CommandsForgotten, EventsForgotten,
};

use super::{COMMANDS, FOLLOWED, accept, apply_end, command_id, end, forget};
use crate::documents::Batch;
use crate::projections::ApplyError;

/// Takes what was heard into account.
pub(super) fn apply(event: &StoredEvent, batch: &mut Batch<'_>) -> Result<(), ApplyError> {
    match event.name.as_str() {
        CommandSeen::NAME => {
            if state(event, batch)?.is_none() {
                accept(event, batch)?;
            }
            Ok(())
        }
        CommandAccepted::NAME => {
            if state(event, batch)?.is_none() {
                accept(event, batch)?;
                batch.put(&FOLLOWED, &command_id(event)?.to_string(), vec![], &json!({}))?;
            }
            Ok(())
        }
        CommandFailed::NAME if followed(event.command_id, batch)?.is_some() => apply_end(event, batch),
        CommandFailed::NAME => Ok(()),
        CommandsForgotten::NAME => forget(event, batch),
        EventsForgotten::NAME => Ok(()),
        _ => complete(event, batch),
    }
}

/// An event of a command that is followed completes it. A service may say by the event's own id which command
/// that is, or by the one that caused it.
fn complete(event: &StoredEvent, batch: &mut Batch<'_>) -> Result<(), ApplyError> {
    for id in [event.command_id, event.initiator_id] {
        let Some(id) = followed(id, batch)? else { continue };
        let of_command = StoredEvent { command_id: Some(id), ..event.clone() };
        if state(&of_command, batch)?.is_some_and(|state| state != command_state::COMPLETED) {
            end(&of_command, batch, Vec::new(), |command| {
                command.state = command_state::COMPLETED.to_owned();
                command.attempts = command.attempts.max(1);
                command.reason = None;
            })?;
        }
        return Ok(());
    }
    Ok(())
}

/// This id, if it is of a command that is followed.
fn followed(id: Option<CommandId>, batch: &Batch<'_>) -> Result<Option<CommandId>, ApplyError> {
    let Some(id) = id else { return Ok(None) };
    let is_followed = batch.text(&FOLLOWED, &id.to_string())?.is_some();
    Ok(is_followed.then_some(id))
}

/// How its command stands, if it is known.
fn state(event: &StoredEvent, batch: &Batch<'_>) -> Result<Option<String>, ApplyError> {
    let command: Option<CommandView> = batch.get(&COMMANDS, &command_id(event)?.to_string())?;
    Ok(command.map(|command| command.state))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use tick_sdk::contracts::bus::HEARD;
    use tick_sdk::contracts::{ConversationId, MessageId};

    use super::super::Commands;
    use super::*;
    use crate::documents::{DocumentStore, Durability, SqliteDocuments};
    use crate::projections::Projection;

    struct Log<'a> {
        batch: Batch<'a>,
        command: CommandId,
    }

    impl Log<'_> {
        fn apply(&mut self, context: &str, name: &str, body: &Value) {
            let event = StoredEvent {
                position: 1,
                message_id: MessageId::default(),
                name: name.to_owned(),
                version: 1,
                command_id: Some(self.command),
                conversation_id: Some(ConversationId(self.command.0)),
                initiator_id: None,
                at_ms: 1_723_105_800_000,
                body: body.to_string(),
            };
            Commands::apply(&event, context, &mut self.batch).unwrap();
        }

        fn shown(&self) -> Option<(String, Option<String>)> {
            let command: Option<CommandView> = self.batch.get(&COMMANDS, &self.command.to_string()).unwrap();
            command.map(|command| (command.state, command.reason))
        }
    }

    fn with_log(test: impl FnOnce(Log<'_>)) {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteDocuments::open(&folder.path().join("read"), Durability::None).unwrap();
        store.prepare(Commands::NAME, 1, Commands::COLLECTIONS).unwrap();
        test(Log { batch: Batch::new(&store), command: CommandId::new() });
    }

    fn head(endpoint: &str) -> Value {
        json!({ "command": "ShipOrder", "endpoint": endpoint, "caller": "shop" })
    }

    fn shown(state: &str, reason: Option<&str>) -> Option<(String, Option<String>)> {
        Some((state.to_owned(), reason.map(str::to_owned)))
    }

    #[test]
    fn a_command_of_another_service_is_failed_by_its_fault_and_completed_by_its_event() {
        with_log(|mut log| {
            log.apply(HEARD, "CommandAccepted", &head("ship-order"));
            assert_eq!(log.shown(), shown("accepted", None));
            log.apply(HEARD, "CommandFailed", &json!({ "attempts": 1, "reason": "no carrier" }));
            assert_eq!(log.shown(), shown("failed", Some("no carrier")));
            // It was requeued there.
            log.apply(HEARD, "Shop:OrderShipped", &json!({}));
            assert_eq!(log.shown(), shown("completed", None));
            log.apply(HEARD, "CommandsForgotten", &json!({ "commandIds": [log.command] }));
            assert_eq!(log.shown(), None);
        });
    }

    #[test]
    fn a_command_of_another_service_is_completed_by_what_it_caused_here() {
        with_log(|mut log| {
            let completed = json!({ "attempts": 1, "result": null });
            log.apply(HEARD, "CommandCompleted", &completed);
            assert_eq!(log.shown(), None);
            log.apply(HEARD, "CommandAccepted", &head("notifier"));
            log.apply(HEARD, "CommandCompleted", &completed);
            assert_eq!(log.shown(), shown("completed", None));
            log.apply(HEARD, "EventsForgotten", &json!({ "positions": [1] }));
            assert_eq!(log.shown(), shown("completed", None));
        });
    }

    #[test]
    fn what_was_seen_is_accepted_and_only_its_context_says_more() {
        with_log(|mut log| {
            log.apply(HEARD, "CommandSeen", &head("accounts"));
            assert_eq!(log.shown(), shown("accepted", None));
            // Whoever consumed an event of it says nothing about it.
            log.apply(HEARD, "Shop:CustomerGreeted", &json!({}));
            log.apply(HEARD, "CommandFailed", &json!({ "attempts": 1, "reason": "elsewhere" }));
            assert_eq!(log.shown(), shown("accepted", None));
            log.apply("accounts", "CommandAccepted", &head("accounts"));
            log.apply("accounts", "CommandFailed", &json!({ "attempts": 2, "reason": "taken" }));
            log.apply(HEARD, "CommandSeen", &head("accounts"));
            assert_eq!(log.shown(), shown("failed", Some("taken")));
        });
    }
}
