//! What floods and dawdles.

use signalr::Options;

use crate::client::{Client, frame, negotiate, request};
use crate::echo::{SHORT, Server, eventually, options};

#[tokio::test]
async fn of_thousands_of_abandoned_ids_the_latest_are_kept() {
    let max_abandoned = 100;
    let server = Server::start(Options { max_abandoned, ..options() }).await;
    let mut client = Client::connect(server.address).await;
    let mut ids = Vec::new();
    for _ in 0..5000 {
        ids.push(client.request("POST /echo/negotiate", &[], Some(b"")).await.field("connectionId"));
    }
    assert_eq!(server.endpoint.counts().negotiated, max_abandoned);
    assert_eq!(client.request(&format!("GET /echo?id={}", ids[0]), &[], None).await.status, 404);
    assert_eq!(client.request(&format!("GET /echo?id={}", ids[4899]), &[], None).await.status, 404);
    assert_eq!(client.request(&format!("GET /echo?id={}", ids[4900]), &[], None).await.status, 200);
}

#[tokio::test]
async fn an_id_that_nobody_connects_takes_little() {
    let server = Server::start(Options { disconnect_timeout: SHORT, ..options() }).await;
    let id = negotiate(server.address, &[]).await;
    let body = "x".repeat(60_000);
    // It waits for a transport that never comes; then the id has ended.
    assert_eq!(request(server.address, &format!("POST /echo?id={id}"), &[], &body).await.status, 404);
}

#[tokio::test]
async fn a_body_that_does_not_come_is_given_up() {
    let server = Server::start(Options { send_timeout: SHORT, ..options() }).await;
    let id = negotiate(server.address, &[]).await;
    let mut stream = Client::connect(server.address).await;
    stream.send(&format!("GET /echo?id={id}"), &["Accept: text/event-stream"], None).await;
    assert_eq!(stream.head().await.status, 200);
    let mut slow = Client::connect(server.address).await;
    slow.write(
        format!("POST /echo?id={id} HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf").as_bytes(),
    )
    .await;
    assert_eq!(slow.head().await.status, 408);
    assert_eq!(request(server.address, &format!("POST /echo?id={id}"), &[], "whole").await.status, 200);
}

#[tokio::test]
async fn an_oversized_frame_is_passed_on_as_it_comes() {
    let server = Server::start(options()).await;
    let mut client = Client::connect(server.address).await;
    assert_eq!(client.upgrade("/echo", &[]).await.status, 101);
    // A frame of 2^62 bytes has begun, and what has come of it is there.
    let header = [&[0x82, 0xff][..], &(1_u64 << 62).to_be_bytes(), &[0; 4]].concat();
    client.write(&[&header, &b"some of it"[..]].concat()).await;
    assert_eq!(client.text().await, "some of it");
    client.cut(false);
    eventually("it is gone", || server.endpoint.counts() == Default::default()).await;
}

#[tokio::test]
async fn truncated_frames_leave_nothing_behind() {
    let server = Server::start(options()).await;
    let whole = frame(0x81, &[b'x'; 300]);
    for length in [1, 2, 3, 7, 8, 9, 200] {
        let mut client = Client::connect(server.address).await;
        assert_eq!(client.upgrade("/echo", &[]).await.status, 101);
        client.write(&whole[..length]).await;
        client.cut(length % 2 == 0);
    }
    eventually("all are gone", || server.endpoint.counts() == Default::default()).await;
}

#[tokio::test]
async fn a_user_has_so_many_connections_and_no_more() {
    let server = Server::start(Options { max_connections_per_user: Some(2), ..options() }).await;
    let alice = ["Authorization: Bearer alice"];
    let early = negotiate(server.address, &alice).await;
    let mut clients = Vec::new();
    for _ in 0..2 {
        let mut client = Client::connect(server.address).await;
        assert_eq!(client.upgrade("/echo", &alice).await.status, 101);
        clients.push(client);
    }
    let mut third = Client::connect(server.address).await;
    assert_eq!(third.upgrade("/echo", &alice).await.status, 429);
    assert_eq!(request(server.address, "POST /echo/negotiate", &alice, "").await.status, 429);
    let negotiated = request(server.address, &format!("GET /echo?id={early}"), &alice, "").await;
    assert_eq!((negotiated.status, negotiated.text()), (429, "Too many connections of this user"));
    assert_eq!(third.upgrade("/echo", &["Authorization: Bearer bob"]).await.status, 101);
    assert_eq!(Client::connect(server.address).await.upgrade("/echo", &[]).await.status, 101);
    clients.pop().unwrap().cut(false);
    eventually("one is gone", || server.endpoint.counts().web_sockets <= 2).await;
    // The place is free when the handler has returned, which is a moment later.
    loop {
        let mut client = Client::connect(server.address).await;
        match client.upgrade("/echo", &alice).await.status {
            101 => break,
            status => assert_eq!(status, 429),
        }
    }
}

#[tokio::test]
async fn an_address_has_so_many_connections_and_no_more() {
    let server = Server::start(Options { max_connections_per_address: Some(1), ..options() }).await;
    let mut client = Client::connect(server.address).await;
    assert_eq!(client.upgrade("/echo", &[]).await.status, 101);
    let refused = request(server.address, "POST /echo/negotiate", &[], "").await;
    assert_eq!((refused.status, refused.text()), (429, "Too many connections from this address"));
}

#[tokio::test]
async fn a_limit_by_address_without_addresses_refuses_all() {
    let options = Options { max_connections_per_address: Some(1), ..options() };
    let endpoint = signalr::transports::Endpoint::new(
        std::sync::Arc::new(crate::echo::Echo),
        options,
        crate::echo::authenticate,
    );
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = endpoint.router("/echo");
    tokio::spawn(async move { axum::serve(listener, router).await });
    let refused = request(address, "POST /echo/negotiate", &[], "").await;
    assert_eq!(refused.status, 500);
    assert!(refused.text().contains("into_make_service_with_connect_info"));
}
