//! A .NET service takes part while Orchard's processes are killed: it sends commands, and consumes events.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use uuid::Uuid;

use crate::count::{check_commands, check_documents};
use crate::fleet::{kill_at_random, start_all};
use crate::load::Load;
use crate::peer::{Peer, program};
use crate::place::Place;
use crate::servers::Turn;

const ROLES: [(&str, usize); 2] = [("gateway", 2), ("services", 2)];
/// How long processes are killed, in the short form.
const SECONDS: u64 = 10;
/// Commands a second, of the service and by HTTP each.
const RATE: u32 = 50;
/// Commands of the service have numbers from here on.
const FIRST: u64 = 1_000_000;

/// Sends commands by exchange, by queue and published, until told to stop; their ids.
fn send_all(service: &Peer, stopping: &AtomicBool) -> BTreeMap<String, u64> {
    let ways = [
        json!({ "send": "CreateUser", "to": "exchange:accounts" }),
        json!({ "send": "CreateUser", "to": "queue:accounts" }),
        json!({ "publish": "CreateUser" }),
    ];
    let begun = Instant::now();
    let mut sent = BTreeMap::new();
    for number in 0.. {
        // The pace of the load.
        std::thread::sleep(
            (begun + Duration::from_secs(1) / RATE * number).saturating_duration_since(Instant::now()),
        );
        if stopping.load(Ordering::Acquire) {
            break;
        }
        let (id, number) = (Uuid::now_v7().to_string(), FIRST + u64::from(number));
        let mut request = ways[number as usize % ways.len()].clone();
        request["id"] = json!(number);
        request["message"] =
            json!({ "commandId": id, "email": format!("user{number}@example.org"), "name": "Zoë" });
        service.ask(&request);
        sent.insert(id, number);
    }
    sent
}

/// Waits until the service has sent all of its commands, and has had an event of each command; how many came twice.
fn check_consumed(service: &Peer, sent: &BTreeMap<String, u64>, all: &BTreeMap<String, u64>) -> usize {
    let mut left: BTreeSet<u64> = sent.values().copied().collect();
    let (mut messages, mut users) = (BTreeSet::new(), BTreeSet::new());
    let mut twice = 0;
    while users.len() < all.len() || !left.is_empty() {
        let what = format!(
            "{} events are consumed, of {}; {} sent, of {}",
            users.len(),
            all.len(),
            sent.len() - left.len(),
            sent.len()
        );
        let said = service.next(&what);
        if let Some(number) = said["id"].as_u64() {
            assert_eq!(said["done"], true, "{said}");
            left.remove(&number);
        } else if said["consumed"].is_string() {
            let text = |name: &str| said[name].as_str().unwrap().to_owned();
            if !messages.insert(text("messageId")) {
                twice += 1;
                continue;
            }
            let id = text("correlationId");
            assert!(all.contains_key(&id), "nobody asked for {said}");
            assert!(users.insert(id), "two events of one user: {said}");
        }
    }
    twice
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn a_dotnet_service_sends_and_consumes_while_processes_are_killed() {
    let Some(program) = program() else {
        println!("skipped: no .NET peer at ../shared/peers/run, and ORCHARD_DOTNET_PEER names none");
        return;
    };
    let turn = Turn::wait();
    let place = Place::new(turn.servers(), "dotnet", "");
    let processes = start_all(&place, &ROLES);
    let options = ["--consume", "UserCreated"];
    let service = Peer::start(&program, &place.amqp(1), "examples/dotnet/Contracts.cs", &options);
    let load = Load::new(ROLES[0].1, RATE);
    for (number, gateway) in processes.iter().take(ROLES[0].1).enumerate() {
        load.moved(number, &gateway.host());
    }
    let clients = load.start(4);
    let stopping = AtomicBool::new(false);
    let (sent, kills) = std::thread::scope(|scope| {
        let killing = scope.spawn(|| {
            let kills = kill_at_random(&place, &processes, &load, SECONDS);
            stopping.store(true, Ordering::Release);
            kills
        });
        (send_all(&service, &stopping), killing.join().unwrap())
    });
    clients.stop();
    let mut all = std::mem::take(&mut *load.accepted.lock().unwrap());
    all.extend(sent.clone());
    check_commands(&place, &all);
    let twice = check_consumed(&service, &sent, &all);
    println!(
        "{} commands of .NET and {} by HTTP, {kills} kills; {twice} events came to .NET twice",
        sent.len(),
        all.len() - sent.len()
    );
    for process in processes.iter().take(ROLES[0].1) {
        check_documents(process.server.lock().unwrap().as_ref().unwrap(), &all);
    }
    drop((service, processes, turn));
}
