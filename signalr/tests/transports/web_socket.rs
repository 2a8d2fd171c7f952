use std::time::Duration;

use signalr::Options;

use crate::client::{Client, frame, negotiate, request};
use crate::echo::{SHORT, Server, eventually, options};

const TEXT: u8 = 0x81;
const CLOSE: u8 = 0x88;

async fn open(server: &Server) -> Client {
    let mut client = Client::connect(server.address).await;
    assert_eq!(client.upgrade("/echo", &[]).await.status, 101);
    client
}

#[tokio::test]
async fn messages_of_all_lengths_and_cuts_come_back() {
    let server = Server::start(options()).await;
    let mut client = open(&server).await;
    for length in [0, 1, 125, 126, 4000, 65_535, 65_536, 200_000] {
        let sent = "x".repeat(length);
        let wire = frame(TEXT, sent.as_bytes());
        let mut echoed = Vec::new();
        for piece in wire.chunks(wire.len() / 3 + 1) {
            client.write(piece).await;
        }
        while echoed.len() < length {
            let (first, payload) = client.next_frame().await;
            assert_eq!(first, TEXT);
            echoed.extend(payload);
        }
        assert_eq!(echoed, sent.as_bytes());
    }
}

#[tokio::test]
async fn one_byte_at_a_time_is_slow_and_right() {
    let server = Server::start(options()).await;
    let mut client = open(&server).await;
    for byte in frame(TEXT, b"slow loris") {
        client.write(&[byte]).await;
        tokio::task::yield_now().await;
    }
    let mut echoed = String::new();
    while echoed.len() < 10 {
        echoed += &client.text().await;
    }
    assert_eq!(echoed, "slow loris");
}

#[tokio::test]
async fn what_comes_with_the_upgrade_request_is_not_lost() {
    let server = Server::start(options()).await;
    let mut client = Client::connect(server.address).await;
    let request = "GET /echo HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    client.write(&[request.as_bytes(), &frame(TEXT, b"early")].concat()).await;
    assert_eq!(client.head().await.status, 101);
    assert_eq!(client.text().await, "early");
}

#[tokio::test]
async fn pings_are_answered_also_between_fragments() {
    let server = Server::start(options()).await;
    let mut client = open(&server).await;
    client.frame(0x01, b"").await;
    client.frame(0x89, b"abc").await;
    assert_eq!(client.next_frame().await, (0x8a, b"abc".to_vec()));
    client.frame(0x80, b"whole").await;
    assert_eq!(client.text().await, "whole");
    client.frame(0x8a, b"a pong nobody asked for").await;
    assert_eq!(client.echo("alive").await, "alive");
}

#[tokio::test]
async fn a_close_frame_is_answered_with_1000_and_ends_the_id_at_once() {
    let server = Server::start(options()).await;
    for payload in [&[][..], &1000_u16.to_be_bytes(), b"\x03\xe9going", &4321_u16.to_be_bytes()] {
        let id = negotiate(server.address, &[]).await;
        let mut client = Client::connect(server.address).await;
        assert_eq!(client.upgrade(&format!("/echo?id={id}"), &[]).await.status, 101);
        client.frame(CLOSE, payload).await;
        assert_eq!(client.next_frame().await, (CLOSE, 1000_u16.to_be_bytes().to_vec()));
        let again = Client::connect(server.address).await.upgrade(&format!("/echo?id={id}"), &[]).await;
        assert_eq!(again.status, 404);
        assert!(client.ends().await);
    }
    eventually("all are gone", || server.endpoint.counts() == Default::default()).await;
}

#[tokio::test]
async fn violations_are_answered_with_their_codes() {
    let server = Server::start(options()).await;
    let long_ping = frame(0x89, &[0; 126]);
    for (code, bytes) in [
        (1002, &[0x81, 1, b'x'][..]),
        (1002, &frame(0xc1, b"x")),
        (1002, &frame(0x83, b"x")),
        (1002, &frame(0x80, b"x")),
        (1002, &long_ping),
        (1002, &frame(0x09, b"x")),
        (1002, &frame(CLOSE, &1006_u16.to_be_bytes())),
        (1007, &frame(TEXT, b"\xff\xfe")),
    ] {
        let mut client = open(&server).await;
        client.write(bytes).await;
        assert_eq!(client.next_frame().await, (CLOSE, u16::to_be_bytes(code).to_vec()), "{bytes:?}");
        assert!(client.ends().await);
    }
    eventually("all are gone", || server.endpoint.counts() == Default::default()).await;
}

