//! How commands reach their endpoints, and events their readers. In process here.

use std::collections::{BTreeMap, HashMap};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use thiserror::Error;
use tick_sdk::contracts::CommandId;
use tokio::sync::oneshot;
use uuid::Uuid;

use crate::bell::Bell;
use crate::kill_point::kill_point;
use crate::lane::Intake;
use crate::logs::Logs;
use crate::store::{Acceptance, LogPage, NewCommand, OutgoingMessage, Store, StoreError, StoredEvent};

/// Contexts' logs, as somebody else reads them. Calls block.
pub trait EventSource: Send + Sync + 'static {
    /// The contexts that there are, in order of name.
    fn contexts(&self) -> Vec<String>;

    /// Looks at up to `limit` events of a context after a position, in order and without holes, and gives those
    /// with one of these names, as [`Store::look`] does.
    ///
    /// # Errors
    /// The store failed.
    fn look(
        &self,
        context: &str,
        position: u64,
        limit: usize,
        names: Option<&[&str]>,
    ) -> Result<LogPage, StoreError>;

    /// Up to `limit` events of a context after a position, whatever their names; fewer where they are large, none
    /// only where nothing follows.
    ///
    /// # Errors
    /// The store failed.
    fn events_after(
        &self,
        context: &str,
        position: u64,
        limit: usize,
    ) -> Result<Vec<StoredEvent>, StoreError> {
        Ok(self.look(context, position, limit, None)?.events)
    }

    /// The position of a context's last event.
    ///
    /// # Errors
    /// The store failed.
    fn head(&self, context: &str) -> Result<u64, StoreError>;

    /// Waits until a context has an event after this position, or so long. Whether it has.
    fn wait_beyond(&self, context: &str, position: u64, timeout: Duration) -> bool;
}

/// Why a command was not accepted. Nothing of it is stored.
#[derive(Debug, Error)]
pub enum SendError {
    /// Another command has this id already.
    #[error("{command_id} is another command already: the same idempotency key was used with another body")]
    OtherBody {
        /// The id.
        command_id: CommandId,
    },
    /// Nobody serves this endpoint.
    #[error("there is no endpoint '{endpoint}'; there are: {known}")]
    NoSuchEndpoint {
        /// As it was asked for.
        endpoint: String,
        /// Those there are.
        known: String,
    },
    /// It is larger or deeper than a message may be.
    #[error("the command cannot be sent: {reason}")]
    Unwritable {
        /// Why.
        reason: String,
    },
    /// It cannot be stored now.
    #[error("commands cannot be accepted now: {reason}")]
    Unavailable {
        /// Why.
        reason: String,
        /// When to try again.
        retry_after_s: u32,
    },
}

/// Where commands go whose endpoints this process does not serve.
pub(crate) trait Elsewhere: Send + Sync {
    /// Sends a command; it is safe when this is done.
    fn send(&self, command: NewCommand) -> Sending<'_>;

    /// A command of a handler of context `from`, for the outbox of that context.
    ///
    /// # Errors
    /// Why it can never be sent.
    fn outgoing(&self, command: &NewCommand, from: &str, now_ms: u64) -> Result<OutgoingMessage, String>;
}

/// A command on its way.
pub(crate) type Sending<'a> = Pin<Box<dyn Future<Output = Result<(), SendError>> + Send + 'a>>;

/// Commands wait here for the next commit; whoever comes when it is full is asked to come again.
pub(crate) const ACCEPT_QUEUE: usize = 4096;
/// So many are accepted in one commit.
const ACCEPT_BATCH: usize = 512;

/// Storing a command is waited for so long; it may be stored after all, so whoever asks again uses the same id.
const LONGEST_ACCEPT: Duration = Duration::from_secs(15);

/// A command that waits to be stored, and who waits for that.
pub(crate) struct Accepting {
    command: NewCommand,
    /// Its id was chosen by whoever sends it, who may have given it to another command.
    is_keyed: bool,
    answer: oneshot::Sender<Result<Acceptance, String>>,
}

