//! The dashboard as people use it: Chromium shows what `orchard serve` serves, and a script clicks and reads.
//!
//! Where Node.js or Chromium is missing the tests are skipped, which is said. ORCHARD_TEST_SCREENSHOTS names a folder for pictures
//! of every page; ORCHARD_TEST_LONG adds the page that shows 200 instruments for a long time.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

#[allow(dead_code, reason = "others wait for what a script says")]
mod browser;
#[allow(dead_code, reason = "each test has use for some of it")]
#[path = "../shared/http.rs"]
mod http;
#[allow(dead_code, reason = "each test has use for some of it")]
#[path = "../shared/server.rs"]
mod server;

use browser::Browser;
use http::Answer;
use server::Server;

const PROGRAM: &str = env!("CARGO_BIN_EXE_orchard");
/// The capture that is in the repository.
const CAPTURE: &str = "usdm_btcusdt_20240808.zst";

/// A server that plays two replays at once, and a browser for it. Both end with the test.
struct Beside {
    browser: Browser,
    server: Server,
    _state: TempDir,
}

impl Beside {
    /// None where there is no browser, which is said: the test is skipped.
    fn start() -> Option<Self> {
        let browser = Browser::find()?;
        let state = tempfile::tempdir().unwrap();
        let server = Server::start(state.path(), &["--replays", "2"]);
        Some(Self { browser, server, _state: state })
    }

    /// Runs a script, which says what failed.
    #[track_caller]
    fn run(&self, script: &str, arguments: &Value) {
        self.browser.run(script, self.server.host(), arguments);
    }

    /// Sends a command, and gives its id.
    fn send(&self, path: &str, body: &Value) -> String {
        let answer = self.server.post(path, body);
        assert_eq!(answer.status, 202, "{}", answer.text());
        answer.json()["commandId"].as_str().unwrap().to_owned()
    }

    /// Waits until a command has ended so.
    fn wait(&self, command: &str, state: &str) {
        let view = self.server.get(&format!("/api/commands/{command}?wait=30s")).json();
        assert_eq!(view["state"], state, "{view}");
    }

    /// A replay of the capture that has been played.
    fn replayed(&self, fast: &str) -> String {
        let strategies =
            json!([{ "strategy": "apple", "parameters": { "fast": fast } }, { "strategy": "pear" }]);
        let replay = self.send("/api/replays", &json!({ "files": [CAPTURE], "strategies": strategies }));
        self.wait(&replay, "completed");
        replay
    }

    /// A command that cannot be carried out.
    fn failed(&self) -> String {
        let nobody = "/api/users/00000000-0000-0000-0000-000000000001";
        let answer = self.server.patch(nobody, &json!({ "name": "Nobody" }));
        assert_eq!(answer.status, 202, "{}", answer.text());
        let command = answer.json()["commandId"].as_str().unwrap().to_owned();
        self.wait(&command, "failed");
        command
    }
}

/// What `orchard replay` makes of the capture with these strategies.
fn replayed_by_program(strategies: &[&str]) -> Value {
    let mut command = Command::new(PROGRAM);
    command.args(["replay", "--json", "--quiet"]);
    for strategy in strategies {
        command.args(["--strategy", strategy]);
    }
    let output = command.arg(Path::new("tests/data").join(CAPTURE)).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn a_replay_started_by_form_shows_what_the_program_computes() {
    let Some(beside) = Beside::start() else { return };
    let expected = replayed_by_program(&["apple:fast=8"]);
    beside.run("replay.mjs", &json!({ "file": CAPTURE, "fast": "8", "expected": expected }));
    let replays = beside.server.get("/api/replays").json();
    assert_eq!(replays["items"].as_array().unwrap().len(), 1, "a double click is one command: {replays}");
}

#[test]
fn a_strategy_is_deployed_changed_and_stopped_by_form() {
    let Some(beside) = Beside::start() else { return };
    beside.run("deploy.mjs", &json!({}));
    let deployments = beside.server.get("/api/deployments").json();
    let [trend] = deployments["items"].as_array().unwrap().as_slice() else { panic!("{deployments}") };
    assert_eq!(trend["parameters"], json!({ "fast": "9", "slow": "30" }), "{trend}");
    assert_eq!((&trend["state"], &trend["revision"]), (&json!("stopped"), &json!(2)), "{trend}");
}

#[test]
fn a_failed_command_is_followed_to_its_cause_and_requeued() {
    let Some(beside) = Beside::start() else { return };
    let failed = beside.failed();
    beside.run("commands.mjs", &json!({ "failed": failed }));
    let tree = beside.server.get(&format!("/api/commands/{failed}/tree")).json();
    assert_eq!(tree["root"]["caused"][0]["command"], "RequeueCommand", "{tree}");
}

#[test]
fn a_reload_in_the_middle_loses_nothing() {
    let Some(beside) = Beside::start() else { return };
    // It is played for about 23 s.
    let body = json!({ "files": [CAPTURE], "strategies": [{ "strategy": "apple" }], "speed": 15 });
    beside.run("reload.mjs", &json!({ "replay": body }));
}

#[test]
fn every_page_can_be_used_by_everybody_and_comes_at_once() {
    let Some(beside) = Beside::start() else { return };
    let replays = [beside.replayed("12"), beside.replayed("8")];
    let deployed = beside.send("/api/deployments", &json!({ "name": "trend", "strategy": "apple" }));
    beside.wait(&deployed, "completed");
    let signal = beside.server.get("/api/signals?limit=1&strategy=apple").json()["items"][0].clone();
    let arguments = json!({ "replays": replays, "failed": beside.failed(), "signal": signal });
    beside.run("pages.mjs", &arguments);
}

/// 200 instruments at 20 updates a second each: no long task after loading, little scripting, and memory that does not grow.
#[test]
fn two_hundred_instruments_at_twenty_updates_a_second() {
    if std::env::var_os("ORCHARD_TEST_LONG").is_none() {
        return;
    }
    let Some(browser) = Browser::find() else { return };
    let folder = tempfile::tempdir().unwrap();
    let captures = folder.path().join("captures");
    std::fs::create_dir(&captures).unwrap();
    let seconds: u64 =
        std::env::var("ORCHARD_TEST_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(600);
    // 25 events a second of each instrument, of which the gateway makes 20 updates; a quote is two ticks.
    let ticks = ((seconds + 60) * 200 * 25 * 19 / 10).to_string();
    let market = "generate --quiet --instruments 200 --skew 0 --mean-gap 200us --ticks";
    let output = Command::new(PROGRAM)
        .args(market.split(' '))
        .arg(ticks)
        .arg(captures.join("market.ticks"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let state = folder.path().join("state");
    let server = Server::launch(&mut Server::command(&captures, &state)).unwrap();
    let body = json!({ "files": ["market.ticks"], "strategies": [{ "strategy": "apple" }], "speed": 1 });
    let answer: Answer = server.post("/api/replays", &body);
    let replay = answer.json()["commandId"].as_str().unwrap().to_owned();
    server.wait_running(&replay);
    browser.run("load.mjs", server.host(), &json!({ "replay": replay, "seconds": seconds }));
}
