//! Messages that failed, without a broker, with one that is away, and with a real one.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use broker::{
    BrokerUrl, Channel, Connection, ExchangeKind, ExchangeOptions, Message, Outcome, QueueOptions, Table,
};
use gateway::{FailedMessages, GatewayOptions};
use serde_json::{Value, json};
use triage::Sight;

use crate::service::{Service, answered};

/// A virtual host of its own for each test, with an endpoint and its error queue, and a gateway that looks at it.
struct Beside {
    service: Service,
    name: String,
    channel: Channel,
    connection: Connection,
    record: PathBuf,
    _folder: tempfile::TempDir,
}

impl Beside {
    /// The error queue has these arguments.
    async fn start(arguments: Table) -> Self {
        let name = format!("gateway-{}", uuid::Uuid::new_v4());
        let amqp = variable("ORCHARD_TEST_AMQP");
        let url: broker::BrokerUrl = format!("{}/{name}", amqp.rsplit_once('/').unwrap().0).parse().unwrap();
        vhost("PUT", &name).await;
        let connection = Connection::open(&url, "test").await.unwrap();
        let channel = connection.open_channel().await.unwrap();
        for (queue, arguments) in [
            (name.clone(), Table::default()),
            ("another_skipped".to_owned(), Table::default()),
            (format!("{name}_error"), arguments),
        ] {
            channel.declare_exchange(&queue, ExchangeKind::Fanout, ExchangeOptions::durable()).await.unwrap();
            channel.declare_queue(&queue, &QueueOptions::durable().with_arguments(arguments)).await.unwrap();
            channel.bind_queue(&queue, &queue, "").await.unwrap();
        }
        let folder = tempfile::tempdir().unwrap();
        let record = folder.path().join("discarded.jsonl");
        let errors = FailedMessages {
            // One node of it is away.
            nodes: vec![away(), url],
            sight: Sight::Management(variable("ORCHARD_TEST_MANAGEMENT")),
            record: record.clone(),
        };
        let service = Service::start_with(|options| GatewayOptions { errors: Some(errors), ..options }).await;
        Self { service, name, channel, connection, record, _folder: folder }
    }

    fn error(&self) -> String {
        format!("{}_error", self.name)
    }

    fn path(&self, more: &str) -> String {
        format!("/api/errors/{}{more}", self.error())
    }

    async fn count(&self, queue: &str) -> u32 {
        self.channel.inspect_queue(queue).await.unwrap().messages
    }

    /// Publishes numbered messages that failed, one a second.
    async fn fail(&self, numbers: std::ops::Range<u32>) {
        for number in numbers {
            let body = json!({
                "messageId": id(number), "correlationId": command(number), "message": {},
                "messageType": ["urn:message:Orchard.Contracts:CreateUser"],
            });
            let body = body.to_string();
            let mut message = Message::persistent(body.as_bytes());
            message.properties.headers = Table::default()
                .with("MT-Reason", "fault")
                .with("MT-Fault-Message", format!("reason {number}"))
                .with("MT-Fault-ExceptionType", "System.ArgumentException")
                .with("MT-Fault-StackTrace", "at A.B()")
                .with("MT-Fault-Timestamp", format!("2024-11-29T10:58:{number:02}Z"))
                .with("MT-Fault-InputAddress", format!("rabbitmq://elsewhere/{}", self.name));
            let outcome = self.channel.publish_confirmed(&self.error(), "", &message).await.unwrap();
            assert_eq!(outcome, Outcome::Confirmed);
        }
    }

    /// Does something, which is done when it is answered.
    async fn act(&self, what: &str, body: Value) -> Value {
        let (status, done) = self.service.send("POST", &self.path(what), body).await;
        assert_eq!(status, 200, "{what}: {done}");
        done
    }

    /// Is refused, and gives the detail.
    async fn refused(&self, status: u16, what: &str, body: Value) -> String {
        let (given, problem) = self.service.send("POST", &self.path(what), body).await;
        assert_eq!((given, &problem["status"]), (status, &json!(status)), "{what}: {problem}");
        problem["detail"].as_str().unwrap().to_owned()
    }

    /// Removes what the test has made.
    async fn end(self) {
        self.connection.close().await.unwrap();
        vhost("DELETE", &self.name).await;
    }
}

/// Nothing listens at port 1.
pub(crate) fn broker_that_is_away() -> FailedMessages {
    FailedMessages { nodes: vec![away()], sight: Sight::ByName, record: "nowhere/discarded.jsonl".into() }
}

fn away() -> BrokerUrl {
    "amqp://guest:hunter2@127.0.0.1:1/%2f".parse().unwrap()
}

fn id(number: u32) -> String {
    format!("00000000-0000-0000-0000-{number:012}")
}

