//! A .NET service in a process of its own, where there is one: it is told what to send by JSON lines.

#![allow(dead_code, reason = "each test has use for some of it")]

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::Value;

/// What it is to say comes within this time, though it may have to be compiled first.
const SOON: Duration = Duration::from_secs(120);

/// The program that starts .NET peers, where there is one; ORCHARD_DOTNET_PEER without a value is none.
pub(crate) fn program() -> Option<PathBuf> {
    if let Some(program) = std::env::var_os("ORCHARD_DOTNET_PEER") {
        return Some(program.into()).filter(|program: &PathBuf| !program.as_os_str().is_empty());
    }
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/peers/run");
    program.exists().then_some(program)
}

pub(crate) struct Peer {
    child: Child,
    requests: Option<ChildStdin>,
    answers: Receiver<Value>,
}

impl Peer {
    /// A service with MassTransit on this broker, with the contracts of a file in the repository.
    pub(crate) fn start(program: &Path, url: &str, contracts: &str, options: &[&str]) -> Self {
        let mut child = Command::new(program)
            .args(["dotnet-peer", "masstransit", "--url", url, "--contracts"])
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join(contracts))
            .args(options)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}", program.display()));
        let (say, answers) = channel();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                // A send fails once the test has ended.
                let _ = say.send(serde_json::from_str(&line).unwrap_or(Value::String(line)));
            }
        });
        let requests = child.stdin.take();
        let peer = Self { child, requests, answers };
        peer.wait_for("it is ready", |said| said["ready"] == true);
        peer
    }

    pub(crate) fn ask(&self, request: &Value) {
        writeln!(self.requests.as_ref().unwrap(), "{request}").expect("the peer lives");
    }

    /// What it says next; it is waited for.
    #[track_caller]
    pub(crate) fn next(&self, what: &str) -> Value {
        self.answers.recv_timeout(SOON).unwrap_or_else(|error| panic!("{what}: {error}"))
    }

    /// The first thing said from now on that is meant.
    #[track_caller]
    pub(crate) fn wait_for(&self, what: &str, is_meant: impl Fn(&Value) -> bool) -> Value {
        loop {
            let said = self.next(what);
            if is_meant(&said) {
                return said;
            }
        }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // It ends by itself once it can read no more; a test that fails does not wait for that.
        drop(self.requests.take());
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
