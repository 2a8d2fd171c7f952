//! Orchard commands .NET handlers that publish, fail, fail twice and hang: what a gateway shows of it.

use serde_json::{Value, json};
use uuid::Uuid;

use super::services::{self, ENDPOINTS};
use crate::count::wait_until;
use crate::documents::wait_at_head;
use crate::peer::{Peer, program};
use crate::place::{Place, check_rebuilt, stop};
use crate::server::Server;
use crate::servers::Turn;

const CONTRACTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/distributed/dotnet/Contracts.cs");

/// So many commands more.
const MORE: usize = 40;

/// A .NET service with the contracts of these tests.
pub(super) fn start(program: &std::path::Path, place: &Place<'_>, options: &[&str]) -> Peer {
    let options = [&["--contracts", CONTRACTS], options].concat();
    Peer::start(program, &place.amqp(1), "examples/dotnet/Contracts.cs", &options)
}

/// Endpoints of others, as the section of the broker names them.
pub(super) fn follow() -> String {
    format!("follow = {}\n", json!(ENDPOINTS))
}

/// Has a service send this to Orchard, which then commands one of the handlers; the command's id.
fn ask(service: &Peer, what: &str) -> String {
    let id = Uuid::now_v7().to_string();
    let email = format!("{}@example.org", what.to_lowercase());
    let message = json!({ "commandId": id, "what": what, "email": email, "name": "Zoë" });
    service.ask(&json!({ "id": 1, "send": "Ask", "to": "exchange:accounts", "message": message }));
    id
}

/// The commands of a tree below a command, each as its name and how it stands, with what it caused behind it.
fn tree(gateway: &Server, id: &str) -> Value {
    fn shown(node: &Value) -> Value {
        let caused: Vec<_> = node["caused"].as_array().unwrap().iter().map(shown).collect();
        json!([node["command"], node["state"], caused])
    }
    let answer = gateway.get(&format!("/api/commands/{id}/tree"));
    if answer.status == 200 { shown(&answer.json()["root"]) } else { Value::Null }
}

/// Waits until the tree of a command is this.
fn wait_for_tree(gateway: &Server, id: &str, expected: &Value) {
    let mut found = Value::Null;
    let is_so = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        wait_until("the tree is complete", || {
            found = tree(gateway, id);
            found == *expected
        });
    }));
    assert!(is_so.is_ok(), "{found}, and not {expected}");
}

/// The command that this one has caused.
fn caused(gateway: &Server, id: &str) -> Value {
    gateway.get(&format!("/api/commands/{id}/tree")).json()["root"]["caused"][0].clone()
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn what_dotnet_handlers_make_of_commands_is_shown() {
    let Some(program) = program() else {
        println!("skipped: no .NET peer at ../shared/peers/run, and ORCHARD_DOTNET_PEER names none");
        return;
    };
    let turn = Turn::wait();
    let place = Place::new(turn.servers(), "handlers", &follow()).with_services(services::of);
    let gateways = [place.start("gateway", 0), place.start("gateway", 1)];
    let others = [place.start("services", 0), place.start("services", 1)];
    let handlers = [
        "Notify@notifier=publish:CreateUser",
        "Greet@greeter=publish:Greeted",
        "Stumble@stumbler=fail",
        "Recover@recoverer=fail:2",
        "Hang@hanger=hang",
    ];
    let handles = handlers.iter().flat_map(|handler| ["--handle", handler]).collect::<Vec<_>>();
    let service = start(&program, &place, &[&handles[..], &["--retry", "3"]].concat());
    place.say("everything is there");
    // Its endpoints are followed from the next look of the gateway on.
    wait_until("its endpoints are followed", || place.is_followed(&ENDPOINTS));
    place.say("the handlers' endpoints are followed");

    let published = ask(&service, "Greet");
    wait_for_tree(&gateways[0], &published, &json!(["Ask", "completed", [["Greet", "completed", []]]]));
    let failed = ask(&service, "Stumble");
    wait_for_tree(&gateways[0], &failed, &json!(["Ask", "completed", [["Stumble", "failed", []]]]));
    let reason = caused(&gateways[0], &failed)["reason"].as_str().unwrap_or_default().to_owned();
    assert!(reason.contains("Exception"), "{reason}");
    // What is not done yet, and what was done without a word, is accepted: nobody says more.
    let hanging = ask(&service, "Hang");
    wait_for_tree(&gateways[0], &hanging, &json!(["Ask", "completed", [["Hang", "accepted", []]]]));
    let recovered = ask(&service, "Recover");
    for attempt in 1..=3 {
        let what = format!("attempt {attempt}");
        let is_meant =
            |said: &Value| said["consumed"].as_str().is_some_and(|name| name.ends_with(".Recover"));
        service.wait_for(&what, is_meant);
    }
    wait_for_tree(&gateways[0], &recovered, &json!(["Ask", "completed", [["Recover", "accepted", []]]]));
    // From here to there and back, and there again: one tree.
    let through = ask(&service, "Notify");
    let expected = json!([
        "Ask",
        "completed",
        [["Notify", "completed", [["CreateUser", "completed", [["Greet", "completed", []]]]]]]
    ]);
    for gateway in &gateways {
        wait_for_tree(gateway, &through, &expected);
    }
    let user = caused(&gateways[0], &through)["caused"][0]["commandId"].as_str().unwrap().to_owned();
    assert_eq!(gateways[1].get(&format!("/api/users/{user}")).json()["email"], "notify@example.org");
    // Enough that documents made anew are compared with something.
    let more: Vec<_> = (0..MORE).map(|_| ask(&service, "Greet")).collect();
    for id in more {
        wait_for_tree(&gateways[1], &id, &json!(["Ask", "completed", [["Greet", "completed", []]]]));
    }
    place.say("all of it is shown");

    let failing = gateways[1].get("/api/commands?state=failed").json();
    assert_eq!(failing["items"].as_array().unwrap().len(), 1, "{failing}");
    drop(service);
    others.into_iter().for_each(Server::kill);
    gateways.iter().for_each(wait_at_head);
    for (number, gateway) in gateways.into_iter().enumerate() {
        stop(gateway);
        check_rebuilt(&place, number);
    }
    drop(turn);
}
