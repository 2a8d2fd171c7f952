//! A wish is recorded; a worker carries it out.

use std::time::Duration;

use bus::{Handled, Handler, HandlerError, Message, Retry, Work, values};
use tick_sdk::contracts::ticks::{ReplayAccepted, StartReplay};

use super::check::{Checked, check_strategies, checked};
use super::{AccountCheck, Captures, InvalidReplay, InvalidStrategy, State, deployed, log};

#[derive(Default)]
struct OnStartReplay;

impl Handler for OnStartReplay {
    type Command = StartReplay;
    const RETRY: Retry = Retry::Intervals(&[
        Duration::from_millis(50),
        Duration::from_millis(250),
        Duration::from_secs(1),
        Duration::from_secs(5),
        Duration::from_secs(15),
    ]);
    // Files are looked at, which a transaction that others share should not wait for.
    const BATCH: usize = 1;

    async fn handle(
        &self,
        message: &Message<StartReplay>,
        work: &mut Work<'_>,
    ) -> Result<Handled, HandlerError> {
        let captures: &Captures = work.resource()?;
        let account: &AccountCheck = work.resource()?;
        let refused = |error: InvalidReplay| HandlerError::refused(error.to_string());
        let Checked { mut plan, has_groups } = checked(&message.body, captures, *account).map_err(refused)?;
        if plan.strategies.is_empty() {
            plan.strategies = deployed::for_replays(work.tables()?)?;
            if plan.strategies.is_empty() {
                return Err(none_deployed(message.attempt));
            }
            check_strategies(&mut plan.strategies, has_groups).map_err(|error| refused(error.into()))?;
        }
        record(message, &plan, work)?;
        let replay_id = message.command_id.0;
        log::publish(work, replay_id, &ReplayAccepted { replay_id, plan })?;
        Ok(Handled::Processing)
    }
}

bus::handler!(OnStartReplay);

/// What was deployed a moment ago may be on its way from the other context.
fn none_deployed(attempt: u32) -> HandlerError {
    let reason = InvalidStrategy::NoneDeployed.to_string();
    if attempt <= 2 { HandlerError::failed(reason) } else { HandlerError::refused(reason) }
}

/// A replay that failed and is asked for again goes on where its ledger is.
fn record(
    message: &Message<StartReplay>,
    plan: &StartReplay,
    work: &mut Work<'_>,
) -> Result<(), HandlerError> {
    let plan = serde_json::to_string(plan)?;
    let sql = "INSERT INTO replay (replay_id, conversation_id, initiator_id, attempts, plan, state) \
               VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (replay_id) DO UPDATE SET \
               attempts = excluded.attempts, plan = excluded.plan, state = excluded.state, \
               is_cancel_wanted = 0, epoch = replay.epoch + 1, requeued = replay.requeued + 1, \
               taken_over = 0, leased_until_ms = 0 \
               WHERE replay.state = $7";
    let row = values![
        message.command_id.0,
        message.conversation_id.0,
        message.initiator_id.map(|id| id.0),
        message.attempt,
        plan,
        State::Waiting as i64,
        State::Failed as i64,
    ];
    let recorded = work.tables()?.execute(sql, &row)?;
    if recorded == 1 {
        return Ok(());
    }
    let replay = message.command_id;
    Err(HandlerError::refused(format!(
        "replay {replay} is there already, and has not failed, or it is forgotten"
    )))
}
