//! The part in a run while it goes on: the host, the membership, and what is watched meanwhile.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded};
use tick_feed::rabbitmq::control::{CommitDelay, ShardCursor};
use tick_feed::rabbitmq::{ConnectionState, Control, FeedState, SubscriberHandle};
use tick_sdk::names::{RunId, StrategyName};

use super::closing::wait_for_acknowledged_end;
use super::delays::Delays;
use super::session::{Session, check_ledger, check_taken_in, lanes_of};
use super::watch::{LostBroker, Sighting, Standstill, Watch};
use super::{AtEnd, Cancellation, POLL, PartEnd, RunError, RunEvent, RunPlan, RunProgress, RunReport};
use crate::host::membership::{Beat, Member, MembershipEvent, Waker, has_ended, waker};
use crate::host::{CommitObserver, FollowPlan, HostReport, LaneProgress, Membership, RunningHost};
use crate::ledger::{self, Commit, LaneRow, LedgerError, MEMBER_CALL_TIMEOUT};

/// Between reports of progress.
const REPORT: Duration = Duration::from_secs(1);
/// So many changes of the lease wait to be reported; there are two a beat at most.
const WAITING_EVENTS: usize = 64;

/// What this process knows of its part, from several threads.
#[derive(Default)]
struct Known {
    /// Ticks committed by this process.
    ticks: AtomicU64,
    /// The run's end is committed in every shard.
    has_ended: AtomicBool,
    /// The last beat, and the feed's state by then: compared with a later one, ticks that are committed
    /// by now would seem to be behind. None while there is no lease.
    beat: Mutex<Option<(Beat, Arc<FeedState>)>>,
    /// Of commits since the last beat.
    delays: Mutex<Delays>,
}

impl Known {
    fn beat(&self) -> MutexGuard<'_, Option<(Beat, Arc<FeedState>)>> {
        self.beat.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn delays(&self) -> MutexGuard<'_, Delays> {
        self.delays.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs the strategy on this member's shards until the run has ended, or something else ends it.
pub(super) fn host(
    session: Session<'_>,
    begins_at: Vec<u64>,
    on_event: &mut dyn FnMut(RunEvent),
) -> Result<PartEnd, RunError> {
    let started = Instant::now();
    let known = Arc::new(Known::default());
    let wake = waker();
    let (groups, instance) = (session.groups()?, session.instance());
    let member = Member {
        run: session.run(),
        strategy: session.plan.name.clone(),
        name: session.member.to_owned(),
        shards: session.shards(),
    };
    let Session { plan, cancellation, ledger, mut subscriber, handle, state, .. } = session;
    subscriber.follow(state.run, begins_at);
    let ledger_id = ledger.id().to_owned();
    let observer = Observer { known: known.clone(), waker: wake.0.clone() };
    let follow =
        FollowPlan { instance, groups, accept_gaps: plan.accept_gaps, observer: Some(Box::new(observer)) };
    let host = RunningHost::follow(ledger, state.run, follow, subscriber)?;
    let (changes, lease_changes) = bounded(WAITING_EVENTS);
    let on_membership = OnMembership {
        known: known.clone(),
        handle: handle.clone(),
        state: state.clone(),
        member: member.clone(),
        ledger: ledger_id.clone(),
        has_lease: true,
        changes,
    };
    let membership =
        Membership::start(ledger::open(&plan.state)?, member.clone(), wake, on_membership.handler());
    on_event(RunEvent::RunBegins { run: state.run });

    let part = Part { plan, cancellation, handle, state, known, host, membership, ledger_id };
    let end = part.watch(&lease_changes, on_event);
    if matches!(end, Ok(PartEnd::RunEnded)) {
        // The beats announce it, each for the shards that this member has by then.
        wait_for_acknowledged_end(&part.handle, &part.state, &plan.name, cancellation, || {});
    }
    let Part { handle, state, host, membership, .. } = part;
    handle.stop();
    let report = host.finish();
    let left = membership.leave();
    let end = end?;
    let report = report?;
    left?;
    on_event(RunEvent::RunEnds(Box::new(summarise(plan, &state, member, end, &report, &handle, started))));
    Ok(end)
}

/// A part in a run that goes on.
struct Part<'a> {
    plan: &'a RunPlan,
    cancellation: &'a Cancellation,
    handle: SubscriberHandle,
    state: Arc<FeedState>,
    known: Arc<Known>,
    host: RunningHost,
    membership: Membership,
    ledger_id: String,
}

