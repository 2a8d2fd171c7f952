//! `orchard serve` as a .NET team sees it: a real Refit client calls every route, by the interface in `examples/dotnet`.
//!
//! The client is a program of its own, which a clone of this repository does not have: ORCHARD_DOTNET_PEER is the
//! path to what starts it, else it is looked for beside the checkout. Where there is none these tests are skipped.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

mod commands;
mod peer;
mod plain;
mod reads;

use peer::{Peer, Route};

const PROGRAM: &str = env!("CARGO_BIN_EXE_orchard");
/// The capture that is in the repository.
const CAPTURE: &str = "usdm_btcusdt_20240808.zst";

/// A client beside a server of its own; both end with the test.
struct Beside {
    peer: Peer,
    _server: Server,
}

impl Beside {
    /// None where there is no client, which is said: the test is skipped.
    fn start(interface: &str) -> Option<Self> {
        let Some(program) = peer::program() else {
            let line = "skipped: no .NET peer at ../shared/peers/run, and ORCHARD_DOTNET_PEER names none\n";
            // The harness hides what is printed; what is written is shown.
            std::io::stdout().write_all(line.as_bytes()).unwrap();
            return None;
        };
        let (server, url) = Server::start();
        Some(Self { peer: Peer::start(&program, &url, interface), _server: server })
    }
}

struct Server {
    child: Child,
    _state: TempDir,
}

impl Server {
    /// Starts it on a free port; it accepts requests at the URL when this returns. Two replays are played at once.
    fn start() -> (Self, String) {
        let state = tempfile::tempdir().unwrap();
        let mut command = Command::new(PROGRAM);
        command.args(["serve", "--captures", "tests/data", "--listen", "127.0.0.1:0", "--replays", "2"]);
        command.arg("--state").arg(state.path()).env_remove("ORCHARD_KEY");
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut url = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut url).unwrap();
        let server = Self { child, _state: state };
        assert!(url.starts_with("http://127.0.0.1:"), "it does not start: {url:?}");
        (server, url.trim_end().to_owned())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_refit_client_calls_every_route() {
    let Some(mut beside) = Beside::start(peer::GENERATED) else { return };
    let peer = &mut beside.peer;
    let slow = json!({ "files": [CAPTURE], "strategies": [{ "strategy": "apple" }], "speed": 0.01 });
    let slow = peer.accepted("StartReplay", json!({ "body": slow }));
    // The server waits for what this replay makes and then gives up, while everything else goes on.
    let impatient = peer.begin("UsersAfter", json!({ "after": slow }));
    commands::users(peer);
    commands::deployments(peer);
    commands::failures(peer);
    let replay = reads::replay(peer);
    reads::signals(peer, &replay);
    reads::results(peer, &replay);
    reads::lists(peer);
    reads::errors(peer);
    let described = reads::server(peer);

    let refused = peer.end(impatient)["result"].clone();
    assert_eq!(
        (&refused["status"], &refused["headers"]["Retry-After"]),
        (&json!(409), &json!("1")),
        "{refused}"
    );
    assert_eq!(refused["error"]["type"], "ValidationApiException", "{refused}");
    commands::cancel(peer, &slow);
    let differ: BTreeSet<&Route> = described.symmetric_difference(peer.called()).collect();
    assert!(differ.is_empty(), "described and not called, or the other way round: {differ:?}");
}

#[test]
fn what_refit_sends_by_default_is_taken_or_refused_with_the_reason() {
    let Some(mut beside) = Beside::start("IPlainApi") else { return };
    let peer = &mut beside.peer;
    plain::bodies(peer);
    plain::queries(peer);
    plain::dates(peer);
}

/// A member of an object, or an item of a list, that must be text.
fn text<I: serde_json::value::Index>(value: &Value, member: I) -> &str {
    value.get(member).and_then(Value::as_str).unwrap_or_else(|| panic!("no such text: {value}"))
}
