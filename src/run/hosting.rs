//! Taking part in a run: the host, the membership, and what is watched meanwhile.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::Result;
use strategy_host::host::membership::{Beat, Member, MembershipEvent, Waker, waker};
use strategy_host::host::{CommitObserver, FollowPlan, HostReport, LaneProgress, Membership, RunningHost};
use strategy_host::ledger::{self, Commit, LaneRow};
use tick_feed::rabbitmq::control::ShardCursor;
use tick_feed::rabbitmq::{Control, FeedState, SubscriberHandle};

use super::progress::Progress;
use super::{LOOK, RunEnded, Session, check_caught_up, check_ledger, summary};

/// What the watching thread sees of the others.
#[derive(Default)]
pub(super) struct Seen {
    /// Ticks committed by this process.
    pub(super) ticks: AtomicU64,
    /// The run's end is committed in every shard.
    ended: AtomicBool,
    /// The last beat, and the ingester's last word by then: compared with a later one, ticks that are
    /// committed by now would seem to be behind.
    pub(super) beat: Mutex<Option<(Beat, Arc<FeedState>)>>,
}

impl Session<'_> {
    /// Runs the strategy on this member's shards until the run has ended, or something else ends it.
    pub(super) fn host(self, begins_at: Vec<u64>) -> Result<RunEnded> {
        let started = Instant::now();
        let seen = Arc::new(Seen::default());
        let wake = waker();
        let groups = self.groups()?;
        let member = Member {
            run: self.state.run,
            strategy: self.instance.name.clone(),
            name: self.member.to_owned(),
            shards: self.state.shards.len() as u16,
        };
        let Session { args, stop, instance, ledger, mut subscriber, handle, state, .. } = self;
        subscriber.follow(state.run, begins_at);
        let ledger_id = ledger.id().to_owned();
        let observer = Observer { seen: seen.clone(), waker: wake.0.clone() };
        let plan =
            FollowPlan { instance, groups, accept_gaps: args.accept_gap, observer: Some(Box::new(observer)) };
        let host = RunningHost::follow(ledger, state.run, plan, subscriber)?;
        let beats = see_beats(seen.clone(), handle.clone(), state.clone(), member.clone(), ledger_id.clone());
        let membership = Membership::start(ledger::open(&args.state)?, member.clone(), wake, beats);

        let mut progress = Progress::start(args, &state);
        let mut refused = Ok(());
        let ended = loop {
            std::thread::sleep(LOOK);
            let now = handle.state().unwrap_or_else(|| state.clone());
            if seen.ended.load(Ordering::Acquire) {
                break RunEnded::AtItsEnd;
            }
            if now.run != state.run {
                break RunEnded::GivenUp;
            }
            refused = check_ledger(&now, member.strategy.as_str(), &ledger_id)
                .and_then(|()| check_caught_up(&handle, state.run, member.strategy.as_str()));
            let is_over = refused.is_err() || host.has_ended() || membership.has_ended();
            if is_over || stop.load(Ordering::Acquire) {
                break RunEnded::Interrupted;
            }
            progress.show(&handle, &seen, &now);
        };
        if ended == RunEnded::AtItsEnd {
            wait_until_heard(&handle, &state, member.strategy.as_str());
        }
        handle.stop();
        let report = host.finish();
        let left = membership.leave();
        refused?;
        let report = report?;
        left?;
        say_results(args, &state, &member, ended, &report, &handle, started)?;
        Ok(ended)
    }
}

fn say_results(
    args: &super::RunArgs,
    state: &FeedState,
    member: &Member,
    ended: RunEnded,
    report: &HostReport,
    handle: &SubscriberHandle,
    started: Instant,
) -> Result<()> {
    let results = summary::Results::collect(state, member, ended, report, handle.counts(), started.elapsed());
    let text = if args.json { results.json()? } else { results.text() };
    std::io::Write::write_all(&mut std::io::stdout(), text.as_bytes())?;
    Ok(())
}