fn command(number: u32) -> String {
    format!("00000000-0000-0000-0001-{number:012}")
}

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is a server's URL"))
}

/// Makes or removes a virtual host: whoever lists its queues looks at no other test's messages.
async fn vhost(method: &str, name: &str) {
    let url = format!("{}/api/vhosts/{name}", variable("ORCHARD_TEST_MANAGEMENT"));
    // Built with the whole workspace, the library of HTTP has TLS, and looks for its cryptography here.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let request = http.request(method.parse().unwrap(), url).basic_auth("guest", Some("guest"));
    let answer = request.header("content-length", "0").send().await.unwrap();
    assert!(answer.status().is_success(), "{method} {name}: {}", answer.status());
}

fn ids(page: &Value) -> Vec<&str> {
    page["items"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_a_broker_says_so() {
    let service = Service::start().await;
    for (method, path) in [
        ("GET", "/api/errors"),
        ("GET", "/api/errors/a_error"),
        ("GET", "/api/errors/a_error/1"),
        ("POST", "/api/errors/a_error/requeue"),
        ("POST", "/api/errors/a_error/move"),
        ("POST", "/api/errors/a_error/discard"),
    ] {
        let request = service.request(method, path);
        let request = if method == "POST" { request.json(&json!({ "all": true })) } else { request };
        let (status, problem) = answered(request).await;
        assert_eq!((status, &problem["title"]), (409, &json!("Conflict")), "{method} {path}");
        assert!(problem["detail"].as_str().unwrap().contains("without a broker"), "{problem}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_is_away_is_asked_again_later() {
    let errors = Some(broker_that_is_away());
    let service = Service::start_with(|options| GatewayOptions { errors, ..options }).await;
    for path in ["/api/errors", "/api/errors/a_error", "/api/errors/a_error/1"] {
        let answer = service.get(path).send().await.unwrap();
        assert_eq!(
            (answer.status().as_u16(), &answer.headers()["retry-after"]),
            (503, &"5".parse().unwrap())
        );
        let text = answer.text().await.unwrap();
        assert!(text.contains("the broker does not answer") && !text.contains("hunter2"), "{text}");
    }
    let all = json!({ "all": true });
    assert_eq!(service.send("POST", "/api/errors/a_error/requeue", all.clone()).await.0, 503);
    let (status, problem) = service.send("POST", "/api/errors/a_error/discard", all).await;
    assert_eq!(status, 503);
    assert!(problem["detail"].as_str().unwrap().contains("cannot be written down"), "{problem}");
    assert_eq!(answered(service.get("/api/errors?limit=0")).await.0, 400);
    assert_eq!(answered(service.get("/api/errors?cursor=x")).await.0, 400);
    assert_eq!(answered(service.get("/api/errors/a_error?olderThan=soon")).await.0, 400);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers: run scripts/test"]
async fn what_failed_is_listed_and_shown() {
    for arguments in
        [Table::default(), Table::default().with("x-queue-type", "quorum").with("x-delivery-limit", 2_i64)]
    {
        let beside = Beside::start(arguments).await;
        beside.fail(0..5).await;
        let service = &beside.service;
        let queue = find(service, &beside.error()).await;
        assert_eq!(
            (&queue["messages"], &queue["lookedAt"], &queue["kind"]),
            (&json!(5), &json!(5), &json!("error"))
        );
        assert_eq!(
            (&queue["newestReason"], &queue["oldestAt"]),
            (&json!("reason 4"), &json!("2024-11-29T10:58:00Z"))
        );
        assert!(queue["oldestAgeS"].as_u64().is_some(), "{queue}");

        let first = service.read(&beside.path("?limit=3")).await;
        assert_eq!(ids(&first), [id(4), id(3), id(2)]);
        let rest = format!("?limit=3&cursor={}", first["next"].as_str().unwrap());
        let rest = service.read(&beside.path(&rest)).await;
        assert_eq!((ids(&rest), &rest["next"]), (vec![id(1).as_str(), id(0).as_str()], &Value::Null));
        let filtered = service.read(&beside.path("?reason=REASON+3&type=createuser&olderThan=1s")).await;
        assert_eq!(ids(&filtered), [id(3)]);
        assert!(ids(&service.read(&beside.path("?newerThan=1s")).await).is_empty());
        assert!(ids(&service.read(&beside.path("?type=Nothing")).await).is_empty());

        for known in [id(2), command(2)] {
            let shown = service.read(&beside.path(&format!("/{known}"))).await;
            assert_eq!(shown["message"]["reason"], "reason 2", "{shown}");
            assert_eq!(
                (&shown["stackTrace"], &shown["message"]["endpoint"]),
                (&json!("at A.B()"), &json!(beside.name))
            );
            let original: Value = serde_json::from_str(shown["body"].as_str().unwrap()).unwrap();
            assert_eq!(original["messageId"], json!(id(2)));
            assert_eq!(shown["headers"]["MT-Reason"], "fault", "{shown}");
        }
        let missing = answered(service.get(&beside.path("/unknown"))).await;
        assert_eq!(missing.0, 404, "{}", missing.1);
        assert_eq!(answered(service.get("/api/errors/nothing_error")).await.0, 404);
        // What waits at the endpoint has not failed.
        let (status, problem) = answered(service.get(&format!("/api/errors/{}", beside.name))).await;
        assert_eq!(status, 409, "{problem}");
        assert_eq!(beside.count(&beside.error()).await, 5, "looking loses nothing");
        beside.end().await;
    }
}

/// A queue of the list, which the management API has some time after it was declared.
async fn find(service: &Service, name: &str) -> Value {
    let begun = Instant::now();
    loop {
        if let Some(found) = listed(service, name).await {
            return found;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "{name} is not listed");
    }
}

/// A queue of the list as it is, page by page.
async fn listed(service: &Service, name: &str) -> Option<Value> {
    let mut path = "/api/errors?limit=1".to_owned();
    loop {
        let page = service.read(&path).await;
        let items = page["items"].as_array().unwrap();
        if let Some(found) = items.iter().find(|queue| queue["name"] == name) {
            return Some(found.clone());
        }
        path = format!("/api/errors?limit=1&cursor={}", page["next"].as_str()?);
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers: run scripts/test"]
async fn what_failed_is_requeued_moved_and_discarded_at_once() {
    let beside = Beside::start(Table::default()).await;
    beside.fail(0..6).await;
    let dry = beside.act("/requeue", json!({ "ids": [id(1)], "dryRun": true })).await;
    assert_eq!((&dry["selected"], &dry["done"], &dry["isDryRun"]), (&json!(1), &json!(0), &json!(true)));
    assert_eq!(
        (dry["first"][0]["id"].as_str(), beside.count(&beside.error()).await),
        (Some(id(1).as_str()), 6)
    );

    let done = beside.act("/requeue", json!({ "ids": [id(1), command(2)] })).await;
    assert_eq!((&done["done"], &done["isCut"], &done["record"]), (&json!(2), &json!(false), &Value::Null));
    let handed = beside.channel.get(&beside.name).await.unwrap().unwrap();
    assert!(handed.properties.headers.get("MT-Reason").is_none(), "as it was sent");
    assert_eq!((beside.count(&beside.name).await, beside.count(&beside.error()).await), (1, 4));

    let limited = beside.act("/requeue", json!({ "all": true, "limit": 1 })).await;
    assert_eq!((&limited["done"], &limited["isCut"]), (&json!(1), &json!(true)));
    let moved = beside.act("/move", json!({ "reason": "reason 3", "to": beside.name })).await;
    assert_eq!(moved["done"], 1, "{moved}");

    let discarded = beside.act("/discard", json!({ "reason": "reason 4" })).await;
    assert_eq!((&discarded["done"], &discarded["record"]), (&json!(1), &json!("discarded.jsonl")));
    let record = std::fs::read_to_string(&beside.record).unwrap();
    let line: Value = serde_json::from_str(record.trim_end()).unwrap();
    assert_eq!(line["entry"]["id"], json!(id(4)));
    assert_eq!(beside.count(&beside.error()).await, 1);
    beside.end().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers: run scripts/test"]
async fn what_cannot_be_done_is_refused_and_stays() {
    let beside = Beside::start(Table::default()).await;
    beside.fail(0..2).await;
    assert!(beside.refused(400, "/requeue", json!({})).await.contains("say which messages"));
    assert!(beside.refused(404, "/requeue", json!({ "ids": ["unknown"] })).await.contains("none of these"));
    let nowhere = json!({ "all": true, "to": format!("{}-gone", beside.name) });
    let detail = beside.refused(409, "/move", nowhere.clone()).await;
    assert!(detail.contains(&id(0)) && detail.contains("leads to no queue"), "{detail}");
    assert!(beside.refused(409, "/requeue", nowhere).await.contains("is not there"));
    beside.refused(400, "/move", json!({ "all": true, "to": beside.error() })).await;
    assert_eq!(beside.act("/requeue", json!({ "reason": "something else" })).await["selected"], 0);
    assert_eq!(beside.count(&beside.error()).await, 2);
    beside.end().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers: run scripts/test"]
async fn two_who_look_at_once_both_see_everything() {
    let beside = Beside::start(Table::default()).await;
    beside.fail(0..20).await;
    let path = beside.path("");
    let looks = (0..8).map(|_| beside.service.read(&path));
    let pages = futures_util::future::join_all(looks).await;
    assert!(pages.iter().all(|page| ids(page).len() == 20), "one sees what another has taken off to look");
    beside.end().await;
}
