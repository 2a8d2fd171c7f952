//! A replay is forgotten on somebody's wish.

use bus::{Handled, Handler, HandlerError, Message, Retry, Work, values};
use tick_sdk::contracts::ticks::ForgetReplay;

use super::cancel::{FIND, changed_meanwhile, find};
use super::{State, log};

#[derive(Default)]
struct OnForgetReplay;

impl Handler for OnForgetReplay {
    type Command = ForgetReplay;
    const RETRY: Retry = FIND;

    async fn handle(
        &self,
        message: &Message<ForgetReplay>,
        work: &mut Work<'_>,
    ) -> Result<Handled, HandlerError> {
        let replay_id = message.body.replay_id;
        let found = find(replay_id, work)?;
        match found.state {
            State::Completed | State::Failed | State::Cancelled => {}
            State::Waiting | State::Running => {
                let reason = format!("replay {replay_id} has not ended: cancel it first");
                return Err(HandlerError::refused(reason));
            }
            State::Forgotten => {
                return Err(HandlerError::refused(format!("replay {replay_id} is forgotten already")));
            }
        }
        let sql = "UPDATE replay SET state = $1, plan = '{}' WHERE replay_id = $2 AND state = $3";
        let row = values![State::Forgotten as i64, replay_id, found.state as i64];
        if work.tables()?.execute(sql, &row)? == 0 {
            return Err(changed_meanwhile(replay_id));
        }
        let run = found.run;
        let result = serde_json::json!({ "replayId": replay_id, "run": &run });
        log::forget(work, replay_id, run)?;
        Ok(Handled::Done(result))
    }
}

bus::handler!(OnForgetReplay);
