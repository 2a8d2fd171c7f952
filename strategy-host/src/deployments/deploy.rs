//! Deploying a strategy.

use bus::{Handled, Handler, HandlerError, Message, Work};
use tick_sdk::contracts::strategies::{DeployStrategy, StrategyDeployed};
use tick_sdk::names::{FeedName, StrategyName};

use super::begins::begins;
use super::row::{Deployment, checked_parameters, find, store};

#[derive(Default)]
struct OnDeployStrategy;

impl Handler for OnDeployStrategy {
    type Command = DeployStrategy;

    async fn handle(
        &self,
        message: &Message<DeployStrategy>,
        work: &mut Work<'_>,
    ) -> Result<Handled, HandlerError> {
        let DeployStrategy { name, strategy, parameters, feed, from } = &message.body;
        check_name(name)?;
        if let Some(Err(error)) = feed.as_deref().map(str::parse::<FeedName>) {
            return Err(HandlerError::refused(error.to_string()));
        }
        check_from(feed.as_deref(), from.as_deref())?;
        let parameters = checked_parameters(strategy, parameters)?;
        let deployments = work.tables()?;
        let before = find(deployments, name)?;
        if before.as_ref().is_some_and(|before| !before.is_stopped) {
            let reason =
                format!("there is a deployment '{name}' already: give another name, or stop that one");
            return Err(HandlerError::refused(reason));
        }
        let found = before.as_ref().map(Deployment::version);
        let revision = before.map_or(0, |before| before.revision) + 1;
        let (strategy, feed, from) = (strategy.clone(), feed.clone(), from.clone());
        let deployment = Deployment { strategy, parameters, revision, is_stopped: false };
        store(deployments, name, found, &deployment)?;
        let Deployment { strategy, parameters, .. } = deployment;
        work.publish(&StrategyDeployed { name: name.clone(), strategy, parameters, feed, from, revision });
        Ok(Handled::Done(serde_json::json!({ "name": name, "revision": revision })))
    }
}

bus::handler!(OnDeployStrategy);

/// Where it begins is known, and is a feed's.
fn check_from(feed: Option<&str>, from: Option<&str>) -> Result<(), HandlerError> {
    let Some(from) = from else { return Ok(()) };
    if feed.is_none() {
        let reason = "from says where it begins in a feed, and there is no feed: leave it out";
        return Err(HandlerError::refused(reason));
    }
    begins(Some(from)).map(drop).map_err(HandlerError::refused)
}

/// A name is valid when each lane that its changes may bring about has one, too: `name@4294967295`.
fn check_name(name: &str) -> Result<(), HandlerError> {
    if format!("{name}@{}", u32::MAX).parse::<StrategyName>().is_ok() {
        return Ok(());
    }
    let reason = format!("'{name}' cannot name a deployment: use 1 to 53 letters, digits, '-' and '_'");
    Err(HandlerError::refused(reason))
}
