//! One node's control exchange: what the ingester says, and what this host says to it.

use crate::rabbitmq::topology;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use lapin::options::{
    BasicConsumeOptions, BasicGetOptions, BasicNackOptions, BasicPublishOptions, ExchangeDeclareOptions,
    QueueBindOptions, QueueDeclareOptions,
};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel, Consumer, ExchangeKind};
use tokio::sync::mpsc;

use super::connection::{Open, Opened, opened};
use super::hub::Context;
use super::messages::FromBroker;
use crate::rabbitmq::{BrokerError, Control};
use broker::backoff::Backoff;

/// So many messages wait for a node; one more is lost, as all are said again.
pub(super) const WAITING_CONTROLS: usize = 256;

/// For so long the kept state is looked for, as somebody else may have it in hand.
const LOOK_FOR_STATE: Duration = Duration::from_secs(1);
/// Between looks.
const LOOK: Duration = Duration::from_millis(50);

/// Listens and speaks until nobody can speak any more.
pub(super) async fn run(context: Arc<Context>, mut connections: Opened, mut outbox: mpsc::Receiver<Control>) {
    let mut backoff = Backoff::default();
    while let Some(open) = opened(&mut connections).await {
        match serve(&context, &open, &mut outbox, &mut backoff).await {
            Ok(()) => {
                // What was said last is on its way.
                let _ = open.url.answer(open.connection.close(200, "done".into())).await;
                return;
            }
            Err(error) => context.shared.lost(error.to_string()),
        }
        tokio::time::sleep(backoff.next_wait()).await;
    }
}

async fn serve(
    context: &Arc<Context>,
    open: &Arc<Open>,
    outbox: &mut mpsc::Receiver<Control>,
    backoff: &mut Backoff,
) -> Result<(), BrokerError> {
    let url = &open.url;
    let exchange = topology::control_exchange(&context.subscription.feed);
    let channel = url.answer(open.connection.create_channel()).await?;
    let mut messages = listen(open, &channel, &exchange).await?;
    if context.shared.state().is_none() {
        tokio::spawn(read_kept_state(context.clone(), open.clone()));
    }
    loop {
        tokio::select! {
            message = messages.next() => match message {
                Some(Ok(message)) => {
                    backoff.reset();
                    hear(context, &message.data).await;
                }
                Some(Err(error)) => return Err(url.failed(&error)),
                None => {
                    let reason = "its control queue was deleted".to_owned();
                    return Err(BrokerError::Lost { url: url.to_string(), reason });
                }
            },
            control = outbox.recv() => {
                let Some(control) = control else { return Ok(()) };
                let (body, options) = (control.encode(), BasicPublishOptions::default());
                let properties = BasicProperties::default();
                let publishing =
                    channel.basic_publish(exchange.as_str().into(), "".into(), options, &body, properties);
                url.answer(publishing).await?;
            }
        }
    }
}

async fn listen(open: &Open, channel: &Channel, exchange: &str) -> Result<Consumer, BrokerError> {
    let url = &open.url;
    let durable = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
    let none = FieldTable::default;
    url.answer(channel.exchange_declare(exchange.into(), ExchangeKind::Fanout, durable, none())).await?;
    let own = QueueDeclareOptions { exclusive: true, auto_delete: true, ..QueueDeclareOptions::default() };
    let queue = url.answer(channel.queue_declare("".into(), own, none())).await?.name().clone();
    let bind = QueueBindOptions::default();
    url.answer(channel.queue_bind(queue.clone(), exchange.into(), "".into(), bind, none())).await?;
    let consume = BasicConsumeOptions { no_ack: true, ..BasicConsumeOptions::default() };
    url.answer(channel.basic_consume(queue, "".into(), consume, none())).await
}

/// What somebody said. Messages of other hosts, and those of another version, mean nothing here.
async fn hear(context: &Context, body: &[u8]) {
    match Control::decode(body) {
        Ok(Control::State(state)) if state.feed == context.subscription.feed => {
            if let Some(state) = context.shared.hear(*state, true) {
                context.forward(FromBroker::State(state)).await;
            }
        }
        Ok(Control::Gone { run, shard, from_seq, reason }) => {
            context.forward(FromBroker::Gone { run, shard, from_seq, reason }).await;
        }
        Ok(Control::NotCaughtUp { run, strategy, reason }) if strategy == context.subscription.strategy => {
            context.shared.refuse(run, reason);
        }
        _ => {}
    }
}

/// The ingester may be gone, and its last word is kept. Where there is none, the feed is new.
async fn read_kept_state(context: Arc<Context>, open: Arc<Open>) {
    let until = Instant::now() + LOOK_FOR_STATE;
    while context.shared.state().is_none() && Instant::now() < until {
        // A queue that is not there closes the channel.
        if let Ok(Some(body)) = kept_state(&context, &open).await
            && let Ok(Control::State(state)) = Control::decode(&body)
        {
            context.shared.hear(*state, false);
            return;
        }
        tokio::time::sleep(LOOK).await;
    }
}

async fn kept_state(context: &Context, open: &Open) -> Result<Option<Vec<u8>>, BrokerError> {
    let url = &open.url;
    let queue = topology::run_queue(&context.subscription.feed);
    let channel = url.answer(open.connection.create_channel()).await?;
    let got = url.answer(channel.basic_get(queue.into(), BasicGetOptions::default())).await?;
    let Some(message) = got else { return Ok(None) };
    let back = BasicNackOptions { requeue: true, ..BasicNackOptions::default() };
    url.answer(channel.basic_nack(message.delivery.delivery_tag, back)).await?;
    url.answer(channel.close(200, "read".into())).await?;
    Ok(Some(message.delivery.data))
}
