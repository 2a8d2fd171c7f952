//! Takes what comes to an endpoint's queue into its context's inbox.

use std::sync::Arc;
use std::time::Duration;

use broker::backoff::Backoff;
use broker::{Acknowledgement, BrokerError, Channel, Connection, Consumer};
use tick_sdk::contracts::CommandId;

use super::responder::Responders;
use super::session::Session;
use super::{convert, sender};
use crate::transport::InProcess;
use crate::wire::{Failure, Incoming, IncomingRequest, Publication, Reader, Stamp, Topology, Writer};
use inbox::Inbox;
use requeue::requeue;

mod inbox;
mod requeue;

/// So many deliveries share one commit.
const BATCH: usize = 500;
/// So many bytes of them do.
const BATCH_BYTES: usize = 8 << 20;
/// Between looks whether a queue from which nothing comes is consumed still.
const LOOK: Duration = Duration::from_secs(5);
/// A request is answered within this time, or not at all.
const LONGEST_ANSWER: Duration = Duration::from_secs(10);

/// Consumes one endpoint's queue.
pub(super) struct Receiver {
    endpoint: String,
    session: Arc<Session>,
    responders: Responders,
    reader: Reader,
    writer: Writer,
    topology: Topology,
    /// Where commands go; an endpoint that only answers has none.
    inbox: Option<Inbox>,
}

/// What there is to do about deliveries that came together.
#[derive(Default)]
struct Work {
    commands: Vec<crate::store::NewCommand>,
    requests: Vec<IncomingRequest>,
    moved: Vec<Publication>,
}

impl Receiver {
    pub(super) fn new(
        endpoint: &str,
        session: Arc<Session>,
        in_process: &Arc<InProcess>,
        responders: Responders,
    ) -> Self {
        let options = &session.options;
        let reader = Reader::of_endpoint(endpoint);
        let reader = if options.takes_raw_json { reader.with_raw_json() } else { reader };
        let writer = sender::writer(&session.home, endpoint);
        let topology = Topology::of(&[endpoint], options.queue);
        let inbox = in_process
            .served
            .contains_key(endpoint)
            .then(|| Inbox::new(endpoint, in_process.clone(), session.clone(), writer.clone()));
        Self { endpoint: endpoint.to_owned(), session, responders, reader, writer, topology, inbox }
    }

    /// Consumes until the bus stops, again after whatever ends it.
    pub(super) async fn run(self) {
        let mut backoff = Backoff::default();
        self.session.note_endpoint(&self.endpoint, Some("it is being connected to".to_owned()));
        while let Some(connection) = self.session.connection().await {
            let Err(error) = self.consume(&connection, &mut backoff).await else { return };
            let reason = error.to_string();
            tracing::warn!(endpoint = self.endpoint, %reason, "an endpoint's queue is consumed no more; it is tried again");
            self.session.note_endpoint(&self.endpoint, Some(reason));
            self.session.pause(backoff.next_wait()).await;
            if self.session.is_stopping() {
                return;
            }
        }
    }

    /// Consumes until the bus stops.
    async fn consume(&self, connection: &Arc<Connection>, backoff: &mut Backoff) -> Result<(), BrokerError> {
        let (channel, mut consumer) = tokio::select! {
            subscribed = self.subscribe(connection) => subscribed?,
            () = self.session.stopped() => return Ok(()),
        };
        tracing::info!(endpoint = self.endpoint, "an endpoint's queue is consumed");
        self.session.note_endpoint(&self.endpoint, None);
        loop {
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
            let mut bytes = first.body.len();
            let mut batch = vec![first];
            while batch.len() < BATCH && bytes < BATCH_BYTES {
                let Some(next) = consumer.next(Duration::ZERO).await? else { break };
                bytes += next.body.len();
                batch.push(next);
            }
            let last = batch.last().map_or(0, |last| last.tag);
            // What is not acknowledged when the bus stops comes again, and is known then.
            if self.take(batch).await.is_none() {
                return Ok(());
            }
            channel.ack_up_to(last).await?;
        }
    }

    async fn subscribe(&self, connection: &Arc<Connection>) -> Result<(Channel, Consumer), BrokerError> {
        self.session.declare(connection, &self.topology).await?;
        let channel = connection.open_channel().await?;
        channel.set_prefetch(self.session.options.prefetch.max(1)).await?;
        let consumer = channel.consume(&self.endpoint, Acknowledgement::Explicit).await?;
        Ok((channel, consumer))
    }

