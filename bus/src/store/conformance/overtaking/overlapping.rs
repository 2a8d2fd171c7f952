//! A log in memory whose transactions overlap: it shows that the forced case finds what it is there for.

use std::sync::{Arc, Mutex};

use tick_sdk::contracts::MessageId;

use super::*;
use crate::tables::Tables;

#[derive(Default)]
struct Log {
    next: u64,
    committed: Vec<StoredEvent>,
}

/// Events only; nothing else is asked of it.
pub(super) struct OverlappingStore {
    log: Arc<Mutex<Log>>,
    at_append: bool,
}

impl OverlappingStore {
    /// As a sequence of a database does it: an event has its place before it can be seen.
    pub(super) fn numbering_at_append() -> Self {
        Self { log: Arc::default(), at_append: true }
    }

    /// As a relay does it: in the order of commits.
    pub(super) fn numbering_at_commit() -> Self {
        Self { log: Arc::default(), at_append: false }
    }
}

/// The forced case appends, commits and reads, and nothing else.
const UNUSED: &str = "the case of overtaking does not ask for this";

impl Store for OverlappingStore {
    fn begin(&self) -> Result<Box<dyn StoreTransaction>, StoreError> {
        Ok(Box::new(Overlapping { log: self.log.clone(), at_append: self.at_append, events: Vec::new() }))
    }

    fn look(&self, position: u64, limit: usize, _: Option<&[&str]>) -> Result<LogPage, StoreError> {
        let mut events = self.log.lock().unwrap().committed.clone();
        events.retain(|event| event.position > position);
        events.sort_by_key(|event| event.position);
        events.truncate(limit);
        let looked_to = events.last().map_or(position, |event| event.position);
        Ok(LogPage { events, looked_to })
    }

    fn head(&self) -> Result<u64, StoreError> {
        Ok(self.events_after(0, usize::MAX)?.last().map_or(0, |event| event.position))
    }

    fn accept(&self, _: &[NewCommand], _: u64) -> Result<Vec<Acceptance>, StoreError> {
        unreachable!("{UNUSED}")
    }
    fn due(&self, _: &str, _: u64, _: usize) -> Result<Vec<DueCommand>, StoreError> {
        unreachable!("{UNUSED}")
    }
    fn next_due(&self, _: &str) -> Result<Option<u64>, StoreError> {
        unreachable!("{UNUSED}")
    }
    fn state(&self, _: CommandId) -> Result<Option<CommandState>, StoreError> {
        unreachable!("{UNUSED}")
    }
    fn cursor(&self, _: &str, _: &str) -> Result<u64, StoreError> {
        unreachable!("{UNUSED}")
    }
    fn outgoing(&self, _: usize) -> Result<Vec<(u64, NewCommand)>, StoreError> {
        unreachable!("{UNUSED}")
    }
    fn forget_outgoing(&self, _: u64) -> Result<(), StoreError> {
        unreachable!("{UNUSED}")
    }
    fn outgoing_messages(&self, _: usize) -> Result<Vec<(u64, OutgoingMessage)>, StoreError> {
        unreachable!("{UNUSED}")
    }
    fn forget_outgoing_messages(&self, _: u64) -> Result<(), StoreError> {
        unreachable!("{UNUSED}")
    }
    fn lease(&self, _: &str, _: Uuid, _: u64, _: u64) -> Result<Option<u64>, StoreError> {
        unreachable!("{UNUSED}")
    }
    fn query(&self, _: &str, _: &[Value]) -> Result<Vec<Row>, TablesError> {
        unreachable!("{UNUSED}")
    }
    fn ended_beyond(&self, _: u64) -> Result<Option<u64>, StoreError> {
        unreachable!("{UNUSED}")
    }
    fn sweep(&self, _: &Sweep, _: u64) -> Result<usize, StoreError> {
        unreachable!("{UNUSED}")
    }
    fn begin_serving(&self) -> Result<bool, StoreError> {
        unreachable!("{UNUSED}")
    }
    fn end_serving(&self) -> Result<(), StoreError> {
        unreachable!("{UNUSED}")
    }
    fn note(&self, _: Uuid) -> Result<Note, StoreError> {
        unreachable!("{UNUSED}")
    }
    fn forget_note(&self, _: Uuid) -> Result<(), StoreError> {
        unreachable!("{UNUSED}")
    }
    fn is_noted(&self, _: Uuid) -> Result<bool, StoreError> {
        unreachable!("{UNUSED}")
    }
}

struct Overlapping {
    log: Arc<Mutex<Log>>,
    at_append: bool,
    events: Vec<StoredEvent>,
}

impl Log {
    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }
}

impl StoreTransaction for Overlapping {
    fn append(&mut self, events: &[NewEvent], now_ms: u64) -> Result<(), StoreError> {
        let mut log = self.log.lock().unwrap();
        for NewEvent { name, version, command_id, conversation_id, initiator_id, body } in
            events.iter().cloned()
        {
            let position = if self.at_append { log.number() } else { 0 };
            let message_id = MessageId::new();
            let at_ms = now_ms;
            self.events.push(StoredEvent {
                position,
                message_id,
                name,
                version,
                command_id,
                conversation_id,
                initiator_id,
                at_ms,
                body,
            });
        }
        Ok(())
    }

    fn commit(self: Box<Self>) -> Result<(), StoreError> {
        let mut log = self.log.lock().unwrap();
        for event in self.events {
            let position = if self.at_append { event.position } else { log.number() };
            log.committed.push(StoredEvent { position, ..event });
        }
        Ok(())
    }

    fn is_open(&self) -> bool {
        true
    }
    fn position(&mut self) -> Result<u64, StoreError> {
        unreachable!("{UNUSED}")
    }
    fn tables(&mut self) -> &mut dyn Tables {
        unreachable!("{UNUSED}")
    }
    fn remove_events(&mut self, _: u64, _: u64) -> Result<(), StoreError> {
        unreachable!("{UNUSED}")
    }
    fn accept(&mut self, _: &NewCommand, _: u64) -> Result<Acceptance, StoreError> {
        unreachable!("{UNUSED}")
    }
    fn change(&mut self, _: &StateChange<'_>, _: u64) -> Result<bool, StoreError> {
        unreachable!("{UNUSED}")
    }
    fn send(&mut self, _: &[NewCommand]) -> Result<(), StoreError> {
        unreachable!("{UNUSED}")
    }
    fn send_messages(&mut self, _: &[OutgoingMessage]) -> Result<(), StoreError> {
        unreachable!("{UNUSED}")
    }
    fn move_cursor(&mut self, _: &str, _: &str, _: u64, _: u64) -> Result<bool, StoreError> {
        unreachable!("{UNUSED}")
    }
    fn find(&mut self, _: CommandId) -> Result<Option<DueCommand>, StoreError> {
        unreachable!("{UNUSED}")
    }
    fn settle_note(&mut self, _: Uuid, _: Option<u32>) -> Result<(), StoreError> {
        unreachable!("{UNUSED}")
    }
}
