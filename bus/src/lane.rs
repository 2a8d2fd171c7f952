//! A lane: one handler or consumer, and its messages one batch after the other. Time is an argument.

use std::collections::VecDeque;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;

use crate::bell::Bell;
use crate::failed::OnFailed;
use crate::handler::{Handled, HandlerError, panic_reason};
use crate::kill_point::kill_point;
use crate::registry::{AnyHandler, Attempt, Policy};
use crate::store::{DueCommand, Store, StoreError, StoreTransaction};
use crate::work::{Resources, Work};
use next::Next;
use suspects::Begun;

mod arriving;
mod consuming;
#[cfg_attr(not(feature = "rabbitmq"), expect(dead_code, reason = "only a broker brings what arrives"))]
mod intake;
mod next;
mod requeue;
mod suspects;
mod watch;

pub(crate) use consuming::ConsumerLane;
pub(crate) use intake::{Arrival, Intake};
#[cfg(feature = "rabbitmq")]
pub(crate) use intake::{Settled, Ticket};
pub(crate) use requeue::Requeue;
pub(crate) use suspects::{Suspects, Turn};
pub use watch::BlockedHandler;
pub(crate) use watch::{Watch, keep_watching};

/// What a step of a lane found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// So many messages took effect; there may be more.
    Worked(usize),
    /// Nothing before this time, in ms since the UNIX epoch; [`None`]: nothing that is known.
    Idle(Option<u64>),
}

/// What a lane works with.
#[derive(Clone)]
pub(crate) struct Place {
    pub(crate) context: String,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) resources: Resources,
    pub(crate) on_failed: Option<OnFailed>,
    pub(crate) suspects: Suspects,
}

/// The lane of one command's handler.
pub(crate) struct CommandLane {
    name: String,
    place: Place,
    handler: Arc<dyn AnyHandler>,
    runner: Runner,
    /// Found, and to be handled one by one, each in a step of its own so that the bus can stop in between.
    alone: VecDeque<DueCommand>,
    /// The first that are found may be what the process before was at when it ended.
    is_suspicious: bool,
    /// What has arrived from a broker, to be handled one by one.
    arrived: VecDeque<Arrival>,
    /// The inbox is looked into then, in ms since the UNIX epoch.
    look_ms: u64,
    /// Rung where what was committed has no positions yet.
    numbering: Option<Arc<Bell>>,
}

impl CommandLane {
    pub(crate) fn new(name: String, place: Place, handler: Arc<dyn AnyHandler>, runner: Runner) -> Self {
        let is_suspicious = place.suspects.is_any;
        let (alone, arrived) = (VecDeque::new(), VecDeque::new());
        Self { name, place, handler, runner, alone, is_suspicious, arrived, look_ms: 0, numbering: None }
    }

    /// Rings this bell when it has committed beside other lanes.
    pub(crate) fn with_numbering(mut self, numbering: Arc<Bell>) -> Self {
        self.numbering = Some(numbering);
        self
    }

    /// Handles what is due.
    pub(crate) fn step(&mut self, now_ms: u64) -> Result<Step, StoreError> {
        let policy = self.handler.policy();
        if let Some(due) = self.alone.pop_front() {
            let handled = self.handle_alone(&due, policy, now_ms);
            if handled.is_err() {
                // They are in the inbox still, and found again there when the store works again.
                self.alone.clear();
                self.is_suspicious |= due.is_suspect;
            }
            return handled.map(|()| Step::Worked(1));
        }
        let mut due = self.place.store.due(&self.name, now_ms, policy.batch)?;
        if due.is_empty() {
            return Ok(Step::Idle(self.place.store.next_due(&self.name)?));
        }
        if std::mem::take(&mut self.is_suspicious) {
            due.iter_mut().for_each(|due| due.is_suspect = true);
        }
        // One that has failed before is handled alone: it would spoil the others' batch. So would a suspect.
        let (fresh, again): (Vec<_>, Vec<_>) =
            due.into_iter().partition(|due| due.attempts == 0 && !due.is_suspect);
        let is_done = fresh.len() > 1 && self.handle_together(&fresh, policy, now_ms)?;
        let done = if is_done { fresh.len() } else { 0 };
        self.alone.extend(if is_done { Vec::new() } else { fresh });
        self.alone.extend(again);
        Ok(Step::Worked(done))
    }

    /// Handles all of them in one transaction; `false`: one of them failed, and nothing was done.
    fn handle_together(&self, due: &[DueCommand], policy: Policy, now_ms: u64) -> Result<bool, StoreError> {
        let mut work = self.place.work(now_ms);
        let handled = self.attempt(due, &mut work, policy.timeout);
        if work.is_lost() {
            return Err(self.place.lost(&handled));
        }
        let Ok(handled) = handled else { return Ok(false) };
        match self.commit(work, due, handled, &Begun::Freely, now_ms) {
            // A constraint that is looked at when all is written: of which of them, one by one will show.
            Err(error) if !error.may_pass() => Ok(false),
            committed => committed,
        }
    }