impl Part<'_> {
    /// Reports what happens until there is an end.
    fn watch(
        &self,
        lease_changes: &Receiver<RunEvent>,
        on_event: &mut dyn FnMut(RunEvent),
    ) -> Result<PartEnd, RunError> {
        let mut watch = Watch::new(Some(self.state.run), Instant::now());
        let mut standstill = Standstill::new(Instant::now());
        let mut reported = (Instant::now(), 0);
        loop {
            std::thread::sleep(POLL);
            lease_changes.try_iter().for_each(&mut *on_event);
            let state = self.handle.state().unwrap_or_else(|| self.state.clone());
            if let Some(end) = self.end(&state)? {
                return Ok(end);
            }
            let seen = sighting(&self.handle);
            // Whoever goes on to the next run waits for that one here.
            if self.plan.at_end == AtEnd::Stop
                && standstill.is_reached(Instant::now(), self.progress_since_closed(&state, &seen))
            {
                return Err(RunError::closed_early(self.plan, self.state.run));
            }
            if let Some(event) = watch.look(Instant::now(), seen) {
                on_event(event);
            }
            let (at, ticks_before) = reported;
            if at.elapsed() >= REPORT {
                let progress = self.progress(at, ticks_before);
                reported = (Instant::now(), progress.ticks);
                on_event(RunEvent::Progress(progress));
            }
        }
    }

    /// How the part has ended, if it has. Where the host or the membership has failed, that is
    /// [`PartEnd::Cancelled`], and they say why.
    fn end(&self, state: &FeedState) -> Result<Option<PartEnd>, RunError> {
        if self.known.has_ended.load(Ordering::Acquire) {
            return Ok(Some(PartEnd::RunEnded));
        }
        let has_failed = self.host.has_ended() || self.membership.has_ended();
        if has_failed || self.cancellation.is_cancelled() {
            return Ok(Some(PartEnd::Cancelled));
        }
        if state.run != self.state.run {
            return match self.end_of_replaced_run() {
                Ok(end) => Ok(Some(end)),
                // It is looked at again.
                Err(error) if error.is_temporary() => Ok(None),
                Err(error) => Err(error.into()),
            };
        }
        check_ledger(self.plan, state, &self.ledger_id)?;
        check_taken_in(self.plan, &self.handle, self.state.run)?;
        Ok(None)
    }

    /// How the part ends where the feed has another run by now: the next one may begin before a beat has
    /// shown the ends that other members have committed.
    fn end_of_replaced_run(&self) -> Result<PartEnd, LedgerError> {
        let mut ledger = ledger::open_to_read(&self.plan.state)?;
        ledger.set_call_timeout(MEMBER_CALL_TIMEOUT);
        let lanes = lanes_of(&*ledger, self.state.run, &self.plan.name)?;
        let has_ended = has_ended(&lanes, self.state.shards.len() as u16);
        Ok(if has_ended { PartEnd::RunEnded } else { PartEnd::Abandoned })
    }

    /// Grows with every frame that comes here and with what any member commits, in a run that is closed.
    /// `None` in one that is not, and while that cannot be seen.
    fn progress_since_closed(&self, state: &FeedState, seen: &Sighting) -> Option<u64> {
        let known = self.known.beat();
        let (beat, _) = known.as_ref().filter(|_| state.closed && seen.lost.is_none())?;
        let committed = beat.lanes.iter().map(|row| row.cursor + row.state_seq + u64::from(row.ended));
        Some(seen.frames + committed.sum::<u64>())
    }

    fn progress(&self, since: Instant, ticks_before: u64) -> RunProgress {
        let ticks = self.known.ticks.load(Ordering::Relaxed);
        let rate = (ticks - ticks_before) as f64 / since.elapsed().as_secs_f64();
        let progress = RunProgress {
            ticks,
            ticks_per_second: rate as u64,
            shards: self.state.shards.len(),
            ..RunProgress::default()
        };
        let known = self.known.beat();
        let Some((beat, state)) = &*known else { return progress };
        let own = beat.lanes.iter().filter(|row| beat.shards.contains(&row.lane.shard));
        let behind = own.map(|row| {
            let published = state.shards.get(usize::from(row.lane.shard)).map_or(0, |shard| shard.published);
            published.saturating_sub(row.cursor)
        });
        RunProgress {
            own_shards: beat.shards.len(),
            members: Some(beat.members.len()),
            behind: behind.sum(),
            ..progress
        }
    }
}

