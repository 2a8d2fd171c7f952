//! `.ticks` files: written as a stream, read through a memory map.
//!
//! | part | content |
//! |---|---|
//! | header, 64 bytes | magic `ORCHTIKS`, u32 version, u32 ticks a block, zeros, u32 crc32c of the 60 bytes before |
//! | blocks | block header (64 bytes), then its ticks, 40 bytes each; every block but the last is full |
//! | symbol table | per symbol in order of its id: u16 length, UTF-8 bytes |
//! | footer, 64 bytes | magic `ORCHTEND`, u64 ticks, u64 blocks, u64 offset and u64 length of the symbol table, u32 symbols, u32 crc32c of the table, u64 first and u64 last `ts_recv` … see `layout.rs` |
//!
//! Everything is little-endian and aligned to 8 bytes. A block's header carries a crc32c of the
//! ticks and one of itself, so every bit of the file is covered. Ids are dense and appear in order;
//! a block says how many instruments are known at its end.

mod layout;
mod log;
mod map;
mod writer;

pub use layout::{BLOCK_TICKS, MAGIC, TicksFileError};
pub use log::{LogRead, TicksLog, TicksLogReader};
pub use map::{MappedTicks, TicksFile};
pub use writer::TicksWriter;
