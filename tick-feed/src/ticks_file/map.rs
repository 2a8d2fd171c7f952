//! Reading a `.ticks` file through a memory map.
#![allow(unsafe_code, reason = "a memory map is a promise that the file does not change")]

use std::fs::File;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use memmap2::{Advice, Mmap};

use super::TicksFileError;
use super::layout::{
    BLOCK_MAGIC, BLOCK_TICKS, BlockHeader, FOOTER_MAGIC, Footer, Header, MAGIC, PART_BYTES, Sealed, VERSION,
};
use crate::frame::wire::crc32c;
use tick_sdk::Tick;

/// A `.ticks` file, mapped. Header, footer and symbols are checked when it is opened, each block
/// when it is read.
///
/// While it is mapped the file must not be cut off or written to: `convert` and every other writer
/// here writes a new file and then renames it.
#[derive(Debug)]
pub struct TicksFile {
    map: Arc<Mmap>,
    footer: Footer,
    symbols: Vec<String>,
}

/// Some ticks of a mapped file; keeps the map alive.
#[derive(Clone, Debug)]
pub struct MappedTicks {
    map: Arc<Mmap>,
    bytes: Range<usize>,
    /// Of these bytes, where they were checked as a whole block.
    crc: Option<u32>,
}

impl MappedTicks {
    /// The ticks, in place.
    #[inline]
    pub fn as_slice(&self) -> &[Tick] {
        bytemuck::cast_slice(&self.map[self.bytes.clone()])
    }

    /// A part of them.
    #[must_use]
    pub fn slice(&self, ticks: Range<usize>) -> Self {
        let (start, end) =
            (self.bytes.start + ticks.start * TICK_BYTES, self.bytes.start + ticks.end * TICK_BYTES);
        assert!(start <= end && end <= self.bytes.end, "a part lies within the whole");
        let bytes = start..end;
        Self { map: self.map.clone(), crc: self.crc.filter(|_| bytes == self.bytes), bytes }
    }

    /// Their crc32c, where it is known without reading them again.
    pub(crate) fn known_crc(&self) -> Option<u32> {
        self.crc
    }
}

const TICK_BYTES: usize = size_of::<Tick>();
const BLOCK_BYTES: usize = PART_BYTES + BLOCK_TICKS * TICK_BYTES;

impl TicksFile {
    /// Maps a file and checks everything but its blocks.
    ///
    /// # Errors
    /// It cannot be read, is not a `.ticks` file of this version, is unfinished or damaged.
    pub fn open(path: &Path) -> Result<Self, TicksFileError> {
        let file = File::open(path)?;
        // SAFETY: the mapping is read-only, and the type's documentation demands that the file stay
        // as it is; every block is checked against its CRC before its ticks are handed out.
        let map = unsafe { Mmap::map(&file)? };
        // Advice only: a kernel that does not know it reads ahead less.
        let _ = map.advise(Advice::Sequential);
        Self::check(map)
    }

    fn check(map: Mmap) -> Result<Self, TicksFileError> {
        if !map.starts_with(&MAGIC) {
            return Err(TicksFileError::Magic);
        }
        let header: Header = part(&map, 0).ok_or(TicksFileError::Unfinished)?;
        if header.version != VERSION {
            return Err(TicksFileError::Version { found: header.version });
        }
        if !header.is_sealed() || header.block_ticks as usize != BLOCK_TICKS {
            return Err(damaged("the header"));
        }
        let footer_at = map.len().checked_sub(PART_BYTES).filter(|at| *at >= PART_BYTES);
        let footer_at = footer_at.ok_or(TicksFileError::Unfinished)?;
        let footer: Footer = part(&map, footer_at).ok_or(TicksFileError::Unfinished)?;
        if footer.magic != FOOTER_MAGIC {
            return Err(TicksFileError::Unfinished);
        }
        if !footer.is_sealed() || footer.table_offset != blocks_end(footer.ticks)? {
            return Err(damaged("the footer"));
        }
        if footer.table_offset.checked_add(footer.table_bytes) != Some(footer_at as u64) {
            return Err(damaged("the footer"));
        }
        let table = &map[footer.table_offset as usize..footer_at];
        if crc32c(table) != footer.table_crc {
            return Err(damaged("the symbol table"));
        }
        let symbols = read_symbols(table, footer.symbols).ok_or_else(|| damaged("the symbol table"))?;
        Ok(Self { map: Arc::new(map), footer, symbols })
    }

