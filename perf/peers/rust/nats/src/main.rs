//! The same over NATS JetStream: a stream in memory, publish acknowledgements with a window, and pull
//! consumers that each get all. The server is this process's own.

use std::future::IntoFuture;
use std::path::Path;
use std::process::Command;
use std::sync::mpsc::Sender;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use async_nats::jetstream::consumer::{AckPolicy, pull};
use async_nats::jetstream::context::ContextBuilder;
use async_nats::jetstream::stream::{Config, RetentionPolicy, StorageType};
use async_nats::jetstream::{self, Message};
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::FuturesOrdered;
use load::{Lag, Load, PrivateServer, in_time, on_runtime};

const STREAM: &str = "bodies";

fn main() -> Result<()> {
    let load = <Load as clap::Parser>::parse();
    let server = PrivateServer::start(|port, folder| command(&load, port, folder))?;
    on_runtime(make_stream(&load, server.port))?;
    let lag = Lag::new(&load);
    load.measure(
        |queue, ready| on_runtime(consume(&load, server.port, queue, &lag, ready)),
        || on_runtime(publish(&load, server.port, &lag)),
    )
}

/// The server wants a file for what it has no option for.
fn command(load: &Load, port: u16, folder: &Path) -> Result<Command> {
    let payload = (load.body_bytes + (64 << 10)).max(1 << 20);
    let file = folder.join("server.conf");
    // What waits for one client may be as much as the window, or the server would hang up.
    let settings = format!(
        "listen: \"127.0.0.1:{port}\"\nmax_payload: {payload}\nmax_pending: 536870912\n\
         jetstream {{ store_dir: \"{}\", max_memory_store: 4294967296 }}\n",
        folder.join("store").display()
    );
    std::fs::write(&file, settings).context("the server's settings cannot be written; is there room?")?;
    let mut command = Command::new("nats-server");
    command.arg("--config").arg(file).arg("--log").arg(folder.join("log"));
    Ok(command)
}

async fn connect(load: &Load, port: u16) -> Result<jetstream::Context> {
    let client = in_time("connecting", async_nats::connect(format!("127.0.0.1:{port}"))).await??;
    let builder = ContextBuilder::new().timeout(load::PATIENCE).ack_timeout(load::PATIENCE);
    Ok(builder.max_ack_inflight(2 * load.window as usize).build(client))
}

async fn make_stream(load: &Load, port: u16) -> Result<()> {
    let stream = Config {
        name: STREAM.to_owned(),
        subjects: vec![STREAM.to_owned()],
        storage: StorageType::Memory,
        // What every consumer has acknowledged is forgotten.
        retention: RetentionPolicy::Interest,
        max_message_size: -1,
        ..Config::default()
    };
    connect(load, port).await?.create_stream(stream).await?;
    Ok(())
}

async fn consume(load: &Load, port: u16, queue: u64, lag: &Lag, ready: Sender<()>) -> Result<()> {
    let jetstream = connect(load, port).await?;
    let stream = jetstream.get_stream(STREAM).await?;
    let config = pull::Config {
        durable_name: Some(format!("consumer-{queue}")),
        ack_policy: AckPolicy::All,
        ack_wait: Duration::from_secs(300),
        max_ack_pending: i64::from(load.prefetch()),
        ..pull::Config::default()
    };
    let consumer = stream.create_consumer(config).await?;
    let mut messages = consumer
        .stream()
        .max_messages_per_batch(usize::from(load.prefetch()))
        .messages()
        .await
        .context("the consumer begins")?;
    let _ = ready.send(());
    for number in 1..=load.messages {
        let message: Message =
            in_time("consuming", messages.next()).await?.context("the server ended the consumer")??;
        ensure!(message.payload.len() as u64 == load.body_bytes, "a message came that is not ours");
        if number % load.together() == 0 || number == load.messages {
            message.ack().await.map_err(|error| anyhow::anyhow!("acknowledging: {error}"))?;
        }
        lag.consumed(queue, 1);
    }
    // The last acknowledgement goes out before this.
    in_time("closing", jetstream.client().flush()).await??;
    Ok(())
}

async fn publish(load: &Load, port: u16, lag: &Lag) -> Result<()> {
    let jetstream = connect(load, port).await?;
    let body = Bytes::from(load.body());
    let mut unconfirmed = FuturesOrdered::new();
    for number in 0..load.messages {
        while unconfirmed.len() as u64 >= load.window {
            in_time("publishing", unconfirmed.next()).await?.context("one is on its way")??;
        }
        if !lag.has_room(number) {
            in_time("consuming", wait(lag, number)).await?;
        }
        let confirm = jetstream.publish(STREAM, body.clone()).await?;
        unconfirmed.push_back(confirm.into_future());
    }
    while !unconfirmed.is_empty() {
        in_time("publishing", unconfirmed.next()).await?.context("one is on its way")??;
    }
    Ok(())
}

async fn wait(lag: &Lag, published: u64) {
    while !lag.has_room(published) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}
