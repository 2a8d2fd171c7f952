//! Server-Sent Events: one response that goes on, in which each event holds whole messages.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use futures_util::stream::{self, Stream};
use tokio::sync::Notify;
use tokio::time::timeout;

use super::guards::Streaming;
use crate::outbox::{Attachment, Taken};

/// Sent as one event, unless one message is longer.
const EVENT_BYTES: usize = 64 * 1024;
const DATA: &[u8] = b"data: ";
const NEW_LINE: &[u8] = b"\r\n";

/// The response's body. It ends with the connection, and the connection with it.
pub(super) fn body(streaming: Streaming, attachment: Attachment, send_timeout: Duration) -> Body {
    Body::from_stream(events(Events { streaming, attachment, send_timeout, written: None }))
}

struct Events {
    streaming: Streaming,
    attachment: Attachment,
    send_timeout: Duration,
    /// Rings when the server has written what the stream gave it last; `None` before the first.
    written: Option<Arc<Notify>>,
}

fn events(events: Events) -> impl Stream<Item = io::Result<Bytes>> {
    stream::unfold(events, |mut events| async move {
        let next = events.next().await?;
        Some((next, events))
    })
}

impl Events {
    async fn next(&mut self) -> Option<io::Result<Bytes>> {
        let Some(written) = &self.written else {
            // Clients take the connection for begun when something comes.
            return Some(Ok(self.sent(b":\r\n".to_vec())));
        };
        if timeout(self.send_timeout, written.notified()).await.is_err() {
            return Some(Err(io::Error::new(io::ErrorKind::TimedOut, "the client does not read")));
        }
        let mut event = DATA.to_vec();
        match self.streaming.link.outbox.take(self.attachment, EVENT_BYTES, &mut event).await {
            Taken::Messages(_) => Some(Ok(self.sent(finish(event)))),
            Taken::Closed | Taken::Superseded => {
                self.streaming.closes();
                None
            }
        }
    }

    fn sent(&mut self, bytes: Vec<u8>) -> Bytes {
        let written = Arc::new(Notify::new());
        self.written = Some(written.clone());
        Bytes::from_owner(Sent { bytes, written })
    }
}

/// Bytes on their way to the client. The server drops them when they are written; without this it would take hundreds of kilobytes
/// for a client that does not read.
struct Sent {
    bytes: Vec<u8>,
    written: Arc<Notify>,
}

impl AsRef<[u8]> for Sent {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Sent {
    fn drop(&mut self) {
        self.written.notify_one();
    }
}

/// Ends the event, whose first line has begun. A payload with new lines goes on in lines of its own.
fn finish(mut event: Vec<u8>) -> Vec<u8> {
    if event.contains(&b'\n') {
        event = in_lines(&event[DATA.len()..]);
    }
    event.extend_from_slice(NEW_LINE);
    event.extend_from_slice(NEW_LINE);
    event
}

fn in_lines(payload: &[u8]) -> Vec<u8> {
    let mut event = Vec::with_capacity(payload.len() + 64);
    for line in payload.split(|&byte| byte == b'\n') {
        if !event.is_empty() {
            event.extend_from_slice(NEW_LINE);
        }
        event.extend_from_slice(DATA);
        event.extend_from_slice(line.strip_suffix(b"\r").unwrap_or(line));
    }
    event
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(payload: &[u8]) -> Vec<u8> {
        finish([DATA, payload].concat())
    }

    #[test]
    fn new_lines_begin_lines_of_their_own_as_recorded() {
        let recorded =
            b"data: one\r\ndata: two\r\ndata: three\rfour\r\ndata: \r\ndata: six\r\ndata: \r\n\r\n";
        assert_eq!(event(b"one\ntwo\r\nthree\rfour\n\nsix\n"), recorded);
        assert_eq!(event(b"\n"), b"data: \r\ndata: \r\n\r\n");
        assert_eq!(event(&[0, 0xff, 0x0a, 0xfe]), b"data: \x00\xff\r\ndata: \xfe\r\n\r\n");
    }

    #[test]
    fn a_payload_without_new_lines_is_one_line() {
        assert_eq!(event(b"{}\x1e"), b"data: {}\x1e\r\n\r\n");
    }
}
