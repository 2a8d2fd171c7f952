//! A connection on a WebSocket: one task reads frames into the inbox and writes what waits in the outbox, one frame and one write
//! for all of it. While nothing happens no buffer is kept.

use std::cell::RefCell;
use std::future::{pending, poll_fn};
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::upgrade::OnUpgrade;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::timeout;

use super::frame::{self, Decoder, Event, HEADER_ROOM, Violation};
use super::guards::Carrying;
use super::input::{Inbox, Socket};
use super::socket::Io;
use crate::outbox::{Attachment, Outbox, Taken};

/// Read at once, on the stack.
const READ_BYTES: usize = 8 * 1024;
/// Sent in one frame, unless one message is longer.
const FRAME_BYTES: usize = 64 * 1024;
/// Within it the request has to become a socket.
const UPGRADE_TIMEOUT: Duration = Duration::from_secs(10);
const NORMAL: u16 = 1000;

/// How long a client may make a socket wait.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// For it to read.
    pub(super) send: Duration,
    /// For its close frame.
    pub(super) close: Duration,
}

/// Why a socket ends.
enum End {
    /// The client sent a close frame.
    ClosedByClient,
    /// The client broke the protocol of WebSockets.
    Violation(Violation),
    /// All that the handler had to say is sent.
    Finished,
    /// It is of no use any more: broken, blocked by a client that does not read, or taken over.
    Lost,
}

/// Carries the connection until the socket ends.
pub(super) async fn carry(
    upgrade: OnUpgrade,
    carrying: Carrying,
    attachment: Attachment,
    patience: Patience,
) {
    let Ok(Ok(upgraded)) = timeout(UPGRADE_TIMEOUT, upgrade).await else { return };
    let wire = Wire::new(Io::of(upgraded), patience.send);
    let end = tokio::select! {
        biased;
        end = receive(&wire, &carrying.link.inbox, carrying.socket) => end,
        end = send(&wire, &carrying.link.outbox, attachment) => end,
    };
    if let End::Lost = end {
        return;
    }
    carrying.closes();
    let _ = wire.close(&end, patience.close).await;
}

async fn receive(wire: &Wire, inbox: &Inbox, socket: Socket) -> End {
    let mut decoder = Decoder::default();
    loop {
        let Some(room) = inbox.room().await else {
            // The handler has returned: the outbox says when the socket ends.
            return pending().await;
        };
        let received = poll_fn(|context| {
            wire.poll_receive(context, room, &mut decoder, |bytes| inbox.push_from(socket, bytes))
        });
        if let Some(end) = received.await {
            return end;
        }
    }
}

async fn send(wire: &Wire, outbox: &Outbox, attachment: Attachment) -> End {
    loop {
        let written = tokio::select! {
            biased;
            pong = wire.next_pong() => wire.write(&pong).await,
            stopped = poll_fn(|context| wire.poll_send(context, outbox, attachment)) => match stopped {
                Stopped::Slow(rest) => wire.write(&rest).await,
                Stopped::At(end) => return end,
            },
        };
        if written.is_err() {
            return End::Lost;
        }
    }
}

/// Why frames are not sent one after the other any more.
enum Stopped {
    /// The socket takes no more at once: this has still to be written.
    Slow(Vec<u8>),
    At(End),
}

