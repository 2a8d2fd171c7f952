//! Processes of every role are killed at random under a load of commands.

use std::sync::atomic::Ordering;
use std::time::Instant;

use crate::count::{check_commands, check_documents, check_published, wait_quiet};
use crate::fleet::{Lasting, kill_at_random, start_all};
use crate::load::Load;
use crate::place::{Place, check_rebuilt, stop};
use crate::servers::Turn;

/// What runs, and how many of each.
const ROLES: [(&str, usize); 4] = [("gateway", 3), ("services", 3), ("ingester", 1), ("hosts", 1)];
const GATEWAYS: usize = ROLES[0].1;
/// How long processes are killed.
const LASTING: Lasting = Lasting { short: 120, long: 600 };
/// Commands a second.
const RATE: u32 = 200;
const CLIENTS: usize = 24;

#[test]
#[ignore = "needs servers: run scripts/test"]
fn every_command_ends_once_whichever_process_is_killed() {
    let turn = Turn::wait();
    let place = Place::new(turn.servers(), "kills", "");
    place.listen();
    let processes = start_all(&place, &ROLES);
    let load = Load::new(GATEWAYS, RATE);
    for (number, gateway) in processes.iter().take(GATEWAYS).enumerate() {
        load.moved(number, &gateway.host());
    }
    let clients = load.start(CLIENTS);
    let begun = Instant::now();
    let kills = kill_at_random(&place, &processes, &load, LASTING);
    clients.stop();
    let took = begun.elapsed().as_secs_f64();
    let accepted = std::mem::take(&mut *load.accepted.lock().unwrap());
    let (repeated, refused) = (load.repeated.load(Ordering::Acquire), load.refused.load(Ordering::Acquire));
    println!(
        "{} commands in {took:.1} s, sent again {repeated} times, {refused} of them after a 503; {kills} kills",
        accepted.len()
    );
    check_commands(&place, &accepted);
    let twice = check_published(&place, &accepted);
    println!("{twice} events were published twice");
    wait_quiet(&place, &accepted);
    let mut gateways = Vec::new();
    for process in processes {
        let server = process.server.into_inner().unwrap().unwrap();
        if process.role == "gateway" {
            check_documents(&server, &accepted);
            gateways.push(server);
        } else {
            stop(server);
        }
    }
    for (number, gateway) in gateways.into_iter().enumerate() {
        stop(gateway);
        check_rebuilt(&place, number);
    }
    drop(turn);
}
