//! Which bodies a broker has confirmed.

use std::collections::BTreeSet;

use broker::BrokerError;
use broker::amqp::protocol::{AMQPClass, basic, channel};
use broker::amqp::{AmqpConnection, Received};

/// Which bodies are confirmed: a broker answers in any order.
#[derive(Default)]
pub(super) struct Confirms {
    /// All up to this one are.
    up_to: u64,
    /// Those behind it that are.
    beyond: BTreeSet<u64>,
}

impl Confirms {
    /// How many more the broker has confirmed by this.
    pub(super) fn on_received(
        &mut self,
        connection: &AmqpConnection,
        received: Received,
    ) -> Result<u64, BrokerError> {
        use basic::AMQPMethod::{Ack, Nack};
        use channel::AMQPMethod::Close;
        match received {
            Received::Method { method: AMQPClass::Basic(Ack(ack)), .. } => {
                Ok(self.confirm(ack.delivery_tag, ack.multiple))
            }
            Received::Method { method: AMQPClass::Basic(Nack(_)), .. } | Received::Returned { .. } => {
                let reason = "it refuses a body: a queue is full or gone".to_owned();
                Err(BrokerError::Other { url: connection.url().to_string(), reason })
            }
            Received::Method { method: AMQPClass::Channel(Close(close)), .. } => {
                Err(connection.channel_closed(&close))
            }
            _ => Ok(0),
        }
    }

    fn confirm(&mut self, tag: u64, multiple: bool) -> u64 {
        let before = self.up_to + self.beyond.len() as u64;
        if multiple && tag > self.up_to {
            self.up_to = tag;
            self.beyond = self.beyond.split_off(&(tag + 1));
        } else if tag > self.up_to {
            self.beyond.insert(tag);
        }
        while self.beyond.remove(&(self.up_to + 1)) {
            self.up_to += 1;
        }
        self.up_to + self.beyond.len() as u64 - before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn confirms_are_counted_once_in_whatever_order_they_come() {
        let mut confirms = Confirms::default();
        let counted = [(2, false), (1, false), (5, false), (4, true), (5, true), (7, true), (3, false)]
            .map(|(tag, multiple)| confirms.confirm(tag, multiple));
        assert_eq!(counted, [1, 1, 1, 2, 0, 2, 0]);
    }
}
