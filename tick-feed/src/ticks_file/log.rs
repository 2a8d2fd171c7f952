//! A `.ticks` file that grows while it is read: what a source that cannot be read twice is kept in.
//!
//! Until it is finished it lacks the symbol table and the footer, and its last block is rewritten as
//! it fills up; its symbols are in a second file beside it. A killed writer's log is taken up again
//! where its last whole write ended.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytemuck::Zeroable;

use super::TicksFileError;
use super::layout::{
    BLOCK_MAGIC, BLOCK_TICKS, BlockHeader, FOOTER_MAGIC, Footer, Header, MAGIC, PART_BYTES, Sealed, VERSION,
};
use crate::frame::wire::crc32c;
use tick_sdk::Tick;

const TICK_BYTES: usize = size_of::<Tick>();
const BLOCK_BYTES: u64 = (PART_BYTES + BLOCK_TICKS * TICK_BYTES) as u64;

/// The writer's end of a log.
#[derive(Debug)]
pub struct TicksLog {
    file: File,
    names: File,
    names_path: PathBuf,
    /// The ticks of the last block, which may still be rewritten.
    block: Vec<Tick>,
    /// The number of the block's first tick.
    block_first: u64,
    first: Option<Tick>,
    last_ts_recv: u64,
    content_crc: u32,
    shared: Arc<Shared>,
}

/// Reads a log from its first tick on, while it grows. Every reader has a place of its own.
#[derive(Debug)]
pub struct TicksLogReader {
    file: File,
    next: u64,
    shared: Arc<Shared>,
}

/// What a reader came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogRead {
    /// There are ticks.
    Ticks,
    /// Nothing has come for the time given.
    Idle,
    /// The log is finished, and everything was read.
    End,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    grown: Condvar,
}

