//! Quorum queues on three nodes, of which one at a time is lost or cut off, with processes that use each of them, and
//! go on by another when theirs is lost.

use crate::count::{check_commands, check_documents, check_published, wait_until};
use crate::is_long;
use crate::load::{Load, create};
use crate::place::Place;
use crate::servers::{Servers, Turn};

/// So many commands are accepted between one disturbance and the next.
const BETWEEN: usize = 200;

#[test]
#[ignore = "needs servers: run scripts/test"]
fn a_cluster_that_loses_a_node_loses_no_command() {
    let turn = Turn::wait();
    let servers = Servers::start(&["cluster", "postgres"]);
    let place = Place::new(&servers, "cluster", "queues = \"quorum\"\n").on_nodes(3);
    place.listen();
    let services = [0, 1, 2].map(|number| place.start("services", number));
    let gateways = [0, 1, 2].map(|number| place.start("gateway", number));
    let load = Load::new(gateways.len(), 50);
    for (number, gateway) in gateways.iter().enumerate() {
        load.moved(number, gateway.host());
    }
    let clients = load.start(8);
    let accepted = || load.accepted.lock().unwrap().len();
    let go_on = || {
        let least = accepted() + BETWEEN;
        wait_until("commands are accepted", || accepted() >= least);
    };
    go_on();
    for node in if is_long() { ["1", "2", "3"].as_slice() } else { &["2"] } {
        servers.act("kill", &[node]);
        place.say(&format!("node {node} is killed"));
        go_on();
        // The gateway that used it uses another.
        for (number, gateway) in gateways.iter().enumerate() {
            let key = 1_000_000 + node.parse::<u64>().unwrap() * 10 + number as u64;
            let id = create(gateway.host(), key);
            load.accepted.lock().unwrap().insert(id, key);
        }
        place.say("every gateway accepts commands");
        if is_long() {
            servers.act("up", &[node]);
            place.say(&format!("node {node} is there again"));
            go_on();
        }
    }
    if is_long() {
        servers.act("partition", &["3"]);
        place.say("node 3 is cut off");
        go_on();
        servers.act("heal", &["3"]);
        place.say("it is back");
        go_on();
    }
    clients.stop();
    let accepted = std::mem::take(&mut *load.accepted.lock().unwrap());
    check_commands(&place, &accepted);
    check_published(&place, &accepted);
    for gateway in &gateways {
        check_documents(gateway, &accepted);
    }
    place.say(&format!("{} commands are counted", accepted.len()));
    drop((services, gateways, place, turn));
}
