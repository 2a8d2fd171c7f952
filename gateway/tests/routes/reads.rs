//! Reads of everything but signals.

use gateway::GatewayOptions;
use serde_json::{Value, json};
use tick_sdk::contracts::strategies::{
    AccountFigures, AccountMarked, InstrumentFigures, LaneFailed, LaneRecovered,
};
use tick_sdk::contracts::ticks::{
    InstrumentPrices, ReplayCompleted, ReplayOutcome, ReplayProgressed, ReplayStarted,
};
use uuid::Uuid;

use crate::errors::broker_that_is_away;
use crate::service::{Service, answered};

fn ids(page: &Value, member: &str) -> Vec<String> {
    page["items"].as_array().unwrap().iter().map(|item| item[member].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn users_are_read_page_by_page_and_change() {
    let service = Service::start().await;
    let mut created = Vec::new();
    for number in 0..7 {
        let user = json!({"Email": format!("u{number}@example.org"), "NAME": format!("U{number}")});
        let done = service.done("POST", "/api/users", user).await;
        created.push(done["commandId"].as_str().unwrap().to_owned());
    }
    let mut seen = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = service.read(&format!("/api/users?limit=3&cursor={cursor}")).await;
        seen.extend(ids(&page, "userId"));
        let Some(next) = page["next"].as_str() else { break };
        cursor = next.to_owned();
    }
    assert_eq!(seen, created);
    let path = format!("/api/users/{}", created[0]);
    service.done("PATCH", &path, json!({"name": "Other"})).await;
    service.done("DELETE", &path, json!({})).await;
    let user = service.read(&path).await;
    assert_eq!((user["name"].as_str(), user["isDisabled"].as_bool()), (Some("Other"), Some(true)));
    assert!(user["createdAt"].as_str().unwrap().ends_with('Z'));
    let (status, _) = answered(service.get(&format!("/api/users/{}", Uuid::now_v7()))).await;
    assert_eq!(status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn deployments_follow_their_events() {
    let service = Service::start().await;
    let body = json!({"name": "trend", "strategy": "apple", "parameters": {"fast": 8}});
    service.done("POST", "/api/deployments", body).await;
    let changed = service.done("PATCH", "/api/deployments/trend", json!({"parameters": {"fast": "9"}})).await;
    let path = format!("/api/deployments/trend?after={}", changed["commandId"].as_str().unwrap());
    let deployment = service.read(&path).await;
    assert_eq!(
        (deployment["lane"].as_str(), deployment["parameters"]["fast"].as_str()),
        (Some("trend@2"), Some("9"))
    );
    service.done("DELETE", "/api/deployments/trend", json!({})).await;
    assert_eq!(service.read("/api/deployments").await["items"][0]["state"], "stopped");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_shows_that_its_lane_fails_until_it_runs_again() {
    let service = Service::start().await;
    let body = json!({"name": "trend", "strategy": "apple", "feed": "live"});
    service.done("POST", "/api/deployments", body).await;
    let failed = |feed: &str, strategy: &str, failures| LaneFailed {
        feed: feed.into(),
        strategy: strategy.into(),
        reason: "tick 7: it panicked".into(),
        failures,
        is_of_strategy: true,
    };
    let shown = async || {
        service.settle().await;
        service.read("/api/deployments/trend").await
    };
    // Those of other feeds, of replays and of an earlier revision.
    let others = [("other", "trend@1"), ("live", "trend"), ("live", "trend@0"), ("live", "none@1")];
    service.publish(&others.map(|(feed, lane)| failed(feed, lane, 1)));
    assert_eq!(shown().await["state"], "active");
    service.publish(&[failed("live", "trend@1", 1), failed("live", "trend@1", 2)]);
    let deployment = shown().await;
    assert_eq!((&deployment["state"], &deployment["failure"]["failures"]), (&json!("failing"), &json!(2)));
    assert_eq!(deployment["failure"]["reason"], "tick 7: it panicked");
    assert!(deployment["failure"]["at"].as_str().unwrap().ends_with('Z'), "{deployment}");
    assert_eq!(service.read("/api/deployments").await["items"][0]["state"], "failing");

    service.publish(&[LaneRecovered { feed: "live".into(), strategy: "trend@1".into() }]);
    let deployment = shown().await;
    assert_eq!((&deployment["state"], &deployment["failure"]), (&json!("active"), &Value::Null));
    service.publish(&[failed("live", "trend@1", 1)]);
    service.done("PATCH", "/api/deployments/trend", json!({"parameters": {"fast": "9"}})).await;
    // Its lane is another one now.
    service.publish(&[failed("live", "trend@1", 2)]);
    assert_eq!(shown().await["state"], "active");
    service.publish(&[failed("live", "trend@2", 1)]);
    service.gateway.rebuild().await.unwrap();
    assert_eq!(shown().await["state"], "failing");
    service.done("DELETE", "/api/deployments/trend", json!({})).await;
    service.publish(&[failed("live", "trend@2", 2)]);
    let deployment = shown().await;
    assert_eq!((&deployment["state"], &deployment["failure"]), (&json!("stopped"), &Value::Null));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_is_shown_as_it_goes_and_its_instruments_keep_the_last_prices() {
    let service = Service::start().await;
    let (_, accepted) = service.send("POST", "/api/replays", json!({"files": ["day.csv"]})).await;
    let replay_id: Uuid = accepted["commandId"].as_str().unwrap().parse().unwrap();
    let path = format!("/api/replays/{replay_id}");
    let mut status = 0;
    while status != 200 {
        status = answered(service.get(&path)).await.0;
    }
    service.publish(&[ReplayStarted { replay_id, run: "r1".into(), is_resumed: false, feed: None }]);
    service.publish(&[ReplayProgressed { replay_id, ticks: 5, share: Some(0.5), ticks_per_second: 9 }]);
    service.settle().await;
    let running = service.read("/api/replays?state=running").await;
    assert_eq!(running["items"][0]["progress"]["ticks"], 5);
    let instrument = |last: &str, at: u64| InstrumentPrices {
        symbol: "BTC".into(),
        ticks: 3,
        last_trade: Some(last.into()),
        last_ts_recv: Some(at),
        ..InstrumentPrices::default()
    };
    for (last, at) in [("2", 1_723_161_258_123_456_789), ("1", 5)] {
        let outcome =
            ReplayOutcome { instruments: vec![instrument(last, at)], ticks: 9, ..Default::default() };
        service.publish(&[ReplayCompleted { replay_id, run: "r1".into(), outcome }]);
    }
    service.settle().await;
    let replay = service.read(&path).await;
    assert_eq!((replay["state"].as_str(), replay["outcome"]["ticks"].as_u64()), (Some("completed"), Some(9)));
    let instruments = service.read("/api/instruments").await;
    assert_eq!(instruments["items"][0]["lastTrade"], "2", "an earlier day's prices are not the last ones");
    assert_eq!(instruments["items"][0]["lastAt"], "2024-08-08T23:54:18.1234567Z");
}

#[tokio::test(flavor = "multi_thread")]
async fn positions_are_as_they_were_marked() {
    let service = Service::start().await;
    let mark = |run: &str, strategy: &str, equity: &str| AccountMarked {
        run: run.into(),
        strategy: strategy.into(),
        total: AccountFigures {
            equity: equity.into(),
            hit_rate: Some(0.1 + 0.2),
            ..AccountFigures::default()
        },
        instruments: vec![InstrumentFigures {
            symbol: "BTC".into(),
            position: "buy".into(),
            figures: AccountFigures::default(),
        }],
    };
    let marks = [
        mark("r1", "apple", "1"),
        mark("r1", "pear", "2"),
        mark("r2", "apple", "3"),
        mark("r1", "apple", "4.25"),
    ];
    service.publish(&marks);
    service.settle().await;
    let of_run = service.read("/api/positions?run=R1").await;
    assert_eq!(ids(&of_run, "strategy"), ["apple", "pear"]);
    let one = service.read("/api/positions?run=r1&strategy=apple").await;
    assert_eq!(one["items"].as_array().unwrap().len(), 1);
    assert_eq!(
        (one["items"][0]["total"]["equity"].as_str(), one["items"][0]["total"]["hitRate"].as_f64()),
        (Some("4.25"), Some(0.1 + 0.2))
    );
    assert_eq!(one["items"][0]["instruments"][0]["position"], "buy");
    let (status, _) = answered(service.get("/api/positions?strategy=apple")).await;
    assert_eq!(status, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn events_of_all_contexts_come_in_order_and_in_pages() {
    let service = Service::start().await;
    for number in 0..3 {
        service.done("POST", "/api/users", json!({"email": format!("u{number}@x"), "name": "U"})).await;
        service
            .done("POST", "/api/deployments", json!({"name": format!("d{number}"), "strategy": "apple"}))
            .await;
    }
    let mut all = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = service.read(&format!("/api/events?limit=4&cursor={cursor}")).await;
        all.extend(page["items"].as_array().unwrap().clone());
        let Some(next) = page["next"].as_str() else { break };
        cursor = next.to_owned();
    }
    for context in ["accounts", "strategies"] {
        let of_context = all.iter().filter(|event| event["context"] == context);
        let positions: Vec<_> = of_context.map(|event| event["position"].as_u64().unwrap()).collect();
        assert_eq!(positions, (1..=9).collect::<Vec<_>>(), "{context}");
    }
    let page = service.read("/api/events?context=accounts&position=7&name=commandcompleted").await;
    assert_eq!(page["items"][0]["position"], 9);
    let latest = service.read("/api/events?context=accounts&limit=2&latest=True").await;
    assert_eq!(latest["items"][0]["position"], 8);
    let of_command = all[0]["commandId"].as_str().unwrap();
    let page = service.read(&format!("/api/events?command={of_command}")).await;
    assert_eq!(page["items"].as_array().unwrap().len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_program_has_is_listed() {
    let service = Service::start().await;
    let files = service.read("/api/files").await;
    assert_eq!(
        files,
        json!({"items": [{"path": "day.csv", "bytes": 1, "modifiedAt": files["items"][0]["modifiedAt"]}], "next": null})
    );
    let strategies = service.read("/api/strategies").await;
    assert_eq!(strategies, json!({"items": [], "next": null}));
    let (status, _) = answered(service.get("/api/strategies/none")).await;
    assert_eq!(status, 404);
    let projections = service.read("/api/projections").await;
    assert_eq!(
        ids(&projections, "name"),
        [
            "commands",
            "curves",
            "deployments",
            "instruments",
            "positions",
            "replays",
            "signals",
            "trades",
            "users"
        ]
    );
    let (status, _) = service.send("POST", "/api/projections/users/skip", json!({})).await;
    assert_eq!(status, 409);
    let (status, _) = service.send("POST", "/api/projections/none/skip", json!({})).await;
    assert_eq!(status, 404);
    assert_eq!(service.read("/health/live").await["status"], "live");
    assert_eq!(service.read("/openapi.json").await["openapi"], "3.1.0");
    let page = service.get("/docs").send().await.unwrap();
    assert!(page.headers().contains_key("content-security-policy"));
    let text = page.text().await.unwrap();
    assert!(!text.contains("http://") && !text.contains("https://"), "the page loads nothing from elsewhere");
}

/// What a parameter has to have where it is needed; all others may be empty.
fn needed_value(parameter: &str) -> &'static str {
    match parameter {
        "symbol" => "BTC",
        "around" => "1",
        _ => "",
    }
}

/// Every route of the document is there, and refuses nothing that the document says.
#[tokio::test(flavor = "multi_thread")]
async fn the_document_and_the_routes_are_the_same() {
    let errors = Some(broker_that_is_away());
    let service = Service::start_with(|options| GatewayOptions { errors, ..options }).await;
    let document = service.read("/openapi.json").await;
    let id = Uuid::now_v7().to_string();
    for (path, methods) in document["paths"].as_object().unwrap() {
        let allowed: Vec<_> =
            methods.as_object().unwrap().keys().map(|method| method.to_uppercase()).collect();
        let concrete = path.replace("{id}", &id).replace("{name}", "x").replace("{queue}", "x_error");
        let concrete = concrete.replace("{message}", "x");
        let response = service.request("PUT", &concrete).send().await.unwrap();
        assert_eq!(response.status().as_u16(), 405, "{path}");
        let found = response.headers()["allow"].to_str().unwrap().to_owned();
        let mut found: Vec<_> =
            found.split(',').filter(|method| *method != "HEAD").map(str::to_owned).collect();
        let mut expected = allowed.clone();
        found.sort();
        expected.sort();
        assert_eq!(found, expected, "{path}");
        let has_query = methods["get"]["parameters"].as_array().into_iter().flatten();
        let names: Vec<_> = has_query
            .filter(|parameter| parameter["in"] == "query" && parameter["name"] != "after")
            .map(|parameter| parameter["name"].as_str().unwrap())
            .map(|name| format!("{name}={}", needed_value(name)))
            .collect();
        if methods.get("get").is_some() {
            let (status, body) = answered(service.get(&format!("{concrete}?{}", names.join("&")))).await;
            // What its broker has, the gateway cannot say here.
            let expected: &[_] = if path.starts_with("/api/errors") { &[503] } else { &[200, 404] };
            assert!(expected.contains(&status), "{path}: {status} {body}");
        }
    }
}
