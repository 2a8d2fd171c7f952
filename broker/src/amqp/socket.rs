//! The socket, plain or with TLS.

use std::io::{self, IoSlice, IoSliceMut};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_util::{AsyncRead, AsyncWrite};
use lapin::tcp::{AMQPUriTcpExt, OwnedTLSConfig};
use lapin::uri::{AMQPScheme, AMQPUri};
use socket2::SockRef;
use tokio::net::{TcpSocket, TcpStream};

/// What is sent within one machine meets no congestion. The system's own choice may send at a pace, as BBR
/// does, which costs a fourth of the bytes/s there. The first of these is Linux's default, and the second is
/// for who may not choose it.
const WITHIN_MACHINE: [&[u8]; 2] = [b"cubic", b"reno"];

/// Reads into several buffers at once, and writes from several.
pub(super) enum Socket {
    Plain(TcpStream),
    Tls(Box<dyn Encrypted + Send>),
}

/// What the TLS library gives.
pub(super) trait Encrypted: AsyncRead + AsyncWrite + Unpin {}

impl<T: AsyncRead + AsyncWrite + Unpin> Encrypted for T {}

impl Socket {
    pub(super) async fn connect(uri: &AMQPUri, tls: OwnedTLSConfig) -> io::Result<Self> {
        let socket = match uri.scheme {
            AMQPScheme::AMQP => {
                let socket = connect(&uri.authority.host, uri.authority.port).await?;
                socket.set_nodelay(true)?;
                Self::Plain(socket)
            }
            AMQPScheme::AMQPS => {
                let runtime = lapin::runtime::default_runtime().map_err(io::Error::other)?;
                let socket = uri.connect_with_config_async(tls.as_ref(), &runtime).await?;
                Self::Tls(Box::new(socket))
            }
        };
        Ok(socket)
    }

    /// Reads what is there into the first buffer, then into the next; 0 at the end.
    pub(super) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        match self {
            Self::Plain(socket) => loop {
                ready!(socket.poll_read_ready(cx))?;
                match socket.try_read_vectored(buffers) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    read => return Poll::Ready(read),
                }
            },
            Self::Tls(socket) => {
                let read = Pin::new(&mut **socket).poll_read_vectored(cx, buffers);
                // The library writes while it reads, too: answers of its own protocol.
                let _ = Pin::new(&mut **socket).poll_flush(cx)?;
                read
            }
        }
    }

    /// Writes what fits, from the first buffer on.
    pub(super) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self {
            Self::Plain(socket) => tokio::io::AsyncWrite::poll_write_vectored(Pin::new(socket), cx, buffers),
            Self::Tls(socket) => Pin::new(&mut **socket).poll_write_vectored(cx, buffers),
        }
    }

    /// Lets what was written go out.
    pub(super) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(_) => Poll::Ready(Ok(())),
            Self::Tls(socket) => Pin::new(&mut **socket).poll_flush(cx),
        }
    }
}

/// Connects to the first of the host's addresses that answers.
async fn connect(host: &str, port: u16) -> io::Result<TcpStream> {
    let mut refused = io::Error::new(io::ErrorKind::NotFound, format!("host {host} has no address"));
    for address in tokio::net::lookup_host((host, port)).await? {
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        if address.ip().is_loopback() {
            // It has to be chosen before the connection is made. Without any, it is as the system has it.
            let choose = |name: &&[u8]| SockRef::from(&socket).set_tcp_congestion(name).is_ok();
            let _chosen = WITHIN_MACHINE.iter().find(|name| choose(name));
        }
        match socket.connect(address).await {
            Ok(stream) => return Ok(stream),
            Err(error) => refused = error,
        }
    }
    Err(refused)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn within_the_machine_nothing_is_sent_at_a_pace() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let chosen = runtime.block_on(async {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let socket = connect("127.0.0.1", listener.local_addr().unwrap().port()).await.unwrap();
            SockRef::from(&socket).tcp_congestion().unwrap()
        });
        assert!(WITHIN_MACHINE.iter().any(|name| chosen.starts_with(name)), "{}", chosen.escape_ascii());
    }
}
