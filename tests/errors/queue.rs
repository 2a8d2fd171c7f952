//! Queues of a test's own, and the program that is tried on them.

use std::process::{Command, Output};
use std::time::{Duration, Instant};

use broker::{
    BrokerUrl, Channel, Connection, Delivery, ExchangeKind, ExchangeOptions, Message, Outcome, QueueOptions,
    Table,
};
use serde_json::Value;

/// What is waited for comes within this time, also on a machine that is busy.
pub(crate) const SOON: Duration = Duration::from_secs(120);

pub(crate) fn amqp() -> String {
    std::env::var("ORCHARD_TEST_AMQP").expect("ORCHARD_TEST_AMQP is a broker's URL")
}

pub(crate) fn management() -> String {
    std::env::var("ORCHARD_TEST_MANAGEMENT").expect("ORCHARD_TEST_MANAGEMENT is a URL")
}

/// `orchard` with these arguments, for the test's broker.
pub(crate) fn command(args: &[&str]) -> Command {
    command_at(&amqp(), args)
}

/// `orchard` with these arguments, for a virtual host.
pub(crate) fn command_at(amqp: &str, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_orchard"));
    command.args(args).args(["--broker", amqp, "--management", &management()]);
    command
}

/// Runs it to its end.
pub(crate) fn orchard(args: &[&str]) -> Output {
    command(args).output().expect("the program starts")
}

/// Runs it with `--json`; it must succeed.
pub(crate) fn json(args: &[&str]) -> Value {
    let output = orchard(&[args, &["--json"]].concat());
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("it is JSON")
}

#[track_caller]
pub(crate) fn wait_for(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < SOON, "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// An endpoint's exchange and queue, and those of what failed there.
pub(crate) struct Endpoint {
    pub(crate) name: String,
    runtime: tokio::runtime::Runtime,
    connection: Connection,
    channel: Channel,
}

impl Endpoint {
    pub(crate) fn new(arguments: Table) -> Self {
        Self::at(&amqp(), arguments)
    }

    /// In a virtual host.
    pub(crate) fn at(amqp: &str, arguments: Table) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let name = format!("errors-{}", uuid::Uuid::new_v4());
        let url: BrokerUrl = amqp.parse().unwrap();
        let (connection, channel) = runtime.block_on(async {
            let connection = Connection::open(&url, "test").await.unwrap();
            let channel = connection.open_channel().await.unwrap();
            for (queue, arguments) in [(name.clone(), Table::default()), (format!("{name}_error"), arguments)]
            {
                let fanout = ExchangeOptions::durable();
                channel.declare_exchange(&queue, ExchangeKind::Fanout, fanout).await.unwrap();
                let options = QueueOptions::durable().with_arguments(arguments);
                channel.declare_queue(&queue, &options).await.unwrap();
                channel.bind_queue(&queue, &queue, "").await.unwrap();
            }
            channel.confirm_publishes().await.unwrap();
            (connection, channel)
        });
        Self { name, runtime, connection, channel }
    }

    pub(crate) fn error(&self) -> String {
        format!("{}_error", self.name)
    }

    /// Publishes so many messages that failed, each with its number as the last digits of its id.
    pub(crate) fn fail(&self, count: usize, bytes: usize) {
        const AT_ONCE: usize = 500;
        let filling = "x".repeat(bytes);
        let headers = Table::default()
            .with("MT-Reason", "fault")
            .with("MT-Fault-Message", "it is taken")
            .with("MT-Fault-Timestamp", "2026-11-29T10:58:41.5033220Z")
            .with("MT-Fault-InputAddress", format!("rabbitmq://elsewhere/{}", self.name));
        let bodies: Vec<String> = (0..count)
            .map(|number| {
                format!(
                    r#"{{"messageId": "{}", "messageType": ["urn:message:Orchard.Contracts:CreateUser"],
                    "message": {{"email": "{filling}"}}}}"#,
                    id(number)
                )
            })
            .collect();
        self.runtime.block_on(async {
            for some in bodies.chunks(AT_ONCE) {
                let messages: Vec<_> = some
                    .iter()
                    .map(|body| Message::persistent(body.as_bytes()).with_headers(headers.clone()))
                    .collect();
                let error = self.error();
                let publishing =
                    messages.iter().map(|message| self.channel.publish_confirmed("", &error, message));
                for outcome in futures_util::future::join_all(publishing).await {
                    assert_eq!(outcome.unwrap(), Outcome::Confirmed);
                }
            }
        });
    }

    pub(crate) fn count(&self, queue: &str) -> usize {
        self.runtime.block_on(self.channel.inspect_queue(queue)).unwrap().messages as usize
    }

    /// Takes all that lies in a queue.
    pub(crate) fn take(&self, queue: &str) -> Vec<Delivery> {
        self.runtime.block_on(async {
            let mut all = Vec::new();
            while let Some(delivery) = self.channel.get(queue).await.unwrap() {
                self.channel.ack(delivery.tag).await.unwrap();
                all.push(delivery);
            }
            all
        })
    }
}

pub(crate) fn id(number: usize) -> String {
    format!("00000000-0000-7000-8000-{number:012}")
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        let removing = async {
            for name in [self.name.clone(), self.error(), format!("{}_skipped", self.name)] {
                self.channel.delete_queue(&name).await?;
                self.channel.delete_exchange(&name).await?;
            }
            self.connection.close().await
        };
        // A test that fails has its own words.
        let _ = self.runtime.block_on(removing);
    }
}
