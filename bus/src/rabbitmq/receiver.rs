//! Takes what comes to an endpoint's queue to its handlers, or into its context's inbox.
//!
//! What comes for the first time goes to its handler's lane, which handles it in the transaction that accepts it, and
//! is acknowledged then. Into the inbox goes what has come before, what was put back from an error queue, and what a lane
//! has no room for or cannot end at once; it is acknowledged as soon as it stands there.

use std::sync::Arc;

use broker::backoff::Backoff;
use broker::{Acknowledgement, BrokerError, Channel, Connection, Consumer};
use tick_sdk::contracts::CommandId;

use super::responder::Responders;
use super::session::Session;
use super::{convert, sender};
use crate::store::NewCommand;
use crate::transport::InProcess;
use crate::wire::{Failure, Incoming, IncomingRequest, Publication, Reader, Stamp, Topology, Writer};
use consuming::Consuming;
use inbox::Inbox;
use requeue::requeue;

mod acks;
mod answering;
mod consuming;
mod inbox;
mod moving;
mod requeue;

/// Consumes one endpoint's queue.
pub(super) struct Receiver {
    endpoint: String,
    session: Arc<Session>,
    responders: Responders,
    reader: Reader,
    writer: Writer,
    topology: Topology,
    in_process: Arc<InProcess>,
    /// Where commands go; an endpoint that only answers has none.
    inbox: Option<Inbox>,
}

/// What there is to do about a delivery.
enum ToDo {
    /// A command for its handler.
    Command(Box<NewCommand>),
    /// A command that came before, or has no handler of its own.
    Inbox(Box<NewCommand>),
    Request(Box<IncomingRequest>),
    Move(Vec<Publication>),
    Nothing,
}

impl Receiver {
    pub(super) fn new(
        endpoint: &str,
        session: Arc<Session>,
        in_process: &Arc<InProcess>,
        responders: Responders,
    ) -> Self {
        // From now on: nobody shall take it for one that is consumed.
        session.note_endpoint(endpoint, Some(super::CONNECTING.to_owned()));
        let options = &session.options;
        let reader = Reader::of_endpoint(endpoint);
        let reader = if options.takes_raw_json { reader.with_raw_json() } else { reader };
        let writer = sender::writer(&session.home, endpoint);
        let topology = Topology::of(&[endpoint], options.queue);
        let in_process = in_process.clone();
        let inbox = in_process
            .served
            .contains_key(endpoint)
            .then(|| Inbox::new(endpoint, in_process.clone(), session.clone(), writer.clone()));
        Self {
            endpoint: endpoint.to_owned(),
            session,
            responders,
            reader,
            writer,
            topology,
            in_process,
            inbox,
        }
    }

    /// Consumes until the bus stops, again after whatever ends it.
    pub(super) async fn run(self) {
        let receiver = Arc::new(self);
        let (session, endpoint) = (&receiver.session, receiver.endpoint.as_str());
        let mut backoff = Backoff::default();
        while let Some(connection) = session.connection().await {
            let Err(error) = receiver.consume(&connection, &mut backoff).await else { return };
            let reason = error.to_string();
            tracing::warn!(endpoint, %reason, "an endpoint's queue is consumed no more; it is tried again");
            session.note_endpoint(endpoint, Some(reason));
            session.pause(backoff.next_wait()).await;
            if session.is_stopping() {
                return;
            }
        }
    }

    /// Consumes until the bus stops.
    async fn consume(
        self: &Arc<Self>,
        connection: &Arc<Connection>,
        backoff: &mut Backoff,
    ) -> Result<(), BrokerError> {
        let (channel, consumer) = tokio::select! {
            subscribed = self.subscribe(connection) => subscribed?,
            () = self.session.stopped() => return Ok(()),
        };
        tracing::info!(endpoint = self.endpoint, "an endpoint's queue is consumed");
        self.session.note_endpoint(&self.endpoint, None);
        Consuming::new(self.clone(), channel).run(consumer, backoff).await
    }

    async fn subscribe(&self, connection: &Arc<Connection>) -> Result<(Channel, Consumer), BrokerError> {
        self.session.declare(connection, &self.topology).await?;
        let channel = connection.open_channel().await?;
        channel.set_prefetch(self.session.options.prefetch.max(1)).await?;
        let consumer = channel.consume(&self.endpoint, Acknowledgement::Explicit).await?;
        Ok((channel, consumer))
    }

    fn read(&self, delivery: broker::Delivery) -> ToDo {
        let endpoint = self.endpoint.as_str();
        let is_again = delivery.is_redelivered;
        let delivery = convert::delivery(delivery);
        let is_again = is_again || delivery.was_moved();
        match self.reader.read(delivery, CommandId(crate::ids::next())) {
            Incoming::Command(incoming) if is_again => ToDo::Inbox(Box::new(incoming.command)),
            Incoming::Command(incoming) => ToDo::Command(Box::new(incoming.command)),
            Incoming::Request(request) => ToDo::Request(request),
            Incoming::Skipped(delivery) => {
                if self.inbox.is_some()
                    && let Some(command) = requeue(endpoint, &delivery)
                {
                    return ToDo::Inbox(Box::new(command));
                }
                let (id, exchange) = (&delivery.properties.message_id, &delivery.exchange);
                tracing::warn!(endpoint, message = ?id, %exchange,
                    "nobody handles messages of this type here: it is moved to {endpoint}_skipped");
                ToDo::Move(vec![self.writer.skipped(delivery)])
            }
            Incoming::Unreadable { delivery, reason } => {
                let id = &delivery.properties.message_id;
                tracing::warn!(endpoint, message = ?id, %reason,
                    "a message cannot be read: it is moved to {endpoint}_error");
                let (failure, stamp) =
                    (Failure::of_unreadable(&reason), Stamp::new(crate::running::now_ms()));
                let mut moved = Vec::new();
                match self.writer.receive_fault(&delivery, &failure, stamp) {
                    Ok(fault) => moved.push(fault),
                    Err(error) => tracing::error!(endpoint, %error, "a ReceiveFault could not be written"),
                }
                moved.push(self.writer.error(delivery, None, &failure, stamp));
                ToDo::Move(moved)
            }
            // An endpoint's reader gives neither.
            Incoming::Event(_) | Incoming::Fault(_) => ToDo::Nothing,
        }
    }
}