    /// How many ticks it holds.
    pub fn ticks(&self) -> u64 {
        self.footer.ticks
    }

    /// How many blocks it holds.
    pub fn blocks(&self) -> u64 {
        self.footer.ticks.div_ceil(BLOCK_TICKS as u64)
    }

    /// The symbols, by id.
    pub fn symbols(&self) -> &[String] {
        &self.symbols
    }

    /// First and last receive time in ns since the UNIX epoch; both 0 where there is no tick.
    pub fn span(&self) -> (u64, u64) {
        (self.footer.first_ts_recv, self.footer.last_ts_recv)
    }

    /// One number that stands for the content: ticks, order and symbols.
    pub fn content_crc(&self) -> u64 {
        u64::from(self.footer.content_crc) << 32 | u64::from(self.footer.table_crc)
    }

    /// Checks block `index` against its CRC and lends its ticks; the number is how many
    /// instruments are known at its end.
    ///
    /// # Errors
    /// The block is damaged.
    ///
    /// # Panics
    /// There are not that many blocks.
    pub fn block(&self, index: u64) -> Result<(MappedTicks, u32), TicksFileError> {
        let bytes = self.tick_bytes(index);
        let first_tick = index * BLOCK_TICKS as u64;
        let block_damaged = || damaged(&format!("block {index} (ticks from {first_tick})"));
        let header: BlockHeader = part(&self.map, bytes.start - PART_BYTES).ok_or_else(block_damaged)?;
        let sound = header.magic == BLOCK_MAGIC
            && header.is_sealed()
            && header.ticks as usize == bytes.len() / TICK_BYTES
            && header.first_tick == first_tick
            && header.dictionary_len as usize <= self.symbols.len()
            && crc32c(&self.map[bytes.clone()]) == header.ticks_crc;
        if !sound {
            return Err(block_damaged());
        }
        let crc = Some(header.ticks_crc);
        Ok((MappedTicks { map: self.map.clone(), bytes, crc }, header.dictionary_len))
    }

    /// Lends the ticks of block `index` without any check: for measuring what the check costs.
    ///
    /// # Panics
    /// There are not that many blocks.
    #[doc(hidden)]
    pub fn block_unchecked(&self, index: u64) -> MappedTicks {
        MappedTicks { map: self.map.clone(), bytes: self.tick_bytes(index), crc: None }
    }

    /// Where the ticks of a block are in the file.
    fn tick_bytes(&self, index: u64) -> Range<usize> {
        assert!(index < self.blocks(), "the file has {} blocks", self.blocks());
        let start = PART_BYTES + index as usize * BLOCK_BYTES + PART_BYTES;
        let ticks = (self.footer.ticks - index * BLOCK_TICKS as u64).min(BLOCK_TICKS as u64) as usize;
        start..start + ticks * TICK_BYTES
    }

    /// The last receive time of block `index`, without reading its ticks.
    ///
    /// # Panics
    /// There are not that many blocks.
    pub fn block_end(&self, index: u64) -> u64 {
        assert!(index < self.blocks(), "the file has {} blocks", self.blocks());
        let header = part::<BlockHeader>(&self.map, PART_BYTES + index as usize * BLOCK_BYTES);
        header.map_or(0, |header| header.last_ts_recv)
    }
}

fn part<T: bytemuck::Pod>(map: &[u8], at: usize) -> Option<T> {
    map.get(at..at + PART_BYTES).map(bytemuck::pod_read_unaligned)
}

fn damaged(part: &str) -> TicksFileError {
    TicksFileError::Damaged { part: part.to_owned() }
}

/// Where the blocks of so many ticks end.
fn blocks_end(ticks: u64) -> Result<u64, TicksFileError> {
    let blocks = ticks.div_ceil(BLOCK_TICKS as u64);
    let bytes =
        ticks.checked_mul(TICK_BYTES as u64).and_then(|b| b.checked_add((blocks + 1) * PART_BYTES as u64));
    bytes.ok_or_else(|| damaged("the footer"))
}

fn read_symbols(mut table: &[u8], count: u32) -> Option<Vec<String>> {
    let mut symbols = Vec::new();
    for _ in 0..count {
        let (length, rest) = table.split_first_chunk::<2>()?;
        let (symbol, rest) = rest.split_at_checked(usize::from(u16::from_le_bytes(*length)))?;
        symbols.push(std::str::from_utf8(symbol).ok()?.to_owned());
        table = rest;
    }
    table.is_empty().then_some(symbols)
}

#[cfg(test)]
mod tests;
