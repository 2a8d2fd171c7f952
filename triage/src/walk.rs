//! A walk along a queue, page by page: what is got, and how it is given back.

use broker::{BrokerError, Channel, Connection, Delivery, Message, Outcome};
use futures_util::stream::FuturesOrdered;
use futures_util::{StreamExt, future};

use crate::error::TriageError;
use crate::queues::FailedQueue;
use crate::reading::{CARBON_COPY, DELIVERY_COUNT};

/// A page has so many messages at most.
pub const PAGE: usize = 200;
/// A page ends with the message that reaches this size.
pub const PAGE_BYTES: usize = 16 << 20;

/// A page of a quorum queue has fewer. The broker hands on 32 acknowledgements of a channel at once, and keeps what
/// comes beyond them until these are done; should the channel close before, it forgets them and returns the messages
/// (tried on RabbitMQ 3.10). To get the next page waits for those of the one before.
const QUORUM_PAGE: usize = 16;

/// So many messages a broker puts back within moments. Of more, whose return takes it seconds, nobody waits for the end.
const RETURNED_AT_ONCE: usize = 1_000;
/// So many messages are asked for at once.
const AT_ONCE: usize = 16;

/// What is published somewhere, with an answer each.
pub(crate) struct Publication<'a> {
    /// Empty for the default exchange.
    pub(crate) exchange: &'a str,
    pub(crate) key: &'a str,
    pub(crate) message: Message<'a>,
}

/// One walk. When it ends, however it ends, what was got and not acknowledged is back in its queue.
pub(crate) struct Walk<'a> {
    connection: &'a Connection,
    queue: &'a str,
    /// It gets and acknowledges, and is never refused anything.
    holding: Channel,
    /// It publishes; a refusal closes it.
    publishing: Channel,
    /// Got to know that everything is back, and not looked at yet.
    first: Option<Delivery>,
    /// So many messages are not looked at yet: what is put back at the queue's end is not looked at twice.
    left: u64,
    /// So many were got.
    got: usize,
    /// `None` until it is known, by the management API or by the first message.
    is_quorum: Option<bool>,
}

impl<'a> Walk<'a> {
    /// Begins at the first message; `None` if the queue is not there any more.
    pub(crate) async fn begin(
        connection: &'a Connection,
        queue: &'a FailedQueue,
        scan: u64,
    ) -> Result<Option<Self>, TriageError> {
        if let Some(limit) = queue.delivery_limit.filter(|limit| *limit < 1) {
            return Err(TriageError::Unsafe { queue: queue.name.clone(), limit });
        }
        let (holding, asking) = (connection.open_channel().await?, connection.open_channel().await?);
        // What a walk before this one has returned is put back in its turn, which a count does not wait for: a
        // message that is asked for does.
        let first = match holding.get(&queue.name).await {
            Err(BrokerError::NotFound { .. }) => return Ok(None),
            first => first?,
        };
        let status = match asking.inspect_queue(&queue.name).await {
            Err(BrokerError::NotFound { .. }) => return Ok(None),
            status => status?,
        };
        let left = u64::from(status.messages) + u64::from(first.is_some());
        Ok(Some(Self {
            connection,
            queue: &queue.name,
            holding,
            publishing: asking,
            first,
            left: left.min(scan),
            got: 0,
            is_quorum: queue.queue_type.as_deref().map(|kind| kind == "quorum"),
        }))
    }

