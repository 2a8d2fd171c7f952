use signalr::Options;

use crate::client::{Client, request};
use crate::echo::{Server, options};

fn with_origins() -> Options {
    Options { origins: vec!["http://app.example".into()], ..options() }
}

#[tokio::test]
async fn upgrades_of_foreign_pages_are_refused() {
    for (options, origin, status) in [
        (options(), "http://elsewhere.example", 403),
        (options(), "https://test.example", 101),
        (options(), "https://test.example.evil", 403),
        (options(), "null", 403),
        (with_origins(), "http://app.example", 101),
        (with_origins(), "HTTP://App.example", 101),
        (with_origins(), "https://app.example", 403),
        (with_origins(), "http://test.example", 101),
    ] {
        let server = Server::start(options).await;
        let mut client = Client::connect(server.address).await;
        let origin = format!("Origin: {origin}");
        assert_eq!(client.upgrade("/echo", &[&origin]).await.status, status, "{origin}");
    }
}

#[tokio::test]
async fn preflights_are_answered_as_recorded() {
    let server = Server::start(with_origins()).await;
    let asked = [
        "Access-Control-Request-Method: POST",
        "Access-Control-Request-Headers: x-requested-with,x-signalr-user-agent,authorization",
    ];
    let own = [&["Origin: http://app.example"][..], &asked].concat();
    let answer = request(server.address, "OPTIONS /echo/negotiate?negotiateVersion=1", &own, "").await;
    assert_eq!(answer.status, 204);
    assert_eq!(answer.header("access-control-allow-origin"), Some("http://app.example"));
    assert_eq!(answer.header("access-control-allow-credentials"), Some("true"));
    assert_eq!(answer.header("access-control-allow-methods"), Some("POST"));
    let headers = "x-requested-with,x-signalr-user-agent,authorization";
    assert_eq!(answer.header("access-control-allow-headers"), Some(headers));
    let foreign = [&["Origin: http://elsewhere.example"][..], &asked].concat();
    let answer = request(server.address, "OPTIONS /echo?id=x", &foreign, "").await;
    assert_eq!(answer.status, 204);
    assert!(!answer.head.contains("access-control"));
    let unconfigured = Server::start(options()).await;
    assert_eq!(request(unconfigured.address, "OPTIONS /echo/negotiate", &own, "").await.status, 405);
}

#[tokio::test]
async fn every_answer_names_an_origin_that_may_read_it() {
    let server = Server::start(with_origins()).await;
    for target in
        ["POST /echo/negotiate", "GET /echo", "POST /echo?access_token=bad", "DELETE /echo?id=unknown"]
    {
        let answer = request(server.address, target, &["Origin: http://app.example"], "").await;
        assert_eq!(answer.header("access-control-allow-origin"), Some("http://app.example"), "{target}");
        assert_eq!(answer.header("access-control-allow-credentials"), Some("true"));
        let answer = request(server.address, target, &["Origin: http://elsewhere.example"], "").await;
        assert!(!answer.head.contains("access-control"));
    }
}