/// What can be seen of the ingester and the brokers now.
pub(super) fn sighting(handle: &SubscriberHandle) -> Sighting {
    let mut connected_at = None;
    let mut lost: Option<LostBroker> = None;
    for node in handle.connections() {
        match node.state {
            ConnectionState::Connected { since } => connected_at = connected_at.max(Some(since)),
            ConnectionState::Lost { since, .. } if lost.as_ref().is_some_and(|lost| lost.since < since) => {}
            ConnectionState::Lost { since, error } => {
                lost = Some(LostBroker { broker: node.broker, since, error });
            }
        }
    }
    Sighting { frames: handle.counts().frames, announced_at: handle.announced_at(), connected_at, lost }
}

fn summarise(
    plan: &RunPlan,
    state: &FeedState,
    member: Member,
    end: PartEnd,
    report: &HostReport,
    handle: &SubscriberHandle,
    started: Instant,
) -> RunReport {
    RunReport {
        feed: plan.feed.clone(),
        run: state.run,
        strategy: plan.name.clone(),
        member: member.name,
        end,
        shards: member.shards,
        lanes: report.lanes.iter().map(|(lane, counts)| (lane.shard, *counts)).collect(),
        commits: report.commits,
        received: handle.counts(),
        elapsed: started.elapsed(),
    }
}

/// What each beat is for: it says whose shards are whose, and how far they are. Without a lease this
/// member keeps no shard.
struct OnMembership {
    known: Arc<Known>,
    handle: SubscriberHandle,
    state: Arc<FeedState>,
    member: Member,
    ledger: String,
    has_lease: bool,
    /// To whoever reports.
    changes: Sender<RunEvent>,
}

impl OnMembership {
    fn handler(mut self) -> impl FnMut(MembershipEvent) + Send + 'static {
        move |event| match event {
            MembershipEvent::Beat(beat) => self.on_beat(beat),
            MembershipEvent::LeaseLost { silent } => self.on_lease_lost(silent),
        }
    }

    fn on_beat(&mut self, beat: Beat) {
        if !std::mem::replace(&mut self.has_lease, true) {
            self.report(RunEvent::LeaseRegained);
        }
        self.handle.assign(beat.shards.clone());
        let lanes: Vec<LaneRow> =
            beat.lanes.iter().filter(|row| beat.shards.contains(&row.lane.shard)).cloned().collect();
        let Member { run, strategy, name, .. } = &self.member;
        let delay = self.known.delays().take();
        self.handle.send(cursors(*run, strategy, name, &self.ledger, &lanes, delay));
        if beat.ended {
            self.known.has_ended.store(true, Ordering::Release);
        }
        let state = self.handle.state().unwrap_or_else(|| self.state.clone());
        *self.known.beat() = Some((beat, state));
    }

    fn on_lease_lost(&mut self, silent: Duration) {
        self.handle.release_all();
        self.has_lease = false;
        *self.known.beat() = None;
        self.report(RunEvent::LeaseLost { silent });
    }

    fn report(&self, event: RunEvent) {
        // One too many is not worth waiting for: the log has it.
        let _ = self.changes.try_send(event);
    }
}

/// How far lanes are, as a message.
pub(super) fn cursors(
    run: RunId,
    strategy: &StrategyName,
    member: &str,
    ledger: &str,
    lanes: &[LaneRow],
    delay: Option<CommitDelay>,
) -> Control {
    let cursor = |row: &LaneRow| ShardCursor {
        shard: row.lane.shard,
        cursor: row.cursor,
        stored: row.state_seq,
        ended: row.ended,
    };
    Control::Cursors {
        run,
        strategy: strategy.clone(),
        member: member.to_owned(),
        ledger: ledger.to_owned(),
        cursors: lanes.iter().map(cursor).collect(),
        delay,
    }
}

/// Counts what is committed, and lets the ledger be read at once when a shard has ended.
struct Observer {
    known: Arc<Known>,
    waker: Waker,
}

impl CommitObserver for Observer {
    fn committed(&mut self, commits: &[Commit], _: &[LaneProgress]) {
        let ticks: u64 = commits.iter().map(|commit| commit.to_seq - commit.from_seq).sum();
        self.known.ticks.fetch_add(ticks, Ordering::Relaxed);
        if commits.iter().any(|commit| commit.ended) {
            self.waker.wake();
        }
    }

    fn delayed(&mut self, delay: Duration) {
        self.known.delays().add(delay);
    }
}
