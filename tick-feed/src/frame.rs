//! The frame: some ticks of one (run, shard), the unit in which they travel.
//!
//! Within a process a frame lends its ticks from wherever they are: a memory-mapped file, a
//! buffer, a received body. On the wire it is one body: a fixed prefix, then one rkyv archive; see
//! [`wire`].

use std::sync::Arc;

use crate::ticks_file::MappedTicks;
use tick_sdk::Tick;
use tick_sdk::names::RunId;

pub mod wire;

pub use wire::FrameError;

/// Some ticks of one (run, shard), in order, with what a host must know to take them.
#[derive(Clone, Debug)]
pub struct Frame {
    /// Where it belongs.
    pub header: FrameHeader,
    /// The instruments that appear here for the first time, in order of their ids.
    pub new_instruments: Vec<NewInstrument>,
    /// How many instruments the shard has named up to here, these included.
    pub dictionary_len: u32,
    ticks: TickBuffer,
}

/// Where a frame belongs, and when it was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHeader {
    /// The run.
    pub run: RunId,
    /// The shard, below `shards`.
    pub shard: u16,
    /// How many shards the run has.
    pub shards: u16,
    /// How often the publish position was rewound before this frame was made.
    pub attempt: u32,
    /// The sequence number of the first tick; of a frame without ticks, of the next one.
    pub first_seq: u64,
    /// When it was published, in ns since the UNIX epoch; 0 within a process.
    pub published_at: u64,
    /// A receive time (ns since the UNIX epoch) below which nothing follows in this shard. In the
    /// frame that ends a run it is the last receive time of the whole run.
    pub watermark: u64,
    /// What kind of frame it is.
    pub flags: FrameFlags,
}

/// What kind of frame it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FrameFlags(pub u32);

impl FrameFlags {
    /// Ticks.
    pub const TICKS: Self = Self(0);
    /// Nothing follows in this shard.
    pub const END_OF_RUN: Self = Self(1);
    /// No ticks: says that the run is alive and how far it is.
    pub const HEARTBEAT: Self = Self(2);
    /// No ticks: repeats the whole dictionary.
    pub const DICTIONARY: Self = Self(4);

    /// Whether every bit of `other` is set.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

/// An instrument's first appearance in a shard.
#[derive(Clone, Debug, PartialEq, Eq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub struct NewInstrument {
    /// Its dense id.
    pub id: u32,
    /// Its symbol, with the prefix of its source.
    pub symbol: String,
    /// Its group's name, or the symbol.
    pub key: String,
}

/// Where a frame's ticks are.
#[derive(Clone, Debug)]
enum TickBuffer {
    Owned(Arc<Vec<Tick>>),
    Mapped(MappedTicks),
    Received(wire::ReceivedTicks),
}

impl TickBuffer {
    #[inline]
    fn as_slice(&self) -> &[Tick] {
        match self {
            Self::Owned(ticks) => ticks,
            Self::Mapped(ticks) => ticks.as_slice(),
            Self::Received(ticks) => ticks.as_slice(),
        }
    }
}

impl Frame {
    /// A frame of ticks in a buffer.
    pub fn owned(header: FrameHeader, ticks: Vec<Tick>) -> Self {
        Self::new(header, TickBuffer::Owned(Arc::new(ticks)))
    }

    /// A frame of ticks in a memory-mapped file, not copied.
    pub fn mapped(header: FrameHeader, ticks: MappedTicks) -> Self {
        Self::new(header, TickBuffer::Mapped(ticks))
    }

    fn new(header: FrameHeader, ticks: TickBuffer) -> Self {
        Self { header, new_instruments: Vec::new(), dictionary_len: 0, ticks }
    }

    /// The same frame, naming instruments that appear for the first time.
    #[must_use]
    pub fn naming(mut self, new_instruments: Vec<NewInstrument>, dictionary_len: u32) -> Self {
        self.new_instruments = new_instruments;
        self.dictionary_len = dictionary_len;
        self
    }

    /// The ticks, in place.
    #[inline]
    pub fn ticks(&self) -> &[Tick] {
        self.ticks.as_slice()
    }

    /// The bytes of its ticks, in place.
    #[cfg(feature = "rabbitmq")]
    pub(crate) fn tick_bytes(&self) -> &[u8] {
        bytemuck::cast_slice(self.ticks())
    }

    /// The bytes of its ticks, in place, for as long as somebody needs them.
    #[cfg(feature = "rabbitmq")]
    pub(crate) fn share_tick_bytes(&self) -> bytes::Bytes {
        struct Ticks(TickBuffer);
        impl AsRef<[u8]> for Ticks {
            fn as_ref(&self) -> &[u8] {
                bytemuck::cast_slice(self.0.as_slice())
            }
        }
        bytes::Bytes::from_owner(Ticks(self.ticks.clone()))
    }

    /// The crc32c of its ticks, where it is known already.
    fn known_ticks_crc(&self) -> Option<u32> {
        match &self.ticks {
            TickBuffer::Mapped(ticks) => ticks.known_crc(),
            TickBuffer::Owned(_) | TickBuffer::Received(_) => None,
        }
    }

    /// The sequence number after its last tick.
    #[inline]
    pub fn end_seq(&self) -> u64 {
        self.header.first_seq + self.ticks().len() as u64
    }
}
