//! From when a command is due to be sent until its event has come elsewhere, with the context served by another
//! process.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use broker::{Acknowledgement, Channel, Connection, Consumer, QueueOptions};
use bus::rabbitmq::RabbitState;
use bus::{Bus, PostgresStore, SendOptions};
use hdrhistogram::Histogram;
use serde::Deserialize;
use tick_sdk::contracts::CommandId;
use tick_sdk::contracts::accounts::{ACCOUNTS, CreateUser};
use tokio::sync::mpsc;
use uuid::Uuid;

use super::CommandsError;
use super::drain::options;
use super::place::{HEARD, Place, Servers};

/// Not counted, at the beginning of each rate.
const WARM_UP: Duration = Duration::from_secs(1);
/// Events that are late are waited for so long.
const LATE: Duration = Duration::from_secs(10);
/// A rate is held where all events have come so soon after the last command was due.
const HELD: Duration = Duration::from_secs(1);
/// Whoever is started is ready by then.
const READY: Duration = Duration::from_secs(30);
/// Between looks whether it is, and whether an event has come.
const LOOK: Duration = Duration::from_millis(10);
/// What the child says.
const IS_READY: &str = "ready";

/// A sender, a service in another process, and who hears its events.
pub(super) struct Way<'a> {
    place: &'a Place,
    sender: Arc<Bus>,
    channel: Channel,
    consumer: Consumer,
    _connection: Connection,
    _service: Service,
}

/// What a rate came to.
pub(super) struct AtRate {
    pub(super) p50_ms: f64,
    pub(super) p99_ms: f64,
    /// So many events have not come.
    pub(super) missing: usize,
    pub(super) is_held: bool,
}

/// The process that serves the context; it ends with its standard input.
struct Service {
    child: Child,
    input: Option<ChildStdin>,
}

/// When the commands on their way were due.
type Sent = Arc<Mutex<HashMap<Uuid, Instant>>>;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Heard {
    correlation_id: Uuid,
}

impl<'a> Way<'a> {
    pub(super) fn open(place: &'a Place) -> Result<Self, CommandsError> {
        let service = Service::start(&place.servers, &place.database)?;
        let sender = Bus::builder().rabbitmq(place.servers.broker_url.clone(), options()).start()?;
        wait_ready(&sender)?;
        let (connection, channel, consumer) = place.runtime.block_on(async {
            let connection = Connection::open(&place.servers.broker_url, "perf, events").await?;
            let channel = connection.open_channel().await?;
            channel.declare_queue(HEARD, &QueueOptions::durable()).await?;
            channel.bind_queue(HEARD, "Orchard.Contracts:UserCreated", "").await?;
            channel.set_prefetch(1_000).await?;
            let consumer = channel.consume(HEARD, Acknowledgement::Explicit).await?;
            Ok::<_, CommandsError>((connection, channel, consumer))
        })?;
        let sender = Arc::new(sender);
        Ok(Self { place, sender, channel, consumer, _connection: connection, _service: service })
    }

    /// Sends so many commands a second, whether those before have come through or not.
    pub(super) fn at_rate(&mut self, per_s: u32, duration: Duration) -> Result<AtRate, CommandsError> {
        let begin = Instant::now() + Duration::from_millis(50);
        let counted_from = begin + WARM_UP;
        let last_due = counted_from + duration;
        let count = (f64::from(per_s) * (last_due - begin).as_secs_f64()) as u32;
        let sent = Sent::default();
        let due = paced(begin, per_s, count)?;
        let sending = send_all(self.sender.clone(), sent.clone(), due);
        let (consumer, channel) = (&mut self.consumer, &self.channel);
        self.place.runtime.block_on(async {
            let sending = tokio::spawn(sending);
            let mut latency: Histogram<u64> = Histogram::new(3).expect("three digits are possible");
            let (mut heard, mut last_heard) = (0, begin);
            while heard < count && Instant::now() < last_due + LATE {
                let Some(delivery) = consumer.next(LOOK).await? else { continue };
                last_heard = Instant::now();
                channel.ack(delivery.tag).await?;
                let event: Heard = serde_json::from_slice(&delivery.body).map_err(std::io::Error::other)?;
                let due = sent.lock().unwrap_or_else(PoisonError::into_inner).remove(&event.correlation_id);
                let Some(due) = due else { continue };
                heard += 1;
                if due >= counted_from {
                    let micros = last_heard.saturating_duration_since(due).as_micros() as u64;
                    latency.record(micros).map_err(std::io::Error::other)?;
                }
            }
            sending.await.map_err(std::io::Error::other)??;
            let ms = |quantile| latency.value_at_quantile(quantile) as f64 / 1e3;
            Ok(AtRate {
                p50_ms: ms(0.5),
                p99_ms: ms(0.99),
                missing: (count - heard) as usize,
                is_held: heard == count && last_heard <= last_due + HELD,
            })
        })
    }
}

