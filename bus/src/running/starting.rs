//! From contexts and handlers to a bus that runs.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use thiserror::Error;
use tick_sdk::contracts::bus::RequeueCommand;

#[cfg(feature = "rabbitmq")]
use super::rabbit;
use super::threads::{Threads, keep_stepping};
use super::{Bus, now_ms};
use crate::bell::{Bell, Stopping};
use crate::failed::{FailedCommand, OnFailed};
use crate::forward::forward;
use crate::lane::{
    CommandLane, ConsumerLane, Place, Requeue, Runner, Step, Suspects, Turn, Watch, keep_watching,
};
use crate::logs::Logs;
use crate::registry::{self, NamedHandler, RegistryError};
use crate::retention::Retention;
use crate::store::{Change, OutgoingMessage, Store, StoreError};
use crate::transport::{ACCEPT_QUEUE, InProcess, Served};
use crate::work::Resources;

/// Between looks for events without positions that another process has left.
const NUMBER_MS: u64 = 1_000;

/// Why a bus does not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// Handlers and contracts do not fit.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// A store cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The system gives no thread or no timer.
    #[error("starting the bus: {0}")]
    System(#[from] std::io::Error),
}

/// Contexts, before they run.
#[derive(Default)]
pub struct BusBuilder {
    contexts: BTreeMap<String, Arc<dyn Store>>,
    resources: Resources,
    retention: Retention,
    on_failed: Option<OnFailed>,
    logs: Logs,
    #[cfg(feature = "rabbitmq")]
    pub(super) wanted: rabbit::Wanted,
}

impl BusBuilder {
    /// Serves a context: its endpoint's commands are carried out here, and its consumers run here.
    #[must_use]
    pub fn context(mut self, name: &str, store: impl Store) -> Self {
        self.contexts.insert(name.to_owned(), Arc::new(store));
        self
    }

    /// As [`BusBuilder::context`], with a store that others have, too.
    #[must_use]
    pub fn shared_context(mut self, name: &str, store: Arc<dyn Store>) -> Self {
        self.contexts.insert(name.to_owned(), store);
        self
    }

