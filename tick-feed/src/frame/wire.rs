//! A frame as bytes: a prefix of 80 bytes, then one rkyv archive.
//!
//! | offset | type | field |
//! |---:|---|---|
//! | 0 | `[u8; 4]` | magic `ORFR` |
//! | 4 | u32 | wire version, 1 |
//! | 8 | u32 | total length in bytes |
//! | 12 | u32 | crc32c of everything from offset 16 |
//! | 16 | `[u8; 16]` | run |
//! | 32 | u64 | `first_seq` |
//! | 40 | u64 | `published_at` |
//! | 48 | u64 | `watermark` |
//! | 56 | u32 | ticks |
//! | 60 | u32 | attempt |
//! | 64 | u16 | shard |
//! | 66 | u16 | shards |
//! | 68 | u32 | flags |
//! | 72 | u64 | 0 |
//! | 80 | archive | `{ new_instruments: [(id, symbol, key)], dictionary_len, ticks }` |
//!
//! For readers in other languages `WIRE.md` says the same down to the last byte of the archive.
//!
//! Everything is little-endian. Length, version, CRC and the archive's bounds are checked once,
//! where the bytes enter the process; then ticks are read in place.

use std::ops::Range;
use std::sync::Arc;

use bytemuck::{Pod, Zeroable};
use rkyv::util::AlignedVec;
use rkyv::with::InlineAsBox;
use rkyv::{Archive, Serialize};

mod around;
mod crc;
mod received;

pub use crc::crc32c;
pub(crate) use received::BufferHome;
use received::ReceivedBody;
pub(super) use received::ReceivedTicks;
use thiserror::Error;

use super::{Frame, FrameFlags, FrameHeader, NewInstrument, TickBuffer};
use tick_sdk::Tick;
use tick_sdk::names::RunId;

/// The wire version that this crate writes and reads.
pub const WIRE_VERSION: u32 = 1;
/// The first bytes of every frame.
pub const MAGIC: [u8; 4] = *b"ORFR";
/// The largest frame that is accepted: 64 MiB.
pub const MAX_FRAME_BYTES: usize = 64 << 20;

const PREFIX_BYTES: usize = size_of::<Prefix>();
const CRC_FROM: usize = 16;

#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
struct Prefix {
    magic: [u8; 4],
    version: u32,
    total_bytes: u32,
    crc: u32,
    run: [u8; 16],
    first_seq: u64,
    published_at: u64,
    watermark: u64,
    ticks: u32,
    attempt: u32,
    shard: u16,
    shards: u16,
    flags: u32,
    reserved: u64,
}

const _: () = assert!(PREFIX_BYTES == 80 && PREFIX_BYTES.is_multiple_of(align_of::<Tick>()));

#[derive(Archive, Serialize)]
struct Body<'a> {
    #[rkyv(with = InlineAsBox)]
    new_instruments: &'a [NewInstrument],
    dictionary_len: u32,
    #[rkyv(with = InlineAsBox)]
    ticks: &'a [Tick],
}

/// Bytes that are not a frame of this version.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum FrameError {
    /// The bytes do not begin as a frame does.
    #[error("it does not begin with the magic of a frame: it is something else's message")]
    Magic,
    /// A frame, but of another version.
    #[error(
        "its wire version is {found}, and this program reads {WIRE_VERSION}: use matching versions on both ends"
    )]
    Version {
        /// The version it claims.
        found: u32,
    },
    /// Cut off, or with something behind it.
    #[error("its length is {found} bytes, and its prefix says {expected}")]
    Length {
        /// What arrived.
        found: usize,
        /// What the prefix says; the prefix itself where not even that arrived.
        expected: usize,
    },
    /// The bytes were changed on the way.
    #[error("its crc32c is {found:08x}, and its prefix says {expected:08x}")]
    Crc {
        /// Computed from the bytes.
        found: u32,
        /// As the prefix says.
        expected: u32,
    },
    /// The archive's own references do not hold, or contradict the prefix.
    #[error("its archive is not valid: {0}")]
    Archive(String),
}

impl Frame {
    /// Writes the frame as one body, replacing what `out` held.
    ///
    /// # Errors
    /// The body would be larger than [`MAX_FRAME_BYTES`].
    pub fn encode(&self, out: &mut AlignedVec) -> Result<(), FrameError> {
        let mut tail = Vec::new();
        self.encode_around(out, &mut tail)?;
        out.extend_from_slice(bytemuck::cast_slice(self.ticks()));
        out.extend_from_slice(&tail);
        Ok(())
    }

    /// Writes what a body has before its ticks to `head`, and what it has after them to `tail`, each
    /// replacing what was there: the ticks themselves may be sent from where they are.
    ///
    /// # Errors
    /// The body would be larger than [`MAX_FRAME_BYTES`].
    pub(crate) fn encode_around(&self, head: &mut AlignedVec, tail: &mut Vec<u8>) -> Result<(), FrameError> {
        head.clear();
        tail.clear();
        head.extend_from_slice(&[0; PREFIX_BYTES]);
        let ticks = bytemuck::cast_slice(self.ticks());
        let body = Body {
            new_instruments: &self.new_instruments,
            dictionary_len: self.dictionary_len,
            ticks: self.ticks(),
        };
        around::serialize(&body, ticks, head, tail);
        let total_bytes = head.len() + ticks.len() + tail.len();
        if total_bytes > MAX_FRAME_BYTES {
            return Err(FrameError::Length { found: total_bytes, expected: MAX_FRAME_BYTES });
        }
        let header = &self.header;
        let mut prefix = Prefix {
            magic: MAGIC,
            version: WIRE_VERSION,
            total_bytes: total_bytes as u32,
            crc: 0,
            run: header.run.0,
            first_seq: header.first_seq,
            published_at: header.published_at,
            watermark: header.watermark,
            ticks: self.ticks().len() as u32,
            attempt: header.attempt,
            shard: header.shard,
            shards: header.shards,
            flags: header.flags.0,
            reserved: 0,
        };
        head[..PREFIX_BYTES].copy_from_slice(bytemuck::bytes_of(&prefix));
        prefix.crc = crc::around(&head[CRC_FROM..], ticks, self.known_ticks_crc(), tail);
        head[..PREFIX_BYTES].copy_from_slice(bytemuck::bytes_of(&prefix));
        Ok(())
    }

