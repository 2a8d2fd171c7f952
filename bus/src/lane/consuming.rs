//! The lane of an event's consumer: another context's log, taken in order.

use std::sync::Arc;

use tick_sdk::contracts::{CommandId, ConversationId};

use super::next::Next;
use super::suspects::Begun;
use super::{Place, Runner, Step};
use crate::events::json;
use crate::handler::{Handled, HandlerError};
use crate::kill_point::kill_point;
use crate::registry::NamedConsumer;
use crate::store::{DueCommand, NewCommand, StoreError, StoreTransaction, StoredEvent};
use crate::transport::EventSource;
use crate::work::Work;

/// So many events of a log are looked at at once.
const LOOK: usize = 500;

/// A cursor that only passed events of no concern is stored after so many of them: they are looked at again after
/// a start, which costs less than a commit for each.
const STORE_AFTER: u64 = 10_000;

/// The lane of one consumer.
pub(crate) struct ConsumerLane {
    named: NamedConsumer,
    place: Place,
    source: Arc<dyn EventSource>,
    /// Up to here it has taken the log.
    cursor: u64,
    /// As far as that is stored.
    stored: u64,
    runner: Runner,
    /// The first that are found may be what the process before was at when it ended.
    is_suspicious: bool,
}

/// What became of events that were handed to a consumer.
enum Taken {
    All,
    /// Somebody else has taken them.
    Elsewhere,
    Not(HandlerError),
}

impl ConsumerLane {
    pub(crate) fn new(
        named: NamedConsumer,
        place: Place,
        source: Arc<dyn EventSource>,
        runner: Runner,
    ) -> Result<Self, StoreError> {
        let cursor = place.store.cursor(named.name, named.from)?;
        let is_suspicious = place.suspects.is_any;
        Ok(Self { named, place, source, cursor, stored: cursor, runner, is_suspicious })
    }

    /// Takes what is new, and what is due again.
    pub(crate) fn step(&mut self, now_ms: u64) -> Result<Step, StoreError> {
        let again = self.step_again(now_ms)?;
        let looked = self.source.look(self.named.from, self.cursor, LOOK, Some(&[self.named.event]))?;
        let last = looked.looked_to;
        if last == self.cursor {
            return Ok(again);
        }
        let count = looked.events.len();
        for batch in looked.events.chunks(self.named.consumer.policy().batch) {
            if !self.take(batch, now_ms)? {
                self.stored = self.place.store.cursor(self.named.name, self.named.from)?;
                self.cursor = self.stored;
                return Ok(Step::Worked(0));
            }
            self.is_suspicious = false;
        }
        self.cursor = self.cursor.max(last);
        if self.cursor - self.stored >= STORE_AFTER {
            let mut transaction = self.place.store.begin()?;
            let is_moved = self.move_cursor(&mut *transaction, last)?;
            transaction.commit()?;
            self.stored =
                if is_moved { last } else { self.place.store.cursor(self.named.name, self.named.from)? };
        }
        Ok(Step::Worked(count))
    }

    fn move_cursor(&self, transaction: &mut dyn StoreTransaction, to: u64) -> Result<bool, StoreError> {
        transaction.move_cursor(self.named.name, self.named.from, self.stored, to)
    }

