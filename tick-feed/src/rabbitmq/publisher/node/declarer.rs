//! Declares queues and bindings on a task of its own, one after the other: a broker that takes its time
//! with one of them does not hold frames up.

use std::sync::Arc;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;

use crate::rabbitmq::publisher::declare;
use crate::rabbitmq::publisher::shared::Shared;
use crate::rabbitmq::publisher::strategies::Binding;
use broker::{BrokerError, Channel};
use tick_sdk::names::StrategyName;

/// One request to the broker, for one strategy's queue of one shard.
#[derive(Clone, Debug)]
pub(super) struct Step {
    pub(super) strategy: StrategyName,
    pub(super) shard: u16,
    /// What the queue is to be in the end, as it was when this was requested.
    pub(super) binding: Binding,
    /// The number of that request.
    pub(super) request: u64,
    pub(super) action: Action,
    /// No frame of the shard goes out before the broker has answered.
    pub(super) holds: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// Makes the queue.
    Declare,
    /// Gives it every frame from now on.
    Bind,
    /// As [`Bind`](Self::Bind), for a queue that was caught up: everything before the next frame is in it.
    BindCaughtUp,
    /// Gives it nothing more.
    Unbind,
    /// Deletes it with what it holds.
    Delete,
}

impl Step {
    async fn run(&self, channel: &Channel, shared: &Shared) -> Result<(), BrokerError> {
        let (plan, strategy, shard) = (&shared.plan, &self.strategy, self.shard);
        match self.action {
            Action::Declare => declare::queue(channel, plan, strategy, shard).await,
            Action::Bind | Action::BindCaughtUp => declare::bind(channel, &plan.feed, strategy, shard).await,
            Action::Unbind => declare::unbind(channel, &plan.feed, strategy, shard).await,
            Action::Delete => declare::delete(channel, &plan.feed, strategy, shard).await,
        }
    }
}

/// The task. Dropped, it ends, whatever it waits for.
///
/// Its queues have no bound of their own: a session requests at most two steps for each queue, and only
/// when the queue is to be something else.
pub(super) struct Declarer {
    steps: UnboundedSender<Step>,
    answers: UnboundedReceiver<(Step, Result<(), BrokerError>)>,
    /// Steps without an answer.
    pending: usize,
    task: JoinHandle<()>,
}

impl Declarer {
    pub(super) fn start(channel: Channel, shared: Arc<Shared>) -> Self {
        let (steps, mut requested) = unbounded_channel::<Step>();
        let (answer, answers) = unbounded_channel();
        let task = tokio::task::spawn_local(async move {
            while let Some(step) = requested.recv().await {
                let result = step.run(&channel, &shared).await;
                let has_failed = result.is_err();
                // The session ends with the first failure, and nobody may be there any more.
                if answer.send((step, result)).is_err() || has_failed {
                    return;
                }
            }
        });
        Self { steps, answers, pending: 0, task }
    }

    pub(super) fn request(&mut self, step: Step) {
        // A task that has failed has reported that, which the next look at the answers shows.
        if self.steps.send(step).is_ok() {
            self.pending += 1;
        }
    }

    /// Whether steps are without an answer.
    pub(super) fn is_busy(&self) -> bool {
        self.pending > 0
    }

    /// The next answer that has come already.
    pub(super) fn try_next(&mut self) -> Result<Option<Step>, BrokerError> {
        match self.answers.try_recv() {
            Ok(answer) => self.take(answer).map(Some),
            Err(_) => Ok(None),
        }
    }

    /// Waits for the next answer; for ever where nothing was requested. It may be dropped before it is done.
    pub(super) async fn next(&mut self) -> Result<Step, BrokerError> {
        match self.answers.recv().await {
            Some(answer) => self.take(answer),
            None => std::future::pending().await,
        }
    }

    fn take(&mut self, (step, result): (Step, Result<(), BrokerError>)) -> Result<Step, BrokerError> {
        self.pending -= 1;
        result.map(|()| step)
    }
}

impl Drop for Declarer {
    fn drop(&mut self) {
        self.task.abort();
    }
}
