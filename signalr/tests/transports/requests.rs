//! Section 2 of the sheet, row by row.

use signalr::Options;
use signalr::transports::Transport;

use crate::client::{Answer, Client, negotiate, request};
use crate::echo::{Server, options};

const EVENTS: &str = "Accept: text/event-stream";

/// Text is `text/plain`, also where it is empty.
#[track_caller]
fn assert_text(answer: &Answer, status: u16, text: &str) {
    assert_eq!((answer.status, answer.text()), (status, text));
    assert_eq!(answer.header("content-type"), Some("text/plain"));
}

#[tokio::test]
async fn requests_without_an_id_or_with_an_unknown_one() {
    let server = Server::start(options()).await;
    for (query, status, text) in [
        ("", 400, "Connection ID required"),
        ("?id=", 400, "Connection ID required"),
        ("?id=AAAAAAAAAAAAAAAAAAAAAA", 404, "No Connection with that ID"),
    ] {
        for method in ["GET", "POST", "DELETE"] {
            let answer = request(server.address, &format!("{method} /echo{query}"), &[], "x").await;
            assert_text(&answer, status, text);
            assert_eq!(answer.is_uncached(), method == "GET");
        }
        let answer = request(server.address, &format!("GET /echo{query}"), &[EVENTS], "").await;
        assert_text(&answer, status, text);
        assert!(!answer.is_uncached());
    }
    let mut client = Client::connect(server.address).await;
    let answer = client.upgrade("/echo?id=AAAAAAAAAAAAAAAAAAAAAA", &[]).await;
    assert_eq!((answer.status, answer.text()), (404, "No Connection with that ID"));
    assert_eq!(answer.header("content-type"), None);
}

