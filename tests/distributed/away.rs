//! The database is away, then the broker.

use crate::count::{check_commands, check_documents, check_published, wait_health, wait_until};
use crate::is_long;
use crate::load::Load;
use crate::place::Place;
use crate::servers::Turn;

/// So many commands are accepted between one disturbance and the next.
const BETWEEN: usize = 40;

#[test]
#[ignore = "needs servers: run scripts/test"]
fn servers_that_are_killed_and_started_again_cost_time_only() {
    if !is_long() {
        println!("skipped: servers are killed under commands with ORCHARD_TEST_LONG=1");
        return;
    }
    let turn = Turn::wait();
    let place = Place::new(turn.servers(), "servers", "");
    place.listen();
    let services = [place.start("services", 0), place.start("services", 1)];
    let gateways = [place.start("gateway", 0), place.start("gateway", 1)];
    let load = Load::new(gateways.len(), 50);
    for (number, gateway) in gateways.iter().enumerate() {
        load.moved(number, gateway.host());
    }
    let clients = load.start(4);
    let accepted = || load.accepted.lock().unwrap().len();
    let go_on = || {
        let least = accepted() + BETWEEN;
        wait_until("commands are accepted", || accepted() >= least);
    };
    go_on();
    place.servers.act("kill", &["postgres"]);
    place.say("the database is killed");
    // The broker has what is accepted meanwhile.
    go_on();
    wait_health(&gateways[0], |status, parts| {
        let reason = parts["store"]["reason"].as_str();
        status == 200
            && parts["status"] == "degraded"
            && reason.is_some_and(|reason| reason.contains("log of"))
    });
    place.servers.act("up", &["postgres"]);
    place.say("it is there again");
    go_on();
    place.servers.act("kill", &["1"]);
    place.say("the broker is killed");
    place.servers.act("up", &["1"]);
    place.say("it is there again");
    go_on();
    clients.stop();
    let accepted = std::mem::take(&mut *load.accepted.lock().unwrap());
    check_commands(&place, &accepted);
    check_published(&place, &accepted);
    for gateway in &gateways {
        check_documents(gateway, &accepted);
    }
    place.say(&format!("{} commands are counted", accepted.len()));
    drop((services, gateways, turn));
}
