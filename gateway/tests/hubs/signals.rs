//! Every signal once, whatever happens to the connection, and wherever it goes.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bus::{Bus, StoreError, Work};
use gateway::{Gateway, GatewayOptions};
use serde_json::{Value, json};
use tick_sdk::contracts::strategies::{AccountFigures, AccountMarked};

use crate::client::{Client, PATIENCE};
use crate::service::{Service, signals};

/// Another gateway over the same logs, with documents of its own.
pub(crate) async fn gateway(bus: &Arc<Bus>, documents: std::path::PathBuf) -> Gateway {
    let options = GatewayOptions {
        documents: documents.into(),
        listen: vec![([127, 0, 0, 1], 0).into()],
        ..GatewayOptions::default()
    };
    Gateway::start(bus.clone(), options).await.unwrap()
}

/// The places of an update's signals.
fn seqs(update: &Value) -> Vec<u64> {
    update["signals"].as_array().unwrap().iter().map(|signal| signal["seq"].as_u64().unwrap()).collect()
}

fn marked(run: &str, equity: &str) -> AccountMarked {
    let total = AccountFigures { equity: equity.to_owned(), ..AccountFigures::default() };
    AccountMarked { run: run.to_owned(), strategy: "apple".to_owned(), total, instruments: Vec::new() }
}

