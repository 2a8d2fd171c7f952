//! What a connection becomes when it is upgraded: the TCP socket itself, where the application's server has not wrapped it.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use hyper_util::server::conn::auto::upgrade;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// Reads and writes.
pub(super) enum Io {
    /// What the client sent with its request comes first.
    Tcp { early: Bytes, stream: TcpStream },
    /// TLS, a Unix socket, whatever else the application listens on.
    Other(TokioIo<Upgraded>),
}

impl Io {
    /// A TCP socket sends what it is given at once from now on: it does not wait for the client's answer to what it sent before.
    pub(super) fn of(upgraded: Upgraded) -> Self {
        match tcp(upgraded) {
            Ok((read, stream)) => {
                // A copy, as what was read is a part of the server's buffer of many KiB, nearly always an empty one.
                let early = Bytes::copy_from_slice(&read);
                // Where the system cannot, messages leave a little later.
                let _ = stream.set_nodelay(true);
                Self::Tcp { early, stream }
            }
            Err(upgraded) => Self::Other(TokioIo::new(upgraded)),
        }
    }
}

/// `axum::serve` wraps the socket, a server made of hyper alone does not.
fn tcp(upgraded: Upgraded) -> Result<(Bytes, TcpStream), Upgraded> {
    let upgraded = match upgrade::downcast::<TokioIo<TcpStream>>(upgraded) {
        Ok(parts) => return Ok((parts.read_buf, parts.io.into_inner())),
        Err(upgraded) => upgraded,
    };
    upgraded.downcast::<TokioIo<TcpStream>>().map(|parts| (parts.read_buf, parts.io.into_inner()))
}

impl AsyncRead for Io {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp { early, .. } if !early.is_empty() => {
                into.put_slice(&early.split_to(early.len().min(into.remaining())));
                Poll::Ready(Ok(()))
            }
            Self::Tcp { stream, .. } => Pin::new(stream).poll_read(context, into),
            Self::Other(other) => Pin::new(other).poll_read(context, into),
        }
    }
}

impl AsyncWrite for Io {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp { stream, .. } => Pin::new(stream).poll_write(context, bytes),
            Self::Other(other) => Pin::new(other).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp { stream, .. } => Pin::new(stream).poll_flush(context),
            Self::Other(other) => Pin::new(other).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp { stream, .. } => Pin::new(stream).poll_shutdown(context),
            Self::Other(other) => Pin::new(other).poll_shutdown(context),
        }
    }
}
