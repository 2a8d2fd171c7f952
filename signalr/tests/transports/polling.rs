use signalr::Options;

use crate::client::{Answer, Client, negotiate, request};
use crate::echo::{LONG_ENOUGH, SHORT, Server, eventually, options};

async fn open(server: &Server) -> String {
    let id = negotiate(server.address, &[]).await;
    let first = poll(server, &id).await;
    assert_eq!((first.status, first.text()), (200, ""), "at once");
    assert_eq!(first.header("content-type"), Some("application/octet-stream"));
    assert!(first.is_uncached());
    id
}

async fn poll(server: &Server, id: &str) -> Answer {
    request(server.address, &format!("GET /echo?id={id}&_=1732492800"), &[], "").await
}

async fn post(server: &Server, id: &str, body: &str) -> Answer {
    let answer = request(server.address, &format!("POST /echo?id={id}"), &[], body).await;
    assert!(answer.status != 200 || answer.text().is_empty());
    answer
}

/// What so many bytes of polls say.
async fn all_of(server: &Server, id: &str, length: usize) -> String {
    let mut all = String::new();
    while all.len() < length {
        all += poll(server, id).await.text();
    }
    all
}

/// A poll that waits.
async fn pending(server: &Server, id: &str) -> Client {
    let mut client = Client::connect(server.address).await;
    client.send(&format!("GET /echo?id={id}"), &[], None).await;
    client
}

#[tokio::test]
async fn polls_take_all_that_waits() {
    let server = Server::start(options()).await;
    let id = open(&server).await;
    let mut all = String::new();
    for message in ["one", "two", "three"] {
        assert_eq!(post(&server, &id, message).await.status, 200);
    }
    while all.len() < 11 {
        let answer = poll(&server, &id).await;
        assert_eq!(answer.header("content-type"), Some("application/octet-stream"));
        all += answer.text();
    }
    assert_eq!(all, "onetwothree");
}

/// Clients of versions 8 to 10 name no type for polls, which have no body; earlier ones did.
#[tokio::test]
async fn the_request_of_a_connection_is_its_first_poll() {
    let server = Server::start(options()).await;
    let id = negotiate(server.address, &[]).await;
    let headers = ["Content-Type: text/plain;charset=UTF-8", "X-First: yes"];
    assert_eq!(request(server.address, &format!("GET /echo?id={id}"), &headers, "").await.status, 200);
    let headers = ["Content-Type: application/octet-stream", "X-Later: yes"];
    assert_eq!(
        request(server.address, &format!("POST /echo?id={id}"), &headers, "request").await.status,
        200
    );
    let printed = poll(&server, &id).await.text().to_owned();
    assert!(printed.contains("text/plain;charset=UTF-8") && printed.contains("x-first"), "{printed}");
    assert!(!printed.contains("octet-stream") && !printed.contains("x-later"), "{printed}");
}

#[tokio::test]
async fn a_poll_waits_for_messages() {
    let server = Server::start(options()).await;
    let id = open(&server).await;
    let mut waits = pending(&server, &id).await;
    assert_eq!(post(&server, &id, "hello").await.status, 200);
    assert_eq!(waits.head().await.header("content-length"), Some("5"));
}

#[tokio::test]
async fn an_idle_poll_is_answered_without_messages() {
    let server = Server::start(Options { poll_timeout: SHORT, ..options() }).await;
    let id = open(&server).await;
    let idle = poll(&server, &id).await;
    assert_eq!((idle.status, idle.text(), idle.header("content-type")), (200, "", Some("text/plain")));
    assert!(idle.is_uncached());
}

#[tokio::test]
async fn a_second_poll_ends_the_first() {
    let server = Server::start(options()).await;
    let id = open(&server).await;
    let mut first = pending(&server, &id).await;
    // Whichever the server sees first is ended by the other.
    let mut second = pending(&server, &id).await;
    let ended = tokio::select! {
        ended = first.head() => ended,
        ended = second.head() => {
            std::mem::swap(&mut first, &mut second);
            ended
        }
    };
    assert_eq!(ended.status, 204);
    assert!(ended.is_uncached());
    assert_eq!(post(&server, &id, "b").await.status, 200);
    assert_eq!(second.head().await.header("content-length"), Some("1"));
}

