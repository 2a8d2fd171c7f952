//! Changing a deployment's parameters.

use bus::{Handled, Handler, HandlerError, Message, Work};
use tick_sdk::contracts::strategies::{ChangeParameters, ParametersChanged};

use super::row::{checked_parameters, find_running, store};
use crate::publishing::forget_lane;

#[derive(Default)]
struct OnChangeParameters;

impl Handler for OnChangeParameters {
    type Command = ChangeParameters;

    async fn handle(
        &self,
        message: &Message<ChangeParameters>,
        work: &mut Work<'_>,
    ) -> Result<Handled, HandlerError> {
        let ChangeParameters { name, parameters } = &message.body;
        let mut deployment = find_running(work.tables()?, name)?;
        let mut wished = deployment.parameters.clone();
        wished.extend(parameters.clone());
        let wished = checked_parameters(&deployment.strategy, &wished)?;
        if wished == deployment.parameters {
            let now: Vec<_> = wished.iter().map(|(name, value)| format!("{name}={value}")).collect();
            let reason = format!("deployment '{name}' has these parameters already: {}", now.join(", "));
            return Err(HandlerError::refused(reason));
        }
        let found = deployment.version();
        forget_lane(work, &deployment.lane(name))?;
        deployment.parameters = wished;
        deployment.revision += 1;
        store(work.tables()?, name, Some(found), &deployment)?;
        let (parameters, revision) = (deployment.parameters, deployment.revision);
        work.publish(&ParametersChanged { name: name.clone(), parameters, revision });
        Ok(Handled::Done(serde_json::json!({ "name": name, "revision": revision })))
    }
}

bus::handler!(OnChangeParameters);
