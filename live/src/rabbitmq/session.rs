//! The connection to the broker, made again whenever it is lost.

use std::time::{Duration, Instant};

use broker::backoff::Backoff;
use broker::{
    Acknowledgement, BrokerError, BrokerUrl, Channel, Connection, Consumer, Delivery, ExchangeKind,
    ExchangeOptions, Message, Outcome, QueueOptions, Table,
};
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;

use super::following::Following;
use super::publishing::Publishing;
use super::{LinkPlan, Wish, wire};
use crate::LiveMarket;

/// Between messages.
const PERIOD: Duration = Duration::from_millis(50);
/// So often a process says that it is there; while nobody listens it says nothing more.
const ALIVE: Duration = Duration::from_secs(1);
/// What waits at the broker for a process that does not keep up: beyond it the oldest is dropped.
const MOST_QUEUE_BYTES: i64 = 64 << 20;
/// So many questions wait for a process that plays: all of them have one answer.
const MOST_ASKS: i64 = 8;
/// Delivered and not acknowledged.
const PREFETCH: u16 = 128;
/// A consumer is waited for in steps of this length.
const LONG: Duration = Duration::from_secs(60);

/// What stays when a connection is lost.
struct State<'a> {
    market: &'a LiveMarket,
    plan: &'a LinkPlan,
    wishes: watch::Receiver<Wish>,
    publishing: Publishing,
    following: Following,
}

/// Why a session is over.
enum Over {
    Lost(BrokerError),
    Ended,
}

impl From<BrokerError> for Over {
    fn from(error: BrokerError) -> Self {
        Self::Lost(error)
    }
}

pub(super) async fn stay_connected(
    market: &LiveMarket,
    plan: &LinkPlan,
    wishes: watch::Receiver<Wish>,
    connected: &watch::Sender<bool>,
) {
    let publishing = Publishing::new(uuid::Uuid::new_v4().as_u128());
    let following = Following::default();
    let mut state = State { market, plan, wishes, publishing, following };
    let mut backoff = Backoff::default();
    let mut nodes = plan.nodes.iter().cycle();
    while let Some(node) = nodes.next() {
        match run(&mut state, node, connected, &mut backoff).await {
            Over::Ended => return,
            Over::Lost(error) => {
                let was_connected = connected.send_replace(false);
                if was_connected {
                    tracing::warn!(%error, "prices are not shared; the connection is made again");
                    // The first one that is there.
                    nodes = plan.nodes.iter().cycle();
                } else {
                    tracing::debug!(%error, "prices are not shared yet");
                }
            }
        }
        tokio::select! {
            () = tokio::time::sleep(backoff.next_wait()) => {}
            () = over(state.wishes.clone()) => return,
        }
    }
}

async fn run(
    state: &mut State<'_>,
    node: &BrokerUrl,
    connected: &watch::Sender<bool>,
    backoff: &mut Backoff,
) -> Over {
    let session = tokio::select! {
        opened = Session::open(state.plan, node) => match opened {
            Ok(session) => session,
            Err(error) => return error.into(),
        },
        () = over(state.wishes.clone()) => return Over::Ended,
    };
    backoff.reset();
    connected.send_replace(true);
    // A request that the broker does not answer takes its ten seconds: whoever ends does not wait for that.
    let wishes = state.wishes.clone();
    tokio::select! {
        biased;
        ran = session.run(state) => ran.map_or_else(Over::from, |()| Over::Ended),
        () = over(wishes) => Over::Ended,
    }
}

/// Waits until it is to end in any case.
async fn over(mut wishes: watch::Receiver<Wish>) {
    loop {
        let wish = *wishes.borrow_and_update();
        match wish {
            Wish::GoOn if wishes.changed().await.is_ok() => {}
            Wish::GoOn | Wish::End => return,
            Wish::EndBy(until) => return tokio::time::sleep_until(until.into()).await,
        }
    }
}

struct Session {
    connection: Connection,
    channel: Channel,
    changes: Option<Changes>,
    /// What others ask.
    asks: Option<Consumer>,
    exchange: String,
    asks_exchange: String,
    last_sent: Option<Instant>,
    is_listened_to: bool,
}

/// What others play.
struct Changes {
    channel: Channel,
    consumer: Consumer,
    unacknowledged: Option<u64>,
}

impl Session {
    async fn open(plan: &LinkPlan, node: &BrokerUrl) -> Result<Self, BrokerError> {
        let connection = Connection::open(node, "live prices").await?;
        let channel = connection.open_channel().await?;
        let (exchange, asks_exchange) = (plan.exchange.clone(), format!("{}.ask", plan.exchange));
        for exchange in [&exchange, &asks_exchange] {
            channel.declare_exchange(exchange, ExchangeKind::Fanout, ExchangeOptions::default()).await?;
        }
        let changes = if plan.follows { Some(Changes::open(&connection, &exchange).await?) } else { None };
        let asks = if plan.publishes {
            let queue = bound_queue(&channel, &asks_exchange, ("x-max-length", MOST_ASKS)).await?;
            Some(channel.consume(&queue, Acknowledgement::Automatic).await?)
        } else {
            None
        };
        let (last_sent, is_listened_to) = (None, true);
        Ok(Self { connection, channel, changes, asks, exchange, asks_exchange, last_sent, is_listened_to })
    }

