//! A broker node: the right to send to it, what is in flight, its time and its network.

use std::collections::VecDeque;
use std::time::Duration;

use tick_feed::budget::TokenBucket;

use super::costs::Costs;
use super::server::Server;

/// With more in flight to a node, ticks gather on: as the product has it
/// (`tick-feed/src/rabbitmq/publisher/sending.rs`).
const GATHER_ABOVE_BYTES: f64 = 4_194_304.0;
const GATHER_ABOVE_MESSAGES: usize = 64;

#[derive(Clone, Debug)]
pub(super) struct Node {
    bucket: TokenBucket,
    /// Of frames that are sent and not confirmed: when they will be, and their bytes.
    unconfirmed: VecDeque<(u64, f64)>,
    unconfirmed_bytes: f64,
    pub(super) time: Server,
    pub(super) network_in: Server,
    pub(super) network_out: Server,
    pub(super) rate: Option<u32>,
    pub(super) messages: u64,
    pub(super) bytes_in: f64,
    pub(super) bytes_out: f64,
}

/// When a frame is where.
#[derive(Clone, Debug)]
pub(super) struct Passed {
    pub(super) confirmed: u64,
    /// Each strategy's copy.
    pub(super) delivered: Vec<u64>,
}

impl Node {
    pub(super) fn new(rate: Option<u32>, end: u64) -> Self {
        Self {
            bucket: TokenBucket::new(rate, Duration::ZERO),
            unconfirmed: VecDeque::new(),
            unconfirmed_bytes: 0.0,
            time: Server::new(end),
            network_in: Server::new(end),
            network_out: Server::new(end),
            rate,
            messages: 0,
            bytes_in: 0.0,
            bytes_out: 0.0,
        }
    }

    /// How long ticks gather before a frame that is not full may leave, in ns: until the budget has
    /// its messages; `u64::MAX` while too much is in flight.
    pub(super) fn gather(&mut self, now: u64, cost: u32) -> u64 {
        while self.unconfirmed.front().is_some_and(|(confirmed, _)| *confirmed <= now) {
            self.unconfirmed_bytes -= self.unconfirmed.pop_front().map_or(0.0, |(_, bytes)| bytes);
        }
        if self.unconfirmed_bytes > GATHER_ABOVE_BYTES || self.unconfirmed.len() > GATHER_ABOVE_MESSAGES {
            return u64::MAX;
        }
        self.pay_delay(now, cost)
    }

    /// How long until the budget has so many messages, in ns.
    pub(super) fn pay_delay(&self, now: u64, cost: u32) -> u64 {
        self.bucket.delay(Duration::from_nanos(now), cost).as_nanos() as u64
    }

    /// Sends a frame to so many strategies; its messages are paid for.
    pub(super) fn send(&mut self, now: u64, bytes: f64, strategies: u16, costs: &Costs) -> Passed {
        self.bucket.take(Duration::from_nanos(now), strategies.into());
        let wire = (bytes / costs.node_network * 1e9) as u64;
        let here = self.network_in.serve(now, wire) + costs.hop / 2;
        let taken = self.time.serve(here, costs.take(bytes));
        let deliver = |_| {
            let sent = self.time.serve(taken, costs.deliver(bytes));
            self.network_out.serve(sent, wire) + costs.hop / 2
        };
        let delivered = (0..strategies).map(deliver).collect();
        let confirmed = taken + costs.hop / 2;
        self.unconfirmed.push_back((confirmed, bytes));
        self.unconfirmed_bytes += bytes;
        self.messages += u64::from(strategies);
        self.bytes_in += bytes;
        self.bytes_out += bytes * f64::from(strategies);
        Passed { confirmed, delivered }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(rate: Option<u32>) -> Node {
        Node::new(rate, 1_000_000_000)
    }

    #[test]
    fn a_frame_leaves_at_once_while_there_are_messages_and_then_ticks_gather() {
        let mut node = node(Some(1_000));
        let costs = Costs::default();
        // 10 ms of the rate may leave at once.
        for _ in 0..10 {
            assert_eq!(node.gather(0, 1), 0);
            node.send(0, 240.0, 1, &costs);
        }
        assert_eq!(node.gather(0, 1), 1_000_000);
        assert_eq!(node.gather(1_000_000, 1), 0);
        assert_eq!(node.messages, 10);
    }

    #[test]
    fn every_strategy_costs_a_message_and_the_nodes_time() {
        let mut node = node(Some(1_000));
        let costs = Costs::default();
        let passed = node.send(0, 240.0, 5, &costs);
        assert_eq!((passed.delivered.len(), node.messages), (5, 5));
        assert!(passed.delivered.is_sorted());
        node.send(0, 240.0, 5, &costs);
        assert_eq!(node.gather(0, 5), 5_000_000);
    }

    #[test]
    fn ticks_gather_while_too_much_is_in_flight() {
        let costs = Costs::default();
        let mut many = node(None);
        (0..65).for_each(|_| drop(many.send(0, 240.0, 1, &costs)));
        assert_eq!(many.gather(0, 1), u64::MAX);
        assert_eq!(many.gather(900_000_000, 1), 0, "all are confirmed by then");
        let mut large = node(None);
        (0..9).for_each(|_| drop(large.send(0, 512e3, 1, &costs)));
        assert_eq!(large.gather(0, 1), u64::MAX);
    }
}
