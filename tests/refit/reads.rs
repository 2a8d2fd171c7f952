//! Routes that change nothing, over what a replay made.

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::tz::offset;
use serde_json::{Value, json};

use crate::peer::{Peer, Route};
use crate::{CAPTURE, text};

/// What a replay made.
pub(crate) struct Replay {
    run: String,
    command: String,
}

/// Plays the capture, once a request for it that is wrong is refused by field.
pub(crate) fn replay(peer: &mut Peer) -> Replay {
    let wrong = json!({ "files": ["../Cargo.toml", CAPTURE], "speed": -1, "fill": "best", "strategies": [] });
    let problem = peer.problem(400, "StartReplayOrThrow", json!({ "body": wrong }));
    assert!(text(&problem["errors"]["files[0]"], 0).contains("'..'"), "{problem}");
    assert!(text(&problem["errors"]["speed"], 0).contains("above 0"), "{problem}");
    assert!(problem["errors"]["files[1]"].is_null(), "{problem}");
    assert_eq!(problem["pointers"][0]["pointer"], "/files/0", "{problem}");

    let right = json!({
        "files": [CAPTURE], "symbols": ["BTCUSDT"], "from": "2024-08-08T02:00:00+02:00", "fee": "1.50", "fill": "cross",
        "strategies": [{ "strategy": "apple", "parameters": { "fast": "8" } }, { "name": "second", "strategy": "pear" }],
    });
    let command = peer.accepted("StartReplay", json!({ "body": right, "idempotencyKey": "replay 1" }));
    let view = peer.call("Command", json!({ "commandId": command, "wait": "60s" }));
    assert_eq!(text(&view, "state"), "completed", "{view}");
    let run = text(&view["result"], "run").to_owned();

    let view = peer.call("Replay", json!({ "replayId": command, "after": command }));
    assert_eq!((text(&view, "state"), text(&view, "run")), ("completed", run.as_str()));
    assert_eq!(view["plan"]["fee"], "1.50", "{view}");
    assert_eq!(text(&view["plan"], "from"), "2024-08-08T02:00:00+02:00");
    assert_eq!(view["plan"]["strategies"][0]["parameters"], json!({ "fast": "8" }));
    assert_eq!(peer.items("Replays", json!({ "state": "completed" })), [view]);
    Replay { run, command }
}

/// Signals as pages, as JSON lines and as CSV, and what the account made of them.
pub(crate) fn signals(peer: &mut Peer, Replay { run, command }: &Replay) {
    let all = peer.items("Signals", json!({ "run": run, "limit": 1000, "after": command }));
    assert!(all.len() > 200, "{} signals", all.len());
    assert_eq!(peer.call("ReadAllSignals", json!({ "run": run, "limit": 100 })), json!(all), "page by page");
    assert_eq!(peer.call("ReadSignalStream", json!({ "run": run })), json!(all), "as a stream");
    // Whoever stops reading has what it has read.
    assert_eq!(peer.call("ReadSignalStream", json!({ "run": run, "most": 3 })), json!(all[..3]));
    let csv = peer.call("SignalsCsv", json!({ "run": run }));
    let rows: String = all.iter().map(row).collect();
    let header = "run,strategy,instrument,shard,seq,ts_event,side,price\n";
    assert!(
        csv == format!("{header}{rows}"),
        "{} rows, and {} signals",
        csv.as_str().unwrap().lines().count(),
        all.len()
    );

    // Every filter at once, each of which leaves something out. .NET's times have seven digits of a second.
    let from = all[all.len() / 4]["tsRecv"].as_i64().unwrap() / 100 * 100;
    let to = all[all.len() - 10]["tsRecv"].as_i64().unwrap() / 100 * 100;
    let least = price(&all[all.len() / 2]);
    let is_wanted = |one: &&Value| {
        let at = one["tsRecv"].as_i64().unwrap();
        one["strategy"] == "apple" && one["side"] == "buy" && (from..to).contains(&at) && price(one) >= least
    };
    let expected: Vec<_> = all.iter().filter(is_wanted).cloned().collect();
    assert!(!expected.is_empty());
    let time =
        |ns: i64| Timestamp::from_nanosecond(ns.into()).unwrap().display_with_offset(offset(2)).to_string();
    let filter = json!({
        "run": run, "strategy": ["apple", "none, of these"], "symbol": ["BTCUSDT", "ETH,USDT"], "side": "buy",
        "from": time(from), "to": time(to), "minPrice": least, "limit": 1000,
    });
    assert_eq!(peer.items("Signals", filter), expected);

    let positions = peer.items("Positions", json!({ "run": run }));
    let counted: u64 = positions.iter().map(|one| one["total"]["signals"].as_u64().unwrap()).sum();
    assert_eq!((positions.len(), counted), (2, all.len() as u64));
    let [second] = peer.items("Positions", json!({ "run": run, "strategy": "second" })).try_into().unwrap();
    assert_eq!(second, positions[1]);
    assert_eq!(text(&second["instruments"][0], "symbol"), "BTCUSDT");
    let [instrument] = peer.items("Instruments", json!({})).try_into().unwrap();
    assert_eq!(text(&instrument, "replayId"), command);
    assert!(instrument["lastTrade"].is_string() && instrument["lastAt"].is_string(), "{instrument}");
}

/// A signal as its row of CSV.
fn row(signal: &Value) -> String {
    let texts = ["run", "strategy", "symbol", "shard", "seq", "tsEvent", "side", "price"].map(|member| {
        let value = &signal[member];
        value.as_str().map_or_else(|| value.to_string(), str::to_owned)
    });
    texts.join(",") + "\n"
}