#[tokio::test(flavor = "multi_thread")]
async fn signals_come_as_they_were_committed_and_with_them_the_accounts() {
    let service = Service::start().await;
    service.publish(&[signals("r1", "apple", "BTC", 0, 3)]);
    let mut client = Client::connect(service.gateway.local_addr(), "signals").await;
    client.stream("Follow", json!({})).await;
    let first = client.item().await.unwrap();
    assert_eq!((seqs(&first), &first["isLatest"]), (vec![0, 1, 2], &json!(true)));
    let signal = &first["signals"][1];
    let expected = json!({
        "run": "r1", "strategy": "apple", "symbol": "BTC", "shard": 2, "seq": 1, "n": 1,
        "tsEvent": "1723161258000000995", "atMs": 1_723_161_258_000_u64, "side": "sell", "price": "101.5",
        "publishedMs": signal["publishedMs"],
    });
    assert_eq!(*signal, expected);
    service.publish(&[marked("r1", "1.5")]);
    let second = client.item().await.unwrap();
    assert_eq!(second["marked"], json!([{"run": "r1", "strategy": "apple", "equity": "1.5"}]));
    let positions = service.read("/api/positions?run=r1").await;
    assert_eq!(positions["items"][0]["total"]["equity"], "1.5", "what was marked can be read");
    assert!(second["position"].as_u64() > first["position"].as_u64());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_begins_with_the_latest_or_behind_its_cursor_and_sees_what_it_asked_for() {
    let service = Service::start().await;
    for begin in 0..40 {
        service.publish(&[
            signals("r1", "apple", "BTC", begin * 10, 10),
            signals("r2", "pear", "ETH", begin * 10, 10),
        ]);
    }
    // What the documents do not have yet would come, too.
    service.settle().await;
    let follow = async |watch: Value| {
        let mut client = Client::connect(service.gateway.local_addr(), "signals").await;
        client.stream("Follow", watch).await;
        let mut all = Vec::new();
        loop {
            let update = client.item().await.unwrap();
            all.extend(update["signals"].as_array().unwrap().clone());
            if update["isLatest"] == true {
                return (all, update["position"].as_u64().unwrap());
            }
        }
    };
    let (latest, position) = follow(json!({"latest": 25})).await;
    assert_eq!(latest.len(), 30, "about 25: events are whole");
    assert_eq!(latest.last().unwrap()["seq"], 399);
    // Of those that are watched, however many others came since.
    let (latest, _) = follow(json!({"latest": 25, "strategies": ["apple"]})).await;
    assert_eq!(latest.len(), 30);
    assert!(latest.iter().all(|signal| signal["run"] == "r1"), "{latest:?}");
    let (none, _) = follow(json!({"after": position})).await;
    assert_eq!(none, Vec::<Value>::new());
    let (all, _) = follow(json!({"after": 0})).await;
    assert_eq!(all.len(), 800);
    let (some, _) = follow(json!({"after": 0, "runs": ["R2"], "strategies": ["pear"]})).await;
    assert_eq!(some.len(), 400);
    assert!(some.iter().all(|signal| signal["run"] == "r2"));
    let (nothing, _) = follow(json!({"after": 0, "runs": ["r1"], "strategies": ["pear"]})).await;
    assert_eq!(nothing, Vec::<Value>::new());
    // A cursor of a log that is lost is none.
    let (latest, _) = follow(json!({"after": 1_000_000, "latest": 5})).await;
    assert_eq!(latest.len(), 10);
    let mut client = Client::connect(service.gateway.local_addr(), "signals").await;
    client.stream("Follow", json!({"latest": 10_001})).await;
    let refused = client.next().await.unwrap();
    assert!(refused["error"].as_str().unwrap().contains("10000"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_without_a_cursor_is_sent_what_documents_do_not_have() {
    let service = Service::start().await;
    service.publish(&[signals("r1", "apple", "BTC", 0, 3)]);
    service.settle().await;
    // The projection of signals stops here.
    let mut refused = signals("r1", "apple", "BTC", 3, 1);
    refused.signals[0].side = "none".to_owned();
    service.publish(&[refused, signals("r1", "apple", "BTC", 4, 2)]);
    let mut client = Client::connect(service.gateway.local_addr(), "signals").await;
    client.stream("Follow", json!({"latest": 0})).await;
    assert_eq!(seqs(&client.item().await.unwrap()), [3, 4, 5]);
}

/// Follows from the cursor on until told to stop, or the connection ends.
struct Viewer {
    position: u64,
    seen: HashMap<u64, u32>,
    order: Vec<u64>,
}

impl Viewer {
    /// Reads so many updates, then cuts the connection in the middle; fewer where the gateway ends it.
    async fn view(&mut self, address: SocketAddr, updates: usize) {
        let Ok(mut client) = Client::try_connect(address, "signals").await else { return };
        client.stream("Follow", json!({"after": self.position})).await;
        for _ in 0..updates {
            let Some(update) = client.item().await else { return };
            for seq in seqs(&update) {
                *self.seen.entry(seq).or_default() += 1;
                self.order.push(seq);
            }
            self.position = update["position"].as_u64().unwrap();
        }
    }
}

/// Also a test that fails ends the thread.
struct EndPublishing(Arc<AtomicBool>);

impl Drop for EndPublishing {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_signal_comes_once_over_cuts_restarts_and_at_another_gateway() {
    let service = Service::start().await;
    let (bus, folder) = (service.bus.clone(), service.folder.path().to_owned());
    let other = gateway(&bus, folder.join("other.sqlite")).await;
    let mut restarted = gateway(&bus, folder.join("restarted.sqlite")).await;
    let is_done = Arc::new(AtomicBool::new(false));
    let end = EndPublishing(is_done.clone());
    let publisher = tokio::task::spawn_blocking({
        let bus = bus.clone();
        move || {
            let mut published = 0;
            while !is_done.load(Ordering::Acquire) {
                let count = 1 + published % 90;
                let publish = |work: &mut Work<'_>| {
                    work.publish(&signals("r1", "apple", "BTC", published, count));
                    Ok::<_, StoreError>(())
                };
                bus.transaction("strategies", publish).unwrap();
                published += count;
                std::thread::sleep(Duration::from_millis(2));
            }
            published
        }
    });
    let mut viewer = Viewer { position: 0, seen: HashMap::new(), order: Vec::new() };
    for round in 0..12 {
        viewer.view(restarted.local_addr(), 1 + round % 4).await;
        viewer.view(other.local_addr(), 2).await;
        if round % 3 == 2 {
            // It is ended while somebody looks, and comes again with its documents.
            let address = restarted.local_addr();
            let (ended, ()) =
                tokio::join!(restarted.shutdown(Duration::from_secs(20)), viewer.view(address, usize::MAX));
            assert!(ended);
            restarted = gateway(&bus, folder.join("restarted.sqlite")).await;
        }
    }
    drop(end);
    let published = publisher.await.unwrap();
    let rest = async {
        while (viewer.order.len() as u64) < published {
            viewer.view(other.local_addr(), 1).await;
        }
    };
    tokio::time::timeout(PATIENCE, rest).await.expect("all signals");
    assert!(viewer.seen.values().all(|times| *times == 1));
    assert_eq!(viewer.order, (0..published).collect::<Vec<_>>(), "in their order");
}
