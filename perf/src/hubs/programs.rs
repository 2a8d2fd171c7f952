//! The programs of a measurement: ours, the load and the limit.

use std::io::{BufRead, BufReader, Read};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::HubsError;
use super::serve::{Listening, Served, Serving};
use crate::peers::child;

/// So long connecting takes at most, beside the load's own time.
const CONNECTING: Duration = Duration::from_secs(120);
/// The load goes on for so long after what it measures has ended.
const LONGER: Duration = Duration::from_secs(2);

/// Compiled into a folder that ends with it.
pub(super) struct Programs {
    folder: tempfile::TempDir,
}

/// What the load has seen.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(super) struct Load {
    /// All that it has counted.
    updates: u64,
    /// Of the time for which it counted.
    pub(super) updates_per_s: f64,
    pub(super) p99_ms: f64,
}

/// What the limit says.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(super) struct Limit {
    pub(super) server_cores: f64,
}

impl Load {
    /// It counted for longer than there was something to count: the rate is that of the time for which updates were
    /// sent, in whole seconds as the programs are told.
    fn within(mut self, serving: Serving) -> Self {
        self.updates_per_s = self.updates as f64 / serving.duration.as_secs().max(1) as f64;
        self
    }
}

impl Programs {
    pub(super) fn compile() -> Result<Self, HubsError> {
        let programs = Self { folder: tempfile::tempdir()? };
        programs.compile_one("hubload", include_str!("../../peers/hubs/hubload.c"))?;
        programs.compile_one("hubserve", include_str!("../../peers/hubs/hubserve.c"))?;
        Ok(programs)
    }

    fn compile_one(&self, name: &'static str, source: &str) -> Result<(), HubsError> {
        let file = self.path(name).with_extension("c");
        std::fs::write(&file, source)?;
        let mut cc = Command::new("cc");
        cc.args(["-O2", "-w", "-o"]).arg(self.path(name)).arg(file);
        let failed = |reason| HubsError::Program { program: "cc", reason };
        child::run(&mut cc, CONNECTING).map(drop).map_err(failed)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The hub of this crate, in a process of its own.
    pub(super) fn ours(&self, serving: Serving, stalled: usize) -> Result<(Served, Load), HubsError> {
        let values = [serving.connections, serving.messages_per_s as usize, serving.updates];
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["hubs", "--duration"]).arg(format!("{}s", serving.duration.as_secs()));
        command.arg("--threads").arg(serving.threads.to_string()).arg("--serve");
        command.args(values.map(|value| value.to_string())).arg(serving.window.as_millis().to_string());
        let mut server = Server::start("perf hubs --serve", &mut command)?;
        let Listening { port } = server.line()?;
        let load = self.load(port, serving, stalled)?.within(serving);
        Ok((server.line()?, load))
    }

    /// The limit, which starts to send when all connections are there.
    pub(super) fn hubserve(&self, serving: Serving) -> Result<(Limit, Load), HubsError> {
        let port = free_port()?;
        let mut command = Command::new(self.path("hubserve"));
        let values = [
            usize::from(port),
            serving.messages_per_s as usize,
            serving.updates,
            serving.connections,
            serving.duration.as_secs() as usize,
            serving.window.as_micros() as usize,
        ];
        command.args(values.map(|value| value.to_string()));
        let mut server = Server::start("hubserve", &mut command)?;
        wait_for(port)?;
        let load = self.load(port, serving, 0)?.within(serving);
        Ok((server.line()?, load))
    }

    /// All clients; it ends after what it measures.
    pub(super) fn load(&self, port: u16, serving: Serving, stalled: usize) -> Result<Load, HubsError> {
        let mut command = Command::new(self.path("hubload"));
        let seconds = (serving.duration + LONGER).as_secs();
        command.args(["127.0.0.1", &port.to_string(), "/hubs/market", &serving.connections.to_string()]);
        command.args([seconds.to_string(), stalled.to_string()]);
        let failed = |reason| HubsError::Program { program: "hubload", reason };
        let said = child::run(&mut command, CONNECTING + serving.duration).map_err(failed)?;
        serde_json::from_str(&said).map_err(|error| failed(error.to_string()))
    }
}

/// A server that is ended with it.
pub(super) struct Server {
    program: &'static str,
    child: Child,
    output: BufReader<Box<dyn Read + Send>>,
}

impl Server {
    pub(super) fn start(program: &'static str, command: &mut Command) -> Result<Self, HubsError> {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
        let output: Box<dyn Read + Send> = match child.stdout.take() {
            Some(output) => Box::new(output),
            None => Box::new(std::io::empty()),
        };
        Ok(Self { program, child, output: BufReader::new(output) })
    }

    /// The next line of its output.
    fn line<T: DeserializeOwned>(&mut self) -> Result<T, HubsError> {
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        serde_json::from_str(&line).map_err(|error| HubsError::Program {
            program: self.program,
            reason: format!("it says {:?}: {error}", line.trim()),
        })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(super) fn free_port() -> Result<u16, HubsError> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

/// Until somebody listens. `hubserve` takes each connection for a client, so nothing connects to look.
fn wait_for(port: u16) -> Result<(), HubsError> {
    let listens = format!("0100007F:{port:04X}");
    for _ in 0..500 {
        let sockets = std::fs::read_to_string(Path::new("/proc/net/tcp"))?;
        if sockets.lines().any(|line| line.contains(&listens) && line.contains(" 0A ")) {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Err(HubsError::Program { program: "hubserve", reason: format!("it does not listen on port {port}") })
}
