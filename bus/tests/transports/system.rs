//! What a suite has of a transport: processes that serve, one that sends, and others that listen.

use std::sync::Arc;

use bus::store::StoredEvent;
use bus::{Bus, EventSource, SendError, SendOptions, SqliteStore, Store};
use tick_sdk::contracts::bus::{CommandCompleted, CommandFailed};
use tick_sdk::contracts::{Command, CommandId};

use crate::contracts::{DESK, IsMended, Jotted};
use crate::{PATIENCE, wait_for};

/// How commands and events travel, and how that is disturbed.
pub(crate) trait Transport {
    /// Starts processes that serve the desk and the van, with the stores that were there before.
    fn start(&self, is_mended: IsMended) -> System;

    /// Somebody who gets every event of the desk from now on.
    fn subscribe(&self, system: &System) -> Box<dyn Subscriber>;

    /// Somebody who gets to know from now on which commands [`Fall`](crate::contracts::Fall) have failed, and why.
    fn faults(&self, system: &System) -> Box<dyn FnMut() -> (CommandId, String)>;

    /// Loses what is on its way.
    fn lose(&self, system: System) -> System;

    /// So many commands at once are more than it holds.
    const FLOOD: i64;

    /// Whether it holds no more, while nothing can be stored and so many of [`Transport::FLOOD`] were refused.
    fn is_full(&self, refused: usize) -> bool;
}

/// An event as a subscriber gets it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Heard {
    pub(crate) message_id: String,
    pub(crate) position: u64,
    pub(crate) number: i64,
}

/// Gets the events of the desk.
pub(crate) trait Subscriber {
    /// The next one, if it has come.
    fn next(&mut self) -> Option<Heard>;
}

/// Processes that run. In process they are one.
pub(crate) struct System {
    pub(crate) sender: Arc<Bus>,
    pub(crate) desk: Arc<Bus>,
    pub(crate) van: Arc<Bus>,
    pub(crate) desk_store: Arc<SqliteStore>,
    pub(crate) is_mended: IsMended,
}

impl System {
    pub(crate) fn try_send<C: Command>(
        &self,
        command: &C,
        options: SendOptions,
    ) -> Result<CommandId, SendError> {
        run(self.sender.send(command, options)).map(|accepted| accepted.command_id)
    }

    pub(crate) fn send<C: Command>(&self, command: &C) -> CommandId {
        self.try_send(command, SendOptions::default()).unwrap()
    }

    /// As a client does who knows its command's id, and asks again where it is told to.
    pub(crate) fn send_until_accepted<C: Command>(&self, command: &C, command_id: CommandId) {
        wait_for("it is accepted", || match self.try_send(command, with_id(command_id)) {
            Ok(_) => Some(()),
            Err(SendError::Unavailable { retry_after_s, .. }) => {
                assert!(retry_after_s > 0);
                None
            }
            Err(error) => panic!("{error}"),
        });
    }

    /// The events of a context with this name.
    pub(crate) fn events(&self, context: &str, name: &str) -> Vec<StoredEvent> {
        let bus = if context == DESK { &self.desk } else { &self.van };
        let events = bus.events_after(context, 0, 100_000).unwrap();
        events.into_iter().filter(|event| event.name == name).collect()
    }

    /// Waits until a command of the desk has come so far, so many times.
    pub(crate) fn wait_for(&self, name: &str, command: CommandId, times: usize) -> StoredEvent {
        wait_for(name, || {
            let events = self.events(DESK, name).into_iter();
            let mut of_command: Vec<_> = events.filter(|event| event.command_id == Some(command)).collect();
            if of_command.len() < times { None } else { of_command.pop() }
        })
    }

    pub(crate) fn wait_until_completed(&self, command: CommandId) -> CommandCompleted {
        serde_json::from_str(&self.wait_for(CommandCompleted::NAME, command, 1).body).unwrap()
    }

    pub(crate) fn wait_until_failed(&self, command: CommandId) -> CommandFailed {
        serde_json::from_str(&self.wait_for(CommandFailed::NAME, command, 1).body).unwrap()
    }

    /// The numbers that were jotted down, in order.
    pub(crate) fn jotted(&self) -> Vec<i64> {
        let events = self.events(DESK, "Jotted");
        events.iter().map(|event| serde_json::from_str::<Jotted>(&event.body).unwrap().number).collect()
    }

    /// The numbers that took effect, counted in the desk's own table.
    pub(crate) fn effects(&self) -> Vec<i64> {
        let rows = self.desk_store.query("SELECT number FROM effect ORDER BY number", &[]).unwrap();
        rows.iter().map(|row| row.get(0).unwrap()).collect()
    }

    /// Ends all of them as they should.
    pub(crate) fn stop(self) {
        for bus in [self.sender, self.desk, self.van] {
            assert!(bus.stop(PATIENCE), "it stops");
        }
    }
}

pub(crate) fn with_id(command_id: CommandId) -> SendOptions {
    SendOptions { command_id: Some(command_id), ..SendOptions::default() }
}

pub(crate) fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}
