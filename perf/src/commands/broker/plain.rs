//! The limit: consume, one transaction of multi-row inserts, pipelined confirms, one acknowledge; without a framework.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use broker::{Acknowledgement, BrokerUrl, Channel, Connection, Consumer, Delivery, Publication, Publisher};
use serde::{Deserialize, Serialize};
use sqlx::{Connection as _, Executor, PgConnection};
use tick_sdk::contracts::Command;
use tick_sdk::contracts::accounts::{CreateUser, UserCreated};
use uuid::Uuid;

use super::CommandsError;
use super::drain::Drained;
use super::fill::{confirmed, fill};
use super::place::{Place, Servers};
use crate::environment::cpu_time;

const TABLES: &str = "
CREATE TABLE inbox (message_id UUID PRIMARY KEY, at TIMESTAMPTZ NOT NULL DEFAULT now());
CREATE TABLE \"user\" (user_id UUID PRIMARY KEY, email_lower TEXT NOT NULL UNIQUE, name TEXT NOT NULL);
CREATE TABLE outbox (seq BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, message_id UUID NOT NULL, body TEXT NOT NULL);
";
/// Where events of the type go.
const EXCHANGE: &str = "Orchard.Contracts:UserCreated";
/// Deliveries on their way at most, as many as the bus has.
const PREFETCH: u16 = 1_000;
/// A batch waits so long for its next command: they are all there, and only on their way.
const NEXT: Duration = Duration::from_millis(20);
/// Without a command for so long while others still have some, a loop looks whether all are done.
const LOOK: Duration = Duration::from_millis(50);
/// A loop gives up after so long.
const PATIENCE: Duration = Duration::from_secs(600);

/// A command as it lies in the queue.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Incoming {
    message_id: Uuid,
    correlation_id: Uuid,
    conversation_id: Uuid,
    message: CreateUser,
}

/// An event as it is published.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Outgoing {
    message_id: Uuid,
    correlation_id: Uuid,
    initiator_id: Uuid,
    conversation_id: Uuid,
    source_address: &'static str,
    destination_address: &'static str,
    message_type: [&'static str; 2],
    message: UserCreated,
}

/// One loop's connections.
struct Loop {
    channel: Channel,
    consumer: Consumer,
    publisher: Publisher,
    database: PgConnection,
    _connection: Connection,
}

/// Fills a queue, and lets so many loops empty it in batches of this size.
pub(super) fn handled(
    servers: &Servers,
    batch: usize,
    loops: usize,
    commands: u64,
) -> Result<Drained, CommandsError> {
    let place = Place::new(servers, CreateUser::ENDPOINT)?;
    fill::<CreateUser>(&place, commands)?;
    place.runtime.block_on(async {
        PgConnection::connect(&place.database).await?.execute(TABLES).await?;
        let prefetch = if loops == 1 { PREFETCH } else { (usize::from(PREFETCH) / loops).max(2) as u16 };
        let mut open = Vec::new();
        for _ in 0..loops {
            open.push(Loop::open(&place.servers.broker_url, &place.database, prefetch).await?);
        }
        let done = Arc::new(AtomicU64::new(0));
        let (begin, cpu) = (Instant::now(), cpu_time());
        let running: Vec<_> =
            open.into_iter().map(|one| tokio::spawn(one.run(batch, commands, done.clone()))).collect();
        let mut last = begin;
        for one in running {
            last = last.max(one.await.map_err(std::io::Error::other)??.unwrap_or(begin));
        }
        let (seconds, cpu) = ((last - begin).as_secs_f64(), cpu_time().saturating_sub(cpu));
        let commands = commands as f64;
        Ok(Drained { per_s: commands / seconds, process_us: cpu.as_secs_f64() * 1e6 / commands })
    })
}

impl Loop {
    async fn open(broker: &BrokerUrl, database: &str, prefetch: u16) -> Result<Self, CommandsError> {
        let connection = Connection::open(broker, "perf, plain loop").await?;
        let channel = connection.open_channel().await?;
        let publisher = Publisher::open(broker, "perf, plain loop", 1).await?;
        let database = PgConnection::connect(database).await?;
        channel.set_prefetch(prefetch).await?;
        let consumer = channel.consume(CreateUser::ENDPOINT, Acknowledgement::Explicit).await?;
        Ok(Self { channel, consumer, publisher, database, _connection: connection })
    }