    /// Until it is to end; an error where the connection is lost.
    async fn run(mut self, state: &mut State<'_>) -> Result<(), BrokerError> {
        state.following.connected(Instant::now());
        // What was on its way when the last connection was lost may be missing.
        state.publishing.ask();
        let mut ticker = tokio::time::interval(PERIOD);
        ticker.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                delivery = next(self.changes.as_mut().map(|changes| &mut changes.consumer)) => {
                    let delivery = delivery?;
                    if let Some(changes) = &mut self.changes {
                        changes.unacknowledged = Some(delivery.tag);
                    }
                    take(state, &delivery);
                }
                asked = next(self.asks.as_mut()) => {
                    asked?;
                    state.publishing.ask();
                    self.is_listened_to = true;
                }
                _ = ticker.tick() => {
                    if self.turn(state).await? {
                        return Ok(());
                    }
                }
            }
        }
    }

    /// What is done at every period; whether it is to end.
    async fn turn(&mut self, state: &mut State<'_>) -> Result<bool, BrokerError> {
        let now = Instant::now();
        if let Some(changes) = &mut self.changes {
            changes.acknowledge().await?;
            if state.following.asks(now) {
                let ask = Message::transient(&[]);
                self.channel.publish(&self.asks_exchange, "", &ask).await?;
            }
            state.following.end_gone(state.market, now);
        }
        let has_left = state.plan.publishes && self.publish(state, now).await?;
        Ok(match *state.wishes.borrow() {
            Wish::GoOn => state.wishes.has_changed().is_err(),
            Wish::EndBy(until) => !has_left || now >= until,
            Wish::End => true,
        })
    }

    /// Publishes the next message; whether there was one.
    async fn publish(&mut self, state: &mut State<'_>, now: Instant) -> Result<bool, BrokerError> {
        // While the broker takes nothing, what has changed is kept where it is.
        let is_due = self.last_sent.is_none_or(|last| now - last >= ALIVE);
        if self.connection.is_blocked() || !(self.is_listened_to || is_due) {
            return Ok(false);
        }
        let (changed, is_left) = match state.publishing.next(state.market) {
            Some(changed) => (changed, true),
            None if is_due => (state.publishing.alive(), false),
            None => return Ok(false),
        };
        let body = match wire::encode(&changed) {
            Ok(body) => body,
            Err(error) => {
                tracing::warn!(%error, "prices are not shared");
                return Ok(false);
            }
        };
        let message = Message::transient(&body);
        let outcome = self.channel.publish_confirmed(&self.exchange, "", &message).await?;
        self.last_sent = Some(now);
        // Whoever listens later asks for everything.
        self.is_listened_to = outcome != Outcome::Returned;
        Ok(is_left)
    }
}

impl Changes {
    async fn open(connection: &Connection, exchange: &str) -> Result<Self, BrokerError> {
        let channel = connection.open_channel().await?;
        let queue = bound_queue(&channel, exchange, ("x-max-length-bytes", MOST_QUEUE_BYTES)).await?;
        channel.set_prefetch(PREFETCH).await?;
        let consumer = channel.consume(&queue, Acknowledgement::Explicit).await?;
        Ok(Self { channel, consumer, unacknowledged: None })
    }

    async fn acknowledge(&mut self) -> Result<(), BrokerError> {
        match self.unacknowledged.take() {
            Some(tag) => self.channel.ack_up_to(tag).await,
            None => Ok(()),
        }
    }
}

/// A queue of this connection's own that drops the oldest beyond a bound.
async fn bound_queue(channel: &Channel, exchange: &str, bound: (&str, i64)) -> Result<String, BrokerError> {
    let options = QueueOptions::exclusive().with_arguments(Table::default().with(bound.0, bound.1));
    let queue = channel.declare_queue("", &options).await?.name;
    channel.bind_queue(&queue, exchange, "").await?;
    Ok(queue)
}

/// The next message; without a consumer there is none ever.
async fn next(consumer: Option<&mut Consumer>) -> Result<Delivery, BrokerError> {
    let Some(consumer) = consumer else { return std::future::pending().await };
    loop {
        if let Some(delivery) = consumer.next(LONG).await? {
            return Ok(delivery);
        }
    }
}

fn take(state: &mut State<'_>, delivery: &Delivery) {
    match wire::decode(&delivery.body) {
        Ok(changed) if changed.publisher == state.publishing.publisher => {}
        Ok(changed) => state.following.take(state.market, changed, Instant::now()),
        Err(error) => tracing::warn!(%error, "what another process plays is not shown"),
    }
}
