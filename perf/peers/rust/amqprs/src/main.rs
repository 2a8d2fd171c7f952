//! amqprs alone: one publisher and consumers that each get all of its opaque bodies, as fast as it goes.

use std::sync::mpsc::Sender;

use amqprs::callbacks::ChannelCallback;
use amqprs::channel::{
    BasicAckArguments, BasicConsumeArguments, BasicPublishArguments, BasicQosArguments, Channel,
    ConfirmSelectArguments, ExchangeDeclareArguments, QueueBindArguments, QueueDeclareArguments,
};
use amqprs::connection::{Connection, OpenConnectionArguments};
use amqprs::error::Error;
use amqprs::{Ack, BasicProperties, Cancel, CloseChannel, Nack, Return};
use anyhow::{Context, Result, ensure};
use async_trait::async_trait;
use load::{Confirms, Load, in_time, on_runtime};
use tokio::sync::watch;

fn main() -> Result<()> {
    let load = <Load as clap::Parser>::parse();
    load.measure(|queue, ready| on_runtime(consume(&load, queue, ready)), || on_runtime(publish(&load)))
}

fn exchange() -> String {
    format!("peer-amqprs-{}", std::process::id())
}

async fn connect(load: &Load) -> Result<(Connection, Channel)> {
    let mut arguments = OpenConnectionArguments::try_from(load.url.as_str()).context("see the URL")?;
    // The library leaves the virtual host's name as it is written in a URL.
    let host = arguments.get_virtual_host().replace("%2f", "/").replace("%2F", "/");
    arguments.virtual_host(&host);
    let connection = in_time("connecting", Connection::open(&arguments)).await??;
    let channel = in_time("connecting", connection.open_channel(None)).await??;
    Ok((connection, channel))
}

async fn consume(load: &Load, queue: u64, ready: Sender<()>) -> Result<()> {
    let (connection, channel) = connect(load).await?;
    let exchange = exchange();
    let name = format!("{exchange}-{queue}");
    // A queue goes with its consumer and the exchange with its last queue, whatever ends this process.
    let fanout = ExchangeDeclareArguments::new(&exchange, "fanout").auto_delete(true).finish();
    channel.exchange_declare(fanout).await?;
    let declare = QueueDeclareArguments::transient_autodelete(&name);
    channel.queue_declare(declare).await?;
    channel.queue_bind(QueueBindArguments::new(&name, &exchange, "")).await?;
    channel.basic_qos(BasicQosArguments::new(0, load.prefetch(), false)).await?;
    let consume = BasicConsumeArguments::new(&name, "").manual_ack(true).finish();
    let (_, mut messages) = channel.basic_consume_rx(consume).await?;
    let _ = ready.send(());
    for number in 1..=load.messages {
        let message = in_time("consuming", messages.recv()).await?.context("the consumer was cancelled")?;
        let body = message.content.context("a message without a body came")?;
        ensure!(body.len() as u64 == load.body_bytes, "a message came that is not ours");
        if number % load.together() == 0 || number == load.messages {
            let tag = message.deliver.context("a message without a tag came")?.delivery_tag();
            channel.basic_ack(BasicAckArguments::new(tag, true)).await?;
        }
    }
    // What was only handed over, the last acknowledgement, goes out before this.
    in_time("closing", channel.close()).await??;
    in_time("closing", connection.close()).await??;
    Ok(())
}

async fn publish(load: &Load) -> Result<()> {
    let (connection, channel) = connect(load).await?;
    let (up_to, mut confirmed) = watch::channel(Ok(0));
    channel.register_callback(Words { confirms: Confirms::default(), up_to }).await?;
    channel.confirm_select(ConfirmSelectArguments::default()).await?;
    let exchange = exchange();
    let body = load.body();
    for number in 1..=load.messages {
        wait_for(&mut confirmed, number.saturating_sub(load.window)).await?;
        let to = BasicPublishArguments::new(&exchange, "");
        let publish = channel.basic_publish(BasicProperties::default(), body.clone(), to);
        in_time("publishing", publish).await??;
    }
    wait_for(&mut confirmed, load.messages).await?;
    in_time("closing", channel.close()).await??;
    in_time("closing", connection.close()).await??;
    Ok(())
}

/// Waits until all up to this one are confirmed.
async fn wait_for(confirmed: &mut watch::Receiver<Result<u64, String>>, tag: u64) -> Result<()> {
    let enough = confirmed.wait_for(|up_to| up_to.as_ref().map_or(true, |up_to| *up_to >= tag));
    let up_to = in_time("publishing", enough).await?.context("the broker closed the channel; see its log")?;
    up_to.as_ref().map_err(|error| anyhow::anyhow!("{error}"))?;
    Ok(())
}

/// Hears what the broker says of publishes.
struct Words {
    confirms: Confirms,
    up_to: watch::Sender<Result<u64, String>>,
}

impl Words {
    fn fail(&self, why: String) {
        let _ = self.up_to.send_replace(Err(why));
    }
}

#[async_trait]
impl ChannelCallback for Words {
    async fn close(&mut self, _: &Channel, close: CloseChannel) -> Result<(), Error> {
        self.fail(format!("the broker closed the channel: {close}"));
        Ok(())
    }

    async fn cancel(&mut self, _: &Channel, _: Cancel) -> Result<(), Error> {
        Ok(())
    }

    async fn flow(&mut self, _: &Channel, _: bool) -> Result<bool, Error> {
        Ok(true)
    }

    async fn publish_ack(&mut self, _: &Channel, ack: Ack) {
        let up_to = self.confirms.confirm(ack.delivery_tag(), ack.mutiple());
        let _ = self.up_to.send_replace(Ok(up_to));
    }

    async fn publish_nack(&mut self, _: &Channel, _: Nack) {
        self.fail("the broker refused a message; see its log".to_owned());
    }

    async fn publish_return(&mut self, _: &Channel, _: Return, _: BasicProperties, _: Vec<u8>) {
        self.fail("the broker gave a message back; is its queue gone?".to_owned());
    }
}