fn price(signal: &Value) -> f64 {
    text(signal, "price").parse().unwrap()
}

/// Round trips and curves of a run, the ticks and candles of its captures, and the page of all of it.
pub(crate) fn results(peer: &mut Peer, Replay { run, command }: &Replay) {
    let positions = peer.items("Positions", json!({ "run": run }));
    let closed: u64 = positions.iter().map(|one| one["total"]["trades"].as_u64().unwrap()).sum();
    let trades = peer.items("Trades", json!({ "run": run, "limit": 1000, "after": command }));
    assert_eq!(trades.len() as u64, closed);
    let csv = peer.call("TradesCsv", json!({ "run": run }));
    assert_eq!(csv.as_str().unwrap().lines().count(), trades.len() + 1);
    let curves = peer.items("Curves", json!({ "run": run }));
    assert_eq!(curves.len(), positions.len());

    let closed_at = trades[0]["closedAtNs"].as_i64().unwrap();
    let around = json!({ "run": run, "symbol": "BTCUSDT", "around": closed_at, "count": 10 });
    let found = peer.call("RunTicks", around);
    let is_it = |tick: &Value| tick["tsRecv"].as_i64() == Some(closed_at);
    assert!(found["ticks"].as_array().unwrap().iter().any(is_it), "{found}");
    let candles = peer.call("RunCandles", json!({ "run": run, "symbol": "BTCUSDT", "interval": 60 }));
    assert!(candles["candles"].as_array().unwrap().len() > 5, "{candles}");
    let page = peer.call("ReplayReport", json!({ "replayId": command }));
    assert!(page.as_str().unwrap().starts_with("<!DOCTYPE html>"), "{page:.100}");
}

/// Lists, by their cursors to the end.
pub(crate) fn lists(peer: &mut Peer) {
    peer.accepted("CreateUser", json!({ "body": { "email": "bob@example.org", "name": "Bob" } }));
    let last = peer.accepted("CreateUser", json!({ "body": { "email": "eve@example.org", "name": "Eve" } }));
    let users = peer.items("Users", json!({ "after": last }));
    assert_eq!(users.len(), 3);
    assert_eq!(peer.call("ReadAllUsers", json!({ "limit": 1 })), json!(users));
    let files = peer.items("Files", json!({ "limit": 1000 }));
    assert!(files.iter().any(|file| file["path"] == CAPTURE && file["bytes"].as_u64() > Some(0)));
    assert_eq!(peer.call("ReadAllFiles", json!({ "limit": 7 })), json!(files));
    let events = peer.items("Events", json!({ "context": "accounts", "limit": 1000 }));
    let named = events.iter().filter(|event| event["name"] == "UserCreated");
    assert_eq!(named.count(), 3);
    assert_eq!(peer.call("ReadAllEvents", json!({ "context": "accounts", "limit": 3 })), json!(events));
    let done = peer.items("Commands", json!({ "state": "completed", "limit": 1000 }));
    assert!(done.len() > 3, "{done:?}");
    assert_eq!(peer.call("ReadAllCommands", json!({ "state": "completed", "limit": 2 })), json!(done));

    let strategies = peer.items("Strategies", json!({}));
    assert_eq!(strategies.iter().map(|one| text(one, "name")).collect::<Vec<_>>(), ["apple", "pear"]);
    assert_eq!(peer.call("Strategy", json!({ "name": "apple" })), strategies[0]);
    let problem = peer.problem(404, "Strategy", json!({ "name": "a/b ü%" }));
    assert!(text(&problem, "detail").contains("'a/b ü%'"), "{problem}");
    let projections = peer.items("Projections", json!({}));
    assert!(projections.iter().all(|one| one["state"] == "running" && one["stopped"].is_null()));
    let problem = peer.problem(409, "SkipEvent", json!({ "name": projections[0]["name"] }));
    assert!(text(&problem, "detail").contains("has not stopped"), "{problem}");
}

/// Messages that failed: this server has no broker where they could lie, and says so. With one they are tested where the
/// routes are.
pub(crate) fn errors(peer: &mut Peer) {
    let queue = "create-user_error";
    let all = json!({ "all": true, "to": "parked" });
    let discarded = json!({ "ids": ["a", "b"], "dryRun": true, "limit": 5 });
    for (member, arguments) in [
        ("ErrorQueues", json!({ "scan": 10 })),
        ("Errors", json!({ "queue": queue, "type": "CreateUser", "reason": "e-mail", "olderThan": "1h" })),
        ("Error", json!({ "queue": queue, "message": "a/b ü" })),
        ("RequeueErrors", json!({ "queue": queue, "body": all })),
        ("MoveErrors", json!({ "queue": queue, "body": all })),
        ("DiscardErrors", json!({ "queue": queue, "body": discarded })),
    ] {
        let problem = peer.problem(409, member, arguments);
        assert!(text(&problem, "detail").contains("without a broker"), "{problem}");
    }
}

/// What the server says of itself; the routes that its document describes.
pub(crate) fn server(peer: &mut Peer) -> BTreeSet<Route> {
    assert_eq!(text(&peer.call("Live", json!({})), "status"), "live");
    assert_eq!(text(&peer.call("Ready", json!({})), "status"), "ready");
    let page = peer.call("Docs", json!({}));
    assert!(page.as_str().unwrap().starts_with("<!doctype html>"), "{page}");
    let document = peer.call("OpenApi", json!({}));
    let paths = document["paths"].as_object().unwrap();
    let routes = paths.iter().flat_map(|(path, methods)| {
        methods.as_object().unwrap().keys().map(move |method| format!("{method} {path}"))
    });
    routes.collect()
}
