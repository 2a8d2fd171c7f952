//! What is deployed to a feed, from the log of the context `strategies`.
//!
//! Deployments are few, and folded in memory from the log's first event on, of which a look reads only theirs. All
//! processes read the same log, so all of them come to the same lanes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bus::{EventSource, StoredEvent};
use tick_sdk::contracts::Contract;
use tick_sdk::contracts::strategies::{ParametersChanged, STRATEGIES, StrategyDeployed, StrategyStopped};
use tick_sdk::host::{Configured, Registration};
use tick_sdk::names::{FeedName, StrategyName};

use super::{LaneSource, LaneSourceError, WantedLane};
use crate::deployments::begins::{Begins, begins};
use crate::run::{AtEnd, Begin};

/// The events that say what is deployed.
const EVENTS: [&str; 3] = [StrategyDeployed::NAME, ParametersChanged::NAME, StrategyStopped::NAME];
/// A look at the log goes over so many events.
const EVENTS_PER_LOOK: usize = 10_000;

/// The lanes that are deployed to one feed: `name@revision` each.
pub struct DeployedLanes {
    events: Arc<dyn EventSource>,
    feed: FeedName,
    /// The last event of the log that is folded; `None` before the first.
    cursor: Option<u64>,
    deployments: BTreeMap<String, Deployment>,
}

/// What there is or was under a name.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Deployment {
    strategy: String,
    parameters: BTreeMap<String, String>,
    feed: Option<String>,
    /// The last one: lanes of earlier revisions have left.
    revision: u32,
    begin: Begin,
    is_stopped: bool,
}

impl DeployedLanes {
    /// Follows the log.
    pub fn new(events: Arc<dyn EventSource>, feed: FeedName) -> Self {
        Self { events, feed, cursor: None, deployments: BTreeMap::new() }
    }

    /// Folds all that is in the log by now; whether anything of it concerns deployments.
    fn read(&mut self) -> Result<bool, LaneSourceError> {
        let failed = |error: &dyn std::fmt::Display| LaneSourceError { reason: error.to_string() };
        let mut is_changed = self.cursor.is_none();
        loop {
            let position = self.cursor.unwrap_or_default();
            let page = self.events.look(STRATEGIES, position, EVENTS_PER_LOOK, Some(&EVENTS));
            let page = page.map_err(|error| failed(&error))?;
            for event in &page.events {
                self.fold(event).map_err(|error| LaneSourceError {
                    reason: format!("{} at position {}: {error}", event.name, event.position),
                })?;
                self.cursor = Some(event.position);
                is_changed = true;
            }
            self.cursor = Some(page.looked_to);
            if page.looked_to == position {
                return Ok(is_changed);
            }
        }
    }

    fn fold(&mut self, event: &StoredEvent) -> serde_json::Result<()> {
        match event.name.as_str() {
            StrategyDeployed::NAME => {
                let StrategyDeployed { name, strategy, parameters, feed, from, revision } =
                    serde_json::from_str(&event.body)?;
                // Whoever deployed it has checked it.
                let begin = match begins(from.as_deref()) {
                    Ok(Begins::Start) => Begin::Start,
                    Ok(Begins::Time(time)) => Begin::Time(time),
                    Ok(Begins::Now) | Err(_) => Begin::Deployed,
                };
                let deployment =
                    Deployment { strategy, parameters, feed, revision, begin, is_stopped: false };
                self.deployments.insert(name, deployment);
            }
            ParametersChanged::NAME => {
                let ParametersChanged { name, parameters, revision } = serde_json::from_str(&event.body)?;
                if let Some(deployment) = self.deployments.get_mut(&name) {
                    deployment.parameters = parameters;
                    deployment.revision = revision;
                    deployment.begin = Begin::Deployed;
                }
            }
            StrategyStopped::NAME => {
                let StrategyStopped { name } = serde_json::from_str(&event.body)?;
                if let Some(deployment) = self.deployments.get_mut(&name) {
                    deployment.is_stopped = true;
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn lanes(&self) -> Vec<WantedLane> {
        let here = self.deployments.iter().filter(|(_, deployment)| self.is_here(deployment));
        here.filter_map(|(name, deployment)| {
            Some(WantedLane {
                feed: self.feed.clone(),
                // Whoever deployed it has checked that each of its lanes has a valid name.
                name: format!("{name}@{}", deployment.revision).parse().ok()?,
                configured: configured(&deployment.strategy, &deployment.parameters),
                begin: deployment.begin,
                at_end: AtEnd::WaitForNext,
            })
        })
        .collect()
    }

    fn is_here(&self, deployment: &Deployment) -> bool {
        !deployment.is_stopped && deployment.feed.as_deref() == Some(self.feed.as_str())
    }
}

impl LaneSource for DeployedLanes {
    fn wait(&mut self, timeout: Duration) -> Result<Option<Vec<WantedLane>>, LaneSourceError> {
        if let Some(cursor) = self.cursor
            && !self.events.wait_beyond(STRATEGIES, cursor, timeout)
        {
            return Ok(None);
        }
        Ok(self.read()?.then(|| self.lanes()))
    }

    fn left_feed(&self) -> Option<FeedName> {
        Some(self.feed.clone())
    }

    fn has_left(&self, strategy: &StrategyName) -> bool {
        let Some((name, revision)) = strategy.as_str().split_once('@') else { return false };
        let (Some(deployment), Ok(revision)) = (self.deployments.get(name), revision.parse::<u32>()) else {
            return false;
        };
        // One of a revision to come was deployed since the log was read.
        revision < deployment.revision || (revision == deployment.revision && !self.is_here(deployment))
    }
}

/// A strategy of this program with its parameters, or why there is none.
pub(super) fn configured(
    strategy: &str,
    parameters: &BTreeMap<String, String>,
) -> Result<Arc<dyn Configured>, String> {
    let registration = Registration::find(strategy).map_err(|error| error.to_string())?;
    let given: Vec<_> = parameters.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
    let configured = registration.configure(&given);
    Ok(configured.map_err(|error| format!("strategy {strategy}: {error}"))?.into())
}
