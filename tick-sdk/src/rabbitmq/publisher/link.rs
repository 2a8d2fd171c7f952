//! One shard's channel: publishes without waiting, and collects the broker's answers in order.
//!
//! A channel a shard, because a return belongs to a channel: the client library attaches it to some
//! confirm of the same channel that ended no later than the returned message's own, not always to
//! that one. So before any confirm counts, all that ended meanwhile are looked through for returns,
//! and each is matched by the frame in its body.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use lapin::PublisherConfirm;
use lapin::options::BasicPublishOptions;
use lapin::types::ShortString;
use lapin::{BasicProperties, Channel};
use rkyv::util::AlignedVec;

use super::shared::Stream;
use super::window::Ticket;

/// One shard's channel and what is on its way there.
pub(super) struct Link {
    pub(super) stream: Arc<Stream>,
    pub(super) channel: Channel,
    /// When something was sent last.
    pub(super) last_sent: Duration,
    in_flight: VecDeque<InFlight>,
    bodies: Bodies,
}

struct InFlight {
    ticket: Option<Ticket>,
    stage: Stage,
}

enum Stage {
    Writing(Publishing),
    Waiting(PublisherConfirm),
    Ended { answer: lapin::Result<Answer>, returned: Option<Vec<u8>> },
}

type Publishing = Pin<Box<dyn Future<Output = lapin::Result<PublisherConfirm>>>>;

/// What the broker said to one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// It has it.
    Taken,
    /// A queue is full, or broken.
    Refused,
}

/// What the broker said since the last look.
#[derive(Debug, Default)]
pub(super) struct Answers {
    /// In order of sending.
    pub(super) tickets: Vec<(Ticket, Answer)>,
    /// Bodies that no queue was there for; to be looked at before the tickets.
    pub(super) returned: Vec<Vec<u8>>,
}

/// Buffers for bodies, used again.
#[derive(Clone, Debug, Default)]
pub(super) struct Bodies(Rc<RefCell<Vec<AlignedVec>>>);

impl Bodies {
    /// Few are enough: the library copies a body as soon as it is published.
    const KEPT: usize = 64;

    pub(super) fn take(&self) -> AlignedVec {
        self.0.borrow_mut().pop().unwrap_or_default()
    }

    fn give(&self, body: AlignedVec) {
        let mut kept = self.0.borrow_mut();
        if kept.len() < Self::KEPT {
            kept.push(body);
        }
    }
}

/// Where a message goes, and how.
#[derive(Clone, Debug)]
pub(super) struct Route {
    pub(super) exchange: ShortString,
    pub(super) key: ShortString,
    pub(super) options: BasicPublishOptions,
    pub(super) properties: BasicProperties,
}

impl Link {
    pub(super) fn new(stream: Arc<Stream>, channel: Channel, bodies: Bodies) -> Self {
        Self { stream, channel, last_sent: Duration::ZERO, in_flight: VecDeque::new(), bodies }
    }

    /// Queues a message behind those before it, without waiting; one without a ticket counts for
    /// nothing when it is confirmed.
    pub(super) fn publish(&mut self, ticket: Option<Ticket>, body: AlignedVec, route: Route) {
        let (channel, bodies) = (self.channel.clone(), self.bodies.clone());
        let mut publishing: Publishing = Box::pin(async move {
            let Route { exchange, key, options, properties } = route;
            let written = channel.basic_publish(exchange, key, options, &body, properties).await;
            bodies.give(body);
            written
        });
        // The first poll hands the message to the library: in the order of these calls.
        let stage = match publishing.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Pending => Stage::Writing(publishing),
            Poll::Ready(Ok(confirm)) => Stage::Waiting(confirm),
            Poll::Ready(Err(error)) => Stage::Ended { answer: Err(error), returned: None },
        };
        self.in_flight.push_back(InFlight { ticket, stage });
    }

    /// Messages without an answer.
    pub(super) fn in_flight(&self) -> usize {
        self.in_flight.len()
    }

    /// Ready when the oldest message has its answer.
    pub(super) fn poll_oldest(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match self.in_flight.front_mut() {
            Some(oldest) => oldest.advance(cx),
            None => Poll::Pending,
        }
    }

    /// The answers that are there.
    ///
    /// # Errors
    /// The channel has failed.
    pub(super) fn collect(&mut self, out: &mut Answers) -> lapin::Result<()> {
        let mut cx = Context::from_waker(Waker::noop());
        let mut ended = false;
        while self.in_flight.front_mut().is_some_and(|oldest| oldest.advance(&mut cx).is_ready()) {
            let Some(InFlight { ticket, stage: Stage::Ended { answer, returned } }) =
                self.in_flight.pop_front()
            else {
                break;
            };
            out.returned.extend(returned);
            let answer = answer?;
            out.tickets.extend(ticket.map(|ticket| (ticket, answer)));
            ended = true;
        }
        if ended {
            for later in &mut self.in_flight {
                if let (Poll::Ready(()), Stage::Ended { returned, .. }) =
                    (later.advance(&mut cx), &mut later.stage)
                {
                    out.returned.extend(returned.take());
                }
            }
        }
        Ok(())
    }
}

impl InFlight {
    fn advance(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let failed = |error| Stage::Ended { answer: Err(error), returned: None };
            self.stage = match &mut self.stage {
                Stage::Ended { .. } => return Poll::Ready(()),
                Stage::Writing(publishing) => match ready!(publishing.as_mut().poll(cx)) {
                    Ok(confirm) => Stage::Waiting(confirm),
                    Err(error) => failed(error),
                },
                Stage::Waiting(confirm) => match ready!(Pin::new(confirm).poll(cx)) {
                    Ok(confirmation) => {
                        let answer = if confirmation.is_nack() { Answer::Refused } else { Answer::Taken };
                        let returned = confirmation.take_message().map(|message| message.delivery.data);
                        Stage::Ended { answer: Ok(answer), returned }
                    }
                    Err(error) => failed(error),
                },
            };
        }
    }
}
