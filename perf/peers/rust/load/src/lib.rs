//! What the transport peers written in Rust share: what to move, how long it took, private servers.

mod confirms;
mod lag;
mod server;

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::Parser;

pub use confirms::Confirms;
pub use lag::Lag;
pub use server::PrivateServer;

/// What does not come within this time does not come.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// What to move.
#[derive(Clone, Debug, Parser)]
pub struct Load {
    /// The broker, as amqp://user:password@host:port/vhost; of no use where the server is a private one
    #[arg(long, default_value = "")]
    pub url: String,
    /// Bytes of each body
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=64 << 20))]
    pub body_bytes: u64,
    /// How many are published
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=u64::from(u32::MAX)))]
    pub messages: u64,
    /// Publishes without a confirm; a quarter of it is acknowledged together
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=1 << 20))]
    pub window: u64,
    /// Queues that get each body, with a consumer each
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=64))]
    pub queues: u64,
}

impl Load {
    /// How many are acknowledged together.
    pub fn together(&self) -> u64 {
        (self.window / 4).max(1)
    }

    /// What a consumer may have unacknowledged.
    pub fn prefetch(&self) -> u16 {
        (self.window * 2).min(5000) as u16
    }

    /// What is published each time.
    pub fn body(&self) -> Vec<u8> {
        vec![7; self.body_bytes as usize]
    }

    /// Starts every consumer in a thread of its own, then publishes; prints how long that took.
    ///
    /// A consumer says by the sender when it is ready. The time ends when all is confirmed and every
    /// consumer has ended.
    pub fn measure(
        &self,
        consume: impl Fn(u64, std::sync::mpsc::Sender<()>) -> Result<()> + Sync,
        publish: impl FnOnce() -> Result<()>,
    ) -> Result<()> {
        let seconds = std::thread::scope(|scope| {
            let (ready, is_ready) = std::sync::mpsc::channel();
            let consumers: Vec<_> = (0..self.queues)
                .map(|queue| {
                    let (ready, consume) = (ready.clone(), &consume);
                    scope.spawn(move || consume(queue, ready).with_context(|| format!("consumer {queue}")))
                })
                .collect();
            drop(ready);
            for _ in 0..self.queues {
                if is_ready.recv_timeout(PATIENCE).is_err() {
                    // One of them ended with an error that says more.
                    consumers.into_iter().try_for_each(join)?;
                    anyhow::bail!("no consumer is ready after {PATIENCE:?}; see whether the broker lives");
                }
            }
            let started = Instant::now();
            publish().context("the publisher")?;
            consumers.into_iter().try_for_each(join)?;
            Ok(started.elapsed().as_secs_f64())
        })?;
        let bytes = self.messages * self.body_bytes;
        println!("{}", serde_json::json!({"seconds": seconds, "messages": self.messages, "bytes": bytes}));
        Ok(())
    }
}

fn join(consumer: std::thread::ScopedJoinHandle<'_, Result<()>>) -> Result<()> {
    consumer.join().unwrap_or_else(|_| Err(anyhow::anyhow!("a consumer panicked; its message is above")))
}

/// Runs async work on this thread alone, so that each side has one.
pub fn on_runtime<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.context("the system gives no runtime; see its limits")?.block_on(work)
}

/// Waits, but not for ever.
pub async fn in_time<T>(what: &str, work: impl Future<Output = T>) -> Result<T> {
    let done = tokio::time::timeout(PATIENCE, work).await;
    done.with_context(|| {
        format!("{what}: nothing came for {PATIENCE:?}; see whether the broker has an alarm")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_decides_what_is_acknowledged_and_prefetched() {
        let load = |window| Load { url: String::new(), body_bytes: 1, messages: 10, window, queues: 4 };
        assert_eq!([3, 8, 4000].map(|window| load(window).together()), [1, 2, 1000]);
        assert_eq!([3, 8, 4000].map(|window| load(window).prefetch()), [6, 16, 5000]);
    }
}
