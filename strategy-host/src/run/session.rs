//! Finding a feed's run, and the part in it up to where the strategy begins.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tick_feed::rabbitmq::control::StrategyState;
use tick_feed::rabbitmq::{Control, FeedState, Subscriber, SubscriberHandle, Subscription};
use tick_feed::run::Manifest;
use tick_sdk::Scope;
use tick_sdk::groups::Groups;
use tick_sdk::host::{Configured, Lane, Registration};
use tick_sdk::names::{RunId, StrategyName};
use tracing::{info, warn};

use super::from_time::FromTime;
use super::watch::Watch;
use super::{AtEnd, Begin, Cancellation, POLL, PartEnd, RunError, RunEvent, RunPlan, closing, hosting};
use crate::host::Instance;
use crate::host::membership::has_ended;
use crate::ledger::{self, LaneRow, Ledger, LedgerError};

/// A feed's state comes within this time if there is one.
const STATE_COMES: Duration = Duration::from_secs(2);
/// No process is so slow that it needs this long to see the state of a run that goes on: one that comes after it
/// was waited for.
const LONG_WAIT: Duration = Duration::from_secs(60);
/// Between attempts to reach what is away.
const RETRY: Duration = Duration::from_secs(1);
/// So often the ingester is asked to take a strategy out.
const LEAVE_ATTEMPTS: u32 = 3;

/// The part in one run.
pub(super) struct Session<'a> {
    pub(super) plan: &'a RunPlan,
    pub(super) member: &'a str,
    pub(super) cancellation: &'a Cancellation,
    pub(super) ledger: Box<dyn Ledger>,
    pub(super) subscriber: Subscriber,
    pub(super) handle: SubscriberHandle,
    pub(super) state: Arc<FeedState>,
    /// The run was waited for: it has begun since. Where not, that may yet have been seen:
    /// [`SubscriberHandle::saw_begin`].
    pub(super) has_waited: bool,
}

impl<'a> Session<'a> {
    /// Finds the feed's run, other than the one that is `passed`; `None` if that was cancelled.
    ///
    /// What is away is an error at the start, where it may be misspelt, and waited for between runs.
    pub(super) fn open(
        plan: &'a RunPlan,
        member: &'a str,
        cancellation: &'a Cancellation,
        passed: Option<RunId>,
        on_event: &mut dyn FnMut(RunEvent),
    ) -> Result<Option<Self>, RunError> {
        // The ledger comes first: a misspelt one is refused before anything is connected.
        let open_ledger = || Ok(ledger::open(&plan.state)?);
        let Some(ledger) = reach(passed.is_some(), cancellation, open_ledger)? else { return Ok(None) };
        let connect = || Ok(Subscriber::connect(subscription(plan, member))?);
        let connected = reach(passed.is_some(), cancellation, connect)?;
        let Some((subscriber, handle)) = connected else { return Ok(None) };
        let state = wait_for_run(plan, &*ledger, &handle, cancellation, passed, on_event)?;
        let Some(FoundRun { state, has_waited }) = state else { return Ok(None) };
        check_nodes(plan, &state)?;
        let mut session = Self { plan, member, cancellation, ledger, subscriber, handle, state, has_waited };
        session.record()?;
        Ok(Some(session))
    }

    pub(super) fn run(&self) -> RunId {
        self.state.run
    }

    pub(super) fn shards(&self) -> u16 {
        self.state.shards.len() as u16
    }

    pub(super) fn take_part(self, on_event: &mut dyn FnMut(RunEvent)) -> Result<PartEnd, RunError> {
        let lanes = lanes_of(&*self.ledger, self.run(), &self.plan.name)?;
        if has_ended(&lanes, self.shards()) {
            on_event(RunEvent::EndedBefore { run: self.run() });
            self.announce_end(&lanes);
            return Ok(PartEnd::RunEnded);
        }
        let Some(begins_at) = self.join(&lanes, on_event)? else { return Ok(PartEnd::Cancelled) };
        hosting::host(self, begins_at, on_event)
    }

    /// Takes the strategy out of the feed.
    pub(super) fn leave(&self) -> Result<(), RunError> {
        let (run, name) = (self.run(), &self.plan.name);
        let is_gone = |state: &FeedState| active(state, name).is_none();
        for _ in 0..LEAVE_ATTEMPTS {
            self.handle.send(Control::Leave { run, strategy: name.clone() });
            if self.handle.wait_for_state(Duration::from_secs(1), is_gone).is_some() {
                return Ok(());
            }
        }
        Err(RunError::LeaveUnanswered { strategy: name.clone(), feed: self.plan.feed.clone(), run })
    }

