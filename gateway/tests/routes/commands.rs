//! What is asked for is on disk when it is answered, and its status says what became of it.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tick_sdk::contracts::CommandId;
use tick_sdk::contracts::bus::ReadableAt;

use crate::service::{Service, answered, body_of, signals};

fn ann() -> Value {
    json!({"email": "ann@example.org", "name": "Ann"})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_is_answered_before_it_is_done_and_then_done() {
    let service = Service::start().await;
    service.held.1.store(true, Ordering::Release);
    let response = service.request("POST", "/api/users").json(&ann()).send().await.unwrap();
    let location = response.headers()["location"].to_str().unwrap().to_owned();
    let correlation = response.headers()["x-correlation-id"].to_str().unwrap().to_owned();
    assert!(response.headers().contains_key("x-request-id"));
    let (status, accepted) = body_of(response).await;
    assert_eq!((status, accepted["status"].as_str()), (202, Some(location.as_str())));
    assert_eq!(accepted["correlationId"].as_str(), Some(correlation.as_str()));
    let before = service.read(&location).await;
    assert_eq!(
        (before["state"].as_str(), before["command"].as_str()),
        (Some("accepted"), Some("CreateUser"))
    );
    assert_eq!(before["caller"], "local");
    service.held.0.add_permits(1);
    let after = service.read(&format!("{location}?wait=10s")).await;
    assert_eq!(after["state"], "completed", "{after}");
    let user = after["result"]["userId"].as_str().unwrap();
    let user = service.read(&format!("/api/users/{user}")).await;
    assert_eq!(
        (user["email"].as_str(), user["isDisabled"].as_bool()),
        (Some("ann@example.org"), Some(false))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_key_gives_the_same_answer_and_another_body_is_refused() {
    let service = Service::start().await;
    let send = |body: Value| {
        answered(service.request("POST", "/api/users").header("Idempotency-Key", "k1").json(&body))
    };
    let (status, first) = send(ann()).await;
    assert_eq!(status, 202);
    assert_eq!(first["commandId"], CommandId::of_key("local", "k1").to_string());
    assert_eq!(send(ann()).await, (202, first));
    let (status, problem) = send(json!({"email": "bob@example.org", "name": "Bob"})).await;
    assert_eq!((status, problem["status"].as_u64()), (422, Some(422)));
    assert!(problem["errors"]["Idempotency-Key"][0].is_string());
    let other =
        service.request("POST", "/api/users").header("Idempotency-Key", "k1").header("x-api-key", "secret");
    let (status, accepted) = answered(other.json(&ann())).await;
    assert_eq!(status, 202);
    assert_ne!(accepted["commandId"], CommandId::of_key("local", "k1").to_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_command_says_why_and_is_done_when_requeued() {
    let service = Service::start().await;
    service.broken.0.store(true, Ordering::Release);
    let failed = service.done("POST", "/api/users", ann()).await;
    assert_eq!(
        (failed["state"].as_str(), failed["reason"].as_str()),
        (Some("failed"), Some("there is no mail server"))
    );
    let id = failed["commandId"].as_str().unwrap();
    let listed = service.read("/api/commands?state=Failed").await;
    assert_eq!((listed["items"][0]["commandId"].as_str(), &listed["next"]), (Some(id), &Value::Null));
    service.broken.0.store(false, Ordering::Release);
    let requeue = service.done("POST", &format!("/api/commands/{id}/requeue"), json!({})).await;
    assert_eq!(requeue["state"], "completed", "{requeue}");
    let done = service.read(&format!("/api/commands/{id}?wait=10s")).await;
    assert_eq!((done["state"].as_str(), &done["requeuedBy"]), (Some("completed"), &requeue["commandId"]));
    let tree = service.read(&format!("/api/commands/{}/tree", requeue["commandId"].as_str().unwrap())).await;
    assert_eq!(tree["causes"], json!([id, requeue["commandId"]]));
    assert_eq!(tree["root"]["caused"][0]["command"], "RequeueCommand");
    let (status, _) = service.send("POST", &format!("/api/commands/{id}/requeue"), json!({})).await;
    assert_eq!(status, 409);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_command_is_waited_for_and_then_not_found() {
    let service = Service::start().await;
    let id = CommandId::new();
    let asked = [
        (format!("/api/commands/{id}"), 404_u16, 2_000),
        (format!("/api/commands/{id}?wait=2500ms"), 404, 2_500),
        (format!("/api/users?after={id}"), 409, 2_000),
    ];
    let service = &service;
    let asked = asked.map(|(path, expected, least_ms)| async move {
        let begun = Instant::now();
        let (status, problem) = answered(service.get(&path)).await;
        assert_eq!((status, problem["status"].as_u64()), (expected, Some(expected.into())), "{path}");
        assert!(problem["detail"].as_str().unwrap().contains("ask again"), "{problem}");
        assert!(begun.elapsed() >= Duration::from_millis(least_ms), "{path}");
    });
    futures_util::future::join_all(asked).await;
    // One that arrives meanwhile is found.
    let id = CommandId::of_key("local", "later");
    let path = format!("/api/commands/{id}?wait=30s");
    let (found, _) = tokio::join!(answered(service.get(&path)), async {
        answered(service.request("POST", "/api/users").header("Idempotency-Key", "later").json(&ann())).await
    });
    assert_eq!(found.0, 200, "{}", found.1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_has_the_status_is_told_when_there_is_another() {
    let service = Service::start().await;
    let done = service.done("POST", "/api/users", ann()).await;
    let id = done["commandId"].as_str().unwrap();
    for path in [format!("/api/commands/{id}"), format!("/api/commands/{id}/tree")] {
        let response = service.get(&path).send().await.unwrap();
        let etag = response.headers()["etag"].to_str().unwrap().to_owned();
        assert!(etag.starts_with('"') && etag.ends_with('"'));
        for tag in [etag.as_str(), etag.trim_matches('"')] {
            let response = service.get(&path).header("If-None-Match", tag).send().await.unwrap();
            assert_eq!(
                (response.status().as_u16(), response.headers()["etag"].to_str().unwrap()),
                (304, etag.as_str())
            );
        }
        let others = service.get(&path).header("If-None-Match", "\"other\"");
        let response = others.try_clone().unwrap().send().await.unwrap();
        assert_eq!(response.status().as_u16(), 200);
        let response = others.header("If-None-Match", &etag).send().await.unwrap();
        assert_eq!(response.status().as_u16(), 304, "the header may come twice");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_is_processing_until_what_it_made_can_be_read() {
    let service = Service::start().await;
    let (status, accepted) = service.send("POST", "/api/replays", json!({"files": ["day.csv"]})).await;
    assert_eq!(status, 202, "{accepted}");
    let path = accepted["status"].as_str().unwrap();
    // The end names a position that has not been written yet.
    let head = service.bus.events().head("strategies").unwrap();
    let position = head + 1;
    let processing = async || {
        let mut state = String::new();
        while state != "processing" {
            state = service.read(path).await["state"].as_str().unwrap().to_owned();
        }
    };
    processing().await;
    let at = ReadableAt { context: "strategies".into(), position };
    service.complete(&accepted, json!({"run": "r1"}), vec![at]);
    service.settle().await;
    assert_eq!(service.read(path).await["state"], "processing");
    let after = format!("/api/signals?run=r1&after={}", accepted["commandId"].as_str().unwrap());
    assert_eq!(service.publish(&[signals("r1", "apple", "BTC", 0, 3)]), position);
    assert_eq!(service.read(&after).await["items"].as_array().unwrap().len(), 3);
    let done = service.read(path).await;
    assert_eq!((done["state"].as_str(), done["result"]["run"].as_str()), (Some("completed"), Some("r1")));
    let replays = service.read("/api/replays").await;
    assert_eq!(replays["items"][0]["replayId"], accepted["commandId"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_names_the_tree_of_causes_finds_it_in_every_event() {
    let service = Service::start().await;
    let tree = "0191d7b0-0000-7000-8000-000000000001";
    let request = service.request("POST", "/api/users").header("X-Correlation-Id", tree).json(&ann());
    let response = request.send().await.unwrap();
    assert_eq!(response.headers()["x-correlation-id"], tree);
    let (_, accepted) = body_of(response).await;
    assert_eq!(accepted["correlationId"], tree);
    let events = format!("/api/events?after={}", accepted["commandId"].as_str().unwrap());
    let events = service.read(&events).await;
    let names: Vec<_> =
        events["items"].as_array().unwrap().iter().map(|event| event["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["CommandAccepted", "UserCreated", "CommandCompleted"]);
    assert!(events["items"].as_array().unwrap().iter().all(|event| event["correlationId"] == tree));
    let (status, problem) = answered(service.get("/api/users").header("X-Correlation-Id", "x")).await;
    assert_eq!(status, 400, "{problem}");
}
