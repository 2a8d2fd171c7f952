//! Strategies, and deployments of them.

use std::collections::BTreeMap;

use reqwest::Method;

use super::call::Call;
use super::{Client, ClientError, CommandRequest, Items};
use crate::api::{ChangeParametersBody, DeploymentView, StrategyView};
use crate::contracts::strategies::DeployStrategy;

impl Client {
    /// The strategies that the server has, with their parameters.
    pub fn strategies(&self) -> Items<StrategyView> {
        self.items(Call::get(self, &["api", "strategies"]))
    }

    /// A strategy.
    pub async fn strategy(&self, name: &str) -> Result<StrategyView, ClientError> {
        self.read(Call::get(self, &["api", "strategies", name])?).await
    }

    /// Has a strategy take part from now on.
    pub fn deploy_strategy(&self, deployment: &DeployStrategy) -> CommandRequest {
        CommandRequest::new(self, self.post(&["api", "deployments"]).and_then(|call| call.body(deployment)))
    }

    /// All deployments.
    pub fn deployments(&self) -> Items<DeploymentView> {
        self.items(Call::get(self, &["api", "deployments"]))
    }

    /// A deployment.
    pub async fn deployment(&self, name: &str) -> Result<DeploymentView, ClientError> {
        self.read(Call::get(self, &["api", "deployments", name])?).await
    }

    /// Gives a deployment other parameters: a lane of its own from then on.
    pub fn change_parameters(&self, name: &str, parameters: &BTreeMap<String, String>) -> CommandRequest {
        let body = ChangeParametersBody { parameters: parameters.clone() };
        let call = Call::new(self, Method::PATCH, &["api", "deployments", name]);
        CommandRequest::new(self, call.and_then(|call| call.body(&body)))
    }

    /// Ends a deployment; what it committed stays.
    pub fn stop_strategy(&self, name: &str) -> CommandRequest {
        CommandRequest::new(self, Call::new(self, Method::DELETE, &["api", "deployments", name]))
    }
}
