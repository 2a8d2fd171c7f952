//! Sends on what transactions have left for the broker: faults, copies for error queues, commands of handlers.

use std::sync::Arc;
use std::time::{Duration, Instant};

use broker::{BrokerError, Outcome};
use tick_sdk::contracts::CommandId;
use tokio::runtime::Handle;
use uuid::Uuid;

use super::relay::{LEASE_MS, RENEW_MS};
use super::sender::is_command;
use super::session::Session;
use crate::forward::{fail_here, nobody_serves};
use crate::lane::{Place, Step};
use crate::store::{NewCommand, OutgoingMessage, StoreError};
use crate::wire::{Delivery, Incoming, InvalidBytes, Publication, Reader, Target};

/// The lease's name.
const OUTBOX: &str = "outbox";
/// A store that another process writes to is looked at so often.
const LOOK_MS: u64 = 1_000;
/// The pauses while nothing can be sent begin with this one, and are no longer than that.
const LEAST_PAUSE_MS: u64 = 20;
const MOST_PAUSE_MS: u64 = 5_000;
/// It is said again so often that something cannot be sent.
const SAY_EVERY: Duration = Duration::from_secs(60);
/// So many messages are on their way at once.
const BATCH: usize = 256;

/// The outbox of one context, which one process at a time empties.
pub(crate) struct Outbox {
    place: Place,
    session: Arc<Session>,
    runtime: Handle,
    holder: Uuid,
    leased_to_ms: u64,
    /// Where nothing could be sent, it is tried again after so long.
    pause_ms: u64,
    /// When it was said last that something cannot be sent.
    said: Option<Instant>,
}

impl Outbox {
    pub(crate) fn new(place: Place, session: Arc<Session>, runtime: Handle) -> Self {
        let holder = Uuid::new_v4();
        Self { place, session, runtime, holder, leased_to_ms: 0, pause_ms: 0, said: None }
    }

    /// Publishes what is there, and forgets it when the broker has it.
    pub(crate) fn step(&mut self, now_ms: u64) -> Result<Step, StoreError> {
        let messages = self.place.store.outgoing_messages(BATCH)?;
        let Some((last, _)) = messages.last() else { return Ok(Step::Idle(Some(now_ms + LOOK_MS))) };
        let last = *last;
        if self.leased_to_ms <= now_ms + RENEW_MS {
            let lease = self.place.store.lease(OUTBOX, self.holder, LEASE_MS, now_ms)?;
            self.leased_to_ms = if lease.is_some() { now_ms + LEASE_MS } else { 0 };
        }
        if self.leased_to_ms == 0 {
            return Ok(Step::Idle(Some(now_ms + LOOK_MS)));
        }
        let mut publications = Vec::with_capacity(messages.len());
        for (place, message) in messages {
            publications.extend(self.read(place, message)?);
        }
        let mut outcomes = vec![None; publications.len()];
        let delivered = self.runtime.block_on(async {
            self.session.spend(publications.len()).await;
            self.session.deliver_once(&publications, &mut outcomes).await
        });
        // The bus stops: what is there is sent after the next start.
        if delivered.is_none() {
            return Ok(Step::Idle(None));
        }
        let count = publications.len();
        let (mut nobody, mut left) = (Vec::new(), Vec::new());
        for (publication, outcome) in publications.into_iter().zip(outcomes) {
            let is_moved = matches!(publication.target, Target::Moved { .. });
            match outcome {
                Some(Ok(Outcome::Confirmed)) => {}
                None => left.push(publication),
                Some(outcome) if is_moved => {
                    self.note_obstacle(&publication, &format!("{outcome:?}"));
                    left.push(publication);
                }
                Some(Ok(Outcome::Returned) | Err(BrokerError::NotFound { .. }))
                    if is_command(&publication.target) =>
                {
                    nobody.extend(command_of(publication));
                }
                outcome => {
                    let exchange = publication.target.exchange();
                    tracing::warn!(context = %self.place.context, %exchange, ?outcome,
                        "a message was dropped: nobody is there for it, or the broker does not take it");
                }
            }
        }
        if left.len() == count && count > 0 {
            if let Some(first) = left.first() {
                self.note_obstacle(first, "its queue takes nothing, or the broker is away");
            }
            return Ok(Step::Idle(Some(now_ms + self.next_pause())));
        }
        if left.is_empty() {
            self.pause_ms = 0;
        } else {
            // Others do not wait for them: they are tried again after all that is there.
            self.put_back(left)?;
        }
        if !nobody.is_empty() {
            fail_here(&self.place, nobody, now_ms, |command| nobody_serves(&command.endpoint))?;
        }
        self.place.store.forget_outgoing_messages(last)?;
        Ok(Step::Worked(0))
    }

    /// Lets another process empty it.
    pub(crate) fn release(&mut self, now_ms: u64) -> Result<(), StoreError> {
        if self.leased_to_ms > now_ms {
            self.place.store.lease(OUTBOX, self.holder, 0, now_ms)?;
        }
        Ok(())
    }

    fn put_back(&self, left: Vec<Publication>) -> Result<(), StoreError> {
        let messages: Vec<OutgoingMessage> = left.into_iter().map(OutgoingMessage::from).collect();
        let mut transaction = self.place.store.begin()?;
        transaction.send_messages(&messages)?;
        transaction.commit()
    }

    /// Says now and then what cannot be sent.
    fn note_obstacle(&mut self, publication: &Publication, reason: &str) {
        if self.said.is_some_and(|said| said.elapsed() < SAY_EVERY) {
            return;
        }
        self.said = Some(Instant::now());
        let (context, exchange) = (&self.place.context, publication.target.exchange());
        tracing::error!(%context, %exchange, message = ?publication.properties.message_id, reason,
            "a message cannot be sent; it is kept, and tried again");
    }

    fn next_pause(&mut self) -> u64 {
        self.pause_ms = (self.pause_ms * 2).clamp(LEAST_PAUSE_MS, MOST_PAUSE_MS);
        self.pause_ms
    }

    /// `None`: it is damaged, and of no use to anybody.
    fn read(&self, place: u64, message: OutgoingMessage) -> Result<Option<Publication>, StoreError> {
        match Publication::try_from(message) {
            Ok(publication) => Ok(Some(publication)),
            // Another version of this program sends it.
            Err(error @ InvalidBytes::Version { .. }) => {
                Err(StoreError::Damaged { place: self.place.context.clone(), what: error.to_string() })
            }
            Err(error) => {
                tracing::error!(context = %self.place.context, place, %error, "a message for the broker is dropped");
                Ok(None)
            }
        }
    }
}

/// The command in a message that came back.
fn command_of(publication: Publication) -> Option<NewCommand> {
    let Publication { target, properties, body } = publication;
    let endpoint = target.exchange();
    let delivery = Delivery { exchange: endpoint.clone(), key: String::new(), properties, body };
    match Reader::listening().read(delivery, CommandId::new()) {
        Incoming::Command(incoming) => Some(NewCommand { endpoint, ..incoming.command }),
        _ => None,
    }
}
