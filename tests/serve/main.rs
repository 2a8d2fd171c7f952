//! `orchard serve` as its users run it: the program, a folder of state, and HTTP.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

#[path = "../shared/documents.rs"]
mod documents;
#[path = "../shared/http.rs"]
mod http;
mod kills;
#[path = "../shared/server.rs"]
mod server;

use http::Answer;
use server::Server;

const PROGRAM: &str = env!("CARGO_BIN_EXE_orchard");
/// The capture that is in the repository.
const CAPTURE: &str = "usdm_btcusdt_20240808.zst";

/// The speed of a capture in the middle of which a server ends: its 345 s take eight seconds.
const PACED: f64 = 45.0;

/// Where [`replayed`] leaves its page, in the folder that it was given.
const REPORT: &str = "report.html";

/// What `orchard replay` says of the capture: its summary, and its signals as CSV.
fn replayed(folder: &Path) -> (Value, String) {
    replayed_file(folder, &format!("tests/data/{CAPTURE}"))
}

/// The same of another file.
fn replayed_file(folder: &Path, file: &str) -> (Value, String) {
    let signals = folder.join("signals.csv");
    let output = Command::new(PROGRAM)
        .args(["replay", "--json", "--quiet", "--signals", signals.to_str().unwrap()])
        .args(["--report", folder.join(REPORT).to_str().unwrap()])
        .arg(file)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let summary = serde_json::from_slice(&output.stdout).unwrap();
    (summary, std::fs::read_to_string(signals).unwrap())
}

/// The same rows but the column run, which is the first.
fn assert_same_signals(csv: &str, expected: &str, run: &str) {
    let header = expected.lines().next().unwrap();
    let rest = |row: &str| row.split_once(',').map(|(_, rest)| rest.to_owned());
    assert_eq!(csv.lines().next(), Some(header));
    assert!(csv.lines().skip(1).all(|row| row.starts_with(&format!("{run},"))), "of another run");
    assert!(csv.ends_with('\n') && csv.lines().count() > 10, "{} lines", csv.lines().count());
    let [found, expected] = [csv, expected].map(|text| text.lines().skip(1).map(rest).collect::<Vec<_>>());
    assert!(found == expected, "{} rows, and {} were expected", found.len(), expected.len());
}

fn wish() -> Value {
    json!({ "files": [CAPTURE], "strategies": [{ "strategy": "apple" }, { "strategy": "pear" }] })
}

fn accepted(answer: &Answer) -> (String, String) {
    assert_eq!(answer.status, 202, "{}", answer.text());
    let body = answer.json();
    let path = body["status"].as_str().unwrap().to_owned();
    assert_eq!(answer.header("location"), Some(path.as_str()));
    (body["commandId"].as_str().unwrap().to_owned(), path)
}

/// Asks until the command is in one of these states.
fn wait_for(server: &Server, path: &str, states: &[&str]) -> Value {
    let until = Instant::now() + Duration::from_secs(120);
    loop {
        let command = server.get(&format!("{path}?wait=5s")).json();
        if states.contains(&command["state"].as_str().unwrap()) {
            return command;
        }
        assert!(Instant::now() < until, "{command}");
    }
}

/// The figures of the report, and what the gateway calls them.
const FIGURES: [(&str, &str); 10] = [
    ("signals", "signals"),
    ("trades", "trades"),
    ("wins", "wins"),
    ("hit_rate", "hitRate"),
    ("realised", "realised"),
    ("open", "open"),
    ("fees", "fees"),
    ("equity", "equity"),
    ("max_drawdown", "maxDrawdown"),
    ("exposure", "exposure"),
];

/// Ratios are read and written on their way: the last of their digits may be another.
fn is_same(found: &Value, expected: &Value) -> bool {
    match (found.as_f64(), expected.as_f64()) {
        (Some(found), Some(expected)) => (found - expected).abs() <= 1e-14 * expected.abs(),
        _ => found == expected,
    }
}

