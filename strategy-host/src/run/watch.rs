//! Whether the ingester and the brokers are there. Pure: the time is an argument.

use std::time::{Duration, Instant};

use tick_sdk::names::RunId;

use super::RunEvent;

/// How long the ingester may be silent before it is said to be gone: it sends a state each second.
pub(super) const SILENCE: Duration = Duration::from_secs(10);
/// Between repetitions of what has not changed.
const REMIND: Duration = Duration::from_secs(60);
/// A connection that is lost for a shorter time is not worth a message.
const NOTICEABLE: Duration = Duration::from_secs(2);

/// What can be seen of the others at one time.
#[derive(Clone, Debug, Default)]
pub(super) struct Sighting {
    /// How many frames have come.
    pub(super) frames: u64,
    /// When the ingester announced a state last.
    pub(super) announced_at: Option<Instant>,
    /// When the broker that was connected last was: an ingester announces its state within a second.
    pub(super) connected_at: Option<Instant>,
    /// The broker that was lost first of those that are.
    pub(super) lost: Option<LostBroker>,
}

#[derive(Clone, Debug)]
pub(super) struct LostBroker {
    pub(super) broker: String,
    pub(super) since: Instant,
    pub(super) error: String,
}

/// Whoever has not looked for so long was stopped, as by Ctrl-Z: what seemed silent meanwhile was not seen.
const STOPPED: Duration = Duration::from_secs(3);

/// Decides what is worth a message.
pub(super) struct Watch {
    /// The run, where one is taken part in: else nobody's silence means anything.
    run: Option<RunId>,
    frames: u64,
    /// When something came last, or nothing could have.
    active_at: Instant,
    looked_at: Instant,
    reported: Option<Reported>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum What {
    NoIngester,
    BrokerLost,
}

#[derive(Clone, Copy)]
struct Reported {
    what: What,
    at: Instant,
}

impl Watch {
    pub(super) fn new(run: Option<RunId>, now: Instant) -> Self {
        Self { run, frames: 0, active_at: now, looked_at: now, reported: None }
    }

    /// What is to be said now, if anything.
    pub(super) fn look(&mut self, now: Instant, seen: Sighting) -> Option<RunEvent> {
        if seen.frames != self.frames {
            self.frames = seen.frames;
            self.active_at = now;
        }
        let was_stopped = now.saturating_duration_since(self.looked_at) > STOPPED;
        self.looked_at = now;
        if was_stopped {
            self.active_at = now;
        }
        for at in [seen.announced_at, seen.connected_at].into_iter().flatten() {
            self.active_at = self.active_at.max(at);
        }
        if let Some(lost) = seen.lost {
            // Without a broker nothing can come, so that silence says nothing of the ingester.
            self.active_at = now;
            let is_noticeable = now.saturating_duration_since(lost.since) > NOTICEABLE;
            let event = RunEvent::BrokerLost {
                broker: lost.broker,
                since: now.saturating_duration_since(lost.since),
                error: lost.error,
            };
            return (is_noticeable && self.is_due(What::BrokerLost, now)).then_some(event);
        }
        if let Some(run) = self.run
            && now.saturating_duration_since(self.active_at) > SILENCE
        {
            return self.is_due(What::NoIngester, now).then_some(RunEvent::NoIngester { run });
        }
        let before = self.reported.take();
        let was_lost = before.is_some_and(|reported| reported.what == What::BrokerLost);
        was_lost.then_some(RunEvent::BrokersConnected)
    }

