use std::time::Duration;

use signalr::Options;

use crate::client::{Client, negotiate};
use crate::echo::{SHORT, Server, eventually, options};

async fn start() -> Server {
    Server::start(Options { stateful_reconnect: true, ..options() }).await
}

async fn open(server: &Server, id: &str) -> Client {
    let mut client = Client::connect(server.address).await;
    assert_eq!(client.upgrade(&format!("/echo?id={id}"), &[]).await.status, 101);
    client
}

async fn status(server: &Server, id: &str) -> u16 {
    Client::connect(server.address).await.upgrade(&format!("/echo?id={id}"), &[]).await.status
}

#[tokio::test]
async fn a_broken_socket_may_be_followed_by_another_one() {
    let server = start().await;
    for is_reset in [false, true] {
        let id = negotiate(server.address, &[]).await;
        let mut first = open(&server, &id).await;
        assert_eq!(first.echo("one").await, "one");
        first.cut(is_reset);
        eventually("it waits", || server.endpoint.counts().detached == 1).await;
        let mut second = open(&server, &id).await;
        assert_eq!(second.text().await, "reattached");
        assert_eq!(second.echo("two").await, "two");
        assert_eq!(server.endpoint.counts().web_sockets, 1);
        second.frame(0x88, &[]).await;
        assert!(second.ends().await);
    }
}

#[tokio::test]
async fn a_half_open_socket_is_taken_over_at_once() {
    let server = start().await;
    let id = negotiate(server.address, &[]).await;
    let mut first = open(&server, &id).await;
    assert_eq!(first.echo("one").await, "one");
    let mut second = open(&server, &id).await;
    assert_eq!(second.text().await, "reattached");
    assert!(first.ends().await, "it is cut, without a close frame that nobody would answer");
    assert_eq!(second.echo("two").await, "two");
    let mut third = open(&server, &id).await;
    assert_eq!(third.text().await, "reattached");
    assert_eq!(third.echo("three").await, "three");
    assert_eq!(server.endpoint.counts().web_sockets, 1);
}

#[tokio::test]
async fn a_socket_that_is_blocked_is_taken_over_too() {
    let server = start().await;
    let id = negotiate(server.address, &[]).await;
    let mut first = open(&server, &id).await;
    let message = vec![b'x'; 30_000];
    let blocked = tokio::time::timeout(Duration::from_secs(1), async {
        loop {
            first.frame(0x82, &message).await;
        }
    });
    assert!(blocked.await.is_err());
    // Whether the echo has ended the connection, as its outbox was full, or waits: nothing hangs.
    assert!([101, 404].contains(&status(&server, &id).await));
}

#[tokio::test]
async fn a_close_frame_ends_it_at_once() {
    let server = start().await;
    for payload in [&[][..], &1000_u16.to_be_bytes(), &1001_u16.to_be_bytes()] {
        let id = negotiate(server.address, &[]).await;
        let mut client = open(&server, &id).await;
        client.frame(0x88, payload).await;
        assert_eq!(client.next_frame().await, (0x88, 1000_u16.to_be_bytes().to_vec()));
        assert_eq!(status(&server, &id).await, 404);
    }
}

#[tokio::test]
async fn an_ended_connection_answers_404_at_once() {
    let server = start().await;
    let id = negotiate(server.address, &[]).await;
    let mut client = open(&server, &id).await;
    client.frame(0x81, b"end").await;
    assert_eq!(client.text().await, "bye");
    assert_eq!(client.next_frame().await.0, 0x88);
    assert_eq!(status(&server, &id).await, 404);
}

#[tokio::test]
async fn after_the_disconnect_timeout_it_is_gone() {
    let server =
        Server::start(Options { stateful_reconnect: true, disconnect_timeout: SHORT, ..options() }).await;
    let id = negotiate(server.address, &[]).await;
    open(&server, &id).await.cut(true);
    eventually("it is gone", || server.endpoint.counts() == Default::default()).await;
    assert_eq!(status(&server, &id).await, 404);
}

#[tokio::test]
async fn a_handshake_of_version_1_takes_no_part() {
    let server = start().await;
    let id = negotiate(server.address, &[]).await;
    let mut client = open(&server, &id).await;
    assert_eq!(client.echo("forbid").await, "forbidden");
    assert_eq!(status(&server, &id).await, 409);
    client.cut(true);
    eventually("it is gone", || server.endpoint.counts() == Default::default()).await;
    assert_eq!(status(&server, &id).await, 404);
}