/// A name of the gateway as `orchard replay --json` has it.
fn snake_case(name: &str) -> String {
    name.chars().fold(String::new(), |name, letter| match letter {
        'A'..='Z' => name + "_" + &letter.to_lowercase().to_string(),
        _ => name + &letter.to_string(),
    })
}

/// Positions are the report's, figure for figure: each strategy's total, and its instruments in their order.
fn assert_same_account(server: &Server, run: &str, summary: &Value) {
    let positions = server.get(&format!("/api/positions?run={run}")).json();
    let found = positions["items"].as_array().unwrap();
    let expected = summary["strategies"].as_array().unwrap();
    assert_eq!((found.len(), expected.len()), (2, 2), "{positions}");
    for (found, expected) in found.iter().zip(expected) {
        assert_eq!(found["strategy"], expected["strategy"]);
        let instruments = |account: &Value| account["instruments"].as_array().unwrap().clone();
        let (ours, theirs) = (instruments(found), instruments(expected));
        assert_eq!((ours.len(), theirs.len()), (1, 1));
        assert_eq!(ours[0]["symbol"], theirs[0]["instrument"]);
        for (theirs, expected) in [(&found["total"], expected), (&ours[0], &theirs[0])] {
            for (name, ours) in FIGURES {
                assert!(!expected[name].is_null());
                assert_eq!(theirs[ours], expected[name], "{name} of {}", found["strategy"]);
            }
            let all = theirs.as_object().unwrap().iter();
            let figures: Vec<_> =
                all.filter(|(name, _)| !["symbol", "position"].contains(&name.as_str())).collect();
            assert!(figures.len() > 30, "{theirs}");
            for (name, value) in figures {
                assert!(
                    is_same(value, &expected[snake_case(name)]),
                    "{name} of {}: {value}",
                    found["strategy"]
                );
            }
        }
    }
}

