//! `orchard run`: one strategy on a feed's shards, shared with whoever runs the same.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use strategy_host::host::Instance;
use strategy_host::host::membership::{has_ended, member_id};
use strategy_host::ledger::{self, LaneRow, Ledger};
use tick_feed::rabbitmq::{Control, FeedState, Subscriber, SubscriberHandle, Subscription};
use tick_feed::run::Manifest;
use tick_sdk::groups::Groups;
use tick_sdk::names::{RunId, StrategyName};

use crate::ended::{Ended, UsageError};
use crate::replay::strategy_spec;
use crate::sources::on_interrupt;

mod args;
mod hosting;
mod joining;
mod progress;
mod summary;

pub(crate) use args::RunArgs;

/// How long the ingester may be silent before it is said to be gone.
const SILENCE: Duration = Duration::from_secs(10);
/// Between looks at what has happened.
const LOOK: Duration = Duration::from_millis(100);
/// For so long an ingester that lives may take to close a run that has ended, so that what it still
/// sends is taken from the queues.
const CLOSING: Duration = Duration::from_secs(3);

pub(crate) fn run(args: &RunArgs) -> Result<Ended> {
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = stop.clone();
    on_interrupt(move || stopped.store(true, Ordering::Release))?;
    // What is wrong with the command is known before anything is connected.
    instance(args)?;
    let member = member_id();
    let mut over = None;
    loop {
        let Some(session) = Session::open(args, &member, &stop, over)? else { return Ok(Ended::Interrupted) };
        let run = session.state.run;
        match session.take_part()? {
            RunEnded::AtItsEnd if !args.stay => return Ok(Ended::Done),
            RunEnded::Left => return Ok(Ended::Done),
            RunEnded::Interrupted => return Ok(Ended::Interrupted),
            RunEnded::GivenUp if !args.stay => bail!(
                "run {run} was given up by its ingester, and another one is the feed's now\n  \
                 start this again to take part in that one"
            ),
            RunEnded::AtItsEnd | RunEnded::GivenUp => over = Some(run),
        }
    }
}

/// How the part in one run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RunEnded {
    /// The strategy's end is committed in every shard.
    AtItsEnd,
    /// Another run took its place.
    GivenUp,
    /// The strategy was taken out of the feed.
    Left,
    /// Somebody pressed Ctrl-C.
    Interrupted,
}

/// The part in one run.
struct Session<'a> {
    args: &'a RunArgs,
    member: &'a str,
    stop: &'a AtomicBool,
    instance: Instance,
    ledger: Box<dyn Ledger>,
    subscriber: Subscriber,
    handle: SubscriberHandle,
    state: Arc<FeedState>,
}

fn instance(args: &RunArgs) -> Result<Instance> {
    let mut instances = strategy_spec::parse(std::slice::from_ref(&args.strategy))?;
    let Some(mut instance) = instances.pop().filter(|_| instances.is_empty()) else {
        return Err(
            UsageError("--strategy: one strategy a process; start another for each".to_owned()).into()
        );
    };
    if let Some(name) = &args.name {
        instance.name.clone_from(name);
    }
    Ok(instance)
}

/// The strategy's lanes in a run, by shard.
fn lanes_of(ledger: &dyn Ledger, run: RunId, strategy: &StrategyName) -> Result<Vec<LaneRow>> {
    let mut lanes = ledger.lanes(run)?;
    lanes.retain(|row| row.lane.strategy == *strategy);
    Ok(lanes)
}

impl<'a> Session<'a> {
    /// Finds the feed's run, other than the one that is `over`; `None` if that was interrupted.
    fn open(
        args: &'a RunArgs,
        member: &'a str,
        stop: &'a AtomicBool,
        over: Option<RunId>,
    ) -> Result<Option<Self>> {
        let instance = instance(args)?;
        let ledger = ledger::open(&args.state)?;
        let (subscriber, handle) = Subscriber::connect(Subscription {
            brokers: args.broker.clone(),
            feed: args.feed.clone(),
            strategy: instance.name.to_string(),
            member: member.to_owned(),
            prefetch_bytes: args.prefetch_bytes as usize,
        })?;
        let Some(state) = wait_for_run(args, stop, &handle, |state| {
            // A closed run is of interest only to hear that it has ended here, too.
            let ended = |lanes: Vec<LaneRow>| has_ended(&lanes, state.shards.len() as u16);
            Some(state.run) != over
                && (!state.closed || lanes_of(&*ledger, state.run, &instance.name).is_ok_and(ended))
        }) else {
            return Ok(None);
        };
        check_nodes(args, &state)?;
        let mut session = Self { args, member, stop, instance, ledger, subscriber, handle, state };
        session.record()?;
        Ok(Some(session))
    }

