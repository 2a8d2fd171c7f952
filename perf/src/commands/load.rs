//! Loads over HTTP: as fast as it goes, and open loop at a rate.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hdrhistogram::Histogram;
use tokio::time::{Instant, sleep_until};

use super::http::Connection;

/// What a load came to.
pub(super) struct Loaded {
    pub(super) per_s: f64,
    /// In µs, from when a request was due.
    pub(super) latency: Histogram<u64>,
}

impl Loaded {
    /// In ms.
    pub(super) fn p50_ms(&self) -> f64 {
        self.latency.value_at_quantile(0.5) as f64 / 1e3
    }

    /// In ms.
    pub(super) fn p99_ms(&self) -> f64 {
        self.latency.value_at_quantile(0.99) as f64 / 1e3
    }
}

/// When requests are due.
#[derive(Clone, Copy)]
pub(super) enum Due {
    /// Each when the one before on its connection was answered.
    AtOnce,
    /// So many a second, whether those before were answered or not.
    PerSecond(f64),
}

/// Lets every connection make one request after the other, for so long.
pub(super) fn run<F, W>(
    address: SocketAddr,
    connections: usize,
    due: Due,
    duration: Duration,
    request: F,
) -> io::Result<Loaded>
where
    F: Fn(Connection, u64) -> W + Clone + 'static,
    W: Future<Output = io::Result<Connection>> + 'static,
{
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime, async move {
        let next = Arc::new(AtomicU64::new(0));
        let begin = Instant::now() + Duration::from_millis(50);
        let mut workers = Vec::new();
        for _ in 0..connections {
            let connection = Connection::open(address).await?;
            let (next, request) = (next.clone(), request.clone());
            workers.push(tokio::task::spawn_local(work(connection, next, begin, due, duration, request)));
        }
        let mut latency = Histogram::new(3).expect("three digits are possible");
        for worker in workers {
            let own = worker.await.map_err(io::Error::other)??;
            latency.add(own).expect("both have three digits");
        }
        let seconds = (Instant::now() - begin).as_secs_f64();
        Ok(Loaded { per_s: latency.len() as f64 / seconds, latency })
    })
}

async fn work<F, W>(
    mut connection: Connection,
    next: Arc<AtomicU64>,
    begin: Instant,
    due: Due,
    duration: Duration,
    request: F,
) -> io::Result<Histogram<u64>>
where
    F: Fn(Connection, u64) -> W,
    W: Future<Output = io::Result<Connection>>,
{
    let mut latency = Histogram::new(3).expect("three digits are possible");
    sleep_until(begin).await;
    loop {
        let ticket = next.fetch_add(1, Ordering::Relaxed);
        let due_at = match due {
            Due::AtOnce => Instant::now(),
            Due::PerSecond(rate) => begin + Duration::from_secs_f64(ticket as f64 / rate),
        };
        if due_at >= begin + duration {
            return Ok(latency);
        }
        sleep_until(due_at).await;
        connection = request(connection, ticket).await?;
        let micros = due_at.elapsed().as_micros() as u64;
        latency.record(micros).map_err(io::Error::other)?;
    }
}
