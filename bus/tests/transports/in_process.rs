//! One process serves, sends and subscribes.

use std::sync::Arc;

use bus::{Bus, EventSource, SqliteStore};
use tick_sdk::contracts::CommandId;
use tick_sdk::contracts::bus::CommandFailed;

use crate::contracts::{DESK, IsMended, Jotted, TABLES, VAN};
use crate::system::{Heard, Subscriber, System, Transport};
use crate::wait_for;

pub(crate) struct InProcess(tempfile::TempDir);

impl InProcess {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn open(&self, context: &str) -> Arc<SqliteStore> {
        Arc::new(SqliteStore::open(&self.0.path().join(format!("{context}.sqlite")), TABLES).unwrap())
    }
}

/// A place in a log.
struct Cursor {
    log: Arc<dyn EventSource>,
    position: u64,
}

impl Cursor {
    fn of(system: &System) -> Self {
        let log = system.desk.events();
        let position = log.head(DESK).unwrap();
        Self { log, position }
    }

    /// The next event of this name.
    fn next(&mut self, name: &str) -> Option<bus::store::StoredEvent> {
        let page = self.log.look(DESK, self.position, 1, Some(&[name])).unwrap();
        self.position = page.looked_to;
        page.events.into_iter().next()
    }

    /// The next one, if it is there, passing over all others.
    fn find(&mut self, name: &str) -> Option<bus::store::StoredEvent> {
        loop {
            let before = self.position;
            let found = self.next(name);
            if found.is_some() || self.position == before {
                return found;
            }
        }
    }
}

impl Subscriber for Cursor {
    fn next(&mut self) -> Option<Heard> {
        let event = self.find("Jotted")?;
        let Jotted { number } = serde_json::from_str(&event.body).unwrap();
        Some(Heard { message_id: event.message_id.to_string(), position: event.position, number })
    }
}

impl Transport for InProcess {
    fn start(&self, is_mended: IsMended) -> System {
        let desk_store = self.open(DESK);
        let bus = Bus::builder()
            .shared_context(DESK, desk_store.clone())
            .shared_context(VAN, self.open(VAN))
            .resource(is_mended.clone());
        let bus = Arc::new(bus.start().unwrap());
        System { sender: bus.clone(), desk: bus.clone(), van: bus, desk_store, is_mended }
    }

    fn subscribe(&self, system: &System) -> Box<dyn Subscriber> {
        Box::new(Cursor::of(system))
    }

    fn faults(&self, system: &System) -> Box<dyn FnMut() -> (CommandId, String)> {
        let mut cursor = Cursor::of(system);
        Box::new(move || {
            let failed = wait_for("a fault", || cursor.find(CommandFailed::NAME));
            let CommandFailed { reason, .. } = serde_json::from_str(&failed.body).unwrap();
            (failed.command_id.unwrap(), reason)
        })
    }

    /// The process ends, and whoever waits for an answer gets none.
    fn lose(&self, system: System) -> System {
        let is_mended = system.is_mended.clone();
        system.stop();
        self.start(is_mended)
    }

    /// More than wait to be stored, and are being stored.
    const FLOOD: i64 = 5_000;

    fn is_full(&self, refused: usize) -> bool {
        refused > 0
    }
}
