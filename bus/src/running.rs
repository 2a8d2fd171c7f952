//! A bus that runs: contexts, their lanes, and who may send.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tick_sdk::contracts::bus::RequeueCommand;
use tick_sdk::contracts::{Command, CommandId, ConversationId};
use uuid::Uuid;

use crate::events::json;
use crate::kill_point::kill_point;
use crate::lane::{BlockedHandler, Place, Watch};
use crate::store::{Acceptance, LogPage, NewCommand, StoreError};
use crate::transport::{EventSource, InProcess, SendError};
use crate::work::Work;
use threads::Threads;
#[cfg(feature = "rabbitmq")]
use threads::keep_stepping;

#[cfg(feature = "rabbitmq")]
mod rabbit;
mod starting;
mod threads;

pub use starting::{BusBuilder, StartError};

/// What is asked of a command beside its contract.
#[derive(Clone, Debug, Default)]
pub struct SendOptions {
    /// Its id, where the caller knows one; a new one otherwise.
    pub command_id: Option<CommandId>,
    /// The tree of causes it belongs to; a new one, with the command's id, otherwise.
    pub conversation_id: Option<ConversationId>,
    /// The command that caused it.
    pub initiator_id: Option<CommandId>,
    /// Who asks.
    pub caller: String,
}

/// A command that is on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// Its id.
    pub command_id: CommandId,
    /// The tree of causes it belongs to.
    pub conversation_id: ConversationId,
    /// The same command was accepted before.
    pub is_known: bool,
}

/// The contexts of this process, running. Dropped it stops as [`Bus::stop`] does.
pub struct Bus {
    in_process: Arc<InProcess>,
    places: BTreeMap<String, Place>,
    threads: Threads,
    watches: Mutex<Vec<Arc<Watch>>>,
    /// Every lane has ended, and the stores know it.
    has_ended: AtomicBool,
    #[cfg(feature = "rabbitmq")]
    connected: rabbit::Connected,
}

impl Bus {
    /// A bus without contexts.
    pub fn builder() -> BusBuilder {
        BusBuilder::default()
    }

    /// Whether the commands of this endpoint are carried out by this process.
    pub fn serves(&self, endpoint: &str) -> bool {
        self.in_process.served.contains_key(endpoint)
    }

    /// Sends a command to its endpoint; it is on disk when this is done, and carried out once, however often it
    /// is sent with the same id.
    ///
    /// # Errors
    /// It is not stored.
    pub async fn send<C: Command>(&self, command: &C, options: SendOptions) -> Result<Accepted, SendError> {
        self.send_json(C::ENDPOINT, C::NAME, C::VERSION, json(command), options).await
    }

    /// Puts a failed command back, at the endpoint that it failed at.
    ///
    /// # Errors
    /// The wish is not stored.
    pub async fn requeue(
        &self,
        endpoint: &str,
        command_id: CommandId,
        options: SendOptions,
    ) -> Result<Accepted, SendError> {
        let options = SendOptions { initiator_id: Some(command_id), ..options };
        let body = json(&RequeueCommand { command_id });
        self.send_json(endpoint, RequeueCommand::NAME, 1, body, options).await
    }

    async fn send_json(
        &self,
        endpoint: &str,
        name: &str,
        version: u32,
        body: String,
        options: SendOptions,
    ) -> Result<Accepted, SendError> {
        #[expect(clippy::unwrap_or_default, reason = "the default is the zero id, not a new one")]
        let command_id = options.command_id.unwrap_or_else(CommandId::new);
        let is_keyed = options.command_id.is_some();
        let conversation_id = options.conversation_id.unwrap_or(ConversationId(command_id.0));
        let command = NewCommand {
            command_id,
            conversation_id,
            initiator_id: options.initiator_id,
            name: name.to_owned(),
            version,
            endpoint: endpoint.to_owned(),
            caller: options.caller,
            body,
            original: None,
        };
        let acceptance = self.in_process.send(command, is_keyed).await?;
        Ok(Accepted { command_id, conversation_id, is_known: acceptance == Acceptance::Known })
    }

    /// A transaction of a context outside of any handler: the end of long work, for example. It blocks.
    ///
    /// # Errors
    /// `work` failed, or the store did; nothing is stored.
    ///
    /// # Panics
    /// The context is not served here.
    pub fn transaction<T, E: From<StoreError>>(
        &self,
        context: &str,
        work: impl FnOnce(&mut Work<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let served = self.in_process.served.get(context).expect("the context is served by this bus");
        let mut transaction = self.places[context].work(now_ms());
        let done = work(&mut transaction)?;
        transaction.flush()?;
        kill_point(context, "before-publish");
        transaction.commit()?;
        kill_point(context, "after-publish");
        served.events.ring();
        served.commands.ring();
        Ok(done)
    }

    /// Takes a lease of a context for so long, or renews it; `None` while another holder has it. The epoch grows
    /// with every holder that takes it, as [`Store::lease`](crate::Store::lease) says. It blocks.
    ///
    /// # Errors
    /// The store failed.
    ///
    /// # Panics
    /// The context is not served here.
    pub fn lease(
        &self,
        context: &str,
        name: &str,
        holder: Uuid,
        time: Duration,
    ) -> Result<Option<u64>, StoreError> {
        let served = self.in_process.served.get(context).expect("the context is served by this bus");
        served.store.lease(name, holder, time.as_millis() as u64, now_ms())
    }

    /// The contexts' logs.
    pub fn events(&self) -> Arc<dyn EventSource> {
        self.in_process.clone()
    }

    /// Handlers that go on after their timeout and do not yield, so that they cannot be ended: a defect of
    /// theirs. Their own lane waits, others go on. Each is in the log once, too.
    pub fn blocked_handlers(&self) -> Vec<BlockedHandler> {
        let watches = self.watches.lock().unwrap_or_else(PoisonError::into_inner);
        watches.iter().filter_map(|watch| watch.blocked()).collect()
    }

    /// Accepts no more commands, stores those that are being accepted, and ends every lane after the message it
    /// is at, or so long after; what is in the inboxes stays there. Whether all have ended.
    pub fn stop(&self, timeout: Duration) -> bool {
        self.threads.stop();
        #[cfg(feature = "rabbitmq")]
        self.connected.stop();
        for served in self.in_process.served.values() {
            served.close();
            served.commands.ring();
            served.events.ring();
        }
        self.in_process.logs.ring();
        let have_ended = self.threads.wait(timeout);
        if have_ended && !self.has_ended.swap(true, Ordering::AcqRel) {
            self.end_serving();
        }
        have_ended
    }

    /// Whoever serves the contexts next need not look for a message that ended this process.
    fn end_serving(&self) {
        for (context, place) in &self.places {
            if let Err(error) = place.store.end_serving() {
                tracing::warn!(context, %error, "the store does not know that this process ends as it should");
            }
        }
    }
}

impl Drop for Bus {
    fn drop(&mut self) {
        self.stop(Duration::from_secs(5));
    }
}

impl EventSource for Bus {
    fn contexts(&self) -> Vec<String> {
        self.in_process.contexts()
    }

    fn look(
        &self,
        context: &str,
        position: u64,
        limit: usize,
        names: Option<&[&str]>,
    ) -> Result<LogPage, StoreError> {
        self.in_process.look(context, position, limit, names)
    }

    fn head(&self, context: &str) -> Result<u64, StoreError> {
        self.in_process.head(context)
    }

    fn wait_beyond(&self, context: &str, position: u64, timeout: Duration) -> bool {
        self.in_process.wait_beyond(context, position, timeout)
    }
}

/// The time in ms since the UNIX epoch.
pub(crate) fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}
