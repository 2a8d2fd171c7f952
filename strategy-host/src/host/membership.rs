//! Which shards are this host's: every member of a strategy says once a second in the ledger that
//! it lives, and each counts the living in the same way.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded};
use tick_sdk::{RunId, StrategyName};

use crate::ledger::{LaneRow, Ledger, LedgerError, MEMBER_LIVES};

/// Between two beats.
const BEAT: Duration = Duration::from_secs(1);

/// After a pause of its own beats, as long as others need to be taken for dead, a member believes
/// nobody dead for two beats: where the ledger was away, the others have yet to be heard again.
const SETTLING_BEATS: u32 = 2;

/// The shards of member `me` among `members` that live, in their order: shard `i` is that of member
/// `i` mod n.
pub fn assigned(members: &[String], me: &str, shards: u16) -> BTreeSet<u16> {
    let Some(place) = members.iter().position(|member| member == me) else { return BTreeSet::new() };
    (0..shards).skip(place).step_by(members.len()).collect()
}

/// What a beat told.
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

/// Who a member is.
#[derive(Clone, Debug)]
pub struct Member {
    /// The run.
    pub run: RunId,
    /// The strategy's instance name.
    pub strategy: StrategyName,
    /// The member's own id.
    pub name: String,
    /// How many shards the run has.
    pub shards: u16,
    /// Whether a member is known to be dead before it has been silent for long.
    pub is_dead: fn(&str) -> bool,
}

/// Makes a member's next beat come at once: for whoever knows that something has changed.
#[derive(Clone, Debug)]
pub struct Waker(Sender<()>);

/// Where a [`Waker`] is heard.
#[derive(Debug)]
pub struct Woken(Receiver<()>);

/// A waker for a membership that is still to start.
pub fn waker() -> (Waker, Woken) {
    let (wake, woken) = bounded(1);
    (Waker(wake), Woken(woken))
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
    thread: JoinHandle<Result<(), LedgerError>>,
    leaving: Arc<AtomicBool>,
    waker: Waker,
}

impl Membership {
    /// Beats once a second on a thread of its own, and gives each beat to `see`. Nothing is given
    /// while the ledger is away, so that nothing is reassigned meanwhile.
    pub fn start(
        mut ledger: Box<dyn Ledger>,
        member: Member,
        (waker, woken): (Waker, Woken),
        mut see: impl FnMut(&Beat) + Send + 'static,
    ) -> Self {
        let leaving = Arc::new(AtomicBool::new(false));
        let left = leaving.clone();
        let thread = std::thread::Builder::new().name("membership".to_owned());
        let thread = thread.spawn(move || {
            let mut calm = Calm::default();
            while !left.load(Ordering::Acquire) {
                match beat(&mut *ledger, &member) {
                    Ok(beat) => {
                        if calm.may_reassign(Instant::now()) {
                            see(&beat);
                        }
                    }
                    // Away for a while: nobody can know who lives, so that all stays as it is.
                    Err(error) if error.is_temporary() => {}
                    Err(error) => return Err(error),
                }
                // Woken or not, the next beat is due.
                let _ = woken.0.recv_timeout(BEAT);
            }
            ledger.leave(member.run, &member.strategy, &member.name)
        });
        Self { thread: thread.expect("the system starts a thread"), leaving, waker }
    }

    /// Whether it has ended by itself: the ledger has failed.
    pub fn has_ended(&self) -> bool {
        self.thread.is_finished()
    }

    /// Leaves, so that others take over at once.
    ///
    /// # Errors
    /// The ledger failed.
    pub fn leave(self) -> Result<(), LedgerError> {
        self.leaving.store(true, Ordering::Release);
        self.waker.wake();
        match self.thread.join() {
            Ok(ended) => ended,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
}

/// Whether what a beat tells can be believed. Pure.
#[derive(Debug, Default)]
struct Calm {
    last: Option<Instant>,
    settling: u32,
}

impl Calm {
    /// A beat has come back; whether shards may move by it.
    fn may_reassign(&mut self, now: Instant) -> bool {
        let paused = self.last.replace(now).is_some_and(|last| now - last >= MEMBER_LIVES);
        self.settling = if paused { SETTLING_BEATS } else { self.settling.saturating_sub(1) };
        self.settling == 0
    }
}

fn beat(ledger: &mut dyn Ledger, member: &Member) -> Result<Beat, LedgerError> {
    let mut members = ledger.beat(member.run, &member.strategy, &member.name)?;
    let is_dead = |other: &String| *other != member.name && (member.is_dead)(other);
    for dead in members.extract_if(.., |other| is_dead(other)) {
        ledger.leave(member.run, &member.strategy, &dead)?;
    }
    let shards = assigned(&members, &member.name, member.shards);
    let mut lanes = ledger.lanes(member.run)?;
    lanes.retain(|row| row.lane.strategy == member.strategy);
    let ended = has_ended(&lanes, member.shards);
    Ok(Beat { members, shards, lanes, ended })
}

/// Whether these lanes of one strategy are all there are, and their run's end is committed.
pub fn has_ended(lanes: &[LaneRow], shards: u16) -> bool {
    lanes.len() == usize::from(shards) && lanes.iter().all(|row| row.ended)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shard_has_one_owner_and_nobody_two_more_than_another() {
        for count in 1..6 {
            let members: Vec<String> = (0..count).map(|n| format!("m{n}")).collect();
            for shards in [1, 4, 7, 64] {
                let parts: Vec<_> = members.iter().map(|me| assigned(&members, me, shards)).collect();
                let mut all: Vec<u16> = parts.iter().flatten().copied().collect();
                all.sort_unstable();
                assert!(all.into_iter().eq(0..shards));
                let sizes = parts.iter().map(BTreeSet::len);
                assert!(sizes.clone().max().unwrap() - sizes.min().unwrap() <= 1);
            }
        }
        assert!(assigned(&["other".to_owned()], "me", 4).is_empty());
    }

    #[test]
    fn after_a_pause_nothing_moves_until_others_had_time_to_be_heard() {
        let started = Instant::now();
        let mut calm = Calm::default();
        let mut at = |seconds| calm.may_reassign(started + Duration::from_secs(seconds));
        assert_eq!([0, 1, 2].map(&mut at), [true; 3]);
        assert_eq!([30, 31, 32, 33].map(&mut at), [false, false, true, true]);
    }
}
