//! The handler that every context has: it puts a failed command back.

use serde_json::Value;
use tick_sdk::contracts::bus::{CommandRequeued, RequeueCommand};

use crate::events::json;
use crate::handler::{Handled, HandlerError};
use crate::registry::{AnyHandler, Attempt, Policy};
use crate::retry::Retry;
use crate::store::{CommandState, DueCommand, NewEvent, StateChange, StateKind};
use crate::work::Work;

/// Handles [`RequeueCommand`].
pub(crate) struct Requeue;

impl AnyHandler for Requeue {
    fn policy(&self) -> Policy {
        Policy { retry: Retry::DEFAULT, timeout: std::time::Duration::from_secs(30), batch: 1, at_once: 1 }
    }

    fn handle_all<'a>(&'a self, due: &'a [DueCommand], work: &'a mut Work<'_>) -> Attempt<'a, Vec<Handled>> {
        Box::pin(async move { due.iter().map(|due| requeue(due, work)).collect() })
    }
}

fn requeue(due: &DueCommand, work: &mut Work<'_>) -> Result<Handled, HandlerError> {
    let asked: RequeueCommand = serde_json::from_str(&due.command.body)
        .map_err(|error| HandlerError::refused(format!("RequeueCommand cannot be read: {error}")))?;
    let id = asked.command_id;
    let now_ms = work.now_ms();
    let transaction = work.transaction()?;
    let refused = || {
        HandlerError::refused(format!(
            "{id} is no failed command of this endpoint: only those can be requeued"
        ))
    };
    let original = transaction.find(id)?.ok_or_else(refused)?.command;
    let requeued = CommandRequeued { requeued_by: due.command.command_id };
    let event = NewEvent::of_command(&original, CommandRequeued::NAME, json(&requeued));
    let change = StateChange {
        command_id: id,
        from: StateKind::Failed,
        expected_attempts: None,
        // The policy's attempts are all there again.
        attempts: Some(0),
        to: CommandState::Waiting { due_ms: now_ms },
        event: &event,
    };
    if transaction.change(&change, now_ms)? { Ok(Handled::Done(Value::Null)) } else { Err(refused()) }
}
