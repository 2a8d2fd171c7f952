//! Queues and bindings of a node's shards, as the strategies want them.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use broker::amqp::protocol::{AMQPClass, channel, confirm};

use super::Session;
use crate::rabbitmq::publisher::link::Link;
use crate::rabbitmq::publisher::shared::lock;
use crate::rabbitmq::publisher::strategies::Binding;
use crate::rabbitmq::publisher::{PublishError, declare};
use broker::BrokerError;

impl Session<'_> {
    /// Brings streams, queues and bindings to what the strategies want.
    pub(super) async fn bind(&mut self) -> Result<(), PublishError> {
        self.bindings = self.shared.bindings.load(Ordering::Acquire);
        let node = self.node;
        for link in self.links.extract_if(.., |link| link.stream.is_over()) {
            node.confirmed(lock(&link.stream.sending).window.unconfirmed_bytes());
            self.connection.send(link.channel, close_channel());
        }
        for stream in self.shared.streams_of(self.index) {
            if !self.links.iter().any(|link| Arc::ptr_eq(&link.stream, &stream)) {
                self.channels = self.channels.checked_add(1).ok_or_else(|| self.out_of_channels())?;
                let opened = channel::AMQPMethod::Open(channel::Open {});
                self.connection.send(self.channels, AMQPClass::Channel(opened));
                let confirmed = confirm::AMQPMethod::Select(confirm::Select { nowait: false });
                self.connection.send(self.channels, AMQPClass::Confirm(confirmed));
                self.links.push(Link::new(stream, self.channels));
            }
        }
        self.turn = 0;
        let mut is_changed = false;
        for place in 0..self.links.len() {
            let stream = self.links[place].stream.clone();
            if stream.to.is_some() {
                continue;
            }
            let wanted = self.shared.strategies().bindings(stream.shard);
            for (strategy, binding) in wanted {
                is_changed |= self.bind_one(place, &strategy, binding).await?;
            }
        }
        if is_changed {
            self.shared.change_strategies(|_| {});
        }
        Ok(())
    }

    /// A session that has had so many passes of late strategies begins anew.
    fn out_of_channels(&self) -> BrokerError {
        BrokerError::Lost { url: self.url.to_string(), reason: "it has no more channels".to_owned() }
    }

    /// Brings one queue to what is wanted of it. The broker has answered before the next frame goes out;
    /// one that is on its way may come to the queue as well, where it is a duplicate. Gives whether hosts
    /// should know.
    async fn bind_one(
        &mut self,
        place: usize,
        strategy: &str,
        binding: Binding,
    ) -> Result<bool, PublishError> {
        let plan = &self.shared.plan;
        let (channel, stream) = (&self.declarations.clone(), self.links[place].stream.clone());
        let shard = stream.shard;
        let mut is_changed = false;
        match binding {
            Binding::Bound | Binding::FromNow | Binding::CatchingUp => {
                declare::queue(channel, plan, strategy, shard).await?;
                if binding == Binding::FromNow {
                    // Its host knows no names yet, and would have to ask while frames come.
                    self.send_dictionary(place, strategy)?;
                }
                if binding != Binding::CatchingUp {
                    declare::bind(channel, &plan.feed, strategy, shard).await?;
                }
                let position = lock(&stream.sending).window.published();
                self.shared.strategies().declared(strategy, shard, position);
                is_changed = binding != Binding::Bound;
            }
            Binding::Unbound | Binding::Over => {
                declare::unbind(channel, &plan.feed, strategy, shard).await?;
            }
            Binding::Gone => {
                declare::delete(channel, &plan.feed, strategy, shard).await?;
                self.shared.strategies().deleted(strategy, shard);
                is_changed = true;
            }
        }
        Ok(is_changed)
    }

    /// Binds queues that are caught up: everything before the next frame is in them.
    pub(super) async fn join_caught_up(&mut self) -> Result<(), BrokerError> {
        for link in &self.links {
            let Some(strategy) = &link.stream.to else { continue };
            let shard = link.stream.shard;
            let Some(all) =
                self.links.iter().find(|all| all.stream.to.is_none() && all.stream.shard == shard)
            else {
                continue;
            };
            let published = lock(&all.stream.sending).window.published();
            let is_there = {
                let sending = lock(&link.stream.sending);
                sending.window.confirmed() >= published && sending.window.unsent() == 0
            };
            if is_there && !link.stream.is_over() {
                declare::bind(&self.declarations, &self.shared.plan.feed, strategy, shard).await?;
                link.stream.end();
                self.shared.change_strategies(|strategies| strategies.caught_up(strategy, shard));
            }
        }
        Ok(())
    }
}

fn close_channel() -> AMQPClass {
    let (reply_code, reply_text) = (200, "done".into());
    let close = channel::Close { reply_code, reply_text, class_id: 0, method_id: 0 };
    AMQPClass::Channel(channel::AMQPMethod::Close(close))
}
