//! Queues and bindings of a node's shards, which follow the strategies.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use broker::amqp::protocol::{AMQPClass, channel, confirm};

use super::declarer::{Action, Step};
use super::{Requested, Session};
use crate::rabbitmq::publisher::PublishError;
use crate::rabbitmq::publisher::link::Link;
use crate::rabbitmq::publisher::strategies::Binding;
use crate::rabbitmq::publisher::stream::lock;
use broker::BrokerError;
use tick_sdk::names::StrategyName;
use tracing::info;

impl Session<'_> {
    /// Brings the links up to date, and requests what queues and bindings need to follow the strategies.
    pub(super) fn bind(&mut self) -> Result<(), PublishError> {
        self.bindings = self.shared.bindings.load(Ordering::Acquire);
        let node = self.node;
        for link in self.links.extract_if(.., |link| link.stream.is_over()) {
            node.release_bytes(lock(&link.stream.sending).window.unconfirmed_bytes());
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
        for (strategy, shard) in std::mem::take(&mut *lock(&node.missing)) {
            self.requested.remove(&(strategy, shard));
        }
        for place in 0..self.links.len() {
            let stream = self.links[place].stream.clone();
            if stream.to.is_some() {
                continue;
            }
            let bindings = self.shared.strategies().bindings(stream.shard);
            for (strategy, binding) in bindings {
                self.request_binding(place, strategy, binding);
            }
        }
        Ok(())
    }

    /// A session that has had so many passes of late strategies begins anew.
    fn out_of_channels(&self) -> BrokerError {
        BrokerError::Lost { url: self.url.to_string(), reason: "it has no more channels".to_owned() }
    }

    /// Requests what makes one queue what it is to be, unless that was requested before. Where the queue has
    /// to be there before the next frame, its shard is held until the broker has answered.
    fn request_binding(&mut self, place: usize, strategy: StrategyName, binding: Binding) {
        let shard = self.links[place].stream.shard;
        let key = (strategy.clone(), shard);
        let before = self.requested.get(&key).map(|requested| requested.binding);
        if before == Some(binding) {
            return;
        }
        self.requests += 1;
        let request = self.requests;
        self.requested.insert(key, Requested { binding, number: request });
        let actions: &[Action] = match binding {
            Binding::Bound => &[Action::Declare, Action::Bind],
            // Its names go there before it is bound.
            Binding::FromNow => &[Action::Declare],
            Binding::CatchingUp if before == Some(Binding::Bound) => &[Action::Unbind, Action::Declare],
            Binding::CatchingUp => &[Action::Declare],
            Binding::Unbound | Binding::Ended => &[Action::Unbind],
            Binding::Deleted => &[Action::Delete],
        };
        let holds = binding == Binding::Bound;
        for &action in actions {
            self.links[place].held += usize::from(holds);
            self.declarer.request(Step {
                strategy: strategy.clone(),
                shard,
                binding,
                request,
                action,
                holds,
            });
        }
    }

    /// The broker has done a step. Every frame that goes out from now on finds the queue as it is.
    pub(super) fn on_declared(&mut self, step: Step) -> Result<(), PublishError> {
        let Step { strategy, shard, binding, request, action, holds } = step;
        let Some(place) = self.links.iter().position(|link| link.is_of_all(shard)) else { return Ok(()) };
        self.links[place].held -= usize::from(holds);
        let key = (strategy, shard);
        if self.requested.get(&key).is_none_or(|requested| requested.number != request) {
            // It is to be something else by now, which is requested, too.
            return Ok(());
        }
        let strategy = &key.0;
        let position = lock(&self.links[place].stream.sending).window.published();
        match action {
            Action::Declare if binding == Binding::FromNow => {
                // Its host knows no names yet, and would have to request them while frames come.
                self.send_dictionary(place, strategy)?;
                let strategy = strategy.clone();
                let action = Action::Bind;
                self.declarer.request(Step { strategy, shard, binding, request, action, holds: false });
            }
            Action::Declare if binding == Binding::CatchingUp => {
                self.shared.change_strategies(|strategies| strategies.declared(strategy, shard, position));
            }
            Action::Declare | Action::Unbind => {}
            Action::Bind => {
                self.shared.strategies().declared(strategy, shard, position);
                if binding != Binding::Bound {
                    self.shared.change_strategies(|_| {});
                }
                self.requested.insert(key, Requested { binding: Binding::Bound, number: request });
            }
            Action::BindCaughtUp => {
                if let Some(link) = self.links.iter().find(|link| link.is_of(strategy, shard)) {
                    link.stream.end();
                }
                info!(%strategy, shard, position, "strategy caught up");
                self.shared.change_strategies(|strategies| strategies.caught_up(strategy, shard));
                self.requested.insert(key, Requested { binding: Binding::Bound, number: request });
            }
            Action::Delete => {
                self.shared.change_strategies(|strategies| strategies.deleted(strategy, shard));
                self.requested.remove(&key);
            }
        }
        Ok(())
    }

    /// Binds queues that are caught up: everything before the next frame is in them, so that their shard
    /// is held until they are bound.
    pub(super) fn bind_caught_up(&mut self) {
        for place in 0..self.links.len() {
            let link = &self.links[place];
            let (shard, stream) = (link.stream.shard, link.stream.clone());
            let Some(strategy) = stream.to.clone().filter(|_| link.held == 0 && !stream.is_over()) else {
                continue;
            };
            let Some(all) = self.links.iter().position(|link| link.is_of_all(shard)) else { continue };
            let published = lock(&self.links[all].stream.sending).window.published();
            let is_caught_up = {
                let sending = lock(&stream.sending);
                sending.window.confirmed() >= published && sending.window.unsent() == 0
            };
            let requested = self.requested.get(&(strategy.clone(), shard));
            let requested = requested.filter(|requested| requested.binding == Binding::CatchingUp);
            if is_caught_up && let Some(&Requested { binding, number: request }) = requested {
                // Its own pass has nothing more to send, whatever comes of the request.
                self.links[place].held += 1;
                self.links[all].held += 1;
                let action = Action::BindCaughtUp;
                self.declarer.request(Step { strategy, shard, binding, request, action, holds: true });
            }
        }
    }

    /// Waits until nothing is requested any more.
    pub(super) async fn wait_until_declared(&mut self) -> Result<(), PublishError> {
        while self.declarer.is_busy() {
            let step = self.declarer.next().await?;
            self.on_declared(step)?;
        }
        Ok(())
    }
}

fn close_channel() -> AMQPClass {
    let (reply_code, reply_text) = (200, "done".into());
    let close = channel::Close { reply_code, reply_text, class_id: 0, method_id: 0 };
    AMQPClass::Channel(channel::AMQPMethod::Close(close))
}