#[tokio::test]
async fn an_upgrade_without_an_id_is_a_new_connection() {
    let server = Server::start(options()).await;
    for target in ["/echo", "/echo?id=", "/echo/"] {
        let mut client = Client::connect(server.address).await;
        let answer = client.upgrade(target, &[]).await;
        assert_eq!(answer.status, 101);
        assert_eq!(answer.header("sec-websocket-accept"), Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
        assert_eq!(answer.header("sec-websocket-extensions"), None);
        assert_eq!(client.echo("hello").await, "hello");
    }
}

#[tokio::test]
async fn an_upgrade_that_is_none_is_a_poll_or_a_post() {
    let server = Server::start(options()).await;
    let upgrade = ["Connection: Upgrade", "Upgrade: websocket"];
    let version_12 = ["Sec-WebSocket-Version: 12", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="];
    let short_key = ["Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhl"];
    for wrong in [&version_12[..], &["Sec-WebSocket-Version: 13"], &short_key] {
        let answer = request(server.address, "GET /echo", &[&upgrade, wrong].concat(), "").await;
        assert_text(&answer, 400, "Connection ID required");
        assert!(answer.is_uncached());
    }
    let right = ["Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="];
    let answer = request(server.address, "POST /echo", &[&upgrade[..], &right].concat(), "").await;
    assert_text(&answer, 400, "Connection ID required");
}

#[tokio::test]
async fn only_the_token_is_an_id_and_its_name_has_any_case() {
    let server = Server::start(options()).await;
    let answer = request(server.address, "POST /echo/negotiate?negotiateVersion=1", &[], "").await;
    let public =
        request(server.address, &format!("GET /echo?id={}", answer.field("connectionId")), &[], "").await;
    assert_text(&public, 404, "No Connection with that ID");
    let target = format!("GET /echo?ID={}", answer.field("connectionToken"));
    assert_eq!(request(server.address, &target, &[], "").await.status, 200);
    let version_0 = request(server.address, "POST /echo/negotiate", &[], "").await.field("connectionId");
    assert_eq!(request(server.address, &format!("GET /echo?id={version_0}"), &[], "").await.status, 200);
}

#[tokio::test]
async fn other_methods_are_refused_after_the_token_and_before_the_id() {
    let server = Server::start(options()).await;
    for target in ["/echo", "/echo?id=AAAAAAAAAAAAAAAAAAAAAA", "/echo/negotiate"] {
        for method in ["PUT", "PATCH", "HEAD", "OPTIONS"] {
            let answer = request(server.address, &format!("{method} {target}"), &[], "").await;
            assert_text(&answer, 405, "");
            let answer =
                request(server.address, &format!("{method} {target}"), &["X-Members-Only: 1"], "").await;
            assert_eq!(answer.status, 401);
        }
    }
    for method in ["GET", "DELETE"] {
        assert_text(&request(server.address, &format!("{method} /echo/negotiate"), &[], "").await, 405, "");
    }
}

#[tokio::test]
async fn a_connection_keeps_its_transport() {
    let server = Server::start(options()).await;
    let other = "Cannot change transports mid-connection";

    let socket = negotiate(server.address, &[]).await;
    let mut client = Client::connect(server.address).await;
    assert_eq!(client.upgrade(&format!("/echo?id={socket}"), &[]).await.status, 101);
    let poll = request(server.address, &format!("GET /echo?id={socket}"), &[], "").await;
    assert_text(&poll, 400, other);
    assert!(poll.is_uncached());
    assert_text(&request(server.address, &format!("GET /echo?id={socket}"), &[EVENTS], "").await, 400, other);
    assert_text(
        &Client::connect(server.address).await.upgrade(&format!("/echo?id={socket}"), &[]).await,
        409,
        "",
    );
    let post = request(server.address, &format!("POST /echo?id={socket}"), &[], "").await;
    assert_text(&post, 405, "POST requests are not allowed for WebSocket connections.");
    let cannot_delete = "Cannot terminate this connection using the DELETE endpoint.";
    assert_text(
        &request(server.address, &format!("DELETE /echo?id={socket}"), &[], "").await,
        400,
        cannot_delete,
    );

    let events = negotiate(server.address, &[]).await;
    let mut stream = Client::connect(server.address).await;
    stream.send(&format!("GET /echo?id={events}"), &[EVENTS], None).await;
    assert_eq!(stream.head().await.status, 200);
    assert_text(&request(server.address, &format!("GET /echo?id={events}"), &[EVENTS], "").await, 409, "");
    assert_text(&request(server.address, &format!("GET /echo?id={events}"), &[], "").await, 400, other);
    assert_text(
        &Client::connect(server.address).await.upgrade(&format!("/echo?id={events}"), &[]).await,
        400,
        other,
    );
    assert_text(
        &request(server.address, &format!("DELETE /echo?id={events}"), &[], "").await,
        400,
        cannot_delete,
    );
    assert_text(&request(server.address, &format!("POST /echo?id={events}"), &[], "x").await, 200, "");

    let polls = negotiate(server.address, &[]).await;
    assert_eq!(request(server.address, &format!("GET /echo?id={polls}"), &[], "").await.status, 200);
    assert_text(&request(server.address, &format!("GET /echo?id={polls}"), &[EVENTS], "").await, 400, other);
    assert_text(
        &Client::connect(server.address).await.upgrade(&format!("/echo?id={polls}"), &[]).await,
        400,
        other,
    );
}

#[tokio::test]
async fn before_a_transport_is_chosen_a_post_is_kept_and_a_delete_refused() {
    let server = Server::start(options()).await;
    let id = negotiate(server.address, &[]).await;
    assert_text(&request(server.address, &format!("POST /echo?id={id}"), &[], "early").await, 200, "");
    let delete = request(server.address, &format!("DELETE /echo?id={id}"), &[], "").await;
    assert_text(&delete, 400, "Cannot terminate this connection using the DELETE endpoint.");
    let mut client = Client::connect(server.address).await;
    assert_eq!(client.upgrade(&format!("/echo?id={id}"), &[]).await.status, 101);
    assert_eq!(client.text().await, "early");
}

#[tokio::test]
async fn transports_that_are_switched_off_are_named() {
    let server = Server::start(Options { transports: vec![], ..options() }).await;
    let text = |transport| format!("{transport} transport not supported by this end point type");
    let off = Client::connect(server.address).await.upgrade("/echo", &[]).await;
    assert_text(&off, 404, &text("WebSockets"));
    let id = negotiate(server.address, &[]).await;
    let off = Client::connect(server.address).await.upgrade(&format!("/echo?id={id}"), &[]).await;
    assert_text(&off, 404, &text("WebSockets"));
    let off = request(server.address, &format!("GET /echo?id={id}"), &[EVENTS], "").await;
    assert_text(&off, 404, &text("ServerSentEvents"));
    let off = request(server.address, &format!("GET /echo?id={id}"), &[], "").await;
    assert_text(&off, 404, &text("LongPolling"));
}

#[tokio::test]
async fn offering_only_web_sockets_leaves_the_others_off() {
    let server = Server::start(Options { transports: vec![Transport::WebSockets], ..options() }).await;
    let mut client = Client::connect(server.address).await;
    assert_eq!(client.upgrade("/echo", &[]).await.status, 101);
    let id = negotiate(server.address, &[]).await;
    assert_eq!(request(server.address, &format!("GET /echo?id={id}"), &[], "").await.status, 404);
}

#[tokio::test]
async fn the_id_of_another_user_is_of_no_use() {
    let server = Server::start(options()).await;
    let alice = ["Authorization: Bearer alice"];
    let bob = ["authorization: bearer bob"];
    let id = negotiate(server.address, &alice).await;
    for stranger in [&bob[..], &[]] {
        for method in ["GET", "POST", "DELETE"] {
            let answer = request(server.address, &format!("{method} /echo?id={id}"), stranger, "x").await;
            assert_text(&answer, 403, "The connection belongs to another user");
        }
        let answer = Client::connect(server.address).await.upgrade(&format!("/echo?id={id}"), stranger).await;
        assert_text(&answer, 403, "The connection belongs to another user");
    }
    let mut client = Client::connect(server.address).await;
    let answer = client.upgrade(&format!("/echo?id={id}&access_token=al%69ce"), &[]).await;
    assert_eq!(answer.status, 101);
    assert_eq!(client.echo("who").await, "alice");
}

#[tokio::test]
async fn a_refused_token_is_401_without_a_type_wherever_it_stands() {
    let server = Server::start(options()).await;
    for (target, headers) in [
        ("POST /echo/negotiate", &["Authorization: Bearer bad"][..]),
        ("POST /echo/negotiate?access_token=bad", &[]),
        ("GET /echo", &["Authorization: Bearer bad"]),
        ("GET /echo?access_token=bad", &[EVENTS]),
        ("DELETE /echo?access_token=bad", &[]),
        ("POST /echo?access_token=bad", &[]),
    ] {
        let answer = request(server.address, target, headers, "").await;
        assert_eq!(
            (answer.status, answer.text(), answer.header("content-type")),
            (401, "", None),
            "{target}"
        );
    }
    assert_eq!(
        Client::connect(server.address).await.upgrade("/echo?access_token=bad", &[]).await.status,
        401
    );
}

#[tokio::test]
async fn what_a_handler_is_given_has_no_secrets_in_what_it_prints() {
    let server = Server::start(options()).await;
    let id = negotiate(server.address, &["Authorization: Bearer alice"]).await;
    let mut client = Client::connect(server.address).await;
    let target = format!("/echo?room=7&ID={id}&access_token=alice&x=%20y");
    let secrets = ["Authorization: Bearer alice", "Cookie: session=cookie-secret", "X-Shown: shown"];
    assert_eq!(client.upgrade(&target, &secrets).await.status, 101);
    assert_eq!(client.echo("uri").await, "/echo?room=7&x=%20y");
    let printed = client.echo("request").await;
    assert!(printed.contains("x-shown") && printed.contains("shown"));
    for secret in [&id, "cookie-secret", "Bearer", "dGhlIHNhbXBsZSBub25jZQ"] {
        assert!(!printed.contains(secret), "{secret} in {printed}");
    }
}
