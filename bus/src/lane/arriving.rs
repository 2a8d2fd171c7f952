//! What has come from a broker is handled in the transaction that accepts it.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use super::intake::{Arrival, Intake, Ticket, give_back, settle};
use super::next::Next;
use super::{CommandLane, Step};
use crate::handler::HandlerError;
use crate::kill_point::kill_point;
use crate::registry::Policy;
use crate::store::{Acceptance, DueCommand, StoreError};

/// The inbox is looked into so often, whether anything said that something is due or not.
const LOOK_MS: u64 = 60_000;
/// A lane that has nothing to do looks so often whether the bus stops.
const LOOK: Duration = Duration::from_millis(500);

/// What became of an attempt at what had arrived.
enum Arrived {
    Stored,
    /// One of them is known, or another has its id.
    Known,
    Failed(HandlerError),
}

impl CommandLane {
    /// Handles what has arrived, and what is due in the inbox: a batch of each.
    pub(crate) fn step_with(
        &mut self,
        intake: &Intake,
        is_rung: bool,
        now_ms: u64,
    ) -> Result<Step, StoreError> {
        let arrived = self.take_arrived(intake, None, now_ms)?;
        if is_rung || intake.take_due() || now_ms >= self.look_ms || !self.alone.is_empty() {
            self.look_ms = 0;
            match self.step(now_ms)? {
                Step::Worked(count) => return Ok(Step::Worked(count + arrived.unwrap_or(0))),
                Step::Idle(next_ms) => {
                    self.look_ms = next_ms.unwrap_or(u64::MAX).min(now_ms + LOOK_MS);
                }
            }
        }
        Ok(arrived.map_or(Step::Idle(Some(self.look_ms)), Step::Worked))
    }

    /// Handles what has arrived and nothing else, beside the lane that looks into the inbox.
    pub(crate) fn step_beside(&mut self, intake: &Intake, now_ms: u64) -> Result<Step, StoreError> {
        self.take_arrived(intake, Some(LOOK), now_ms).map(|count| Step::Worked(count.unwrap_or(0)))
    }

    /// Handles a batch of what has arrived; how many took effect, [`None`] where there was nothing.
    fn take_arrived(
        &mut self,
        intake: &Intake,
        wait: Option<Duration>,
        now_ms: u64,
    ) -> Result<Option<usize>, StoreError> {
        let policy = self.handler.policy();
        if let Some(one) = self.arrived.pop_front() {
            let count = self.handle_arrived(intake, vec![one], policy, now_ms)?;
            return Ok(Some(count));
        }
        let batch = match wait {
            Some(wait) => intake.wait_and_take(policy.batch, wait),
            None => intake.take(policy.batch),
        };
        if batch.is_empty() {
            return Ok(None);
        }
        let batch = without_repeats(batch);
        self.handle_arrived(intake, batch, policy, now_ms).map(Some)
    }

    fn handle_arrived(
        &mut self,
        intake: &Intake,
        batch: Vec<Arrival>,
        policy: Policy,
        now_ms: u64,
    ) -> Result<usize, StoreError> {
        let (mut commands, mut tickets) = (Vec::new(), Vec::new());
        for Arrival { due, ticket, at } in batch {
            commands.push(DueCommand { accepted_ms: now_ms, ..*due });
            tickets.push((ticket, at));
        }
        let commands: Arc<[DueCommand]> = commands.into();
        let again = |tickets: Vec<(Ticket, _)>| {
            let again = commands.iter().cloned().zip(tickets);
            again.map(|(due, (ticket, at))| Arrival { due: Box::new(due), ticket, at }).collect::<Vec<_>>()
        };
        match self.attempt_arrived(&commands, policy, now_ms) {
            Ok(Arrived::Stored) => {
                let tickets: Vec<_> = tickets.into_iter().map(|(ticket, _)| ticket).collect();
                settle(&tickets);
                // Whoever gives positions says what there is to read.
                return Ok(if self.numbering.is_none() { commands.len() } else { 0 });
            }
            Ok(Arrived::Known) => give_back(again(tickets)),
            Ok(Arrived::Failed(error)) => match (&*commands, tickets) {
                ([due], tickets) => match self.note_arrived(due, &error, policy, now_ms) {
                    Ok(true) => {
                        settle(&tickets.into_iter().map(|(ticket, _)| ticket).collect::<Vec<_>>());
                        intake.note_due();
                    }
                    Ok(false) => give_back(again(tickets)),
                    Err(error) => {
                        intake.put_back(again(tickets));
                        return Err(error);
                    }
                },
                // Of which of them it was, one by one will show.
                (_, tickets) => self.arrived.extend(again(tickets)),
            },
            Err(error) => {
                // Whoever receives puts them into the inbox, should the store not come back soon.
                let later = std::mem::take(&mut self.arrived);
                intake.put_back(later.into());
                intake.put_back(again(tickets));
                return Err(error);
            }
        }
        Ok(0)
    }

    fn attempt_arrived(
        &self,
        commands: &Arc<[DueCommand]>,
        policy: Policy,
        now_ms: u64,
    ) -> Result<Arrived, StoreError> {
        let is_beside = policy.at_once > 1;
        let mut work = self.place.work(now_ms).of_arrived(commands.clone(), is_beside);
        let handled = self.attempt(commands, &mut work, policy.timeout);
        if work.is_lost() {
            return Err(self.place.lost(&handled));
        }
        let handled = match handled {
            Ok(handled) => handled,
            Err(error) => return Ok(Arrived::Failed(error)),
        };
        let nexts: Vec<_> =
            commands.iter().zip(handled).map(|(due, handled)| Next::handled(due, handled)).collect();
        let changes: Vec<_> = nexts.iter().zip(commands.iter()).map(|(next, due)| next.change(due)).collect();
        kill_point(&self.place.context, "before-commit");
        match work.commit_arrived(&changes) {
            Ok(true) => {
                kill_point(&self.place.context, "after-commit");
                if let Some(numbering) = &self.numbering {
                    numbering.ring();
                }
                Ok(Arrived::Stored)
            }
            Ok(false) => Ok(Arrived::Known),
            Err(error) if error.may_pass() => Err(error),
            Err(error) => Ok(Arrived::Failed(error.into())),
        }
    }

    /// The command is accepted, and its first attempt has failed. `false`: it is known, or another has its id.
    fn note_arrived(
        &self,
        due: &DueCommand,
        error: &HandlerError,
        policy: Policy,
        now_ms: u64,
    ) -> Result<bool, StoreError> {
        let next = Next::failed(due, error, policy.retry, now_ms);
        let mut transaction = self.place.store.begin()?;
        if transaction.accept(&due.command, now_ms)? != Acceptance::New {
            return Ok(false);
        }
        self.place.change(&mut *transaction, due, &next, now_ms)?;
        transaction.commit()?;
        Ok(true)
    }
}

/// Of commands with one id the first; the others go back, as the inbox tells whether they are the same.
fn without_repeats(batch: Vec<Arrival>) -> Vec<Arrival> {
    if batch.len() == 1 {
        return batch;
    }
    let mut ids = HashSet::with_capacity(batch.len());
    let is_first = |arrival: &Arrival| ids.insert(arrival.due.command.command_id);
    let (firsts, repeats) = batch.into_iter().partition(is_first);
    give_back(repeats);
    firsts
}
