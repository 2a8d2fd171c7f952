//! What a gateway hears of services whose logs it does not read, and of commands that wait for a service.

use std::sync::Arc;

use broker::QueueOptions;
use bus::rabbitmq::{BrokerUrl, HEARD, HEARD_TABLES, Listening};
use bus::{Bus, EventSource, Logs, SendError, SendOptions, SqliteStore, Store, StoredEvent};
use serde_json::{Value, json};
use tick_sdk::contracts::CommandId;
use tick_sdk::contracts::bus::{CommandAccepted, CommandCompleted, CommandFailed, CommandSeen};
use uuid::Uuid;

use crate::broker_of_test::Vhost;
use crate::peer::{Peer, envelope};
use crate::shop::{Deliver, SHOP, Sell, TABLES, VAN, options};
use crate::{wait_for, wait_until};

/// A process that sends and listens, and carries out nothing.
struct Gateway {
    bus: Bus,
    _folder: tempfile::TempDir,
}

impl Gateway {
    /// Reads the log of `shop` where there is one.
    fn start(url: &BrokerUrl, shop: Option<Arc<dyn Store>>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let heard = Arc::new(SqliteStore::open(&folder.path().join("heard.db"), HEARD_TABLES).unwrap());
        let readable = shop.iter().map(|_| SHOP.to_owned()).collect();
        let mut logs = Logs::default().with(HEARD, heard.clone());
        if let Some(shop) = shop {
            logs = logs.with(SHOP, shop);
        }
        let builder = Bus::builder().rabbitmq(url.clone(), options()).logs(logs);
        let bus = builder.listening(Listening::new(heard, readable)).start().unwrap();
        wait_until("it listens", || bus.rabbitmq().unwrap().endpoints.iter().any(|queue| queue.is_consuming));
        Self { bus, _folder: folder }
    }

    fn send<C: tick_sdk::contracts::Command>(&self, command: &C) -> CommandId {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(self.bus.send(command, SendOptions::default())).unwrap().command_id
    }

    fn heard(&self) -> Vec<StoredEvent> {
        self.bus.events_after(HEARD, 0, 1_000).unwrap()
    }

    fn wait_for(&self, name: &str, command: CommandId) -> StoredEvent {
        wait_for(name, || {
            self.heard().into_iter().find(|event| event.name == name && event.command_id == Some(command))
        })
    }
}

fn event(of: CommandId) -> Value {
    let mut event = envelope("Unloaded", json!({ "number": 1 }));
    event["messageType"] = json!(["urn:message:Harbour:Unloaded", "urn:message:Orchard.Contracts:IEvent"]);
    event["correlationId"] = json!(of);
    event
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn a_command_of_another_service_its_fault_and_its_event_are_heard_once_each() {
    let vhost = Vhost::new("heard");
    let peer = Peer::new(&vhost.url());
    peer.declare_queue(VAN, &QueueOptions::durable());
    peer.bind_queue(VAN, VAN);
    let gateway = Gateway::start(&vhost.url(), None);
    let id = gateway.send(&Deliver { number: 1 });
    let accepted = gateway.wait_for(CommandAccepted::NAME, id);
    assert!(accepted.body.contains(r#""endpoint":"van""#), "{}", accepted.body);
    let fault = json!({
        "messageId": Uuid::now_v7(), "correlationId": id,
        "messageType": ["urn:message:MassTransit:Fault[[Orchard.Contracts:Deliver]]", "urn:message:MassTransit:Fault"],
        "message": {"exceptions": [{"exceptionType": "System.Exception", "message": "no fuel"}]},
    });
    let (done, other) = (event(id), event(id));
    for _ in 0..3 {
        peer.send("MassTransit:Fault", "", &fault);
        peer.send("Orchard.Contracts:IEvent", "", &done);
    }
    peer.send("Orchard.Contracts:IEvent", "", &other);
    let names = || gateway.heard().into_iter().map(|event| event.name).collect::<Vec<_>>();
    wait_until("all are heard", || names().len() >= 4);
    assert_eq!(names(), ["CommandAccepted", "CommandFailed", "Harbour:Unloaded", "Harbour:Unloaded"]);
    assert!(gateway.wait_for(CommandFailed::NAME, id).body.contains("no fuel"));
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn a_command_that_waits_for_its_context_is_seen_until_its_context_has_it() {
    let vhost = Vhost::new("seen");
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(SqliteStore::open(&folder.path().join("shop.db"), TABLES).unwrap());
    let (gateway, peer) = (Gateway::start(&vhost.url(), Some(store.clone())), Peer::new(&vhost.url()));
    peer.declare_queue(SHOP, &QueueOptions::durable());
    peer.bind_queue(SHOP, SHOP);
    let waiting = gateway.send(&Sell { number: 1 });
    gateway.wait_for(CommandSeen::NAME, waiting);
    let shop = Bus::builder().rabbitmq(vhost.url(), options()).shared_context(SHOP, store).start().unwrap();
    let at_once = gateway.send(&Sell { number: 2 });
    for id in [waiting, at_once] {
        wait_for("it is carried out", || {
            let events = shop.events_after(SHOP, 0, 100).unwrap();
            events
                .into_iter()
                .find(|event| event.name == CommandCompleted::NAME && event.command_id == Some(id))
        });
    }
    // What its own log says is all that is said.
    wait_until("nothing of it stands there", || {
        gateway.heard().iter().all(|event| event.name != CommandSeen::NAME)
    });
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn a_copy_alone_is_no_delivery() {
    let vhost = Vhost::new("copies");
    let peer = Peer::new(&vhost.url());
    let gateway = Gateway::start(&vhost.url(), None);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let send = || runtime.block_on(gateway.bus.send(&Deliver { number: 1 }, SendOptions::default()));
    assert!(matches!(send().unwrap_err(), SendError::NoSuchEndpoint { .. }));
    peer.declare_queue(VAN, &QueueOptions::durable());
    peer.bind_queue(VAN, VAN);
    send().unwrap();
    // It is followed from then on.
    wait_until("it is heard", || {
        let sent = send().unwrap();
        gateway.heard().iter().any(|event| event.command_id.is_some_and(|id| id <= sent.command_id))
    });
}