/// One context as the process that serves it sees it.
pub(crate) struct Served {
    pub(crate) store: Arc<dyn Store>,
    /// Rung when there are commands.
    pub(crate) commands: Bell,
    /// Rung when there are events, or commands of handlers.
    pub(crate) events: Bell,
    /// What comes from a broker for each handler.
    pub(crate) intakes: BTreeMap<String, Arc<Intake>>,
    /// `None` once the bus stops.
    pub(crate) accepting: RwLock<Option<tokio::sync::mpsc::Sender<Accepting>>>,
}

/// All contexts of this process.
pub(crate) struct InProcess {
    pub(crate) served: BTreeMap<String, Served>,
    /// Commands with ids of their senders' choice that are being stored, and in which context.
    storing: Mutex<HashMap<CommandId, String>>,
    pub(crate) elsewhere: Option<Arc<dyn Elsewhere>>,
    /// Of contexts that other processes serve.
    pub(crate) logs: Logs,
    /// What this process is called where it holds a lease.
    pub(crate) holder: Uuid,
}

impl InProcess {
    pub(crate) fn new(
        served: BTreeMap<String, Served>,
        elsewhere: Option<Arc<dyn Elsewhere>>,
        logs: Logs,
    ) -> Self {
        Self { served, storing: Mutex::default(), elsewhere, logs, holder: Uuid::new_v4() }
    }

    pub(crate) fn find(&self, endpoint: &str) -> Result<&Served, SendError> {
        self.served.get(endpoint).ok_or_else(|| SendError::NoSuchEndpoint {
            endpoint: endpoint.to_owned(),
            known: self.served.keys().cloned().collect::<Vec<_>>().join(", "),
        })
    }

    /// Hands a command over, together with those of others; it is on disk when this is done, here or where its
    /// endpoint is.
    pub(crate) async fn send(&self, command: NewCommand, is_keyed: bool) -> Result<Acceptance, SendError> {
        if let Some(elsewhere) =
            self.elsewhere.as_ref().filter(|_| !self.served.contains_key(&command.endpoint))
        {
            return elsewhere.send(command).await.map(|()| Acceptance::New);
        }
        let served = self.find(&command.endpoint)?;
        let command_id = command.command_id;
        let (answer, answered) = oneshot::channel();
        let busy = |reason: &str| SendError::Unavailable { reason: reason.to_owned(), retry_after_s: 1 };
        served.hand_over(Accepting { command, is_keyed, answer }).map_err(busy)?;
        let Ok(answered) = tokio::time::timeout(LONGEST_ACCEPT, answered).await else {
            return Err(busy("the disk takes too long"));
        };
        match answered {
            Ok(Ok(Acceptance::OtherBody)) => Err(SendError::OtherBody { command_id }),
            Ok(Ok(acceptance)) => Ok(acceptance),
            Ok(Err(reason)) => Err(SendError::Unavailable { reason, retry_after_s: 5 }),
            Err(_) => Err(busy("the service is shutting down")),
        }
    }

    /// Stores a context's commands as they come, all that wait in one commit, until nobody can send any more.
    pub(crate) fn accept_all(
        &self,
        context: &str,
        mut waiting: tokio::sync::mpsc::Receiver<Accepting>,
        now_ms: fn() -> u64,
    ) {
        let Some(served) = self.served.get(context) else { return };
        while let Some(first) = waiting.blocking_recv() {
            let mut batch = vec![first];
            while batch.len() < ACCEPT_BATCH
                && let Ok(next) = waiting.try_recv()
            {
                batch.push(next);
            }
            let (batch, keys) = self.without_known_elsewhere(context, batch);
            let answers =
                if batch.is_empty() { Vec::new() } else { served.store_all(context, &batch, now_ms()) };
            self.release(&keys);
            for (waiting, answer) in batch.into_iter().zip(answers) {
                // Whoever has stopped waiting asks for the command's status.
                let _ = waiting.answer.send(answer);
            }
        }
    }

    /// One id is one command, whatever its endpoint: those whose ids another context has are answered here. Gives
    /// the others, and the ids among theirs that no other context takes until they are stored.
    fn without_known_elsewhere(
        &self,
        context: &str,
        batch: Vec<Accepting>,
    ) -> (Vec<Accepting>, Vec<CommandId>) {
        let mut keys = Vec::new();
        let mut left = Vec::with_capacity(batch.len());
        for one in batch {
            let refused =
                if one.is_keyed { self.claim(context, one.command.command_id, &mut keys) } else { None };
            match refused {
                Some(answer) => drop(one.answer.send(answer)),
                None => left.push(one),
            }
        }
        (left, keys)
    }

