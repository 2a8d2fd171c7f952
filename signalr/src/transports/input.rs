//! What a client has sent and its handler has not taken yet.

use std::collections::VecDeque;
use std::mem;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::{Bytes, BytesMut};
use tokio::sync::Notify;

/// What waits for a handler at most; then the client waits.
const MAX_BYTES: usize = 64 * 1024;
/// The same before a handler is there: there may be many negotiated ids that nobody connects.
const MAX_BYTES_UNCONNECTED: usize = 4 * 1024;

/// Room for pieces that an idle connection keeps.
const IDLE_PIECES: usize = 4;

/// What comes from the client. Bounded: a client whose input is not taken has to wait.
#[derive(Debug)]
pub struct Input {
    inbox: Arc<Inbox>,
}

/// One piece of what comes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Received {
    /// Bytes, cut anywhere.
    Bytes(Bytes),
    /// A new socket carries the connection: what was begun on the old one is not ended.
    Reattached,
    /// The server stops: say goodbye (a Close that allows reconnecting) and return. Comes once, and before what waits.
    Stopping,
}

impl Input {
    pub(super) fn of(inbox: Arc<Inbox>) -> Self {
        inbox.lock().limit_bytes = MAX_BYTES;
        inbox.room.notify_waiters();
        Self { inbox }
    }

    /// The next piece; `None` when the client has gone. Nothing is lost where the wait is dropped.
    pub async fn next(&mut self) -> Option<Received> {
        loop {
            let mut arrived = pin!(self.inbox.arrived.notified());
            arrived.as_mut().enable();
            if let Some(next) = self.inbox.lock().take() {
                self.inbox.room.notify_waiters();
                return next;
            }
            arrived.await;
        }
    }

    /// Waits until the client has gone, whatever of it still waits.
    pub(crate) async fn ended(&self) {
        self.inbox.ended().await;
    }

    /// The client takes no part in stateful reconnect (its handshake asked for version 1): a broken socket ends the connection.
    pub fn forbid_reattach(&self) {
        self.inbox.lock().may_reattach = false;
    }
}

impl Drop for Input {
    fn drop(&mut self) {
        self.inbox.lock().discard();
        self.inbox.room.notify_waiters();
    }
}

/// Where transports put what comes.
#[derive(Debug)]
pub(super) struct Inbox {
    waiting: Mutex<Waiting>,
    arrived: Notify,
    room: Notify,
}

/// Which socket bytes come from: what an earlier one still brings is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Socket(u64);

#[derive(Debug)]
struct Waiting {
    pieces: VecDeque<Piece>,
    bytes: usize,
    limit_bytes: usize,
    socket: u64,
    may_reattach: bool,
    is_stopping: bool,
    has_ended: bool,
    is_unread: bool,
}

#[derive(Debug)]
enum Piece {
    Bytes(BytesMut),
    Reattached,
}

impl Inbox {
    pub(super) fn new(may_reattach: bool) -> Arc<Self> {
        Arc::new(Self {
            waiting: Mutex::new(Waiting {
                pieces: VecDeque::new(),
                bytes: 0,
                limit_bytes: MAX_BYTES_UNCONNECTED,
                socket: 0,
                may_reattach,
                is_stopping: false,
                has_ended: false,
                is_unread: false,
            }),
            arrived: Notify::new(),
            room: Notify::new(),
        })
    }

    /// Waits until something may be put in, and says how many bytes; `None` when the connection has ended.
    pub(super) async fn room(&self) -> Option<usize> {
        loop {
            let mut room = pin!(self.room.notified());
            room.as_mut().enable();
            {
                let waiting = self.lock();
                if waiting.has_ended {
                    return None;
                }
                if waiting.bytes < waiting.limit_bytes {
                    return Some(waiting.limit_bytes - waiting.bytes);
                }
            }
            room.await;
        }
    }

    /// Puts in at most as many bytes as there is [`room`](Self::room) for.
    pub(super) fn push(&self, bytes: &[u8]) {
        self.lock().push(bytes);
        self.arrived.notify_one();
    }

    /// As [`push`](Self::push), unless another socket has taken over.
    pub(super) fn push_from(&self, socket: Socket, bytes: &[u8]) {
        let mut waiting = self.lock();
        if waiting.socket == socket.0 {
            waiting.push(bytes);
            drop(waiting);
            self.arrived.notify_one();
        }
    }

    /// The first socket carries the connection.
    pub(super) fn first_socket(&self) -> Socket {
        Socket(self.lock().socket)
    }

    /// A new socket carries it from now on.
    pub(super) fn next_socket(&self) -> Socket {
        let mut waiting = self.lock();
        waiting.socket += 1;
        if !matches!(waiting.pieces.back(), Some(Piece::Reattached)) {
            waiting.pieces.push_back(Piece::Reattached);
        }
        let socket = Socket(waiting.socket);
        drop(waiting);
        self.arrived.notify_one();
        socket
    }

    /// Whether a broken socket may be followed by another one.
    pub(super) fn may_reattach(&self) -> bool {
        let waiting = self.lock();
        waiting.may_reattach && !waiting.has_ended
    }

