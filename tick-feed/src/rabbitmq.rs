//! RabbitMQ: the only module that connects to brokers.
//!
//! A [`Publisher`] sends a run's frames and sends again what was lost; a [`Subscriber`] receives the
//! shards that are assigned to it and acknowledges what is stored. What they send each other beside
//! frames is in [`control`], what is declared where in [`topology`]. Frames travel over
//! [`broker::amqp`], everything else over [`broker::Connection`].

pub mod control;
pub mod dead_letters;
mod event_loop;
pub mod observe;
pub mod publisher;
mod removal;
pub mod subscriber;
pub mod topology;

pub use broker::{BrokerError, BrokerUrl};
pub use control::{Control, FeedState, StateVersion};
pub use dead_letters::DeadLetter;
pub use event_loop::event_loop;
pub use publisher::{PublishError, Publisher, PublisherPlan};
pub use removal::FeedRemover;
pub use subscriber::{
    ConnectionState, NodeConnection, Subscriber, SubscriberCounts, SubscriberHandle, Subscription,
};
pub use topology::Durability;

impl crate::frame::wire::BufferHome for broker::amqp::Buffers {
    fn recycle(&self, buffer: Vec<u8>) {
        Self::give(self, buffer);
    }
}
