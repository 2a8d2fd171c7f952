//! Sockets as applications listen for them: plain TCP, and wrapped in something else.

use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::serve::{Listener, ListenerExt};
use signalr::transports::Endpoint;
use tokio::io::BufStream;
use tokio::net::{TcpListener, TcpStream};

use crate::client::{Client, frame};
use crate::echo::{Echo, authenticate, options};

async fn serve<L>(listener: L, endpoint: &Endpoint)
where
    L: Listener<Addr = SocketAddr> + Sync,
    L::Io: Sync,
{
    let service = endpoint.router("/echo").into_make_service();
    tokio::spawn(async move { axum::serve(listener, service).await });
}

async fn listen() -> (TcpListener, SocketAddr, Endpoint) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address, Endpoint::new(Arc::new(Echo), options(), authenticate))
}

#[tokio::test]
async fn a_web_socket_does_not_wait_for_answers_to_what_it_sent_before() {
    let (listener, address, endpoint) = listen().await;
    // A second handle of each socket that is accepted, to see how it is set.
    let accepted = Arc::new(Mutex::new(Vec::new()));
    let seen = accepted.clone();
    let listener = listener.tap_io(move |socket: &mut TcpStream| {
        let handle = socket.as_fd().try_clone_to_owned().unwrap();
        seen.lock().unwrap().push(std::net::TcpStream::from(handle));
    });
    serve(listener, &endpoint).await;
    let mut client = Client::connect(address).await;
    assert_eq!(client.upgrade("/echo", &[]).await.status, 101);
    assert_eq!(client.echo("open").await, "open");
    let nodelay = accepted.lock().unwrap().iter().map(|socket| socket.nodelay().unwrap()).collect::<Vec<_>>();
    assert_eq!(nodelay, [true]);
}

/// A listener whose sockets are of a type that nobody knows.
struct Wrapped(TcpListener);

impl Listener for Wrapped {
    type Io = BufStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        let (socket, address) = Listener::accept(&mut self.0).await;
        (BufStream::new(socket), address)
    }

    fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

#[tokio::test]
async fn a_web_socket_over_something_else_than_tcp_is_served_as_well() {
    let (listener, address, endpoint) = listen().await;
    serve(Wrapped(listener), &endpoint).await;
    let mut client = Client::connect(address).await;
    let request = "GET /echo HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    client.write(&[request.as_bytes(), &frame(0x81, b"early")].concat()).await;
    assert_eq!(client.head().await.status, 101);
    assert_eq!(client.text().await, "early");
    let long = "x".repeat(200_000);
    client.frame(0x81, long.as_bytes()).await;
    let mut echoed = String::new();
    while echoed.len() < long.len() {
        echoed += &client.text().await;
    }
    assert_eq!(echoed, long);
    client.frame(0x88, &[]).await;
    assert_eq!(client.next_frame().await, (0x88, 1000_u16.to_be_bytes().to_vec()));
    assert!(client.ends().await);
    assert_eq!(endpoint.shut_down(Duration::from_secs(20)).await, 0);
}
