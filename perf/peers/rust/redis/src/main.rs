//! The same over Redis Streams: XADD with a window of answers that are awaited, and consumer groups that each
//! get all, with XREADGROUP, XACK and XTRIM. The server is this process's own.

use std::path::Path;
use std::process::Command;
use std::sync::mpsc::Sender;

use anyhow::{Context, Result, bail, ensure};
use load::{Lag, Load, PATIENCE, PrivateServer};
use redis::{Connection, Value, cmd};

const STREAM: &str = "bodies";

fn main() -> Result<()> {
    let load = <Load as clap::Parser>::parse();
    let server = PrivateServer::start(command)?;
    let lag = Lag::new(&load);
    load.measure(
        |queue, ready| consume(&load, server.port, queue, &lag, ready),
        || publish(&load, server.port, &lag),
    )
}

/// Nothing goes to a disk.
fn command(port: u16, folder: &Path) -> Result<Command> {
    let mut command = Command::new("redis-server");
    command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]);
    command.arg("--dir").arg(folder).args(["--daemonize", "no"]);
    Ok(command)
}

fn connect(port: u16) -> Result<Connection> {
    let client = redis::Client::open(format!("redis://127.0.0.1:{port}/"))?;
    let connection = client.get_connection_with_timeout(PATIENCE).context("the server does not answer")?;
    connection.set_read_timeout(Some(PATIENCE))?;
    connection.set_write_timeout(Some(PATIENCE))?;
    Ok(connection)
}

fn consume(load: &Load, port: u16, queue: u64, lag: &Lag, ready: Sender<()>) -> Result<()> {
    let mut connection = connect(port)?;
    let group = format!("queue-{queue}");
    cmd("XGROUP").arg("CREATE").arg(STREAM).arg(&group).arg("$").arg("MKSTREAM").exec(&mut connection)?;
    let _ = ready.send(());
    let mut read = cmd("XREADGROUP");
    read.arg("GROUP").arg(&group).arg("one").arg("COUNT").arg(load.together()).arg("BLOCK").arg(20_000);
    read.arg("STREAMS").arg(STREAM).arg(">");
    let mut consumed = 0;
    while consumed < load.messages {
        let entries = entries(read.query(&mut connection).context("reading")?)?;
        let mut acknowledge = redis::pipe();
        let done = acknowledge.cmd("XACK").arg(STREAM).arg(&group);
        for (id, body) in &entries {
            ensure!(body.len() as u64 == load.body_bytes, "an entry came that is not ours");
            done.arg(id);
        }
        consumed += entries.len() as u64;
        let (last, _) = entries.last().context("nothing came; see whether the server lives")?;
        // What everybody has read is of no use; an entry is a node, so that nothing stays behind.
        if lag.consumed(queue, entries.len() as u64) {
            acknowledge.cmd("XTRIM").arg(STREAM).arg("MINID").arg("~").arg(last);
        }
        acknowledge.exec(&mut connection).context("acknowledging")?;
    }
    Ok(())
}

/// The ids and bodies of one stream's answer: [[stream, [[id, [field, body]], …]]].
fn entries(answer: Value) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
    let list = |value: Value| match value {
        Value::Array(values) => Ok(values),
        _ => bail!("nothing came; see whether the server lives"),
    };
    let stream = list(answer)?.pop().context("nothing came; see whether the server lives")?;
    let entries = list(list(stream)?.pop().context("a stream has entries")?)?;
    let pair = |entry: Value| {
        let mut parts = list(entry)?;
        let body = list(parts.pop().context("an entry has fields")?)?.pop();
        match (parts.pop(), body) {
            (Some(Value::BulkString(id)), Some(Value::BulkString(body))) => Ok((id, body)),
            _ => bail!("an entry came that is not ours"),
        }
    };
    entries.into_iter().map(pair).collect()
}

fn publish(load: &Load, port: u16, lag: &Lag) -> Result<()> {
    let mut connection = connect(port)?;
    let body = load.body();
    // The bytes of a command are the same each time; the server bounds the stream, too, where our own
    // lag already does.
    let mut add = cmd("XADD");
    add.arg(STREAM).arg("MAXLEN").arg("~").arg(2 * lag.most()).arg("*").arg("b").arg(&body);
    let add = add.get_packed_command();
    let mut confirmed = 0;
    for number in 0..load.messages {
        if number - confirmed == load.window {
            confirm(&mut connection)?;
            confirmed += 1;
        }
        if !lag.has_room(number) {
            lag.wait(number)?;
        }
        connection.send_packed_command(&add).context("publishing")?;
    }
    for _ in confirmed..load.messages {
        confirm(&mut connection)?;
    }
    Ok(())
}

fn confirm(connection: &mut Connection) -> Result<()> {
    match connection.recv_response().context("publishing")? {
        Value::BulkString(_) => Ok(()),
        other => bail!("the server refused an entry: {other:?}"),
    }
}
