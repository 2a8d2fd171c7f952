//! Where each measurement begins: queues without messages, and a database of its own.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use broker::{BrokerError, BrokerUrl, Channel, Connection, ExchangeKind, ExchangeOptions, QueueOptions};
use bus::wire::{BoundTo, QueueKind, Topology};
use sqlx::{AssertSqlSafe, Connection as _, Executor, PgConnection};
use tokio::runtime::Runtime;

use super::CommandsError;

/// A queue for a service's events, beside its endpoint.
pub(super) const HEARD: &str = "perf-heard";

/// The servers, as the command line or the environment names them.
#[derive(Clone, Debug)]
pub(in crate::commands) struct Servers {
    pub(super) broker: String,
    pub(super) broker_url: BrokerUrl,
    pub(super) database: String,
}

impl Servers {
    pub(super) fn new(broker: String, database: String) -> Result<Self, CommandsError> {
        let broker_url = broker.parse()?;
        Ok(Self { broker, broker_url, database })
    }
}

/// One endpoint's exchanges and queues, and a database; both end with it.
pub(super) struct Place {
    pub(super) servers: Servers,
    /// The database of this measurement.
    pub(super) database: String,
    name: String,
    topology: Topology,
    pub(super) runtime: Runtime,
}

impl Place {
    /// Declares an endpoint, which must not be there, and makes a database.
    pub(super) fn new(servers: &Servers, endpoint: &str) -> Result<Self, CommandsError> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("perf_commands_{}_{count}", std::process::id());
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let topology = Topology::of(&[endpoint], QueueKind::Classic);
        runtime.block_on(async {
            let connection = Connection::open(&servers.broker_url, "perf, commands").await?;
            if let Ok(found) = connection.open_channel().await?.inspect_queue(endpoint).await {
                let messages = found.messages;
                return Err(CommandsError::Usage(format!(
                    "the virtual host is in use: it has a queue {endpoint} with {messages} messages\n  \
                     name one without, or fresh servers by `scripts/services start rabbitmq postgres`"
                )));
            }
            declare(&connection.open_channel().await?, &topology).await?;
            execute(&servers.database, &format!("CREATE DATABASE {name}")).await?;
            Ok(())
        })?;
        let database = with_database(&servers.database, &name);
        Ok(Self { servers: servers.clone(), database, name, topology, runtime })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let ended = self.runtime.block_on(async {
            let connection = Connection::open(&self.servers.broker_url, "perf, commands").await?;
            delete(&connection.open_channel().await?, &self.topology).await?;
            execute(&self.servers.database, &format!("DROP DATABASE {} WITH (FORCE)", self.name)).await?;
            Ok::<_, CommandsError>(())
        });
        if let Err(error) = ended {
            tracing::warn!(%error, database = self.name, "a measurement leaves its queues or database behind");
        }
    }
}

async fn declare(channel: &Channel, topology: &Topology) -> Result<(), BrokerError> {
    for name in topology.exchanges.keys() {
        channel.declare_exchange(name, ExchangeKind::Fanout, ExchangeOptions::durable()).await?;
    }
    for name in topology.queues.keys() {
        channel.declare_queue(name, &QueueOptions::durable()).await?;
    }
    for binding in &topology.bindings {
        match binding.to {
            BoundTo::Exchange => {
                channel.bind_exchange(&binding.destination, &binding.source, &binding.key).await?;
            }
            BoundTo::Queue => channel.bind_queue(&binding.destination, &binding.source, &binding.key).await?,
        }
    }
    Ok(())
}

async fn delete(channel: &Channel, topology: &Topology) -> Result<(), BrokerError> {
    for name in topology.queues.keys().map(String::as_str).chain([HEARD]) {
        channel.delete_queue(name).await?;
    }
    for name in topology.exchanges.keys() {
        channel.delete_exchange(name).await?;
    }
    Ok(())
}

async fn execute(url: &str, statement: &str) -> sqlx::Result<()> {
    let mut connection = PgConnection::connect(url).await?;
    connection.execute(AssertSqlSafe(statement)).await?;
    connection.close().await
}

/// The same server's other database.
fn with_database(url: &str, name: &str) -> String {
    let (address, query) =
        url.split_once('?').map_or((url, String::new()), |(address, query)| (address, format!("?{query}")));
    let begin = address.find("://").map_or(0, |place| place + 3);
    let server = address[begin..].find('/').map_or(address, |place| &address[..begin + place]);
    format!("{server}/{name}{query}")
}

/// The time in ms since the UNIX epoch.
pub(super) fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}

#[cfg(test)]
mod tests {
    use super::with_database;

    #[test]
    fn another_database_is_on_the_same_server() {
        let named = |url: &str| with_database(url, "x");
        assert_eq!(
            named("postgres://a:b@h:1/postgres?sslmode=disable"),
            "postgres://a:b@h:1/x?sslmode=disable"
        );
        assert_eq!(named("postgres://h"), "postgres://h/x");
    }
}
