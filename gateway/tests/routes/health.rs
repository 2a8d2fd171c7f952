//! What of the server is ready.

use serde_json::json;
use tick_sdk::contracts::accounts::UserRenamed;
use uuid::Uuid;

use crate::service::Service;

#[tokio::test(flavor = "multi_thread")]
async fn a_server_says_which_part_of_it_is_not_ready_and_why() {
    let service = Service::start().await;
    service.settle().await;
    let ready = service.read("/health/ready").await;
    let part = json!({ "ready": true });
    assert_eq!((&ready["store"], &ready["projections"]), (&part, &part));
    assert_eq!((ready["status"].as_str(), ready.get("broker")), (Some("ready"), None));
    // A user that was never created cannot be renamed: a projection stops, and commands are taken all the same.
    service.publish(&[UserRenamed { user_id: Uuid::now_v7(), name: "B".into() }]);
    let next = service.done("POST", "/api/users", json!({"email": "b@x", "name": "B"})).await;
    assert_eq!(next["state"], "completed");
    let ready = service.read("/health/ready").await;
    assert_eq!((ready["status"].as_str(), &ready["store"]), (Some("degraded"), &part));
    let reason = ready["projections"]["reason"].as_str().unwrap();
    assert!(reason.contains("users") && reason.contains("/api/projections"), "{reason}");
}
