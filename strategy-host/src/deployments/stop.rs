//! Stopping a deployment.

use bus::{Handled, Handler, HandlerError, Message, Work};
use tick_sdk::contracts::strategies::{StopStrategy, StrategyStopped};

use super::row::{find_running, store};
use crate::publishing::forget_lane;

#[derive(Default)]
struct OnStopStrategy;

impl Handler for OnStopStrategy {
    type Command = StopStrategy;

    async fn handle(
        &self,
        message: &Message<StopStrategy>,
        work: &mut Work<'_>,
    ) -> Result<Handled, HandlerError> {
        let name = &message.body.name;
        let mut deployment = find_running(work.tables()?, name)?;
        let found = deployment.version();
        deployment.is_stopped = true;
        forget_lane(work, &deployment.lane(name))?;
        store(work.tables()?, name, Some(found), &deployment)?;
        work.publish(&StrategyStopped { name: name.clone() });
        Ok(Handled::DONE)
    }
}

bus::handler!(OnStopStrategy);
