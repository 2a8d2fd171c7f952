//! Opaque bodies through one broker: the transport's own limit.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use broker::amqp::{AmqpConnection, Buffers};
use broker::{BrokerError, BrokerUrl};
use clap::Args;
use tick_feed::rabbitmq::event_loop;
use tick_sdk::quantity::{count_within, parse_bytes, parse_count};

use self::body::FEWEST_BYTES;
use self::transfer::{BodyLoad, BodyObserver, move_bodies};
use crate::broker_metrics::BrokerMetrics;
use crate::live::Live;
use crate::outcome::Step;
use crate::probe::{Point, Probe, Sample};
use crate::sampler::{Mark, Messages, Sampler};

mod body;
mod confirms;
mod consume;
mod publish;
mod transfer;

/// Between looks whether all has been moved.
const LOOK: Duration = Duration::from_millis(2);

/// What to move.
#[derive(Clone, Debug, Args)]
pub(crate) struct BodiesArgs {
    /// Bytes of a body
    #[arg(long, value_name = "BYTES", default_value = "320K", value_parser = parse_bytes, help_heading = "Load")]
    pub(crate) body_bytes: u64,
    /// How many bodies
    #[arg(long, value_name = "N", default_value = "10K", value_parser = parse_count, help_heading = "Load")]
    pub(crate) messages: u64,
    /// Bodies/s that are due; without it, as fast as it goes
    #[arg(long, value_name = "RATE", value_parser = parse_count, help_heading = "Load")]
    pub(crate) rate: Option<u64>,
    /// Bodies without a confirm, at most
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = count_within::<u32>(1..=100_000), help_heading = "Load")]
    pub(crate) window: u32,
    /// Queues that get each body, with a consumer each
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=64), help_heading = "Load")]
    pub(crate) queues: u16,
}

impl BodiesArgs {
    fn load(&self) -> BodyLoad {
        BodyLoad {
            body_bytes: (self.body_bytes as usize).max(FEWEST_BYTES),
            messages: self.messages,
            window: self.window as usize,
            queues: self.queues,
            rate: self.rate.map(|rate| rate as f64),
        }
    }
}

/// Counts bodies as if each were a tick, and each queue's consumer as if it were a strategy.
struct Watch {
    probe: Arc<Probe>,
    /// One for each queue that a body goes to.
    sent: AtomicU64,
    /// From the step's begin to the first body, in ns.
    began_ns: AtomicU64,
    queues: u64,
}

impl BodyObserver for Watch {
    fn began(&self, at: Instant) {
        let after = at.saturating_duration_since(self.probe.origin());
        self.began_ns.store(after.as_nanos() as u64, Ordering::Release);
    }

    fn sent(&self) {
        self.sent.fetch_add(self.queues, Ordering::Relaxed);
        self.probe.enter(1);
        self.probe.count(Point::Sent, 1);
    }

    fn confirmed(&self, messages: u64) {
        self.probe.count(Point::Confirmed, messages);
    }

    fn delivered(&self, due: Duration) {
        self.probe.count(Point::Delivered, 1);
        let due_ns = self.began_ns.load(Ordering::Acquire) + due.as_nanos() as u64;
        self.probe.record(Point::Delivered, &[Sample::one(due_ns)], self.probe.now_ns());
    }
}

/// Measures one load.
///
/// # Errors
/// The broker is not there, refuses, or is lost.
pub(crate) fn step(
    broker: &BrokerUrl,
    args: &BodiesArgs,
    metrics: &BrokerMetrics,
    live: &mut Live,
    stop: &AtomicBool,
) -> Result<Step, BrokerError> {
    let load = args.load();
    let probe = Arc::new(Probe::new(Duration::ZERO));
    let watch = Watch {
        probe: probe.clone(),
        sent: AtomicU64::new(0),
        began_ns: AtomicU64::new(0),
        queues: load.queues.into(),
    };
    std::thread::scope(|scope| {
        let moving = scope.spawn(|| move_bodies(broker, &load, stop, &watch));
        let messages = || Messages { sent: watch.sent.load(Ordering::Relaxed), ..Messages::default() };
        let mut sampler = Sampler::new(probe.clone(), Duration::ZERO, messages, metrics, live);
        while !moving.is_finished() {
            sampler.look();
            std::thread::sleep(LOOK);
        }
        moving.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        let (first, last) = probe.first_and_last(Point::Delivered);
        let last = last.max(probe.first_and_last(Point::Confirmed).1);
        let bounds: (Mark, Mark) =
            (sampler.mark().nothing_yet(first, sampler.cpu_before()), sampler.mark().moved_to(last));
        let mut step = sampler.finish(String::new(), load.rate, bounds, Point::Delivered, load.queues.into());
        // Bodies that came out of every queue: each counts once, however many there are.
        let bodies_per_s = std::mem::take(&mut step.totals.ticks_per_s);
        step.totals.bytes_per_s = bodies_per_s * load.body_bytes as f64;
        step.totals.bytes = step.totals.sent * load.body_bytes as u64;
        Ok(step)
    })
}

/// What a broker calls itself, with its version: `RabbitMQ 3.10.8`.
///
/// # Errors
/// The broker is not there, or refuses.
pub(crate) fn product(broker: &BrokerUrl) -> Result<String, BrokerError> {
    event_loop()?.block_on(async {
        let connection = AmqpConnection::open(broker, "perf, version", Buffers::none()).await?;
        let product = connection.peer().to_owned();
        connection.close().await;
        Ok(product)
    })
}
