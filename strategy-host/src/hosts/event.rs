//! What hosts report.

use std::time::Duration;

use tick_sdk::names::{FeedName, StrategyName};

use super::LaneKey;
use crate::run::RunEvent;

/// What happens while lanes are hosted.
#[derive(Clone, Debug)]
pub enum HostsEvent {
    /// A member of this lane begins here.
    LaneStarts {
        /// The lane.
        lane: LaneKey,
    },
    /// What the member reports. One that finds no room is left out: the log has it, too.
    Lane {
        /// The lane.
        lane: LaneKey,
        /// What it reports.
        event: RunEvent,
    },
    /// The member has failed, or cannot begin; it is started again.
    LaneFailed {
        /// The lane.
        lane: LaneKey,
        /// Why, in words for a user.
        reason: String,
        /// Whether the strategy itself failed, so that it will again at the same tick.
        is_of_strategy: bool,
        /// How often it has failed since it last ran for some time.
        failures: u32,
        /// When it is started again.
        again_in: Duration,
    },
    /// The member has run for some time without a failure; once each time that it is started.
    LaneRuns {
        /// The lane.
        lane: LaneKey,
    },
    /// The member has ended with the feed's run.
    LaneEnded {
        /// The lane.
        lane: LaneKey,
    },
    /// The lane is wanted no more, or this process ends: the member has handed its shards over.
    LaneStopped {
        /// The lane.
        lane: LaneKey,
    },
    /// A lane that is wanted no more is still among the feed's: its ingester is asked to forget it, again and
    /// again until it has.
    LaneLeaves {
        /// The feed.
        feed: FeedName,
        /// The lane's name.
        strategy: StrategyName,
    },
    /// More lanes are wanted than this process hosts; these wait.
    LanesWait {
        /// How many.
        waiting: usize,
        /// How many it hosts.
        most: usize,
    },
    /// It cannot be found out what is wanted; the lanes go on as they are.
    SourceFailed {
        /// Why.
        reason: String,
    },
}

/// What hosting came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HostsReport {
    /// How often a member of a lane was started.
    pub starts: u64,
    /// How often one failed.
    pub failures: u64,
    /// Whether every member has handed its shards over in time. What has not is as if it had been killed: others
    /// take over after some seconds.
    pub is_clean: bool,
}

/// Hands events on, and counts them.
pub(super) struct Report<'a> {
    on_event: &'a mut dyn FnMut(HostsEvent),
    pub(super) counts: HostsReport,
}

impl<'a> Report<'a> {
    pub(super) fn new(on_event: &'a mut dyn FnMut(HostsEvent)) -> Self {
        Self { on_event, counts: HostsReport::default() }
    }

    pub(super) fn on(&mut self, event: HostsEvent) {
        match &event {
            HostsEvent::LaneStarts { .. } => self.counts.starts += 1,
            HostsEvent::LaneFailed { lane, reason, again_in, .. } => {
                self.counts.failures += 1;
                let LaneKey { feed, name } = lane;
                tracing::warn!(%feed, strategy = %name, reason, ?again_in, "a lane failed; it is started again");
            }
            HostsEvent::SourceFailed { reason } => {
                tracing::warn!(reason, "what is to be hosted is not known")
            }
            _ => {}
        }
        (self.on_event)(event);
    }
}
