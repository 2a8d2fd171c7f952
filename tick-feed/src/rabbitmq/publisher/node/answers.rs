//! What the broker answers to frames: confirms, refusals, returns.

use std::sync::atomic::Ordering;
use std::time::Duration;

use broker::amqp::protocol::{AMQPClass, basic, channel};

use super::Session;
use crate::rabbitmq::publisher::link::Answer;
use crate::rabbitmq::publisher::shared::Shared;
use crate::rabbitmq::publisher::stream::{Cause, Stream, lock};
use crate::rabbitmq::publisher::window::{Ticket, Window};
use crate::{Frame, FrameHeader};
use broker::BrokerError;
use broker::amqp::Received;
use tracing::{debug, info};

impl Session<'_> {
    /// Takes one answer of the broker.
    pub(super) fn on_received(&mut self, received: Received) -> Result<(), BrokerError> {
        use basic::AMQPMethod::{Ack, Nack};
        use channel::AMQPMethod::Close;
        let (Received::Method { channel, .. }
        | Received::Returned { channel, .. }
        | Received::Delivery { channel, .. }) = &received;
        // One that was closed meanwhile needs no answer.
        let Some(link) = self.links.iter_mut().find(|link| link.channel == *channel) else { return Ok(()) };
        match received {
            Received::Method { method: AMQPClass::Basic(Ack(ack)), .. } => {
                link.answered(ack.delivery_tag, ack.multiple, Answer::Taken);
            }
            Received::Method { method: AMQPClass::Basic(Nack(nack)), .. } => {
                link.answered(nack.delivery_tag, nack.multiple, Answer::Refused);
            }
            Received::Method { method: AMQPClass::Channel(Close(close)), .. } => {
                return Err(self.connection.channel_closed(&close));
            }
            // It comes before the confirm of the same message.
            Received::Returned { body, .. } => {
                self.shared.returned(&link.stream, body);
                // A queue is not there: the shard's are declared again before another frame of it goes out.
                let shard = link.stream.shard;
                if link.held == 0 {
                    self.requested.retain(|(_, of), _| *of != shard);
                    self.bindings = 0;
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Brings confirms and refusals to the windows.
    pub(super) fn settle(&mut self) {
        let now = self.shared.now();
        for link in self.links.iter_mut().filter(|link| !link.answers.is_empty()) {
            let stream = &*link.stream;
            let mut sending = lock(&stream.sending);
            let answers = link.answers.drain(..);
            if self.node.change_window(&mut sending, |window| settle(window, answers, now)) {
                let is_first = sending.refused_since.is_none();
                sending.refused_since.get_or_insert(now);
                report_refusal(stream.shard, &sending.window, is_first);
            }
            if !sending.window.is_refused() {
                sending.refused_since = None;
                if sending.stalled.take().is_some() {
                    info!(shard = stream.shard, "shard runs again");
                }
            }
            let (finished, confirmed) = (sending.window.is_finished(), sending.window.confirmed());
            drop(sending);
            if let Some(observer) = self.shared.plan.observer.as_ref().filter(|_| stream.to.is_none()) {
                observer.confirmed(stream.shard, confirmed);
            }
            stream.changed.notify_all();
            if finished {
                self.shared.notify_change();
            }
        }
        self.node.in_flight.store(self.in_flight(), Ordering::Relaxed);
    }
}

/// True if anything was refused.
fn settle(window: &mut Window, answers: impl Iterator<Item = (Ticket, Answer)>, now: Duration) -> bool {
    let mut is_refused = false;
    for (ticket, answer) in answers {
        match answer {
            Answer::Taken => window.confirm(ticket),
            Answer::Refused => is_refused |= window.refuse(ticket, now),
        }
    }
    is_refused
}

/// One event where refusals begin; while they last, each attempt to send is a detail.
fn report_refusal(shard: u16, window: &Window, is_first: bool) {
    let (attempt, from_seq, why) = (window.attempt(), window.published(), Cause::Refused);
    if is_first {
        info!(shard, attempt, from_seq, %why, "shard rewound");
    } else {
        debug!(shard, attempt, from_seq, %why, "shard rewound");
    }
}

impl Shared {
    /// A frame that reached no queue goes out again, and everything behind it.
    fn returned(&self, stream: &Stream, body: Vec<u8>) {
        let Ok(frame) = Frame::decode(body) else { return };
        let FrameHeader { run, first_seq, attempt, .. } = frame.header;
        if run == self.plan.run && !frame.ticks().is_empty() {
            self.rewind_stream(stream, first_seq, attempt, Cause::Returned);
        }
    }
}
