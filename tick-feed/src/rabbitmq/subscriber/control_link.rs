//! One node's control exchange: what the ingester announces, and what this host sends to it.

use crate::rabbitmq::topology;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::connection::{Opened, opened};
use super::context::Context;
use super::notices::Notice;
use crate::rabbitmq::{BrokerError, Control};
use broker::backoff::Backoff;
use broker::{
    Acknowledgement, Channel, Connection, Consumer, ExchangeKind, ExchangeOptions, Message, QueueOptions,
    TIMEOUT,
};

/// So many messages wait for a node; one more is dropped and counted, as all are sent again.
pub(super) const WAITING_CONTROLS: usize = 256;

/// For so long the kept state is looked for, as somebody else may hold it right now.
const STATE_TIMEOUT: Duration = Duration::from_secs(1);
/// Between looks.
const STATE_RETRY: Duration = Duration::from_millis(50);

/// Receives and sends until nobody can send any more.
pub(super) async fn run(context: Arc<Context>, mut connections: Opened, mut outbox: mpsc::Receiver<Control>) {
    let mut backoff = Backoff::default();
    while let Some(open) = opened(&mut connections).await {
        match serve(&context, &open, &mut outbox, &mut backoff).await {
            Ok(()) => {
                // What was sent last is on its way.
                let _ = open.close().await;
                return;
            }
            Err(error) => context.shared.on_lost(error.to_string()),
        }
        tokio::time::sleep(backoff.next_wait()).await;
    }
}

async fn serve(
    context: &Arc<Context>,
    open: &Arc<Connection>,
    outbox: &mut mpsc::Receiver<Control>,
    backoff: &mut Backoff,
) -> Result<(), BrokerError> {
    let exchange = topology::control_exchange(&context.subscription.feed);
    let channel = open.open_channel().await?;
    let mut messages = listen(&channel, &exchange).await?;
    if context.shared.state().is_none() {
        tokio::spawn(read_kept_state(context.clone(), open.clone()));
    }
    loop {
        tokio::select! {
            message = messages.next(TIMEOUT) => if let Some(message) = message? {
                backoff.reset();
                on_message(context, &message.body);
            },
            control = outbox.recv() => {
                let Some(control) = control else { return Ok(()) };
                channel.publish(&exchange, "", &Message::transient(&control.encode())).await?;
            }
        }
    }
}

async fn listen(channel: &Channel, exchange: &str) -> Result<Consumer, BrokerError> {
    channel.declare_exchange(exchange, ExchangeKind::Fanout, ExchangeOptions::durable()).await?;
    let queue = channel.declare_queue("", &QueueOptions::exclusive()).await?.name;
    channel.bind_queue(&queue, exchange, "").await?;
    channel.consume(&queue, Acknowledgement::Automatic).await
}

/// Takes what the ingester sent. Messages of other hosts, and those of another version, mean nothing here.
fn on_message(context: &Context, body: &[u8]) {
    match Control::decode(body) {
        Ok(Control::State(state)) if state.feed == context.subscription.feed => {
            if let Some(state) = context.shared.on_feed_state(*state, true) {
                context.notify(Notice::State(state));
            }
        }
        Ok(Control::Gone { run, shard, from_seq, reason }) => {
            context.notify(Notice::Gone { run, shard, from_seq, reason });
        }
        Ok(Control::JoinRefused { run, strategy, reason }) if context.subscription.strategy == strategy => {
            context.shared.on_join_refused(run, reason);
        }
        Ok(_) => {}
        Err(error) => {
            tracing::debug!(%error, bytes = body.len(), "control message of another version left out")
        }
    }
}

/// The ingester may be gone, and its last state is kept. Where there is none, the feed is new.
async fn read_kept_state(context: Arc<Context>, open: Arc<Connection>) {
    let deadline = Instant::now() + STATE_TIMEOUT;
    while context.shared.state().is_none() && Instant::now() < deadline {
        // A queue that is not there closes the channel.
        if let Ok(Some(body)) = kept_state(&context, &open).await
            && let Ok(Control::State(state)) = Control::decode(&body)
        {
            context.shared.on_feed_state(*state, false);
            return;
        }
        tokio::time::sleep(STATE_RETRY).await;
    }
}

async fn kept_state(context: &Context, open: &Connection) -> Result<Option<Vec<u8>>, BrokerError> {
    let queue = topology::run_queue(&context.subscription.feed);
    let channel = open.open_channel().await?;
    let Some(message) = channel.get(&queue).await? else { return Ok(None) };
    channel.requeue(message.tag).await?;
    channel.close().await?;
    Ok(Some(message.body))
}
