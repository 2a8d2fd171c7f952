//! The hub that is measured, in a process of its own: prices to all of its clients.

use std::io::Write;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use signalr::{Clients, Context, Event, Hub, HubError, HubServer, Methods, Options};
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use ts_rs::TS;

use crate::environment;

/// Between looks whether messages are due.
const LOOK: Duration = Duration::from_millis(1);
/// After the last client has come, before the first message: the load counts from 1 s on.
const PAUSE: Duration = Duration::from_millis(1_500);
/// So long clients may take to come.
const PATIENCE: Duration = Duration::from_secs(120);

/// What is served.
#[derive(Clone, Copy, Debug)]
pub(super) struct Serving {
    /// Clients that are waited for.
    pub(super) connections: usize,
    /// To each client; 0 measures what an idle one costs.
    pub(super) messages_per_s: u32,
    /// In each message.
    pub(super) updates: usize,
    pub(super) window: Duration,
    pub(super) duration: Duration,
    /// Of the server.
    pub(super) threads: usize,
}

/// What came of it, as the last line of its output.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(super) struct Served {
    pub(super) server_cores: f64,
    pub(super) kib_per_connection: f64,
    /// How late messages were given to the hub, at worst.
    pub(super) latest_ms: f64,
    /// At the end.
    pub(super) connections: usize,
}

/// Its first line of output.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Listening {
    pub(super) port: u16,
}

/// One of a market's prices.
#[derive(Clone, Copy, Debug, Serialize, TS)]
#[serde(rename_all = "camelCase")]
struct Update {
    s: &'static str,
    bid: f64,
    bid_size: f64,
    ask: f64,
    ask_size: f64,
    /// When it was due, in microseconds since the UNIX epoch.
    t: u64,
}

static PRICES: Event<(Vec<Update>,)> = Event::new("prices", &["updates"]);

#[derive(Default)]
struct Market {
    connected: Arc<AtomicUsize>,
}

impl Hub for Market {
    fn register(methods: &mut Methods<Self>) {
        methods.event(&PRICES);
    }

    async fn on_connected(self: Arc<Self>, _: Context) -> Result<(), HubError> {
        self.connected.fetch_add(1, Ordering::AcqRel);
        Ok(())
    }

    async fn on_disconnected(self: Arc<Self>, _: Context, _: Option<String>) {
        self.connected.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Serves until the time is over, and prints both lines.
///
/// # Errors
/// There is no port, or the clients do not come.
pub(super) fn serve(serving: Serving) -> std::io::Result<()> {
    let runtime = match serving.threads {
        1 => tokio::runtime::Builder::new_current_thread().enable_all().build()?,
        threads => {
            tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build()?
        }
    };
    let served = runtime.block_on(run(serving));
    // Clients may still be there: the end of the process is theirs.
    runtime.shutdown_background();
    print_line(&served?)
}

async fn run(serving: Serving) -> std::io::Result<Served> {
    let market = Market::default();
    let connected = market.connected.clone();
    // All that may wait for one client in a pause of the machine of half a second.
    let options = Options { gather: serving.window, max_waiting_bytes: 1 << 20, ..Options::default() };
    let server = HubServer::new(market, options);
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let port = listener.local_addr()?.port();
    let before = environment::memory();
    let routes = server.router("/hubs/market");
    tokio::spawn(async move { axum::serve(listener, routes).await });
    print_line(&Listening { port })?;

    let come = async {
        while connected.load(Ordering::Acquire) < serving.connections {
            sleep(LOOK).await;
        }
    };
    timeout(PATIENCE, come).await?;
    sleep(PAUSE).await;
    let mut served = Served::default();
    let (begin, cpu) = (Instant::now(), environment::cpu_time());
    if serving.messages_per_s == 0 {
        sleep(serving.duration).await;
    } else {
        served.latest_ms = send(server.clients(), serving).await.as_secs_f64() * 1e3;
    }
    served.server_cores = (environment::cpu_time() - cpu).as_secs_f64() / begin.elapsed().as_secs_f64();
    let grown = environment::memory().saturating_sub(before);
    served.kib_per_connection = grown as f64 / 1024.0 / serving.connections.max(1) as f64;
    served.connections = connected.load(Ordering::Acquire);
    Ok(served)
}

/// Each message when it is due; how late the latest was.
async fn send(clients: &Clients, serving: Serving) -> Duration {
    let mut looks = interval(LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let (begin, epoch) = (Instant::now(), SystemTime::now());
    let every = Duration::from_secs(1) / serving.messages_per_s;
    let mut latest = Duration::ZERO;
    for count in 1.. {
        let due = every * count;
        if due > serving.duration {
            break;
        }
        while begin.elapsed() < due {
            looks.tick().await;
        }
        latest = latest.max(begin.elapsed() - due);
        let at = (epoch + due).duration_since(UNIX_EPOCH).unwrap_or_default().as_micros() as u64;
        // It is of numbers and a text: it can be encoded, and there is no backplane.
        let _ = clients.all().send(&PRICES, (updates(serving.updates, at),)).await;
    }
    latest
}

/// As `hubserve` has them, to the byte.
fn updates(count: usize, t: u64) -> Vec<Update> {
    let update = |number: usize| {
        let number = number as f64;
        Update {
            s: "BTCUSDT",
            bid: 67123.5 + number,
            bid_size: 1.25,
            ask: 67123.6 + number,
            ask_size: 0.5,
            t,
        }
    };
    (0..count).map(update).collect()
}

fn print_line(value: &impl Serialize) -> std::io::Result<()> {
    let mut output = std::io::stdout().lock();
    serde_json::to_writer(&mut output, value)?;
    output.write_all(b"\n")?;
    output.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_update_is_that_of_the_limit() {
        let updates = serde_json::to_string(&updates(2, 1_764_500_000_000_000)).unwrap();
        let expected = r#"[{"s":"BTCUSDT","bid":67123.5,"bidSize":1.25,"ask":67123.6,"askSize":0.5,"t":1764500000000000},{"s":"BTCUSDT","bid":67124.5,"bidSize":1.25,"ask":67124.6,"askSize":0.5,"t":1764500000000000}]"#;
        assert_eq!(updates, expected);
    }
}
