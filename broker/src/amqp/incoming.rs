//! What is read: methods as they are, bodies each in a buffer of its own, without a copy where they
//! are large.

use std::io::IoSliceMut;
use std::task::{Context, Poll};

use amq_protocol::frame::parsing::parse_content_header;
use amq_protocol::protocol::{AMQPClass, basic, parse_class};
use amq_protocol::types::ShortString;

use super::Buffers;
use super::Failure;
use crate::socket::Socket;

/// What is read at once of everything but large bodies. A frame that is not of a body, such as a message's
/// headers, must fit into the buffer, which therefore grows to the largest frame that was agreed.
const BUFFER_BYTES: usize = 64 << 10;
/// So much is read beyond a large body: what stands between two, so that nearly all of the next one
/// is read into its place.
const BETWEEN_BYTES: usize = 256;
/// From this size on a body is large.
const LARGE_BODY: usize = 32 << 10;
/// A broker has no larger message.
const MAX_BODY_BYTES: u64 = 512 << 20;

const METHOD: u8 = 1;
const HEADER: u8 = 2;
const BODY: u8 = 3;
const HEARTBEAT: u8 = 8;
const END: u8 = 0xce;
const FRAME_HEADER: usize = 7;

/// Something whole.
#[derive(Debug)]
pub enum Received {
    /// A method without a message.
    Method {
        /// The channel, 0 for the connection as a whole.
        channel: u16,
        /// What the broker asks for or answers.
        method: AMQPClass,
    },
    /// A message of a queue.
    Delivery {
        /// The channel whose consumer gets it.
        channel: u16,
        /// What stands before it, with its tag.
        deliver: basic::Deliver,
        /// The payload, in a buffer of the connection's [`Buffers`].
        body: Vec<u8>,
    },
    /// A message that no queue was there for.
    Returned {
        /// The channel by which it was published.
        channel: u16,
        /// Where it was published to, and why it came back.
        returned: basic::Return,
        /// Its own id, where it was given one: the way to know which of many it is.
        message_id: Option<ShortString>,
        /// The payload.
        body: Vec<u8>,
    },
}

pub(super) struct Incoming {
    buffer: Vec<u8>,
    /// What of it was read and not taken.
    start: usize,
    end: usize,
    /// Messages that have begun to arrive, one a channel at most.
    messages: Vec<Message>,
    /// The part of a body that is arriving.
    chunk: Option<Chunk>,
    /// The last body was large, and the next one is likely to be.
    is_large: bool,
    buffers: Buffers,
}

struct Message {
    channel: u16,
    method: basic::AMQPMethod,
    body: Vec<u8>,
    filled: usize,
    has_header: bool,
    /// Of a message that came back.
    message_id: Option<ShortString>,
}

#[derive(Clone, Copy)]
struct Chunk {
    message: usize,
    left: usize,
}

fn broken(reason: &str) -> Failure {
    Failure::Broken(format!("the broker does not keep to the protocol: {reason}"))
}

impl Incoming {
    pub(super) fn new(buffers: Buffers) -> Self {
        Self {
            buffer: vec![0; BUFFER_BYTES],
            start: 0,
            end: 0,
            messages: Vec::new(),
            chunk: None,
            is_large: false,
            buffers,
        }
    }

    /// The broker's frames have at most so many bytes from now on, [`BUFFER_BYTES`] at least.
    pub(super) fn set_frame_max(&mut self, bytes: usize) {
        self.buffer.resize(bytes.max(BUFFER_BYTES), 0);
    }

    /// Whether something was read that is not taken yet.
    pub(super) fn holds_any(&self) -> bool {
        self.start < self.end
    }