    /// The ingester may not know the end, if whoever committed it was killed before saying so, or said so while
    /// the ingester was away.
    fn announce_end(&self, lanes: &[LaneRow]) {
        if self.state.closed {
            return;
        }
        let (run, name, ledger) = (self.run(), &self.plan.name, self.ledger.id());
        let announce = || self.handle.send(hosting::cursors(run, name, self.member, ledger, lanes, None));
        closing::wait_for_acknowledged_end(&self.handle, &self.state, name, self.cancellation, announce);
    }

    /// Records the run in the ledger, and refuses what does not go with it.
    fn record(&mut self) -> Result<(), RunError> {
        let feed = &self.state.feed;
        let Ok(manifest) = self.state.manifest.parse::<Manifest>() else {
            return Err(RunError::Incompatible { feed: feed.clone(), what: "manifest" });
        };
        self.ledger.record_run(self.state.run, feed.as_str(), &manifest)?;
        self.check_ledger(&self.state, self.ledger.id())
    }

    pub(super) fn groups(&self) -> Result<Arc<Groups>, RunError> {
        let RunPlan { name, feed, configured, .. } = self.plan;
        let Ok(groups) = self.state.groups.parse::<Groups>() else {
            return Err(RunError::Incompatible { feed: feed.clone(), what: "list of groups" });
        };
        if configured.registration().scope == Scope::Group && groups.all().is_empty() {
            return Err(RunError::NoGroups { strategy: name.clone(), feed: feed.clone() });
        }
        Ok(Arc::new(groups))
    }

    pub(super) fn instance(&self) -> Instance {
        let strategy = self.plan.configured.clone();
        let configured: Box<dyn Configured> = match self.plan.begin {
            Begin::Time(from) => Box::new(FromTime { strategy, from }),
            Begin::Start | Begin::Now | Begin::Deployed => Box::new(SharedStrategy(strategy)),
        };
        Instance { name: self.plan.name.clone(), configured }
    }

    /// Refuses a ledger beside the one that the strategy's first host named.
    pub(super) fn check_ledger(&self, state: &FeedState, own: &str) -> Result<(), RunError> {
        check_ledger(self.plan, state, own)
    }

    /// Refuses to wait for an ingester that does not take the strategy in, or cannot catch it up.
    pub(super) fn check_taken_in(&self) -> Result<(), RunError> {
        check_taken_in(self.plan, &self.handle, self.run())
    }
}

/// Does `attempt` again while what it needs is away, if it may, which is when it was reached before;
/// `None` if that was cancelled.
fn reach<T>(
    retries: bool,
    cancellation: &Cancellation,
    attempt: impl Fn() -> Result<T, RunError>,
) -> Result<Option<T>, RunError> {
    loop {
        match attempt() {
            Ok(reached) => return Ok(Some(reached)),
            Err(error) if retries && is_temporary(&error) => warn!(%error, "it is tried again"),
            Err(error) => return Err(error),
        }
        if cancellation.wait(RETRY) {
            return Ok(None);
        }
    }
}

fn is_temporary(error: &RunError) -> bool {
    match error {
        RunError::Broker(error) => error.is_temporary_once_connected(),
        RunError::Ledger(error) => error.is_temporary(),
        _ => false,
    }
}

fn subscription(plan: &RunPlan, member: &str) -> Subscription {
    Subscription {
        brokers: plan.brokers.clone(),
        feed: plan.feed.clone(),
        strategy: plan.name.clone(),
        member: member.to_owned(),
        prefetch_bytes: plan.prefetch_bytes,
    }
}

/// The strategy's lanes in a run, by shard.
pub(super) fn lanes_of(
    ledger: &dyn Ledger,
    run: RunId,
    strategy: &StrategyName,
) -> Result<Vec<LaneRow>, LedgerError> {
    let mut lanes = ledger.lanes(run)?;
    lanes.retain(|row| row.lane.strategy == *strategy);
    Ok(lanes)
}

/// A run to take part in.
struct FoundRun {
    state: Arc<FeedState>,
    /// It was not there at first.
    has_waited: bool,
}

