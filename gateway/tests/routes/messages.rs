//! Requests that are odd as messages of HTTP, whatever they ask for.

use reqwest::Method;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::service::{Service, answered};

/// What is answered to these bytes.
async fn raw(service: &Service, request: &str) -> String {
    let mut stream = TcpStream::connect(service.gateway.local_addr()).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_has_one_host() {
    let service = Service::start().await;
    let host = format!("Host: {}\r\n", service.gateway.local_addr());
    for (hosts, status) in [(0, 400), (1, 200), (2, 400)] {
        let hosts = host.repeat(hosts);
        let answer =
            raw(&service, &format!("GET /api/users HTTP/1.1\r\n{hosts}Connection: close\r\n\r\n")).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
    }
    let answer = raw(&service, &format!("GET //evil/x HTTP/1.1\r\n{host}Connection: close\r\n\r\n")).await;
    assert!(answer.starts_with("HTTP/1.1 404 ") && !answer.contains("\"instance\""), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_without_its_document_has_no_other_length() {
    let service = Service::start().await;
    let done = service.done("POST", "/api/users", json!({"email": "a@x", "name": "A"})).await;
    let path = format!("/api/users/{}", done["commandId"].as_str().unwrap());
    let whole = service.get(&path).send().await.unwrap();
    let (etag, length) = (whole.headers()["etag"].clone(), whole.headers()["content-length"].clone());
    for method in [Method::GET, Method::HEAD] {
        let known = service.request(method.as_str(), &path).header("if-none-match", &etag);
        let answer = known.send().await.unwrap();
        assert_eq!(answer.status().as_u16(), 304);
        assert!(answer.headers().get("content-length").is_none_or(|given| *given == length), "{method}");
        assert!(answer.bytes().await.unwrap().is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_takes_no_condition() {
    let service = Service::start().await;
    let body = json!({"email": "a@x", "name": "A"});
    for name in ["if-match", "if-none-match"] {
        let request = service.request("POST", "/api/users").header(name, "*").json(&body);
        let (status, problem) = answered(request).await;
        assert_eq!(status, 412, "{problem}");
    }
    service.settle().await;
    assert_eq!(service.read("/api/commands").await["items"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_of_another_kind_is_told_which_is_taken() {
    let service = Service::start().await;
    let refused = service.request("POST", "/api/users").body("x").send().await.unwrap();
    assert_eq!(
        (refused.status().as_u16(), &refused.headers()["accept"]),
        (415, &"application/json".parse().unwrap())
    );
    let (_, problem) =
        answered(service.request("POST", "/api/users").header("idempotency-key", "\u{e9}")).await;
    assert!(problem["errors"]["Idempotency-Key"].is_array(), "{problem}");
}
