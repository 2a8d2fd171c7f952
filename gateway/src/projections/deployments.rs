//! Deployments, of the events of `strategies`.

use bus::StoredEvent;
use tick_sdk::api::{DeploymentView, LaneFailure, deployment_state};
use tick_sdk::contracts::Contract;
use tick_sdk::contracts::strategies::{
    LaneFailed, LaneRecovered, ParametersChanged, StrategyDeployed, StrategyStopped,
};

use super::{ApplyError, Projection, read};
use crate::documents::{Batch, Collection, DocumentError, Key};
use crate::instant::text_of_ms;

/// Deployments by name, in order of name.
pub(crate) static DEPLOYMENTS: Collection = Collection { name: "deployments", indexes: &["by_name"] };

struct Deployments;

crate::projection!(Deployments);

impl Projection for Deployments {
    const NAME: &'static str = "deployments";
    const VERSION: u32 = 2;
    const COLLECTIONS: &'static [&'static Collection] = &[&DEPLOYMENTS];

    fn apply(event: &StoredEvent, _: &str, batch: &mut Batch<'_>) -> Result<(), ApplyError> {
        let at = || text_of_ms(event.at_ms);
        match event.name.as_str() {
            StrategyDeployed::NAME => {
                let StrategyDeployed { name, strategy, parameters, feed, revision, .. } = read(event)?;
                let lane = lane(&name, revision, feed.as_deref());
                let (state, deployed_at) = (deployment_state::ACTIVE.to_owned(), at());
                let deployed = DeploymentView {
                    name,
                    strategy,
                    parameters,
                    feed,
                    revision,
                    lane,
                    state,
                    deployed_at,
                    ..DeploymentView::default()
                };
                put(batch, &deployed)?;
            }
            ParametersChanged::NAME => {
                let ParametersChanged { name, parameters, revision } = read(event)?;
                change(batch, &name, |deployment| {
                    deployment.lane = lane(&name, revision, deployment.feed.as_deref());
                    deployment.parameters = parameters;
                    deployment.revision = revision;
                    deployment.changed_at = Some(at());
                    recover(deployment);
                })?;
            }
            StrategyStopped::NAME => {
                let StrategyStopped { name } = read(event)?;
                change(batch, &name, |deployment| {
                    deployment.state = deployment_state::STOPPED.to_owned();
                    deployment.stopped_at = Some(at());
                    deployment.failure = None;
                })?;
            }
            LaneFailed::NAME => {
                let LaneFailed { feed, strategy, reason, failures, is_of_strategy } = read(event)?;
                change_lane(batch, &feed, &strategy, |deployment| {
                    deployment.state = deployment_state::FAILING.to_owned();
                    deployment.failure = Some(LaneFailure { reason, at: at(), failures, is_of_strategy });
                })?;
            }
            LaneRecovered::NAME => {
                let LaneRecovered { feed, strategy } = read(event)?;
                change_lane(batch, &feed, &strategy, recover)?;
            }
            _ => {}
        }
        Ok(())
    }
}

/// The name under which a revision's signals stand.
/// In replays the first revision has the deployment's own name; a feed keeps every revision apart.
fn lane(name: &str, revision: u32, feed: Option<&str>) -> String {
    if revision <= 1 && feed.is_none() { name.to_owned() } else { format!("{name}@{revision}") }
}

fn change(
    batch: &mut Batch<'_>,
    name: &str,
    change: impl FnOnce(&mut DeploymentView),
) -> Result<(), ApplyError> {
    let deployment: Option<DeploymentView> = batch.get(&DEPLOYMENTS, name)?;
    let mut deployment =
        deployment.ok_or_else(|| ApplyError::Refused(format!("there is no deployment {name}")))?;
    change(&mut deployment);
    Ok(put(batch, &deployment)?)
}

/// Changes the deployment whose lane this is now. Of a lane that is wanted no more, as of one of a replay, nothing is
/// shown.
fn change_lane(
    batch: &mut Batch<'_>,
    feed: &str,
    lane: &str,
    change: impl FnOnce(&mut DeploymentView),
) -> Result<(), ApplyError> {
    let Some((name, _)) = lane.split_once('@') else { return Ok(()) };
    let Some(mut deployment) = batch.get::<DeploymentView>(&DEPLOYMENTS, name)? else { return Ok(()) };
    let is_its_lane = deployment.lane == lane && deployment.feed.as_deref() == Some(feed);
    if is_its_lane && deployment.state != deployment_state::STOPPED {
        change(&mut deployment);
        put(batch, &deployment)?;
    }
    Ok(())
}

fn recover(deployment: &mut DeploymentView) {
    if deployment.failure.take().is_some() {
        deployment.state = deployment_state::ACTIVE.to_owned();
    }
}

fn put(batch: &mut Batch<'_>, deployment: &DeploymentView) -> Result<(), DocumentError> {
    let keys = vec![Some(Key::new().text(&deployment.name))];
    batch.put(&DEPLOYMENTS, &deployment.name, keys, deployment)
}
