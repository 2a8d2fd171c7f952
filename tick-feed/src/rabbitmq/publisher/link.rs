//! One shard's channel: what is on its way there, and what the broker has answered.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::stream::Stream;
use super::window::Ticket;
use broker::amqp::Envelope;
use broker::amqp::protocol::BasicProperties;
use tick_sdk::names::StrategyName;

/// One shard's channel and what is on its way there. A channel a shard, so that a shard's answers are
/// counted by themselves.
pub(super) struct Link {
    pub(super) stream: Arc<Stream>,
    pub(super) channel: u16,
    /// When something was sent last.
    pub(super) last_sent: Duration,
    /// Messages without an answer, and those behind one, in order of sending.
    in_flight: VecDeque<InFlight>,
    /// The number of the first of these.
    first_tag: u64,
    /// Where frames go, mandatory or not.
    envelope: Option<(bool, Envelope)>,
    /// So many requests have to be answered before another frame may go out.
    pub(super) held: usize,
    /// The broker's answers since they were settled last.
    pub(super) answers: Vec<(Ticket, Answer)>,
}

struct InFlight {
    /// A message without one counts for nothing when it is confirmed.
    ticket: Option<Ticket>,
    is_answered: bool,
}

/// The broker's answer to one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// It has it.
    Taken,
    /// A queue is full, or broken.
    Refused,
}

impl Link {
    pub(super) fn new(stream: Arc<Stream>, channel: u16) -> Self {
        Self {
            stream,
            channel,
            last_sent: Duration::ZERO,
            in_flight: VecDeque::new(),
            first_tag: 1,
            envelope: None,
            held: 0,
            answers: Vec::new(),
        }
    }

    /// Whether it carries a shard's frames to all who are bound.
    pub(super) fn is_of_all(&self, shard: u16) -> bool {
        self.stream.to.is_none() && self.stream.shard == shard
    }

    /// Whether it fills one strategy's queue of a shard.
    pub(super) fn is_of(&self, strategy: &StrategyName, shard: u16) -> bool {
        self.stream.to.as_ref() == Some(strategy) && self.stream.shard == shard
    }

    /// Where frames go; `address`, the exchange and the key, is made once.
    pub(super) fn envelope(
        &mut self,
        mandatory: bool,
        address: impl FnOnce() -> (String, String),
        properties: &BasicProperties,
    ) -> &Envelope {
        if self.envelope.as_ref().is_none_or(|(of, _)| *of != mandatory) {
            self.envelope = None;
        }
        let make = || {
            let (exchange, key) = address();
            (mandatory, Envelope::new(self.channel, &exchange, &key, mandatory, properties.clone()))
        };
        &self.envelope.get_or_insert_with(make).1
    }

    /// A message was sent, the next in the broker's count.
    pub(super) fn sent(&mut self, ticket: Option<Ticket>) {
        self.in_flight.push_back(InFlight { ticket, is_answered: false });
    }

    /// The broker answered this to the message with this number, or to all up to it.
    pub(super) fn answered(&mut self, tag: u64, multiple: bool, answer: Answer) {
        let Some(last) = tag.checked_sub(self.first_tag).map(|place| place as usize) else { return };
        let from = if multiple { 0 } else { last };
        for message in self.in_flight.range_mut(from.min(self.in_flight.len())..).take(last - from + 1) {
            if !std::mem::replace(&mut message.is_answered, true) {
                self.answers.extend(message.ticket.map(|ticket| (ticket, answer)));
            }
        }
        while self.in_flight.front().is_some_and(|message| message.is_answered) {
            self.in_flight.pop_front();
            self.first_tag += 1;
        }
    }

    /// Messages without an answer, about.
    pub(super) fn in_flight(&self) -> usize {
        self.in_flight.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rabbitmq::publisher::window::Window;

    fn link() -> (Link, Vec<Ticket>) {
        let stream = Stream::new(0, 0, None, 1, Window::new(0, 0), Arc::default());
        let tickets = (0..5).map(Ticket::numbered).collect::<Vec<_>>();
        let mut link = Link::new(Arc::new(stream), 1);
        link.sent(None);
        tickets.iter().for_each(|ticket| link.sent(Some(*ticket)));
        (link, tickets)
    }

    #[test]
    fn answers_come_in_any_order_and_count_once() {
        let (mut link, tickets) = link();
        link.answered(4, false, Answer::Refused);
        link.answered(3, true, Answer::Taken);
        link.answered(4, true, Answer::Taken);
        let expected =
            [(tickets[2], Answer::Refused), (tickets[0], Answer::Taken), (tickets[1], Answer::Taken)];
        assert_eq!(link.answers, expected);
        assert_eq!(link.in_flight(), 2);
        link.answered(6, true, Answer::Taken);
        assert_eq!(link.in_flight(), 0);
    }

    #[test]
    fn answers_to_nothing_do_not_panic() {
        let (mut link, _) = link();
        link.answered(0, false, Answer::Taken);
        link.answered(99, false, Answer::Taken);
        assert_eq!((link.in_flight(), link.answers.len()), (6, 0));
        link.answered(99, true, Answer::Taken);
        link.answered(1, true, Answer::Taken);
        assert_eq!((link.in_flight(), link.answers.len()), (0, 5));
    }
}
