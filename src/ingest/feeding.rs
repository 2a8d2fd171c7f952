//! The sources on their way to the publisher, pass by pass.

use std::sync::{Mutex, PoisonError};

use anyhow::Result;
use tick_feed::rabbitmq::Publisher;
use tick_feed::rabbitmq::publisher::CatchUpFrames;
use tick_feed::ticks_file::TicksLogReader;
use tick_feed::transport::{FrameSender, TransportError};
use tick_ingest::Counts;
use tick_ingest::feed::{self, FeedControl, FeedError, FeedPlan, Pace};

use super::LOOK;
use super::log::SourceLog;

/// The sources on their way to the publisher, as often as that needs them.
pub(super) struct Feeding<'a> {
    pub(super) plan: &'a FeedPlan,
    /// What is read instead of the plan's sources, where those cannot be read twice.
    pub(super) log: Option<TicksLogReader>,
    pub(super) publisher: &'a Publisher,
    pub(super) control: &'a FeedControl,
    /// What the readers counted.
    pub(super) counts: Mutex<Counts>,
}

impl Feeding<'_> {
    /// Feeds the run, again from where ticks are wanted that the publisher no longer holds, until
    /// somebody says stop.
    pub(super) fn run(&self) -> Result<()> {
        let mut plan = self.plan.clone();
        while !self.control.is_stopped() {
            plan.start = self.publisher.restart();
            match self.pass(&plan, &self.publisher.frames(), self.control) {
                Ok(_) => {}
                Err(FeedError::Transport(TransportError::Rewound)) => continue,
                // The publisher knows why, and says so to whoever watches it.
                Err(FeedError::Transport(TransportError::Closed)) => return Ok(()),
                Err(error) => {
                    // The sources were read to their end once, and are not there any more.
                    if !self.publisher.abandon(&error.to_string()) {
                        return Err(error.into());
                    }
                    eprintln!("ticks that are wanted again cannot be had: {error}");
                }
            }
            while !self.publisher.is_rewound() && !self.control.is_stopped() {
                self.publisher.wait(LOOK);
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

    pub(super) fn write_log(&self, log: SourceLog) -> Result<()> {
        let counts = log.write(self.plan, self.control)?;
        self.count(&counts);
        Ok(())
    }

    /// Runs a strategy's own pass, at full speed, until its queues are where the feed is.
    pub(super) fn catch_up(&self, frames: &CatchUpFrames) -> Result<()> {
        let mut plan = self.plan.clone();
        plan.pace = Pace::default();
        while !frames.is_over() && !self.control.is_stopped() {
            plan.start = frames.restart();
            match self.pass(&plan, frames, self.control) {
                Ok(_) => {}
                Err(FeedError::Transport(TransportError::Rewound)) => continue,
                Err(FeedError::Transport(TransportError::Closed)) => return Ok(()),
                Err(error) => {
                    // The feed goes on for those whom it need not read again for.
                    eprintln!("strategy {} cannot be caught up: {error}", frames.strategy());
                    frames.abandon(&error.to_string());
                    return Ok(());
                }
            }
            while !frames.is_rewound() && !frames.is_over() && !self.control.is_stopped() {
                self.publisher.wait(LOOK);
            }
        }
        Ok(())
    }
}
