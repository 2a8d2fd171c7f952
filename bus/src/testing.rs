//! A bus for the tests of a service: real handlers and a real store, with a clock of its own.
//!
//! Nothing runs until [`TestBus::settle`] is called, which handles one message after the other until nothing is
//! left, and sets the clock forward where only retries are left. The order is drawn from a seed: the same seed
//! gives the same order in each run, other seeds show what must not depend on it.
//!
//! ```
//! use bus::testing::TestBus;
//! # use tick_sdk::contracts::accounts::*;
//! # #[derive(Default)]
//! # struct Greeter;
//! # impl bus::Consumer for Greeter {
//! #     type Event = UserCreated;
//! #     async fn consume(&self, message: &bus::Message<UserCreated>, work: &mut bus::Work<'_>) -> Result<(), bus::HandlerError> {
//! #         work.send(&RenameUser { user_id: message.body.user_id, name: format!("Dear {}", message.body.name) });
//! #         Ok(())
//! #     }
//! # }
//! # bus::consumer!(Greeter, in "greetings");
//! # fn main() {
//! // `Greeter` is a consumer of UserCreated in the context "greetings", and sends RenameUser.
//! let mut bus = TestBus::new("greetings", "");
//! bus.publish(&UserCreated { user_id: Default::default(), email: "a@b.c".into(), name: "Ann".into() });
//! bus.settle();
//! assert_eq!(bus.sent::<RenameUser>()[0].name, "Dear Ann");
//! # }
//! ```

use std::sync::Arc;
use std::time::Duration;

use tick_sdk::contracts::bus::{CommandCancelled, CommandCompleted, CommandFailed, RequeueCommand};
use tick_sdk::contracts::{Command, CommandId, ConversationId, Event, MessageId};

use crate::events::json;
use crate::lane::{CommandLane, ConsumerLane, Place, Requeue, Runner, Step, Suspects, Watch};
use crate::registry;
use crate::store::{CommandState, NewCommand, NewEvent, SqliteStore, Store, StoredEvent};
use crate::transport::EventSource;
use crate::work::Resources;
use logs::{OtherLogs, TestSource};

mod logs;

#[cfg(feature = "postgres")]
mod shared;

#[cfg(feature = "postgres")]
pub use shared::on_postgres;

/// The clock begins here: 2026-01-01T00:00:00Z in ms since the UNIX epoch.
const BEGIN_MS: u64 = 1_767_225_600_000;
/// So many steps are more than any test needs: handlers that send to each other for ever are found.
const MOST_STEPS: usize = 100_000;

/// How a command ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Ended {
    /// With its result.
    Completed(serde_json::Value),
    /// With the reason, after so many attempts.
    Failed(String, u32),
    /// On somebody's wish.
    Cancelled,
}

/// One context under test. Commands to other endpoints and events of other contexts are the test's own.
pub struct TestBus {
    context: String,
    store: Arc<dyn Store>,
    others: Arc<OtherLogs>,
    resources: Resources,
    lanes: Option<Vec<Lane>>,
    now_ms: u64,
    random: u64,
    next_command: u64,
    sent: Vec<NewCommand>,
    _folder: Option<tempfile::TempDir>,
}

enum Lane {
    Commands(CommandLane),
    Events(ConsumerLane),
}

impl TestBus {
    /// A context with its own tables: SQL, as [`SqliteStore::open`] takes it.
    ///
    /// # Panics
    /// The SQL is wrong.
    pub fn new(context: &str, tables: &str) -> Self {
        #[cfg(feature = "postgres")]
        if let Some(store) = shared::store(context, tables) {
            return Self::on(context, store);
        }
        let folder = tempfile::tempdir().expect("a temporary folder");
        // Ids are the same in each run: pauses between attempts vary with them.
        let store = SqliteStore::open_repeatable(&folder.path().join("test.sqlite"), tables, own_message_id)
            .expect("the tables are made");
        Self { _folder: Some(folder), ..Self::on(context, store) }
    }

    /// A context in a store that the test has made, with its own tables.
    pub fn on(context: &str, store: impl Store) -> Self {
        Self {
            context: context.to_owned(),
            store: Arc::new(store),
            others: Arc::default(),
            resources: Resources::default(),
            lanes: None,
            now_ms: BEGIN_MS,
            random: 0,
            next_command: 0,
            sent: Vec::new(),
            _folder: None,
        }
    }

    /// Another order of messages.
    #[must_use]
    pub const fn seed(mut self, seed: u64) -> Self {
        self.random = seed;
        self
    }

