//! A .NET service takes part: Orchard commands it, and is commanded by it, also while Orchard's processes are killed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use uuid::Uuid;

use crate::count::{check_commands, number, pages, wait_until};
use crate::documents::wait_at_head;
use crate::fleet::{Lasting, kill_at_random, start_all};
use crate::load::Load;
use crate::peer::{Peer, program};
use crate::place::Place;
use crate::server::Server;
use crate::servers::Turn;

mod handlers;
mod services;

const ROLES: [(&str, usize); 2] = [("gateway", 2), ("services", 2)];
/// How long processes are killed.
const LASTING: Lasting = Lasting { short: 10, long: 120 };
/// Commands a second, of the service and by HTTP each; as many as both together go to the service.
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

/// What the service has consumed, and how often it was given some of it twice.
#[derive(Default)]
struct Consumed {
    messages: BTreeSet<String>,
    /// The users that it heard of.
    users: BTreeSet<String>,
    /// The commands to greet one, by the command that created the user.
    greets: BTreeSet<String>,
    twice: [usize; 2],
}

impl Consumed {
    /// Takes what was said, if it was consumed.
    fn take(&mut self, said: &Value, all: &BTreeMap<String, u64>) {
        let Some(consumed) = said["consumed"].as_str() else { return };
        let is_greet = consumed.ends_with(".Greet");
        let text = |name: &str| said[name].as_str().unwrap_or_else(|| panic!("no {name}: {said}")).to_owned();
        if !self.messages.insert(text("messageId")) {
            self.twice[usize::from(is_greet)] += 1;
            return;
        }
        let (of, what) = if is_greet {
            (text("initiatorId"), &mut self.greets)
        } else {
            (text("correlationId"), &mut self.users)
        };
        assert!(all.contains_key(&of), "nobody asked for {said}");
        assert!(what.insert(of), "two messages for one user: {said}");
    }
}

/// Waits until the service has sent all of its commands, and has had an event and a command of each user.
fn check_consumed(service: &Peer, sent: &BTreeMap<String, u64>, all: &BTreeMap<String, u64>) -> Consumed {
    let mut left: BTreeSet<u64> = sent.values().copied().collect();
    let mut consumed = Consumed::default();
    while consumed.users.len() < all.len() || consumed.greets.len() < all.len() || !left.is_empty() {
        let what = format!(
            "{} events and {} commands are consumed, of {}; {} sent, of {}",
            consumed.users.len(),
            consumed.greets.len(),
            all.len(),
            sent.len() - left.len(),
            sent.len()
        );
        let said = service.next(&what);
        if let Some(number) = said["id"].as_u64() {
            assert_eq!(said["done"], true, "{said}");
            left.remove(&number);
        }
        consumed.take(&said, all);
    }
    consumed
}

/// Waits until a gateway shows every command as completed, those to the service, too, and a user of each.
fn check_shown(gateway: &Server, all: &BTreeMap<String, u64>) {
    let users: BTreeSet<_> = all.keys().cloned().collect();
    wait_until("every command is shown as completed", || {
        wait_at_head(gateway);
        pages(gateway, "/api/commands?state=completed&", "commandId").len() >= 2 * all.len()
    });
    let commands = pages(gateway, "/api/commands?", "commandId");
    assert_eq!(commands.len(), 2 * all.len(), "commands, and as many to the service");
    assert!(users.is_subset(&commands));
    assert_eq!(pages(gateway, "/api/users?", "userId"), users, "users");
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn a_dotnet_service_sends_and_consumes_while_processes_are_killed() {
    let Some(program) = program() else {
        println!("skipped: no .NET peer at ../shared/peers/run, and ORCHARD_DOTNET_PEER names none");
        return;
    };
    let turn = Turn::wait();
    let place = Place::new(turn.servers(), "dotnet", &handlers::follow()).with_services(services::of);
    let handles = ["--consume", "UserCreated", "--handle", "Greet@greeter=publish:Greeted"];
    let service = handlers::start(&program, &place, &handles);
    let processes = start_all(&place, &ROLES);
    wait_until("the service is followed", || place.is_followed(&["greeter"]));
    let load = Load::new(ROLES[0].1, RATE);
    for (number, gateway) in processes.iter().take(ROLES[0].1).enumerate() {
        load.moved(number, &gateway.host());
    }
    let begun = Instant::now();
    let clients = load.start(4);
    let stopping = AtomicBool::new(false);
    let (sent, kills) = std::thread::scope(|scope| {
        let killing = scope.spawn(|| {
            let kills = kill_at_random(&place, &processes, &load, LASTING);
            stopping.store(true, Ordering::Release);
            kills
        });
        (send_all(&service, &stopping), killing.join().unwrap())
    });
    clients.stop();
    let took = begun.elapsed().as_secs_f64();
    let mut all = std::mem::take(&mut *load.accepted.lock().unwrap());
    all.extend(sent.clone());
    let Consumed { twice: [events, commands], .. } = check_consumed(&service, &sent, &all);
    wait_until("all is sent", || number(&place, "SELECT count(*) FROM accounts.outgoing") == 0);
    check_commands(&place, &all);
    println!(
        "in {took:.1} s {} commands of .NET and {} by HTTP, each handled once, and as many to .NET; {kills} kills; \
         {events} events and {commands} commands came to .NET twice",
        sent.len(),
        all.len() - sent.len()
    );
    for process in processes.iter().take(ROLES[0].1) {
        check_shown(process.server.lock().unwrap().as_ref().unwrap(), &all);
    }
    drop((service, processes, turn));
}
