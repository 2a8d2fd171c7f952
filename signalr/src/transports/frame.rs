//! WebSocket frames (RFC 6455) without input and output, the server's side: no extensions, and nothing is kept but a header or a
//! control frame that has not come whole. The payloads of data frames are passed on as they come, so the length a client
//! announces costs nothing.

use super::utf8::Utf8;
use crate::outbox::Format;

/// Room that [`seal`] needs before the payload.
pub(super) const HEADER_ROOM: usize = 10;
const LONGEST_CONTROL: usize = 125;
const LONGEST_HEADER: usize = 14;

/// What a client sent.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Event<'a> {
    /// Bytes of a message, unmasked.
    Data(&'a [u8]),
    /// To be answered with a Pong of the same payload.
    Ping(Vec<u8>),
    /// Nobody asked for it.
    Pong,
    /// The client closes; nothing it sends afterwards matters.
    Close,
}

/// What a client must not send. The socket is closed with [`code`](Self::code).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Violation {
    /// A frame that RFC 6455 does not allow.
    Frame,
    /// Text that is not UTF-8.
    Text,
}

impl Violation {
    /// Of the close frame.
    pub(super) fn code(self) -> u16 {
        match self {
            Self::Frame => 1002,
            Self::Text => 1007,
        }
    }
}

/// Reads what a client sends, cut anywhere.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    header: [u8; LONGEST_HEADER],
    header_len: u8,
    frame: Option<Frame>,
    /// Of the message whose last fragment has not come.
    message: Option<Format>,
    text: Utf8,
    /// Of a control frame that has not come whole.
    control: Vec<u8>,
}

#[derive(Clone, Copy, Debug)]
struct Frame {
    opcode: Opcode,
    is_last: bool,
    remaining: u64,
    mask: [u8; 4],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Opcode {
    Data,
    Close,
    Ping,
    Pong,
}

impl Decoder {
    /// The next event at the front of `bytes`, which is cut off; `None` when all is read.
    pub(super) fn next<'a>(&mut self, bytes: &mut &'a mut [u8]) -> Result<Option<Event<'a>>, Violation> {
        loop {
            let Some(frame) = self.frame else {
                if !self.read_header(bytes)? {
                    return Ok(None);
                }
                continue;
            };
            if bytes.is_empty() && frame.remaining > 0 {
                return Ok(None);
            }
            let payload = self.take_payload(frame, bytes);
            let event = match frame.opcode {
                Opcode::Data => self.data(payload)?,
                control => self.control(control, payload)?,
            };
            if event.is_some() {
                return Ok(event);
            }
        }
    }

    /// Whether the header is complete now; where it is, `frame` is set.
    fn read_header(&mut self, bytes: &mut &mut [u8]) -> Result<bool, Violation> {
        while usize::from(self.header_len) < self.header_needed() {
            let Some((&mut first, _)) = bytes.split_first_mut() else { return Ok(false) };
            cut(bytes, 1);
            self.header[usize::from(self.header_len)] = first;
            self.header_len += 1;
            if self.header_len == 2 {
                self.check_start()?;
            }
        }
        self.begin_frame().map(|()| true)
    }

    fn header_needed(&self) -> usize {
        const MASK: usize = 4;
        match self.header_len {
            0 | 1 => 2,
            _ => match self.header[1] & 0x7f {
                126 => 4 + MASK,
                127 => 10 + MASK,
                _ => 2 + MASK,
            },
        }
    }

    /// Refuses what the first two bytes already show.
    fn check_start(&self) -> Result<(), Violation> {
        let [first, second, ..] = self.header;
        let is_last = first & 0x80 != 0;
        let is_masked = second & 0x80 != 0;
        let has_reserved_bits = first & 0x70 != 0;
        let is_allowed = match first & 0x0f {
            0 => self.message.is_some(),
            1 | 2 => self.message.is_none(),
            8..=10 => is_last && usize::from(second & 0x7f) <= LONGEST_CONTROL,
            _ => false,
        };
        if is_allowed && is_masked && !has_reserved_bits { Ok(()) } else { Err(Violation::Frame) }
    }

    fn begin_frame(&mut self) -> Result<(), Violation> {
        let header = &self.header;
        let (remaining, mask_at) = match header[1] & 0x7f {
            126 => (u64::from(u16::from_be_bytes([header[2], header[3]])), 4),
            127 => (u64::from_be_bytes(array(&header[2..10])), 10),
            short => (u64::from(short), 2),
        };
        if remaining >> 63 != 0 {
            return Err(Violation::Frame);
        }
        let opcode = match header[0] & 0x0f {
            8 => Opcode::Close,
            9 => Opcode::Ping,
            10 => Opcode::Pong,
            kind => {
                match kind {
                    1 => self.message = Some(Format::Text),
                    2 => self.message = Some(Format::Binary),
                    _ => {}
                }
                Opcode::Data
            }
        };
        let mask = array(&header[mask_at..mask_at + 4]);
        self.frame = Some(Frame { opcode, is_last: header[0] & 0x80 != 0, remaining, mask });
        self.header_len = 0;
        Ok(())
    }

    fn take_payload<'a>(&mut self, mut frame: Frame, bytes: &mut &'a mut [u8]) -> &'a [u8] {
        let length = usize::try_from(frame.remaining).unwrap_or(usize::MAX).min(bytes.len());
        let payload = cut(bytes, length);
        unmask(payload, frame.mask);
        frame.mask.rotate_left(length % 4);
        frame.remaining -= length as u64;
        self.frame = Some(frame);
        payload
    }

    fn data<'a>(&mut self, payload: &'a [u8]) -> Result<Option<Event<'a>>, Violation> {
        if self.message == Some(Format::Text) && !self.text.accepts(payload) {
            return Err(Violation::Text);
        }
        if let Some(Frame { remaining: 0, is_last, .. }) = self.frame {
            self.frame = None;
            if is_last {
                self.message = None;
                if !self.text.ends_here() {
                    return Err(Violation::Text);
                }
            }
        }
        Ok((!payload.is_empty()).then_some(Event::Data(payload)))
    }

    fn control<'a>(&mut self, opcode: Opcode, payload: &[u8]) -> Result<Option<Event<'a>>, Violation> {
        self.control.extend_from_slice(payload);
        if self.frame.is_some_and(|frame| frame.remaining > 0) {
            return Ok(None);
        }
        self.frame = None;
        let payload = std::mem::take(&mut self.control);
        match opcode {
            Opcode::Ping => Ok(Some(Event::Ping(payload))),
            Opcode::Pong => Ok(Some(Event::Pong)),
            Opcode::Close | Opcode::Data => check_close(&payload).map(|()| Some(Event::Close)),
        }
    }
}

