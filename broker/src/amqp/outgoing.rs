//! What is to be written: small things gathered, large parts by reference.

use std::collections::VecDeque;
use std::io::IoSlice;

use amq_protocol::frame::{AMQPContentHeader, AMQPFrame, WriteContext, gen_frame};
use amq_protocol::protocol::{AMQPClass, BasicProperties, basic};

use bytes::Bytes;

/// A part of this size or more is written from where it is.
const BY_REFERENCE: usize = 4 << 10;
/// Small things are gathered up to this size.
const GATHERED: usize = 32 << 10;
/// So many parts at once are more than the system takes well.
pub(super) const PARTS_AT_ONCE: usize = 64;
/// So many buffers are kept to be used again.
const KEPT: usize = 16;

const BODY: u8 = 3;
const END: u8 = 0xce;
/// What AMQP puts around a part of a body.
const BODY_OVERHEAD: usize = 8;

/// A message's body in three parts, of which the middle one may be large: it is written from where it is.
pub struct Parts<'a> {
    /// What stands before the middle.
    pub head: &'a [u8],
    /// The middle.
    pub middle: &'a [u8],
    /// The middle once more, kept alive until it is written; asked for only where it is large.
    pub share_middle: &'a dyn Fn() -> Bytes,
    /// What follows the middle.
    pub tail: &'a [u8],
}

/// Where messages of one kind go, as it stands before each body.
#[derive(Clone, Debug)]
pub struct Envelope {
    channel: u16,
    bytes: Vec<u8>,
    /// Where in it the size of the body stands.
    size_at: usize,
}

impl Envelope {
    /// For messages that are published on this channel, by this exchange and with this key.
    pub fn new(
        channel: u16,
        exchange: &str,
        key: &str,
        mandatory: bool,
        properties: BasicProperties,
    ) -> Self {
        let publish = basic::Publish {
            exchange: exchange.into(),
            routing_key: key.into(),
            mandatory,
            immediate: false,
        };
        let method = AMQPFrame::Method(channel, AMQPClass::Basic(basic::AMQPMethod::Publish(publish)));
        let mut bytes = Vec::new();
        write_frame(&method, &mut bytes);
        // Type, channel and length of the frame, then class and weight.
        let size_at = bytes.len() + 7 + 4;
        let header = AMQPContentHeader { class_id: BASIC, body_size: 0, properties };
        write_frame(&AMQPFrame::Header(channel, header), &mut bytes);
        Self { channel, bytes, size_at }
    }

    /// How many bytes stand before a body. A broker closes the connection where its headers, which are most of
    /// that, are larger than an AMQP frame.
    pub fn size(&self) -> usize {
        self.bytes.len()
    }
}

const BASIC: u16 = 60;

/// Writes an AMQP frame behind what is there.
pub(super) fn write_frame(frame: &AMQPFrame, out: &mut Vec<u8>) {
    let taken = std::mem::take(out);
    let written = gen_frame(frame)(WriteContext { write: taken, position: out.len() as u64 });
    *out = written.expect("memory takes everything").write;
}

/// What waits to be written, in order.
#[derive(Default)]
pub(super) struct Outgoing {
    segments: VecDeque<Segment>,
    /// So many bytes of the first are written.
    written: usize,
    bytes: usize,
    kept: Vec<Vec<u8>>,
}

enum Segment {
    Gathered(Vec<u8>),
    /// A part of a body, where it is.
    Shared(Bytes),
}

impl Segment {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Gathered(bytes) => bytes,
            Self::Shared(bytes) => bytes,
        }
    }
}

impl Outgoing {
    /// Bytes that are not written yet.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn push_frame(&mut self, frame: &AMQPFrame) {
        let mut bytes = Vec::new();
        write_frame(frame, &mut bytes);
        self.push(&bytes);
    }

    /// A message, cut so that no AMQP frame is larger than the broker takes.
    pub(super) fn push_message(&mut self, envelope: &Envelope, parts: &Parts<'_>, frame_max: usize) {
        let (head, middle, tail) = (parts.head.len(), parts.middle.len(), parts.tail.len());
        let size = head + middle + tail;
        let mut shared = None;
        let (before, behind) = envelope.bytes.split_at(envelope.size_at);
        self.push(before);
        self.push(&(size as u64).to_be_bytes());
        self.push(&behind[size_of::<u64>()..]);
        let chunk = frame_max - BODY_OVERHEAD;
        for from in (0..size).step_by(chunk) {
            let to = size.min(from + chunk);
            let [channel_high, channel_low] = envelope.channel.to_be_bytes();
            self.push(&[BODY, channel_high, channel_low]);
            self.push(&((to - from) as u32).to_be_bytes());
            // The part of each that lies in this chunk.
            let within = |start: usize, len: usize| {
                from.clamp(start, start + len) - start..to.clamp(start, start + len) - start
            };
            self.push(&parts.head[within(0, head)]);
            let range = within(head, middle);
            if range.len() < BY_REFERENCE {
                self.push(&parts.middle[range]);
            } else {
                self.push_shared(shared.get_or_insert_with(parts.share_middle).slice(range));
            }
            self.push(&parts.tail[within(head + middle, tail)]);
            self.push(&[END]);
        }
    }

    fn push(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len();
        match self.segments.back_mut() {
            Some(Segment::Gathered(last)) if last.len() + bytes.len() <= GATHERED => {
                last.extend_from_slice(bytes);
            }
            _ => {
                let mut gathered = self.kept.pop().unwrap_or_default();
                gathered.extend_from_slice(bytes);
                self.segments.push_back(Segment::Gathered(gathered));
            }
        }
    }

    fn push_shared(&mut self, bytes: Bytes) {
        self.bytes += bytes.len();
        self.segments.push_back(Segment::Shared(bytes));
    }

    /// What is to be written next.
    pub(super) fn slices(&self) -> ([IoSlice<'_>; PARTS_AT_ONCE], usize) {
        let mut slices = [IoSlice::new(&[]); PARTS_AT_ONCE];
        let mut skip = self.written;
        let mut count = 0;
        for (slice, segment) in slices.iter_mut().zip(&self.segments) {
            *slice = IoSlice::new(&segment.bytes()[skip..]);
            skip = 0;
            count += 1;
        }
        (slices, count)
    }

    /// So many bytes are written.
    pub(super) fn advance(&mut self, written: usize) {
        self.bytes -= written;
        self.written += written;
        while let Some(first) = self.segments.front() {
            let length = first.bytes().len();
            if self.written < length {
                return;
            }
            self.written -= length;
            if let Some(Segment::Gathered(mut bytes)) = self.segments.pop_front()
                && self.kept.len() < KEPT
            {
                bytes.clear();
                self.kept.push(bytes);
            }
        }
    }
}
