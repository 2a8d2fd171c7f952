//! A run that is being published: what is reported of it, and when it ends.

use std::time::{Duration, Instant};

use crossbeam_channel::Receiver;
use tick_feed::rabbitmq::publisher::{Snapshot, StrategyProgress};

use super::feeding::Feeding;
use super::session::Threads;
use super::state::OpenedState;
use super::{AtEnd, Cancellation, IngestEnd, IngestError, IngestEvent, IngestPlan, IngestProgress, POLL};

/// Between reports of progress, each of which is saved as the run's position.
const REPORT: Duration = Duration::from_secs(1);

/// Watches a run until it has ended, has failed or is cancelled.
pub(super) struct Watch<'a> {
    pub(super) plan: &'a IngestPlan,
    pub(super) cancellation: &'a Cancellation,
    pub(super) feeding: &'a Feeding<'a>,
    /// What the feeding threads report.
    pub(super) reports: Receiver<IngestEvent>,
}

impl Watch<'_> {
    pub(super) fn run<'scope>(
        &self,
        threads: &mut Threads<'scope, '_>,
        state: &mut OpenedState,
        on_event: &mut dyn FnMut(IngestEvent),
    ) -> Result<IngestEnd, IngestError>
    where
        Self: 'scope,
    {
        let publisher = self.feeding.publisher;
        let mut reporting = Reporting { at: Instant::now(), last: publisher.snapshot()? };
        let mut optional = OptionalStrategies::new(self.plan.abandon_after);
        loop {
            publisher.wait(POLL);
            self.report(on_event);
            while let Some(frames) = publisher.next_catch_up() {
                let feeding = self.feeding;
                threads.spawn(move || feeding.catch_up(&frames));
            }
            // One that failed ends the run.
            threads.join_finished()?;
            let now = publisher.snapshot()?;
            if let Some(end) = self.end(&now, &mut optional) {
                return Ok(end);
            }
            if self.cancellation.is_cancelled() {
                return Ok(IngestEnd::Cancelled);
            }
            let progress = reporting.progress(&now);
            if progress.is_some() || state.lacks(&now) {
                state.save(Some(&now), false)?;
                publisher.keep(&now);
            }
            if let Some(progress) = progress {
                on_event(IngestEvent::Progress(Box::new(progress)));
            }
        }
    }

    /// Hands on what the feeding threads have reported.
    pub(super) fn report(&self, on_event: &mut dyn FnMut(IngestEvent)) {
        self.reports.try_iter().for_each(on_event);
    }

    /// How the run has ended, if it has.
    fn end(&self, now: &Snapshot, optional: &mut OptionalStrategies) -> Option<IngestEnd> {
        if !now.is_published {
            return None;
        }
        match self.plan.at_end {
            AtEnd::Detach => Some(IngestEnd::Published),
            AtEnd::AwaitStrategies => {
                let has_ended = have_required_ended(now) && !optional.are_getting_on(now);
                has_ended.then_some(IngestEnd::RunEnded)
            }
        }
    }
}

/// Whether every required strategy has committed to the end.
fn have_required_ended(now: &Snapshot) -> bool {
    let shards = now.shards.len();
    let mut required = now.strategies.iter().filter(|strategy| strategy.state.required);
    required.all(|strategy| strategy.has_ended(shards))
}

/// The snapshot that was reported last, and when.
struct Reporting {
    at: Instant,
    last: Snapshot,
}

impl Reporting {
    /// The progress since then, if it is time to report it.
    fn progress(&mut self, now: &Snapshot) -> Option<IngestProgress> {
        let elapsed = self.at.elapsed();
        if elapsed < REPORT {
            return None;
        }
        self.at = Instant::now();
        let before = std::mem::replace(&mut self.last, now.clone());
        Some(IngestProgress { before, now: now.clone(), elapsed })
    }
}

/// At the end optional strategies are waited for as long as they get on.
struct OptionalStrategies {
    /// One that has committed nothing for so long does not get on.
    longest: Duration,
    committed: u64,
    since: Instant,
}

impl OptionalStrategies {
    fn new(longest: Duration) -> Self {
        Self { longest, committed: 0, since: Instant::now() }
    }

    fn are_getting_on(&mut self, now: &Snapshot) -> bool {
        let shards = now.shards.len();
        // One that no instance has ever run is not waited for.
        let is_behind = |strategy: &StrategyProgress| {
            // One that was caught up by an ingester that was killed is active when its hosts have reported.
            let may_come = strategy.state.active || !now.without_instance.contains(&strategy.state.name);
            may_come && !strategy.has_left && !strategy.cursors.is_empty() && !strategy.has_ended(shards)
        };
        let cursors = now.strategies.iter().flat_map(|strategy| &strategy.cursors);
        let committed = cursors.map(|cursor| cursor.cursor).sum();
        if self.committed != committed {
            self.committed = committed;
            self.since = Instant::now();
        }
        now.strategies.iter().any(is_behind) && self.since.elapsed() < self.longest
    }
}

#[cfg(test)]
mod tests {
    use tick_feed::rabbitmq::control::ShardCursor;
    use tick_feed::rabbitmq::publisher::ShardSnapshot;

    use super::*;

    /// All is published of one shard, where an optional strategy has committed half.
    fn half_committed() -> Snapshot {
        let shard = ShardSnapshot {
            node: 0,
            attempt: 0,
            position: 100,
            published: 100,
            confirmed: 100,
            ts_recv: 0,
            stalled: None,
            is_finished: true,
        };
        let mut pear = StrategyProgress::from_start("pear".parse().expect("a name"), false, 1);
        pear.cursors = vec![ShardCursor { shard: 0, cursor: 50, stored: 50, ended: false }];
        Snapshot {
            nodes: Vec::new(),
            shards: vec![shard],
            strategies: vec![pear],
            is_published: true,
            without_instance: Vec::new(),
        }
    }

    fn is_waited_for(now: &Snapshot) -> bool {
        OptionalStrategies::new(Duration::from_secs(60)).are_getting_on(now)
    }

    #[test]
    fn an_optional_strategy_is_waited_for_until_no_instance_of_it_is_left() {
        let mut now = half_committed();
        assert!(is_waited_for(&now));
        // The ingester that caught it up was killed, and its hosts have yet to report to this one.
        now.strategies[0].state.active = false;
        assert!(is_waited_for(&now));
        now.without_instance = vec!["pear".parse().expect("a name")];
        assert!(!is_waited_for(&now));
        now.strategies[0].state.active = true;
        assert!(is_waited_for(&now));
        now.strategies[0].cursors[0].ended = true;
        assert!(!is_waited_for(&now));
        now.strategies[0].cursors.clear();
        assert!(!is_waited_for(&now), "no instance has ever run it");
    }
}