    /// Does what there is to do before they are acknowledged; `None` once the bus stops.
    async fn take(&self, batch: Vec<broker::Delivery>) -> Option<()> {
        let mut work = Work::default();
        for delivery in batch {
            self.read(delivery, &mut work);
        }
        if let Some(inbox) = &self.inbox {
            inbox.put(work.commands, &mut work.moved).await?;
        }
        if !work.moved.is_empty() {
            self.session.spend(work.moved.len()).await;
            for outcome in self.session.deliver(work.moved).await? {
                if let Err(error) = outcome {
                    tracing::error!(endpoint = self.endpoint, %error, "a message could not be moved, and is lost");
                }
            }
        }
        let answering = work.requests.iter().map(|request| self.answer(request));
        futures_util::future::join_all(answering).await;
        Some(())
    }

    fn read(&self, delivery: broker::Delivery, work: &mut Work) {
        let endpoint = self.endpoint.as_str();
        match self.reader.read(convert::delivery(delivery), CommandId::new()) {
            Incoming::Command(incoming) => work.commands.push(incoming.command),
            Incoming::Request(request) => work.requests.push(*request),
            Incoming::Skipped(delivery) => {
                if self.inbox.is_some()
                    && let Some(command) = requeue(endpoint, &delivery)
                {
                    work.commands.push(command);
                    return;
                }
                let (id, exchange) = (&delivery.properties.message_id, &delivery.exchange);
                tracing::warn!(endpoint, message = ?id, %exchange,
                    "nobody handles messages of this type here: it is moved to {endpoint}_skipped");
                work.moved.push(self.writer.skipped(delivery));
            }
            Incoming::Unreadable { delivery, reason } => {
                let id = &delivery.properties.message_id;
                tracing::warn!(endpoint, message = ?id, %reason,
                    "a message cannot be read: it is moved to {endpoint}_error");
                let (failure, stamp) =
                    (Failure::of_unreadable(&reason), Stamp::new(crate::running::now_ms()));
                match self.writer.receive_fault(&delivery, &failure, stamp) {
                    Ok(fault) => work.moved.push(fault),
                    Err(error) => tracing::error!(endpoint, %error, "a ReceiveFault could not be written"),
                }
                work.moved.push(self.writer.error(delivery, None, &failure, stamp));
            }
            // An endpoint's reader gives neither.
            Incoming::Event(_) | Incoming::Fault(_) => {}
        }
    }

    /// Answers a request, if whoever asked is there to hear it.
    async fn answer(&self, request: &IncomingRequest) {
        let (endpoint, name) = (self.endpoint.as_str(), request.name);
        let Some(publication) = self.answer_to(request).await else { return };
        self.session.spend(1).await;
        let Ok(publisher) = self.session.publisher() else {
            tracing::warn!(endpoint, request = name, "an answer was dropped: the broker takes nothing");
            return;
        };
        if let Err(error) = self.session.publish_now(&publisher, publication, LONGEST_ANSWER).await {
            tracing::info!(endpoint, request = name, %error, "an answer was dropped: nobody waits for it any more");
        }
    }

    async fn answer_to(&self, request: &IncomingRequest) -> Option<Publication> {
        let (endpoint, name) = (self.endpoint.as_str(), request.name);
        let reason = match self.responders.find(endpoint, name) {
            None => format!("nobody answers {name} in this process"),
            Some(respond) => {
                let (request, writer) = (request.clone(), self.writer.clone());
                let stamp = Stamp::new(crate::running::now_ms());
                let answering = tokio::task::spawn_blocking(move || respond(&request, &writer, stamp));
                match tokio::time::timeout(LONGEST_ANSWER, answering).await {
                    Ok(Ok(Ok(publication))) => return Some(publication),
                    Ok(Ok(Err(no_answer))) => no_answer.reason,
                    Ok(Err(panicked)) => format!("whoever answers {name} panicked: {panicked}"),
                    Err(_) => format!("{name} was not answered within {} s", LONGEST_ANSWER.as_secs()),
                }
            }
        };
        tracing::warn!(endpoint, request = name, %reason, "a request is not answered");
        let failure = Failure::of_handler(name, &reason, 1);
        match self.writer.fault_of_request(request, &failure, Stamp::new(crate::running::now_ms())) {
            Ok(fault) => Some(fault),
            Err(error) => {
                tracing::error!(endpoint, request = name, %error, "a fault could not be written");
                None
            }
        }
    }
}
