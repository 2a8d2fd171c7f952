//! A replay is stopped on somebody's wish.

use std::time::Duration;

use bus::{CommandEnd, EndedCommand, Handled, Handler, HandlerError, Message, Retry, Work, values};
use tick_sdk::contracts::ticks::{CancelReplay, ReplayCancelled};
use tick_sdk::contracts::{CommandId, ConversationId};
use uuid::Uuid;

use super::{State, log};

/// A wish may be on its way still: commands of two contracts are not ordered among each other.
pub(super) const FIND: Retry = Retry::Intervals(&[
    Duration::from_millis(50),
    Duration::from_millis(250),
    Duration::from_millis(700),
    Duration::from_secs(1),
]);

#[derive(Default)]
struct OnCancelReplay;

impl Handler for OnCancelReplay {
    type Command = CancelReplay;
    const RETRY: Retry = FIND;

    async fn handle(
        &self,
        message: &Message<CancelReplay>,
        work: &mut Work<'_>,
    ) -> Result<Handled, HandlerError> {
        let replay_id = message.body.replay_id;
        let found = find(replay_id, work)?;
        let ended = match found.state {
            State::Waiting => return cancel_at_once(found, work),
            State::Running => {
                let sql = "UPDATE replay SET is_cancel_wanted = 1 WHERE replay_id = $1 AND state = $2";
                let is_running = work.tables()?.execute(sql, &values![replay_id, State::Running as i64])? > 0;
                return if is_running { Ok(Handled::DONE) } else { Err(changed_meanwhile(replay_id)) };
            }
            State::Completed => "completed",
            State::Failed => "failed",
            State::Cancelled => "cancelled",
            State::Forgotten => "forgotten",
        };
        Err(HandlerError::refused(format!("replay {replay_id} has ended: it is {ended}")))
    }
}

bus::handler!(OnCancelReplay);

/// A recorded replay, and the command that asked for it.
pub(super) struct Found {
    pub(super) state: State,
    pub(super) run: Option<String>,
    command: EndedCommand,
}

pub(super) fn find(replay_id: Uuid, work: &mut Work<'_>) -> Result<Found, HandlerError> {
    let sql = "SELECT state, run, conversation_id, initiator_id, attempts FROM replay WHERE replay_id = $1";
    let Some(row) = work.tables()?.query_first(sql, &values![replay_id])? else {
        return Err(HandlerError::failed(format!("there is no replay {replay_id}")));
    };
    let command = EndedCommand {
        command_id: CommandId(replay_id),
        conversation_id: ConversationId(row.get(2)?),
        initiator_id: row.get::<Option<_>>(3)?.map(CommandId),
        attempts: row.get(4)?,
    };
    let state = row.get(0)?;
    let damaged =
        || HandlerError::refused(format!("replay {replay_id} has the state {state}, which is none"));
    Ok(Found { state: State::of(state).ok_or_else(damaged)?, run: row.get(1)?, command })
}

/// Somebody else's transaction came in between, which only a store with several writers lets happen.
pub(super) fn changed_meanwhile(replay_id: Uuid) -> HandlerError {
    HandlerError::failed(format!("replay {replay_id} was changed meanwhile"))
}

/// No worker has it: it ends here.
fn cancel_at_once(found: Found, work: &mut Work<'_>) -> Result<Handled, HandlerError> {
    let Found { run, command, .. } = found;
    let replay_id = command.command_id.0;
    let sql = "UPDATE replay SET state = $1, is_cancel_wanted = 1 WHERE replay_id = $2 AND state = $3";
    let row = values![State::Cancelled as i64, replay_id, State::Waiting as i64];
    if work.tables()?.execute(sql, &row)? == 0 {
        return Err(changed_meanwhile(replay_id));
    }
    let result = serde_json::json!({ "replayId": replay_id, "run": run });
    log::publish(work, replay_id, &ReplayCancelled { replay_id, run, outcome: None })?;
    work.end(&command, CommandEnd::Cancelled { result, readable_at: Vec::new() })?;
    Ok(Handled::DONE)
}