#[tokio::test]
async fn when_the_handler_returns_what_waits_is_sent_and_the_id_is_gone() {
    let server = Server::start(options()).await;
    let id = negotiate(server.address, &[]).await;
    let mut client = Client::connect(server.address).await;
    assert_eq!(client.upgrade(&format!("/echo?id={id}"), &[]).await.status, 101);
    client.frame(TEXT, b"end").await;
    assert_eq!(client.text().await, "bye");
    assert_eq!(client.next_frame().await, (CLOSE, 1000_u16.to_be_bytes().to_vec()));
    let again = Client::connect(server.address).await.upgrade(&format!("/echo?id={id}"), &[]).await;
    assert_eq!(again.status, 404);
    client.frame(CLOSE, &1000_u16.to_be_bytes()).await;
    assert!(client.ends().await);
}

#[tokio::test]
async fn a_client_that_does_not_answer_the_close_frame_is_cut() {
    let server = Server::start(Options { close_timeout: SHORT, ..options() }).await;
    let mut client = open(&server).await;
    client.frame(TEXT, b"end").await;
    assert!(client.ends().await);
}

#[tokio::test]
async fn a_handler_that_panics_ends_its_connection_only() {
    let server = Server::start(options()).await;
    let mut other = open(&server).await;
    let mut client = open(&server).await;
    client.frame(TEXT, b"panic").await;
    assert_eq!(client.next_frame().await, (CLOSE, 1000_u16.to_be_bytes().to_vec()));
    assert_eq!(other.echo("alive").await, "alive");
}

#[tokio::test]
async fn a_broken_socket_ends_the_connection_at_once() {
    let server = Server::start(options()).await;
    for is_reset in [false, true] {
        let id = negotiate(server.address, &[]).await;
        let mut client = Client::connect(server.address).await;
        assert_eq!(client.upgrade(&format!("/echo?id={id}"), &[]).await.status, 101);
        assert_eq!(client.echo("alive").await, "alive");
        client.cut(is_reset);
        eventually("it is gone", || server.endpoint.counts() == Default::default()).await;
        let again = Client::connect(server.address).await.upgrade(&format!("/echo?id={id}"), &[]).await;
        assert_eq!(again.status, 404);
    }
}

#[tokio::test]
async fn a_client_that_does_not_read_is_dropped() {
    let server = Server::start(Options { send_timeout: SHORT, ..options() }).await;
    let mut client = open(&server).await;
    let message = frame(0x82, &vec![b'x'; 60_000]);
    // The echo fills the kernel's buffers, then the outbox; then nothing more is read, either.
    let write = async {
        while client.try_write(&message).await.is_ok() {}
        // It is cut; what counts it learns so a little later.
        std::future::pending::<()>().await;
    };
    let dropped = eventually("it is dropped", || server.endpoint.counts() == Default::default());
    tokio::select! {
        () = write => {}
        () = dropped => {}
    }
}

#[tokio::test]
async fn a_client_whose_input_is_not_taken_has_to_wait() {
    let server = Server::start(options()).await;
    let mut client = open(&server).await;
    assert_eq!(client.echo("sleep").await, "asleep");
    let message = frame(0x82, &vec![b'x'; 60_000]);
    let mut written = 0;
    let blocked = tokio::time::timeout(Duration::from_secs(2), async {
        loop {
            client.write(&message).await;
            written += message.len();
        }
    });
    assert!(blocked.await.is_err(), "{written} bytes were taken");
    assert!(request(server.address, "POST /echo/negotiate", &[], "").await.status == 200);
}

#[tokio::test]
async fn a_handler_that_only_sends_learns_that_its_client_has_gone() {
    let server = Server::start(options()).await;
    for is_closed in [true, false] {
        let mut client = open(&server).await;
        client.frame(TEXT, b"deaf").await;
        assert_eq!(client.text().await.trim_matches('.'), "");
        client.frame(TEXT, &[b'x'; 100_000]).await;
        assert_eq!(client.text().await.trim_matches('.'), "");
        if is_closed {
            client.frame(CLOSE, &[]).await;
            while client.next_frame().await.0 != CLOSE {}
        } else {
            client.cut(true);
        }
        eventually("it is gone", || server.endpoint.counts() == Default::default()).await;
    }
    // All handlers have returned, too.
    assert_eq!(server.endpoint.shut_down(Duration::from_secs(20)).await, 0);
}
