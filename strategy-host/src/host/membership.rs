//! Which shards are this host's: every member of a strategy beats once a second in the ledger, and each
//! computes the owner of every shard from the members that live.
//!
//! Two rules keep that safe where the ledger cannot be reached. A member whose own beats have failed for
//! longer than a member lives has lost its **lease**: it stops consuming at once, as the others take over
//! by then. And after such a pause no shard moves before two beats have succeeded (the **rebalance
//! gate**), so that a ledger that was away for all does not make everybody take everybody for dead.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use tick_sdk::names::{RunId, StrategyName};
use tracing::{info, warn};

use crate::ledger::{LaneRow, Ledger, LedgerError, MEMBER_CALL_TIMEOUT, MEMBER_LIVES};

mod assignment;
mod hash;
mod lease;
mod member_id;

pub use assignment::{assigned, has_ended};
pub use member_id::{is_dead, member_id};

use lease::{Lease, RebalanceGate};

/// Between the beginnings of two beats.
const BEAT: Duration = Duration::from_secs(1);

/// How long leaving may take. Beyond, the others find this member dead after [`MEMBER_LIVES`].
const LEAVE_TIMEOUT: Duration = Duration::from_secs(5);

/// What a beat has shown.
#[derive(Clone, Debug)]
pub struct Beat {
    /// The members that live, sorted, this one included.
    pub members: Vec<String>,
    /// This member's shards.
    pub shards: BTreeSet<u16>,
    /// The strategy's lanes of all members, by shard.
    pub lanes: Vec<LaneRow>,
    /// The run's end is committed in every shard.
    pub ended: bool,
}

/// What happens to a membership.
#[derive(Clone, Debug)]
pub enum MembershipEvent {
    /// A beat has succeeded, and shards may move by it.
    Beat(Beat),
    /// No beat has succeeded for longer than a member lives: the others take over, and this member must
    /// stop consuming at once. Its commits are fenced off from the moment that another has claimed.
    LeaseLost {
        /// How long ago the last beat that succeeded began.
        silent: Duration,
    },
}

/// Who a member is.
#[derive(Clone, Debug)]
pub struct Member {
    /// The run.
    pub run: RunId,
    /// The strategy's instance name.
    pub strategy: StrategyName,
    /// The member's own id: see [`member_id`].
    pub name: String,
    /// How many shards the run has.
    pub shards: u16,
}

/// Makes a member's next beat come at once: for whoever knows that something has changed.
#[derive(Clone, Debug)]
pub struct Waker(Sender<()>);

/// The membership's end of a [`Waker`].
#[derive(Debug)]
pub struct Wakeups(Receiver<()>);

/// A waker for a membership that is still to start.
pub fn waker() -> (Waker, Wakeups) {
    let (wake, wakeups) = bounded(1);
    (Waker(wake), Wakeups(wakeups))
}

impl Waker {
    /// The next beat comes at once.
    pub fn wake(&self) {
        // One that is due already will see the same.
        let _ = self.0.try_send(());
    }
}

/// A member, as long as it is there.
pub struct Membership {
    beats: JoinHandle<()>,
    outcome: Receiver<Result<(), LedgerError>>,
    leaving: Arc<AtomicBool>,
    waker: Waker,
}

/// Where a member is entered: the ledger, or a test's own.
trait Roll: Send + 'static {
    fn beat(&mut self) -> Result<Beat, LedgerError>;
    fn leave(&mut self) -> Result<(), LedgerError>;
}

struct LedgerRoll {
    ledger: Box<dyn Ledger>,
    member: Member,
}

/// A beat as its thread made it.
struct Beaten {
    began: Instant,
    beat: Beat,
}

impl Membership {
    /// Beats once a second on a thread of its own, and hands what happens to `on_event` on another, so
    /// that a lease ends in time while a beat still waits for the ledger.
    pub fn start(
        mut ledger: Box<dyn Ledger>,
        member: Member,
        wake: (Waker, Wakeups),
        on_event: impl FnMut(MembershipEvent) + Send + 'static,
    ) -> Self {
        // What a beat reads besides is as urgent as the beat.
        ledger.set_call_timeout(MEMBER_CALL_TIMEOUT);
        let Member { run, strategy, name, .. } = &member;
        let span = tracing::info_span!("membership", %run, %strategy, member = %name);
        Self::start_with(LedgerRoll { ledger, member }, wake, on_event, span)
    }

    fn start_with(
        mut roll: impl Roll,
        (waker, wakeups): (Waker, Wakeups),
        on_event: impl FnMut(MembershipEvent) + Send + 'static,
        span: tracing::Span,
    ) -> Self {
        let leaving = Arc::new(AtomicBool::new(false));
        let left = leaving.clone();
        // One beat waits while the one before is announced.
        let (beaten, to_announce) = bounded(1);
        let announcing = span.clone();
        spawn("membership", move || announcing.in_scope(|| announce(&to_announce, on_event)));
        let (ended, outcome) = bounded(1);
        let beats = spawn("beats", move || {
            let result = span.in_scope(|| keep_beating(&mut roll, &left, &wakeups.0, &beaten));
            drop(beaten);
            let result = result.and_then(|()| span.in_scope(|| leave(&mut roll)));
            // Nobody waits for it where leaving took too long.
            let _ = ended.send(result);
        });
        Self { beats, outcome, leaving, waker }
    }

