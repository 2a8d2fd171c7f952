//! Input that is wrong in every way: refused by name, and nothing is stored.

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::service::{Service, answered};

async fn refused(service: &Service, body: String) -> Value {
    let request =
        service.request("POST", "/api/replays").header("content-type", "application/json").body(body);
    let response = request.send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "application/problem+json");
    let (status, problem) = crate::service::body_of(response).await;
    assert_eq!((status, problem["status"].as_u64()), (400, Some(400)), "{problem}");
    problem
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_are_refused_with_what_is_wrong_where() {
    let service = Service::start().await;
    #[cfg(unix)]
    std::os::unix::fs::symlink("/etc/passwd", service.folder.path().join("captures/link")).unwrap();
    for (body, pointer) in [
        (r#"{"files":["../x"]}"#.to_owned(), "/files/0"),
        (r#"{"files":["day.csv","/etc/passwd"]}"#.to_owned(), "/files/1"),
        (r#"{"files":["link"]}"#.to_owned(), "/files/0"),
        (r#"{"files":["a\u0000b"]}"#.to_owned(), "/files/0"),
        (r#"{"files":["\ud800"]}"#.to_owned(), "/files/0"),
        (r#"{"files":["none.csv"]}"#.to_owned(), "/files/0"),
        (r#"{"files":"day.csv"}"#.to_owned(), "/files"),
        (r#"{"files":["day.csv"],"from":"2024-08-08T00:00:00"}"#.to_owned(), "/from"),
        (r#"{"files":["day.csv"],"files":["day.csv"]}"#.to_owned(), "/files"),
        (r#"{"files":["day.csv"],"unknown":1}"#.to_owned(), "/unknown"),
        (r#"{"files":["day.csv"],"speed":"1"}"#.to_owned(), "/speed"),
        (format!("{{\"files\":{}", "[".repeat(1000)), "/files/0/0"),
        ("[".repeat(900_000), "/0/0"),
        ("null".to_owned(), ""),
    ] {
        let problem = refused(&service, body).await;
        let found = problem["pointers"][0]["pointer"].as_str().unwrap();
        assert!(found.starts_with(pointer), "{pointer}: {problem}");
        let errors = problem["errors"].as_object().unwrap();
        assert!(errors.values().all(|texts| texts.as_array().unwrap().iter().all(Value::is_string)));
    }
    let problem = refused(&service, String::new()).await;
    assert!(problem["detail"].as_str().unwrap().contains("empty"));
    assert_eq!(service.bus.events().head("ticks").unwrap(), 0, "nothing is stored");
}

#[tokio::test(flavor = "multi_thread")]
async fn texts_of_all_kinds_are_kept_as_they_are() {
    let service = Service::start().await;
    for text in
        ["'; DROP TABLE doc_users; --", "$.a[?(@.b)]", "{\"$ne\":1}", "é\u{1f34e}", "\"\\/<>&+'\u{7f}", "%00"]
    {
        let done = service.done("POST", "/api/users", json!({"email": "a@b", "name": text})).await;
        let user = service.read(&format!("/api/users/{}", done["commandId"].as_str().unwrap())).await;
        assert_eq!(user["name"], text);
    }
    assert_eq!(service.read("/api/users").await["items"].as_array().unwrap().len(), 6);
    for path in
        ["/api/deployments/'%20OR%201=1", "/api/deployments/a%2Fb", "/api/signals?symbol='%20OR%20''='"]
    {
        let (status, body) = answered(service.get(path)).await;
        assert!([200, 404].contains(&status), "{path}: {body}");
    }
    for path in [
        "/api/deployments/a%00",
        "/api/deployments/%ff",
        "/api/users/1",
        "/api/users?limit=1001",
        "/api/users?x=1",
        "/api/users?cursor=%27",
        "/api/events?cursor=AAAA",
    ] {
        let (status, problem) = answered(service.get(path)).await;
        assert_eq!((status, problem["status"].as_u64()), (400, Some(400)), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn types_and_sizes_are_checked_before_anything_is_read() {
    let service = Service::start().await;
    let post = |kind: &'static str, body: String| {
        answered(service.request("POST", "/api/users").header("content-type", kind).body(body))
    };
    let user = json!({"email": "a@b", "name": "A"}).to_string();
    assert_eq!(post("text/plain", user.clone()).await.0, 415);
    assert_eq!(post("application/x-www-form-urlencoded", user.clone()).await.0, 415);
    assert_eq!(post("application/json; charset=utf-8", user.clone()).await.0, 202);
    let zipped = service.request("POST", "/api/users").header("content-type", "application/json");
    assert_eq!(answered(zipped.header("content-encoding", "gzip").body(user)).await.0, 415);
    for bytes in [(1 << 20) + 1, 100 << 20] {
        let (status, problem) = post("application/json", " ".repeat(bytes)).await;
        assert_eq!((status, problem["status"].as_u64()), (413, Some(413)), "{bytes}");
    }
    assert_eq!(post("application/json", " ".repeat(1 << 20)).await.0, 400);
}

/// Sends bytes as they are, and gives all that is answered.
async fn raw(service: &Service, request: &str) -> String {
    let mut stream = TcpStream::connect(service.gateway.local_addr()).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    String::from_utf8(answer).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_in_chunks_are_taken_and_bounded() {
    let service = Service::start().await;
    let head = format!(
        "POST /api/users HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Transfer-Encoding: chunked\r\n\r\n",
        service.gateway.local_addr()
    );
    let body = r#"{"email":"a@b","name":"A"}"#;
    let chunks = format!("{:x}\r\n{}\r\n{:x}\r\n{}\r\n0\r\n\r\n", 5, &body[..5], body.len() - 5, &body[5..]);
    let answer = raw(&service, &format!("{head}{chunks}")).await;
    assert!(answer.starts_with("HTTP/1.1 202"), "{answer}");
    let chunk = format!("10000\r\n{}\r\n", " ".repeat(0x10000));
    let answer = raw(&service, &format!("{head}{}0\r\n\r\n", chunk.repeat(17))).await;
    assert!(answer.starts_with("HTTP/1.1 413") && answer.contains("application/problem+json"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_route_is_a_problem_too() {
    let service = Service::start().await;
    for (method, path, expected) in [
        ("GET", "/api/none", 404),
        ("GET", "/none", 404),
        ("PUT", "/api/users", 405),
        ("GET", "/api/users/", 404),
    ] {
        let response = service.request(method, path).send().await.unwrap();
        assert_eq!(response.headers()["content-type"], "application/problem+json", "{path}");
        assert!(
            response.headers().contains_key("x-request-id")
                && response.headers().contains_key("x-correlation-id")
        );
        let (status, problem) = crate::service::body_of(response).await;
        assert_eq!(
            (status, problem["status"].as_u64(), problem["instance"].as_str()),
            (expected, Some(u64::from(expected)), Some(path))
        );
    }
    let response = service.get("/api/none").header("x-request-id", "mine").send().await.unwrap();
    assert_eq!(response.headers()["x-request-id"], "mine");
}