    /// The next messages; empty at the end. Each is to be acknowledged, or put back.
    pub(crate) async fn page(&mut self) -> Result<Vec<Delivery>, TriageError> {
        let most = if self.is_quorum == Some(false) { PAGE } else { QUORUM_PAGE };
        let wanted = usize::try_from(self.left).unwrap_or(usize::MAX).min(most);
        let mut page: Vec<_> = self.first.take_if(|_| wanted > 0).into_iter().collect();
        let mut bytes = page.iter().map(|one| one.body.len()).sum();
        let mut asked = page.len();
        let mut answers = FuturesOrdered::new();
        loop {
            while asked < wanted && bytes < PAGE_BYTES && answers.len() < AT_ONCE {
                answers.push_back(self.holding.get(self.queue));
                asked += 1;
            }
            let Some(answer) = answers.next().await else { break };
            match answer? {
                Some(delivery) => {
                    bytes += delivery.body.len();
                    page.push(delivery);
                }
                // Whoever else takes messages was faster.
                None => bytes = PAGE_BYTES,
            }
        }
        self.got += page.len();
        self.left = if page.is_empty() { 0 } else { self.left - page.len() as u64 };
        // A quorum queue says this with every message, once it was returned at the latest.
        let is_counted = page.iter().any(|one| one.properties.headers.get(DELIVERY_COUNT).is_some());
        self.is_quorum = Some(self.is_quorum == Some(true) || is_counted);
        Ok(page)
    }

    /// Puts messages of a page back. Those of a classic queue stay taken until the walk ends, and are back in
    /// their places then.
    pub(crate) async fn put_back(&mut self, deliveries: &[&Delivery]) -> Result<(), TriageError> {
        if self.is_quorum != Some(true) {
            return Ok(());
        }
        // A copy of one that names other queues would go there, too: it is returned when the walk ends.
        let copied = deliveries.iter().filter(|one| one.properties.headers.get(CARBON_COPY).is_none());
        let copied: Vec<&Delivery> = copied.copied().collect();
        let copies = copied.iter().map(|delivery| Publication {
            exchange: "",
            key: self.queue,
            message: copy(delivery, |name| name == DELIVERY_COUNT),
        });
        let outcomes = self.publish(copies.collect()).await?;
        for (delivery, outcome) in copied.into_iter().zip(outcomes) {
            if let Some(reason) = refusal(&outcome) {
                return Err(TriageError::NotRenewed { queue: self.queue.to_owned(), reason });
            }
            self.acknowledge(delivery).await?;
        }
        Ok(())
    }

    /// Publishes, mandatory, and waits for each confirm. What the broker refuses with an error closes the channel
    /// for the others of the same call, too.
    pub(crate) async fn publish(
        &mut self,
        publications: Vec<Publication<'_>>,
    ) -> Result<Vec<Result<Outcome, BrokerError>>, TriageError> {
        if publications.is_empty() {
            return Ok(Vec::new());
        }
        if !self.publishing.is_open() {
            self.publishing = self.connection.open_channel().await?;
        }
        // They share one channel, which is asked to confirm once.
        self.publishing.confirm_publishes().await?;
        let channel = &self.publishing;
        let publishing = publications
            .iter()
            .map(|Publication { exchange, key, message }| channel.publish_confirmed(exchange, key, message));
        Ok(future::join_all(publishing).await)
    }

    /// The queue may forget it.
    pub(crate) async fn acknowledge(&self, delivery: &Delivery) -> Result<(), TriageError> {
        Ok(self.holding.ack(delivery.tag).await?)
    }

    /// Ends it. Unless it was a long one, everything is back when this is done.
    pub(crate) async fn end(self) -> Result<(), TriageError> {
        // Closed by its drop, it would still be closing when the connection is.
        if self.publishing.is_open() {
            self.publishing.close().await?;
        }
        if self.got <= RETURNED_AT_ONCE {
            self.holding.close().await?;
        }
        Ok(())
    }
}

/// The same message without some headers. A broker lets nobody publish under another user's name, so that is left
/// out as well.
pub(crate) fn copy(delivery: &Delivery, is_dropped: impl Fn(&str) -> bool) -> Message<'_> {
    let mut properties = delivery.properties.clone();
    properties.headers = properties.headers.without(is_dropped);
    properties.user_id = None;
    Message { body: &delivery.body, properties }
}

/// Why a message was not taken, if it was not.
pub(crate) fn refusal(outcome: &Result<Outcome, BrokerError>) -> Option<String> {
    match outcome {
        Ok(Outcome::Confirmed) => None,
        Ok(Outcome::Returned) => Some("leads to no queue".to_owned()),
        Ok(Outcome::Refused) => Some("is full, or failed".to_owned()),
        Err(error) => Some(format!("refuses it: {error}")),
    }
}
