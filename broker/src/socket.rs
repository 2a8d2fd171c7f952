//! The socket to a broker, plain or with TLS.

use std::io::{self, IoSlice, IoSliceMut};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use lapin::uri::AMQPScheme;
use tokio::io::AsyncWrite as _;
use tokio::net::{TcpSocket, TcpStream};

use crate::tls::{self, TlsSocket};
use crate::{BrokerError, BrokerUrl};

/// Reads into several buffers at once, and writes from several.
pub(crate) enum Socket {
    Plain(TcpStream),
    Tls(Box<TlsSocket>),
}

impl Socket {
    /// Connects to the first of the host's addresses that answers, and encrypts where the URL says so.
    pub(crate) async fn connect(url: &BrokerUrl) -> Result<Self, BrokerError> {
        let connecting = connect(url.host(), url.uri().authority.port).await;
        let socket = connecting.map_err(|error| BrokerError::Unreachable {
            url: url.to_string(),
            reason: match error.kind() {
                io::ErrorKind::ConnectionRefused => {
                    "the connection is refused: nobody listens there".to_owned()
                }
                _ => error.to_string(),
            },
        })?;
        match url.uri().scheme {
            AMQPScheme::AMQP => Ok(Self::Plain(socket)),
            AMQPScheme::AMQPS => Ok(Self::Tls(Box::new(tls::encrypt(url, socket).await?))),
        }
    }

    /// Reads what is there into the first buffer, then into the next; 0 at the end.
    pub(crate) fn poll_read(
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
                let Some(first) = buffers.iter_mut().find(|buffer| !buffer.is_empty()) else {
                    return Poll::Ready(Ok(0));
                };
                socket.poll_read(cx, first)
            }
        }
    }

    /// Writes what fits, from the first buffer on.
    pub(crate) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self {
            Self::Plain(socket) => Pin::new(socket).poll_write_vectored(cx, buffers),
            Self::Tls(socket) => socket.poll_write(cx, buffers),
        }
    }

    /// Lets what was written go out.
    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(_) => Poll::Ready(Ok(())),
            Self::Tls(socket) => socket.poll_flush(cx),
        }
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(socket) => Pin::new(socket).poll_shutdown(cx),
            Self::Tls(socket) => socket.poll_shutdown(cx),
        }
    }
}

/// As the client library wants it.
impl futures_util::AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        Self::poll_read(&mut self, cx, &mut [IoSliceMut::new(buffer)])
    }

    fn poll_read_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        Self::poll_read(&mut self, cx, buffers)
    }
}

impl futures_util::AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &[u8]) -> Poll<io::Result<usize>> {
        Self::poll_write(&mut self, cx, &[IoSlice::new(buffer)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Self::poll_write(&mut self, cx, buffers)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Self::poll_flush(&mut self, cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_shutdown(cx)
    }
}

async fn connect(host: &str, port: u16) -> io::Result<TcpStream> {
    let mut refused = io::Error::new(io::ErrorKind::NotFound, format!("host {host} has no address"));
    for address in tokio::net::lookup_host((host, port)).await? {
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        if address.ip().is_loopback() {
            congestion::choose_within_machine(&socket);
        }
        match socket.connect(address).await {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                return Ok(stream);
            }
            Err(error) => refused = error,
        }
    }
    Err(refused)
}

#[cfg(target_os = "linux")]
mod congestion {
    use socket2::SockRef;
    use tokio::net::TcpSocket;

    /// What is sent within one machine meets no congestion. The system's own choice may send at a pace, as
    /// BBR does, which costs a fourth of the bytes/s there. The first of these is Linux's default, and the
    /// second is for who may not choose it.
    pub(super) const WITHIN_MACHINE: [&[u8]; 2] = [b"cubic", b"reno"];

    /// It has to be chosen before the connection is made. Without any, it is as the system has it.
    pub(super) fn choose_within_machine(socket: &TcpSocket) {
        let choose = |name: &&[u8]| SockRef::from(socket).set_tcp_congestion(name).is_ok();
        let _chosen = WITHIN_MACHINE.iter().find(|name| choose(name));
    }
}

#[cfg(not(target_os = "linux"))]
mod congestion {
    /// Other systems do not let a socket choose, and do not send at a pace within the machine.
    pub(super) fn choose_within_machine(_socket: &tokio::net::TcpSocket) {}
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn within_the_machine_nothing_is_sent_at_a_pace() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let chosen = runtime.block_on(async {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let socket = connect("127.0.0.1", listener.local_addr().unwrap().port()).await.unwrap();
            socket2::SockRef::from(&socket).tcp_congestion().unwrap()
        });
        let is_chosen = congestion::WITHIN_MACHINE.iter().any(|name| chosen.starts_with(name));
        assert!(is_chosen, "{}", chosen.escape_ascii());
    }
}
