//! One connection: what is received, what waits to be written, and whether the peer lives.

use std::future::poll_fn;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use amq_protocol::frame::AMQPFrame;
use amq_protocol::protocol::{AMQPClass, channel, connection};
use tracing::{Span, info, info_span, warn};

use super::Buffers;
use super::Failure;
use super::incoming::{Incoming, Received};
use super::outgoing::{Envelope, Outgoing, Parts};
use crate::socket::Socket;
use crate::{BrokerError, BrokerUrl};

/// How long a clean end may take.
const CLOSING: Duration = Duration::from_secs(2);

const CLOSED: &str = "the broker closed it";

/// A connection whose owner reads and writes whenever it is polled; no other thread has part in it.
pub struct AmqpConnection {
    pub(super) url: BrokerUrl,
    socket: Socket,
    incoming: Incoming,
    outgoing: Outgoing,
    /// The largest AMQP frame that the broker takes.
    frame_max: usize,
    /// Silence of this length is broken by a heartbeat, and twice as much is the peer's end; 0 for
    /// none.
    pub(super) heartbeat: Duration,
    last_read: Instant,
    last_written: Instant,
    is_blocked: bool,
    /// What the broker calls itself, with its version.
    pub(super) peer: String,
    /// What happens to it is reported within this.
    pub(super) span: Span,
}

impl AmqpConnection {
    pub(super) fn new(url: &BrokerUrl, name: &str, socket: Socket, buffers: Buffers) -> Self {
        let now = Instant::now();
        Self {
            url: url.clone(),
            socket,
            incoming: Incoming::new(buffers),
            outgoing: Outgoing::default(),
            frame_max: 4096,
            heartbeat: Duration::ZERO,
            last_read: now,
            last_written: now,
            is_blocked: false,
            peer: String::new(),
            span: info_span!("broker connection", broker = %url, name),
        }
    }

    pub(super) fn set_frame_max(&mut self, bytes: usize) {
        self.frame_max = bytes;
        self.incoming.set_frame_max(bytes);
    }

    /// What the broker calls itself, with its version.
    pub fn peer(&self) -> &str {
        &self.peer
    }

    /// The largest AMQP frame that the broker takes.
    pub const fn frame_max(&self) -> usize {
        self.frame_max
    }

    /// Where it leads.
    pub fn url(&self) -> &BrokerUrl {
        &self.url
    }

    /// Whether the broker takes nothing at the moment, as it lacks memory or room on its disk.
    pub fn is_blocked(&self) -> bool {
        self.is_blocked
    }

    /// Bytes that wait to be written.
    pub fn unwritten_bytes(&self) -> usize {
        self.outgoing.bytes()
    }

    /// Puts a method behind what waits to be written.
    pub fn send(&mut self, channel: u16, method: AMQPClass) {
        self.outgoing.push_frame(&AMQPFrame::Method(channel, method));
    }

    /// Puts a message behind what waits to be written.
    pub fn publish(&mut self, envelope: &Envelope, parts: &Parts<'_>) {
        self.outgoing.push_message(envelope, parts, self.frame_max);
    }

    /// Writes what the socket takes at once, without waiting.
    ///
    /// # Errors
    /// The connection is lost.
    pub fn flush(&mut self) -> Result<(), BrokerError> {
        let mut cx = Context::from_waker(Waker::noop());
        self.write(&mut cx).map_err(|failure| self.lost(failure))
    }

