use std::sync::{Arc, LazyLock};

use proptest::prelude::*;
use signalr::Options;
use signalr::transports::{Endpoint, Redirect, Transport};

use crate::client::request;
use crate::echo::{Echo, LONG_ENOUGH, Server, authenticate, eventually, options};

const TRANSPORTS: &str = r#"[{"transport":"WebSockets","transferFormats":["Text","Binary"]},{"transport":"ServerSentEvents","transferFormats":["Text"]},{"transport":"LongPolling","transferFormats":["Text","Binary"]}]"#;

#[tokio::test]
async fn each_version_is_answered_as_recorded() {
    let server = Server::start(options()).await;
    for (query, version) in
        [("", 0), ("?negotiateVersion=0", 0), ("?NegotiateVERSION=1", 1), ("?room=7&negotiateVersion=99", 1)]
    {
        let answer = request(server.address, &format!("POST /echo/negotiate{query}"), &[], "").await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("content-type"), Some("application/json"));
        let id = answer.field("connectionId");
        let token = answer.field("connectionToken");
        let expected = if version == 0 {
            assert_eq!(token, "");
            format!(r#"{{"negotiateVersion":0,"connectionId":"{id}","availableTransports":{TRANSPORTS}}}"#)
        } else {
            assert_ne!(id, token);
            format!(
                r#"{{"negotiateVersion":1,"connectionId":"{id}","connectionToken":"{token}","availableTransports":{TRANSPORTS}}}"#
            )
        };
        assert_eq!(answer.text(), expected, "{query}");
    }
}

#[tokio::test]
async fn versions_that_are_none_are_explained() {
    let server = Server::start(options()).await;
    let not_an_integer = r#"{"error":"The client requested a non-integer protocol version."}"#;
    for query in ["negotiateVersion=", "negotiateVersion=abc", "negotiateVersion=1&negotiateVersion=0"] {
        let answer = request(server.address, &format!("POST /echo/negotiate?{query}"), &[], "").await;
        assert_eq!((answer.status, answer.text()), (200, not_an_integer));
    }
    let answer = request(server.address, "POST /echo/negotiate?negotiateVersion=-1", &[], "").await;
    assert_eq!(
        answer.text(),
        r#"{"error":"The client requested version '-1', but the server does not support this version."}"#
    );
    assert_eq!(server.endpoint.counts().negotiated, 0);
}

#[tokio::test]
async fn stateful_reconnect_is_granted_where_it_is_asked_for_and_offered() {
    for (offered, asked, granted) in [
        (true, "&useStatefulReconnect=true", true),
        (true, "&USEStatefulReconnect=True", true),
        (true, "&useStatefulReconnect=1", false),
        (true, "&useStatefulReconnect=false", false),
        (true, "&useStatefulReconnect=", false),
        (true, "", false),
        (false, "&useStatefulReconnect=true", false),
    ] {
        let server = Server::start(Options { stateful_reconnect: offered, ..options() }).await;
        for version in [0, 1] {
            let negotiate = format!("POST /echo/negotiate?negotiateVersion={version}{asked}");
            let answer = request(server.address, &negotiate, &[], "").await;
            let begins = r#"{"useStatefulReconnect":true,"negotiateVersion":"#;
            assert_eq!(answer.text().starts_with(begins), granted, "{offered} {asked}");
            assert_eq!(answer.text().contains("useStatefulReconnect"), granted);
        }
    }
}

#[tokio::test]
async fn only_what_is_offered_stands_in_the_answer() {
    let server = Server::start(Options { transports: vec![Transport::LongPolling], ..options() }).await;
    let answer = request(server.address, "POST /echo/negotiate", &[], "").await;
    let only = r#""availableTransports":[{"transport":"LongPolling","transferFormats":["Text","Binary"]}]}"#;
    assert!(answer.text().ends_with(only));
}

#[tokio::test]
async fn the_body_and_its_type_do_not_matter() {
    let server = Server::start(options()).await;
    for (headers, body) in [
        (&["Content-Type: application/json"][..], ""),
        (&["Content-Type: application/json"], "not json"),
        (&[], "x"),
    ] {
        let answer = request(server.address, "POST /echo/negotiate/?negotiateVersion=1", headers, body).await;
        assert_eq!(answer.status, 200);
    }
}

#[tokio::test]
async fn clients_are_sent_elsewhere_where_the_application_says_so() {
    let endpoint = Endpoint::new(Arc::new(Echo), options(), authenticate).redirect(|request| {
        let query = request.uri.query().unwrap_or_default();
        query.contains("tenant").then(|| Redirect {
            url: "https://other.example/hub".to_owned(),
            access_token: query.contains("token").then(|| "secret".to_owned()),
        })
    });
    let server = Server::of(endpoint).await;
    for (query, expected) in [
        ("tenant", r#"{"url":"https://other.example/hub"}"#),
        ("tenant&with=token", r#"{"url":"https://other.example/hub","accessToken":"secret"}"#),
    ] {
        let answer = request(server.address, &format!("POST /echo/negotiate?{query}"), &[], "").await;
        assert_eq!((answer.status, answer.text()), (200, expected));
    }
    assert_eq!(server.endpoint.counts().negotiated, 0);
    assert!(request(server.address, "POST /echo/negotiate", &[], "").await.text().contains("connectionId"));
}

#[tokio::test]
async fn abandoned_ids_end_in_time() {
    let server = Server::start(Options { disconnect_timeout: LONG_ENOUGH, ..options() }).await;
    let id = request(server.address, "POST /echo/negotiate", &[], "").await.field("connectionId");
    assert_eq!(server.endpoint.counts().negotiated, 1);
    eventually("it ends", || server.endpoint.counts().negotiated == 0).await;
    assert_eq!(request(server.address, &format!("GET /echo?id={id}"), &[], "").await.status, 404);
}

/// How many ids the server of random negotiations keeps.
const FEW: usize = 10;

/// It serves all random negotiations.
static RANDOM: LazyLock<(tokio::runtime::Runtime, Server)> = LazyLock::new(|| {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let limits = Options { max_abandoned: FEW, stateful_reconnect: true, ..options() };
    let server = runtime.block_on(Server::start(limits));
    (runtime, server)
});

fn query() -> impl Strategy<Value = String> {
    let pair = prop_oneof![
        "(negotiateVersion|NEGOTIATEVERSION|negotiate%56ersion)(=[-+0-9%a-f. ]{0,12})?",
        "useStatefulReconnect=(true|TRUE|%74rue|1|[!$-~]{0,5})",
        "(id|access_token|[a-z]{0,3})(=[!$-~]{0,40})?",
    ];
    proptest::collection::vec(pair, 0..5).prop_map(|pairs| pairs.join("&").replace(' ', "%20"))
}

proptest! {
    #[test]
    fn any_negotiation_is_answered_and_costs_a_bounded_amount(
        query in query(),
        header in "(Origin|Authorization|Cookie|Content-Type|Accept|X-Requested-With|X-SignalR-User-Agent): [ -~]{0,60}",
        body in "\\PC{0,80}",
    ) {
        let (runtime, server) = &*RANDOM;
        let negotiate = format!("POST /echo/negotiate?{query}");
        let answer = runtime.block_on(request(server.address, &negotiate, &[&header], &body));
        // 400: no URI. 401: the token is one that is refused.
        prop_assert!([200, 400, 401].contains(&answer.status), "{answer:?}");
        if answer.status == 200 && answer.field("error").is_empty() {
            prop_assert_eq!(answer.field("connectionId").len(), 22);
        }
        prop_assert!(server.endpoint.counts().negotiated <= FEW);
    }
}
