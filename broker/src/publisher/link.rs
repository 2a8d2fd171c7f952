//! The task that owns a publisher's connection.

use std::future::poll_fn;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::channels::Unconfirmed;
use super::{Publication, PublisherState, Request};
use crate::BrokerError;
use crate::amqp::protocol::{AMQPClass, basic, channel, confirm};
use crate::amqp::{AmqpConnection, Envelope, Parts, Received};

/// With so many bytes unwritten no more messages are taken.
const MAX_UNWRITTEN: usize = 4 << 20;
/// So many messages are taken before what came is looked at.
const AT_ONCE: usize = 256;
/// Between looks at the peer's silence and ours.
const BEAT: Duration = Duration::from_millis(500);

pub(super) struct Link {
    connection: AmqpConnection,
    channels: Vec<Unconfirmed>,
    waiting: mpsc::Receiver<Request>,
    state: watch::Sender<PublisherState>,
    beat: Interval,
    /// Every handle is dropped: what waits for its confirm is waited for no more.
    is_over: bool,
}

impl Link {
    pub(super) fn new(
        mut connection: AmqpConnection,
        channels: u16,
        waiting: mpsc::Receiver<Request>,
        state: watch::Sender<PublisherState>,
    ) -> Self {
        for index in 0..channels {
            open(&mut connection, number(index));
        }
        let mut beat = interval(BEAT);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let channels = (0..channels).map(|_| Unconfirmed::default()).collect();
        Self { connection, channels, waiting, state, beat, is_over: false }
    }

    /// Publishes until every handle is dropped or the connection is lost.
    pub(super) async fn run(mut self) {
        let error = loop {
            match poll_fn(|cx| self.poll(cx)).await {
                Ok(()) => {}
                Err(error) => break error,
            }
            if self.is_over {
                self.state.send_replace(PublisherState::Lost);
                self.connection.close().await;
                return;
            }
        };
        self.state.send_replace(PublisherState::Lost);
        self.waiting.close();
        self.channels.iter_mut().for_each(|channel| channel.fail_all(&error));
        while let Ok(request) = self.waiting.try_recv() {
            let _ = request.answer.send(Err(error.clone()));
        }
    }

    /// Does what can be done; ready when something was.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BrokerError>> {
        let mut has_worked = false;
        if self.beat.poll_tick(cx).is_ready() {
            self.connection.beat()?;
            has_worked = true;
        }
        for _ in 0..AT_ONCE {
            if self.connection.unwritten_bytes() >= MAX_UNWRITTEN {
                break;
            }
            match self.waiting.poll_recv(cx) {
                Poll::Ready(Some(request)) => self.take(request),
                Poll::Ready(None) => {
                    self.is_over = self.channels.iter().all(Unconfirmed::is_empty);
                    has_worked |= self.is_over;
                    break;
                }
                Poll::Pending => break,
            }
            has_worked = true;
        }
        // It writes first, then reads.
        for _ in 0..AT_ONCE {
            match self.connection.poll_next(cx)? {
                Poll::Ready(received) => self.receive(received)?,
                Poll::Pending => break,
            }
            has_worked = true;
        }
        self.note_state();
        if has_worked { Poll::Ready(Ok(())) } else { Poll::Pending }
    }

    fn note_state(&self) {
        let state = if self.connection.is_blocked() { PublisherState::Blocked } else { PublisherState::Open };
        self.state.send_if_modified(|known| std::mem::replace(known, state) != state);
    }

    fn take(&mut self, request: Request) {
        let index = request.channel;
        let envelope = envelope(number(index), &request.publication);
        let max = self.connection.frame_max();
        let refused = |reason: String| {
            let url = self.connection.url().to_string();
            Err(BrokerError::Other { url, reason })
        };
        if envelope.size() > max {
            let reason = format!("headers of {} bytes are more than the {max} it takes", envelope.size());
            let _ = request.answer.send(refused(reason));
            return;
        }
        let Some(unconfirmed) = self.channels.get_mut(usize::from(index)) else {
            let _ = request.answer.send(refused(format!("there is no channel {index}")));
            return;
        };
        publish(&mut self.connection, &envelope, &request.publication);
        unconfirmed.push(request);
    }

    fn receive(&mut self, received: Received) -> Result<(), BrokerError> {
        use basic::AMQPMethod::{Ack, Nack};
        let (Received::Method { channel, .. }
        | Received::Delivery { channel, .. }
        | Received::Returned { channel, .. }) = &received;
        // Channel 0 is the connection's own, and it takes what comes there itself.
        let Some(index) = channel.checked_sub(1).map(usize::from).filter(|at| *at < self.channels.len())
        else {
            return Ok(());
        };
        match received {
            Received::Method { method: AMQPClass::Basic(Ack(ack)), .. } => {
                self.channels[index].resolve(ack.delivery_tag, ack.multiple, true);
            }
            Received::Method { method: AMQPClass::Basic(Nack(nack)), .. } => {
                self.channels[index].resolve(nack.delivery_tag, nack.multiple, false);
            }
            Received::Method { method: AMQPClass::Channel(channel::AMQPMethod::Close(close)), .. } => {
                self.reopen(index, &close);
            }
            Received::Returned { returned, message_id, .. } => {
                let id = message_id.as_ref().map(|id| id.as_str());
                self.channels[index].note_return(returned.exchange.as_str(), id);
            }
            Received::Method { .. } | Received::Delivery { .. } => {}
        }
        Ok(())
    }

    /// Opens a channel again that the broker closed, and publishes again what was not confirmed.
    fn reopen(&mut self, index: usize, close: &channel::Close) {
        let error = self.connection.channel_closed(close);
        let unconfirmed = &mut self.channels[index];
        let has_failed = match (&error, missing_exchange(close.reply_text.as_str())) {
            (BrokerError::NotFound { .. }, Some(exchange)) => unconfirmed.fail_exchange(exchange, &error),
            _ => false,
        };
        if !has_failed {
            tracing::warn!(%error, "the broker closed a channel by which messages are published");
            unconfirmed.fail_first(&error);
        }
        let number = index as u16 + 1;
        open(&mut self.connection, number);
        for publication in unconfirmed.begin_again() {
            publish(&mut self.connection, &envelope(number, publication), publication);
        }
    }
}

/// The exchange that the broker's message says is not there.
fn missing_exchange(text: &str) -> Option<&str> {
    text.split_once("no exchange '")?.1.split_once('\'').map(|(name, _)| name)
}

/// AMQP's channel 0 is the connection itself.
const fn number(index: u16) -> u16 {
    index.saturating_add(1)
}

/// What follows is understood in order, so no answer is waited for.
fn open(connection: &mut AmqpConnection, number: u16) {
    connection.send(number, AMQPClass::Channel(channel::AMQPMethod::Open(channel::Open {})));
    let select = confirm::Select { nowait: true };
    connection.send(number, AMQPClass::Confirm(confirm::AMQPMethod::Select(select)));
}

fn envelope(channel: u16, publication: &Publication) -> Envelope {
    let Publication { exchange, routing_key, is_mandatory, properties, .. } = publication;
    Envelope::new(channel, exchange, routing_key, *is_mandatory, properties.to_amqp())
}

fn publish(connection: &mut AmqpConnection, envelope: &Envelope, publication: &Publication) {
    let share_middle = || publication.body.clone();
    let parts = Parts { head: &[], middle: &publication.body, share_middle: &share_middle, tail: &[] };
    connection.publish(envelope, &parts);
}
