//! What becomes of commands is pushed, and none is left out.

use std::collections::HashMap;

use serde_json::{Value, json};
use tick_sdk::contracts::bus::ReadableAt;
use tokio::time::timeout;

use crate::client::{Client, PATIENCE};
use crate::service::{Service, signals};
use crate::signals::gateway;

fn ann(number: usize) -> Value {
    json!({"email": format!("ann{number}@example.org"), "name": "Ann"})
}

/// The states of commands as a client knows them.
#[derive(Default)]
struct Viewer {
    cursor: Value,
    states: HashMap<String, String>,
}

impl Viewer {
    fn take(&mut self, update: &Value) {
        self.cursor = update["cursor"].clone();
        for command in update["commands"].as_array().unwrap() {
            let text = |name: &str| command[name].as_str().unwrap().to_owned();
            self.states.insert(text("commandId"), text("state"));
        }
    }

    async fn follow(&self, address: std::net::SocketAddr) -> Client {
        let mut client = Client::connect(address, "commands").await;
        let watch = if self.cursor.is_null() { json!({}) } else { json!({"after": self.cursor}) };
        client.stream("Follow", watch).await;
        client
    }

    /// Takes updates until this is so.
    async fn until(&mut self, client: &mut Client, is_so: impl Fn(&Self) -> bool) {
        let updates = async {
            while !is_so(self) {
                self.take(&client.item().await.expect("an update"));
            }
        };
        timeout(PATIENCE, updates).await.expect("an update in time");
    }

    fn is(&self, id: &str, state: &str) -> bool {
        self.states.get(id).is_some_and(|is| is == state)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_begins_with_the_latest_and_is_sent_what_becomes_of_others() {
    let service = Service::start().await;
    for number in 0..5 {
        service.done("POST", "/api/users", ann(number)).await;
    }
    let address = service.gateway.local_addr();
    let mut client = Client::connect(address, "commands").await;
    client.stream("Follow", json!({"latest": 3})).await;
    let first = client.item().await.unwrap();
    assert_eq!((first["commands"].as_array().unwrap().len(), &first["isLatest"]), (3, &json!(true)));
    let id = first["commands"][2]["commandId"].as_str().unwrap();
    assert_eq!(first["commands"][2], service.read(&format!("/api/commands/{id}")).await);
    let mut viewer = Viewer::default();
    viewer.take(&first);
    let (_, accepted) = service.send("POST", "/api/users", ann(5)).await;
    let id = accepted["commandId"].as_str().unwrap();
    viewer.until(&mut client, |viewer| viewer.is(id, "completed")).await;
    // Whoever named one is sent that one only.
    let (_, replay) = service.send("POST", "/api/replays", json!({"files": ["day.csv"]})).await;
    let replay = replay["commandId"].as_str().unwrap();
    let mut one = Client::connect(address, "commands").await;
    one.stream("Follow", json!({"ids": [replay]})).await;
    let mut of_one = Viewer::default();
    of_one.until(&mut one, |viewer| viewer.is(replay, "processing")).await;
    service.done("POST", "/api/users", ann(6)).await;
    service.complete(&json!({"commandId": replay}), json!({}), Vec::new());
    of_one.until(&mut one, |viewer| viewer.is(replay, "completed")).await;
    assert_eq!(of_one.states.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_followed_is_refused_with_the_reason() {
    let service = Service::start().await;
    let mut client = Client::connect(service.gateway.local_addr(), "commands").await;
    for (watch, reason) in [(json!({"ids": ["x"]}), "GUID"), (json!({"latest": 1_001}), "1000")] {
        client.stream("Follow", watch).await;
        let refused = client.next().await.unwrap();
        assert!(refused["error"].as_str().unwrap().contains(reason), "{refused}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_command_is_left_out_over_cuts_and_at_another_gateway() {
    let service = Service::start().await;
    let other = gateway(&service.bus, service.folder.path().join("other.sqlite")).await;
    let addresses = [service.gateway.local_addr(), other.local_addr()];
    let mut viewer = Viewer::default();
    let mut sent = Vec::new();
    for round in 0..10 {
        let mut client = viewer.follow(addresses[round % 2]).await;
        for number in 0..5 {
            let (status, accepted) = service.send("POST", "/api/users", ann(round * 10 + number)).await;
            assert_eq!(status, 202);
            sent.push(accepted["commandId"].as_str().unwrap().to_owned());
        }
        // It is cut in the middle of it.
        viewer.take(&client.item().await.unwrap());
    }
    let mut client = viewer.follow(other.local_addr()).await;
    viewer.until(&mut client, |viewer| sent.iter().all(|id| viewer.is(id, "completed"))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_ends_once_its_signals_can_be_read_is_not_forgotten_in_between() {
    let service = Service::start().await;
    let other = gateway(&service.bus, service.folder.path().join("other.sqlite")).await;
    let mut viewer = Viewer::default();
    let mut client = viewer.follow(service.gateway.local_addr()).await;
    let (_, replay) = service.send("POST", "/api/replays", json!({"files": ["day.csv"]})).await;
    let id = replay["commandId"].as_str().unwrap();
    viewer.until(&mut client, |viewer| viewer.is(id, "processing")).await;
    let position = service.bus.events().head("strategies").unwrap() + 1;
    service.complete(&replay, json!({}), vec![ReadableAt { context: "strategies".to_owned(), position }]);
    // Another command's end shows that the client has passed this one's.
    service.settle().await;
    let (_, created) = service.send("POST", "/api/users", ann(1)).await;
    let user = created["commandId"].as_str().unwrap();
    viewer.until(&mut client, |viewer| viewer.is(user, "completed")).await;
    assert!(viewer.is(id, "processing"));
    let mut stays = viewer.follow(service.gateway.local_addr()).await;
    let mut of_one_who_stays = Viewer { cursor: viewer.cursor.clone(), states: viewer.states.clone() };
    drop(client);
    let mut newcomer = Viewer::default();
    let mut new = newcomer.follow(other.local_addr()).await;
    newcomer.until(&mut new, |viewer| viewer.is(id, "processing")).await;
    drop(new);
    service.publish(&[signals("r1", "apple", "BTC", 0, 1)]);
    of_one_who_stays.until(&mut stays, |viewer| viewer.is(id, "completed")).await;
    service.settle().await;
    let mut client = viewer.follow(other.local_addr()).await;
    viewer.until(&mut client, |viewer| viewer.is(id, "completed")).await;
    let mut client = newcomer.follow(service.gateway.local_addr()).await;
    newcomer.until(&mut client, |viewer| viewer.is(id, "completed")).await;
}