    /// Whoever has its answer finds the id stored, or free.
    fn release(&self, keys: &[CommandId]) {
        let mut storing = self.storing.lock().unwrap_or_else(PoisonError::into_inner);
        keys.iter().for_each(|key| drop(storing.remove(key)));
    }

    /// Claims an id for a context, or gives the answer to whoever sends with it.
    fn claim(
        &self,
        context: &str,
        id: CommandId,
        keys: &mut Vec<CommandId>,
    ) -> Option<Result<Acceptance, String>> {
        let mut storing = self.storing.lock().unwrap_or_else(PoisonError::into_inner);
        if storing.get(&id).is_some_and(|other| other != context) {
            return Some(Err("another command with the same key is being accepted".to_owned()));
        }
        storing.insert(id, context.to_owned());
        drop(storing);
        let mut others = self.served.iter().filter(|(name, _)| *name != context);
        let answer = others.find_map(|(_, other)| match other.store.state(id) {
            Ok(None) => None,
            Ok(Some(_)) => Some(Ok(Acceptance::OtherBody)),
            Err(error) => Some(Err(error.to_string())),
        });
        if answer.is_some() {
            self.release(&[id]);
        } else {
            keys.push(id);
        }
        answer
    }
}

impl Served {
    fn hand_over(&self, accepting: Accepting) -> Result<(), &'static str> {
        const STOPPING: &str = "the service is shutting down";
        let sender = self.accepting.read().unwrap_or_else(PoisonError::into_inner);
        sender.as_ref().ok_or(STOPPING)?.try_send(accepting).map_err(|error| match error {
            tokio::sync::mpsc::error::TrySendError::Full(_) => "too many wait",
            tokio::sync::mpsc::error::TrySendError::Closed(_) => STOPPING,
        })
    }

    /// Accepts nothing more; what was handed over before is still stored, and what comes from a broker stays there.
    pub(crate) fn close(&self) {
        self.intakes.values().for_each(|intake| intake.close());
        self.accepting.write().unwrap_or_else(PoisonError::into_inner).take();
    }

    /// Stores them in one commit; what there is to answer to each.
    fn store_all(&self, context: &str, batch: &[Accepting], now_ms: u64) -> Vec<Result<Acceptance, String>> {
        let commands: Vec<_> = batch.iter().map(|one| one.command.clone()).collect();
        kill_point(context, "before-accept");
        let accepted = self.store.accept(&commands, now_ms);
        kill_point(context, "after-accept");
        match accepted {
            Ok(accepted) => {
                self.commands.ring();
                self.events.ring();
                accepted.into_iter().map(Ok).collect()
            }
            Err(error) => {
                tracing::error!(%error, commands = batch.len(), "commands could not be accepted");
                vec![Err(error.to_string()); batch.len()]
            }
        }
    }
}

impl EventSource for InProcess {
    fn contexts(&self) -> Vec<String> {
        let mut contexts: Vec<_> = self.served.keys().cloned().chain(self.logs.contexts()).collect();
        contexts.sort();
        contexts.dedup();
        contexts
    }

    fn look(
        &self,
        context: &str,
        position: u64,
        limit: usize,
        names: Option<&[&str]>,
    ) -> Result<LogPage, StoreError> {
        match self.served.get(context) {
            Some(served) => served.store.look(position, limit, names),
            None => self.logs.look(context, position, limit, names),
        }
    }

    fn head(&self, context: &str) -> Result<u64, StoreError> {
        self.served.get(context).map_or_else(|| self.logs.head(context), |served| served.store.head())
    }

    fn wait_beyond(&self, context: &str, position: u64, timeout: Duration) -> bool {
        let Some(served) = self.served.get(context) else {
            return self.logs.wait_beyond(context, position, timeout);
        };
        let has = || served.store.head().is_ok_and(|head| head > position);
        let until = std::time::Instant::now() + timeout;
        loop {
            let seen = served.events.count();
            if has() {
                return true;
            }
            let left = until.saturating_duration_since(std::time::Instant::now());
            if left.is_zero() {
                return false;
            }
            served.events.wait(seen, left);
        }
    }
}
