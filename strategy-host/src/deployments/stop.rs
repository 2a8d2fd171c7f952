//! Stopping a deployment.

use bus::{Handled, Handler, HandlerError, Message, Work};
use tick_sdk::contracts::strategies::{StopStrategy, StrategyStopped};

use super::row::{find_running, store};

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
        let deployments = work.tables()?;
        let mut deployment = find_running(deployments, name)?;
        let found = deployment.version();
        deployment.is_stopped = true;
        store(deployments, name, Some(found), &deployment)?;
        work.publish(&StrategyStopped { name: name.clone() });
        Ok(Handled::DONE)
    }
}

bus::handler!(OnStopStrategy);
