//! A .NET service in a process of its own, where there is one: it is told what to send by JSON lines.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Mutex, PoisonError};

use serde_json::{Value, json};

use crate::PATIENCE;

const CONTRACTS: [&str; 2] = [
    concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/dotnet/Contracts.cs"),
    concat!(env!("CARGO_MANIFEST_DIR"), "/tests/rabbitmq/dotnet/Contracts.cs"),
];

/// The program that starts .NET services, where there is one; ORCHARD_DOTNET_PEER without a value is none.
pub(crate) fn program() -> Option<PathBuf> {
    let found = match std::env::var_os("ORCHARD_DOTNET_PEER") {
        Some(program) => Some(PathBuf::from(program)).filter(|program| !program.as_os_str().is_empty()),
        None => {
            let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/peers/run");
            program.exists().then_some(program)
        }
    };
    if found.is_none() {
        println!("skipped: no .NET peer at ../shared/peers/run, and ORCHARD_DOTNET_PEER names none");
    }
    found
}

/// A service with MassTransit.
pub(crate) struct Service {
    child: Child,
    requests: Mutex<Option<ChildStdin>>,
    said: Receiver<Value>,
    /// What was said and not asked for yet.
    kept: Mutex<Vec<Value>>,
}

impl Service {
    pub(crate) fn start(program: &Path, url: &str, options: &[&str]) -> Self {
        let mut child = Command::new(program)
            .args(["dotnet-peer", "masstransit", "--url", url])
            .args(CONTRACTS.iter().flat_map(|file| ["--contracts", file]))
            .args(options)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}", program.display()));
        let (say, said) = channel();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                // A send fails once the test has ended.
                let _ = say.send(serde_json::from_str(&line).unwrap_or(Value::String(line)));
            }
        });
        let requests = Mutex::new(child.stdin.take());
        let service = Self { child, requests, said, kept: Mutex::default() };
        service.wait_for("it is ready", |said| said["ready"] == true);
        service
    }

    pub(crate) fn ask(&self, request: &Value) {
        let requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        writeln!(requests.as_ref().unwrap(), "{request}").expect("the service lives");
    }

    /// Does something and waits until it is done.
    pub(crate) fn act(&self, id: u64, mut request: Value) {
        request["id"] = json!(id);
        self.ask(&request);
        let done = self.wait_for("it is done", |said| said["id"] == id);
        assert_eq!(done["done"], true, "{done}");
    }

    /// Asks, and gives what comes of it.
    pub(crate) fn request(&self, id: u64, mut request: Value) -> Value {
        request["id"] = json!(id);
        self.ask(&request);
        self.wait_for("there is an answer", |said| said["id"] == id)
    }

    /// What was consumed of this type and command; it is waited for.
    #[track_caller]
    pub(crate) fn consumed(&self, kind: &str, command: &str) -> Value {
        let what = format!("{kind} of {command} is consumed");
        self.wait_for(&what, |said| is_of(said, kind) && said["correlationId"] == command)
    }

    /// The first thing said that is meant, whatever else was said before.
    #[track_caller]
    pub(crate) fn wait_for(&self, what: &str, is_meant: impl Fn(&Value) -> bool) -> Value {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = kept.iter().position(&is_meant) {
            return kept.remove(place);
        }
        loop {
            let said = self.said.recv_timeout(PATIENCE);
            let said = said.unwrap_or_else(|error| panic!("{what}: {error}; said: {kept:#?}"));
            if is_meant(&said) {
                return said;
            }
            kept.push(said);
        }
    }

    /// How often something was consumed so far that nobody asked for yet.
    pub(crate) fn left(&self, kind: &str, command: &str) -> usize {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.extend(self.said.try_iter());
        kept.iter().filter(|said| is_of(said, kind) && said["correlationId"] == command).count()
    }
}

/// Whether this was consumed: `UserCreated` is `Orchard.Contracts.UserCreated` there, and `Fault<X>` a generic type
/// that names both.
pub(crate) fn is_of(said: &Value, kind: &str) -> bool {
    let consumed = said["consumed"].as_str().unwrap_or_default();
    match kind.strip_prefix("Fault<").and_then(|rest| rest.strip_suffix('>')) {
        Some(inner) => consumed.contains("Fault") && consumed.contains(inner),
        None => consumed.rsplit('.').next() == Some(kind),
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // It ends by itself once it can read no more; a test that fails does not wait for that.
        drop(self.requests.lock().unwrap_or_else(PoisonError::into_inner).take());
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