    /// The handler is to say goodbye.
    pub(super) fn stop(&self) {
        self.lock().is_stopping = true;
        self.arrived.notify_one();
    }

    /// Nothing comes any more.
    pub(super) fn end(&self) {
        self.lock().has_ended = true;
        self.arrived.notify_one();
        self.room.notify_waiters();
    }

    /// Waits for the end.
    pub(super) async fn ended(&self) {
        loop {
            let mut room = pin!(self.room.notified());
            room.as_mut().enable();
            if self.lock().has_ended {
                return;
            }
            room.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    /// Nobody wants what comes; the client may go on sending, and its end is seen.
    fn discard(&mut self) {
        self.is_unread = true;
        self.bytes = 0;
        self.pieces = VecDeque::new();
    }

    fn push(&mut self, bytes: &[u8]) {
        if self.is_unread || self.has_ended || bytes.is_empty() {
            return;
        }
        self.bytes += bytes.len();
        match self.pieces.back_mut() {
            Some(Piece::Bytes(last)) => last.extend_from_slice(bytes),
            _ => self.pieces.push_back(Piece::Bytes(BytesMut::from(bytes))),
        }
    }

    /// `None` where nothing has come; `Some(None)` at the end.
    fn take(&mut self) -> Option<Option<Received>> {
        if mem::take(&mut self.is_stopping) {
            return Some(Some(Received::Stopping));
        }
        match self.pieces.pop_front() {
            Some(Piece::Reattached) => Some(Some(Received::Reattached)),
            Some(Piece::Bytes(bytes)) => {
                self.bytes -= bytes.len();
                if self.pieces.is_empty() && self.pieces.capacity() > IDLE_PIECES {
                    self.pieces = VecDeque::new();
                }
                Some(Some(Received::Bytes(bytes.freeze())))
            }
            None => self.has_ended.then_some(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn now(input: &mut Input) -> Option<Option<Received>> {
        input.next().now_or_never()
    }

    fn bytes(text: &'static str) -> Option<Option<Received>> {
        Some(Some(Received::Bytes(Bytes::from_static(text.as_bytes()))))
    }

    #[test]
    fn what_came_before_the_end_is_taken_first() {
        let inbox = Inbox::new(false);
        let mut input = Input::of(inbox.clone());
        assert_eq!(now(&mut input), None);
        inbox.push(b"one ");
        inbox.push(b"two");
        inbox.end();
        assert_eq!(now(&mut input), bytes("one two"));
        assert_eq!(now(&mut input), Some(None));
        assert_eq!(now(&mut input), Some(None));
    }

    #[test]
    fn a_new_socket_stands_between_the_bytes_of_both_and_the_old_one_is_not_heard_any_more() {
        let inbox = Inbox::new(true);
        let mut input = Input::of(inbox.clone());
        let first = inbox.first_socket();
        inbox.push_from(first, b"old");
        let second = inbox.next_socket();
        inbox.push_from(first, b"late");
        inbox.push_from(second, b"new");
        assert_eq!(now(&mut input), bytes("old"));
        assert_eq!(now(&mut input), Some(Some(Received::Reattached)));
        assert_eq!(now(&mut input), bytes("new"));
        for _ in 0..1000 {
            inbox.next_socket();
        }
        assert_eq!(inbox.lock().pieces.len(), 1, "the handler needs to know it once");
    }

    #[test]
    fn the_end_of_the_server_comes_before_what_waits() {
        let inbox = Inbox::new(false);
        let mut input = Input::of(inbox.clone());
        inbox.push(b"waits");
        inbox.stop();
        assert_eq!(now(&mut input), Some(Some(Received::Stopping)));
        assert_eq!(now(&mut input), bytes("waits"));
    }

    #[test]
    fn there_is_room_for_64_kib_and_for_4_before_a_handler_is_there() {
        let inbox = Inbox::new(false);
        assert_eq!(inbox.room().now_or_never(), Some(Some(MAX_BYTES_UNCONNECTED)));
        inbox.push(&[0; MAX_BYTES_UNCONNECTED]);
        assert_eq!(inbox.room().now_or_never(), None);
        let mut input = Input::of(inbox.clone());
        assert_eq!(inbox.room().now_or_never(), Some(Some(MAX_BYTES - MAX_BYTES_UNCONNECTED)));
        inbox.push(&[0; MAX_BYTES - MAX_BYTES_UNCONNECTED]);
        assert_eq!(inbox.room().now_or_never(), None);
        assert!(now(&mut input).is_some());
        assert_eq!(inbox.room().now_or_never(), Some(Some(MAX_BYTES)));
        inbox.end();
        assert_eq!(inbox.room().now_or_never(), Some(None));
    }

    #[test]
    fn what_nobody_takes_is_thrown_away() {
        let inbox = Inbox::new(false);
        let input = Input::of(inbox.clone());
        inbox.push(&[0; MAX_BYTES]);
        drop(input);
        for _ in 0..10 {
            assert_eq!(inbox.room().now_or_never(), Some(Some(MAX_BYTES)));
            inbox.push(&[0; MAX_BYTES]);
        }
    }
}
