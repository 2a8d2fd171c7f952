//! Hears what others say on a broker, and numbers it.
//!
//! A gateway makes documents of numbered logs. What .NET services publish has no numbers, and neither has what
//! becomes of commands that they carry out; so it is appended, once a message, to a log of its own, the context
//! [`HEARD`], which projections read like any other. Copies of commands stand in it, too: whoever carries a command
//! out may be away, and it shows as accepted all the same.
//!
//! What becomes of commands of contexts whose own logs are read, those logs say: of such a command nothing stands
//! here but, until its context has it, that it was seen. Such a command still says that one of another service was
//! carried out, where that has caused it: as where a .NET handler commands Orchard in its turn.
//!
//! All processes that listen share one queue, which the broker gives to one of them at a time, so that what follows
//! from a command never comes before it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use broker::backoff::Backoff;
use broker::{Acknowledgement, BrokerError, Connection};
pub use tick_sdk::contracts::bus::HEARD;
use tick_sdk::contracts::{CommandId, KnownCommand};

use super::convert;
use super::session::Session;
use crate::store::Store;
use crate::transport::InProcess;
use crate::wire::{Incoming, Reader, Topology};
use heard::Heard;

mod forgetting;
mod heard;
mod told;

pub(crate) use forgetting::keep_forgetting;
pub(crate) use told::Told;

