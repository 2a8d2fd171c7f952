//! A Refit client in a process of its own, which is told what to call by JSON lines.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::{Value, json};

/// What a .NET team is given, and what tests have besides.
const CONTRACTS: [&str; 3] = [
    concat!(env!("CARGO_MANIFEST_DIR"), "/examples/dotnet/Contracts.cs"),
    concat!(env!("CARGO_MANIFEST_DIR"), "/examples/dotnet/OrchardApi.cs"),
    concat!(env!("CARGO_MANIFEST_DIR"), "/tests/refit/Api.cs"),
];
/// The settings that are generated with the interface.
const SETTINGS: &str = "Orchard.Contracts.OrchardApi.Settings";
/// What is waited for comes within this time, also on a machine that is busy; the peer compiles first.
const SOON: Duration = Duration::from_secs(120);

/// The program that starts .NET peers, where there is one; ORCHARD_DOTNET_PEER without a value is none.
pub(crate) fn program() -> Option<PathBuf> {
    if let Some(program) = std::env::var_os("ORCHARD_DOTNET_PEER") {
        return Some(program.into()).filter(|program: &PathBuf| !program.as_os_str().is_empty());
    }
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/peers/run");
    program.exists().then_some(program)
}

/// The interface that has the generated one in it.
pub(crate) const GENERATED: &str = "IReadApi";

pub(crate) struct Peer {
    child: Child,
    requests: Option<ChildStdin>,
    answers: Receiver<Value>,
    /// Answers that came while another was waited for.
    early: BTreeMap<u64, Value>,
    calls: u64,
    /// The route of each member of the interface.
    routes: BTreeMap<String, Route>,
    called: BTreeSet<Route>,
}

/// A method and a path, as `get /api/users/{id}`.
pub(crate) type Route = String;

impl Peer {
    /// A client of this interface of `Api.cs`, which calls the server at `url`. With the generated settings where it has
    /// the generated routes; else with Refit's own.
    pub(crate) fn start(program: &Path, url: &str, interface: &str) -> Self {
        let settings: &[&str] = if interface == GENERATED { &["--settings", SETTINGS] } else { &[] };
        let mut child = Command::new(program)
            .args(["dotnet-peer", "refit", "--url", url, "--interface", interface])
            .args(CONTRACTS.iter().flat_map(|file| ["--contracts", file]))
            .args(settings)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}", program.display()));
        let (say, answers) = channel();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                // What is no JSON is shown where an answer was expected. A send fails once the test has ended.
                let _ = say.send(serde_json::from_str(&line).unwrap_or(Value::String(line)));
            }
        });
        let requests = child.stdin.take();
        let (early, calls, called) = Default::default();
        let peer = Self { child, requests, answers, early, calls, routes: routes(), called };
        let ready = peer.next();
        assert_eq!(ready["ready"], true, "{ready}");
        peer
    }

    /// Calls a member of the interface, and gives the number of the call.
    pub(crate) fn begin(&mut self, member: &str, arguments: Value) -> u64 {
        self.calls += 1;
        let call = json!({ "id": self.calls, "call": member, "arguments": arguments });
        writeln!(self.requests.as_ref().unwrap(), "{call}").expect("the peer lives");
        self.called.extend(self.routes.get(member).cloned());
        self.calls
    }

    /// What a call gave, or threw.
    pub(crate) fn end(&mut self, call: u64) -> Value {
        loop {
            if let Some(answer) = self.early.remove(&call) {
                return answer;
            }
            let answer = self.next();
            let id = answer["id"].as_u64().unwrap_or_else(|| panic!("no answer: {answer}"));
            self.early.insert(id, answer);
        }
    }

    fn next(&self) -> Value {
        self.answers.recv_timeout(SOON).unwrap_or_else(|error| panic!("the peer says nothing: {error}"))
    }

    /// What a member gives that must not throw.
    pub(crate) fn call(&mut self, member: &str, arguments: Value) -> Value {
        let call = self.begin(member, arguments);
        let answer = self.end(call);
        assert!(answer.get("error").is_none(), "{member}: {answer}");
        answer["result"].clone()
    }

    /// The items of a page.
    pub(crate) fn items(&mut self, member: &str, arguments: Value) -> Vec<Value> {
        let page = self.call(member, arguments);
        page["items"].as_array().unwrap_or_else(|| panic!("{member}: {page}")).clone()
    }

    /// The problem of a member that must throw a `ValidationApiException`, which has this status.
    pub(crate) fn problem(&mut self, status: u16, member: &str, arguments: Value) -> Value {
        let call = self.begin(member, arguments);
        let answer = self.end(call);
        let error = &answer["error"];
        assert_eq!(error["type"], "ValidationApiException", "{member}: {answer}");
        assert_eq!(
            (&error["status"], &error["problem"]["status"]),
            (&json!(status), &json!(status)),
            "{answer}"
        );
        error["problem"].clone()
    }

    /// A command that must be accepted: its id.
    pub(crate) fn accepted(&mut self, member: &str, arguments: Value) -> String {
        let answer = self.call(member, arguments);
        assert_eq!(answer["status"], 202, "{member}: {answer}");
        let id = answer["content"]["commandId"].as_str().unwrap().to_owned();
        assert_eq!(answer["headers"]["Location"], format!("/api/commands/{id}"), "{answer}");
        assert_eq!(answer["content"]["status"], answer["headers"]["Location"], "{answer}");
        id
    }

    /// A command that must be refused with this status, of a member that gives an `ApiResponse`.
    pub(crate) fn refused(&mut self, status: u16, member: &str, arguments: Value) {
        let answer = self.call(member, arguments);
        assert_eq!(
            (&answer["status"], &answer["content"]),
            (&json!(status), &Value::Null),
            "{member}: {answer}"
        );
        assert_eq!(answer["error"]["type"], "ValidationApiException", "{member}: {answer}");
    }

    /// The routes that were called so far.
    pub(crate) const fn called(&self) -> &BTreeSet<Route> {
        &self.called
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

/// The route of each member of the generated interface and of the one that has it, which stands in its first attribute:
/// `[Get("/api/users")] … Users(…);`.
fn routes() -> BTreeMap<String, Route> {
    let source = CONTRACTS.map(|file| std::fs::read_to_string(file).unwrap()).concat();
    let members =
        source.lines().take_while(|line| !line.ends_with("interface IPlainApi")).filter_map(|line| {
            let line = line.trim();
            let (method, rest) = line.strip_prefix('[')?.split_once("(\"")?;
            let path = rest.split('"').next()?;
            let mut declaration = line;
            while declaration.starts_with('[') {
                declaration = declaration.split_once("] ")?.1;
            }
            let name = declaration.split('(').next()?.rsplit(' ').next()?;
            Some((name.to_owned(), format!("{} {path}", method.to_lowercase())))
        });
    members.collect()
}