    /// Records the run in the ledger, and refuses what does not go with it.
    fn record(&mut self) -> Result<()> {
        let FeedState { run, feed, manifest, .. } = &*self.state;
        let manifest: Manifest = match manifest.parse() {
            Ok(manifest) => manifest,
            Err(()) => bail!(
                "the ingester of feed {feed} gives a manifest that cannot be read: use matching versions"
            ),
        };
        self.ledger.record_run(*run, feed.as_ref(), &manifest)?;
        check_ledger(&self.state, self.instance.name.as_str(), self.ledger.id())
    }

    fn groups(&self) -> Result<Arc<Groups>> {
        let groups: Groups = self.state.groups.parse().context("the groups that the ingester gives")?;
        strategy_spec::expect_groups(std::slice::from_ref(&self.instance), &groups)?;
        Ok(Arc::new(groups))
    }

    fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }

    fn take_part(self) -> Result<RunEnded> {
        if self.args.leave {
            return self.leave();
        }
        let lanes = lanes_of(&*self.ledger, self.state.run, &self.instance.name)?;
        if has_ended(&lanes, self.state.shards.len() as u16) {
            return Ok(self.say_ended_before(&lanes));
        }
        let Some(begins_at) = self.join(&lanes)? else { return Ok(RunEnded::Interrupted) };
        self.host(begins_at)
    }

    /// The ingester may not have heard it, if whoever committed the end was killed before it could say so.
    fn say_ended_before(&self, lanes: &[LaneRow]) -> RunEnded {
        if !self.args.quiet {
            eprintln!("Run {} of strategy {} has ended before.", self.state.run, self.instance.name);
        }
        let cursors =
            hosting::cursors(&self.state, self.instance.name.as_str(), self.member, self.ledger.id(), lanes);
        self.handle.send(cursors);
        hosting::wait_until_heard(&self.handle, &self.state, self.instance.name.as_str());
        RunEnded::AtItsEnd
    }

    /// Takes the strategy out of the feed.
    fn leave(&self) -> Result<RunEnded> {
        let name = &self.instance.name;
        let gone = |state: &FeedState| !state.strategies.iter().any(|one| *name == one.name && one.active);
        for _ in 0..CLOSING.as_secs() {
            self.handle.send(Control::Leave { run: self.state.run, strategy: name.to_string() });
            if self.handle.wait_for_state(Duration::from_secs(1), gone).is_some() {
                return Ok(RunEnded::Left);
            }
        }
        bail!(
            "the ingester of feed {} does not answer, and only it can take strategy {name} out\n  \
             resume it with `orchard ingest … --resume {}`",
            self.args.feed,
            self.state.run
        )
    }
}

/// Waits for the ingester's word on a run that `fits`; `None` if that was interrupted.
fn wait_for_run(
    args: &RunArgs,
    stop: &AtomicBool,
    handle: &SubscriberHandle,
    fits: impl Fn(&FeedState) -> bool,
) -> Option<Arc<FeedState>> {
    /// A feed's state comes within this time if there is one.
    const SOON: Duration = Duration::from_secs(2);
    let mut said = args.quiet;
    let started = Instant::now();
    while !stop.load(Ordering::Acquire) {
        if let Some(state) = handle.wait_for_state(LOOK, &fits) {
            return Some(state);
        }
        if !said && started.elapsed() > SOON {
            said = true;
            eprintln!(
                "Waiting for a run of feed {}: begin one with `orchard ingest … --feed {0}`.",
                args.feed
            );
        }
    }
    None
}

fn check_nodes(args: &RunArgs, state: &FeedState) -> Result<()> {
    let nodes = state.shards.iter().map(|shard| usize::from(shard.node) + 1).max().unwrap_or(1);
    if nodes <= args.broker.len() {
        return Ok(());
    }
    Err(UsageError(format!(
        "feed {} is on {nodes} broker nodes, and there are {} of --broker: name them all, in the ingester's order",
        args.feed,
        args.broker.len()
    ))
    .into())
}

/// Refuses a ledger beside the one that the strategy's first host named.
fn check_ledger(state: &FeedState, strategy: &str, ledger: &str) -> Result<()> {
    let named = state.strategies.iter().find(|one| one.name == strategy).and_then(|one| one.ledger.as_ref());
    match named {
        Some(other) if other != ledger => bail!(
            "strategy {strategy} of feed {} commits to another ledger ({other}, and this one is {ledger})\n  \
             use that one's --state, or run a separate one with --as NAME",
            state.feed
        ),
        _ => Ok(()),
    }
}

/// Refuses to wait for ticks that the ingester cannot read again.
fn check_caught_up(handle: &SubscriberHandle, run: RunId, strategy: &str) -> Result<()> {
    match handle.not_caught_up(run) {
        Some(reason) => bail!(
            "strategy {strategy} cannot be caught up, as the ingester cannot read its sources again: {reason}\n  \
             put them back and start this again, or run it as another one with --as NAME --from now"
        ),
        None => Ok(()),
    }
}