/// What a page shows first, and its data but for the run's id and how long ticks took.
fn shown(page: &str) -> (String, Value) {
    let part = |begin: &str, end: &str| {
        let (_, rest) = page.split_once(begin).unwrap_or_else(|| panic!("{begin} is not in {page}"));
        rest.split_once(end).unwrap().0.to_owned()
    };
    let data = part(r#"<script type="application/json" id="data">"#, "</script>");
    let mut data: Value = serde_json::from_str(&data).unwrap();
    data["run"].take();
    data["latency"].take();
    (part(r#"<section class="cards""#, "</section>"), data)
}

/// The report is that of `orchard replay --report`, and does not say where the server has its files.
fn assert_same_report(server: &Server, replay: &str, run: &str, folder: &Path) {
    let report = server.get(&format!("/api/replays/{replay}/report"));
    assert_eq!(report.status, 200, "{}", report.text());
    assert_eq!(report.header("content-type"), Some("text/html; charset=utf-8"));
    let page = report.text();
    let expected = std::fs::read_to_string(folder.join(REPORT)).unwrap();
    let ((cards, data), (expected_cards, expected_data)) = (shown(&page), shown(&expected));
    assert!(cards.contains("Net profit") && cards.contains("apple"), "{cards}");
    assert_eq!(cards, expected_cards);
    assert!(data == expected_data, "the data of the pages differ");
    let captures = Path::new("tests/data").canonicalize().unwrap();
    assert!(page.contains(run) && page.contains(CAPTURE), "{cards}");
    assert!(!page.contains(captures.to_str().unwrap()), "{page}");
}

#[test]
fn a_replay_over_http_gives_the_signals_and_the_account_of_orchard_replay() {
    let folder = tempfile::tempdir().unwrap();
    let (summary, expected) = replayed(folder.path());
    let server = Server::start(&folder.path().join("state"), &[]);
    let (id, path) = accepted(&server.post("/api/replays", &wish()));
    assert_eq!(path, format!("/api/commands/{id}"));

    let command = server.get(&format!("/api/commands/{id}?wait=30s")).json();
    assert_eq!(command["state"], "completed", "{command}");
    let run = command["result"]["run"].as_str().unwrap().to_owned();
    let csv = server.get_csv(&format!("/api/signals?run={run}"));
    assert_same_signals(&csv, &expected, &run);
    assert_same_account(&server, &run, &summary);
    let replay = server.get(&format!("/api/replays/{id}")).json();
    for (theirs, ours) in
        [("ticks", "ticks"), ("first_ts_recv", "firstTsRecv"), ("last_ts_recv", "lastTsRecv")]
    {
        assert_eq!(replay["outcome"][ours], summary[theirs], "{replay}");
    }
    assert_same_report(&server, &id, &run, folder.path());
    let stopped = server.stop();
    assert!(stopped.contains("Stopped after"), "{stopped}");
}

#[test]
fn a_replay_is_cancelled_long_before_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&folder.path().join("state"), &[]);
    let mut slow = wish();
    // To its end it would take hours: of what is waited for, nothing comes but by the cancel.
    slow["speed"] = json!(0.01);
    let (id, path) = accepted(&server.post("/api/replays", &slow));
    server.wait_running(&id);
    let report = format!("/api/replays/{id}/report");
    assert_eq!(server.get(&report).status, 409);
    let (_, cancel) = accepted(&server.post(&format!("/api/replays/{id}/cancel"), &Value::Null));
    assert_eq!(wait_for(&server, &cancel, &["completed", "failed"])["state"], "completed");
    let command = wait_for(&server, &path, &["cancelled", "completed", "failed"]);
    assert_eq!(command["state"], "cancelled");
    assert_eq!(server.get(&format!("/api/replays/{id}")).json()["state"], "cancelled");
    let page = server.get(&report);
    assert!(page.status == 200 && page.text().contains("(cancelled)</title>"), "{}", page.text());
}

#[test]
fn a_server_that_is_killed_goes_on_with_its_replay_and_gives_the_same_signals() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let (summary, expected) = replayed(folder.path());
    let server = Server::start(&state, &[]);
    let mut paced = wish();
    paced["speed"] = json!(PACED);
    let (id, path) = accepted(&server.post("/api/replays", &paced));
    let first = server.wait_running(&id);
    server.wait_signals(first["run"].as_str().unwrap());
    server.kill();

    let server = Server::start(&state, &[]);
    let command = wait_for(&server, &path, &["completed", "failed", "cancelled"]);
    assert_eq!(command["state"], "completed", "{command}");
    assert_eq!(command["result"]["run"], first["run"]);
    assert_eq!(server.get(&format!("/api/replays/{id}")).json()["resumed"], 1);
    let run = first["run"].as_str().unwrap();
    assert_same_signals(&server.get_csv(&format!("/api/signals?run={run}")), &expected, run);
    assert_same_account(&server, run, &summary);
    // Its documents made anew are the same, also where those of before cannot be read.
    drop(server);
    let documents = rusqlite::Connection::open(state.join("read.sqlite")).unwrap();
    documents.pragma_update(None, "user_version", 9999).unwrap();
    drop(documents);
    let server = Server::start(&state, &["--rebuild"]);
    server.wait_said("Rebuilt");
    assert_same_signals(&server.get_csv(&format!("/api/signals?run={run}")), &expected, run);
    assert_same_account(&server, run, &summary);
}

#[test]
fn the_key_is_shown_once_and_needed_where_it_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let server = Server::start(&state, &["--key-required"]);
    let key = server.wait_said("ork_");
    let key = key.split_whitespace().find(|word| word.starts_with("ork_")).unwrap().to_owned();
    assert_eq!(server.get("/api/replays").status, 401);
    assert_eq!(server.get_with("/api/replays", &[("x-api-key", &key)]).status, 200);
    let said = server.stop();
    assert!(!said.contains("at the next start"), "{said}");

    let server = Server::start(&state, &["--key-required"]);
    assert_eq!(server.get_with("/api/replays", &[("x-api-key", &key)]).status, 200);
    assert_eq!(server.get_with("/api/replays", &[("x-api-key", "ork_other")]).status, 401);
    let said = server.stop();
    assert!(!said.contains("ork_"), "{said}");
}

