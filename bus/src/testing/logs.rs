//! The logs of a test: the context's own, and those of contexts that are not under test.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tick_sdk::contracts::{CommandId, MessageId};

use crate::store::{LogPage, NewEvent, Store, StoreError, StoredEvent};
use crate::transport::EventSource;

/// Logs of contexts that are not under test.
#[derive(Default)]
pub(super) struct OtherLogs(Mutex<BTreeMap<String, Vec<StoredEvent>>>);

impl OtherLogs {
    pub(super) fn append(&self, context: &str, event: NewEvent, at_ms: u64) {
        let mut logs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let log = logs.entry(context.to_owned()).or_default();
        log.push(StoredEvent {
            position: log.len() as u64 + 1,
            message_id: MessageId(CommandId::of_key(context, &format!("event {}", log.len())).0),
            name: event.name,
            version: event.version,
            command_id: event.command_id,
            conversation_id: event.conversation_id,
            initiator_id: event.initiator_id,
            at_ms,
            body: event.body,
        });
    }
}

/// All of them, as consumers read them.
pub(super) struct TestSource {
    pub(super) own: String,
    pub(super) store: Arc<dyn Store>,
    pub(super) others: Arc<OtherLogs>,
}

impl EventSource for TestSource {
    fn contexts(&self) -> Vec<String> {
        vec![self.own.clone()]
    }

    fn look(
        &self,
        context: &str,
        position: u64,
        limit: usize,
        names: Option<&[&str]>,
    ) -> Result<LogPage, StoreError> {
        if context == self.own {
            return self.store.look(position, limit, names);
        }
        let logs = self.others.0.lock().unwrap_or_else(PoisonError::into_inner);
        let log = logs.get(context).map_or(&[][..], Vec::as_slice);
        let looked = log.iter().skip(position as usize).take(limit);
        let looked_to = looked.clone().next_back().map_or(position, |event| event.position);
        let is_wanted = |event: &&StoredEvent| names.is_none_or(|names| names.contains(&event.name.as_str()));
        Ok(LogPage { events: looked.filter(is_wanted).cloned().collect(), looked_to })
    }

    fn head(&self, context: &str) -> Result<u64, StoreError> {
        if context == self.own {
            return self.store.head();
        }
        Ok(self.events_after(context, 0, usize::MAX)?.last().map_or(0, |event| event.position))
    }

    fn wait_beyond(&self, context: &str, position: u64, _: Duration) -> bool {
        self.head(context).is_ok_and(|head| head > position)
    }
}