    /// Checks a received body once and takes it over; its ticks are then read in place. A buffer
    /// that is not aligned to 8 bytes is copied once.
    ///
    /// # Errors
    /// Whatever was changed, cut off or is not a frame of this version, see [`FrameError`].
    pub fn decode(bytes: Vec<u8>) -> Result<Self, FrameError> {
        Self::decode_or_return(bytes, None).map_err(|(error, _)| error)
    }

    /// As [`decode`](Self::decode), with the bytes beside the error; the buffer goes back `home` when
    /// nobody needs the frame any more.
    pub(crate) fn decode_or_return(
        bytes: Vec<u8>,
        home: Option<&Arc<dyn BufferHome>>,
    ) -> Result<Self, (FrameError, Vec<u8>)> {
        let prefix = match check_prefix(&bytes) {
            Ok(prefix) => prefix,
            Err(error) => return Err((error, bytes)),
        };
        let body = ReceivedBody::new(bytes, home.cloned());
        let (new_instruments, dictionary_len, ticks) = match check_archive(body.as_slice(), &prefix) {
            Ok(checked) => checked,
            Err(error) => return Err((error, body.into_bytes())),
        };
        let ticks = TickBuffer::Received(ReceivedTicks::new(body, ticks));
        Ok(Self { header: prefix.header(), new_instruments, dictionary_len, ticks })
    }
}

impl FrameHeader {
    /// What a body's prefix claims, with its number of ticks. Nothing else of the body is checked:
    /// this is for saying which frame it is, not for taking it.
    ///
    /// # Errors
    /// It is not a frame of this version, or is cut off within the prefix.
    pub fn claimed(bytes: &[u8]) -> Result<(Self, u32), FrameError> {
        let prefix = read_prefix(bytes)?;
        Ok((prefix.header(), prefix.ticks))
    }
}

impl Prefix {
    fn header(&self) -> FrameHeader {
        FrameHeader {
            run: RunId(self.run),
            shard: self.shard,
            shards: self.shards,
            attempt: self.attempt,
            first_seq: self.first_seq,
            published_at: self.published_at,
            watermark: self.watermark,
            flags: FrameFlags(self.flags),
        }
    }
}

fn read_prefix(bytes: &[u8]) -> Result<Prefix, FrameError> {
    if bytes.get(..MAGIC.len()) != Some(&MAGIC) {
        return Err(FrameError::Magic);
    }
    let Some(prefix) = bytes.get(..PREFIX_BYTES) else {
        return Err(FrameError::Length { found: bytes.len(), expected: PREFIX_BYTES });
    };
    let prefix: Prefix = bytemuck::pod_read_unaligned(prefix);
    if prefix.version != WIRE_VERSION {
        return Err(FrameError::Version { found: prefix.version });
    }
    Ok(prefix)
}

fn check_prefix(bytes: &[u8]) -> Result<Prefix, FrameError> {
    let prefix = read_prefix(bytes)?;
    let expected = prefix.total_bytes as usize;
    if bytes.len() != expected || bytes.len() > MAX_FRAME_BYTES {
        return Err(FrameError::Length { found: bytes.len(), expected: expected.min(MAX_FRAME_BYTES) });
    }
    let found = crc32c(&bytes[CRC_FROM..]);
    if found != prefix.crc {
        return Err(FrameError::Crc { found, expected: prefix.crc });
    }
    Ok(prefix)
}

type Checked = (Vec<NewInstrument>, u32, Range<usize>);

fn check_archive(bytes: &[u8], prefix: &Prefix) -> Result<Checked, FrameError> {
    let invalid = |reason: String| FrameError::Archive(reason);
    let archive = &bytes[PREFIX_BYTES..];
    let body = rkyv::access::<ArchivedBody<'_>, rkyv::rancor::Error>(archive)
        .map_err(|error| invalid(error.to_string()))?;
    let ticks = body.ticks.get();
    if ticks.len() != prefix.ticks as usize {
        return Err(invalid(format!("it holds {} ticks, and its prefix says {}", ticks.len(), prefix.ticks)));
    }
    if prefix.first_seq.checked_add(ticks.len() as u64).is_none() {
        return Err(invalid(format!("its first_seq {} leaves no room for its ticks", prefix.first_seq)));
    }
    if prefix.shard >= prefix.shards {
        return Err(invalid(format!("shard {} is not below {} shards", prefix.shard, prefix.shards)));
    }
    let start = ticks.as_ptr().addr() - bytes.as_ptr().addr();
    let new_instruments = body
        .new_instruments
        .get()
        .iter()
        .map(|new| NewInstrument {
            id: new.id.to_native(),
            symbol: new.symbol.as_str().to_owned(),
            key: new.key.as_str().to_owned(),
        })
        .collect();
    Ok((new_instruments, body.dictionary_len.to_native(), start..start + size_of_val(ticks)))
}

#[cfg(test)]
mod tests;
