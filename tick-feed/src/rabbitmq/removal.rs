//! Taking a feed's frames, or all of it, off a broker.

use crate::rabbitmq::event_loop::event_loop;
use crate::rabbitmq::topology;
use broker::{BrokerError, BrokerUrl, Channel, Connection};
use tick_sdk::names::{FeedName, StrategyName};

/// A connection that empties a feed's queues, and in the end removes them.
pub struct FeedRemover {
    runtime: tokio::runtime::Runtime,
    channel: Channel,
    /// As long as it is there, the channel is.
    _connection: Connection,
    feed: FeedName,
    queues: Vec<String>,
}

impl FeedRemover {
    /// Connects; the feed's queues are those of so many shards of these strategies.
    ///
    /// # Errors
    /// The broker is not there, or refuses.
    pub fn connect(
        broker: &BrokerUrl,
        feed: &FeedName,
        strategies: &[StrategyName],
        shards: u16,
    ) -> Result<Self, BrokerError> {
        let runtime = event_loop()?;
        let (connection, channel) = runtime.block_on(async {
            let connection = Connection::open(broker, &format!("orchard, removing {feed}")).await?;
            let channel = connection.open_channel().await?;
            Ok::<_, BrokerError>((connection, channel))
        })?;
        let of = |strategy: &StrategyName| {
            let strategy = strategy.clone();
            (0..shards).map(move |shard| topology::frames_queue(feed, &strategy, shard))
        };
        let queues = strategies.iter().flat_map(of).collect();
        Ok(Self { runtime, channel, _connection: connection, feed: feed.clone(), queues })
    }

    /// Drops the frames that wait in the strategies' queues; gives how many.
    ///
    /// # Errors
    /// A queue is not there, or the broker is lost.
    pub fn purge(&self) -> Result<u64, BrokerError> {
        self.runtime.block_on(async {
            let mut purged = 0;
            for queue in &self.queues {
                purged += u64::from(self.channel.purge_queue(queue).await?);
            }
            Ok(purged)
        })
    }

    /// Removes the strategies' queues, and nothing else of the feed. One that is not there is skipped.
    ///
    /// # Errors
    /// The broker refuses, or is lost.
    pub fn remove_queues(self) -> Result<(), BrokerError> {
        self.runtime.block_on(async {
            for queue in &self.queues {
                self.channel.delete_queue(queue).await?;
            }
            Ok(())
        })
    }

    /// Removes everything of the feed. A part that is not there is skipped.
    ///
    /// # Errors
    /// The broker refuses, or is lost.
    pub fn remove(self) -> Result<(), BrokerError> {
        let Self { runtime, channel, feed, mut queues, .. } = self;
        queues.extend([topology::run_queue(&feed), topology::dead_queue(&feed)]);
        runtime.block_on(async {
            for queue in queues {
                channel.delete_queue(&queue).await?;
            }
            for exchange in [topology::frames_exchange(&feed), topology::control_exchange(&feed)] {
                channel.delete_exchange(&exchange).await?;
            }
            Ok(())
        })
    }
}
