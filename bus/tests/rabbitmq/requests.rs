//! Questions of others.

use broker::Properties;
use bus::Bus;
use bus::rabbitmq::{Answer, NoAnswer};
use serde_json::{Value, json};
use tick_sdk::contracts::bus::{CommandNotFound, GetCommand};
use uuid::Uuid;

use crate::broker_of_test::Vhost;
use crate::peer::{Peer, read};
use crate::proxy::Proxy;
use crate::shop::options;
use crate::wait_until;

const ENDPOINT: &str = "commands";

fn request(id: Uuid) -> Value {
    json!({
        "messageId": Uuid::now_v7(), "requestId": Uuid::now_v7(), "conversationId": Uuid::now_v7(),
        "messageType": ["urn:message:Orchard.Contracts:GetCommand"], "message": {"commandId": id}, "headers": {},
    })
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn a_request_is_answered_or_fails_and_one_that_nobody_waits_for_harms_nobody() {
    let vhost = Vhost::new("asks");
    let peer = Peer::new(&vhost.url());
    let bus = Bus::builder().rabbitmq(vhost.url(), options()).responder(|asked: GetCommand| {
        if asked.command_id.0.is_nil() {
            return Err(NoAnswer::because("that is no id"));
        }
        Ok(Answer::of(CommandNotFound { command_id: asked.command_id }))
    });
    let _bus = bus.start().unwrap();
    wait_until("it listens", || peer.is_consumed(ENDPOINT));
    let queue = peer.answers("answers");
    let ask = |id, answers| ask(&vhost, &peer, id, answers);
    let id = Uuid::now_v7();
    let asked = ask(id, "answers");
    let answer = read(&peer.next(&queue));
    assert_eq!(answer["messageType"], json!(["urn:message:Orchard.Contracts:CommandNotFound"]));
    assert_eq!((&answer["requestId"], &answer["message"]["commandId"]), (&asked["requestId"], &json!(id)));

    ask(id, "gone");
    let asked = ask(Uuid::nil(), "answers");
    let fault = read(&peer.next(&queue));
    assert_eq!(fault["requestId"], asked["requestId"]);
    assert_eq!(fault["message"]["exceptions"][0]["message"], "that is no id");
    let asked = ask(id, "answers");
    assert_eq!(read(&peer.next(&queue))["requestId"], asked["requestId"]);
}

/// Both of its connections are cut: whichever is back first, what is asked then is answered.
#[test]
#[ignore = "needs servers: run scripts/test"]
fn what_is_asked_after_a_loss_is_answered() {
    let vhost = Vhost::new("asks-again");
    let (proxy, peer) = (Proxy::to(vhost.port()), Peer::new(&vhost.url()));
    let bus = Bus::builder()
        .rabbitmq(vhost.url_by(proxy.port), options())
        .responder(|asked: GetCommand| Ok(Answer::of(CommandNotFound { command_id: asked.command_id })));
    let _bus = bus.start().unwrap();
    wait_until("it listens", || peer.is_consumed(ENDPOINT));
    let queue = peer.answers("answers");
    for _ in 0..5 {
        let asked = ask(&vhost, &peer, Uuid::now_v7(), "answers");
        // One that was answered before the cut may be answered again.
        while read(&peer.next(&queue))["requestId"] != asked["requestId"] {}
        proxy.cut();
    }
}

/// Asks, to be answered at this exchange.
fn ask(vhost: &Vhost, peer: &Peer, id: Uuid, answers: &str) -> Value {
    let mut asked = request(id);
    let address = format!("rabbitmq://peer/{}/{answers}?temporary=true", vhost_of(vhost));
    asked["responseAddress"] = json!(address);
    let body = serde_json::to_vec(&asked).unwrap();
    peer.publish(ENDPOINT, "", &body, Properties::default());
    asked
}

fn vhost_of(vhost: &Vhost) -> String {
    vhost.text().rsplit_once('/').unwrap().1.replace("%2f", "%2F")
}
