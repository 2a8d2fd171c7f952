//! Messages in both directions under load, through a proxy that cuts, stalls and half-opens links at random: each message once
//! and in order. Where the client had to start anew, the application's cursors recover the rest.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use futures_util::lock::Mutex;
use signalr::{Context, Event, Hub, HubError, HubServer, Methods, Options};
use tokio::net::TcpListener;

use crate::node::{client, run};
use crate::proxy::{Disturbance, Proxy};

static ENTRY: Event<(u64, String)> = Event::new("Entry", &["number", "text"]);

/// Between two entries of the log, and between two numbers of the client.
const PERIOD: Duration = Duration::from_millis(2);

/// A log that clients follow from a cursor, and numbers that they put in order.
struct Journal {
    entries: Mutex<Vec<String>>,
    /// The last number that was put.
    put: AtomicU64,
    /// Numbers that came twice, or too early.
    wrong: AtomicUsize,
    connections: AtomicUsize,
}

impl Hub for Journal {
    fn register(methods: &mut Methods<Self>) {
        methods.call("Follow", ["seen"], Self::follow);
        methods.call("Put", ["number"], Self::put);
        methods.event(&ENTRY);
    }

    async fn on_connected(self: Arc<Self>, _: Context) -> Result<(), HubError> {
        self.connections.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

impl Journal {
    /// Sends what the client has not seen, and from then on what is new; returns the last number that was put.
    async fn follow(self: Arc<Self>, context: Context, seen: u64) -> Result<u64, HubError> {
        // Nothing is added while what was missed is sent, so all comes in order.
        let entries = self.entries.lock().await;
        for (number, text) in (1..).zip(entries.iter()).skip(usize::try_from(seen)?) {
            context.caller().send(&ENTRY, (number, text.clone())).await?;
        }
        context.join("followers").await?;
        Ok(self.put.load(Ordering::Relaxed))
    }

    async fn put(self: Arc<Self>, _: Context, number: u64) {
        if self.put.compare_exchange(number - 1, number, Ordering::Relaxed, Ordering::Relaxed).is_err() {
            self.wrong.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// The time for which links are disturbed.
fn storm_time() -> Duration {
    Duration::from_secs(if std::env::var_os("ORCHARD_TEST_LONG").is_some() { 120 } else { 20 })
}

#[test]
fn each_message_comes_once_and_in_order_whatever_happens_to_links() {
    let Some(packages) = client(2) else { return };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let options = Options {
        stateful_reconnect: true,
        max_replay_bytes: 1 << 20,
        max_waiting_bytes: 4 << 20,
        disconnect_timeout: Duration::from_secs(3),
        gather: Duration::from_millis(5),
        ..Options::default()
    };
    let journal = Journal {
        entries: Mutex::default(),
        put: AtomicU64::new(0),
        wrong: AtomicUsize::new(0),
        connections: AtomicUsize::new(0),
    };
    let hub = HubServer::new(journal, options);
    let (proxy, control) = runtime.block_on(start(&hub));
    let arguments =
        [packages.to_str().unwrap(), &format!("http://127.0.0.1:{}/journal", proxy.port), &control];
    run("js/storm.mjs", &arguments);
    let journal = hub.hub();
    let connections = journal.connections.load(Ordering::Relaxed);
    let sockets = proxy.accepted();
    println!(
        "{} entries, {} numbers, {connections} connections, {sockets} links",
        runtime.block_on(journal.entries.lock()).len(),
        journal.put.load(Ordering::Relaxed)
    );
    assert_eq!(journal.wrong.load(Ordering::Relaxed), 0, "numbers came twice, or too early");
    // Each connection has a negotiation beside its first socket; what is beyond that was a reattachment.
    assert!(sockets > 2 * connections, "{sockets} links of {connections} connections: none was reattached");
}

/// A server with the hub, its log that grows, the proxy and its disturbances; the address from which the client learns how it goes.
async fn start(hub: &HubServer<Journal>) -> (Proxy, String) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let proxy = Proxy::start(listener.local_addr().unwrap().to_string()).await;
    let routes = hub.router("/journal").into_make_service_with_connect_info::<std::net::SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, routes).await });
    let ends_at = Instant::now() + storm_time();
    tokio::spawn(grow(hub.clone(), ends_at));
    tokio::spawn(disturb(proxy.clone(), ends_at));
    (proxy, control(hub.clone(), ends_at).await)
}

/// Adds to the log until the time is over.
async fn grow(hub: HubServer<Journal>, ends_at: Instant) {
    let mut ticks = tokio::time::interval(PERIOD);
    while Instant::now() < ends_at {
        ticks.tick().await;
        let mut entries = hub.hub().entries.lock().await;
        let number = entries.len() as u64 + 1;
        let text = format!("entry {number}, long enough to be cut in the middle of it now and then");
        entries.push(text.clone());
        hub.clients().group("followers").send(&ENTRY, (number, text)).await.unwrap();
    }
}

/// Disturbs links at random, more and less often.
async fn disturb(proxy: Proxy, ends_at: Instant) {
    let mut random = Random::new();
    while Instant::now() < ends_at {
        tokio::time::sleep(Duration::from_millis(random.below(600))).await;
        match random.below(8) {
            0..=2 => proxy.disturb(Disturbance::Cut),
            3..=4 => proxy.disturb(Disturbance::HalfOpen),
            5..=6 => proxy.disturb(Disturbance::Stall(Duration::from_millis(random.below(400)))),
            _ => {
                proxy.disturb(Disturbance::Cut);
                proxy.refuse(Duration::from_millis(random.below(200))).await;
            }
        }
    }
}

/// `/end` answers how many entries there are, when there will be no more, and zero before.
async fn control(hub: HubServer<Journal>, ends_at: Instant) -> String {
    let end = async move |State(hub): State<HubServer<Journal>>| {
        let is_over = Instant::now() > ends_at + Duration::from_millis(500);
        if is_over { hub.hub().entries.lock().await.len().to_string() } else { "0".to_owned() }
    };
    let put = async |State(hub): State<HubServer<Journal>>| hub.hub().put.load(Ordering::Relaxed).to_string();
    let routes = Router::new().route("/end", get(end)).route("/put", get(put)).with_state(hub);
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, routes).await });
    address
}

/// Numbers that differ from run to run; the seed is printed, so that a run that fails can be looked at.
struct Random(u64);

impl Random {
    fn new() -> Self {
        let seed = SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |time| time.as_nanos() as u64 | 1);
        println!("seed {seed}");
        Self(seed)
    }

    fn below(&mut self, limit: u64) -> u64 {
        // xorshift64
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}