    fn is_due(&mut self, what: What, now: Instant) -> bool {
        let is_due = self.reported.is_none_or(|last| last.what != what || now - last.at >= REMIND);
        if is_due {
            self.reported = Some(Reported { what, at: now });
        }
        is_due
    }
}

/// So long may a strategy stand still that has not ended in a run that is closed. What is left in its queues
/// may be with a host whose machine has died: its broker finds that out in 6 s, the other members in 3 s, and
/// then one of them has to begin.
const STANDSTILL: Duration = Duration::from_secs(30);

/// Decides whether a strategy comes to no end in a run that its ingester has closed without waiting for it: it
/// takes what is left in its queues, and nobody sends anything any more.
pub(super) struct Standstill {
    progress: Option<u64>,
    since: Instant,
    looked_at: Instant,
}

impl Standstill {
    pub(super) fn new(now: Instant) -> Self {
        Self { progress: None, since: now, looked_at: now }
    }

    /// Whether `progress` has stayed as it is for too long; `None` where nothing follows from that.
    pub(super) fn is_reached(&mut self, now: Instant, progress: Option<u64>) -> bool {
        let was_stopped = now.saturating_duration_since(self.looked_at) > STOPPED;
        self.looked_at = now;
        if was_stopped || progress.is_none() || progress != self.progress {
            self.progress = progress;
            self.since = now;
        }
        now.saturating_duration_since(self.since) > STANDSTILL
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_silent_ingester_is_reported_once_a_minute_until_something_comes() {
        let started = Instant::now();
        let mut watch = Watch::new(Some(RunId([1; 16])), started);
        let reported: Vec<u64> = (0..84)
            .filter(|&after| {
                let frames = u64::from(after >= 72);
                let event = watch.look(started + seconds(after), Sighting { frames, ..Sighting::default() });
                matches!(event, Some(RunEvent::NoIngester { .. }))
            })
            .collect();
        assert_eq!(reported, [11, 71, 83]);
    }

    #[test]
    fn a_process_that_was_stopped_does_not_take_its_own_silence_for_the_ingesters() {
        let started = Instant::now();
        let mut watch = Watch::new(Some(RunId([1; 16])), started);
        assert!(watch.look(started + seconds(300), Sighting::default()).is_none());
    }

    #[test]
    fn a_closed_run_is_over_where_nothing_comes_and_nobody_commits_for_half_a_minute() {
        let started = Instant::now();
        let mut standstill = Standstill::new(started);
        let mut look = |after, progress| standstill.is_reached(started + seconds(after), progress);
        assert!((0..60).all(|after| !look(after, None)), "it is not closed, or cannot be seen");
        assert!((60..120).all(|after| !look(after, Some(after / 20))), "it gets on");
        assert!((120..131).all(|after| !look(after, Some(5))));
        assert!(!look(131, None), "a broker is lost");
        assert!((132..163).all(|after| !look(after, Some(5))));
        assert!(look(163, Some(5)));
        assert!(!look(300, Some(5)), "this process was stopped, and has seen nothing meanwhile");
    }

    #[test]
    fn a_dead_broker_is_named_and_the_ingester_is_not_blamed() {
        let started = Instant::now();
        let mut watch = Watch::new(Some(RunId([1; 16])), started);
        let lost = || {
            let (broker, error) = ("amqp://host".to_owned(), "connection refused".to_owned());
            Some(LostBroker { broker, since: started, error })
        };
        for after in 0..60 {
            let event =
                watch.look(started + seconds(after), Sighting { lost: lost(), ..Sighting::default() });
            match event {
                None => assert_ne!(after, 3),
                Some(RunEvent::BrokerLost { broker, since, .. }) => {
                    assert_eq!((after, since, broker.as_str()), (3, seconds(3), "amqp://host"));
                }
                Some(other) => panic!("{other:?} after {after} s"),
            }
        }
        // It is back: the ingester has ten seconds from then on.
        let back = watch.look(started + seconds(61), Sighting::default());
        assert!(matches!(back, Some(RunEvent::BrokersConnected)));
        let mut look = |after| watch.look(started + seconds(after), Sighting::default());
        assert!((62..70).all(|after| look(after).is_none()));
        let silent = (70..73).find_map(look);
        assert!(matches!(silent, Some(RunEvent::NoIngester { .. })), "{silent:?}");
    }
}
