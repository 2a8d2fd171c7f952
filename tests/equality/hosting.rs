//! Hosts of what is deployed and of replays, as processes that tests start and kill: this test's own program again,
//! with the role alone.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use bus::{EventSource, Logs};
use orchard::serve::{self, FeedReplays, HostsRole, HostsRolePlan, Play, ServePlan};
use serde_json::{Value, json};
use strategy_host::hosts::HostsPlan;
use tick_sdk::contracts::strategies::STRATEGIES;
use tick_sdk::contracts::ticks::TICKS;

use crate::program::Program;
use crate::servers::Servers;
use crate::waiting::pause;

/// What such a process is to be; a run of the tests without it does nothing here.
const ROLE: &str = "ORCHARD_TEST_ROLE";

/// Starts a process of hosts: what is deployed to these feeds, and replays. It reads the logs in a folder of state
/// that another process serves.
pub(crate) fn start_hosts(
    name: &str,
    state: &Path,
    servers: &Servers,
    ledger: &str,
    feeds: &[&str],
) -> Program {
    let role = json!({
        "role": "hosts", "state": state, "broker": servers.url("AMQP"), "ledger": ledger, "feeds": feeds,
    });
    start(name, state, &role)
}

/// Starts a server that plays replays through feeds of four shards.
pub(crate) fn start_server(
    name: &str,
    state: &Path,
    captures: &Path,
    servers: &Servers,
    ledger: &str,
) -> Program {
    let role = json!({
        "role": "serve", "state": state, "broker": servers.url("AMQP"), "ledger": ledger, "captures": captures,
    });
    start(name, state, &role)
}

fn start(name: &str, folder: &Path, role: &Value) -> Program {
    let own = std::env::current_exe().expect("its own program");
    let args = [
        &format!("{ROLE}={role}"),
        own.to_str().expect("UTF-8"),
        "--exact",
        "hosting::a_process_of_another_test",
        "--ignored",
        "--nocapture",
    ];
    let mut program = Program::start_of(Path::new("/usr/bin/env"), name, folder, &args);
    program.wait_for_line("ready", crate::case::STARTS);
    program
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn a_process_of_another_test() {
    let Ok(role) = std::env::var(ROLE) else { return };
    let role: Value = serde_json::from_str(&role).expect("JSON");
    let text = |field: &str| role[field].as_str().expect("text").to_owned();
    let brokers = vec![text("broker").parse().expect("a URL")];
    if role["role"] == "serve" {
        let feeds = FeedReplays::new(brokers, text("ledger"));
        let plan = ServePlan {
            listen: vec!["127.0.0.1:0".parse().expect("an address")],
            play: Play::Feed(feeds),
            ..ServePlan::new(text("state"), text("captures"))
        };
        let serving = serve::start(plan).expect("it serves");
        say(&format!("ready {}", serving.address().expect("it has a gateway")));
        wait_for_ever();
    }
    let feeds = role["feeds"].as_array().expect("a list").iter();
    let feeds = feeds.map(|feed| feed.as_str().expect("text").parse().expect("a name")).collect();
    let state = Path::new(&text("state")).to_owned();
    let strategies = strategy_host::deployments::open(&state.join("strategies.sqlite")).expect("a store");
    let ticks = tick_ingest::replays::open(&state.join("ticks.sqlite")).expect("a store");
    let logs = Logs::default().with(STRATEGIES, Arc::new(strategies)).with(TICKS, Arc::new(ticks));
    let events: Arc<dyn EventSource> = Arc::new(logs);
    let plan = HostsRolePlan::new(HostsPlan::new(brokers, text("ledger")), feeds);
    let role = HostsRole::start(&plan, &events, None, |event| say(&format!("{event:?}")));
    let _role = role.expect("it starts");
    say("ready");
    wait_for_ever();
}

/// On standard error, which nobody holds back.
fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

fn wait_for_ever() -> ! {
    loop {
        pause(std::time::Duration::from_secs(60));
    }
}
