//! Each context has a process of its own, and so has who sends; in between is a broker, whose connections can be cut.

use std::sync::Arc;

use bus::rabbitmq::{ControlBudget, RabbitOptions, RabbitState};
use bus::{Bus, SqliteStore};
use tick_sdk::contracts::CommandId;

use crate::broker_of_test::Vhost;
use crate::contracts::{DESK, IsMended, TABLES, VAN};
use crate::peer::{Peer, read};
use crate::proxy::Proxy;
use crate::system::{Heard, Subscriber, System, Transport};
use crate::wait_until;

const PREFETCH: u16 = 50;

pub(crate) struct OverRabbit {
    /// It speaks to the broker itself, and goes before the virtual host does.
    peer: Arc<Peer>,
    proxy: Proxy,
    vhost: Vhost,
    folder: tempfile::TempDir,
}

impl OverRabbit {
    pub(crate) fn new() -> Self {
        let vhost = Vhost::new("transport");
        let (peer, proxy) = (Arc::new(Peer::new(&vhost.url())), Proxy::to(vhost.port()));
        Self { peer, proxy, vhost, folder: tempfile::tempdir().unwrap() }
    }

    fn open(&self, context: &str) -> Arc<SqliteStore> {
        let file = self.folder.path().join(format!("{context}.sqlite"));
        Arc::new(SqliteStore::open(&file, TABLES).unwrap())
    }

    fn process(&self, contexts: Option<(&str, Arc<SqliteStore>)>, is_mended: &IsMended) -> Arc<Bus> {
        let options =
            RabbitOptions { prefetch: PREFETCH, budget: ControlBudget::OFF, ..RabbitOptions::default() };
        let mut builder =
            Bus::builder().rabbitmq(self.vhost.url_by(self.proxy.port), options).resource(is_mended.clone());
        if let Some((context, store)) = contexts {
            builder = builder.shared_context(context, store);
        }
        let bus = Arc::new(builder.start().unwrap());
        wait_until("it is connected", || is_ready(&bus));
        bus
    }
}

fn is_ready(bus: &Bus) -> bool {
    let status = bus.rabbitmq().unwrap();
    status.state == RabbitState::Connected && status.endpoints.iter().all(|endpoint| endpoint.is_consuming)
}

/// A queue of its own.
struct Queue {
    peer: Arc<Peer>,
    name: String,
}

impl Subscriber for Queue {
    fn next(&mut self) -> Option<Heard> {
        if self.peer.waiting(&self.name) == 0 {
            return None;
        }
        let delivery = self.peer.next(&self.name);
        let event = read(&delivery);
        Some(Heard {
            message_id: event["messageId"].as_str().unwrap().to_owned(),
            position: delivery.properties.headers.integer("MT-Orchard-Position").unwrap().try_into().unwrap(),
            number: event["message"]["number"].as_i64().unwrap(),
        })
    }
}

impl Transport for OverRabbit {
    fn start(&self, is_mended: IsMended) -> System {
        let desk_store = self.open(DESK);
        let desk = self.process(Some((DESK, desk_store.clone())), &is_mended);
        let van = self.process(Some((VAN, self.open(VAN))), &is_mended);
        System { sender: self.process(None, &is_mended), desk, van, desk_store, is_mended }
    }

    fn subscribe(&self, _: &System) -> Box<dyn Subscriber> {
        Box::new(Queue { peer: self.peer.clone(), name: self.peer.listen("Orchard.Contracts:Jotted") })
    }

    fn faults(&self, _: &System) -> Box<dyn FnMut() -> (CommandId, String)> {
        let peer = self.peer.clone();
        let queue = peer.listen("MassTransit:Fault--Orchard.Contracts:Fall--");
        Box::new(move || {
            let fault = read(&peer.next(&queue));
            let reason = fault["message"]["exceptions"][0]["message"].as_str().unwrap().to_owned();
            (fault["correlationId"].as_str().unwrap().parse().unwrap(), reason)
        })
    }

    /// Every connection is cut, whatever it is at; each is made again.
    fn lose(&self, system: System) -> System {
        assert!(self.proxy.cut() >= 3, "three processes are connected");
        system
    }

    const FLOOD: i64 = 300;

    /// The rest waits in the broker's queue.
    fn is_full(&self, _: usize) -> bool {
        i64::from(self.peer.waiting(DESK)) == Self::FLOOD - i64::from(PREFETCH)
    }
}