/// Waits for a run to take part in; `None` if that was cancelled.
///
/// A closed run is none, but for a plan that stops at the end: there it is the end, if the strategy has
/// come to it. The one that is `passed` is one again where its ingester has come back and does not know that
/// the strategy has ended: it would wait for that for ever.
fn wait_for_run(
    plan: &RunPlan,
    ledger: &dyn Ledger,
    handle: &SubscriberHandle,
    cancellation: &Cancellation,
    passed: Option<RunId>,
    on_event: &mut dyn FnMut(RunEvent),
) -> Result<Option<FoundRun>, RunError> {
    let started = Instant::now();
    let mut watch = Watch::new(None, started);
    let mut is_reported = false;
    let mut closed: Option<RunId> = None;
    while !cancellation.is_cancelled() {
        let is_other = |state: &FeedState| Some(state.run) != passed && Some(state.run) != closed;
        // A state that was kept does not say that there is an ingester.
        let is_announced = handle.announced_at().is_some();
        let is_open = |state: &FeedState| {
            !state.closed && (Some(state.run) != passed || (is_announced && lacks_end(state, &plan.name)))
        };
        if let Some(state) = handle.wait_for_state(POLL, |state| is_open(state) || is_other(state)) {
            if !state.closed {
                info!(feed = %plan.feed, run = %state.run, "a run to take part in");
                let has_waited = closed.or(passed).is_some() || started.elapsed() > LONG_WAIT;
                return Ok(Some(FoundRun { state, has_waited }));
            }
            if plan.at_end == AtEnd::Stop
                && has_ended(&lanes_of(ledger, state.run, &plan.name)?, state.shards.len() as u16)
            {
                return Ok(Some(FoundRun { state, has_waited: false }));
            }
            closed = Some(state.run);
        }
        if let Some(event) = watch.look(Instant::now(), hosting::sighting(handle)) {
            on_event(event);
        } else if !is_reported && (started.elapsed() > STATE_COMES || closed.or(passed).is_some()) {
            is_reported = true;
            on_event(RunEvent::WaitingForRun { ended: closed.or(passed) });
        }
    }
    Ok(None)
}

fn check_nodes(plan: &RunPlan, state: &FeedState) -> Result<(), RunError> {
    let nodes = state.shards.iter().map(|shard| usize::from(shard.node) + 1).max().unwrap_or(1);
    let named = plan.brokers.len();
    if nodes <= named {
        return Ok(());
    }
    Err(RunError::TooFewBrokers { feed: plan.feed.clone(), nodes, named })
}

pub(super) fn check_ledger(plan: &RunPlan, state: &FeedState, own: &str) -> Result<(), RunError> {
    let known = state.strategies.iter().find(|one| plan.name == one.name.as_str());
    match known.and_then(|one| one.ledger.as_ref()) {
        Some(other) if other != own => Err(RunError::OtherLedger {
            strategy: plan.name.clone(),
            feed: plan.feed.clone(),
            other: other.clone(),
            own: own.to_owned(),
        }),
        _ => Ok(()),
    }
}

pub(super) fn check_taken_in(plan: &RunPlan, handle: &SubscriberHandle, run: RunId) -> Result<(), RunError> {
    let strategy = plan.name.clone();
    match handle.join_refused(run) {
        Some(reason) => Err(RunError::JoinRefused { strategy, feed: plan.feed.clone(), reason }),
        None => Ok(()),
    }
}

pub(super) fn active<'a>(state: &'a FeedState, name: &StrategyName) -> Option<&'a StrategyState> {
    state.strategies.iter().find(|one| *name == one.name.as_str() && one.active)
}

/// Whether the ingester waits for the strategy's end.
fn lacks_end(state: &FeedState, name: &StrategyName) -> bool {
    state.strategies.iter().any(|one| *name == one.name.as_str() && !one.ended)
}

/// A plan's strategy, for each of its runs anew.
struct SharedStrategy(Arc<dyn Configured>);

impl Configured for SharedStrategy {
    fn registration(&self) -> &'static Registration {
        self.0.registration()
    }

    fn params(&self) -> Vec<(&'static str, String)> {
        self.0.params()
    }

    fn lane(&self, groups: &Arc<Groups>) -> Box<dyn Lane> {
        self.0.lane(groups)
    }
}
