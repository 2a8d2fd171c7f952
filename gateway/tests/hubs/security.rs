//! Who may connect.

use gateway::{GatewayOptions, Limits, RateLimit};

use crate::client::{Client, open};
use crate::service::{Service, answered};

const HUBS: [&str; 4] = ["market", "signals", "system", "commands"];

#[tokio::test(flavor = "multi_thread")]
async fn this_machines_programs_and_whoever_has_the_key_may_connect_and_nobody_else() {
    let service = Service::start().await;
    let address = service.gateway.local_addr();
    for hub in HUBS {
        let path = format!("/hubs/{hub}");
        let status = async |path: &str, header: (&str, &str)| open(address, path, &[header]).await.err();
        assert_eq!(status(&path, ("accept", "*/*")).await, None);
        assert_eq!(status(&path, ("host", "evil.example")).await, Some(403));
        assert_eq!(status(&path, ("origin", "http://evil.example")).await, Some(403));
        assert_eq!(status(&path, ("x-forwarded-for", "10.0.0.1")).await, Some(401));
        assert_eq!(status(&path, ("authorization", "Bearer wrong")).await, Some(401));
        assert_eq!(status(&format!("{path}?access_token=wrong"), ("via", "p")).await, Some(401));
        assert_eq!(status(&path, ("authorization", "Bearer secret")).await, None);
        assert_eq!(status(&format!("{path}?access_token=secret"), ("via", "p")).await, None);
        assert_eq!(status(&format!("{path}?ACCESS_TOKEN=%73ecret"), ("via", "p")).await, None);
        // A page of another server may not connect though it has the key: WebSockets are outside of CORS.
        let foreign = [("authorization", "Bearer secret"), ("origin", "http://evil.example")];
        assert_eq!(open(address, &path, &foreign).await.err(), Some(403));
        let own = format!("http://{address}");
        assert_eq!(status(&path, ("origin", &own)).await, None);
        let mut client = Client::connect(address, hub).await;
        assert!(client.call("NoSuchMethod", serde_json::json!([])).await.is_err());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_key_in_a_query_is_for_hubs_only() {
    let service =
        Service::start_with(|options| GatewayOptions { is_key_needed_locally: true, ..options }).await;
    assert_eq!(answered(service.get("/api/users?access_token=secret")).await.0, 401);
    assert_eq!(open(service.gateway.local_addr(), "/hubs/signals", &[]).await.err(), Some(401));
    let negotiate = service.request("POST", "/hubs/signals/negotiate?negotiateVersion=1");
    let (status, problem) = answered(negotiate).await;
    assert_eq!((status, problem["status"].as_u64()), (401, Some(401)));
    let path = "/hubs/signals/negotiate?negotiateVersion=1&access_token=secret";
    let (status, offer) = answered(service.request("POST", path)).await;
    assert_eq!(status, 200, "{offer}");
    assert!(offer["connectionToken"].is_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_belongs_to_whoever_negotiated_it() {
    let service = Service::start().await;
    let path = "/hubs/commands/negotiate?negotiateVersion=1";
    let with_key = service.request("POST", path).header("authorization", "Bearer secret");
    let (_, offer) = answered(with_key).await;
    let path = format!("/hubs/commands?id={}", offer["connectionToken"].as_str().unwrap());
    let address = service.gateway.local_addr();
    assert_eq!(open(address, &path, &[]).await.err(), Some(403));
    assert!(open(address, &format!("{path}&access_token=secret"), &[]).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_connects_too_often_is_told_when_to_come_again() {
    let limits = Limits { local: RateLimit { per_second: 1, burst: 3 }, ..Limits::default() };
    let service = Service::start_with(|options| GatewayOptions { limits, ..options }).await;
    let address = service.gateway.local_addr();
    // More than the burst may come where the machine is slow.
    let mut refused = None;
    for _ in 0..100 {
        refused = open(address, "/hubs/system", &[]).await.err();
        if refused.is_some() {
            break;
        }
    }
    assert_eq!(refused, Some(429));
}
