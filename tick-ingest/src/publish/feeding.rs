//! The passes over the sources that feed the publisher.

use std::sync::{Arc, Mutex, PoisonError};

use crossbeam_channel::Sender;
use tick_feed::rabbitmq::Publisher;
use tick_feed::rabbitmq::publisher::CatchUpFrames;
use tick_feed::ticks_file::TicksLogReader;
use tick_feed::transport::{FrameObserver, FrameSender, Observed, TransportError};

use super::log::SourceLog;
use super::{IngestError, IngestEvent, POLL};
use crate::Counts;
use crate::feed::{self, FeedControl, FeedError, FeedPlan, Pace};

/// Feeds the publisher, once, and again for every rewind beyond its window.
pub(super) struct Feeding<'a> {
    pub(super) plan: &'a FeedPlan,
    /// What is read instead of the plan's sources, where those cannot be read twice.
    pub(super) log: Option<TicksLogReader>,
    pub(super) publisher: &'a Publisher,
    pub(super) control: &'a FeedControl,
    /// Who sees the frames of the feed.
    pub(super) observer: Option<Arc<dyn FrameObserver>>,
    /// What the readers counted.
    pub(super) counts: Mutex<Counts>,
    /// What is reported to the caller, on its thread. A report that finds no room is dropped: it is traced, too.
    pub(super) events: Sender<IngestEvent>,
}

impl Feeding<'_> {
    /// Feeds the run, and again from each rewind to ticks that the publisher no longer holds, until the feed
    /// is stopped.
    pub(super) fn run(&self) -> Result<(), IngestError> {
        let mut plan = self.plan.clone();
        while !self.control.is_stopped() {
            plan.start = self.publisher.restart();
            let frames = Observed::new(self.publisher.frames(), self.observer.clone());
            match self.pass(&plan, &frames, self.control) {
                Ok(_) => {}
                Err(FeedError::Transport(TransportError::Rewound)) => continue,
                // The publisher has the reason, and its snapshots give it.
                Err(FeedError::Transport(TransportError::Closed)) => return Ok(()),
                Err(error) => {
                    // The sources were read to their end once, and are not there any more.
                    if !self.publisher.abandon(&error.to_string()) {
                        return Err(error.into());
                    }
                    tracing::info!(run = %plan.run, %error, "requested ticks are no longer available");
                    self.report(IngestEvent::TicksUnavailable { error: error.to_string() });
                }
            }
            while !self.publisher.is_rewound() && !self.control.is_stopped() {
                self.publisher.wait(POLL);
            }
        }
        Ok(())
    }

    fn pass(
        &self,
        plan: &FeedPlan,
        frames: &impl FrameSender,
        control: &FeedControl,
    ) -> Result<(), FeedError> {
        match &self.log {
            None => self.count(&feed::run(plan, frames, control)?.counts),
            Some(log) => {
                feed::run_log(plan, log.again().map_err(FeedError::Log)?, frames, control)?;
            }
        }
        Ok(())
    }

    /// Keeps what the readers left out; every pass counts the same.
    fn count(&self, counts: &Counts) {
        let mut kept = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.lines >= kept.lines {
            kept.clone_from(counts);
        }
    }

    fn report(&self, event: IngestEvent) {
        let _ = self.events.try_send(event);
    }

    /// Writes the sources to their log.
    pub(super) fn write_log(&self, log: SourceLog) -> Result<(), IngestError> {
        let counts = log.write(self.plan, self.control)?;
        self.count(&counts);
        Ok(())
    }

    /// Runs a strategy's own pass, at full speed, until its queues are where the feed is.
    pub(super) fn catch_up(&self, frames: &CatchUpFrames) -> Result<(), IngestError> {
        let mut plan = self.plan.clone();
        plan.pace = Pace::default();
        while !frames.is_over() && !self.control.is_stopped() {
            plan.start = frames.restart();
            match self.pass(&plan, frames, self.control) {
                Ok(_) => {}
                Err(FeedError::Transport(TransportError::Rewound)) => continue,
                Err(FeedError::Transport(TransportError::Closed)) => return Ok(()),
                Err(error) => {
                    // The feed goes on for the other strategies.
                    let strategy = frames.strategy().to_string();
                    tracing::info!(run = %plan.run, strategy, %error, "a strategy cannot be caught up");
                    self.report(IngestEvent::CatchUpFailed { strategy, error: error.to_string() });
                    frames.abandon(&error.to_string());
                    return Ok(());
                }
            }
            while !frames.is_rewound() && !frames.is_over() && !self.control.is_stopped() {
                self.publisher.wait(POLL);
            }
        }
        Ok(())
    }
}
