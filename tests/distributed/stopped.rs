//! Those who carry commands out are away: what is sent meanwhile is accepted, and completed once they are there.

use std::collections::BTreeMap;

use crate::count::{check_commands, check_documents, check_published, known, wait_quiet};
use crate::load::create;
use crate::place::{Place, check_rebuilt, stop};
use crate::server::Server;
use crate::servers::Turn;

/// So many commands are sent each time while nobody is there.
const SENT: u64 = 60;

/// Sends commands by turns; each can be read as accepted at every gateway, where it is none of those that nobody
/// knows.
fn send_while_away(gateways: &[Server], numbers: std::ops::Range<u64>) -> BTreeMap<String, u64> {
    let mut accepted = BTreeMap::new();
    for number in numbers {
        let taker = number as usize % gateways.len();
        let id = create(gateways[taker].host(), number);
        for place in taker..taker + gateways.len() {
            let shown = known(&gateways[place % gateways.len()], &format!("/api/commands/{id}"));
            assert_eq!(shown.json()["state"], "accepted", "command {number}: {}", shown.text());
        }
        accepted.insert(id, number);
    }
    accepted
}

/// What a command has made can be read where its id is named, at a gateway that did not take it.
fn check_read_after(gateways: &[Server], number: u64) -> String {
    let id = create(gateways[0].host(), number);
    known(&gateways[1], &format!("/api/users/{id}?after={id}"));
    let command = known(&gateways[0], &format!("/api/commands/{id}?wait=30s")).json();
    assert_eq!(command["state"], "completed", "{command}");
    id
}

fn commands_wait(name: &str, broker: &str) {
    let turn = Turn::wait();
    let place = Place::new(turn.servers(), name, broker);
    place.listen();
    // Nobody who could carry them out was ever there.
    let mut gateways = vec![place.start("gateway", 0), place.start("gateway", 1)];
    place.say("gateways are there");
    let mut accepted = send_while_away(&gateways, 0..SENT);
    place.say("commands are accepted");
    let services = [place.start("services", 0), place.start("services", 1)];
    check_commands(&place, &accepted);
    place.say("they are completed");
    // They are stopped, one in good order and one not.
    let [first, second] = services;
    stop(first);
    second.kill();
    place.say("services are stopped");
    accepted.extend(send_while_away(&gateways, SENT..2 * SENT));
    // The gateway that has listened so far is killed: the other one goes on with it.
    gateways.remove(0).kill();
    accepted.extend(send_while_away(&gateways, 2 * SENT..3 * SENT));
    gateways.insert(0, place.start("gateway", 0));
    accepted.extend(send_while_away(&gateways, 3 * SENT..4 * SENT));
    place.say("more commands are accepted");
    let services = [place.start("services", 0), place.start("services", 1)];
    accepted.insert(check_read_after(&gateways, 4 * SENT), 4 * SENT);
    check_commands(&place, &accepted);
    place.say("they are completed");
    check_published(&place, &accepted);
    wait_quiet(&place, &accepted);
    for gateway in &gateways {
        check_documents(gateway, &accepted);
    }
    services.into_iter().for_each(stop);
    for (number, gateway) in gateways.into_iter().enumerate() {
        stop(gateway);
        check_rebuilt(&place, number);
    }
    place.say("everything is counted");
    drop(turn);
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn commands_wait_for_services_that_are_away() {
    commands_wait("away", "");
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn commands_wait_in_quorum_queues_for_services_that_are_away() {
    commands_wait("quorum", "queues = \"quorum\"\n");
}
