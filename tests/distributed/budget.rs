//! The control plane's share of the broker's messages is spent: new commands are refused, what is on its way is
//! slowed, and nothing is dropped.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crate::count::{check_commands, check_documents, check_published};
use crate::load::Load;
use crate::place::Place;
use crate::servers::Turn;

/// What each of the two processes may give the broker.
const SHARE: u32 = 20;
const COMMANDS: usize = 120;

#[test]
#[ignore = "needs servers: run scripts/test"]
fn a_budget_that_is_spent_is_a_503_and_slows_what_is_on_its_way() {
    let turn = Turn::wait();
    let budget = format!("messages_per_s = {}\nprocesses = 2\n", 2 * SHARE);
    let place = Place::new(turn.servers(), "budget", &budget);
    place.listen();
    let services = place.start("services", 0);
    let gateway = place.start("gateway", 0);
    let load = Load::new(1, 10 * SHARE);
    load.moved(0, gateway.host());
    let begun = Instant::now();
    let clients = load.start(8);
    crate::count::wait_until("commands are accepted", || load.accepted.lock().unwrap().len() >= COMMANDS);
    clients.stop();
    let accepted = std::mem::take(&mut *load.accepted.lock().unwrap());
    assert!(load.refused.load(Ordering::Acquire) > 0, "nothing was refused");
    let least = Duration::from_secs(1) * (COMMANDS as u32 - SHARE) / SHARE;
    assert!(begun.elapsed() > least, "{COMMANDS} commands in {:?}: faster than the budget", begun.elapsed());
    check_commands(&place, &accepted);
    check_published(&place, &accepted);
    assert!(begun.elapsed() > least, "events were published faster than the budget");
    check_documents(&gateway, &accepted);
    drop((services, gateway, turn));
}
