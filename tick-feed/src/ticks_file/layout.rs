//! The fixed parts of a `.ticks` file.

use bytemuck::{Pod, Zeroable};
use thiserror::Error;

use crate::frame::wire::crc32c;

/// The first bytes of every `.ticks` file.
pub const MAGIC: [u8; 8] = *b"ORCHTIKS";
/// How many ticks a full block holds: 320 KiB of them stay in a core's own cache, and make a message
/// of the size that brokers move fastest.
pub const BLOCK_TICKS: usize = 8192;

pub(super) const VERSION: u32 = 2;
pub(super) const FOOTER_MAGIC: [u8; 8] = *b"ORCHTEND";
pub(super) const BLOCK_MAGIC: [u8; 4] = *b"TBLK";
/// The header, a block's header and the footer have one size, which keeps ticks aligned.
pub(super) const PART_BYTES: usize = 64;

#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
pub(super) struct Header {
    pub(super) magic: [u8; 8],
    pub(super) version: u32,
    pub(super) block_ticks: u32,
    pub(super) reserved: [u32; 11],
    pub(super) crc: u32,
}

#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
pub(super) struct BlockHeader {
    pub(super) magic: [u8; 4],
    pub(super) ticks: u32,
    pub(super) first_tick: u64,
    pub(super) first_ts_recv: u64,
    pub(super) last_ts_recv: u64,
    /// Instruments known at the block's end.
    pub(super) dictionary_len: u32,
    /// crc32c of the ticks.
    pub(super) ticks_crc: u32,
    pub(super) reserved: [u32; 5],
    pub(super) crc: u32,
}

#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
pub(super) struct Footer {
    pub(super) magic: [u8; 8],
    pub(super) ticks: u64,
    pub(super) table_offset: u64,
    pub(super) table_bytes: u64,
    pub(super) first_ts_recv: u64,
    pub(super) last_ts_recv: u64,
    pub(super) symbols: u32,
    pub(super) table_crc: u32,
    /// crc32c over the crc of every block, in order: with the table's it stands for the content.
    pub(super) content_crc: u32,
    pub(super) crc: u32,
}

const _: () = assert!(
    size_of::<Header>() == PART_BYTES
        && size_of::<BlockHeader>() == PART_BYTES
        && size_of::<Footer>() == PART_BYTES
);

/// A fixed part that carries its own crc32c in its last four bytes.
pub(super) trait Sealed: Pod {
    fn seal(mut self) -> Self {
        let crc = crc32c(&bytemuck::bytes_of(&self)[..PART_BYTES - 4]);
        bytemuck::bytes_of_mut(&mut self)[PART_BYTES - 4..].copy_from_slice(&crc.to_le_bytes());
        self
    }

    fn is_sealed(&self) -> bool {
        bytemuck::bytes_of(&self.seal()) == bytemuck::bytes_of(self)
    }
}

impl Sealed for Header {}
impl Sealed for BlockHeader {}
impl Sealed for Footer {}

/// A `.ticks` file that cannot be written or read.
#[derive(Debug, Error)]
pub enum TicksFileError {
    /// The operating system refused.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// The file does not begin as a `.ticks` file does.
    #[error("it does not begin with ORCHTIKS: it is not a .ticks file")]
    Magic,
    /// A `.ticks` file of another version.
    #[error("its version is {found}, and this program reads {VERSION}: convert the source again")]
    Version {
        /// The version it claims.
        found: u32,
    },
    /// The end is missing.
    #[error("its end is missing: it was cut off, or never finished; convert the source again")]
    Unfinished,
    /// A log that has ticks and no names for them.
    #[error(
        "its names file {} is missing or empty, and without it nobody knows what its ticks are of: \
         put it back; the log is left as it is",
        names.display()
    )]
    NoNames {
        /// Where the names should be.
        names: std::path::PathBuf,
    },
    /// A part whose bytes were changed.
    #[error("{part} is damaged: copy the file again, or convert the source again")]
    Damaged {
        /// Which part.
        part: String,
    },
    /// The writer was handed a tick out of order.
    #[error("tick {index} has ts_recv {ts_recv}, earlier than the tick before it")]
    OutOfOrder {
        /// Which tick, counted from 0.
        index: u64,
        /// Its receive time in ns.
        ts_recv: u64,
    },
    /// The writer was handed an id that is not the next one, or a symbol that cannot be kept.
    #[error("instrument {id}: {reason}")]
    Instrument {
        /// The id.
        id: u32,
        /// What is wrong.
        reason: &'static str,
    },
}
