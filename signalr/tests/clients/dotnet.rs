//! The official .NET client, where there is one, in a process of its own: it is told what to do by JSON lines.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::{Value, json};

use crate::fixture::Fixture;
use crate::packages::skipped;
use crate::proxy::Disturbance;

/// What it is to say comes within this time.
const SOON: Duration = Duration::from_secs(30);

/// Transports and protocols that exist.
const COMBINATIONS: [&[&str]; 6] = [
    &["--transport", "ws"],
    &["--transport", "ws", "--messagepack"],
    &["--transport", "ws", "--skip-negotiation"],
    &["--transport", "sse"],
    &["--transport", "lp"],
    &["--transport", "lp", "--messagepack"],
];

#[test]
fn it_calls_streams_uploads_and_answers_over_each_transport_and_protocol() {
    let Some(program) = program() else { return };
    let fixture = Fixture::start();
    std::thread::scope(|scope| {
        for options in COMBINATIONS {
            let (program, base) = (&program, &fixture.base);
            scope.spawn(move || {
                let url = format!("{base}/hubs/test");
                let mut all = vec!["--token", "alice"];
                all.extend(options);
                converse(&Client::start(program, &url, &all));
            });
        }
    });
}

fn converse(client: &Client) {
    client.ask(json!({ "id": 1, "invoke": "Add", "arguments": [40, 2] }));
    assert_eq!(client.answer(1)["result"], 42);
    client.ask(json!({ "id": 2, "invoke": "ThrowHub", "arguments": ["known"] }));
    assert!(client.answer(2)["error"].to_string().contains("HubException: known"));
    client.ask(json!({ "id": 3, "stream": "Count", "arguments": [3] }));
    let items: Vec<_> = (0..3).map(|_| client.answer(3)["item"].clone()).collect();
    assert_eq!(items, [0, 1, 2]);
    assert!(!client.answer(3)["end"].is_null());
    client.ask(json!({ "id": 4, "stream": "Endless", "arguments": [] }));
    assert_eq!(client.answer(4)["item"], 0);
    client.ask(json!({ "cancel": 4 }));
    client.ask(json!({ "id": 5, "invoke": "Sum", "arguments": [], "upload": [1, 2, 3] }));
    assert_eq!(client.answer(5)["result"], 6);
    client.ask(json!({ "id": 6, "invoke": "AskCaller", "arguments": ["how?"] }));
    assert_eq!(client.answer(6)["result"], "fine");
    client.ask(json!({ "id": 7, "invoke": "CallMany", "arguments": [20] }));
    let items: Vec<_> = (0..20)
        .map(|_| client.said("an item", |said| said["on"] == "Item")["arguments"][0].clone())
        .collect();
    assert_eq!(items, (0..20).collect::<Vec<_>>());
    client.ask(json!({ "id": 8, "invoke": "Join", "arguments": ["dotnet"] }));
    client.answer(8);
    client.ask(json!({ "id": 9, "invoke": "WhoAmI", "arguments": [] }));
    assert_eq!(client.answer(9)["result"], json!(["alice", "alice"]));
}

#[test]
fn its_connection_survives_cut_links() {
    let Some(program) = program() else { return };
    for options in [&["--stateful", "--reconnect"][..], &["--stateful", "--reconnect", "--messagepack"]] {
        let fixture = Fixture::start();
        let client = Client::start(&program, &format!("{}/hubs/stateful", fixture.proxied), options);
        client.ask(json!({ "id": 1, "invoke": "MyId", "arguments": [] }));
        let id = client.answer(1)["result"].clone();
        for disturbance in [Disturbance::Cut, Disturbance::HalfOpen, Disturbance::Cut] {
            client.ask(json!({ "id": 2, "invoke": "CallMany", "arguments": [100] }));
            fixture.commands.proxy.disturb(disturbance);
            let items: Vec<_> = (0..100)
                .map(|_| client.said("an item", |said| said["on"] == "Item")["arguments"][0].clone())
                .collect();
            assert_eq!(items, (0..100).collect::<Vec<_>>());
            client.ask(json!({ "id": 3, "invoke": "MyId", "arguments": [] }));
            assert_eq!(client.answer(3)["result"], id);
        }
    }
}

#[test]
fn it_comes_back_after_a_restart() {
    let Some(program) = program() else { return };
    let fixture = Fixture::start();
    let url = format!("{}/hubs/test", fixture.base);
    let clients: Vec<_> = COMBINATIONS
        .iter()
        .map(|options| Client::start(&program, &url, &[*options, &["--reconnect"]].concat()))
        .collect();
    fixture.runtime.block_on(fixture.commands.restart());
    for client in clients {
        client.said("it is back", |said| said["state"] == "reconnected");
        client.ask(json!({ "id": 1, "invoke": "Add", "arguments": [1, 2] }));
        assert_eq!(client.answer(1)["result"], 3);
    }
}

/// The program that starts .NET peers; ORCHARD_DOTNET_PEER without a value is none, which is said.
fn program() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/peers/run");
    let program = match std::env::var_os("ORCHARD_DOTNET_PEER") {
        Some(program) => Some(PathBuf::from(program)).filter(|program| !program.as_os_str().is_empty()),
        None => beside.exists().then_some(beside),
    };
    if program.is_none() {
        skipped("there is no .NET client; ORCHARD_DOTNET_PEER may name the program that starts one");
    }
    program
}

struct Client {
    child: Child,
    requests: std::cell::RefCell<Option<ChildStdin>>,
    answers: Receiver<Value>,
}

impl Client {
    fn start(program: &Path, url: &str, options: &[&str]) -> Self {
        let mut child = Command::new(program)
            .args(["dotnet-peer", "hub-client", "--url", url, "--on", "Item:1", "--answer", "Ask=\"fine\""])
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
        let requests = std::cell::RefCell::new(child.stdin.take());
        let client = Self { child, requests, answers };
        client.said("it is ready", |said| said["ready"] == true);
        client
    }

    fn ask(&self, request: Value) {
        writeln!(self.requests.borrow_mut().as_mut().unwrap(), "{request}").expect("the client lives");
    }

    /// The next thing that is said about a request.
    #[track_caller]
    fn answer(&self, id: u64) -> Value {
        self.said("an answer", |said| said["id"] == id)
    }

    /// The first thing said from now on that is meant.
    #[track_caller]
    fn said(&self, what: &str, is_meant: impl Fn(&Value) -> bool) -> Value {
        loop {
            let said = self.answers.recv_timeout(SOON).unwrap_or_else(|error| panic!("{what}: {error}"));
            if is_meant(&said) {
                return said;
            }
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // It ends by itself once it can read no more; a test that fails does not wait for that.
        drop(self.requests.take());
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