    /// Until all are done; gives when this loop's last was.
    async fn run(
        mut self,
        batch: usize,
        commands: u64,
        done: Arc<AtomicU64>,
    ) -> Result<Option<Instant>, CommandsError> {
        let (begin, mut last) = (Instant::now(), None);
        while done.load(Ordering::Acquire) < commands {
            let Some(first) = self.consumer.next(LOOK).await? else {
                if begin.elapsed() > PATIENCE {
                    return Err(CommandsError::NotDone { seconds: PATIENCE.as_secs() });
                }
                continue;
            };
            let mut deliveries = vec![first];
            while deliveries.len() < batch
                && let Some(next) = self.consumer.next(NEXT).await?
            {
                deliveries.push(next);
            }
            self.handle(&deliveries).await?;
            done.fetch_add(deliveries.len() as u64, Ordering::AcqRel);
            last = Some(Instant::now());
        }
        Ok(last)
    }

    async fn handle(&mut self, deliveries: &[Delivery]) -> Result<(), CommandsError> {
        let mut rows = Rows::default();
        for delivery in deliveries {
            rows.push(serde_json::from_slice(&delivery.body).map_err(std::io::Error::other)?)?;
        }
        rows.insert(&mut self.database).await?;
        let mut waiting = Vec::with_capacity(deliveries.len());
        for (id, body) in rows.event_ids.iter().zip(rows.bodies) {
            waiting.push(self.publisher.publish(0, publication(*id, body)).await?);
        }
        for confirm in waiting {
            confirmed(Some(confirm)).await?;
        }
        let last = deliveries.last().map_or(0, |last| last.tag);
        Ok(self.channel.ack_up_to(last).await?)
    }
}

/// What one transaction writes.
#[derive(Default)]
struct Rows {
    message_ids: Vec<Uuid>,
    user_ids: Vec<Uuid>,
    emails: Vec<String>,
    names: Vec<String>,
    event_ids: Vec<Uuid>,
    bodies: Vec<String>,
}

impl Rows {
    fn push(&mut self, command: Incoming) -> Result<(), CommandsError> {
        let Incoming { message_id, correlation_id, conversation_id, message: CreateUser { email, name } } =
            command;
        self.message_ids.push(message_id);
        self.user_ids.push(correlation_id);
        self.emails.push(email.to_lowercase());
        self.names.push(name.clone());
        let event = Outgoing {
            message_id: Uuid::now_v7(),
            correlation_id,
            initiator_id: correlation_id,
            conversation_id,
            source_address: "rabbitmq://localhost/accounts",
            destination_address: "rabbitmq://localhost/Orchard.Contracts:UserCreated",
            message_type: [
                "urn:message:Orchard.Contracts:UserCreated",
                "urn:message:Orchard.Contracts:IEvent",
            ],
            message: UserCreated { user_id: correlation_id, email, name },
        };
        self.event_ids.push(event.message_id);
        self.bodies.push(serde_json::to_string(&event).map_err(std::io::Error::other)?);
        Ok(())
    }

    async fn insert(&self, database: &mut PgConnection) -> sqlx::Result<()> {
        let mut transaction = database.begin().await?;
        sqlx::query("INSERT INTO inbox (message_id) SELECT * FROM unnest($1::uuid[])")
            .bind(&self.message_ids)
            .execute(&mut *transaction)
            .await?;
        let users = "INSERT INTO \"user\" SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[])";
        let users = sqlx::query(users).bind(&self.user_ids).bind(&self.emails).bind(&self.names);
        users.execute(&mut *transaction).await?;
        let events = "INSERT INTO outbox (message_id, body) SELECT * FROM unnest($1::uuid[], $2::text[])";
        let events = sqlx::query(events).bind(&self.event_ids).bind(&self.bodies);
        events.execute(&mut *transaction).await?;
        transaction.commit().await
    }
}

fn publication(id: Uuid, body: String) -> Publication {
    let properties = broker::Properties {
        content_type: Some("application/vnd.masstransit+json".to_owned()),
        is_persistent: true,
        message_id: Some(id.to_string()),
        ..broker::Properties::default()
    };
    Publication {
        exchange: EXCHANGE.to_owned(),
        routing_key: String::new(),
        is_mandatory: false,
        properties,
        body: body.into(),
    }
}
