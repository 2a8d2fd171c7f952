//! After a strategy's end: whoever hosts it stays until the ingester knows that.

use std::time::{Duration, Instant};

use tick_feed::rabbitmq::{FeedState, SubscriberHandle};
use tick_sdk::names::StrategyName;

use super::{Cancellation, POLL};

/// An ingester may be silent for so long while its run's end is to be acknowledged: one that was killed is
/// started again meanwhile, and waits for ever for strategies of which no instance is left.
const CLOSING: Duration = Duration::from_secs(20);
/// How long that is waited for where a broker is away.
const LONGEST_CLOSING: Duration = Duration::from_secs(60);
/// Between two announcements of the end: an ingester that was away has missed the ones before.
const ANNOUNCE_AGAIN: Duration = Duration::from_secs(1);
/// Nothing came for so long: nothing is on its way.
const QUIET: Duration = Duration::from_millis(250);

/// Waits until the ingester knows that the strategy has ended, if it lives or is started again meanwhile:
/// until then it waits for that, and sends on. `announce` says so at once, and each second. What is left in
/// the queues is taken from them. A cancellation ends this.
pub(super) fn wait_for_acknowledged_end(
    handle: &SubscriberHandle,
    state: &FeedState,
    strategy: &StrategyName,
    cancellation: &Cancellation,
    announce: impl Fn(),
) {
    let has_ended =
        |now: &FeedState| now.strategies.iter().any(|one| *strategy == one.name.as_str() && one.ended);
    let is_acknowledged = |now: &FeedState| now.closed || now.run != state.run || has_ended(now);
    let began = Instant::now();
    let mut announced: Option<Instant> = None;
    loop {
        if announced.is_none_or(|at| at.elapsed() >= ANNOUNCE_AGAIN) {
            announced = Some(Instant::now());
            announce();
        }
        if handle.wait_for_state(POLL, is_acknowledged).is_some() {
            break;
        }
        let lost = handle.last_error().map(|(at, _)| at);
        let may_be = may_be_acknowledged(Instant::now(), began, handle.announced_at(), lost);
        if cancellation.is_cancelled() || !may_be {
            return;
        }
    }
    // What comes of the feed's next run is not taken here.
    let is_over = || cancellation.is_cancelled() || handle.state().is_none_or(|now| now.run != state.run);
    let mut before = handle.counts().frames;
    while !is_over() && began.elapsed() < LONGEST_CLOSING {
        std::thread::sleep(QUIET);
        let now = handle.counts().frames;
        if std::mem::replace(&mut before, now) == now {
            return;
        }
    }
}

/// Whether there may be an ingester, or may be one again: one that lives says so each second. Where a broker
/// was lost after its last state, its silence means nothing until that is past; and one that was silent
/// before the end was not asked yet.
fn may_be_acknowledged(
    now: Instant,
    began: Instant,
    announced: Option<Instant>,
    lost: Option<Instant>,
) -> bool {
    let last = [announced, lost].into_iter().flatten().fold(began, Instant::max);
    now.saturating_duration_since(last) < CLOSING && now.saturating_duration_since(began) <= LONGEST_CLOSING
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ingester_that_is_away_has_time_to_come_back_and_no_more() {
        let started = Instant::now();
        let at = |after| started + Duration::from_secs(after);
        let may_be = |now, announced, lost| may_be_acknowledged(at(now), at(100), announced, lost);
        // It was never there while this host was, or has been silent for long.
        for announced in [None, Some(at(10))] {
            assert!(may_be(119, announced, None));
            assert!(!may_be(120, announced, None));
        }
        // It lives, or its broker comes and goes.
        assert!(may_be(139, Some(at(120)), None) && may_be(139, None, Some(at(120))));
        assert!(!may_be(140, Some(at(120)), None));
        assert!(!may_be(161, Some(at(161)), Some(at(161))), "nothing is waited for without a limit");
    }
}
