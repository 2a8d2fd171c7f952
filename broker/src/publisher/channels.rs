//! A channel's messages that are not confirmed yet. No I/O: what to write is given back.

use std::collections::VecDeque;

use tokio::sync::oneshot;

use super::{Publication, Request};
use crate::{BrokerError, Outcome};

/// A message that waits for its confirm.
#[derive(Debug)]
struct Pending {
    /// The number that the broker confirms it by.
    tag: u64,
    publication: Publication,
    has_returned: bool,
    answer: oneshot::Sender<Result<Outcome, BrokerError>>,
}

/// One channel's messages, in the order in which they were published.
#[derive(Debug, Default)]
pub(super) struct Unconfirmed {
    last_tag: u64,
    pending: VecDeque<Pending>,
}

impl Unconfirmed {
    /// One more was published.
    pub(super) fn push(&mut self, request: Request) {
        let Request { publication, answer, .. } = request;
        self.last_tag += 1;
        let pending = Pending { tag: self.last_tag, publication, has_returned: false, answer };
        self.pending.push_back(pending);
    }

    /// One came back; the confirm that follows is its own.
    pub(super) fn note_return(&mut self, exchange: &str, message_id: Option<&str>) {
        let is_it = |pending: &&mut Pending| {
            !pending.has_returned
                && pending.publication.is_mandatory
                && pending.publication.exchange == exchange
                && pending.publication.properties.message_id.as_deref() == message_id
        };
        if let Some(pending) = self.pending.iter_mut().find(is_it) {
            pending.has_returned = true;
        }
    }

    /// The broker has answered for one, or for all up to it; 0 stands for all.
    pub(super) fn resolve(&mut self, tag: u64, is_multiple: bool, is_ack: bool) {
        if is_multiple {
            let up_to = if tag == 0 { u64::MAX } else { tag };
            while let Some(first) = self.pending.pop_front_if(|first| first.tag <= up_to) {
                first.end(is_ack);
            }
        } else if let Ok(place) = self.pending.binary_search_by_key(&tag, |pending| pending.tag)
            && let Some(pending) = self.pending.remove(place)
        {
            pending.end(is_ack);
        }
    }

    /// The broker closed the channel as the exchange is not there: those that were meant for it fail. The rest
    /// are to be published again by a new channel.
    pub(super) fn fail_exchange(&mut self, exchange: &str, error: &BrokerError) -> bool {
        let all = std::mem::take(&mut self.pending);
        let count = all.len();
        for pending in all {
            if pending.publication.exchange == exchange {
                let _ = pending.answer.send(Err(error.clone()));
            } else {
                self.pending.push_back(pending);
            }
        }
        self.pending.len() < count
    }

    /// The broker closed the channel for another reason: the first of them is taken for it, so that there is an
    /// end to it.
    pub(super) fn fail_first(&mut self, error: &BrokerError) {
        if let Some(first) = self.pending.pop_front() {
            let _ = first.answer.send(Err(error.clone()));
        }
    }

    /// The connection is lost.
    pub(super) fn fail_all(&mut self, error: &BrokerError) {
        for pending in self.pending.drain(..) {
            // Whoever has stopped waiting publishes it again, or not.
            let _ = pending.answer.send(Err(error.clone()));
        }
    }

    /// A new channel counts from 1: what is left, to be published again in this order.
    pub(super) fn begin_again(&mut self) -> impl Iterator<Item = &Publication> {
        self.last_tag = 0;
        for pending in &mut self.pending {
            self.last_tag += 1;
            pending.tag = self.last_tag;
            pending.has_returned = false;
        }
        self.pending.iter().map(|pending| &pending.publication)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }
}

impl Pending {
    fn end(self, is_ack: bool) {
        let outcome = if self.has_returned {
            Outcome::Returned
        } else if is_ack {
            Outcome::Confirmed
        } else {
            Outcome::Refused
        };
        // Whoever has stopped waiting does not know whether the broker has it, as said.
        let _ = self.answer.send(Ok(outcome));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Properties;

    type Answer = oneshot::Receiver<Result<Outcome, BrokerError>>;

    fn published(unconfirmed: &mut Unconfirmed, exchange: &str, id: &str) -> Answer {
        let (answer, answered) = oneshot::channel();
        let properties = Properties { message_id: Some(id.to_owned()), ..Properties::default() };
        let (exchange, routing_key) = (exchange.to_owned(), String::new());
        let publication =
            Publication { exchange, routing_key, is_mandatory: true, properties, body: Default::default() };
        unconfirmed.push(Request { channel: 0, publication, answer });
        answered
    }

    fn outcome(answer: &mut Answer) -> Option<Outcome> {
        answer.try_recv().ok().map(|outcome| outcome.unwrap())
    }

    #[test]
    fn each_return_is_its_own_messages_however_confirms_are_put_together() {
        let mut unconfirmed = Unconfirmed::default();
        let mut answers: Vec<_> =
            ["a", "b", "c", "d", "e"].map(|id| published(&mut unconfirmed, "x", id)).into_iter().collect();
        unconfirmed.note_return("x", Some("c"));
        unconfirmed.note_return("x", Some("b"));
        unconfirmed.resolve(3, true, true);
        unconfirmed.resolve(5, false, true);
        let outcomes: Vec<_> = answers.iter_mut().map(outcome).collect();
        let [confirmed, returned] = [Some(Outcome::Confirmed), Some(Outcome::Returned)];
        assert_eq!(outcomes, [confirmed, returned, returned, None, confirmed]);
        unconfirmed.resolve(0, true, false);
        assert_eq!(outcome(&mut answers[3]), Some(Outcome::Refused));
        assert!(unconfirmed.is_empty());
    }

    #[test]
    fn an_exchange_that_is_not_there_fails_its_own_messages_and_the_rest_go_again() {
        let mut unconfirmed = Unconfirmed::default();
        let mut gone = published(&mut unconfirmed, "gone", "a");
        let mut there = published(&mut unconfirmed, "there", "b");
        let error = BrokerError::NotFound { url: String::new(), reason: String::new() };
        assert!(unconfirmed.fail_exchange("gone", &error));
        assert!(matches!(gone.try_recv().unwrap(), Err(BrokerError::NotFound { .. })));
        let again: Vec<_> = unconfirmed.begin_again().map(|one| one.exchange.clone()).collect();
        assert_eq!(again, ["there"]);
        unconfirmed.resolve(1, false, true);
        assert_eq!(outcome(&mut there), Some(Outcome::Confirmed));
    }
}
