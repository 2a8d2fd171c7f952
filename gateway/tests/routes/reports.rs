//! Reports of replays: when there is one, what the browser is told of it, and what is answered where there is none.

use std::sync::{Arc, Mutex};

use gateway::{GatewayOptions, LookupError, ReportLookup};
use serde_json::json;
use tick_sdk::contracts::ticks::{
    ReplayCancelled, ReplayCompleted, ReplayFailed, ReplayOutcome, ReplayStarted,
};
use uuid::Uuid;

use crate::service::{Service, answered};

/// Has a page of every replay, but the one time that it refuses.
#[derive(Debug, Default)]
struct Pages(Mutex<Option<LookupError>>);

impl ReportLookup for Pages {
    fn report(&self, replay_id: Uuid) -> Result<String, LookupError> {
        let refused = self.0.lock().unwrap().take();
        refused.map_or_else(|| Ok(format!("<!DOCTYPE html><title>{replay_id}</title>")), Err)
    }
}

async fn service() -> (Arc<Pages>, Service) {
    let pages = Arc::new(Pages::default());
    let reports: Arc<dyn ReportLookup> = pages.clone();
    let service = Service::start_with(|options| GatewayOptions { reports: Some(reports), ..options }).await;
    (pages, service)
}

/// A replay that was accepted, and where its report is.
async fn replay(service: &Service) -> (Uuid, String) {
    let (_, accepted) = service.send("POST", "/api/replays", json!({"files": ["day.csv"]})).await;
    let replay_id: Uuid = accepted["commandId"].as_str().unwrap().parse().unwrap();
    let path = format!("/api/replays/{replay_id}");
    while answered(service.get(&path)).await.0 != 200 {
        service.settle().await;
    }
    (replay_id, path + "/report")
}

async fn refused(service: &Service, path: &str, status: u16, reason: &str) {
    let (answer, body) = answered(service.get(path)).await;
    assert_eq!(answer, status, "{path}: {body}");
    assert!(body["detail"].as_str().unwrap().contains(reason), "{path}: {body}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_has_its_report_once_it_has_ended() {
    let (_, service) = service().await;
    let (replay_id, path) = replay(&service).await;
    refused(&service, &path, 409, "is accepted").await;
    service.publish(&[ReplayStarted { replay_id, run: "r1".into(), is_resumed: false, feed: None }]);
    service.settle().await;
    refused(&service, &path, 409, "is running").await;
    service.publish(&[ReplayCompleted { replay_id, run: "r1".into(), outcome: ReplayOutcome::default() }]);
    service.settle().await;

    let page = service.get(&path).send().await.unwrap();
    assert_eq!(page.status(), 200);
    let header = |name: &str| page.headers()[name].to_str().unwrap();
    assert_eq!(header("content-type"), "text/html; charset=utf-8");
    assert_eq!(header("x-content-type-options"), "nosniff");
    // Its own scripts run, in an origin that is not the dashboard's; nothing is loaded or asked for.
    let policy: Vec<_> = header("content-security-policy").split("; ").collect();
    for part in ["default-src 'none'", "script-src 'unsafe-inline'", "style-src 'unsafe-inline'"] {
        assert!(policy.contains(&part), "{policy:?}");
    }
    assert!(policy.contains(&"sandbox allow-scripts allow-downloads"), "{policy:?}");
    assert!(page.text().await.unwrap().contains(&replay_id.to_string()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_that_there_is_not_is_refused_with_the_reason() {
    let (pages, service) = service().await;
    refused(&service, &format!("/api/replays/{}/report", Uuid::now_v7()), 404, "there is no replay").await;
    refused(&service, "/api/replays/x/report", 400, "no GUID").await;
    let (failed, path) = replay(&service).await;
    service.publish(&[ReplayFailed { replay_id: failed, run: None, reason: "its file is gone".into() }]);
    service.settle().await;
    refused(&service, &path, 409, "has failed").await;

    let (replay_id, path) = replay(&service).await;
    service.publish(&[ReplayCancelled { replay_id, run: None, outcome: None }]);
    service.settle().await;
    for (error, status) in [
        (LookupError::NotThere("the report is not kept any more".into()), 404),
        (LookupError::Busy, 503),
        (LookupError::Unreadable("the report cannot be read".into()), 422),
    ] {
        *pages.0.lock().unwrap() = Some(error.clone());
        refused(&service, &path, status, &error.to_string()).await;
    }
    assert_eq!(service.get(&path).send().await.unwrap().status(), 200);

    let without = Service::start().await;
    let (replay_id, path) = replay(&without).await;
    without.publish(&[ReplayCancelled { replay_id, run: None, outcome: None }]);
    without.settle().await;
    refused(&without, &path, 404, "keeps no reports").await;
}
