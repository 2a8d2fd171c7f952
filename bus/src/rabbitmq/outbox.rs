//! Sends on what transactions have left for the broker: faults, copies for error queues, commands of handlers.

use std::sync::Arc;

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
use crate::wire::{Delivery, Incoming, InvalidBytes, Publication, Reader};

/// The lease's name.
const OUTBOX: &str = "outbox";
/// A store that another process writes to is looked at so often.
const LOOK_MS: u64 = 1_000;
/// So many messages are on their way at once.
const BATCH: usize = 256;

/// The outbox of one context, which one process at a time empties.
pub(crate) struct Outbox {
    place: Place,
    session: Arc<Session>,
    runtime: Handle,
    holder: Uuid,
    leased_to_ms: u64,
}

impl Outbox {
    pub(crate) fn new(place: Place, session: Arc<Session>, runtime: Handle) -> Self {
        Self { place, session, runtime, holder: Uuid::new_v4(), leased_to_ms: 0 }
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
        let delivered = self.runtime.block_on(async {
            self.session.spend(publications.len()).await;
            self.session.deliver(publications.clone()).await
        });
        // The bus stops: what is there is sent after the next start.
        let Some(outcomes) = delivered else { return Ok(Step::Idle(None)) };
        let mut nobody = Vec::new();
        for (publication, outcome) in publications.into_iter().zip(outcomes) {
            match outcome {
                Ok(Outcome::Confirmed) => {}
                Ok(Outcome::Returned) | Err(BrokerError::NotFound { .. })
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