    /// Gives handlers what they need.
    #[must_use]
    pub fn resource<T: Send + Sync + 'static>(mut self, resource: T) -> Self {
        self.resources = self.resources.with(resource);
        self
    }

    /// How long ended commands are remembered.
    #[must_use]
    pub const fn retention(mut self, retention: Retention) -> Self {
        self.retention = retention;
        self
    }

    /// Reads the logs of contexts that other processes serve, for consumers here and for [`Bus::events`].
    #[must_use]
    pub fn logs(mut self, logs: Logs) -> Self {
        self.logs = logs;
        self
    }

    /// What is sent when a command has failed for good: these messages are written in the very transaction that
    /// ends it, and whoever is connected to a broker sends them on. The last hook that is set is the one.
    #[must_use]
    pub fn on_failed(
        mut self,
        hook: impl Fn(&FailedCommand<'_>) -> Vec<OutgoingMessage> + Send + Sync + 'static,
    ) -> Self {
        self.on_failed = Some(OnFailed::new(hook));
        self
    }

    /// Starts every lane.
    ///
    /// # Errors
    /// A command has two handlers or none, or a store cannot be read.
    pub fn start(self) -> Result<Bus, StartError> {
        #[cfg(feature = "rabbitmq")]
        let connected = self.wanted.connect()?;
        #[cfg(feature = "rabbitmq")]
        let (on_failed, elsewhere) =
            (self.on_failed.or_else(|| connected.on_failed()), connected.elsewhere());
        #[cfg(not(feature = "rabbitmq"))]
        let (on_failed, elsewhere) = (self.on_failed, None);
        let mut places = BTreeMap::new();
        let mut served = BTreeMap::new();
        let mut receivers = Vec::new();
        let mut handlers_of = BTreeMap::new();
        let turn = Arc::<Turn>::default();
        for (name, store) in self.contexts {
            let (accepting, waiting) = tokio::sync::mpsc::channel(ACCEPT_QUEUE);
            receivers.push((name.clone(), waiting));
            let (resources, on_failed) = (self.resources.clone(), on_failed.clone());
            let suspects = Suspects { is_any: store.begin_serving()?, turn: turn.clone() };
            if suspects.is_any {
                let context = &name;
                tracing::warn!(
                    context,
                    "a process before this one ended without a word: what it may have been at is handled one by one"
                );
            }
            let place = Place { context: name.clone(), store: store.clone(), resources, on_failed, suspects };
            places.insert(name.clone(), place);
            let (commands, events) = (Bell::default(), Bell::default());
            let accepting = RwLock::new(Some(accepting));
            let handlers = registry::handlers_of(&name)?;
            let intakes = handlers.iter().map(|named| {
                let intake = Arc::new(named.intake());
                commands.lead(&intake.bell);
                (named.command.to_owned(), intake)
            });
            let intakes = intakes.collect();
            handlers_of.insert(name.clone(), handlers);
            served.insert(name, Served { store, commands, events, intakes, accepting });
        }
        let in_process = Arc::new(InProcess::new(served, elsewhere, self.logs));
        let bus = Bus {
            in_process,
            places,
            threads: Threads::default(),
            watches: Mutex::default(),
            has_ended: AtomicBool::new(false),
            #[cfg(feature = "rabbitmq")]
            connected,
        };
        for (name, waiting) in receivers {
            bus.start_context(&name, handlers_of.remove(&name).unwrap_or_default(), self.retention)?;
            bus.spawn(format!("{name} accept"), move |in_process, _| {
                in_process.accept_all(&name, waiting, now_ms);
            })?;
        }
        #[cfg(feature = "rabbitmq")]
        bus.start_rabbit(self.retention)?;
        let watches = bus.watches.lock().unwrap_or_else(PoisonError::into_inner).clone();
        bus.spawn("watch handlers".to_owned(), move |_, stopping| keep_watching(&watches, stopping))?;
        Ok(bus)
    }
}

impl Bus {
    fn start_context(
        &self,
        name: &str,
        handlers: Vec<NamedHandler>,
        retention: Retention,
    ) -> Result<(), StartError> {
        let place = self.places[name].clone();
        self.ring_for_others(name, &place);
        for named in handlers {
            self.start_handler(name, &place, named)?;
        }
        self.start_requeue(name, &place)?;
        self.start_consumers(name, &place)?;
        self.spawn(format!("{name} forward"), move |in_process, stopping| {
            let served = &in_process.served[&place.context];
            keep_stepping(&served.events, &served.events, stopping, |now_ms| {
                forward(in_process, &place, now_ms)
            });
        })?;
        let own = name.to_owned();
        self.spawn(format!("{name} sweep"), move |in_process, stopping| {
            retention.keep_sweeping(&in_process.served[&own], stopping);
        })
    }

    /// One lane that takes what comes and what is due, and others beside it that take what comes.
    fn start_handler(&self, name: &str, place: &Place, named: NamedHandler) -> Result<(), StartError> {
        let NamedHandler { command, handler } = named;
        let at_once = handler.policy().at_once;
        let numbering = if at_once > 1 { Some(self.start_numbering(name, command)?) } else { None };
        for number in 0..at_once {
            let runner = self.runner(name, command)?;
            let mut lane = CommandLane::new(command.to_owned(), place.clone(), handler.clone(), runner);
            if let Some(numbering) = &numbering {
                lane = lane.with_numbering(numbering.clone());
            }
            let own = name.to_owned();
            self.spawn(format!("{name} {command}"), move |in_process, stopping| {
                let served = &in_process.served[&own];
                let intake = &served.intakes[command];
                let mut seen = None;
                keep_stepping(&served.events, &intake.bell, stopping, |now_ms| {
                    if number > 0 {
                        return lane.step_beside(intake, now_ms);
                    }
                    let count = served.commands.count();
                    let is_rung = seen.replace(count) != Some(count);
                    lane.step_with(intake, is_rung, now_ms)
                });
            })?;
        }
        Ok(())
    }

