//! Killed in the middle of requeueing: nothing is lost, and what is there twice has the same message id.

use std::collections::BTreeSet;
use std::process::Stdio;

use broker::Table;
use serde_json::Value;

use crate::queue::{Endpoint, command, id, json, wait_for};

const MESSAGES: usize = 3_000;

#[test]
#[ignore = "needs servers: run scripts/test"]
fn a_killed_requeue_of_a_classic_queue_loses_nothing() {
    killed_again_and_again(Table::default(), "classic");
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn a_killed_requeue_of_a_quorum_queue_loses_nothing() {
    killed_again_and_again(
        Table::default().with("x-queue-type", "quorum").with("x-delivery-limit", 5),
        "quorum",
    );
}

fn killed_again_and_again(arguments: Table, kind: &str) {
    let endpoint = Endpoint::new(arguments);
    endpoint.fail(MESSAGES, 0);
    let requeue = ["errors", "requeue", "--all", "--endpoint", &endpoint.name];
    let mut kills = 0;
    for share in [1, 2, 3] {
        let before = endpoint.count(&endpoint.name);
        let child = command(&requeue).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let mut child = child.expect("the program starts");
        let wanted = before.max(MESSAGES * share / 5);
        wait_for("some are requeued", || {
            endpoint.count(&endpoint.name) > wanted || child.try_wait().unwrap().is_some()
        });
        kills += usize::from(child.try_wait().unwrap().is_none());
        // It may have ended by itself.
        let _ = child.kill();
        child.wait().unwrap();
        // The broker has noticed when everything is back that was taken.
        wait_for("nothing is lost", || {
            endpoint.count(&endpoint.name) + endpoint.count(&endpoint.error()) >= MESSAGES
        });
    }
    assert!(kills > 0, "it was never killed in the middle");
    wait_for("the rest is requeued", || {
        json(&requeue);
        endpoint.count(&endpoint.error()) == 0
    });
    let taken = endpoint.take(&endpoint.name);
    let ids: BTreeSet<String> = taken.iter().map(|delivery| message_id(&delivery.body)).collect();
    let twice = taken.len() - MESSAGES;
    println!("{kind}: {kills} kills, {MESSAGES} messages, lost 0, {twice} twice with the same message id");
    assert!(ids.into_iter().eq((0..MESSAGES).map(id)));
}

fn message_id(body: &[u8]) -> String {
    let body: Value = serde_json::from_slice(body).unwrap();
    body["messageId"].as_str().unwrap().to_owned()
}