/// The tables of the log of what was heard: which messages were heard before, so that each is appended once, and
/// where they stand in the log.
pub const HEARD_TABLES: &str = "
CREATE TABLE IF NOT EXISTS message (
    id BLOB NOT NULL,
    kind INTEGER NOT NULL,
    heard_ms INTEGER NOT NULL,
    position INTEGER,
    PRIMARY KEY (id, kind)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS message_heard ON message (kind, heard_ms);
";

/// So many deliveries share one commit.
const BATCH: usize = 500;
/// So many are on their way at most.
const PREFETCH: u16 = 1_000;
/// Between looks whether the queue is consumed still, and whether other endpoints are there by now.
const LOOK: Duration = Duration::from_secs(5);
/// After an error of its store it is tried again so late.
const AFTER_ERROR: Duration = Duration::from_secs(1);

/// What is listened to, and where it is written.
#[derive(Clone)]
pub struct Listening {
    /// The log's store, with [`HEARD_TABLES`].
    pub store: Arc<dyn Store>,
    /// The queue that all who listen share.
    pub queue: String,
    /// Endpoints of others whose commands are followed, beside those that the program has contracts of; each from then
    /// on that it has a queue.
    pub endpoints: Vec<String>,
    /// The contexts whose own logs are read: what becomes of their commands, and their events, stand there. Their
    /// endpoints are declared where they are missing.
    pub readable: Vec<String>,
}

impl Listening {
    /// Listens by the queue `orchard-gateway`.
    pub fn new(store: Arc<dyn Store>, readable: Vec<String>) -> Self {
        Self { store, queue: "orchard-gateway".to_owned(), endpoints: Vec::new(), readable }
    }
}

/// Consumes the queue of those who listen.
pub(super) struct Listener {
    listening: Listening,
    session: Arc<Session>,
    /// Where the log is read in this process.
    in_process: Arc<InProcess>,
    reader: Reader,
}

impl Listener {
    pub(super) fn new(listening: Listening, session: Arc<Session>, in_process: Arc<InProcess>) -> Self {
        session.note_endpoint(&listening.queue, Some(super::CONNECTING.to_owned()));
        let reader = Reader::listening();
        let reader = if session.options.takes_raw_json { reader.with_raw_json() } else { reader };
        Self { listening, session, in_process, reader }
    }

    /// Listens until the bus stops, again after whatever ends it.
    pub(super) async fn run(self) {
        let mut backoff = Backoff::default();
        let queue = &self.listening.queue;
        while let Some(connection) = self.session.connection().await {
            let Err(error) = self.consume(&connection, &mut backoff).await else { return };
            let reason = error.to_string();
            tracing::warn!(queue, %reason, "what others say is not heard; it is tried again");
            self.session.note_endpoint(queue, Some(reason));
            self.session.pause(backoff.next_wait()).await;
            if self.session.is_stopping() {
                return;
            }
        }
    }

    async fn consume(&self, connection: &Arc<Connection>, backoff: &mut Backoff) -> Result<(), BrokerError> {
        let own = self.listening.readable.iter().map(String::as_str);
        let topology = Topology::listening(&self.listening.queue, own, self.session.options.queue);
        self.session.declare(connection, &topology).await?;
        let mut others = self.others();
        self.follow(connection, &mut others).await?;
        let channel = connection.open_channel().await?;
        channel.set_prefetch(PREFETCH).await?;
        let mut consumer = channel.consume(&self.listening.queue, Acknowledgement::Explicit).await?;
        self.session.note_endpoint(&self.listening.queue, None);
        let mut followed = Instant::now();
        loop {
            if !others.is_empty() && followed.elapsed() >= LOOK {
                self.follow(connection, &mut others).await?;
                followed = Instant::now();
            }
            let first = tokio::select! {
                next = consumer.next(LOOK) => next?,
                () = self.session.stopped() => return Ok(()),
            };
            let Some(first) = first else {
                if channel.is_open() {
                    continue;
                }
                let (url, reason) = (self.session.url(), "the channel was closed".to_owned());
                return Err(BrokerError::Lost { url, reason });
            };
            backoff.reset();
            let mut batch = vec![first];
            while batch.len() < BATCH
                && let Some(next) = consumer.next(Duration::ZERO).await?
            {
                batch.push(next);
            }
            let last = batch.last().map_or(0, |last| last.tag);
            let heard = batch.into_iter().flat_map(|delivery| self.hear(delivery)).flatten().collect();
            if self.write(heard).await.is_none() {
                return Ok(());
            }
            channel.ack_up_to(last).await?;
        }
    }

    /// Endpoints that others serve.
    fn others(&self) -> BTreeSet<String> {
        let of_contracts = KnownCommand::all().into_iter().map(|command| command.endpoint.to_owned());
        let all = of_contracts.chain(self.listening.endpoints.iter().cloned());
        all.filter(|endpoint| !self.listening.readable.contains(endpoint)).collect()
    }

    /// Gets copies of what goes to endpoints that are there by now, and leaves the others: a copy alone must not make
    /// a command count as delivered.
    async fn follow(
        &self,
        connection: &Arc<Connection>,
        others: &mut BTreeSet<String>,
    ) -> Result<(), BrokerError> {
        for endpoint in others.clone() {
            // The broker closes a channel by which it is asked for what is not there.
            let channel = connection.open_channel().await?;
            match channel.inspect_queue(&endpoint).await {
                Err(BrokerError::NotFound { .. }) => continue,
                Ok(_) | Err(BrokerError::Locked { .. } | BrokerError::Refused { .. }) => {}
                Err(error) => return Err(error),
            }
            if channel.is_open() {
                channel.close().await?;
            }
            let mut copies = Topology::default();
            copies.consumes(&self.listening.queue, &endpoint);
            self.session.declare(connection, &copies).await?;
            others.remove(&endpoint);
        }
        Ok(())
    }

    /// What there is to write down of a delivery. A message of no command and no event says nothing to anybody here;
    /// its own endpoint has it.
    fn hear(&self, delivery: broker::Delivery) -> [Option<Heard>; 2] {
        let is_readable = |context: &str| self.listening.readable.iter().any(|known| known == context);
        let heard = match self.reader.read(convert::delivery(delivery), CommandId::new()) {
            Incoming::Command(incoming) => {
                let is_followed = !is_readable(&incoming.command.endpoint);
                let causes = Heard::causes(&incoming.command);
                return [causes, Some(Heard::command(incoming.command, is_followed))];
            }
            Incoming::Event(event) => {
                let log = event.log.as_ref();
                (!log.is_some_and(|log| is_readable(&log.context))).then(|| Heard::event(event))
            }
            Incoming::Fault(fault) => {
                let is_told = fault.endpoint.as_deref().is_some_and(is_readable);
                if is_told { None } else { Heard::fault(fault) }
            }
            Incoming::Request(_) | Incoming::Skipped(_) => None,
            Incoming::Unreadable { delivery, reason } => {
                let id = &delivery.properties.message_id;
                tracing::warn!(message = ?id, %reason, "what was heard cannot be read, and is left out");
                None
            }
        };
        [heard, None]
    }

    /// Appends it, however long the store is away; `None` once the bus stops.
    async fn write(&self, heard: Vec<Heard>) -> Option<()> {
        if heard.is_empty() {
            return Some(());
        }
        let heard: Arc<[Heard]> = heard.into();
        loop {
            let (store, batch) = (self.listening.store.clone(), heard.clone());
            let writing =
                tokio::task::spawn_blocking(move || heard::append(&*store, &batch, crate::running::now_ms()));
            let error = match writing.await {
                Ok(Ok(())) => {
                    // The store wakes other processes only.
                    if let Some(bell) = self.in_process.logs.bell(HEARD) {
                        bell.ring();
                    }
                    return Some(());
                }
                Ok(Err(error)) => error.to_string(),
                Err(panicked) => panicked.to_string(),
            };
            let waiting = heard.len();
            tracing::error!(%error, waiting, "what was heard cannot be written down; it is tried again");
            self.session.pause(AFTER_ERROR).await;
            if self.session.is_stopping() {
                return None;
            }
        }
    }
}