#[tokio::test]
async fn a_poll_that_the_client_cuts_loses_nothing() {
    let server = Server::start(options()).await;
    let id = open(&server).await;
    for is_reset in [false, true] {
        let cut = pending(&server, &id).await;
        cut.cut(is_reset);
        assert_eq!(post(&server, &id, "kept").await.status, 200);
        let mut answer = poll(&server, &id).await;
        while answer.text().is_empty() && answer.status == 200 {
            answer = poll(&server, &id).await;
        }
        assert_eq!(answer.text(), "kept");
    }
}

#[tokio::test]
async fn the_end_is_204_and_then_404() {
    let server = Server::start(options()).await;
    let id = open(&server).await;
    assert_eq!(post(&server, &id, "end").await.status, 200);
    assert_eq!(poll(&server, &id).await.text(), "bye");
    let end = poll(&server, &id).await;
    assert_eq!((end.status, end.header("content-type")), (204, Some("text/plain")));
    assert!(end.is_uncached());
    assert_eq!(poll(&server, &id).await.status, 404);
    assert_eq!(post(&server, &id, "x").await.status, 404);
}

#[tokio::test]
async fn delete_ends_it_and_a_pending_poll_learns_so() {
    let server = Server::start(options()).await;
    let id = open(&server).await;
    let mut waits = pending(&server, &id).await;
    // A poll that the next one ends shows that the next one waits.
    let mut next = pending(&server, &id).await;
    tokio::select! {
        ended = waits.head() => {
            assert_eq!(ended.status, 204);
            waits = next;
        }
        ended = next.head() => assert_eq!(ended.status, 204),
    }
    let delete = request(server.address, &format!("DELETE /echo?id={id}"), &[], "").await;
    assert_eq!((delete.status, delete.text(), delete.header("content-type")), (202, "", Some("text/plain")));
    assert_eq!(waits.head().await.status, 204);
    for method in ["GET", "DELETE", "POST"] {
        assert_eq!(request(server.address, &format!("{method} /echo?id={id}"), &[], "").await.status, 404);
    }
    eventually("it is gone", || server.endpoint.counts() == Default::default()).await;
}

#[tokio::test]
async fn without_a_poll_it_ends_in_time() {
    let server = Server::start(Options { disconnect_timeout: LONG_ENOUGH, ..options() }).await;
    let id = open(&server).await;
    assert_eq!(server.endpoint.counts().long_polling, 1);
    eventually("it is gone", || server.endpoint.counts() == Default::default()).await;
    assert_eq!(poll(&server, &id).await.status, 404);
}

#[tokio::test]
async fn the_second_of_two_posts_waits_for_the_first() {
    let server = Server::start(Options { poll_timeout: SHORT, ..options() }).await;
    let id = open(&server).await;
    let mut first = Client::connect(server.address).await;
    let head = format!("POST /echo?id={id} HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n");
    first.write(&[head.as_bytes(), b"first"].concat()).await;
    // What has come of it is passed on.
    assert_eq!(all_of(&server, &id, 5).await, "first");
    let mut second = Client::connect(server.address).await;
    second.send(&format!("POST /echo?id={id}"), &[], Some(b"second")).await;
    assert_eq!(poll(&server, &id).await.text(), "", "the second waits");
    first.write(b" body").await;
    assert_eq!(first.head().await.status, 200);
    assert_eq!(second.head().await.status, 200);
    assert_eq!(all_of(&server, &id, 11).await, " bodysecond");
}

#[tokio::test]
async fn a_chunked_body_is_taken_as_any_other() {
    let server = Server::start(options()).await;
    let id = open(&server).await;
    let mut client = Client::connect(server.address).await;
    let head = format!("POST /echo?id={id} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
    client.write(&[head.as_bytes(), b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"].concat()).await;
    assert_eq!(client.head().await.status, 200);
    assert_eq!(all_of(&server, &id, 5).await, "abcde");
}
