//! Filters around calls, connecting and disconnecting.

use std::sync::{Arc, Mutex};

use serde_json::json;

use super::client::{Server, ended, error, item};
use crate::{Call, Context, Filter, HubError, Next, Options, Returned};

#[derive(Clone)]
struct Noting {
    name: &'static str,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Noting {
    fn note(&self, what: &str) {
        self.seen.lock().unwrap().push(format!("{} {what}", self.name));
    }
}

impl Filter for Noting {
    async fn call(
        &self,
        call: &Call,
        next: Next<'_, Result<Returned, HubError>>,
    ) -> Result<Returned, HubError> {
        self.note(&format!("before {} {}", call.method, call.is_stream));
        let returned = next.run().await;
        self.note(&format!("after {}", returned.is_ok()));
        returned
    }

    async fn connected(&self, _: &Context, next: Next<'_, Result<(), HubError>>) -> Result<(), HubError> {
        self.note("connecting");
        next.run().await
    }

    async fn disconnected(&self, _: &Context, error: Option<&str>, next: Next<'_, ()>) {
        next.run().await;
        self.note(&format!("disconnected {error:?}"));
    }
}

struct Refusing;

impl Filter for Refusing {
    async fn call(
        &self,
        call: &Call,
        next: Next<'_, Result<Returned, HubError>>,
    ) -> Result<Returned, HubError> {
        match call.method {
            "Echo" => Err(HubError::deliberate("not today")),
            "Nothing" => Err(HubError::unauthorized()),
            _ => next.run().await,
        }
    }
}

#[tokio::test]
async fn the_first_filter_is_the_outermost_and_any_may_refuse() {
    let seen = Arc::<Mutex<Vec<String>>>::default();
    let noting = |name| Noting { name, seen: seen.clone() };
    let mut server = Server::new(Options::default());
    server.server = server.server.filter(noting("outer")).filter(Refusing).filter(noting("inner"));
    let mut client = server.client().await;
    assert_eq!(client.answer("add", json!([1, 2])).await, 3);
    client.stream("1", "Count", json!([1])).await;
    assert_eq!(client.next().await, item("1", json!(0)));
    assert_eq!(client.next().await, ended("1"));
    assert_eq!(
        client.answer("Echo", json!(["x"])).await,
        error("An unexpected error occurred invoking 'Echo' on the server. HubException: not today")
    );
    assert_eq!(
        client.answer("Nothing", json!([])).await,
        error("Failed to invoke 'Nothing' because user is unauthorized")
    );
    // The rules of the method come first.
    assert_eq!(
        client.answer("Admin", json!([])).await,
        error("Failed to invoke 'Admin' because user is unauthorized")
    );
    client.send(&json!({"type": 7})).await;
    client.served().await;
    server.hub.until(|_| seen.lock().unwrap().len() == 16).await;
    let expected = [
        "outer connecting",
        "inner connecting",
        "outer before Add false",
        "inner before Add false",
        "inner after true",
        "outer after true",
        "outer before Count true",
        "inner before Count true",
        "inner after true",
        "outer after true",
        "outer before Echo false",
        "outer after false",
        "outer before Nothing false",
        "outer after false",
        "inner disconnected None",
        "outer disconnected None",
    ];
    assert_eq!(*seen.lock().unwrap(), expected);
}
