//! A replay is asked for at one process, accepted by another, played by a third, and read at a fourth.

use serde_json::json;

use crate::count::wait_until;
use crate::documents::wait_at_head;
use crate::load::command_id;
use crate::place::Place;
use crate::servers::Turn;

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
    let read = |gateway: &crate::server::Server| {
        wait_at_head(gateway);
        let positions = gateway.get(&format!("/api/positions?run={run}")).text();
        (gateway.get_csv(&format!("/api/signals?run={run}")), positions)
    };
    let [one, other] = [read(&gateways[0]), read(&gateways[1])];
    assert!(one.0.lines().count() > 10, "{}", one.0);
    assert_eq!(one, other);
    drop((others, gateways, turn));
}