    /// What several lanes of a handler commit beside each other is given its positions on a thread of its own; what a
    /// process that has ended left is found by a look.
    fn start_numbering(&self, name: &str, command: &str) -> Result<Arc<Bell>, StartError> {
        let bell = Arc::<Bell>::default();
        let (own, rung) = (name.to_owned(), bell.clone());
        self.spawn(format!("{name} {command} number"), move |in_process, stopping| {
            let served = &in_process.served[&own];
            let mut seen = 0;
            keep_stepping(&served.events, &rung, stopping, |now_ms| {
                let count = rung.count();
                let is_new = served.store.number()? || count > seen;
                seen = count;
                Ok(if is_new { Step::Worked(1) } else { Step::Idle(Some(now_ms + NUMBER_MS)) })
            });
        })?;
        Ok(bell)
    }

    fn start_requeue(&self, name: &str, place: &Place) -> Result<(), StartError> {
        let runner = self.runner(name, RequeueCommand::NAME)?;
        let mut lane =
            CommandLane::new(RequeueCommand::NAME.to_owned(), place.clone(), Arc::new(Requeue), runner);
        let own = name.to_owned();
        self.spawn(format!("{name} {}", RequeueCommand::NAME), move |in_process, stopping| {
            let served = &in_process.served[&own];
            keep_stepping(&served.events, &served.commands, stopping, |now_ms| {
                let step = lane.step(now_ms)?;
                // Only it makes commands of other lanes due.
                if matches!(step, Step::Worked(_)) {
                    served.commands.ring();
                }
                Ok(step)
            });
        })
    }

    /// What another process changes in a store that it shares wakes lanes here as what this one changes does.
    fn ring_for_others(&self, name: &str, place: &Place) {
        let (in_process, own) = (Arc::downgrade(&self.in_process), name.to_owned());
        place.store.watch(Box::new(move |change| {
            let Some(in_process) = in_process.upgrade() else { return };
            let served = &in_process.served[&own];
            match change {
                Change::Commands => served.commands.ring(),
                Change::Events => served.events.ring(),
            }
        }));
    }

    fn start_consumers(&self, name: &str, place: &Place) -> Result<(), StartError> {
        for named in registry::consumers_of(name)? {
            let (from, event) = (named.from, named.event);
            // New events wake it, and one that was put off and is to be taken again.
            let bell = Arc::new(Bell::default());
            let source = self.in_process.served.get(from).map(|served| &served.events);
            match source.or_else(|| self.in_process.logs.bell(from)) {
                Some(events) => events.lead(&bell),
                None => {
                    let consumer = named.name;
                    tracing::warn!(consumer, context = from, "this consumer's context has no log here");
                    continue;
                }
            }
            self.in_process.served[name].commands.lead(&bell);
            let runner = self.runner(name, named.name)?;
            let mut lane = ConsumerLane::new(named, place.clone(), self.in_process.clone(), runner)?;
            let own = name.to_owned();
            self.spawn(format!("{name} {event}"), move |in_process, stopping| {
                keep_stepping(&in_process.served[&own].events, &bell, stopping, |now_ms| lane.step(now_ms));
            })?;
        }
        Ok(())
    }

    /// What the handlers of a lane run on, and who watches them.
    fn runner(&self, context: &str, handler: &str) -> std::io::Result<Runner> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let watch = Watch::new(context, handler);
        self.watches.lock().unwrap_or_else(PoisonError::into_inner).push(watch.clone());
        Ok(Runner { runtime, watch })
    }

    pub(super) fn spawn(
        &self,
        name: String,
        work: impl FnOnce(&InProcess, &Stopping) + Send + 'static,
    ) -> Result<(), StartError> {
        let in_process = self.in_process.clone();
        Ok(self.threads.spawn(name, move |stopping| work(&in_process, stopping))?)
    }
}
