//! Documents that gateways share: the same that a gateway makes for itself, and read as soon as they are made.

use std::future::Future;

use database::testing::Database;
use gateway::documents::{DocumentStore, Found, IndexQuery, PostgresDocuments, SqliteDocuments};
use gateway::documents::{Durability, Key};
use gateway::projections::RegisteredProjection;
use gateway::{DocumentKeeper, DocumentPlace, Gateway, GatewayOptions};
use serde_json::{Value, json};
use tick_sdk::contracts::accounts::UserRenamed;
use uuid::Uuid;

use crate::rebuild::{all, with_everything};
use crate::service::{Service, answered, signals};

/// A service with documents of its own, and a gateway beside it that reads those of a database.
struct Beside {
    service: Service,
    reader: Gateway,
    url: String,
}

impl Beside {
    async fn start(url: &str) -> Self {
        let service = with_everything().await;
        let options = GatewayOptions {
            documents: DocumentPlace::Shared { url: url.to_owned(), keeps: false },
            listen: vec![([127, 0, 0, 1], 0).into()],
            ..GatewayOptions::default()
        };
        let reader = Gateway::start(service.bus.clone(), options).await.unwrap();
        Self { service, reader, url: url.to_owned() }
    }

    async fn keep(&self) -> DocumentKeeper {
        let (url, events) = (self.url.clone(), self.service.bus.events());
        tokio::task::spawn_blocking(move || DocumentKeeper::start(&url, events)).await.unwrap().unwrap()
    }

    async fn ask(&self, method: &str, path: &str) -> (u16, Value) {
        let url = format!("http://{}{path}", self.reader.local_addr());
        answered(self.service.http.request(method.parse().unwrap(), url).json(&json!({}))).await
    }

    async fn read(&self, path: &str) -> Value {
        let (status, body) = self.ask("GET", path).await;
        assert_eq!(status, 200, "{path}: {body}");
        body
    }

    /// Asks until it is so.
    async fn until(&self, path: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
        loop {
            let (_, body) = self.ask("GET", path).await;
            if is_so(&body) {
                return body;
            }
            assert!(std::time::Instant::now() < deadline, "{path}: {body}");
        }
    }

    /// Waits until both have read everything, and compares what they made of it.
    async fn assert_same(&self) {
        self.service.settle().await;
        self.until("/health/ready", |ready| ready["status"] == "ready" && ready["eventsBehind"] == 0).await;
        let place = self.service.folder.path().join("read.sqlite");
        let own = SqliteDocuments::open(&place, Durability::LastCommitsMayBeLost).unwrap();
        let url = self.url.clone();
        let compared = tokio::task::spawn_blocking(move || {
            let shared = PostgresDocuments::open(&url).unwrap();
            let (expected, found) = (all(&own), all(&shared));
            assert!(expected.len() > 40);
            let different = expected.iter().zip(&found).find(|(one, other)| one != other);
            assert_eq!((different, expected.len()), (None, found.len()));
            assert_eq!(indexed(&own), indexed(&shared));
            assert_eq!(own.cursors().unwrap(), shared.cursors().unwrap());
        });
        compared.await.unwrap();
    }
}

/// What every index has, in its order.
fn indexed(store: &dyn DocumentStore) -> Vec<(Key, String)> {
    let projections = RegisteredProjection::all().unwrap();
    let mut indexed = Vec::new();
    for collection in projections.iter().flat_map(|projection| projection.collections) {
        for index in 0..collection.indexes.len() {
            let query =
                IndexQuery { index, from: None, to: None, is_descending: true, after: None, limit: 1000 };
            let found = store.page(collection, &query).unwrap().into_iter();
            indexed.extend(found.map(|Found { key, document }| (key, document.id)));
        }
    }
    indexed
}

fn run<F: Future<Output = ()>>(test: impl FnOnce(String) -> F) {
    let database = Database::create();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(test(database.url()));
    drop(runtime);
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn a_gateway_reads_what_another_process_makes() {
    run(async |url| {
        let beside = Beside::start(&url).await;
        let ready = beside.read("/health/ready").await;
        assert_eq!(ready["status"], "degraded");
        assert!(ready["projections"]["reason"].as_str().unwrap().contains("no process has made"), "{ready}");
        assert_eq!(beside.ask("GET", "/api/users").await.0, 503);
        let (first, second) = (beside.keep().await, beside.keep().await);
        beside.assert_same().await;
        let users = beside.read("/api/users").await;
        assert_eq!(users["items"].as_array().unwrap().len(), 20);
        // Whichever of them keeps the documents ends, and the other goes on.
        for ended in [first, second] {
            let sent = json!({"email": format!("{}@x", Uuid::now_v7()), "name": "U"});
            let (_, accepted) = beside.service.send("POST", "/api/users", sent).await;
            let id = accepted["commandId"].as_str().unwrap();
            let (status, user) = beside.ask("GET", &format!("/api/users/{id}?after={id}")).await;
            assert_eq!((status, user["userId"].as_str()), (200, Some(id)), "{user}");
            let command = beside.read(&format!("/api/commands/{id}?wait=10s")).await;
            assert_eq!(command["state"], "completed");
            drop(tokio::task::spawn_blocking(move || drop(ended)).await);
        }
        let away = |ready: &Value| {
            let reason = ready["projections"]["reason"].as_str();
            reason.is_some_and(|reason| reason.contains("no process has kept"))
        };
        let ready = beside.until("/health/ready", away).await;
        assert_eq!(ready["status"], "degraded");
        // What was made can be read all the same.
        assert_eq!(beside.read("/api/users?limit=1000").await["items"].as_array().unwrap().len(), 22);
    });
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn shared_documents_are_made_anew_and_skip_what_a_gateway_is_told_to() {
    run(async |url| {
        let beside = Beside::start(&url).await;
        let (keeper, other) = (beside.keep().await, beside.keep().await);
        beside.assert_same().await;
        beside.service.publish(&[UserRenamed { user_id: Uuid::now_v7(), name: "B".into() }]);
        let users = |state: &'static str| {
            move |page: &Value| {
                let mut all = page["items"].as_array().into_iter().flatten();
                all.any(|one| one["name"] == "users" && one["state"] == state)
            }
        };
        beside.until("/api/projections", users("stopped")).await;
        let (status, skipped) = beside.ask("POST", "/api/projections/users/skip").await;
        assert_eq!((status, skipped["state"].as_str()), (200, Some("running")), "{skipped}");
        // Of the documents of its own that was not skipped: it is asked to, too.
        let (status, _) = beside.service.send("POST", "/api/projections/users/skip", json!({})).await;
        assert_eq!(status, 200);
        beside.service.publish(&[signals("r9", "apple", "BTC", 0, 700)]);
        beside.assert_same().await;
        // Made anew by one while the other may keep them.
        let rebuild = move || {
            let report = keeper.rebuild().unwrap();
            (keeper, report)
        };
        let (keeper, report) = tokio::task::spawn_blocking(rebuild).await.unwrap();
        assert!(report.events > 60, "{report:?}");
        beside.assert_same().await;
        assert!(users("running")(&beside.read("/api/projections").await));
        let done = beside.service.done("POST", "/api/users", json!({"email": "after@x", "name": "U"})).await;
        let id = done["commandId"].as_str().unwrap();
        beside.read(&format!("/api/users/{id}?after={id}")).await;
        drop(tokio::task::spawn_blocking(move || drop((keeper, other))).await);
    });
}
