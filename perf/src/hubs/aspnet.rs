//! ASP.NET Core's own hub, by the program that `../shared/peers` describes.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use serde::Deserialize;

use super::HubsError;
use super::programs::{Load, Programs, Server, free_port};
use super::serve::Serving;

/// It unpacks itself when it is run the first time.
const STARTING: Duration = Duration::from_secs(60);
const ANSWER: Duration = Duration::from_secs(10);

/// The part of `/stats` that is needed.
#[derive(Deserialize)]
struct Stats {
    cpu_s: f64,
}

/// Its cores while the load is there, and what the load saw. Connecting counts, at most some tenths of a second.
pub(super) fn measure(
    peer: &PathBuf,
    programs: &Programs,
    serving: Serving,
) -> Result<(f64, Load), HubsError> {
    let port = free_port()?;
    let mut command = Command::new(peer);
    command.arg("hub-fanout").arg(port.to_string()).arg(serving.messages_per_s.to_string());
    command.arg(serving.updates.to_string()).arg(serving.connections.to_string());
    let _server = Server::start("hub-fanout", &mut command)?;
    let began = Instant::now();
    while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
        if began.elapsed() > STARTING {
            return Err(failed(format!("it does not listen on port {port}")));
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    let (began, before) = (Instant::now(), cpu_s(port)?);
    let load = programs.load(port, serving, 0)?;
    let cores = (cpu_s(port)? - before) / began.elapsed().as_secs_f64();
    Ok((cores, load))
}

fn cpu_s(port: u16) -> Result<f64, HubsError> {
    let mut socket = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    socket.set_read_timeout(Some(ANSWER))?;
    socket.write_all(b"GET /stats HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    socket.read_to_string(&mut answer)?;
    let json = answer.find('{').zip(answer.rfind('}')).map(|(begin, end)| &answer[begin..=end]);
    let stats = json.and_then(|json| serde_json::from_str::<Stats>(json).ok());
    stats.map(|stats| stats.cpu_s).ok_or_else(|| failed(format!("/stats says {answer:?}")))
}

fn failed(reason: String) -> HubsError {
    HubsError::Program { program: "hub-fanout", reason }
}
