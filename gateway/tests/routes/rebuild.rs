//! Documents made anew are the same; a projection that cannot go on stops alone, and visibly.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use gateway::documents::{DocumentStore, Durability, SqliteDocuments};
use gateway::projections::RegisteredProjection;
use gateway::{GatewayOptions, Limits};
use serde_json::json;
use tick_sdk::contracts::accounts::UserRenamed;
use tick_sdk::contracts::strategies::{AccountFigures, AccountMarked, RunForgotten};
use tick_sdk::contracts::ticks::{
    InstrumentPrices, ReplayAccepted, ReplayCompleted, ReplayForgotten, ReplayOutcome,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use uuid::Uuid;

use crate::service::{Service, answered, signals};

/// Every document of every collection.
pub(crate) fn all(store: &dyn DocumentStore) -> Vec<(String, String, String)> {
    let mut all = Vec::new();
    for collection in
        RegisteredProjection::all().unwrap().iter().flat_map(|projection| projection.collections)
    {
        let mut after = String::new();
        loop {
            let found = store.scan(collection, &after, 100).unwrap();
            let Some(last) = found.last() else { break };
            after.clone_from(&last.id);
            let documents = found.iter().map(|document| (document.id.clone(), document.body.to_string()));
            all.extend(documents.map(|(id, body)| (collection.name.to_owned(), id, body)));
        }
    }
    all
}

pub(crate) async fn with_everything() -> Service {
    let service = Service::start().await;
    for number in 0..20 {
        service.done("POST", "/api/users", json!({"email": format!("u{number}@x"), "name": "U"})).await;
    }
    service.done("POST", "/api/deployments", json!({"name": "trend", "strategy": "apple"})).await;
    service.send("POST", "/api/replays", json!({"files": ["day.csv"]})).await;
    // Signals come in batches of other sizes than buckets, and some alone.
    for (begin, count) in [(0, 700), (700, 1), (701, 1), (702, 900), (1602, 5)] {
        service.publish(&[
            signals("r1", "apple", "BTC", begin, count),
            signals("r1", "pear", "ETH", begin, count),
        ]);
        service.settle().await;
    }
    service
}

#[tokio::test(flavor = "multi_thread")]
async fn rebuilt_documents_equal_those_that_grew() {
    let service = with_everything().await;
    let open = || {
        let place = service.folder.path().join("read.sqlite");
        SqliteDocuments::open(&place, Durability::LastCommitsMayBeLost).unwrap()
    };
    let (before, cursors) = (all(&open()), open().cursors().unwrap());
    assert!(before.len() > 40, "{}", before.len());
    let users = service.read("/api/users").await;
    let report = service.gateway.rebuild().await.unwrap();
    let events: u64 = service
        .bus
        .events()
        .contexts()
        .iter()
        .map(|context| service.bus.events().head(context).unwrap())
        .sum();
    assert_eq!(report.events, events);
    let after = all(&open());
    let different = before.iter().zip(&after).find(|(before, after)| before != after);
    assert_eq!((different, before.len()), (None, after.len()));
    assert_eq!(cursors, open().cursors().unwrap());
    // And it goes on from there.
    assert_eq!(service.read("/api/users").await, users);
    let done = service.done("POST", "/api/users", json!({"email": "after@x", "name": "U"})).await;
    service.read(&format!("/api/users/{}", done["commandId"].as_str().unwrap())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_are_rebuilt_while_nobody_serves() {
    let service = with_everything().await;
    let events = service.bus.events();
    let place = service.folder.path().join("aside.sqlite");
    std::fs::copy(service.folder.path().join("read.sqlite"), &place).unwrap();
    let rebuilt = place.clone();
    let report =
        tokio::task::spawn_blocking(move || gateway::rebuild(&rebuilt, events)).await.unwrap().unwrap();
    assert!(report.events > 60);
    let live = SqliteDocuments::open(&service.folder.path().join("read.sqlite"), Durability::None).unwrap();
    assert!(all(&live) == all(&SqliteDocuments::open(&place, Durability::None).unwrap()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forgotten_replay_is_gone_from_documents_that_grew_and_from_those_made_anew() {
    let service = with_everything().await;
    let account = |run: &str| AccountMarked {
        run: run.to_owned(),
        strategy: "apple".to_owned(),
        total: AccountFigures::default(),
        instruments: Vec::new(),
    };
    service.publish(&[signals("r10", "apple", "BTC", 0, 400)]);
    service.publish(&[account("r1"), account("r10")]);
    let last = service.bus.events().head("strategies").unwrap();
    service.publish(&[signals("r2", "apple", "BTC", 0, 3)]);
    service.settle().await;
    let replays = service.read("/api/replays").await;
    let replay_id = replays["items"][0]["replayId"].as_str().unwrap();
    let done = service.done("POST", &format!("/api/replays/{replay_id}/forget"), json!(null)).await;
    assert_eq!(done["state"], "completed");
    // Its signals are removed in two steps, between which documents can be made anew.
    let remove = |positions: &[u64], is_last: bool| {
        service.bus.transaction("strategies", |work| {
            positions.iter().try_for_each(|position| work.remove_events(*position, *position))?;
            if is_last {
                work.publish(&RunForgotten { run: "r1".to_owned() });
            }
            Ok::<_, bus::StoreError>(())
        })
    };
    let log = service.bus.events().events_after("strategies", 0, 1000).unwrap();
    let of_run = log.iter().filter(|event| event.body.contains("\"r1\"") && event.position <= last);
    let of_run: Vec<_> = of_run.map(|event| event.position).collect();
    assert_eq!(of_run.len(), 11);
    remove(&of_run[..5], false).unwrap();
    service.settle().await;
    service.gateway.rebuild().await.unwrap();
    assert_eq!(service.read("/api/replays").await["items"], json!([]));
    assert_eq!(service.read("/api/positions?run=r1").await["items"].as_array().unwrap().len(), 1);
    remove(&of_run[5..], true).unwrap();
    service.settle().await;

    let open = || {
        let place = service.folder.path().join("read.sqlite");
        SqliteDocuments::open(&place, Durability::LastCommitsMayBeLost).unwrap()
    };
    let grown = all(&open());
    let of_run = grown.iter().filter(|(_, id, _)| id.starts_with("r1/")).count();
    let of_others = grown.iter().filter(|(_, id, _)| id.starts_with("r10/") || id.starts_with("r2/")).count();
    // Of r10 a series with two buckets and an account, of r2 a series with one.
    assert_eq!((of_run, of_others), (0, 6));
    assert_eq!(service.read("/api/signals?run=r1").await["items"], json!([]));
    service.gateway.rebuild().await.unwrap();
    assert_eq!(grown, all(&open()));
    assert_eq!(service.read("/health/ready").await["stoppedProjections"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_cannot_be_applied_stops_its_projection_alone_until_it_is_skipped() {
    let service = Service::start().await;
    service.done("POST", "/api/users", json!({"email": "a@x", "name": "A"})).await;
    // A user that was never created cannot be renamed.
    let position = service.publish(&[UserRenamed { user_id: Uuid::now_v7(), name: "B".into() }]);
    let next = service.done("POST", "/api/users", json!({"email": "b@x", "name": "B"})).await;
    assert_eq!(next["state"], "completed", "the status of commands goes on");
    assert_eq!(service.read("/api/users").await["items"].as_array().unwrap().len(), 1);
    let users = async || {
        let projections = service.read("/api/projections").await;
        projections["items"].as_array().unwrap().iter().find(|one| one["name"] == "users").unwrap().clone()
    };
    let stopped = users().await;
    assert_eq!(
        (stopped["state"].as_str(), stopped["stopped"]["position"].as_u64()),
        (Some("stopped"), Some(position))
    );
    assert!(stopped["stopped"]["reason"].as_str().unwrap().contains("there is no user"));
    assert!(stopped["stopped"]["skip"].as_str().unwrap().contains("skip users"));
    assert_eq!(service.read("/health/ready").await["stoppedProjections"], json!(["users"]));
    let (status, skipped) = service.send("POST", "/api/projections/users/skip", json!({})).await;
    assert_eq!((status, skipped["state"].as_str()), (200, Some("running")));
    service.settle().await;
    assert_eq!(service.read("/api/users").await["items"].as_array().unwrap().len(), 2);
    // What was skipped stays skipped.
    service.gateway.rebuild().await.unwrap();
    assert_eq!(users().await["state"], "running");
    assert_eq!(service.read("/api/users").await["items"].as_array().unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_end_before_the_server_does() {
    let service = Service::start().await;
    let address = service.gateway.local_addr();
    let body = json!({"email": "a@x", "name": "A"}).to_string();
    let head = format!(
        "POST /api/users HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
         Expect: 100-continue\r\n\r\n",
        body.len()
    );
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = [0; 25];
    stream.read_exact(&mut answer).await.unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 100"), "the request is begun");
    let ended = tokio::spawn(service.gateway.shutdown(Duration::from_secs(10)));
    while TcpStream::connect(address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    stream.write_all(body.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 202"), "{answer}");
    assert!(ended.await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_for_a_command_is_answered_when_the_server_stops() {
    let limits = Limits { waiting: 1, ..Limits::default() };
    let service = Service::start_with(|options| GatewayOptions { limits, ..options }).await;
    service.held.1.store(true, Ordering::Release);
    let (_, accepted) = service.send("POST", "/api/users", json!({"email": "a@x", "name": "A"})).await;
    let status = accepted["status"].as_str().unwrap();
    // Whoever waits for one that is not known is refused when the server stops, and would come again.
    service.known(status).await;
    let waiting = service.get(&format!("{status}?wait=60s"));
    let waits = tokio::spawn(async move {
        loop {
            // The one below may be the one that waits.
            let answer = answered(waiting.try_clone().unwrap()).await;
            if answer.0 != 503 {
                return answer;
            }
        }
    });
    // Only one may wait: another is refused as soon as the first does.
    let refused = async {
        while answered(service.get(&format!("{status}?wait=1ms"))).await.0 != 503 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), refused).await.expect("somebody waits");
    let begun = Instant::now();
    assert!(service.gateway.shutdown(Duration::from_secs(30)).await);
    let (code, command) = waits.await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
    assert_eq!(code, 200, "{command}");
    assert!(command["state"] == "accepted" || command["state"] == "processing", "{command}");
    service.held.0.add_permits(1);
}

#[tokio::test(flavor = "multi_thread")]
async fn instruments_have_the_last_prices_of_the_replays_that_are_left() {
    let service = Service::start().await;
    let prices = |symbol: &str, last: &str, at: u64| InstrumentPrices {
        symbol: symbol.into(),
        last_trade: Some(last.into()),
        last_ts_recv: Some(at),
        ..InstrumentPrices::default()
    };
    let mut replays = Vec::new();
    for (symbols, last, at) in [(&["BTC", "ETH"][..], "1", 5), (&["BTC", "SOL"], "2", 7), (&["BTC"], "3", 7)]
    {
        let replay_id = Uuid::now_v7();
        let instruments = symbols.iter().map(|symbol| prices(symbol, last, at)).collect();
        let outcome = ReplayOutcome { instruments, ..ReplayOutcome::default() };
        let accepted = ReplayAccepted { replay_id, plan: Default::default() };
        let first = service.publish(&[accepted]);
        let last = service.publish(&[ReplayCompleted { replay_id, run: "r".into(), outcome }]);
        replays.push((replay_id, [first, last]));
    }
    let shown = async || {
        service.settle().await;
        let shown = service.read("/api/instruments").await;
        let text =
            |one: &serde_json::Value| format!("{}{}", one["symbol"], one["lastTrade"]).replace('"', "");
        shown["items"].as_array().unwrap().iter().map(text).collect::<Vec<_>>()
    };
    assert_eq!(shown().await, ["BTC3", "ETH1", "SOL2"]);
    for (place, left) in [(2, &["BTC2", "ETH1", "SOL2"][..]), (1, &["BTC1", "ETH1"]), (0, &[])] {
        let (replay_id, positions) = replays[place];
        // As the context of replays does it: what was said of it goes when it is forgotten.
        service
            .bus
            .transaction("ticks", |work| {
                positions.iter().try_for_each(|position| work.remove_events(*position, *position))?;
                work.publish(&ReplayForgotten { replay_id, run: None });
                Ok::<_, bus::StoreError>(())
            })
            .unwrap();
        assert_eq!(shown().await, left);
        service.gateway.rebuild().await.unwrap();
        assert_eq!(shown().await, left, "made anew");
    }
    assert_eq!(service.read("/api/replays").await["items"], json!([]));
}
