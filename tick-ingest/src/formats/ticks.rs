//! `.ticks` files as a source like any other, where a memory map cannot be handed on as it is.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tick_feed::ticks_file::{TicksFile, TicksFileError};

use crate::{Batch, NamedSymbol, ReadError, ReadOptions, Reader};

/// Reads a `.ticks` file block by block.
#[derive(Debug)]
pub struct TicksReader {
    name: String,
    file: TicksFile,
    next_block: u64,
    named: usize,
    read_bytes: Arc<AtomicU64>,
}

/// Maps a `.ticks` file.
///
/// # Errors
/// It cannot be read, or is unfinished, damaged or of another version.
pub fn map(name: &str) -> Result<TicksFile, ReadError> {
    TicksFile::open(Path::new(name)).map_err(|error| refused(name, error))
}

/// The error of a `.ticks` file, as one of a source.
pub fn refused(name: &str, error: TicksFileError) -> ReadError {
    match error {
        TicksFileError::Io(source) => ReadError::Io { file: name.to_owned(), doing: "mapping it", source },
        other => ReadError::Format {
            file: name.to_owned(),
            reason: other.to_string(),
            advice: "`orchard convert SOURCE OUT.ticks` writes such files".to_owned(),
        },
    }
}

impl TicksReader {
    /// Opens a `.ticks` file; of the options only the count of bytes read matters here.
    ///
    /// # Errors
    /// As [`map`].
    pub fn open(name: &str, options: &ReadOptions) -> Result<Self, ReadError> {
        let (file, read_bytes) = (map(name)?, options.read_bytes.clone());
        Ok(Self { name: name.to_owned(), file, next_block: 0, named: 0, read_bytes })
    }
}

impl Reader for TicksReader {
    fn read(&mut self, out: &mut Batch) -> Result<bool, ReadError> {
        if self.next_block < self.file.blocks() {
            let (block, known) =
                self.file.block(self.next_block).map_err(|error| refused(&self.name, error))?;
            let new = &self.file.symbols()[self.named..(known as usize).max(self.named)];
            out.new_symbols
                .extend(new.iter().map(|symbol| NamedSymbol { symbol: symbol.clone(), market: None }));
            self.named += new.len();
            for tick in block.as_slice() {
                if tick.instrument as usize >= self.named {
                    let damaged = TicksFileError::Damaged { part: format!("block {}", self.next_block) };
                    return Err(refused(&self.name, damaged));
                }
                out.counts.lines += 1;
                out.at_line(self.next_block * tick_feed::ticks_file::BLOCK_TICKS as u64 + out.counts.lines);
                out.push(*tick);
            }
            let bytes = size_of_val(block.as_slice()) as u64;
            out.counts.bytes += bytes;
            self.read_bytes.fetch_add(bytes, Ordering::Relaxed);
            self.next_block += 1;
        }
        Ok(self.next_block < self.file.blocks())
    }
}
