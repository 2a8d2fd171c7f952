//! lapin alone: one publisher and consumers that each get all of its opaque bodies, as fast as it goes.

use std::sync::mpsc::Sender;
use std::task::{Context as TaskContext, Waker};

use anyhow::{Context, Result, ensure};
use futures_util::StreamExt;
use futures_util::stream::FuturesOrdered;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, BasicQosOptions, ConfirmSelectOptions,
    ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions,
};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Confirmation, Connection, ConnectionProperties, ExchangeKind};
use load::{Load, in_time, on_runtime};

fn main() -> Result<()> {
    let load = <Load as clap::Parser>::parse();
    load.measure(|queue, ready| on_runtime(consume(&load, queue, ready)), || on_runtime(publish(&load)))
}

fn exchange() -> String {
    format!("peer-lapin-{}", std::process::id())
}

async fn connect(load: &Load) -> Result<Connection> {
    let connect = Connection::connect(&load.url, ConnectionProperties::default());
    in_time("connecting", connect).await?.context("see the URL, and whether the broker lives")
}

async fn consume(load: &Load, queue: u64, ready: Sender<()>) -> Result<()> {
    let connection = connect(load).await?;
    let channel = connection.create_channel().await?;
    let exchange = exchange();
    let name = format!("{exchange}-{queue}");
    let none = FieldTable::default;
    // A queue goes with its consumer and the exchange with its last queue, whatever ends this process.
    let transient = ExchangeDeclareOptions { auto_delete: true, ..ExchangeDeclareOptions::default() };
    channel.exchange_declare(exchange.as_str().into(), ExchangeKind::Fanout, transient, none()).await?;
    let transient = QueueDeclareOptions { auto_delete: true, ..QueueDeclareOptions::default() };
    channel.queue_declare(name.as_str().into(), transient, none()).await?;
    let bind = QueueBindOptions::default();
    channel.queue_bind(name.as_str().into(), exchange.as_str().into(), "".into(), bind, none()).await?;
    channel.basic_qos(load.prefetch(), BasicQosOptions::default()).await?;
    let options = BasicConsumeOptions::default();
    let mut consumer = channel.basic_consume(name.as_str().into(), "".into(), options, none()).await?;
    let _ = ready.send(());
    for number in 1..=load.messages {
        let delivery =
            in_time("consuming", consumer.next()).await?.context("the consumer was cancelled")??;
        ensure!(delivery.data.len() as u64 == load.body_bytes, "a message came that is not ours");
        if number % load.together() == 0 || number == load.messages {
            channel.basic_ack(delivery.delivery_tag, BasicAckOptions { multiple: true }).await?;
        }
    }
    Ok(())
}

async fn publish(load: &Load) -> Result<()> {
    let connection = connect(load).await?;
    let channel = connection.create_channel().await?;
    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    let exchange = exchange();
    let body = load.body();
    let mut unconfirmed = FuturesOrdered::new();
    for _ in 0..load.messages {
        while unconfirmed.len() as u64 >= load.window {
            confirmed(in_time("publishing", unconfirmed.next()).await?)?;
        }
        let publish = channel.basic_publish(
            exchange.as_str().into(),
            "".into(),
            BasicPublishOptions::default(),
            &body,
            BasicProperties::default(),
        );
        let mut publish = Box::pin(async { publish.await?.await });
        // The first poll hands it over; waiting for that to be written would halve the speed.
        let _ = publish.as_mut().poll(&mut TaskContext::from_waker(Waker::noop()));
        unconfirmed.push_back(publish);
    }
    while !unconfirmed.is_empty() {
        confirmed(in_time("publishing", unconfirmed.next()).await?)?;
    }
    Ok(())
}

fn confirmed(confirmation: Option<lapin::Result<Confirmation>>) -> Result<()> {
    let confirmation = confirmation.context("one is on its way")??;
    ensure!(confirmation.is_ack(), "the broker refused a message; see its log");
    Ok(())
}