    fn handle_alone(&self, due: &DueCommand, policy: Policy, now_ms: u64) -> Result<(), StoreError> {
        let one = std::slice::from_ref(due);
        let id = due.command.command_id.0;
        let begun = self.place.begin(id, due.is_suspect, due.attempts)?;
        if let Some(error) = begun.error() {
            return self.place.note_failure(due, &error, &begun, policy, now_ms);
        }
        let mut work = self.place.work(now_ms);
        let handled = self.attempt(one, &mut work, policy.timeout);
        if work.is_lost() {
            // A full disk is no failure of the command: its attempts are for its own.
            return Err(self.place.lost(&handled));
        }
        let error = match handled {
            Ok(handled) => match self.commit(work, one, handled, &begun, now_ms) {
                Ok(true) => return Ok(()),
                Ok(false) => return self.place.forget_note(&begun, id),
                Err(error) if error.may_pass() => return Err(error),
                // The handler's own writes may be what the store refuses: that is an attempt like any other.
                Err(error) => HandlerError::from(error),
            },
            Err(error) => {
                drop(work);
                error
            }
        };
        self.place.note_failure(due, &error, &begun, policy, now_ms)
    }

    fn attempt(
        &self,
        due: &[DueCommand],
        work: &mut Work<'_>,
        timeout: Duration,
    ) -> Result<Vec<Handled>, HandlerError> {
        let first = due.first().map_or_else(Default::default, |due| due.command.command_id.0);
        self.runner.run(first, timeout, || self.handler.handle_all(due, work))
    }

    /// Commits the handlers' work with the commands' ends; `false` where one of them is no longer as it was.
    fn commit(
        &self,
        mut work: Work<'_>,
        due: &[DueCommand],
        handled: Vec<Handled>,
        begun: &Begun<'_>,
        now_ms: u64,
    ) -> Result<bool, StoreError> {
        work.flush()?;
        let transaction = work.transaction()?;
        let nexts: Vec<_> =
            due.iter().zip(handled).map(|(due, handled)| Next::handled(due, handled)).collect();
        let changes: Vec<_> = nexts.iter().zip(due).map(|(next, due)| next.change(due)).collect();
        if !transaction.change_all(&changes, now_ms)? {
            return Ok(false);
        }
        if let [only] = due {
            begun.settle(transaction, only.command.command_id.0, false)?;
        }
        kill_point(&self.place.context, "before-commit");
        work.commit()?;
        kill_point(&self.place.context, "after-commit");
        Ok(true)
    }
}

impl Place {
    pub(crate) fn work(&self, now_ms: u64) -> Work<'_> {
        Work::new(self, now_ms)
    }

    /// What a lane says when the store gave its handler no transaction, or gave it up.
    fn lost<T>(&self, handled: &Result<T, HandlerError>) -> StoreError {
        let reason = handled.as_ref().err().map_or("the handler does not say why", HandlerError::reason);
        StoreError::GivenUp { place: self.context.clone(), reason: reason.to_owned() }
    }

    /// Puts the command off, or ends it as failed.
    fn note_failure(
        &self,
        due: &DueCommand,
        error: &HandlerError,
        begun: &Begun<'_>,
        policy: Policy,
        now_ms: u64,
    ) -> Result<(), StoreError> {
        let next = Next::failed(due, error, policy.retry, now_ms);
        let mut transaction = self.store.begin()?;
        if !self.change(&mut *transaction, due, &next, now_ms)? {
            // Somebody else had it meanwhile, and may be at its next attempt: that one's note stays.
            drop(transaction);
            return self.forget_note(begun, due.command.command_id.0);
        }
        begun.settle(&mut *transaction, due.command.command_id.0, next.failed_as().is_none())?;
        transaction.commit()
    }

    /// Moves a command to its next state; `false`: somebody else had it meanwhile.
    fn change(
        &self,
        transaction: &mut dyn StoreTransaction,
        due: &DueCommand,
        next: &Next,
        now_ms: u64,
    ) -> Result<bool, StoreError> {
        let is_changed = transaction.change(&next.change(due), now_ms)?;
        if is_changed && let (Some(on_failed), Some(reason)) = (&self.on_failed, next.failed_as()) {
            on_failed.send(transaction, due, reason, due.attempts + 1)?;
        }
        Ok(is_changed)
    }
}

/// What handlers of one lane run on.
pub(crate) struct Runner {
    pub(crate) runtime: tokio::runtime::Runtime,
    pub(crate) watch: Arc<Watch>,
}

impl Runner {
    /// Calls a handler: it ends in time, and a panic is an error.
    fn run<'a, T>(
        &self,
        first: uuid::Uuid,
        timeout: Duration,
        attempt: impl FnOnce() -> Attempt<'a, T>,
    ) -> Result<T, HandlerError> {
        let _watched = self.watch.begin(first, timeout);
        let attempt = AssertUnwindSafe(async { attempt().await }).catch_unwind();
        match self.runtime.block_on(async { tokio::time::timeout(timeout, attempt).await }) {
            Ok(Ok(done)) => done,
            Ok(Err(panic)) => Err(HandlerError::failed(panic_reason(&*panic))),
            Err(_) => Err(HandlerError::failed(format!(
                "the handler had not ended after {:.1} s",
                timeout.as_secs_f64()
            ))),
        }
    }
}