    /// Gives handlers what they need.
    #[must_use]
    pub fn resource<T: Send + Sync + 'static>(mut self, resource: T) -> Self {
        self.resources = self.resources.with(resource);
        self
    }

    /// Puts a command into the inbox.
    ///
    /// # Panics
    /// The store failed.
    pub fn send<C: Command>(&mut self, command: &C) -> CommandId {
        let command_id = self.new_command_id();
        self.send_as(command_id, C::NAME, C::VERSION, json(command), None);
        command_id
    }

    /// Puts a failed command back.
    ///
    /// # Panics
    /// The store failed.
    pub fn requeue(&mut self, failed: CommandId) -> CommandId {
        let command_id = self.new_command_id();
        let body = json(&RequeueCommand { command_id: failed });
        self.send_as(command_id, RequeueCommand::NAME, 1, body, Some(failed));
        command_id
    }

    fn new_command_id(&mut self) -> CommandId {
        self.next_command += 1;
        CommandId::of_key("test", &self.next_command.to_string())
    }

    fn send_as(
        &mut self,
        command_id: CommandId,
        name: &str,
        version: u32,
        body: String,
        initiator_id: Option<CommandId>,
    ) {
        let command = NewCommand {
            command_id,
            conversation_id: ConversationId(command_id.0),
            initiator_id,
            name: name.to_owned(),
            version,
            endpoint: self.context.clone(),
            caller: "test".to_owned(),
            body,
            original: None,
        };
        self.store.accept(&[command], self.now_ms).expect("the store takes it");
    }

    /// An event of another context, or of this one as if it had been published.
    pub fn publish<E: Event>(&mut self, event: &E) {
        let new = NewEvent { version: E::VERSION, ..NewEvent::of_bus(E::NAME, event) };
        if E::CONTEXT == self.context {
            let mut transaction = self.store.begin().expect("the store takes it");
            transaction.append(&[new], self.now_ms).expect("the store takes it");
            transaction.commit().expect("the store takes it");
        } else {
            self.others.append(E::CONTEXT, new, self.now_ms);
        }
    }

    /// The time, in ms since the UNIX epoch.
    pub const fn now_ms(&self) -> u64 {
        self.now_ms
    }

    /// Sets the clock forward.
    pub fn advance(&mut self, time: Duration) {
        self.now_ms += time.as_millis() as u64;
    }

    /// Handles everything, retries included.
    ///
    /// # Panics
    /// Handlers and contracts do not fit, the store failed, or it goes on for ever.
    pub fn settle(&mut self) {
        for _ in 0..MOST_STEPS {
            match self.step() {
                Step::Worked(_) => {}
                Step::Idle(Some(due_ms)) => self.now_ms = self.now_ms.max(due_ms),
                Step::Idle(None) => return,
            }
        }
        panic!(
            "after {MOST_STEPS} steps there is still something to do: handlers send to each other for ever"
        );
    }

    /// One step of a lane that has something to do, in an order drawn from the seed.
    fn step(&mut self) -> Step {
        let mut lanes = self.lanes.take().unwrap_or_else(|| self.make_lanes());
        for place in (1..lanes.len()).rev() {
            lanes.swap(place, (self.draw() % (place as u64 + 1)) as usize);
        }
        let mut next_due = None;
        let mut found = Step::Idle(None);
        for lane in &mut lanes {
            let stepped = match lane {
                Lane::Commands(lane) => lane.step(self.now_ms),
                Lane::Events(lane) => lane.step(self.now_ms),
            };
            match stepped.expect("the store works") {
                Step::Idle(due) => next_due = [next_due, due].into_iter().flatten().min(),
                worked => {
                    found = worked;
                    break;
                }
            }
        }
        self.lanes = Some(lanes);
        self.fetch_sent();
        if found == Step::Idle(None) { Step::Idle(next_due) } else { found }
    }

    fn draw(&mut self) -> u64 {
        self.random =
            self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.random >> 33
    }

    fn make_lanes(&self) -> Vec<Lane> {
        let place = Place {
            context: self.context.clone(),
            store: self.store.clone(),
            resources: self.resources.clone(),
            on_failed: None,
            suspects: Suspects::default(),
        };
        let handlers = registry::handlers_of(&self.context).expect("each command has one handler");
        let requeue: Arc<dyn registry::AnyHandler> = Arc::new(Requeue);
        let handlers = handlers.into_iter().map(|named| (named.command, named.handler));
        let commands = handlers.chain([(RequeueCommand::NAME, requeue)]).map(|(name, handler)| {
            let runner = runner(&self.context, name);
            Lane::Commands(CommandLane::new(name.to_owned(), place.clone(), handler, runner))
        });
        let source: Arc<dyn EventSource> = Arc::new(TestSource {
            own: self.context.clone(),
            store: self.store.clone(),
            others: self.others.clone(),
        });
        let consumers = registry::consumers_of(&self.context).expect("each consumer is there once");
        let events = consumers.into_iter().map(|named| {
            let runner = runner(&self.context, named.name);
            let lane = ConsumerLane::new(named, place.clone(), source.clone(), runner);
            Lane::Events(lane.expect("the store works"))
        });
        commands.chain(events).collect()
    }

    /// Takes what handlers have sent: to this context's inbox, or to the test.
    fn fetch_sent(&mut self) {
        let outgoing = self.store.outgoing(usize::from(u16::MAX)).expect("the store works");
        let Some((last, _)) = outgoing.last() else { return };
        self.store.forget_outgoing(*last).expect("the store works");
        for (_, command) in outgoing {
            if command.endpoint == self.context {
                self.store.accept(std::slice::from_ref(&command), self.now_ms).expect("the store works");
            }
            self.sent.push(command);
        }
    }

    /// The commands of this contract that handlers have sent, in order.
    pub fn sent<C: Command>(&self) -> Vec<C> {
        self.sent
            .iter()
            .filter(|command| command.name == C::NAME)
            .map(|command| read(&command.body))
            .collect()
    }

    /// All commands that handlers have sent, in order, with their ids and causes.
    pub fn sent_messages(&self) -> &[NewCommand] {
        &self.sent
    }

    /// The events of this contract that were published, in order.
    pub fn published<E: Event>(&self) -> Vec<E> {
        self.log().iter().filter(|event| event.name == E::NAME).map(|event| read(&event.body)).collect()
    }

    /// The commands of this contract that were carried out, in order.
    pub fn consumed<C: Command>(&self) -> Vec<CommandId> {
        let log = self.log();
        let is_done = |id: &CommandId| matches!(self.ended(*id), Some(Ended::Completed(_)));
        let accepted = log.iter().filter(|event| event.name == "CommandAccepted");
        let of_contract = accepted.filter(|event| {
            let body: tick_sdk::contracts::bus::CommandAccepted = read(&event.body);
            body.command == C::NAME
        });
        of_contract.filter_map(|event| event.command_id).filter(is_done).collect()
    }

    /// The reasons of all commands that failed, in order.
    pub fn faults(&self) -> Vec<String> {
        let log = self.log();
        let failed = log.iter().filter(|event| event.name == CommandFailed::NAME);
        failed.map(|event| read::<CommandFailed>(&event.body).reason).collect()
    }

    /// How a command has ended; `None` while it has not.
    pub fn ended(&self, command: CommandId) -> Option<Ended> {
        let waits = matches!(
            self.store.state(command).expect("the store works"),
            None | Some(CommandState::Waiting { .. } | CommandState::Processing)
        );
        if waits {
            return None;
        }
        let log = self.log();
        let of_command = log.iter().rev().filter(|event| event.command_id == Some(command));
        of_command.into_iter().find_map(|event| match event.name.as_str() {
            CommandCompleted::NAME => Some(Ended::Completed(read::<CommandCompleted>(&event.body).result)),
            CommandCancelled::NAME => Some(Ended::Cancelled),
            CommandFailed::NAME => {
                let failed: CommandFailed = read(&event.body);
                Some(Ended::Failed(failed.reason, failed.attempts))
            }
            _ => None,
        })
    }

    /// The context's whole log, as a projection reads it.
    pub fn log(&self) -> Vec<StoredEvent> {
        let mut log: Vec<StoredEvent> = Vec::new();
        loop {
            let position = log.last().map_or(0, |event| event.position);
            let read = self.store.events_after(position, usize::MAX >> 1).expect("the store works");
            if read.is_empty() {
                return log;
            }
            log.extend(read);
        }
    }

    /// The context's store, for a look at its tables.
    pub fn store(&self) -> &dyn Store {
        &*self.store
    }
}

fn read<M: serde::de::DeserializeOwned>(body: &str) -> M {
    serde_json::from_str(body).expect("it was written as this contract")
}

/// Handlers wait in the test's time, not in the day's.
fn runner(context: &str, handler: &str) -> Runner {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_all().start_paused(true).build().expect("the system gives a runtime");
    Runner { runtime, watch: Watch::new(context, handler) }
}

/// The id of the event at a position of the context's own log.
fn own_message_id(position: u64) -> MessageId {
    MessageId(CommandId::of_key("event", &position.to_string()).0)
}
