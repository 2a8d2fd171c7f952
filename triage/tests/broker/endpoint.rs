//! An endpoint of its own for each test, with its `_error` queue.

use std::time::{Duration, Instant};

use broker::{
    BrokerUrl, Channel, Connection, Delivery, ExchangeKind, ExchangeOptions, Message, Outcome, Properties,
    QueueOptions, Table,
};
use serde_json::Value as Json;
use triage::{FailedQueue, Names, Sight, Triage};

/// What MassTransit 8.5.12 published to `_error` and `_skipped` queues, as it was recorded.
const RECORDED: &str = include_str!("../data/masstransit.json");

/// What is waited for comes within this time, also on a machine that is busy.
const SOON: Duration = Duration::from_secs(60);
/// Between looks at what is waited for.
const BETWEEN_LOOKS: Duration = Duration::from_millis(5);

pub(crate) struct Endpoint {
    pub(crate) name: String,
    pub(crate) channel: Channel,
    pub(crate) triage: Triage,
    connection: Connection,
}

pub(crate) fn url() -> BrokerUrl {
    std::env::var("ORCHARD_TEST_AMQP").expect("ORCHARD_TEST_AMQP is a broker's URL").parse().unwrap()
}

pub(crate) fn management() -> Sight {
    Sight::Management(std::env::var("ORCHARD_TEST_MANAGEMENT").expect("ORCHARD_TEST_MANAGEMENT is a URL"))
}

pub(crate) fn quorum(limit: i64) -> Table {
    Table::default().with("x-queue-type", "quorum").with("x-delivery-limit", limit)
}

/// Runs a test on an event loop of its own.
pub(crate) fn run(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
        .block_on(test);
}

impl Endpoint {
    /// An endpoint as MassTransit declares it, whose failed messages lie in queues with these arguments.
    pub(crate) async fn new(arguments: Table) -> Self {
        let name = format!("triage-{}", uuid::Uuid::new_v4());
        let connection = Connection::open(&url(), "test").await.unwrap();
        let channel = connection.open_channel().await.unwrap();
        for (queue, arguments) in [
            (name.clone(), Table::default()),
            (format!("{name}_error"), arguments.clone()),
            (format!("{name}_skipped"), arguments),
        ] {
            channel.declare_exchange(&queue, ExchangeKind::Fanout, ExchangeOptions::durable()).await.unwrap();
            let options = QueueOptions::durable().with_arguments(arguments);
            channel.declare_queue(&queue, &options).await.unwrap();
            channel.bind_queue(&queue, &queue, "").await.unwrap();
        }
        let triage = Triage::open(&url(), management()).await.unwrap();
        Self { name, channel, triage, connection }
    }

    pub(crate) fn names(&self) -> Names {
        Names { endpoints: vec![self.name.clone()], ..Names::default() }
    }

    pub(crate) async fn queues(&self) -> Vec<FailedQueue> {
        self.triage.find(&self.names()).await.unwrap().queues
    }

    pub(crate) fn error(&self) -> String {
        format!("{}_error", self.name)
    }

    pub(crate) async fn count(&self, queue: &str) -> u32 {
        self.channel.inspect_queue(queue).await.unwrap().messages
    }

    /// Waits until so many messages lie in a queue: those that were looked at and stay are back a moment later.
    pub(crate) async fn wait_count(&self, queue: &str, wanted: u32) {
        let begun = Instant::now();
        loop {
            let count = self.count(queue).await;
            if count == wanted {
                return;
            }
            assert!(begun.elapsed() < SOON, "{queue} has {count} messages, not {wanted}");
            tokio::time::sleep(BETWEEN_LOOKS).await;
        }
    }

    /// Publishes what failed, as MassTransit does.
    pub(crate) async fn fail(&self, message: &Message<'_>) {
        let outcome = self.channel.publish_confirmed(&self.error(), "", message).await.unwrap();
        assert_eq!(outcome, Outcome::Confirmed);
    }

    /// Publishes numbered messages that failed.
    pub(crate) async fn fail_numbered(&self, numbers: std::ops::Range<u32>) {
        for number in numbers {
            let body = envelope(&format!("00000000-0000-0000-0000-{number:012}"));
            let mut message = Message::persistent(body.as_bytes());
            message.properties.headers = failed(&format!("reason {number}"), &self.name);
            self.fail(&message).await;
        }
    }

    /// Takes all that lies in a queue.
    pub(crate) async fn take(&self, queue: &str) -> Vec<Delivery> {
        let mut all = Vec::new();
        while let Some(delivery) = self.channel.get(queue).await.unwrap() {
            self.channel.ack(delivery.tag).await.unwrap();
            all.push(delivery);
        }
        all
    }

    /// Removes what the test has made.
    pub(crate) async fn end(self) {
        for suffix in ["", "_error", "_skipped"] {
            let name = format!("{}{suffix}", self.name);
            self.channel.delete_queue(&name).await.unwrap();
            self.channel.delete_exchange(&name).await.unwrap();
        }
        self.triage.close().await;
        self.connection.close().await.unwrap();
    }
}

/// The headers of a message that failed.
pub(crate) fn failed(reason: &str, endpoint: &str) -> Table {
    Table::default()
        .with("MT-Reason", "fault")
        .with("MT-Fault-Message", reason)
        .with("MT-Fault-ExceptionType", "System.ArgumentException")
        .with("MT-Fault-Timestamp", "2026-11-29T10:58:41.5033220Z")
        .with("MT-Fault-InputAddress", format!("rabbitmq://elsewhere/{endpoint}"))
        .with("tenant", "eu")
        .with("x-dotnet-pub-seq-no", 7_i64)
}

pub(crate) fn envelope(message_id: &str) -> String {
    format!(
        r#"{{"messageId": "{message_id}", "correlationId": "0197f0aa-0000-7000-8000-000000000001",
        "messageType": ["urn:message:Orchard.Contracts:CreateUser"], "message": {{}}}}"#
    )
}

/// A recorded message, with the properties that it had.
pub(crate) fn recorded(scenario: &str, place: usize) -> (Properties, String) {
    let all: Json = serde_json::from_str(RECORDED).unwrap();
    let message = &all[scenario][place];
    let text = |value: &Json| value.as_str().map(str::to_owned);
    let mut headers = Table::default();
    for (name, value) in message["properties"]["headers"].as_object().unwrap() {
        headers = match (value["S"].as_str(), value["l"].as_i64()) {
            (Some(text), _) => headers.with(name, text),
            (_, number) => headers.with(name, number.unwrap()),
        };
    }
    let properties = Properties {
        headers,
        is_persistent: true,
        content_type: text(&message["properties"]["content_type"]),
        message_id: text(&message["properties"]["message_id"]),
        correlation_id: text(&message["properties"]["correlation_id"]),
        ..Properties::default()
    };
    (properties, text(&message["body"]).unwrap())
}
