use signalr::Options;

use crate::client::{Client, negotiate, request};
use crate::echo::{SHORT, Server, eventually, options};

const EVENTS: &str = "Accept: text/html, Text/Event-Stream";

async fn open(server: &Server) -> (String, Client) {
    let id = negotiate(server.address, &[]).await;
    let mut stream = Client::connect(server.address).await;
    stream.send(&format!("GET /echo?id={id}"), &[EVENTS], None).await;
    let head = stream.head().await;
    assert_eq!(head.status, 200);
    assert_eq!(head.header("content-type"), Some("text/event-stream"));
    assert_eq!(head.header("cache-control"), Some("no-cache,no-store"));
    assert_eq!(head.header("pragma"), Some("no-cache"));
    assert_eq!(head.header("content-encoding"), Some("identity"));
    assert_eq!(stream.chunk().await.as_deref(), Some(&b":\r\n"[..]), "at once");
    (id, stream)
}

async fn post(server: &Server, id: &str, body: &str) -> u16 {
    request(server.address, &format!("POST /echo?id={id}"), &[], body).await.status
}

#[tokio::test]
async fn each_event_holds_what_waits_whole() {
    let server = Server::start(options()).await;
    let (id, mut stream) = open(&server).await;
    for (sent, event) in [
        ("{}\x1e", "data: {}\x1e\r\n\r\n"),
        (
            "one\ntwo\r\nthree\rfour\n\nsix\n",
            "data: one\r\ndata: two\r\ndata: three\rfour\r\ndata: \r\ndata: six\r\ndata: \r\n\r\n",
        ),
    ] {
        assert_eq!(post(&server, &id, sent).await, 200);
        assert_eq!(stream.chunk().await.as_deref(), Some(event.as_bytes()));
    }
}

#[tokio::test]
async fn the_stream_ends_with_the_connection_and_the_id_with_the_stream() {
    let server = Server::start(options()).await;
    let (id, mut stream) = open(&server).await;
    assert_eq!(post(&server, &id, "end").await, 200);
    assert_eq!(stream.chunk().await.as_deref(), Some(&b"data: bye\r\n\r\n"[..]));
    assert_eq!(stream.chunk().await, None);
    assert_eq!(post(&server, &id, "x").await, 404);

    let (id, stream) = open(&server).await;
    stream.cut(false);
    eventually("it is gone", || server.endpoint.counts() == Default::default()).await;
    assert_eq!(post(&server, &id, "x").await, 404);
}

#[tokio::test]
async fn a_type_with_parameters_asks_for_a_poll() {
    let server = Server::start(options()).await;
    for accept in ["text/event-stream;q=0.9, */*", "text/event-stream; charset=utf-8", "text/*", "*/*"] {
        let id = negotiate(server.address, &[]).await;
        let accept = format!("Accept: {accept}");
        let answer = request(server.address, &format!("GET /echo?id={id}"), &[&accept], "").await;
        assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/octet-stream")));
    }
}

#[tokio::test]
async fn a_client_that_does_not_read_is_dropped() {
    let server = Server::start(Options { send_timeout: SHORT, ..options() }).await;
    let (id, _stream) = open(&server).await;
    let body = "x".repeat(60_000);
    loop {
        match post(&server, &id, &body).await {
            200 => {}
            404 => break,
            status => panic!("{status}"),
        }
    }
    eventually("it is gone", || server.endpoint.counts() == Default::default()).await;
}
