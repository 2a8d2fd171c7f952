//! `orchard ctl deployments` and `orchard ctl strategies`.

use anyhow::Result;
use clap::{Args, Subcommand};
use tick_sdk::api::{DeploymentView, LaneFailure, StrategyView};
use tick_sdk::contracts::strategies::DeployStrategy;

use super::Session;
use super::output::{Columns, ListArgs, SendArgs, or_dash};
use super::specs::{parameters, strategy};
use crate::ended::UsageError;

#[derive(Debug, Subcommand)]
pub(super) enum Action {
    /// Have a strategy take part from now on: in replays that name none, or in a feed
    Create(CreateArgs),
    /// All deployments
    List(ListArgs),
    /// One of them, with its parameters
    Show {
        /// The deployment
        #[arg(value_name = "NAME")]
        name: String,
    },
    /// Give a deployment other parameters: a lane of its own from then on
    Change(ChangeArgs),
    /// End a deployment; what it committed stays
    Stop(StopArgs),
}

#[derive(Debug, Args)]
pub(super) struct CreateArgs {
    /// The deployment's name
    #[arg(value_name = "NAME")]
    name: String,
    /// Which strategy, with parameters after a colon
    #[arg(value_name = "STRATEGY[:PARAM=VALUE,…]")]
    strategy: String,
    /// The feed whose hosts run it; replays where there is none
    #[arg(long, value_name = "NAME")]
    feed: Option<String>,
    /// Where it begins in the feed's run: start, or a receive time as 2026-01-31T12:00:00Z; else at the next tick
    #[arg(long, value_name = "start|TIME", requires = "feed")]
    from: Option<String>,
    #[command(flatten)]
    send: SendArgs,
}

#[derive(Debug, Args)]
pub(super) struct ChangeArgs {
    /// The deployment
    #[arg(value_name = "NAME")]
    name: String,
    /// What changes; the others stay as they are
    #[arg(value_name = "PARAM=VALUE", required = true)]
    parameters: Vec<String>,
    #[command(flatten)]
    send: SendArgs,
}

#[derive(Debug, Args)]
pub(super) struct StopArgs {
    /// The deployment
    #[arg(value_name = "NAME")]
    name: String,
    #[command(flatten)]
    send: SendArgs,
}

/// Options of `orchard ctl strategies`.
#[derive(Debug, Args)]
pub(super) struct StrategiesArgs {
    /// Only this one, with its parameters
    #[arg(value_name = "NAME")]
    name: Option<String>,
    #[command(flatten)]
    which: ListArgs,
}

const COLUMNS: Columns<DeploymentView> = Columns {
    titles: &["name", "strategy", "state", "lane", "revision", "feed", "deployed"],
    numbers: &[4],
    row: |deployment| {
        vec![
            deployment.name.clone(),
            deployment.strategy.clone(),
            deployment.state.clone(),
            deployment.lane.clone(),
            deployment.revision.to_string(),
            or_dash(deployment.feed.as_ref()),
            deployment.deployed_at.clone(),
        ]
    },
};

const STRATEGIES: Columns<StrategyView> = Columns {
    titles: &["strategy", "per", "version", "parameters", "summary"],
    numbers: &[2],
    row: |strategy| {
        let parameters = strategy.parameters.iter().map(|one| format!("{}={}", one.name, one.default));
        vec![
            strategy.name.clone(),
            strategy.scope.clone(),
            strategy.version.to_string(),
            parameters.collect::<Vec<_>>().join(","),
            strategy.summary.clone(),
        ]
    },
};

impl CreateArgs {
    pub(super) fn deployment(&self) -> Result<DeployStrategy, UsageError> {
        let wrong = |reason: String| UsageError(format!("{}: {reason}", self.strategy));
        let spec = strategy(&self.strategy).map_err(wrong)?;
        if spec.name.is_some() {
            return Err(wrong("the deployment's name stands before it: give the strategy alone".to_owned()));
        }
        Ok(DeployStrategy {
            name: self.name.clone(),
            strategy: spec.strategy,
            parameters: spec.parameters,
            feed: self.feed.clone(),
            from: self.from.clone(),
        })
    }
}

pub(super) async fn act(action: &Action, session: &Session) -> Result<()> {
    let client = &session.client;
    match action {
        Action::Create(args) => session.send(client.deploy_strategy(&args.deployment()?), &args.send).await,
        Action::List(which) => session.out.list(client.deployments(), which, &COLUMNS).await,
        Action::Show { name } => {
            let deployment = client.deployment(name).await?;
            session.out.one(&deployment, &facts(&deployment))
        }
        Action::Change(ChangeArgs { name, parameters: texts, send }) => {
            let parameters = parameters(texts.iter().map(String::as_str)).map_err(UsageError)?;
            session.send(client.change_parameters(name, &parameters), send).await
        }
        Action::Stop(StopArgs { name, send }) => session.send(client.stop_strategy(name), send).await,
    }
}

fn facts(deployment: &DeploymentView) -> Vec<(&'static str, String)> {
    let parameters = deployment.parameters.iter().map(|(name, value)| format!("{name}={value}"));
    let failed = |failure: &LaneFailure| {
        let LaneFailure { reason, at, failures, .. } = failure;
        format!("{at}, {failures} in a row: {reason}")
    };
    let mut facts = vec![
        ("Deployment", deployment.name.clone()),
        ("Strategy", deployment.strategy.clone()),
        ("Parameters", parameters.collect::<Vec<_>>().join("\n")),
        ("State", deployment.state.clone()),
        ("Lane", format!("{}, revision {}", deployment.lane, deployment.revision)),
        ("Feed", or_dash(deployment.feed.as_ref())),
        ("Deployed", deployment.deployed_at.clone()),
        ("Changed", or_dash(deployment.changed_at.as_ref())),
        ("Stopped", or_dash(deployment.stopped_at.as_ref())),
    ];
    facts.extend(deployment.failure.iter().map(|failure| ("Failed", failed(failure))));
    facts
}

pub(super) async fn strategies(args: &StrategiesArgs, session: &Session) -> Result<()> {
    let client = &session.client;
    let Some(name) = &args.name else {
        return session.out.list(client.strategies(), &args.which, &STRATEGIES).await;
    };
    let strategy = client.strategy(name).await?;
    let setting = |one: &tick_sdk::api::ParameterView| {
        format!("{}={}  {}  {}", one.name, one.default, one.kind, one.docs.trim())
    };
    let parameters: Vec<_> = strategy.parameters.iter().map(setting).collect();
    let facts = [
        ("Strategy", strategy.name.clone()),
        ("Summary", strategy.summary.clone()),
        ("Per", format!("{}, version {}, of {}", strategy.scope, strategy.version, strategy.package)),
        ("Parameters", parameters.join("\n")),
    ];
    session.out.one(&strategy, &facts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deployment_whose_lane_fails_is_told_with_why_and_when() {
        let mut deployment = DeploymentView { state: "failing".to_owned(), ..DeploymentView::default() };
        assert!(facts(&deployment).iter().all(|(name, _)| *name != "Failed"));
        deployment.failure = Some(LaneFailure {
            reason: "tick 7: it panicked".to_owned(),
            at: "2026-01-31T12:00:00Z".to_owned(),
            failures: 3,
            is_of_strategy: true,
        });
        let failed = ("Failed", "2026-01-31T12:00:00Z, 3 in a row: tick 7: it panicked".to_owned());
        assert_eq!(facts(&deployment).last(), Some(&failed));
    }
}
