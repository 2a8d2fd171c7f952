//! Another service on the broker.

use std::time::Duration;

use broker::{
    BrokerUrl, Channel, Connection, Delivery, ExchangeKind, ExchangeOptions, Message, Outcome, Properties,
    QueueOptions,
};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::wait_for;

/// After a look at a queue that is not there.
const NOT_THERE: Duration = Duration::from_millis(50);

/// A service that speaks to the bus over the broker, a step at a time.
pub(crate) struct Peer {
    runtime: tokio::runtime::Runtime,
    connection: Connection,
    channel: Channel,
}

impl Peer {
    pub(crate) fn new(url: &BrokerUrl) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let connection = runtime.block_on(Connection::open(url, "a peer")).unwrap();
        let channel = runtime.block_on(connection.open_channel()).unwrap();
        Self { runtime, connection, channel }
    }

    /// Publishes an envelope around a message, and waits until the broker has it in a queue.
    pub(crate) fn send(&self, exchange: &str, key: &str, envelope: &Value) {
        let outcome = self.publish(
            exchange,
            key,
            &serde_json::to_vec(envelope).unwrap(),
            Properties {
                content_type: Some("application/vnd.masstransit+json".to_owned()),
                message_id: envelope["messageId"].as_str().map(str::to_owned),
                is_persistent: true,
                ..Properties::default()
            },
        );
        assert_eq!(outcome, Outcome::Confirmed, "{exchange}");
    }

    pub(crate) fn publish(&self, exchange: &str, key: &str, body: &[u8], properties: Properties) -> Outcome {
        let message = Message { body, properties };
        self.runtime.block_on(self.channel.publish_confirmed(exchange, key, &message)).unwrap()
    }

    /// A queue of its own that gets what is published to this exchange from now on.
    pub(crate) fn listen(&self, exchange: &str) -> String {
        self.runtime.block_on(async {
            let fanout = (ExchangeKind::Fanout, ExchangeOptions::durable());
            self.channel.declare_exchange(exchange, fanout.0, fanout.1).await.unwrap();
            let queue = self.channel.declare_queue("", &QueueOptions::exclusive()).await.unwrap().name;
            self.channel.bind_queue(&queue, exchange, "").await.unwrap();
            queue
        })
    }

    /// A temporary exchange with a queue, as the bus of a service has it for answers.
    pub(crate) fn answers(&self, exchange: &str) -> String {
        self.runtime.block_on(async {
            let options = ExchangeOptions::auto_delete();
            self.channel.declare_exchange(exchange, ExchangeKind::Fanout, options).await.unwrap();
            let queue = self.channel.declare_queue("", &QueueOptions::exclusive()).await.unwrap().name;
            self.channel.bind_queue(&queue, exchange, "").await.unwrap();
            queue
        })
    }

    /// The next message of a queue, taken; it is waited for.
    pub(crate) fn next(&self, queue: &str) -> Delivery {
        let delivery = wait_for(queue, || self.get(queue));
        self.runtime.block_on(self.channel.ack(delivery.tag)).unwrap();
        delivery
    }

    fn get(&self, queue: &str) -> Option<Delivery> {
        self.runtime.block_on(async {
            // A queue that is not there yet closes the channel, whose number is used up: there are 2,047.
            let channel = self.connection.open_channel().await.unwrap();
            let there = channel.inspect_queue(queue).await;
            if there.is_err() {
                tokio::time::sleep(NOT_THERE).await;
                return None;
            }
            self.channel.get(queue).await.unwrap()
        })
    }

    /// How many messages wait in a queue.
    pub(crate) fn waiting(&self, queue: &str) -> u32 {
        self.runtime.block_on(async { self.channel.inspect_queue(queue).await.unwrap().messages })
    }

    /// Whether there is a queue that somebody consumes.
    pub(crate) fn is_consumed(&self, queue: &str) -> bool {
        self.runtime.block_on(async {
            let channel = self.connection.open_channel().await.unwrap();
            channel.inspect_queue(queue).await.is_ok_and(|status| status.consumers > 0)
        })
    }

    pub(crate) fn delete_queue(&self, queue: &str) {
        self.runtime.block_on(self.channel.delete_queue(queue)).unwrap();
    }

    /// What goes to an exchange, which is declared where it is missing, comes to a queue.
    pub(crate) fn bind_queue(&self, queue: &str, exchange: &str) {
        self.runtime.block_on(async {
            let options = ExchangeOptions::durable();
            self.channel.declare_exchange(exchange, ExchangeKind::Fanout, options).await.unwrap();
            self.channel.bind_queue(queue, exchange, "").await.unwrap();
        });
    }

    pub(crate) fn declare_queue(&self, queue: &str, options: &QueueOptions) {
        self.runtime.block_on(self.channel.declare_queue(queue, options)).unwrap();
    }
}

/// An envelope as MassTransit has it, with the least that it has.
pub(crate) fn envelope(name: &str, message: Value) -> Value {
    let id = Uuid::now_v7();
    json!({
        "messageId": id, "conversationId": id, "correlationId": id,
        "sourceAddress": "rabbitmq://peer/there", "destinationAddress": "rabbitmq://peer/shop?bind=true",
        "messageType": [format!("urn:message:Orchard.Contracts:{name}"), "urn:message:Orchard.Contracts:ICommand"],
        "message": message, "headers": {}, "host": {"processName": "peer", "processId": 1},
    })
}

/// What stands in a message's envelope.
pub(crate) fn read(delivery: &Delivery) -> Value {
    serde_json::from_slice(&delivery.body).unwrap()
}
