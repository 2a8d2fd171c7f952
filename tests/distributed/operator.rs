//! An operator has the dashboard open in Chromium: a host is killed, and a message lies in a queue of the broker.
//!
//! Where Node.js or Chromium is missing the tests are skipped, which is said.

use serde_json::json;

use crate::browser::Browser;
use crate::count::wait_until;
use crate::load::command_id;
use crate::place::{Place, stop};
use crate::servers::Turn;

#[test]
#[ignore = "needs servers: run scripts/test"]
fn the_take_over_of_a_killed_host_is_seen() {
    let Some(browser) = Browser::find() else { return };
    let turn = Turn::wait();
    let place = Place::new(turn.servers(), "seen", "\n[ingester]\nfeed_shards = 2\n");
    let [gateway, services, ingester] = ["gateway", "services", "ingester"].map(|role| place.start(role, 0));
    let mut hosts = [0, 1].map(|number| Some(place.start("hosts", number)));
    let strategies = json!([{ "strategy": "apple" }, { "strategy": "pear" }]);
    // It is played for longer than the test takes.
    let wish = json!({ "files": ["usdm_btcusdt_20240808.zst"], "strategies": strategies, "speed": 2 });
    let replay = command_id(&gateway.post("/api/replays", &wish));
    let mut script = browser.start("takeover.mjs", gateway.host(), &json!({ "replay": replay }));
    let owner = script.wait_said("owner ");
    place.say("the page shows who has the shard");
    let killed = hosts
        .iter_mut()
        .find(|host| host.as_ref().is_some_and(|host| owner.contains(&format!("-{}-", host.pid()))));
    killed.and_then(Option::take).unwrap_or_else(|| panic!("{owner} is no host")).kill();
    script.finish();
    place.say("the page shows who has taken it over");
    drop((hosts, ingester, services, gateway, turn));
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn a_message_that_failed_is_requeued_once_what_it_wants_is_there() {
    let Some(browser) = Browser::find() else { return };
    let turn = Turn::wait();
    let management = turn.servers().url("MANAGEMENT").replace("http://", "http://guest:guest@");
    let place = Place::new(turn.servers(), "requeued", &format!("management = \"{management}\"\n"));
    let [gateway, services] = ["gateway", "services"].map(|role| place.start(role, 0));
    let change = gateway.patch("/api/deployments/trend", &json!({ "parameters": { "fast": "9" } }));
    let change = command_id(&change);
    wait_until("there is nothing to change", || {
        let command = gateway.get(&format!("/api/commands/{change}?wait=10s")).json();
        command["state"] == "failed"
    });
    browser.run("requeue.mjs", gateway.host(), &json!({ "command": change }));
    let trend = gateway.get("/api/deployments/trend").json();
    assert_eq!((&trend["revision"], &trend["parameters"]["fast"]), (&json!(2), &json!("9")), "{trend}");
    assert_eq!(gateway.get(&format!("/api/commands/{change}")).json()["state"], "completed");
    stop(gateway);
    stop(services);
}