    /// Writes what is to be written, and gives what was received.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Received, BrokerError>> {
        self.poll_received(cx).map_err(|failure| self.lost(failure))
    }

    /// What was received by now.
    ///
    /// # Errors
    /// The connection is lost.
    pub fn try_next(&mut self) -> Result<Option<Received>, BrokerError> {
        match self.poll_next(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(received) => received.map(Some),
            Poll::Pending => Ok(None),
        }
    }

    pub(super) fn poll_received(&mut self, cx: &mut Context<'_>) -> Poll<Result<Received, Failure>> {
        self.write(cx)?;
        loop {
            while let Some(received) = self.incoming.next()? {
                if let Some(received) = self.take_own(received)? {
                    return Poll::Ready(Ok(received));
                }
            }
            match self.incoming.poll_read(&mut self.socket, cx)? {
                Poll::Ready(0) => return Poll::Ready(Err(Failure::Broken(CLOSED.to_owned()))),
                Poll::Ready(_) => self.last_read = Instant::now(),
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    /// Takes what concerns the connection as a whole, and returns the rest.
    fn take_own(&mut self, received: Received) -> Result<Option<Received>, Failure> {
        use connection::AMQPMethod as Connection;
        match received {
            Received::Method { channel: 0, method: AMQPClass::Connection(method) } => match method {
                Connection::Blocked(blocked) => {
                    self.is_blocked = true;
                    self.span.in_scope(|| warn!(reason = %blocked.reason, "blocked by the broker"));
                }
                Connection::Unblocked(_) => {
                    self.is_blocked = false;
                    self.span.in_scope(|| info!("unblocked by the broker"));
                }
                Connection::Close(close) => {
                    let (code, text) = (close.reply_code, close.reply_text.to_string());
                    self.send(0, AMQPClass::Connection(Connection::CloseOk(connection::CloseOk {})));
                    self.write(&mut Context::from_waker(Waker::noop()))?;
                    return Err(Failure::Closed { code, text });
                }
                method => {
                    let method = AMQPClass::Connection(method);
                    return Ok(Some(Received::Method { channel: 0, method }));
                }
            },
            Received::Method { channel, method: AMQPClass::Channel(channel::AMQPMethod::Close(close)) } => {
                let closed = channel::AMQPMethod::CloseOk(channel::CloseOk {});
                self.send(channel, AMQPClass::Channel(closed));
                let method = AMQPClass::Channel(channel::AMQPMethod::Close(close));
                return Ok(Some(Received::Method { channel, method }));
            }
            received => return Ok(Some(received)),
        }
        Ok(None)
    }

    pub(super) fn write(&mut self, cx: &mut Context<'_>) -> Result<(), Failure> {
        let mut wrote = false;
        while self.outgoing.bytes() > 0 {
            let (slices, count) = self.outgoing.slices();
            match self.socket.poll_write(cx, &slices[..count])? {
                Poll::Ready(0) => return Err(Failure::Broken("nothing can be written".to_owned())),
                Poll::Ready(written) => self.outgoing.advance(written),
                Poll::Pending => break,
            }
            wrote = true;
        }
        if wrote {
            self.last_written = Instant::now();
        }
        // What is left then goes out with what is written next, or with the next heartbeat.
        let _ = self.socket.poll_flush(cx)?;
        Ok(())
    }

    pub(super) fn write_header(&mut self) {
        self.outgoing
            .push_frame(&AMQPFrame::ProtocolHeader(amq_protocol::frame::ProtocolVersion::amqp_0_9_1()));
    }

    /// Whether something came that the owner has not taken yet.
    fn has_more(&mut self) -> Result<bool, Failure> {
        if self.incoming.holds_any() {
            return Ok(true);
        }
        let mut cx = Context::from_waker(Waker::noop());
        match self.incoming.poll_read(&mut self.socket, &mut cx)? {
            Poll::Ready(0) => Err(Failure::Broken(CLOSED.to_owned())),
            Poll::Ready(_) => {
                self.last_read = Instant::now();
                Ok(true)
            }
            Poll::Pending => Ok(false),
        }
    }

    /// To be called at least once in a second: breaks our silence, and looks at the peer's.
    ///
    /// # Errors
    /// The peer has been silent for too long.
    pub fn beat(&mut self) -> Result<(), BrokerError> {
        if self.heartbeat.is_zero() {
            return Ok(());
        }
        if self.last_read.elapsed() > 2 * self.heartbeat
            && !self.has_more().map_err(|failure| self.lost(failure))?
        {
            let reason = format!("nothing came for {} s", 2 * self.heartbeat.as_secs());
            return Err(self.lost(Failure::Broken(reason)));
        }
        if self.last_written.elapsed() > self.heartbeat / 2 && self.outgoing.bytes() == 0 {
            self.outgoing.push_frame(&AMQPFrame::Heartbeat);
        }
        self.flush()
    }

    /// Says goodbye, and waits for the answer for a moment.
    pub async fn close(mut self) {
        let (reply_code, reply_text) = (200, "done".into());
        let close = connection::Close { reply_code, reply_text, class_id: 0, method_id: 0 };
        self.send(0, AMQPClass::Connection(connection::AMQPMethod::Close(close)));
        let is_last = |received: &Received| {
            use connection::AMQPMethod::CloseOk;
            matches!(received, Received::Method { method: AMQPClass::Connection(CloseOk(_)), .. })
        };
        let closed = async {
            while poll_fn(|cx| self.poll_received(cx)).await.is_ok_and(|received| !is_last(&received)) {}
        };
        // A broker that does not answer in time has lost nothing by it.
        let _ = tokio::time::timeout(CLOSING, closed).await;
    }

    /// What a closed channel means: the broker's code and message.
    pub fn channel_closed(&self, close: &channel::Close) -> BrokerError {
        BrokerError::of_closed(&self.url, close.reply_code, close.reply_text.to_string())
    }

    fn lost(&self, failure: Failure) -> BrokerError {
        let error = self.error(failure);
        self.span.in_scope(|| warn!(reason = %error, "lost"));
        error
    }

    fn error(&self, failure: Failure) -> BrokerError {
        let url = self.url.to_string();
        match failure {
            Failure::Broken(reason) => BrokerError::Lost { url, reason },
            Failure::Tls(reason) => BrokerError::Tls { url, reason },
            Failure::Closed { code, text } => BrokerError::of_closed(&self.url, code, text),
        }
    }
}
