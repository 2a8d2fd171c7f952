//! What becomes of a command after an attempt.

use tick_sdk::contracts::bus::{CommandCompleted, CommandFailed, CommandProcessing, CommandRetried};

use crate::events::json;
use crate::handler::{Handled, HandlerError};
use crate::retry::Retry;
use crate::store::{CommandState, DueCommand, NewEvent, StateChange, StateKind};

/// A command's next state, and the event that says so.
pub(super) struct Next {
    to: CommandState,
    event: NewEvent,
    /// Why it has failed for good, where it has.
    reason: Option<String>,
}

impl Next {
    pub(super) fn handled(due: &DueCommand, handled: Handled) -> Self {
        let attempts = due.attempts + 1;
        let (to, name, body) = match handled {
            Handled::Done(result) => {
                let completed = CommandCompleted { attempts, result, readable_at: Vec::new() };
                (CommandState::Completed, CommandCompleted::NAME, json(&completed))
            }
            Handled::Processing => {
                (CommandState::Processing, CommandProcessing::NAME, json(&CommandProcessing { attempts }))
            }
        };
        Self { to, event: NewEvent::of_command(&due.command, name, body), reason: None }
    }

    /// The next attempt where the policy gives one, and else the end.
    pub(super) fn failed(due: &DueCommand, error: &HandlerError, retry: Retry, now_ms: u64) -> Self {
        let attempts = due.attempts + 1;
        let reason = error.reason().to_owned();
        let seed = due.command.command_id.0.as_u64_pair().1;
        let pause = retry.pause_after(attempts, seed).filter(|_| !error.is_refusal());
        let (command, name) = (due.command.command_id, &due.command.name);
        let (to, name, body, reason) = match pause {
            Some(pause) => {
                tracing::info!(%command, name, attempts, %reason, "an attempt failed");
                let due_ms = now_ms + pause.as_millis() as u64;
                let retried = CommandRetried { attempts, reason, due_ms };
                (CommandState::Waiting { due_ms }, CommandRetried::NAME, json(&retried), None)
            }
            None => {
                tracing::warn!(%command, name, attempts, %reason, "a command failed");
                let failed = CommandFailed { attempts, reason };
                (CommandState::Failed, CommandFailed::NAME, json(&failed), Some(failed.reason))
            }
        };
        Self { to, event: NewEvent::of_command(&due.command, name, body), reason }
    }

    /// Why it has failed for good; `None` where it has not.
    pub(super) fn failed_as(&self) -> Option<&str> {
        self.reason.as_deref()
    }

    /// The change that takes place if nobody else had the command meanwhile.
    pub(super) fn change(&self, due: &DueCommand) -> StateChange<'_> {
        StateChange {
            command_id: due.command.command_id,
            from: StateKind::Waiting,
            expected_attempts: Some(due.attempts),
            attempts: Some(due.attempts + 1),
            to: self.to,
            event: &self.event,
        }
    }
}
