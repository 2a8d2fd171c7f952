//! The socket, plain or with TLS.

use std::io::{self, IoSlice, IoSliceMut};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_util::{AsyncRead, AsyncWrite};
use lapin::tcp::{AMQPUriTcpExt, OwnedTLSConfig};
use lapin::uri::{AMQPScheme, AMQPUri};
use tokio::net::TcpStream;

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
                let socket = TcpStream::connect((uri.authority.host.as_str(), uri.authority.port)).await?;
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