/// Waits until the ingester knows that the strategy has ended, if it lives: until then it waits for
/// that, and sends on. What is left in the queues is taken from them.
pub(super) fn wait_until_heard(handle: &SubscriberHandle, state: &FeedState, strategy: &str) {
    let has_ended = |now: &FeedState| now.strategies.iter().any(|one| one.name == strategy && one.ended);
    let is_heard = |now: &FeedState| now.closed || now.run != state.run || has_ended(now);
    let until = Instant::now() + LONGEST_CLOSING;
    while handle.wait_for_state(LOOK, is_heard).is_none() {
        if Instant::now() > until || !may_live(handle) {
            return;
        }
    }
    let mut before = handle.counts().frames;
    while Instant::now() < until {
        std::thread::sleep(QUIET);
        let now = handle.counts().frames;
        if std::mem::replace(&mut before, now) == now {
            return;
        }
    }
}

/// Whether there may be an ingester: one that lives says so each second. Where the broker was lost
/// after its last word, its silence means nothing until that is past.
fn may_live(handle: &SubscriberHandle) -> bool {
    let Some(heard) = handle.announced_at() else { return false };
    let lost = handle.last_error().map_or(heard, |(lost, _)| lost);
    heard.max(lost).elapsed() < super::CLOSING
}

/// How long the ingester's word is waited for where its broker is away.
const LONGEST_CLOSING: Duration = Duration::from_secs(60);
/// Nothing came for so long: nothing is on its way.
const QUIET: Duration = Duration::from_millis(250);

/// What each beat is for: it says whose shards are whose, and how far they are. Without beats this end
/// keeps no shards.
fn see_beats(
    seen: Arc<Seen>,
    handle: SubscriberHandle,
    state: Arc<FeedState>,
    member: Member,
    ledger: String,
) -> impl FnMut(MembershipEvent) + Send + 'static {
    let mut has_lease = true;
    move |event| {
        let beat = match event {
            MembershipEvent::LeaseLost { silent } => {
                handle.release_all();
                has_lease = false;
                eprintln!(
                    "The ledger has not been reached for {:.1} s: every shard is released, and the other members take over; \
                     this one takes part again once the ledger can be reached.",
                    silent.as_secs_f64()
                );
                return;
            }
            MembershipEvent::Beat(beat) => beat,
        };
        if !std::mem::replace(&mut has_lease, true) {
            eprintln!("The ledger is reached again: this member takes part again.");
        }
        handle.assign(beat.shards.clone());
        let lanes: Vec<LaneRow> =
            beat.lanes.iter().filter(|row| beat.shards.contains(&row.lane.shard)).cloned().collect();
        handle.send(cursors(&state, member.strategy.as_str(), &member.name, &ledger, &lanes));
        if let Ok(mut last) = seen.beat.lock() {
            *last = Some((beat.clone(), handle.state().unwrap_or_else(|| state.clone())));
        }
        if beat.ended {
            seen.ended.store(true, Ordering::Release);
        }
    }
}

/// How far lanes are, as a message.
pub(super) fn cursors(
    state: &FeedState,
    strategy: &str,
    member: &str,
    ledger: &str,
    lanes: &[LaneRow],
) -> Control {
    let cursor = |row: &LaneRow| ShardCursor {
        shard: row.lane.shard,
        cursor: row.cursor,
        stored: row.state_seq,
        ended: row.ended,
    };
    Control::Cursors {
        run: state.run,
        strategy: strategy.to_owned(),
        member: member.to_owned(),
        ledger: ledger.to_owned(),
        cursors: lanes.iter().map(cursor).collect(),
    }
}

/// Counts what is committed, and lets the ledger be read at once when a shard has ended.
struct Observer {
    seen: Arc<Seen>,
    waker: Waker,
}

impl CommitObserver for Observer {
    fn committed(&mut self, commits: &[Commit], _: &[LaneProgress]) {
        let ticks: u64 = commits.iter().map(|commit| commit.to_seq - commit.from_seq).sum();
        self.seen.ticks.fetch_add(ticks, Ordering::Relaxed);
        if commits.iter().any(|commit| commit.ended) {
            self.waker.wake();
        }
    }
}
