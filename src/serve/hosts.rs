//! The role `hosts`: lanes of feeds, those of replays, and the signals of feeds as events.

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bus::{Bus, EventSource};
use strategy_host::hosts::{
    DeployedLanes, FeedSignals, HostsEvent, HostsPlan, HostsReport, LaneSource, ReplayLanes, host,
    publish_feed,
};
use strategy_host::publishing::{self, PublishError};
use strategy_host::run::Cancellation;
use tick_sdk::contracts::strategies::LaneFailed;
use tick_sdk::names::FeedName;

/// Between looks whether every thread has ended.
const LOOK: Duration = Duration::from_millis(5);

/// What a process with the role hosts. [`HostsRolePlan::new`] has the usual values.
#[derive(Clone, Debug)]
pub struct HostsRolePlan {
    /// The brokers, the ledger and the bounds of each feed's lanes, and of all replays' together.
    pub hosts: HostsPlan,
    /// The feeds whose deployments are run here.
    pub feeds: Vec<FeedName>,
    /// Whether replays that are played through a feed are run here.
    pub replays: bool,
    /// Whether this process may publish the feeds' signals: one at a time does.
    pub publishes_signals: bool,
}

impl HostsRolePlan {
    /// These feeds and replays, and their signals.
    pub fn new(hosts: HostsPlan, feeds: Vec<FeedName>) -> Self {
        Self { hosts, feeds, replays: true, publishes_signals: true }
    }
}

/// Puts into the log which lanes fail, and which run again, so that others than this process see it, and hands all on.
fn recorded(bus: Option<Arc<Bus>>, on_event: impl Fn(HostsEvent) + Clone) -> impl Fn(HostsEvent) + Clone {
    move |event| {
        if let Some(Err(error)) = bus.as_ref().map(|bus| record(bus, &event)) {
            tracing::warn!(%error, "how a lane stands is not in the log; it is said again when it fails again");
        }
        on_event(event);
    }
}

fn record(bus: &Bus, event: &HostsEvent) -> Result<(), PublishError> {
    match event {
        HostsEvent::LaneFailed { lane, reason, is_of_strategy, failures, .. } => {
            let failed = LaneFailed {
                feed: lane.feed.to_string(),
                strategy: lane.name.to_string(),
                reason: reason.clone(),
                failures: *failures,
                is_of_strategy: *is_of_strategy,
            };
            publishing::lane_failed(bus, &failed)
        }
        HostsEvent::LaneRuns { lane } => publishing::lane_runs(bus, lane.feed.as_str(), lane.name.as_str()),
        _ => Ok(()),
    }
}

/// The role at work. Dropped, it ends by itself without being waited for.
pub struct HostsRole {
    cancellation: Cancellation,
    hosts: Vec<JoinHandle<HostsReport>>,
    publishers: Vec<JoinHandle<()>>,
}

impl HostsRole {
    /// Starts a thread for each feed and one for replays. `events` has the logs of `strategies` and `ticks`. Where
    /// there is a `bus` that serves `strategies`, lanes that fail are in its log, and the feeds' signals are published
    /// there. What happens is given to `on_event`, on several threads.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn start(
        plan: &HostsRolePlan,
        events: &Arc<dyn EventSource>,
        bus: Option<&Arc<Bus>>,
        on_event: impl Fn(HostsEvent) + Clone + Send + 'static,
    ) -> io::Result<Self> {
        let on_event = recorded(bus.cloned(), on_event);
        let mut role =
            Self { cancellation: Cancellation::default(), hosts: Vec::new(), publishers: Vec::new() };
        for feed in &plan.feeds {
            let lanes = DeployedLanes::new(events.clone(), feed.clone());
            role.host(format!("hosts {feed}"), &plan.hosts, lanes, on_event.clone())?;
            if let Some(bus) = bus.filter(|_| plan.publishes_signals) {
                let (bus, state) = (bus.clone(), plan.hosts.state.clone());
                role.publish(FeedSignals { bus, feed: feed.clone(), state })?;
            }
        }
        if plan.replays {
            let lanes = ReplayLanes::new(events.clone());
            role.host("hosts replays".to_owned(), &plan.hosts, lanes, on_event)?;
        }
        Ok(role)
    }

    fn host(
        &mut self,
        name: String,
        plan: &HostsPlan,
        lanes: impl LaneSource + 'static,
        on_event: impl Fn(HostsEvent) + Send + 'static,
    ) -> io::Result<()> {
        let (plan, cancellation) = (plan.clone(), self.cancellation.clone());
        let work = move || host(&plan, lanes, &cancellation, on_event);
        self.hosts.push(std::thread::Builder::new().name(name).spawn(work)?);
        Ok(())
    }

    fn publish(&mut self, plan: FeedSignals) -> io::Result<()> {
        let cancellation = self.cancellation.clone();
        let work = move || {
            let on_error = |error| {
                tracing::warn!(feed = %plan.feed, %error, "a feed's signals could not be published; trying again");
            };
            if let Err(error) = publish_feed(&plan, &cancellation, on_error) {
                tracing::error!(feed = %plan.feed, %error, "a feed's signals are not published");
            }
        };
        self.publishers.push(std::thread::Builder::new().name("feed signals".to_owned()).spawn(work)?);
        Ok(())
    }

    /// Hands every shard over; whether all of it has ended by then.
    pub fn stop(mut self, until: Instant) -> bool {
        self.cancellation.cancel();
        let has_ended = |role: &Self| {
            role.hosts.iter().all(JoinHandle::is_finished)
                && role.publishers.iter().all(JoinHandle::is_finished)
        };
        while !has_ended(&self) && Instant::now() < until {
            std::thread::sleep(LOOK);
        }
        let is_clean = has_ended(&self);
        let ended = self.hosts.drain(..).filter(JoinHandle::is_finished);
        ended.map(JoinHandle::join).all(|joined| joined.is_ok_and(|report| report.is_clean)) && is_clean
    }
}

impl Drop for HostsRole {
    fn drop(&mut self) {
        self.cancellation.cancel();
    }
}
