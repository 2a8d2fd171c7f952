//! Queues and bindings of a node's shards, as the strategies want them.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use lapin::options::ConfirmSelectOptions;

use super::Session;
use crate::rabbitmq::connect::BrokerError;
use crate::rabbitmq::publisher::link::Link;
use crate::rabbitmq::publisher::shared::lock;
use crate::rabbitmq::publisher::strategies::Binding;
use crate::rabbitmq::publisher::{PublishError, declare};

impl Session<'_> {
    /// Brings streams, queues and bindings to what the strategies want.
    pub(super) async fn bind(&mut self) -> Result<(), PublishError> {
        self.bindings = self.shared.bindings.load(Ordering::Acquire);
        self.links.retain(|link| {
            let stays = !link.stream.is_over();
            if !stays {
                self.node.confirmed(lock(&link.stream.sending).window.unconfirmed_bytes());
            }
            stays
        });
        for stream in self.shared.streams_of(self.index) {
            if !self.links.iter().any(|link| Arc::ptr_eq(&link.stream, &stream)) {
                let channel = self.url.answer(self.connection.create_channel()).await?;
                self.url.answer(channel.confirm_select(ConfirmSelectOptions::default())).await?;
                self.links.push(Link::new(stream, channel, self.bodies.clone()));
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

    /// Brings one queue to what is wanted of it, on the channel of its shard's frames: those that were
    /// published before are behind it, those that follow before it. Gives whether hosts should know.
    async fn bind_one(
        &mut self,
        place: usize,
        strategy: &str,
        binding: Binding,
    ) -> Result<bool, PublishError> {
        let (url, plan) = (self.url, &self.shared.plan);
        let (channel, stream) = (&self.links[place].channel.clone(), self.links[place].stream.clone());
        let shard = stream.shard;
        let mut is_changed = false;
        match binding {
            Binding::Bound | Binding::FromNow | Binding::CatchingUp => {
                declare::queue(url, channel, plan, strategy, shard).await?;
                if binding == Binding::FromNow {
                    // Its host knows no names yet, and would have to ask while frames come.
                    self.send_dictionary(place, strategy)?;
                }
                if binding != Binding::CatchingUp {
                    declare::bind(url, channel, &plan.feed, strategy, shard).await?;
                }
                let position = lock(&stream.sending).window.published();
                self.shared.strategies().declared(strategy, shard, position);
                is_changed = binding != Binding::Bound;
            }
            Binding::Unbound | Binding::Over => {
                declare::unbind(url, channel, &plan.feed, strategy, shard).await?;
            }
            Binding::Gone => {
                declare::delete(url, channel, &plan.feed, strategy, shard).await?;
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
                declare::bind(self.url, &all.channel, &self.shared.plan.feed, strategy, shard).await?;
                link.stream.end();
                self.shared.change_strategies(|strategies| strategies.caught_up(strategy, shard));
            }
        }
        Ok(())
    }
}
