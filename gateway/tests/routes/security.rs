//! Who is answered.

use gateway::{Gateway, GatewayError, GatewayOptions, Limits, RateLimit};
use serde_json::json;

use crate::service::{Service, answered};

#[tokio::test(flavor = "multi_thread")]
async fn another_pages_browser_and_a_proxy_are_refused_without_the_key() {
    let service = Service::start().await;
    let status =
        async |name: &str, value: &str| answered(service.get("/api/users").header(name, value)).await.0;
    assert_eq!(status("accept", "*/*").await, 200);
    assert_eq!(status("host", "evil.example").await, 403);
    assert_eq!(status("origin", "http://evil.example").await, 403);
    assert_eq!(status("x-forwarded-for", "10.0.0.1").await, 401);
    assert_eq!(status("authorization", "Bearer wrong").await, 401);
    assert_eq!(status("authorization", "Bearer secret").await, 200);
    assert_eq!(status("x-api-key", "secret").await, 200);
    let proxied = service
        .get("/api/users")
        .header("via", "p")
        .header("x-api-key", "secret")
        .header("host", "a.example");
    assert_eq!(answered(proxied).await.0, 200);
    let refused = service.get("/api/users").header("via", "p").send().await.unwrap();
    assert_eq!(refused.headers()["www-authenticate"], "Bearer realm=\"orchard\"");
    let cancel = format!("/api/replays/{}/cancel", uuid::Uuid::now_v7());
    let foreign = service.request("POST", &cancel).header("origin", "http://evil.example");
    assert_eq!(answered(foreign).await.0, 403);
    assert_eq!(service.bus.events().head("ticks").unwrap(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_key_is_needed_locally_where_that_is_asked_for() {
    let service =
        Service::start_with(|options| GatewayOptions { is_key_needed_locally: true, ..options }).await;
    assert_eq!(answered(service.get("/api/users")).await.0, 401);
    assert_eq!(answered(service.get("/api/users").header("x-api-key", "secret")).await.0, 200);
    assert_eq!(answered(service.get("/health/ready")).await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_listens_beyond_this_machine_without_a_key() {
    let service = Service::start().await;
    let options = GatewayOptions {
        documents: service.folder.path().join("other.sqlite").into(),
        listen: vec![([0, 0, 0, 0], 0).into()],
        ..GatewayOptions::default()
    };
    let refused = Gateway::start(service.bus.clone(), options).await.err().unwrap();
    assert!(matches!(refused, GatewayError::KeyNeeded(_)), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_that_asks_too_often_is_told_when_to_come_again() {
    let rate = RateLimit { per_second: 1, burst: 3 };
    let limits = Limits { local: rate, key: rate, ..Limits::default() };
    let service = Service::start_with(|options| GatewayOptions { limits, ..options }).await;
    // More than the burst may come where the machine is slow.
    let mut refused = None;
    for _ in 0..100 {
        let answer = service.get("/api/users").send().await.unwrap();
        if answer.status().as_u16() == 429 {
            refused = Some(answer);
            break;
        }
    }
    let refused = refused.expect("a refusal");
    let seconds: u64 = refused.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=2).contains(&seconds));
    let other = service.request("POST", "/api/users").header("x-api-key", "secret").json(&json!({}));
    assert_eq!(answered(other).await.0, 400, "another caller has its own share");
}
