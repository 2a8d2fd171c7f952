//! The host: frames in → cursor → strategy → signals, state and cursor in one commit.
//!
//! Lanes (strategy × shard) are spread over threads. Each thread takes frames from its bounded
//! transport and hands what it has to one committing thread, whenever that has done its last
//! commit: so the size of a commit follows the load, and no strategy waits for the disk.

use std::sync::Arc;
use std::thread::JoinHandle;

use tick_feed::Frame;
use tick_feed::transport::{FrameReceiver, FrameSender, InProcessSender, TransportError, in_process};
use tick_sdk::groups::Groups;
use tick_sdk::host::{Configured, Lane};
use tick_sdk::names::{RunId, StrategyName};

use crate::ledger::{Identity, LaneId, Ledger};
use crate::market::Market;

mod checkpoints;
mod committer;
mod error;
mod lane;
pub mod membership;
mod timing;
mod worker;

pub use committer::{CommitObserver, LaneProgress};
pub use error::HostError;
pub use lane::LaneCounts;
pub use membership::Membership;
pub use timing::Timing;

use committer::{CommitHandle, Committer};
use lane::HostedLane;
use worker::{Worker, WorkerReport};

/// One strategy with its parameters, under a name of its own.
pub struct Instance {
    /// The name, under which its signals stand.
    pub name: StrategyName,
    /// What it runs.
    pub configured: Box<dyn Configured>,
}

/// What a host is to run.
pub struct HostPlan {
    /// Every strategy's instance.
    pub instances: Vec<Instance>,
    /// How many shards the run has.
    pub shards: u16,
    /// On how many threads, at most.
    pub threads: usize,
    /// Groups of instruments.
    pub groups: Arc<Groups>,
    /// How many frames wait for a thread, at most.
    pub queued_frames: usize,
    /// Whether the market is recorded for the account and the report.
    pub record_market: bool,
    /// Gets each commit, in order.
    pub observer: Option<Box<dyn CommitObserver>>,
}

/// What a host is to run on the shards that come to it, one after the other.
pub struct FollowPlan {
    /// The strategy's instance.
    pub instance: Instance,
    /// Groups of instruments.
    pub groups: Arc<Groups>,
    /// Whether to go on behind ticks that cannot be had again; else they are an error.
    pub accept_gaps: bool,
    /// Gets each commit, in order.
    pub observer: Option<Box<dyn CommitObserver>>,
}

/// Makes the lanes of shards as they come.
struct LaneSource {
    run: RunId,
    instance: Instance,
    groups: Arc<Groups>,
    accept_gaps: bool,
}

impl LaneSource {
    fn id(&self, shard: u16) -> LaneId {
        LaneId { run: self.run, strategy: self.instance.name.clone(), shard }
    }

    fn lane(&self) -> Box<dyn Lane> {
        self.instance.configured.lane(&self.groups)
    }
}

/// A host whose threads wait for frames.
pub struct RunningHost {
    frames: FanOut,
    workers: Vec<JoinHandle<Result<WorkerReport, HostError>>>,
    committer: Committer,
}

/// What a host did.
pub struct HostReport {
    /// Per lane.
    pub lanes: Vec<(LaneId, LaneCounts)>,
    /// What each shard's market did, if it was recorded.
    pub markets: Vec<(u16, Market)>,
    /// Time per frame and per tick.
    pub timing: Timing,
    /// The ledger that it committed to.
    pub ledger: Box<dyn Ledger>,
    /// How many transactions were committed.
    pub commits: u64,
}

/// Hands each frame to every thread that runs a lane of its shard.
#[derive(Clone, Default)]
pub struct FanOut {
    routes: Vec<Vec<InProcessSender>>,
}

impl FrameSender for FanOut {
    #[inline]
    fn send(&self, frame: Arc<Frame>) -> Result<(), TransportError> {
        let Some((last, others)) = self.routes[usize::from(frame.header.shard)].split_last() else {
            return Ok(());
        };
        for sender in others {
            sender.send(frame.clone())?;
        }
        last.send(frame)
    }
}

impl RunningHost {
    /// Claims every lane and starts the threads.
    ///
    /// # Errors
    /// The ledger refuses an identity or a claim, or holds state that cannot be restored.
    pub fn start(mut ledger: Box<dyn Ledger>, run: RunId, plan: HostPlan) -> Result<Self, HostError> {
        let mut workers = assign(&mut *ledger, run, &plan)?;
        let committer = Committer::start(ledger, plan.observer);
        let mut frames = FanOut { routes: vec![Vec::new(); usize::from(plan.shards)] };
        let mut handles = Vec::new();
        for (number, worker) in workers.drain(..).enumerate() {
            let (sender, receiver) = in_process(plan.queued_frames);
            for shard in worker.shards() {
                frames.routes[usize::from(shard)].push(sender.clone());
            }
            handles.push(spawn(number, worker, receiver, committer.handle()));
        }
        Ok(Self { frames, workers: handles, committer })
    }