    /// Whether it has ended by itself: the ledger has failed.
    pub fn has_ended(&self) -> bool {
        self.beats.is_finished()
    }

    /// Leaves, so that others take over at once. Where the ledger cannot be reached for
    /// a few seconds it is left alone: the others find this member dead.
    ///
    /// # Errors
    /// The ledger failed for good.
    pub fn leave(self) -> Result<(), LedgerError> {
        self.leaving.store(true, Ordering::Release);
        self.waker.wake();
        match self.outcome.recv_timeout(LEAVE_TIMEOUT) {
            Ok(ended) => ended,
            Err(RecvTimeoutError::Timeout) => {
                warn!("the ledger cannot be reached: the others will find this member dead");
                Ok(())
            }
            // The thread has panicked.
            Err(RecvTimeoutError::Disconnected) => match self.beats.join() {
                Ok(()) => Ok(()),
                Err(panic) => std::panic::resume_unwind(panic),
            },
        }
    }
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> JoinHandle<()> {
    let thread = std::thread::Builder::new().name(name.to_owned());
    thread.spawn(work).expect("the system starts a thread")
}

/// Beats until the member leaves, or the ledger has failed for good.
fn keep_beating(
    roll: &mut impl Roll,
    leaving: &AtomicBool,
    wakeups: &Receiver<()>,
    beaten: &Sender<Beaten>,
) -> Result<(), LedgerError> {
    let mut is_reached = true;
    while !leaving.load(Ordering::Acquire) {
        let began = Instant::now();
        match roll.beat() {
            Ok(beat) => {
                is_reached = true;
                if beaten.send(Beaten { began, beat }).is_err() {
                    return Ok(());
                }
            }
            // It may come back. What that means for the shards is the lease's affair.
            Err(error) if error.is_temporary() => {
                if std::mem::replace(&mut is_reached, false) {
                    warn!(%error, "a beat failed; it is tried again");
                }
            }
            Err(error) => return Err(error),
        }
        // Woken or not, the next beat is due.
        let _ = wakeups.recv_timeout(BEAT.saturating_sub(began.elapsed()));
    }
    Ok(())
}

/// Takes the member out. A ledger that is away or busy makes no failure of a part that went well: the others
/// find this member dead.
fn leave(roll: &mut impl Roll) -> Result<(), LedgerError> {
    match roll.leave() {
        Err(error) if error.is_temporary() => {
            warn!(%error, "the ledger cannot be reached: the others will find this member dead");
            Ok(())
        }
        left => left,
    }
}

/// Hands on beats by which shards may move, and the end of the lease when it comes.
fn announce(beats: &Receiver<Beaten>, mut on_event: impl FnMut(MembershipEvent)) {
    let mut lease = Lease::default();
    let mut gate = RebalanceGate::default();
    let mut last_began = Instant::now();
    loop {
        let received = match lease.lasts(Instant::now()) {
            Some(left) => beats.recv_timeout(left),
            None => beats.recv().map_err(RecvTimeoutError::from),
        };
        let now = Instant::now();
        if lease.expire(now) {
            let silent = now - last_began;
            warn!(
                ?silent,
                "no beat has reached the ledger for longer than {MEMBER_LIVES:?}: the lease is lost"
            );
            on_event(MembershipEvent::LeaseLost { silent });
        }
        match received {
            Ok(Beaten { began, beat }) => {
                if lease.renew(began, now) {
                    last_began = began;
                    if gate.allows(now) {
                        on_event(MembershipEvent::Beat(beat));
                    }
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

impl Roll for LedgerRoll {
    fn beat(&mut self) -> Result<Beat, LedgerError> {
        let Self { ledger, member } = self;
        let mut members = ledger.beat(member.run, &member.strategy, &member.name)?;
        let is_gone = |other: &mut String| *other != member.name && is_dead(other);
        for dead in members.extract_if(.., is_gone) {
            info!(dead, "a member beside this one has ended");
            ledger.leave(member.run, &member.strategy, &dead)?;
        }
        let shards = assigned(&members, &member.name, member.shards);
        let mut lanes = ledger.lanes(member.run)?;
        lanes.retain(|row| row.lane.strategy == member.strategy);
        let ended = has_ended(&lanes, member.shards);
        Ok(Beat { members, shards, lanes, ended })
    }

    fn leave(&mut self) -> Result<(), LedgerError> {
        let Self { ledger, member } = self;
        ledger.leave(member.run, &member.strategy, &member.name)
    }
}

#[cfg(test)]
mod tests;
