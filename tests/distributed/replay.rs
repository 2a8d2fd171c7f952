//! A replay is asked for at one process, accepted by another, played by a third, and read at a fourth.

use serde_json::{Value, json};

use crate::count::wait_until;
use crate::documents::wait_at_head;
use crate::load::command_id;
use crate::place::Place;
use crate::server::Server;
use crate::servers::Turn;

/// So many times as fast as it was received, it is played for some seconds.
const SPEED: f64 = 20.0;

#[test]
#[ignore = "needs servers: run scripts/test"]
fn a_replay_is_played_by_an_ingester_and_read_at_every_gateway() {
    let turn = Turn::wait();
    let place = Place::new(turn.servers(), "replay", "");
    let gateways = [place.start("gateway", 0), place.start("gateway", 1)];
    let others = [place.start("services", 0), place.start("ingester", 0)];
    let wish = json!({
        "files": ["usdm_btcusdt_20240808.zst"],
        "strategies": [{ "strategy": "apple" }, { "strategy": "pear" }],
    });
    let id = command_id(&gateways[0].post("/api/replays", &wish));
    let mut run = String::new();
    wait_until("the replay has ended", || {
        let command = gateways[1].get(&format!("/api/commands/{id}?wait=10s")).json();
        assert_ne!(command["state"], "failed", "{command}");
        run = command["result"]["run"].as_str().unwrap_or_default().to_owned();
        command["state"] == "completed"
    });
    let read = |gateway: &Server| {
        wait_at_head(gateway);
        let positions = gateway.get(&format!("/api/positions?run={run}")).text();
        let report = gateway.get(&format!("/api/replays/{id}/report"));
        assert_eq!(report.status, 200, "{}", report.text());
        (gateway.get_csv(&format!("/api/signals?run={run}")), positions, report.text())
    };
    let [one, other] = [read(&gateways[0]), read(&gateways[1])];
    assert!(one.0.lines().count() > 10, "{}", one.0);
    assert_eq!(one, other);
    assert!(one.2.contains(&run), "{}", one.2);
    drop((others, gateways, turn));
}

/// Plays it to its end; its run, and its signals without the column that names it.
fn played(gateway: &Server, wish: &Value, meanwhile: impl FnOnce(&str)) -> (String, Vec<String>) {
    let id = command_id(&gateway.post("/api/replays", wish));
    meanwhile(&id);
    let mut run = String::new();
    wait_until("the replay has ended", || {
        let command = gateway.get(&format!("/api/commands/{id}?wait=10s")).json();
        assert_ne!(command["state"], "failed", "{command}");
        run = command["result"]["run"].as_str().unwrap_or_default().to_owned();
        command["state"] == "completed"
    });
    let signals = gateway.get_csv(&format!("/api/signals?run={run}"));
    (run.clone(), signals.lines().map(|line| line.replace(&run, "")).collect())
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn a_replay_whose_ingester_is_killed_is_taken_over_when_its_lease_is_over() {
    let turn = Turn::wait();
    let place = Place::new(turn.servers(), "lease", "\n[ingester]\nlease_s = 3\n");
    let [gateway, services] = ["gateway", "services"].map(|role| place.start(role, 0));
    let mut ingester = Some(place.start("ingester", 0));
    let wish = json!({
        "files": ["usdm_btcusdt_20240808.zst"],
        "strategies": [{ "strategy": "apple" }, { "strategy": "pear" }],
    });
    let (_, expected) = played(&gateway, &wish, |_| ());
    assert!(expected.len() > 10, "{expected:?}");
    let mut paced = wish.clone();
    paced["speed"] = json!(SPEED);
    let mut replay = Value::Null;
    let (run, signals) = played(&gateway, &paced, |id| {
        let begun = gateway.wait_running(id)["run"].as_str().unwrap().to_owned();
        gateway.wait_signals(&begun);
        ingester.take().unwrap().kill();
        place.say("its ingester is killed");
        // It takes it over, as any other would, when the lease of the one before is over.
        ingester = Some(place.start("ingester", 0));
        replay = gateway.until(|| {
            let replay = gateway.get(&format!("/api/replays/{id}")).json();
            (replay["resumed"] == 1).then_some(replay)
        });
        place.say("it is taken over");
        assert_eq!(replay["run"], *begun, "it goes on with the run that it began with");
    });
    assert_eq!(replay["run"], *run);
    assert_eq!(signals, expected);
    drop((ingester, services, gateway, turn));
}
