//! One key with two bodies: the first wins, and the second is refused as soon as anybody knows the first.

use serde_json::json;

use crate::count::{known, number, wait_until};
use crate::http::{Answer, send};
use crate::load::{command_id, create};
use crate::place::Place;
use crate::server::Server;
use crate::servers::Turn;

/// Asks for a user with the key that [`create`] uses for this number.
fn create_other(host: &str, number: u64, name: &str) -> Answer {
    let body = json!({ "email": format!("user{number}@example.org"), "name": name }).to_string();
    let key = format!("key {number}");
    let headers = [("content-type", "application/json"), ("idempotency-key", &*key)];
    send(host, "POST", "/api/users", &headers, body.as_bytes())
}

/// Sends a key with two bodies at once, and looks at what became of it. Whether both were accepted.
fn is_taken_twice(gateways: &[Server], number: u64) -> bool {
    let answers = std::thread::scope(|scope| {
        let sent = [("Ann", 0), ("Bob", 1)].map(|(name, at)| {
            let host = gateways[at].host();
            scope.spawn(move || create_other(host, number, name))
        });
        sent.map(|one| one.join().unwrap())
    });
    assert!(answers.iter().all(|answer| [202, 422].contains(&answer.status)));
    let accepted: Vec<_> = answers.iter().filter(|answer| answer.status == 202).map(command_id).collect();
    assert!(!accepted.is_empty() && accepted.iter().all(|id| *id == accepted[0]), "{accepted:?}");
    let id = &accepted[0];
    let done = known(&gateways[0], &format!("/api/commands/{id}?wait=30s")).json();
    assert_eq!(done["state"], "completed", "{done}");
    let name = known(&gateways[1], &format!("/api/users/{id}?after={id}")).json()["name"].clone();
    let (winner, loser) = if name == "Ann" { ("Ann", "Bob") } else { ("Bob", "Ann") };
    for gateway in gateways {
        known(gateway, &format!("/api/users/{id}?after={id}"));
        assert_eq!(create_other(gateway.host(), number, winner).status, 202);
        assert_eq!(create_other(gateway.host(), number, loser).status, 422);
    }
    if accepted.len() < 2 {
        return false;
    }
    wait_until("the status says that another was refused", || {
        let shown = gateways[1].get(&format!("/api/commands/{id}")).json();
        shown["otherRefused"].as_str().is_some_and(|reason| reason.contains("accounts_error"))
    });
    true
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn a_key_that_was_used_with_another_body_is_refused_at_every_gateway() {
    let turn = Turn::wait();
    let place = Place::new(turn.servers(), "keys", "");
    let gateways = [place.start("gateway", 0), place.start("gateway", 1)];
    let refused = |number: u64| {
        for gateway in &gateways {
            known(gateway, &format!("/api/commands/{}", create(gateways[0].host(), number)));
            let answer = create_other(gateway.host(), number, "Bob");
            assert_eq!(answer.status, 422, "{}", answer.text());
            assert!(answer.json()["errors"]["Idempotency-Key"].is_array(), "{}", answer.text());
        }
    };
    // Nobody carries it out yet: what the broker was given says so.
    let first = create(gateways[0].host(), 1);
    refused(1);
    let services = place.start("services", 0);
    let done = known(&gateways[1], &format!("/api/commands/{first}?wait=30s")).json();
    assert_eq!(done["state"], "completed", "{done}");
    refused(1);
    // The same body is the same command, and another contract under the key is another.
    assert_eq!(create(gateways[1].host(), 1), first);
    let headers = [("content-type", "application/json"), ("idempotency-key", "key 1")];
    let other =
        send(gateways[0].host(), "PATCH", &format!("/api/users/{first}"), &headers, b"{\"name\":\"Ann\"}");
    assert_eq!(other.status, 422, "{}", other.text());
    let user = known(&gateways[0], &format!("/api/users/{first}?after={first}")).json();
    assert_eq!(user["name"], "Ann");
    // Where both are sent before anybody knows either, the inbox takes the first that comes, and the status says so.
    let both = (2..60).find(|number| is_taken_twice(&gateways, *number));
    let both = both.expect("both are accepted once") as i64;
    assert_eq!(number(&place, "SELECT count(*) FROM accounts.\"user\""), both, "one of each key");
    drop((services, gateways, turn));
}
