//! How the client library gets a socket that was connected and encrypted here, on tokio.

use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_rs::traits::Reactor;
use async_rs::util::{DummyIO, RuntimeParts};
use async_rs::{Runtime, Tokio};
use futures_util::{AsyncRead, AsyncWrite, Stream};
use lapin::{AsyncTcpStream, ConnectionProperties};

use crate::BrokerUrl;
use crate::socket::Socket;

/// Opens AMQP's connection over this socket.
pub(crate) async fn open(
    url: &BrokerUrl,
    socket: Socket,
    properties: ConnectionProperties,
) -> lapin::Result<lapin::Connection> {
    let tokio = Tokio::current();
    let runtime = Runtime::new(RuntimeParts::new(tokio.clone(), OwnSockets(tokio)));
    let socket = Arc::new(Mutex::new(Some(socket)));
    let hand_over = async move |_, _| {
        let socket = socket.lock().unwrap_or_else(PoisonError::into_inner).take();
        // It is asked for once, as the library makes no attempts of its own.
        socket.map(AsyncTcpStream::Plain).ok_or_else(|| lapin::Error::from(no_other()))
    };
    lapin::Connection::connector(url.uri().clone(), runtime, hand_over, properties).await
}

fn no_other() -> io::Error {
    io::Error::other("there is no other socket")
}

/// Tokio, but for the type of its sockets.
#[derive(Clone, Debug)]
struct OwnSockets(Tokio);

impl Reactor for OwnSockets {
    type TcpStream = Socket;
    type Sleep = <Tokio as Reactor>::Sleep;

    fn register<H: Read + Write + Send + 'static>(
        &self,
        _socket: H,
    ) -> io::Result<impl AsyncRead + AsyncWrite + Send + Unpin + 'static> {
        Err::<DummyIO, _>(no_other())
    }

    fn sleep(&self, duration: Duration) -> Self::Sleep {
        self.0.sleep(duration)
    }

    fn interval(&self, duration: Duration) -> impl Stream<Item = Instant> + Send + 'static {
        self.0.interval(duration)
    }

    fn tcp_connect_addr(
        &self,
        _address: SocketAddr,
    ) -> impl Future<Output = io::Result<Self::TcpStream>> + Send + 'static {
        std::future::ready(Err(no_other()))
    }
}
