//! The broker lacks memory: it takes nothing, and gateways say so.

use std::sync::atomic::Ordering;

use crate::count::{check_commands, check_documents, check_published, known, wait_health, wait_until};
use crate::load::{Load, command_id, try_create};
use crate::place::Place;
use crate::servers::Turn;

#[test]
#[ignore = "needs servers: run scripts/test"]
fn a_broker_that_takes_nothing_is_a_503_and_nothing_accepted_is_lost() {
    let turn = Turn::wait();
    let place = Place::new(turn.servers(), "blocked", "");
    place.listen();
    let services = place.start("services", 0);
    let gateways = [place.start("gateway", 0), place.start("gateway", 1)];
    let load = Load::new(gateways.len(), 50);
    for (number, gateway) in gateways.iter().enumerate() {
        load.moved(number, gateway.host());
    }
    let clients = load.start(4);
    let has_accepted = |least: usize| load.accepted.lock().unwrap().len() >= least;
    wait_until("commands are accepted", || has_accepted(50));
    place.servers.act("alarm", &["1", "on", "memory"]);
    for gateway in &gateways {
        wait_until("the gateway says that the broker takes nothing", || {
            let answer = try_create(gateway.host(), 1_000_000).unwrap();
            answer.status == 503 && answer.header("retry-after").is_some()
        });
        wait_health(gateway, |status, parts| {
            let reason = parts["broker"]["reason"].as_str();
            status == 503
                && parts["status"] == "unavailable"
                && reason.is_some_and(|reason| reason.contains("lacks memory"))
                && ["store", "projections"].iter().all(|part| parts[part]["ready"] == true)
        });
    }
    let before = load.refused.load(Ordering::Acquire);
    wait_until("clients are refused, all of them", || load.refused.load(Ordering::Acquire) > before + 40);
    // What was accepted can be read all the while.
    let id = load.accepted.lock().unwrap().keys().next().unwrap().clone();
    known(&gateways[0], &format!("/api/commands/{id}"));
    place.servers.act("alarm", &["1", "off", "memory"]);
    let least = load.accepted.lock().unwrap().len() + 50;
    wait_until("commands are accepted again", || has_accepted(least));
    for gateway in &gateways {
        wait_health(gateway, |status, _| status == 200);
    }
    clients.stop();
    let mut accepted = std::mem::take(&mut *load.accepted.lock().unwrap());
    // The one that was tried before the alarm was felt, or was on its way when it was.
    wait_until("it is accepted, too", || {
        let answer = try_create(gateways[0].host(), 1_000_000).unwrap();
        (answer.status == 202).then(|| accepted.insert(command_id(&answer), 1_000_000)).is_some()
    });
    check_commands(&place, &accepted);
    check_published(&place, &accepted);
    for gateway in &gateways {
        check_documents(gateway, &accepted);
    }
    drop((services, gateways, turn));
}