    /// Starts a thread that claims the lane of each shard of which `receiver` brings a frame, and
    /// ends when the receiver closes.
    ///
    /// # Errors
    /// The ledger refuses the identity.
    pub fn follow(
        mut ledger: Box<dyn Ledger>,
        run: RunId,
        plan: FollowPlan,
        receiver: impl FrameReceiver + 'static,
    ) -> Result<Self, HostError> {
        let FollowPlan { instance, groups, accept_gaps, observer } = plan;
        ledger.identify(run, &identity(&instance))?;
        let committer = Committer::start(ledger, observer);
        let worker = Worker::following(LaneSource { run, instance, groups, accept_gaps });
        let workers = vec![spawn(0, worker, receiver, committer.handle())];
        Ok(Self { frames: FanOut::default(), workers, committer })
    }

    /// Whether a thread has ended: there is a reason, or nothing more to do.
    pub fn has_ended(&self) -> bool {
        self.workers.iter().any(JoinHandle::is_finished)
    }

    /// Where the run's frames go; the host ends when every copy is dropped.
    pub fn frames(&self) -> FanOut {
        self.frames.clone()
    }

    /// Waits for every frame sent to be taken and committed.
    ///
    /// # Errors
    /// The first error of any thread; what was committed before stays.
    pub fn finish(self) -> Result<HostReport, HostError> {
        drop(self.frames);
        let results: Vec<_> = self.workers.into_iter().map(JoinHandle::join).collect();
        let (ledger, commits) = self.committer.finish();
        // A ledger that failed is why threads stopped: its error comes first.
        let ledger = ledger?;
        let mut lanes = Vec::new();
        let mut markets = Vec::new();
        let mut timing = Timing::new();
        for result in results {
            let report = result.map_err(|panic| HostError::Panicked(panic_text(&*panic)))??;
            lanes.extend(report.lanes);
            markets.extend(report.markets);
            timing.add(&report.timing);
        }
        lanes.sort_by(|(a, _), (b, _)| a.cmp(b));
        markets.sort_by_key(|(shard, _)| *shard);
        Ok(HostReport { lanes, markets, timing, ledger, commits })
    }
}

fn spawn(
    number: usize,
    mut worker: Worker,
    mut receiver: impl FrameReceiver + 'static,
    commits: CommitHandle,
) -> JoinHandle<Result<WorkerReport, HostError>> {
    let thread = std::thread::Builder::new().name(format!("strategies-{number}"));
    let handle = thread.spawn(move || worker.run(&mut receiver, commits).map(|()| worker.report()));
    handle.expect("the system starts a thread")
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "without a message".to_owned())
}

/// Claims the lanes and spreads them over threads: by shard while there are at least as many
/// shards as threads, so that a frame stays in one core's cache, else by strategy.
fn assign(ledger: &mut dyn Ledger, run: RunId, plan: &HostPlan) -> Result<Vec<Worker>, HostError> {
    for instance in &plan.instances {
        ledger.identify(run, &identity(instance))?;
    }
    let threads = plan.threads.max(1);
    let mut workers: Vec<_> = (0..threads).map(|_| Worker::default()).collect();
    let mut next = 0;
    for shard in 0..plan.shards {
        let by_shard = usize::from(plan.shards) >= threads;
        let place = |by_strategy: usize| {
            if by_shard { usize::from(shard) % threads } else { (next + by_strategy) % threads }
        };
        for (number, instance) in plan.instances.iter().enumerate() {
            let lane = LaneId { run, strategy: instance.name.clone(), shard };
            let claim = ledger.claim(&lane, 0)?;
            let lane = HostedLane::restore(lane, instance.configured.lane(&plan.groups), claim)?;
            workers[place(number)].lanes.push(lane);
        }
        if plan.record_market {
            workers[place(plan.instances.len())].markets.push((shard, Market::default()));
        }
        next += plan.instances.len() + usize::from(plan.record_market);
    }
    workers.retain(|worker| !worker.is_idle());
    Ok(workers)
}

fn identity(instance: &Instance) -> Identity {
    let registration = instance.configured.registration();
    let params = instance.configured.params();
    Identity {
        name: instance.name.clone(),
        strategy: registration.name.to_owned(),
        version: registration.version,
        params: params.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(","),
    }
}