thread_local! {
    /// Frames are put together here, each written before the next one is begun. So a write allocates nothing, and connections
    /// keep nothing.
    static FRAME: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// The socket, of which both directions hold a reference; no lock is held while one waits.
struct Wire {
    io: Mutex<Io>,
    /// The answer to the client's latest Ping, the only one that needs an answer.
    pong: Mutex<Option<Vec<u8>>>,
    send_timeout: Duration,
}

impl Wire {
    fn new(io: Io, send_timeout: Duration) -> Self {
        Self { io: Mutex::new(io), pong: Mutex::new(None), send_timeout }
    }

    /// Reads once, at most `room` bytes; says how the socket ends, if it does.
    fn poll_receive(
        &self,
        context: &mut Context<'_>,
        room: usize,
        decoder: &mut Decoder,
        mut push: impl FnMut(&[u8]),
    ) -> Poll<Option<End>> {
        let mut scratch = [const { MaybeUninit::uninit() }; READ_BYTES];
        let mut read = ReadBuf::uninit(&mut scratch[..room.min(READ_BYTES)]);
        if ready!(Pin::new(&mut *self.io()).poll_read(context, &mut read)).is_err()
            || read.filled().is_empty()
        {
            return Poll::Ready(Some(End::Lost));
        }
        let mut bytes = read.filled_mut();
        loop {
            match decoder.next(&mut bytes) {
                Ok(Some(Event::Data(data))) => push(data),
                Ok(Some(Event::Ping(payload))) => *self.pong() = Some(frame::pong(&payload)),
                Ok(Some(Event::Pong)) => {}
                Ok(Some(Event::Close)) => return Poll::Ready(Some(End::ClosedByClient)),
                Ok(None) => return Poll::Ready(None),
                Err(violation) => return Poll::Ready(Some(End::Violation(violation))),
            }
        }
    }

    /// Both directions are polled by one task, first the one that sets it: so nobody has to be woken.
    async fn next_pong(&self) -> Vec<u8> {
        poll_fn(|_| self.pong().take().map_or(Poll::Pending, Poll::Ready)).await
    }

    /// Writes what there is, frame by frame, and waits for more, as long as the socket takes it at once. Tokio's budget for a
    /// task ends it, too, so that the client's own messages have their turn.
    fn poll_send(&self, context: &mut Context<'_>, outbox: &Outbox, attachment: Attachment) -> Poll<Stopped> {
        FRAME.with_borrow_mut(|frame| {
            loop {
                frame.clear();
                frame.resize(HEADER_ROOM, 0);
                let start = match ready!(outbox.poll_take(attachment, FRAME_BYTES, frame, context)) {
                    Taken::Messages(format) => frame::seal(frame, format),
                    Taken::Closed => return Poll::Ready(Stopped::At(End::Finished)),
                    Taken::Superseded => return Poll::Ready(Stopped::At(End::Lost)),
                };
                let stopped = self.write_at_once(context, &frame[start..]);
                // One long message does not cost its length for good.
                if frame.capacity() > 2 * FRAME_BYTES {
                    *frame = Vec::new();
                }
                if let Some(stopped) = stopped {
                    return Poll::Ready(stopped);
                }
            }
        })
    }

    /// Nothing where all is written.
    fn write_at_once(&self, context: &mut Context<'_>, mut bytes: &[u8]) -> Option<Stopped> {
        while !bytes.is_empty() {
            match Pin::new(&mut *self.io()).poll_write(context, bytes) {
                Poll::Ready(Ok(written @ 1..)) => bytes = &bytes[written..],
                Poll::Ready(_) => return Some(Stopped::At(End::Lost)),
                Poll::Pending => return Some(Stopped::Slow(bytes.to_vec())),
            }
        }
        match Pin::new(&mut *self.io()).poll_flush(context) {
            Poll::Ready(Ok(())) => None,
            Poll::Ready(Err(_)) => Some(Stopped::At(End::Lost)),
            Poll::Pending => Some(Stopped::Slow(Vec::new())),
        }
    }

    /// Fails where the client reads nothing for the send timeout.
    async fn write(&self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            match self.in_time(|context| Pin::new(&mut *self.io()).poll_write(context, bytes)).await? {
                0 => return Err(io::ErrorKind::WriteZero.into()),
                written => bytes = &bytes[written..],
            }
        }
        self.in_time(|context| Pin::new(&mut *self.io()).poll_flush(context)).await
    }

    /// Within the send timeout. Nearly always the socket has room, and no timer is needed.
    async fn in_time<T>(
        &self,
        mut poll: impl FnMut(&mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> io::Result<T> {
        match poll_fn(|context| Poll::Ready(poll(context))).await {
            Poll::Ready(done) => done,
            Poll::Pending => timeout(self.send_timeout, poll_fn(poll)).await?,
        }
    }

    /// Closes properly: with a close frame each way, and the end of TCP after them.
    async fn close(&self, end: &End, close_timeout: Duration) -> io::Result<()> {
        let code = match end {
            End::Violation(violation) => violation.code(),
            _ => NORMAL,
        };
        self.write(&frame::close(code)).await?;
        if let End::Finished = end {
            timeout(close_timeout, self.closed_by_client()).await?;
        }
        let shutdown = poll_fn(|context| Pin::new(&mut *self.io()).poll_shutdown(context));
        timeout(close_timeout, shutdown).await?
    }

    /// What comes before the client's close frame has nobody who wants it.
    async fn closed_by_client(&self) {
        let mut decoder = Decoder::default();
        while poll_fn(|context| self.poll_receive(context, READ_BYTES, &mut decoder, |_| {})).await.is_none()
        {
        }
    }

    fn io(&self) -> MutexGuard<'_, Io> {
        self.io.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn pong(&self) -> MutexGuard<'_, Option<Vec<u8>>> {
        self.pong.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
