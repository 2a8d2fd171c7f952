//! Writing a `.ticks` file as a stream.

use std::io::Write;

use bytemuck::Zeroable;

use super::TicksFileError;
use super::layout::{
    BLOCK_MAGIC, BLOCK_TICKS, BlockHeader, FOOTER_MAGIC, Footer, Header, MAGIC, PART_BYTES, Sealed, VERSION,
};
use crate::frame::wire::crc32c;
use tick_sdk::Tick;

/// Writes a `.ticks` file front to back; holds one block and the symbols.
#[derive(Debug)]
pub struct TicksWriter<W: Write> {
    out: W,
    offset: u64,
    block: Vec<Tick>,
    symbols: Vec<String>,
    ticks: u64,
    first_ts_recv: u64,
    last_ts_recv: u64,
    content_crc: u32,
}

impl<W: Write> TicksWriter<W> {
    /// Begins a file.
    ///
    /// # Errors
    /// `out` cannot be written to.
    pub fn new(mut out: W) -> Result<Self, TicksFileError> {
        let header =
            Header { magic: MAGIC, version: VERSION, block_ticks: BLOCK_TICKS as u32, ..Zeroable::zeroed() }
                .seal();
        out.write_all(bytemuck::bytes_of(&header))?;
        Ok(Self {
            out,
            offset: PART_BYTES as u64,
            block: Vec::with_capacity(BLOCK_TICKS),
            symbols: Vec::new(),
            ticks: 0,
            first_ts_recv: 0,
            last_ts_recv: 0,
            content_crc: 0,
        })
    }

    /// Names the next instrument; its id is the number of those named before. It must be named
    /// before its first tick, and in the order of first ticks.
    ///
    /// # Errors
    /// The symbol is empty or longer than 65,535 bytes.
    pub fn add_symbol(&mut self, symbol: &str) -> Result<u32, TicksFileError> {
        let id = self.symbols.len() as u32;
        if symbol.is_empty() || symbol.len() > usize::from(u16::MAX) {
            return Err(TicksFileError::Instrument { id, reason: "a symbol has 1 to 65,535 bytes" });
        }
        self.symbols.push(symbol.to_owned());
        Ok(id)
    }

    /// Appends ticks in order of `ts_recv`.
    ///
    /// # Errors
    /// A tick is out of order or of an instrument not named, or `out` cannot be written to.
    pub fn write(&mut self, ticks: &[Tick]) -> Result<(), TicksFileError> {
        for tick in ticks {
            if tick.ts_recv < self.last_ts_recv {
                return Err(TicksFileError::OutOfOrder { index: self.ticks, ts_recv: tick.ts_recv });
            }
            if tick.instrument as usize >= self.symbols.len() {
                return Err(TicksFileError::Instrument { id: tick.instrument, reason: "it was not named" });
            }
            if self.ticks == 0 {
                self.first_ts_recv = tick.ts_recv;
            }
            self.last_ts_recv = tick.ts_recv;
            self.ticks += 1;
            self.block.push(*tick);
            if self.block.len() == BLOCK_TICKS {
                self.write_block()?;
            }
        }
        Ok(())
    }

    fn write_block(&mut self) -> Result<(), TicksFileError> {
        let (Some(first), Some(last)) = (self.block.first(), self.block.last()) else { return Ok(()) };
        let bytes: &[u8] = bytemuck::cast_slice(&self.block);
        let header = BlockHeader {
            magic: BLOCK_MAGIC,
            ticks: self.block.len() as u32,
            first_tick: self.ticks - self.block.len() as u64,
            first_ts_recv: first.ts_recv,
            last_ts_recv: last.ts_recv,
            dictionary_len: self.symbols.len() as u32,
            ticks_crc: crc32c(bytes),
            ..Zeroable::zeroed()
        }
        .seal();
        self.out.write_all(bytemuck::bytes_of(&header))?;
        self.out.write_all(bytes)?;
        self.offset += (PART_BYTES + bytes.len()) as u64;
        self.content_crc = crc32c(&[self.content_crc.to_le_bytes(), header.crc.to_le_bytes()].concat());
        self.block.clear();
        Ok(())
    }

    /// Writes what remains, the symbols and the end; returns the output, flushed.
    ///
    /// # Errors
    /// `out` cannot be written to.
    pub fn finish(mut self) -> Result<W, TicksFileError> {
        self.write_block()?;
        let mut table = Vec::new();
        for symbol in &self.symbols {
            table.extend_from_slice(&(symbol.len() as u16).to_le_bytes());
            table.extend_from_slice(symbol.as_bytes());
        }
        let footer = Footer {
            magic: FOOTER_MAGIC,
            ticks: self.ticks,
            table_offset: self.offset,
            table_bytes: table.len() as u64,
            first_ts_recv: self.first_ts_recv,
            last_ts_recv: self.last_ts_recv,
            symbols: self.symbols.len() as u32,
            table_crc: crc32c(&table),
            content_crc: self.content_crc,
            crc: 0,
        }
        .seal();
        self.out.write_all(&table)?;
        self.out.write_all(bytemuck::bytes_of(&footer))?;
        self.out.flush()?;
        Ok(self.out)
    }

    /// How many ticks were written.
    pub fn ticks(&self) -> u64 {
        self.ticks
    }
}