    /// `false`: somebody else has taken some of them.
    fn take(&mut self, batch: &[StoredEvent], now_ms: u64) -> Result<bool, StoreError> {
        if batch.len() > 1 && !self.is_suspicious {
            match self.take_together(batch, &Begun::Freely, now_ms)? {
                Taken::All => return Ok(true),
                Taken::Elsewhere => return Ok(false),
                Taken::Not(_) => {}
            }
        }
        for event in batch {
            if !self.take_alone(event, now_ms)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// `false`: somebody else has taken it.
    fn take_alone(&mut self, event: &StoredEvent, now_ms: u64) -> Result<bool, StoreError> {
        let (place, id) = (self.place.clone(), self.id_of(event));
        let begun = place.begin(id.0, self.is_suspicious, 0)?;
        let taken = match begun.error() {
            Some(error) => Taken::Not(error),
            None => self.take_together(std::slice::from_ref(event), &begun, now_ms)?,
        };
        let is_mine = match taken {
            Taken::All => true,
            Taken::Elsewhere => false,
            Taken::Not(error) => self.put_off(event, &error, &begun, now_ms)?,
        };
        if !is_mine {
            place.forget_note(&begun, id.0)?;
        }
        Ok(is_mine)
    }

    /// The id of an event in the inbox and in notes.
    fn id_of(&self, event: &StoredEvent) -> CommandId {
        CommandId::of_key(self.named.name, &event.message_id.to_string())
    }

    fn take_together(
        &mut self,
        batch: &[StoredEvent],
        begun: &Begun<'_>,
        now_ms: u64,
    ) -> Result<Taken, StoreError> {
        let Some(last) = batch.last() else { return Ok(Taken::All) };
        let place = self.place.clone();
        let mut work = place.work(now_ms);
        if let Err(error) = self.consume(batch, 1, &mut work)? {
            return Ok(Taken::Not(error));
        }
        let moved = self.move_cursor(work.transaction()?, last.position)?;
        if !moved {
            return Ok(Taken::Elsewhere);
        }
        begun.settle(work.transaction()?, self.id_of(last).0, false)?;
        kill_point(&self.place.context, "before-consumed");
        match work.commit() {
            Ok(()) => {
                kill_point(&self.place.context, "after-consumed");
                self.cursor = last.position;
                self.stored = last.position;
                Ok(Taken::All)
            }
            Err(error) if error.may_pass() => Err(error),
            Err(error) => Ok(Taken::Not(error.into())),
        }
    }

    /// Calls the consumer. The outer error is the store's, the inner one its own.
    fn consume(
        &self,
        batch: &[StoredEvent],
        attempt: u32,
        work: &mut Work<'_>,
    ) -> Result<Result<(), HandlerError>, StoreError> {
        let timeout = self.named.consumer.policy().timeout;
        let first = batch.first().map_or_else(Default::default, |event| event.message_id.0);
        let consumed =
            self.runner.run(first, timeout, || self.named.consumer.consume_all(batch, attempt, work));
        if work.is_lost() { Err(self.place.lost(&consumed)) } else { Ok(consumed) }
    }

    /// Puts an event that could not be taken into the inbox, so that later ones do not wait for it. `false`:
    /// somebody else has taken it.
    fn put_off(
        &mut self,
        event: &StoredEvent,
        error: &HandlerError,
        begun: &Begun<'_>,
        now_ms: u64,
    ) -> Result<bool, StoreError> {
        let command = NewCommand {
            command_id: self.id_of(event),
            conversation_id: event.conversation_id.unwrap_or(ConversationId(event.message_id.0)),
            initiator_id: event.command_id,
            name: self.named.name.to_owned(),
            version: event.version,
            endpoint: self.place.context.clone(),
            caller: self.named.from.to_owned(),
            body: json(event),
            original: None,
        };
        let due = DueCommand { command, attempts: 0, accepted_ms: now_ms, is_suspect: false };
        let next = Next::failed(&due, error, self.named.consumer.policy().retry, now_ms);
        let mut transaction = self.place.store.begin()?;
        if !self.move_cursor(&mut *transaction, event.position)? {
            return Ok(false);
        }
        transaction.accept(&due.command, now_ms)?;
        self.place.change(&mut *transaction, &due, &next, now_ms)?;
        begun.settle(&mut *transaction, due.command.command_id.0, next.failed_as().is_none())?;
        transaction.commit()?;
        self.cursor = event.position;
        self.stored = event.position;
        Ok(true)
    }

    /// Takes events again that were put off.
    fn step_again(&self, now_ms: u64) -> Result<Step, StoreError> {
        let due = self.place.store.due(self.named.name, now_ms, 1)?;
        let Some(due) = due.first() else {
            return Ok(Step::Idle(self.place.store.next_due(self.named.name)?));
        };
        let begun = self.place.begin(due.command.command_id.0, due.is_suspect, due.attempts)?;
        let taken = match (begun.error(), serde_json::from_str::<StoredEvent>(&due.command.body)) {
            (Some(error), _) => Err(error),
            (None, Ok(event)) => self.take_again(due, &event, &begun, now_ms)?,
            (None, Err(error)) => Err(HandlerError::refused(format!("the event cannot be read: {error}"))),
        };
        if let Err(error) = taken {
            self.place.note_failure(due, &error, &begun, self.named.consumer.policy(), now_ms)?;
        }
        Ok(Step::Worked(1))
    }

    fn take_again(
        &self,
        due: &DueCommand,
        event: &StoredEvent,
        begun: &Begun<'_>,
        now_ms: u64,
    ) -> Result<Result<(), HandlerError>, StoreError> {
        let mut work = self.place.work(now_ms);
        if let Err(error) = self.consume(std::slice::from_ref(event), due.attempts + 1, &mut work)? {
            return Ok(Err(error));
        }
        work.flush()?;
        let next = Next::handled(due, Handled::DONE);
        if !work.transaction()?.change(&next.change(due), now_ms)? {
            // Somebody else has taken it meanwhile: what was done here is dropped.
            drop(work);
            return self.place.forget_note(begun, due.command.command_id.0).map(Ok);
        }
        begun.settle(work.transaction()?, due.command.command_id.0, false)?;
        match work.commit() {
            Err(error) if !error.may_pass() => Ok(Err(error.into())),
            committed => committed.map(Ok),
        }
    }
}