    /// Reads what is there; 0 at the end.
    pub(super) fn poll_read(
        &mut self,
        socket: &mut Socket,
        cx: &mut Context<'_>,
    ) -> Poll<std::io::Result<usize>> {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        } else if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        let between = if self.is_large { BETWEEN_BYTES } else { BUFFER_BYTES };
        let limit = self.buffer.len().min(self.end + between);
        let free = IoSliceMut::new(&mut self.buffer[self.end..limit]);
        // What is in the buffer comes before what is not yet read.
        let direct = self.chunk.filter(|chunk| self.end == 0 && chunk.left > 0);
        let Some(chunk) = direct else {
            let read = socket.poll_read(cx, &mut [free]);
            if let Poll::Ready(Ok(read)) = read {
                self.end += read;
            }
            return read;
        };
        let message = &mut self.messages[chunk.message];
        let place = &mut message.body[message.filled..message.filled + chunk.left];
        let read = socket.poll_read(cx, &mut [IoSliceMut::new(place), free]);
        if let Poll::Ready(Ok(read)) = read {
            let in_place = read.min(chunk.left);
            message.filled += in_place;
            self.chunk = Some(Chunk { left: chunk.left - in_place, ..chunk });
            self.end += read - in_place;
        }
        read
    }

    /// The next thing that is whole; `None` if more has to be read.
    pub(super) fn next(&mut self) -> Result<Option<Received>, Failure> {
        loop {
            if let Some(chunk) = self.chunk {
                match self.take_chunk(chunk)? {
                    Some(Taken::Whole(received)) => return Ok(Some(received)),
                    Some(Taken::Part) => continue,
                    None => return Ok(None),
                }
            }
            let read = &self.buffer[self.start..self.end];
            let Some((header, rest)) = read.split_first_chunk::<FRAME_HEADER>() else { return Ok(None) };
            let [kind, channel_high, channel_low, size @ ..] = *header;
            let channel = u16::from_be_bytes([channel_high, channel_low]);
            let size = u32::from_be_bytes(size) as usize;
            if kind == BODY {
                self.start += FRAME_HEADER;
                self.begin_chunk(channel, size)?;
                continue;
            }
            if FRAME_HEADER + size + 1 > self.buffer.len() {
                return Err(broken(&format!("a frame of {size} bytes that is not of a body")));
            }
            let (Some(payload), Some(end)) = (rest.get(..size), rest.get(size)) else { return Ok(None) };
            if *end != END {
                return Err(broken("a frame without an end"));
            }
            let received = match kind {
                METHOD => {
                    let (_, method) = parse_class(payload).map_err(|_| broken("an unknown method"))?;
                    Begun::Method(method)
                }
                HEADER => {
                    let (_, header) =
                        parse_content_header(payload).map_err(|_| broken("a header of no message"))?;
                    let message_id = header.properties.message_id().clone();
                    Begun::Header { size: header.body_size, message_id }
                }
                HEARTBEAT => Begun::Nothing,
                _ => return Err(broken(&format!("a frame of the unknown type {kind}"))),
            };
            self.start += FRAME_HEADER + size + 1;
            if let Some(whole) = self.begin(channel, received)? {
                return Ok(Some(whole));
            }
        }
    }

    fn begin(&mut self, channel: u16, begun: Begun) -> Result<Option<Received>, Failure> {
        match begun {
            Begun::Nothing => Ok(None),
            Begun::Method(AMQPClass::Basic(
                method @ (basic::AMQPMethod::Deliver(_) | basic::AMQPMethod::Return(_)),
            )) => {
                // A message of a channel that was closed meanwhile comes to no end.
                self.messages.retain(|message| message.channel != channel);
                let body = Vec::new();
                let message =
                    Message { channel, method, body, filled: 0, has_header: false, message_id: None };
                self.messages.push(message);
                Ok(None)
            }
            Begun::Method(method) => Ok(Some(Received::Method { channel, method })),
            Begun::Header { size, message_id } => {
                if size > MAX_BODY_BYTES {
                    return Err(broken(&format!("a message of {size} bytes")));
                }
                let place = self.message(channel)?;
                let message = &mut self.messages[place];
                message.has_header = true;
                message.message_id = message_id;
                message.body = self.buffers.take(size as usize);
                self.is_large = size as usize >= LARGE_BODY;
                Ok(if size == 0 { Some(self.finish(place)) } else { None })
            }
        }
    }

    fn message(&self, channel: u16) -> Result<usize, Failure> {
        let place = self.messages.iter().position(|message| message.channel == channel);
        place.ok_or_else(|| broken("content without a message"))
    }

    fn begin_chunk(&mut self, channel: u16, size: usize) -> Result<(), Failure> {
        let place = self.message(channel)?;
        let message = &self.messages[place];
        if !message.has_header || size > message.body.len() - message.filled {
            return Err(broken("more content than it has announced"));
        }
        self.chunk = Some(Chunk { message: place, left: size });
        Ok(())
    }

    /// Takes what the buffer has of a chunk, and its end.
    fn take_chunk(&mut self, mut chunk: Chunk) -> Result<Option<Taken>, Failure> {
        let message = &mut self.messages[chunk.message];
        let taken = chunk.left.min(self.end - self.start);
        message.body[message.filled..message.filled + taken]
            .copy_from_slice(&self.buffer[self.start..self.start + taken]);
        (message.filled, self.start, chunk.left) =
            (message.filled + taken, self.start + taken, chunk.left - taken);
        self.chunk = Some(chunk);
        if chunk.left > 0 || self.start == self.end {
            return Ok(None);
        }
        if self.buffer[self.start] != END {
            return Err(broken("a frame without an end"));
        }
        self.start += 1;
        self.chunk = None;
        if message.filled < message.body.len() {
            return Ok(Some(Taken::Part));
        }
        Ok(Some(Taken::Whole(self.finish(chunk.message))))
    }

    fn finish(&mut self, place: usize) -> Received {
        let Message { channel, method, body, message_id, .. } = self.messages.swap_remove(place);
        match method {
            basic::AMQPMethod::Deliver(deliver) => Received::Delivery { channel, deliver, body },
            basic::AMQPMethod::Return(returned) => Received::Returned { channel, returned, message_id, body },
            // No other begins a message.
            method => Received::Method { channel, method: AMQPClass::Basic(method) },
        }
    }
}

enum Begun {
    Nothing,
    Method(AMQPClass),
    Header { size: u64, message_id: Option<ShortString> },
}

enum Taken {
    Part,
    Whole(Received),
}