#[test]
fn two_servers_do_not_share_a_state_and_captures_are_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let server = Server::start(&state, &[]);
    let run = |captures: &str, state: &Path| {
        let mut command = Command::new(PROGRAM);
        command.args(["serve", "--listen", "127.0.0.1:0", "--captures", captures, "--state"]).arg(state);
        let output = command.output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, said) = run("tests/data", &state);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains(&format!("process {}", server.pid())), "{said}");
    let (code, said) = run("tests/data/none", &folder.path().join("other"));
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("--captures: the folder of captures tests/data/none"), "{said}");
}

#[test]
fn what_cannot_be_replayed_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&folder.path().join("state"), &[]);
    // What the gateway sees by itself is refused at once, the rest by the command's status.
    let refused = server.post("/api/replays", &json!({ "files": ["../Cargo.toml"] }));
    assert_eq!(refused.status, 400, "{}", refused.text());
    assert!(refused.text().contains("'..'"), "{}", refused.text());
    for (wish, reason) in [
        (json!({ "files": [CAPTURE] }), "deploy one first"),
        (json!({ "files": [CAPTURE], "strategies": [{ "strategy": "plum" }] }), "there are: apple, pear"),
        (
            json!({ "files": [CAPTURE], "strategies": [{ "strategy": "apple" }], "fill": "best" }),
            "signal or cross",
        ),
        (
            json!({ "files": [CAPTURE], "strategies": [{ "strategy": "apple" }], "symbols": ["X"] }),
            "no tick of",
        ),
    ] {
        let answer = server.post("/api/replays", &wish);
        if answer.status == 400 {
            assert!(answer.text().contains(reason), "{}", answer.text());
            continue;
        }
        let (_, path) = accepted(&answer);
        let command = wait_for(&server, &path, &["failed", "completed"]);
        assert_eq!(command["state"], "failed", "{command}");
        assert!(command["reason"].as_str().unwrap().contains(reason), "{command}");
    }
}

#[test]
fn ctrl_c_ends_requests_that_wait_and_gives_replays_to_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let server = Server::start(&state, &[]);
    let mut paced = wish();
    paced["speed"] = json!(PACED);
    let (id, path) = accepted(&server.post("/api/replays", &paced));
    server.wait_running(&id);
    let waiting = server.waiting(&format!("{path}?wait=60s"));
    let said = server.stop();
    assert!(said.contains("1 replay goes on at the next start"), "{said}");
    waiting.join().unwrap();
    let server = Server::start(&state, &[]);
    assert_eq!(wait_for(&server, &path, &["completed", "failed", "cancelled"])["state"], "completed");
}

#[test]
fn replays_that_name_no_strategies_have_what_is_deployed() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&folder.path().join("state"), &[]);
    let deployment = json!({ "name": "trend", "strategy": "apple", "parameters": { "fast": "8" } });
    let completed = |answer| {
        let (_, path) = accepted(&answer);
        let command = wait_for(&server, &path, &["completed", "failed"]);
        assert_eq!(command["state"], "completed", "{command}");
    };
    // Commands of two kinds overtake each other: the change is sent when the deployment is there.
    completed(server.post("/api/deployments", &deployment));
    completed(server.patch("/api/deployments/trend", &json!({ "parameters": { "slow": "20" } })));
    let (id, path) = accepted(&server.post("/api/replays", &json!({ "files": [CAPTURE] })));
    let command = wait_for(&server, &path, &["completed", "failed"]);
    assert_eq!(command["state"], "completed", "{command}");
    let replay = server.get(&format!("/api/replays/{id}")).json();
    let strategy = &replay["plan"]["strategies"][0];
    assert_eq!(strategy["name"], "trend@2", "{replay}");
    assert_eq!(strategy["parameters"], json!({ "fast": "8", "slow": "20" }));
    let csv = server.get_csv(&format!("/api/signals?run={}", command["result"]["run"].as_str().unwrap()));
    assert!(csv.lines().nth(1).unwrap().contains(",trend@2,"), "{csv}");
}