fn check_close(payload: &[u8]) -> Result<(), Violation> {
    match payload {
        [] => Ok(()),
        [_] => Err(Violation::Frame),
        [high, low, reason @ ..] => match u16::from_be_bytes([*high, *low]) {
            1000..=1003 | 1007..=1011 | 3000..=4999 => {
                std::str::from_utf8(reason).map(|_| ()).map_err(|_| Violation::Text)
            }
            _ => Err(Violation::Frame),
        },
    }
}

/// Writes the frame's header before the payload, which begins at [`HEADER_ROOM`]; what is to be sent begins at the result.
pub(super) fn seal(buffer: &mut [u8], format: Format) -> usize {
    let opcode = match format {
        Format::Text => 0x81,
        Format::Binary => 0x82,
    };
    let length = buffer.len() - HEADER_ROOM;
    let start = match length {
        0..=125 => {
            buffer[HEADER_ROOM - 1] = length as u8;
            HEADER_ROOM - 2
        }
        126..=0xffff => {
            buffer[HEADER_ROOM - 3] = 126;
            buffer[HEADER_ROOM - 2..HEADER_ROOM].copy_from_slice(&(length as u16).to_be_bytes());
            HEADER_ROOM - 4
        }
        _ => {
            buffer[HEADER_ROOM - 9] = 127;
            buffer[HEADER_ROOM - 8..HEADER_ROOM].copy_from_slice(&(length as u64).to_be_bytes());
            HEADER_ROOM - 10
        }
    };
    buffer[start] = opcode;
    start
}

/// The answer to a Ping, whose payload has at most 125 bytes.
pub(super) fn pong(payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x8a, payload.len() as u8];
    frame.extend_from_slice(payload);
    frame
}

/// A close frame without a reason.
pub(super) fn close(code: u16) -> [u8; 4] {
    let [high, low] = code.to_be_bytes();
    [0x88, 2, high, low]
}

fn unmask(payload: &mut [u8], mask: [u8; 4]) {
    let whole = u64::from_ne_bytes([mask[0], mask[1], mask[2], mask[3], mask[0], mask[1], mask[2], mask[3]]);
    let mut words = payload.chunks_exact_mut(8);
    for word in &mut words {
        let unmasked = u64::from_ne_bytes(array(word)) ^ whole;
        word.copy_from_slice(&unmasked.to_ne_bytes());
    }
    for (byte, mask) in words.into_remainder().iter_mut().zip(mask.iter().cycle()) {
        *byte ^= mask;
    }
}

/// Cuts off the first `length` bytes.
fn cut<'a>(bytes: &mut &'a mut [u8], length: usize) -> &'a mut [u8] {
    let (first, rest) = std::mem::take(bytes).split_at_mut(length);
    *bytes = rest;
    first
}

/// Of a slice whose length is known to fit.
fn array<const N: usize>(slice: &[u8]) -> [u8; N] {
    let mut array = [0; N];
    array.copy_from_slice(slice);
    array
}

#[cfg(test)]
mod tests;
