//! A strategy that joins late, or comes back: a pass of its own fills its queues until they are
//! where the feed is, and then each is bound between two frames.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::PublisherPlan;
use super::sending::hand_over;
use super::shared::Shared;
use super::stream::{Stream, lock, positions};
use super::window::Window;
use crate::Frame;
use crate::rabbitmq::control::Control;
use crate::transport::{FrameSender, TransportError};
use tick_sdk::names::StrategyName;
use tracing::warn;

/// Each queue that is caught up holds at most so many bytes of frames here.
const ROOM: usize = 4 << 20;

/// One strategy's pass.
#[derive(Debug)]
pub(super) struct CatchUp {
    pub(super) strategy: StrategyName,
    /// One a shard.
    pub(super) streams: Vec<Arc<Stream>>,
    /// Whether somebody runs the pass.
    is_run: AtomicBool,
}

/// What a strategy's pass is given goes to its queues only. Whoever has it runs the feed's plan from
/// [`restart`](Self::restart) on, at full speed, until [`is_over`](Self::is_over).
#[derive(Clone, Debug)]
pub struct CatchUpFrames {
    shared: Arc<Shared>,
    catch_up: Arc<CatchUp>,
}

impl Shared {
    /// Begins to fill a strategy's queues from these ticks on.
    pub(super) fn begin_catch_up(&self, strategy: &StrategyName, from: &[u64]) {
        let rewound = Arc::new(AtomicBool::new(false));
        let stream = |(shard, from): (&Arc<Stream>, &u64)| {
            // Hosts that were there before have seen the feed's own attempts.
            let window = Window::new(*from, lock(&shard.sending).window.attempt());
            let to = Some(strategy.clone());
            Arc::new(Stream::new(shard.node, shard.shard, to, ROOM, window, rewound.clone()))
        };
        let streams = self.shards.iter().zip(from).map(stream).collect();
        let catch_up = CatchUp { strategy: strategy.clone(), streams, is_run: AtomicBool::new(false) };
        self.end_catch_up(strategy);
        lock(&self.catch_ups).push(Arc::new(catch_up));
    }

    /// Answers that a strategy does not take part, and why.
    pub(super) fn refuse_join(&self, strategy: &str, reason: &str) {
        let (run, strategy, reason) = (self.plan.run, strategy.to_owned(), reason.to_owned());
        // Without a connection nobody receives it; a host that still waits requests again, and is answered again.
        let _ = self.announcements.send(Control::JoinRefused { run, strategy, reason });
        self.notify_change();
    }

    /// Ends a strategy's pass, if it has one.
    pub(super) fn end_catch_up(&self, strategy: &StrategyName) {
        lock(&self.catch_ups).retain(|catch_up| {
            let stays = catch_up.strategy != *strategy;
            if !stays {
                catch_up.streams.iter().for_each(|stream| stream.end());
            }
            stays
        });
    }

    /// The stream that fills a strategy's queue of a shard, if that is not yet bound.
    pub(super) fn catching_up(&self, strategy: &StrategyName, shard: u16) -> Option<Arc<Stream>> {
        let catch_ups = lock(&self.catch_ups);
        let catch_up = catch_ups.iter().find(|catch_up| catch_up.strategy == *strategy)?;
        catch_up.streams.get(usize::from(shard)).filter(|stream| !stream.is_over()).cloned()
    }

    /// A pass that nobody runs yet; those that are over are forgotten.
    pub(super) fn next_catch_up(self: &Arc<Self>) -> Option<CatchUpFrames> {
        let mut catch_ups = lock(&self.catch_ups);
        catch_ups.retain(|catch_up| !catch_up.is_over());
        let waits = |catch_up: &&Arc<CatchUp>| !catch_up.is_run.swap(true, Ordering::AcqRel);
        let catch_up = catch_ups.iter().find(waits)?.clone();
        Some(CatchUpFrames { shared: self.clone(), catch_up })
    }
}

impl CatchUp {
    fn is_over(&self) -> bool {
        self.streams.iter().all(|stream| stream.is_over())
    }
}

impl CatchUpFrames {
    /// Whose pass it is.
    pub fn strategy(&self) -> &StrategyName {
        &self.catch_up.strategy
    }

    /// The first tick that each shard needs; from now on frames are accepted again.
    pub fn restart(&self) -> Vec<u64> {
        self.rewound().store(false, Ordering::Release);
        positions(&self.catch_up.streams)
    }

    /// Whether ticks have to be sent again: the pass then has to run again from
    /// [`restart`](Self::restart).
    pub fn is_rewound(&self) -> bool {
        self.rewound().load(Ordering::Acquire)
    }

    /// Whether the pass is done: every queue is bound, or the strategy has left.
    pub fn is_over(&self) -> bool {
        self.catch_up.is_over() || self.shared.has_stopped_accepting()
    }

    /// The pass cannot be run, for this reason: the strategy leaves the feed, and its hosts stop with the
    /// reason.
    pub fn abandon(&self, reason: &str) {
        let strategy = &self.catch_up.strategy;
        self.shared.end_catch_up(strategy);
        let reason = format!(
            "it cannot be caught up, as the ingester cannot read its sources again: {reason}\n  put them back \
             and start this again, or run it as another one with --as NAME --from now"
        );
        let PublisherPlan { feed, run, .. } = &self.shared.plan;
        warn!(%feed, %run, %strategy, reason, "strategy cannot be caught up");
        self.shared.refuse_join(strategy.as_str(), &reason);
        self.shared.change_strategies(|strategies| strategies.leave(strategy));
    }

    fn rewound(&self) -> &AtomicBool {
        &self.catch_up.streams[0].rewound
    }
}

impl FrameSender for CatchUpFrames {
    fn send(&self, frame: Arc<Frame>) -> Result<(), TransportError> {
        if self.is_over() {
            return Err(TransportError::Closed);
        }
        let stream = &self.catch_up.streams[usize::from(frame.header.shard)];
        hand_over(&self.shared, stream, frame)
    }
}