#[derive(Debug, Default)]
struct State {
    path: PathBuf,
    ticks: u64,
    symbols: Vec<String>,
    is_finished: bool,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl TicksLog {
    /// Begins a log, or takes one up that was not finished.
    ///
    /// # Errors
    /// It cannot be read or written, is finished, or is not a log of this version; or it has ticks and its
    /// names file is missing.
    pub fn open(path: &Path) -> Result<Self, TicksFileError> {
        let options = || OpenOptions::new().read(true).write(true).create(true).truncate(false).clone();
        let file = options().open(path)?;
        let mut names_path = path.as_os_str().to_owned();
        names_path.push(".names");
        let names_path = PathBuf::from(names_path);
        let names = options().open(&names_path)?;
        let shared = Arc::new(Shared::default());
        shared.state().path = path.to_owned();
        let mut log = Self {
            file,
            names,
            names_path,
            block: Vec::with_capacity(BLOCK_TICKS),
            block_first: 0,
            first: None,
            last_ts_recv: 0,
            content_crc: 0,
            shared,
        };
        if log.file.metadata()?.len() == 0 {
            log.begin()?;
        } else {
            log.recover()?;
        }
        Ok(log)
    }

    fn begin(&mut self) -> Result<(), TicksFileError> {
        let header =
            Header { magic: MAGIC, version: VERSION, block_ticks: BLOCK_TICKS as u32, ..Zeroable::zeroed() };
        write_at(&mut self.file, bytemuck::bytes_of(&header.seal()), 0)?;
        self.names.set_len(0)?;
        self.names.rewind()?;
        Ok(())
    }

    /// Reads what is there up to the last whole write, and cuts the rest off.
    fn recover(&mut self) -> Result<(), TicksFileError> {
        let header: Header = self.part(0)?.ok_or(TicksFileError::Magic)?;
        if header.magic != MAGIC {
            return Err(TicksFileError::Magic);
        }
        if header.version != VERSION {
            return Err(TicksFileError::Version { found: header.version });
        }
        self.recover_names()?;
        let has_blocks = self.file.metadata()?.len() > PART_BYTES as u64;
        if has_blocks && self.shared.state().symbols.is_empty() {
            return Err(TicksFileError::NoNames { names: self.names_path.clone() });
        }
        while let Some(block) = self.recover_block()? {
            self.first = self.first.or(block.first().copied());
            self.last_ts_recv = block.last().map_or(self.last_ts_recv, |tick| tick.ts_recv);
            self.block = block;
            if self.block.len() < BLOCK_TICKS {
                break;
            }
            self.end_block();
        }
        let ticks = self.block_first + self.block.len() as u64;
        self.file.set_len(self.block_offset() + self.block_bytes())?;
        self.shared.state().ticks = ticks;
        Ok(())
    }

    fn recover_names(&mut self) -> Result<(), TicksFileError> {
        let mut bytes = Vec::new();
        self.names.read_to_end(&mut bytes)?;
        let (mut rest, mut symbols) = (&bytes[..], Vec::new());
        while let Some((length, after)) = rest.split_first_chunk::<2>() {
            let Some((symbol, after)) = after.split_at_checked(usize::from(u16::from_le_bytes(*length)))
            else {
                break;
            };
            let Ok(symbol) = std::str::from_utf8(symbol) else { break };
            symbols.push(symbol.to_owned());
            rest = after;
        }
        let whole = (bytes.len() - rest.len()) as u64;
        self.names.set_len(whole)?;
        self.names.seek(SeekFrom::Start(whole))?;
        self.shared.state().symbols = symbols;
        Ok(())
    }

    /// The block at the current place, if it is there and whole.
    fn recover_block(&mut self) -> Result<Option<Vec<Tick>>, TicksFileError> {
        let Some(header) = self.part::<BlockHeader>(self.block_offset())? else { return Ok(None) };
        let count = header.ticks as usize;
        let known = self.shared.state().symbols.len();
        let fits = header.magic == BLOCK_MAGIC
            && header.is_sealed()
            && header.first_tick == self.block_first
            && (1..=BLOCK_TICKS).contains(&count)
            && header.dictionary_len as usize <= known;
        if !fits {
            return Ok(None);
        }
        let mut ticks = vec![Tick::zeroed(); count];
        let bytes: &mut [u8] = bytemuck::cast_slice_mut(&mut ticks);
        let offset = self.block_offset() + PART_BYTES as u64;
        match read_at(&mut self.file, bytes, offset) {
            Ok(()) if crc32c(bytes) == header.ticks_crc => Ok(Some(ticks)),
            Ok(()) => Ok(None),
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn part<T: bytemuck::Pod>(&mut self, offset: u64) -> Result<Option<T>, TicksFileError> {
        let mut bytes = [0; PART_BYTES];
        match read_at(&mut self.file, &mut bytes, offset) {
            Ok(()) => Ok(Some(bytemuck::pod_read_unaligned(&bytes))),
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Names the next instrument, before its first tick; its id is the number of those before.
    ///
    /// # Errors
    /// The symbol is empty or longer than 65,535 bytes, or the log cannot be written.
    pub fn add_symbol(&mut self, symbol: &str) -> Result<u32, TicksFileError> {
        let id = self.shared.state().symbols.len() as u32;
        let length = u16::try_from(symbol.len()).ok().filter(|length| *length > 0);
        let Some(length) = length else {
            return Err(TicksFileError::Instrument { id, reason: "a symbol has 1 to 65,535 bytes" });
        };
        self.names.write_all(&[&length.to_le_bytes(), symbol.as_bytes()].concat())?;
        self.shared.state().symbols.push(symbol.to_owned());
        Ok(id)
    }

    /// Appends ticks in order of `ts_recv`; readers then have them.
    ///
    /// # Errors
    /// A tick is out of order or of an instrument not named, or the log cannot be written.
    pub fn append(&mut self, mut ticks: &[Tick]) -> Result<(), TicksFileError> {
        self.check(ticks)?;
        while !ticks.is_empty() {
            let (now, later) = ticks.split_at(ticks.len().min(BLOCK_TICKS - self.block.len()));
            let offset = self.block_offset() + self.block_bytes();
            let offset = if self.block.is_empty() { offset + PART_BYTES as u64 } else { offset };
            write_at(&mut self.file, bytemuck::cast_slice(now), offset)?;
            self.block.extend_from_slice(now);
            self.first = self.first.or(now.first().copied());
            self.last_ts_recv = now.last().map_or(self.last_ts_recv, |tick| tick.ts_recv);
            // The header last: without it the ticks are not there.
            let (header, offset) = (self.block_header(), self.block_offset());
            write_at(&mut self.file, bytemuck::bytes_of(&header), offset)?;
            self.shared.state().ticks = self.block_first + self.block.len() as u64;
            if self.block.len() == BLOCK_TICKS {
                self.end_block();
            }
            ticks = later;
        }
        self.shared.grown.notify_all();
        Ok(())
    }

    fn check(&self, ticks: &[Tick]) -> Result<(), TicksFileError> {
        let known = self.shared.state().symbols.len();
        let mut high = self.last_ts_recv;
        for (index, tick) in ticks.iter().enumerate() {
            if tick.ts_recv < high {
                let index = self.ticks() + index as u64;
                return Err(TicksFileError::OutOfOrder { index, ts_recv: tick.ts_recv });
            }
            if tick.instrument as usize >= known {
                return Err(TicksFileError::Instrument { id: tick.instrument, reason: "it was not named" });
            }
            high = tick.ts_recv;
        }
        Ok(())
    }

    fn block_header(&self) -> BlockHeader {
        let ts_recv = |tick: Option<&Tick>| tick.map_or(0, |tick| tick.ts_recv);
        BlockHeader {
            magic: BLOCK_MAGIC,
            ticks: self.block.len() as u32,
            first_tick: self.block_first,
            first_ts_recv: ts_recv(self.block.first()),
            last_ts_recv: ts_recv(self.block.last()),
            dictionary_len: self.shared.state().symbols.len() as u32,
            ticks_crc: crc32c(bytemuck::cast_slice(&self.block)),
            ..Zeroable::zeroed()
        }
        .seal()
    }

    fn end_block(&mut self) {
        let crc = self.block_header().crc;
        self.content_crc = crc32c(&[self.content_crc.to_le_bytes(), crc.to_le_bytes()].concat());
        self.block_first += self.block.len() as u64;
        self.block.clear();
    }

    fn block_offset(&self) -> u64 {
        PART_BYTES as u64 + self.block_first / BLOCK_TICKS as u64 * BLOCK_BYTES
    }

    fn block_bytes(&self) -> u64 {
        match self.block.len() {
            0 => 0,
            ticks => (PART_BYTES + ticks * TICK_BYTES) as u64,
        }
    }

    /// Writes the symbol table and the end: from now on it is a `.ticks` file as any other.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn finish(mut self) -> Result<(), TicksFileError> {
        let table_offset = self.block_offset() + self.block_bytes();
        let ticks = self.ticks();
        if !self.block.is_empty() {
            self.end_block();
        }
        let symbols = self.shared.state().symbols.clone();
        let mut table = Vec::new();
        for symbol in &symbols {
            table.extend_from_slice(&(symbol.len() as u16).to_le_bytes());
            table.extend_from_slice(symbol.as_bytes());
        }
        let footer = Footer {
            magic: FOOTER_MAGIC,
            ticks,
            table_offset,
            table_bytes: table.len() as u64,
            first_ts_recv: self.first.map_or(0, |tick| tick.ts_recv),
            last_ts_recv: self.last_ts_recv,
            symbols: symbols.len() as u32,
            table_crc: crc32c(&table),
            content_crc: self.content_crc,
            crc: 0,
        };
        write_at(&mut self.file, &table, table_offset)?;
        let end = table_offset + table.len() as u64;
        write_at(&mut self.file, bytemuck::bytes_of(&footer.seal()), end)?;
        self.file.sync_data()?;
        std::fs::remove_file(&self.names_path)?;
        self.shared.state().is_finished = true;
        self.shared.grown.notify_all();
        Ok(())
    }

    /// How many ticks it holds.
    pub fn ticks(&self) -> u64 {
        self.shared.state().ticks
    }

    /// The symbols, by id.
    pub fn symbols(&self) -> Vec<String> {
        self.shared.state().symbols.clone()
    }

    /// Its first tick.
    pub fn first(&self) -> Option<Tick> {
        self.first
    }

    /// The last receive time, in ns since the UNIX epoch.
    pub fn last_ts_recv(&self) -> u64 {
        self.last_ts_recv
    }

    /// A reader that begins at the first tick.
    ///
    /// # Errors
    /// The file cannot be opened once more.
    pub fn reader(&self) -> Result<TicksLogReader, TicksFileError> {
        let file = File::open(&self.shared.state().path)?;
        Ok(TicksLogReader { file, next: 0, shared: self.shared.clone() })
    }
}

impl TicksLogReader {
    /// One more, from the first tick on.
    ///
    /// # Errors
    /// The file cannot be opened once more.
    pub fn again(&self) -> Result<Self, TicksFileError> {
        let file = File::open(&self.shared.state().path)?;
        Ok(Self { file, next: 0, shared: self.shared.clone() })
    }

    /// Appends the ticks that come next to `out`, at most `most`; waits for one for `timeout`.
    ///
    /// # Errors
    /// The log cannot be read.
    pub fn read(
        &mut self,
        out: &mut Vec<Tick>,
        most: usize,
        timeout: Duration,
    ) -> Result<LogRead, TicksFileError> {
        let state = self.shared.state();
        let next = self.next;
        let nothing = |state: &mut State| state.ticks == next && !state.is_finished;
        let waited = self.shared.grown.wait_timeout_while(state, timeout, nothing);
        let (ticks, is_finished) = {
            let state = waited.unwrap_or_else(PoisonError::into_inner).0;
            (state.ticks, state.is_finished)
        };
        if ticks == self.next {
            return Ok(if is_finished { LogRead::End } else { LogRead::Idle });
        }
        let in_block = self.next % BLOCK_TICKS as u64;
        let count = (ticks - self.next).min(BLOCK_TICKS as u64 - in_block).min(most as u64);
        let offset = PART_BYTES as u64
            + self.next / BLOCK_TICKS as u64 * BLOCK_BYTES
            + PART_BYTES as u64
            + in_block * TICK_BYTES as u64;
        let from = out.len();
        out.resize(from + count as usize, Tick::zeroed());
        read_at(&mut self.file, bytemuck::cast_slice_mut(&mut out[from..]), offset)?;
        self.next += count;
        Ok(LogRead::Ticks)
    }

    /// Hands on the symbols that are known beyond `known`.
    pub fn symbols_from(&self, known: usize) -> Vec<String> {
        self.shared.state().symbols[known..].to_vec()
    }
}

fn write_at(file: &mut File, bytes: &[u8], offset: u64) -> std::io::Result<()> {
    file.seek(SeekFrom::Start(offset))?;
    file.write_all(bytes)
}

fn read_at(file: &mut File, bytes: &mut [u8], offset: u64) -> std::io::Result<()> {
    file.seek(SeekFrom::Start(offset))?;
    file.read_exact(bytes)
}

#[cfg(test)]
mod tests;
