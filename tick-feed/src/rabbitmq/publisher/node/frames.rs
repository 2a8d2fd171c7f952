//! What goes out beside the windows' frames, and how each is addressed.

use crate::rabbitmq::topology;
use std::sync::atomic::Ordering;

use super::{MAX_UNCONFIRMED_FRAMES, Session};
use crate::rabbitmq::publisher::PublishError;
use crate::rabbitmq::publisher::link::Link;
use crate::rabbitmq::publisher::snapshot::unix_ns;
use crate::rabbitmq::publisher::stream::{Sending, lock};
use crate::rabbitmq::publisher::window::Ticket;
use crate::rabbitmq::topology::Durability;
use crate::{Frame, FrameFlags, FrameHeader};
use broker::amqp::protocol::BasicProperties;
use broker::amqp::{Envelope, Parts};
use tick_sdk::names::StrategyName;

impl Session<'_> {
    /// Sends a heartbeat that says how far a silent shard is; after its end, the end again.
    pub(super) fn send_heartbeat(&mut self, place: usize) -> Result<(), PublishError> {
        let link = &self.links[place];
        let (header, dictionary_len) = {
            let sending = lock(&link.stream.sending);
            if sending.window.is_refused() || link.in_flight() >= MAX_UNCONFIRMED_FRAMES {
                return Ok(());
            }
            (self.heartbeat(link.stream.shard, &sending), sending.dictionary.len() as u32)
        };
        let cost = link.stream.cost();
        self.extra(cost);
        let frame = Frame::owned(header, Vec::new()).naming(Vec::new(), dictionary_len);
        self.publish_frame(place, None, frame, None)
    }

    /// Sends the names of a shard's instruments to the strategies that requested them.
    pub(super) fn send_dictionaries(&mut self) -> Result<(), PublishError> {
        let requested = std::mem::take(&mut *lock(&self.node.dictionaries));
        for (strategy, shard) in requested {
            let is_shard = |link: &Link| link.stream.to.is_none() && link.stream.shard == shard;
            let Some(place) = self.links.iter().position(is_shard) else { continue };
            // After a resume nothing is named before the feed has come to its start.
            if !self.send_dictionary(place, &strategy)? {
                lock(&self.node.dictionaries).insert((strategy, shard));
            }
        }
        Ok(())
    }

    /// Sends one strategy the names of all instruments of a shard; false if there are none yet.
    pub(super) fn send_dictionary(
        &mut self,
        place: usize,
        strategy: &StrategyName,
    ) -> Result<bool, PublishError> {
        let stream = &self.links[place].stream;
        let frame = {
            let sending = lock(&stream.sending);
            let names = sending.dictionary.clone();
            let flags = FrameFlags::DICTIONARY;
            let header = FrameHeader { flags, ..self.heartbeat(stream.shard, &sending) };
            let len = names.len() as u32;
            Frame::owned(header, Vec::new()).naming(names, len)
        };
        let is_known = frame.dictionary_len > 0;
        if is_known {
            self.extra(1);
            self.publish_frame(place, None, frame, Some(strategy))?;
        }
        Ok(is_known)
    }

    /// Counts messages that no window holds.
    fn extra(&self, cost: u32) {
        lock(&self.node.bucket).take(self.shared.now(), cost);
        self.node.messages.fetch_add(u64::from(cost), Ordering::Relaxed);
    }

    fn heartbeat(&self, shard: u16, sending: &Sending) -> FrameHeader {
        let window = &sending.window;
        let published = window.published();
        let announced = if sending.heartbeat.0 == published { sending.heartbeat.1 } else { 0 };
        let last = sending.last.as_ref();
        let is_end = window.is_end_sent();
        FrameHeader {
            run: self.shared.plan.run,
            shard,
            shards: self.shared.shards.len() as u16,
            attempt: window.attempt(),
            first_seq: published,
            published_at: 0,
            watermark: last.map_or(0, |last| last.watermark).max(announced),
            flags: if is_end { FrameFlags::END_OF_RUN } else { FrameFlags::HEARTBEAT },
        }
    }

    /// Publishes a frame to all queues of its shard, or to one strategy's alone.
    pub(super) fn publish_frame(
        &mut self,
        place: usize,
        ticket: Option<Ticket>,
        mut frame: Frame,
        to: Option<&StrategyName>,
    ) -> Result<(), PublishError> {
        let link = &mut self.links[place];
        let shard = link.stream.shard;
        frame.header.published_at = unix_ns();
        let (head, tail) = (&mut self.head, &mut self.tail);
        frame.encode_around(head, tail).map_err(|source| PublishError::Frame { shard, source })?;
        let plan = &self.shared.plan;
        let properties = properties(plan.durability);
        let share_middle = || frame.share_tick_bytes();
        let parts = Parts { head, middle: frame.tick_bytes(), share_middle: &share_middle, tail };
        match to {
            None => {
                // Where no strategy takes part a frame goes nowhere, and nothing is lost by that.
                let mandatory = link.stream.cost.load(Ordering::Relaxed) > 0;
                let address = || (topology::frames_exchange(&plan.feed), shard.to_string());
                let envelope = link.envelope(mandatory, address, &properties);
                self.connection.publish(envelope, &parts);
            }
            Some(strategy) => {
                let queue = topology::frames_queue(&plan.feed, strategy, shard);
                let envelope = Envelope::new(link.channel, "", &queue, true, properties);
                self.connection.publish(&envelope, &parts);
            }
        }
        link.sent(ticket);
        Ok(())
    }
}

fn properties(durability: Durability) -> BasicProperties {
    let mode = match durability {
        Durability::Memory => 1,
        Durability::Replicated => 2,
    };
    BasicProperties::default().with_delivery_mode(mode)
}
