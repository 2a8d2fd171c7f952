//! `orchard ctl` against `orchard serve`, as their users run them.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use serde_json::{Value, json};
use vhost::Vhost;

#[path = "shared/http.rs"]
#[allow(dead_code, reason = "other tests use more of it")]
mod http;
#[path = "shared/vhost.rs"]
mod vhost;

const PROGRAM: &str = env!("CARGO_BIN_EXE_orchard");
const CAPTURE: &str = "usdm_btcusdt_20240808.zst";

/// A server on a free port, which ends with the test.
struct Server {
    child: Child,
    url: String,
}

impl Server {
    fn start(state: &Path) -> Self {
        Self::start_with(state, &[])
    }

    /// With these variables of the environment.
    fn start_with(state: &Path, variables: &[(&str, &str)]) -> Self {
        let mut child = Command::new(PROGRAM)
            .args([
                "serve",
                "--captures",
                "tests/data",
                "--listen",
                "127.0.0.1:0",
                "--key-required",
                "--state",
            ])
            .arg(state)
            .env("ORCHARD_KEY", KEY)
            .envs(variables.iter().copied())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert!(line.starts_with("http://127.0.0.1:"), "it does not start: {line:?}");
        Self { child, url: line.trim_end().to_owned() }
    }

    fn ctl(&self, args: &[&str]) -> Output {
        ctl(&self.url, Some(KEY), args)
    }