/// When each command is due, given when it is: the runtime's own timers are up to 1 ms late.
fn paced(begin: Instant, per_s: u32, count: u32) -> Result<mpsc::Receiver<Instant>, CommandsError> {
    let (due, dues) = mpsc::channel(count as usize);
    let pace = move || {
        for number in 0..count {
            let at = begin + Duration::from_secs_f64(f64::from(number) / f64::from(per_s));
            std::thread::sleep(at.saturating_duration_since(Instant::now()));
            if due.try_send(at).is_err() {
                return;
            }
        }
    };
    std::thread::Builder::new().name("pace".to_owned()).spawn(pace)?;
    Ok(dues)
}

/// Each command in a task of its own, so that none waits for the confirm of another.
async fn send_all(bus: Arc<Bus>, sent: Sent, mut dues: mpsc::Receiver<Instant>) -> Result<(), CommandsError> {
    let mut sending = tokio::task::JoinSet::new();
    while let Some(due) = dues.recv().await {
        let command_id = CommandId::new();
        sent.lock().unwrap_or_else(PoisonError::into_inner).insert(command_id.0, due);
        let bus = bus.clone();
        sending.spawn(async move {
            let email = format!("u{}@example.org", command_id.0);
            let command = CreateUser { email, name: "A user".to_owned() };
            let options = SendOptions { command_id: Some(command_id), ..SendOptions::default() };
            bus.send(&command, options).await.map(drop)
        });
        while let Some(ended) = sending.try_join_next() {
            ended.map_err(std::io::Error::other)?.map_err(std::io::Error::other)?;
        }
    }
    while let Some(ended) = sending.join_next().await {
        ended.map_err(std::io::Error::other)?.map_err(std::io::Error::other)?;
    }
    Ok(())
}

impl Service {
    fn start(servers: &Servers, database: &str) -> Result<Self, CommandsError> {
        // By the environment: what stands on a command line everybody can read.
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["commands", "--broker", "--serve"]);
        command.env_remove("ORCHARD_TEST_AMQP_1").env("ORCHARD_TEST_AMQP", &servers.broker);
        command.env("ORCHARD_TEST_POSTGRES", database);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let input = child.stdin.take();
        let output = child.stdout.take();
        let service = Self { child, input };
        let (said, hears) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let mut line = String::new();
            let read = output.map(|output| BufReader::new(output).read_line(&mut line));
            drop(read);
            // Nobody waits for it any more, after its time.
            let _ = said.send(line);
        });
        let line = hears.recv_timeout(READY).unwrap_or_default();
        if line.trim() == IS_READY {
            return Ok(service);
        }
        Err(CommandsError::NotDone { seconds: READY.as_secs() })
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.input = None;
        // It may have ended by itself, and then there is nothing to wait for.
        let _ = self.child.wait();
    }
}

/// Serves the accounts until standard input ends.
pub(super) fn serve(servers: &Servers) -> Result<(), CommandsError> {
    let store = PostgresStore::open(&servers.database, ACCOUNTS, accounts::TABLES)?;
    let bus =
        Bus::builder().rabbitmq(servers.broker_url.clone(), options()).context(ACCOUNTS, store).start()?;
    wait_ready(&bus)?;
    writeln!(std::io::stdout(), "{IS_READY}")?;
    std::io::stdout().flush()?;
    std::io::stdin().read_to_end(&mut Vec::new())?;
    bus.stop(Duration::from_secs(5));
    Ok(())
}

fn wait_ready(bus: &Bus) -> Result<(), CommandsError> {
    let until = Instant::now() + READY;
    while Instant::now() < until {
        let is_ready = bus.rabbitmq().is_some_and(|status| {
            status.state == RabbitState::Connected && status.endpoints.iter().all(|one| one.is_consuming)
        });
        if is_ready {
            return Ok(());
        }
        std::thread::sleep(LOOK);
    }
    Err(CommandsError::NotDone { seconds: READY.as_secs() })
}
