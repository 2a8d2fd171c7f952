use std::time::Duration;

use crate::client::{Client, negotiate, request};
use crate::echo::{SHORT, Server, eventually, options};
use signalr::Options;

#[tokio::test]
async fn every_transport_is_told_and_what_waits_is_sent() {
    let server = Server::start(Options { stateful_reconnect: true, ..options() }).await;
    let mut socket = Client::connect(server.address).await;
    assert_eq!(socket.upgrade("/echo", &[]).await.status, 101);
    let events = negotiate(server.address, &[]).await;
    let mut stream = Client::connect(server.address).await;
    stream.send(&format!("GET /echo?id={events}"), &["Accept: text/event-stream"], None).await;
    assert_eq!(stream.head().await.status, 200);
    assert_eq!(stream.chunk().await.as_deref(), Some(&b":\r\n"[..]));
    let polls = negotiate(server.address, &[]).await;
    let mut poll = Client::connect(server.address).await;
    assert_eq!(poll.request(&format!("GET /echo?id={polls}"), &[], None).await.status, 200);
    let detached = negotiate(server.address, &[]).await;
    let mut cut = Client::connect(server.address).await;
    assert_eq!(cut.upgrade(&format!("/echo?id={detached}"), &[]).await.status, 101);
    cut.cut(true);
    eventually("it is detached", || server.endpoint.counts().detached == 1).await;
    let abandoned = negotiate(server.address, &[]).await;

    let endpoint = server.endpoint.clone();
    let shut_down = tokio::spawn(async move { endpoint.shut_down(Duration::from_secs(10)).await });
    assert_eq!(socket.text().await, "stopping");
    assert_eq!(socket.next_frame().await, (0x88, 1000_u16.to_be_bytes().to_vec()));
    socket.frame(0x88, &[]).await;
    assert_eq!(stream.chunk().await.as_deref(), Some(&b"data: stopping\r\n\r\n"[..]));
    assert_eq!(stream.chunk().await, None);
    assert_eq!(poll.request(&format!("GET /echo?id={polls}"), &[], None).await.text(), "stopping");
    assert_eq!(poll.request(&format!("GET /echo?id={polls}"), &[], None).await.status, 204);
    assert_eq!(shut_down.await.unwrap(), 0);

    assert_eq!(server.endpoint.counts(), Default::default());
    assert_eq!(request(server.address, "POST /echo/negotiate", &[], "").await.status, 503);
    assert_eq!(Client::connect(server.address).await.upgrade("/echo", &[]).await.status, 503);
    for id in [abandoned, detached, events, polls] {
        let again = Client::connect(server.address).await.upgrade(&format!("/echo?id={id}"), &[]).await;
        assert_eq!(again.status, 404);
    }
}

#[tokio::test]
async fn what_is_not_done_in_time_is_cut() {
    let server = Server::start(options()).await;
    let mut socket = Client::connect(server.address).await;
    assert_eq!(socket.upgrade("/echo", &[]).await.status, 101);
    assert_eq!(socket.echo("sleep").await, "asleep");
    assert_eq!(server.endpoint.shut_down(SHORT).await, 1);
    assert!(socket.ends().await);
    assert_eq!(server.endpoint.counts(), Default::default());
}