    /// The JSON of a command that is done.
    fn json(&self, args: &[&str]) -> Value {
        let output = self.ctl(&[args, &["--json"]].concat());
        assert!(output.status.success(), "{args:?}: {}", text(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{args:?}: {error}"))
    }

    /// What a command that is done prints for people.
    fn text(&self, args: &[&str]) -> String {
        let output = self.ctl(args);
        assert!(output.status.success(), "{args:?}: {}", text(&output.stderr));
        text(&output.stdout)
    }

    /// What a command says that ends with this exit code.
    fn refusal(&self, code: i32, args: &[&str]) -> String {
        let output = self.ctl(args);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {said}");
        said
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

const KEY: &str = "a-key-of-this-test";

fn ctl(url: &str, key: Option<&str>, args: &[&str]) -> Output {
    let mut command = Command::new(PROGRAM);
    command.arg("ctl").args(args).env("ORCHARD_URL", url).env_remove("ORCHARD_KEY");
    if let Some(key) = key {
        command.env("ORCHARD_KEY", key);
    }
    command.output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn of<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("no text {name} in {value}"))
}

#[test]
fn users_are_created_renamed_and_disabled() {
    let state = tempfile::tempdir().unwrap();
    let server = Server::start(state.path());
    assert_eq!(server.json(&["users", "list"]), Value::Array(Vec::new()));
    let create = ["users", "create", "--email", "zoe@example.com", "--name", "Zoë", "--idempotency-key", "k"];
    let sent = server.json(&create);
    assert_eq!(server.json(&create), sent, "the same key is the same command");
    let user = of(&sent, "commandId").to_owned();
    assert_eq!(of(&server.json(&["users", "show", &user, "--after", &user]), "name"), "Zoë");
    let other =
        ["users", "create", "--email", "other@example.com", "--name", "Zoë", "--idempotency-key", "k"];
    assert!(server.refusal(1, &other).contains("status 422"));

    let renamed = server.json(&["users", "rename", &user, "Zoe", "--wait"]);
    assert_eq!(of(&renamed, "state"), "completed");
    server.json(&["users", "disable", &user, "--wait=60s"]);
    let list = server.text(&["users", "list"]);
    let row: Vec<_> = list.lines().nth(1).unwrap().split_whitespace().collect();
    assert_eq!(&row[..4], [user.as_str(), "zoe@example.com", "Zoe", "disabled"]);
    let again = ["users", "create", "--email", "zoe@example.com", "--name", "Z", "--wait"];
    assert!(server.refusal(1, &again).contains("has the e-mail address zoe@example.com"));
}

#[test]
fn a_server_without_a_broker_has_no_queues_of_messages_that_failed() {
    let state = tempfile::tempdir().unwrap();
    let server = Server::start(state.path());
    for args in [
        ["queues"].as_slice(),
        &["list", "a_error", "--type", "CreateUser"],
        &["show", "a_error", "1"],
        &["requeue", "a_error", "1", "--dry-run"],
        &["move", "a_error", "--all", "--to", "parked"],
        &["discard", "a_error", "--reason", "gone"],
    ] {
        let said = server.refusal(1, &[&["errors"], args].concat());
        assert!(said.contains("without a broker") && said.contains("status 409"), "{said}");
    }
    assert!(server.refusal(2, &["errors", "requeue", "a_error"]).contains("say which"));
    assert!(server.refusal(2, &["errors", "discard", "a_error", "1", "--all"]).contains("say which"));
}

/// Puts a message that failed into a queue.
fn fail(vhost: &Vhost, queue: &str, id: &str, reason: &str) {
    let headers = json!({
        "MT-Reason": "fault", "MT-Fault-Message": reason, "MT-Fault-Timestamp": "2024-11-29T10:58:41Z",
    });
    let body = json!({ "messageId": id, "messageType": ["urn:message:Billing:Charge"], "message": {} });
    let message = json!({
        "properties": { "headers": headers, "delivery_mode": 2 }, "routing_key": queue, "payload": body.to_string(),
        "payload_encoding": "string",
    });
    vhost.ask("POST", &format!("/api/exchanges/{}/amq.default/publish", vhost.name), &message);
}

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is a server's URL"))
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn what_failed_on_the_broker_is_seen_and_dealt_with() {
    const FIRST: &str = "00000000-0000-0000-0000-000000000001";
    const SECOND: &str = "00000000-0000-0000-0000-000000000002";
    let vhost = Vhost::new("ctl");
    for queue in ["billing_error", "parked"] {
        let path = format!("/api/queues/{}/{queue}", vhost.name);
        vhost.ask("PUT", &path, &json!({ "durable": true }));
    }
    fail(&vhost, "billing_error", FIRST, "the card was refused");
    fail(&vhost, "billing_error", SECOND, "timeout");
    let state = tempfile::tempdir().unwrap();
    let variables = [
        ("ORCHARD_SERVE__BROKER__URLS", vhost.amqp()),
        ("ORCHARD_SERVE__BROKER__MANAGEMENT", variable("ORCHARD_TEST_MANAGEMENT")),
    ];
    let server =
        Server::start_with(state.path(), &variables.each_ref().map(|(name, value)| (*name, &**value)));

    // The management API lists a queue some time after it was declared.
    let find = || {
        let queues = server.json(&["errors", "queues", "--all"]);
        queues.as_array().unwrap().iter().find(|queue| queue["name"] == "billing_error").cloned()
    };
    let queue = (0..1000).find_map(|_| find()).expect("its queue is listed");
    assert_eq!((&queue["messages"], &queue["lookedAt"]), (&json!(2), &json!(2)), "{queue}");
    let list = server.json(&["errors", "list", "billing_error", "--type", "charge"]);
    assert_eq!(list.as_array().unwrap().len(), 2);
    let shown = server.text(&["errors", "show", "billing_error", FIRST]);
    assert!(
        shown.contains("the card was refused") && shown.contains("urn:message:Billing:Charge"),
        "{shown}"
    );

    let dry = server.json(&["errors", "discard", "billing_error", "--reason", "card", "--dry-run"]);
    assert_eq!((&dry["selected"], &dry["done"]), (&json!(1), &json!(0)), "{dry}");
    // There is no such service to give it to.
    assert!(server.refusal(1, &["errors", "requeue", "billing_error", SECOND]).contains("exchange billing"));
    let moved = server.json(&["errors", "move", "billing_error", SECOND, "--to", "parked"]);
    assert_eq!(moved["done"], 1, "{moved}");
    let said = server.text(&["errors", "discard", "billing_error", "--all"]);
    assert!(said.contains("1 message discarded"), "{said}");
    let record = std::fs::read_to_string(state.path().join("discarded.jsonl")).unwrap();
    assert!(record.lines().count() == 1 && record.contains("the card was refused"), "{record}");
    assert_eq!(server.json(&["errors", "list", "billing_error"]), json!([]));
    assert_eq!(of(&server.json(&["errors", "list", "parked"])[0], "id"), SECOND);
}

#[test]
fn a_replay_is_started_followed_and_read() {
    let state = tempfile::tempdir().unwrap();
    let server = Server::start(state.path());
    let files = server.json(&["files", "--all"]);
    assert!(files.as_array().unwrap().iter().any(|file| file["path"] == CAPTURE));
    let started = server.json(&["replays", "start", CAPTURE, "--strategy", "apple,pear", "--wait"]);
    let run = of(&started["result"], "run").to_owned();
    let replay = of(&started, "commandId").to_owned();
    let shown = server.json(&["replays", "show", &replay]);
    assert_eq!((of(&shown, "state"), of(&shown, "run")), ("completed", run.as_str()));
    assert!(server.text(&["replays", "show", &replay]).contains("Ticks       153,491\n"));
    assert_eq!(server.json(&["replays", "list", "--state", "completed"]).as_array().unwrap().len(), 1);

    let csv = server.text(&["signals", "--run", &run, "--csv"]);
    let rows = csv.lines().count() - 1;
    assert_eq!(rows as u64, shown["outcome"]["signals"].as_u64().unwrap());
    let all = server.json(&["signals", "--run", &run, "--all"]);
    assert_eq!(all.as_array().unwrap().len(), rows);
    // Page by page or at one go: the same.
    let paged = server.json(&["signals", "--run", &run, "--limit", &rows.to_string()]);
    assert!(paged == all);
    let pears = server.json(&["signals", "--run", &run, "--strategy", "pear", "--side", "sell", "--all"]);
    let pears = pears.as_array().unwrap();
    assert!(!pears.is_empty() && pears.iter().all(|one| one["strategy"] == "pear" && one["side"] == "sell"));
    assert_eq!(server.text(&["signals", "--run", &run, "--all"]).lines().count(), rows + 1);

    let positions = server.json(&["positions", "--run", &run]);
    assert_eq!(positions.as_array().unwrap().len(), 2);
    assert_eq!(of(&server.json(&["instruments"])[0], "symbol"), "BTCUSDT");
    assert!(server.refusal(1, &["replays", "cancel", &replay, "--wait"]).contains("failed"));
}

#[test]
fn a_replay_is_forgotten_with_all_that_it_made() {
    let state = tempfile::tempdir().unwrap();
    let server = Server::start(state.path());
    let mut runs = Vec::new();
    for _ in 0..2 {
        let started = server.json(&["replays", "start", CAPTURE, "--strategy", "apple,pear", "--wait"]);
        runs.push((of(&started, "commandId").to_owned(), of(&started["result"], "run").to_owned()));
    }
    let (replay, run) = &runs[0];
    let kept = server.text(&["signals", "--run", &runs[1].1, "--csv"]);
    assert!(kept.lines().count() > 100);
    server.json(&["replays", "forget", replay, "--wait"]);
    assert!(server.refusal(1, &["replays", "show", replay]).contains(replay));
    // The rest follows, each step a command of its own; the signals can be read until the last of them.
    let is_there = |name: &str| {
        let events = server.json(&["events", "--name", name, "--all"]);
        events.as_array().unwrap().iter().any(|event| event["body"]["run"] == run.as_str())
    };
    let is_readable = || server.text(&["signals", "--run", run, "--csv"]).lines().count() > 1;
    assert!((0..1000).any(|_| !is_readable()), "its signals are still there");
    assert!(is_there("RunForgotten") && !is_there("SignalsCommitted") && !is_there("AccountMarked"));
    assert_eq!(server.json(&["positions"]).as_array().unwrap().len(), 2);
    assert_eq!(server.text(&["signals", "--run", &runs[1].1, "--csv"]), kept);
    assert!(server.refusal(1, &["replays", "forget", replay, "--wait"]).contains("failed"));
}

#[test]
fn deployments_are_made_changed_and_stopped() {
    let state = tempfile::tempdir().unwrap();
    let server = Server::start(state.path());
    assert_eq!(server.json(&["strategies"]).as_array().unwrap().len(), 2);
    assert!(server.text(&["strategies", "apple"]).contains("fast=12"));
    server.json(&["deployments", "create", "night", "apple:fast=8,slow=20", "--wait"]);
    server.json(&["deployments", "change", "night", "slow=21", "--wait"]);
    let shown = server.json(&["deployments", "show", "night"]);
    assert_eq!((of(&shown, "lane"), of(&shown["parameters"], "slow")), ("night@2", "21"));
    server.json(&["deployments", "stop", "night", "--wait"]);
    assert_eq!(of(&server.json(&["deployments", "list"])[0], "state"), "stopped");
    let unknown = ["deployments", "create", "plums", "plum", "--wait"];
    assert!(server.refusal(1, &unknown).contains("there are: apple, pear"));
}

#[test]
fn commands_are_listed_requeued_and_seen_with_their_causes() {
    let state = tempfile::tempdir().unwrap();
    let server = Server::start(state.path());
    server.refusal(1, &["replays", "start", CAPTURE, "--strategy", "plum", "--wait"]);
    let failed = server.json(&["commands", "list", "--state", "failed"]);
    let failed = of(&failed[0], "commandId").to_owned();
    assert!(server.text(&["commands", "show", &failed]).contains("Reason    strategy \"plum\""));
    // It fails again, for nothing was repaired, and that is the end that is waited for.
    assert!(server.refusal(1, &["commands", "requeue", &failed, "--wait"]).contains("StartReplay"));
    let tree = server.text(&["commands", "tree", &failed]);
    let lines: Vec<_> = tree.lines().collect();
    assert!(lines[0].starts_with(&failed) && lines[0].ends_with(" *"), "{tree}");
    assert!(lines[1].starts_with("  ") && lines[1].ends_with("RequeueCommand  completed"), "{tree}");
    assert!(server.refusal(1, &["commands", "wait", &failed, "--for", "5s"]).contains("failed: strategy"));
    let unknown = "0197f0aa-0000-7000-8000-000000000001";
    assert!(server.refusal(1, &["commands", "show", unknown]).contains(unknown));

    let events = server.json(&["events", "--command", &failed, "--all"]);
    let names: Vec<_> = events.as_array().unwrap().iter().map(|event| of(event, "name")).collect();
    assert_eq!(names.iter().filter(|name| **name == "CommandFailed").count(), 2, "{names:?}");
    let all = server.json(&["events", "--all"]);
    let latest = server.json(&["events", "--latest", "2"]);
    let (all, latest) = (all.as_array().unwrap(), latest.as_array().unwrap());
    assert_eq!(&all[all.len() - 2..], latest.as_slice());
    assert_eq!(server.json(&["events", "--limit", "1"]).as_array().unwrap().len(), 1);
}

#[test]
fn the_gateway_says_how_it_is() {
    let state = tempfile::tempdir().unwrap();
    let server = Server::start(state.path());
    assert_eq!(of(&server.json(&["health"]), "status"), "ready");
    assert_eq!(of(&server.json(&["openapi"]), "openapi"), "3.1.0");
    let projections = server.json(&["projections", "list"]);
    assert!(projections.as_array().unwrap().iter().any(|one| one["name"] == "users"));
    assert!(server.refusal(1, &["projections", "skip", "users"]).contains("no event to skip"));
    assert!(server.refusal(1, &["projections", "skip", "plums"]).contains("status 404"));
}

#[test]
fn what_is_wrong_is_said_with_its_exit_code() {
    let state = tempfile::tempdir().unwrap();
    let server = Server::start(state.path());
    assert!(server.refusal(2, &["replays", "start", "nothere.zst"]).contains("'nothere.zst'"));
    assert!(server.refusal(2, &["commands", "list", "--state", "sad"]).contains("is none of: accepted"));
    assert!(server.refusal(2, &["users", "show", "5"]).contains("'5' is no id"));
    assert!(server.refusal(2, &["deployments", "show", ".."]).contains("cannot be a name"));
    for key in [None, Some("another-key-than-this-server-has")] {
        let output = ctl(&server.url, key, &["users", "list"]);
        assert_eq!(output.status.code(), Some(1));
        assert!(text(&output.stderr).contains("ORCHARD_KEY"), "{}", text(&output.stderr));
    }
    let nobody = ctl("http://127.0.0.1:1", None, &["users", "list"]);
    assert_eq!(nobody.status.code(), Some(1));
    assert!(text(&nobody.stderr).contains("is `orchard serve` running there?"));
    // Who does not read on is no failure.
    let mut child = Command::new(PROGRAM)
        .args(["ctl", "openapi"])
        .env("ORCHARD_URL", &server.url)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    assert!(child.wait().unwrap().success());
}

/// What bash offers after these words.
fn completed(words: &str) -> String {
    let script = "source <(\"$0\" completions bash); COMP_WORDS=($1); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); \
                  _orchard orchard \"${COMP_WORDS[COMP_CWORD]}\" \"${COMP_WORDS[COMP_CWORD-1]}\"; \
                  echo \"${COMPREPLY[@]}\"";
    let output = Command::new("bash").args(["-c", script, PROGRAM, words]).output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout).trim_end().to_owned()
}

#[test]
fn shells_complete_commands_and_options() {
    assert_eq!(completed("orchard ctl rep"), "replays");
    assert_eq!(completed("orchard ctl replays ca"), "cancel");
    assert!(completed("orchard ctl replays start --str").contains("--strategy"));
    for (shell, part) in [("zsh", "#compdef orchard"), ("fish", "complete -c orchard")] {
        let output = Command::new(PROGRAM).args(["completions", shell]).output().unwrap();
        assert!(output.status.success() && text(&output.stdout).contains(part), "{shell}");
    }
}
