//! How long a member may keep its shards without a beat, and when beats may move shards. Pure: the
//! time is an argument.

use std::time::{Duration, Instant};

use crate::ledger::MEMBER_LIVES;

/// After a pause of its own beats, as long as others need to be taken for dead, a member takes nobody
/// for dead for two beats: where the ledger was away for all, the others' beats have yet to come.
const SETTLING_BEATS: u32 = 2;

/// The right to consume: it lasts for [`MEMBER_LIVES`] after the beginning of the last beat that
/// succeeded.
///
/// The others take this member for dead so long after its beat has reached the ledger. As the lease
/// counts from before that, it is over before anybody takes over.
#[derive(Debug, Default)]
pub(super) struct Lease {
    /// When the last beat that succeeded began; none while the lease is lost, or not yet given.
    held_since: Option<Instant>,
}

impl Lease {
    /// A beat that began at `began` has succeeded; whether there is a lease by that. One that took longer
    /// than a member lives gives none.
    pub(super) fn renew(&mut self, began: Instant, now: Instant) -> bool {
        let is_held = now.saturating_duration_since(began) <= MEMBER_LIVES;
        if is_held {
            self.held_since = Some(began);
        }
        is_held
    }

    /// Whether there is a lease, and it is over at `now`: true once, and again only after a renewal.
    pub(super) fn expire(&mut self, now: Instant) -> bool {
        let is_over = self.held_since.is_some_and(|since| now - since > MEMBER_LIVES);
        if is_over {
            self.held_since = None;
        }
        is_over
    }

    /// How long it lasts from `now` on; `None` where there is no lease.
    pub(super) fn lasts(&self, now: Instant) -> Option<Duration> {
        self.held_since.map(|since| (since + MEMBER_LIVES).saturating_duration_since(now))
    }
}

/// Whether shards may move by what a beat says.
#[derive(Debug, Default)]
pub(super) struct RebalanceGate {
    last: Option<Instant>,
    settling: u32,
}

impl RebalanceGate {
    /// A beat has succeeded at `now`; whether shards may move by it.
    pub(super) fn allows(&mut self, now: Instant) -> bool {
        let paused = self.last.replace(now).is_some_and(|last| now - last >= MEMBER_LIVES);
        self.settling = if paused { SETTLING_BEATS } else { self.settling.saturating_sub(1) };
        self.settling == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    #[test]
    fn a_lease_ends_once_its_beats_have_failed_for_longer_than_a_member_lives() {
        let started = Instant::now();
        let mut lease = Lease::default();
        assert!(!lease.expire(started + seconds(60.0)), "nothing was given yet");
        assert_eq!(lease.lasts(started), None);
        let mut renew = |at| assert!(lease.renew(started + seconds(at), started + seconds(at + 0.1)));
        renew(0.0);
        renew(1.0);
        assert!(!lease.expire(started + seconds(4.0)));
        assert_eq!(lease.lasts(started + seconds(1.5)), Some(seconds(2.5)));
        assert!(lease.expire(started + seconds(4.001)));
        assert!(!lease.expire(started + seconds(9.0)), "it is said once");
        assert!(!lease.renew(started + seconds(5.0), started + seconds(9.0)), "others took over meanwhile");
        assert!(lease.renew(started + seconds(9.5), started + seconds(9.6)));
        assert!(!lease.expire(started + seconds(10.0)));
        assert!(lease.expire(started + seconds(13.0)));
    }

    #[test]
    fn after_a_pause_nothing_moves_before_the_others_beats_had_time_to_come() {
        let started = Instant::now();
        let mut gate = RebalanceGate::default();
        let mut at = |after| gate.allows(started + Duration::from_secs(after));
        assert_eq!([0, 1, 2].map(&mut at), [true; 3]);
        assert_eq!([30, 31, 32, 33].map(&mut at), [false, false, true, true]);
    }
}
