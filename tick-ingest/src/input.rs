//! The bytes of a file or of standard input, decompressed on a thread of their own.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use crossbeam_channel::{Receiver, Sender, bounded};

use crate::ReadError;

/// What standard input is called in errors and reports.
pub const STANDARD_INPUT: &str = "standard input";

/// The decompressed bytes of one source.
///
/// Gzip (any number of members) and zstd (any number of frames) are known by their first bytes,
/// never by the file's name. They are decompressed on a thread of their own, which runs at most
/// [`Input::BUFFERS`] buffers ahead and ends when the `Input` is dropped; plain bytes are read
/// directly. It is a [`Read`] and a [`BufRead`], whose `fill_buf` hands out a buffer without copying.
pub struct Input {
    name: String,
    compression: Compression,
    source: Source,
    current: Buffer,
    at: usize,
}

/// How the bytes of a source are packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    Plain,
    /// Gzip, one or more members.
    Gzip,
    /// Zstandard, one or more frames.
    Zstd,
}

impl Compression {
    /// `plain`, `gzip` or `zstd`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }

    fn of(head: &[u8]) -> Self {
        match head {
            [0x1f, 0x8b, ..] => Self::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Self::Zstd,
            // A skippable frame, which parallel compressors write first.
            [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Self::Zstd,
            _ => Self::Plain,
        }
    }
}

fn open_file(name: &str) -> Result<File, ReadError> {
    File::open(name).map_err(|source| ReadError::Io {
        file: name.to_owned(),
        doing: "opening the file",
        source,
    })
}

/// A file, and how much of it was read.
struct Counted {
    file: File,
    read_bytes: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer)?;
        self.read_bytes.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

/// Bytes of which the first `len` are filled.
struct Buffer {
    bytes: Box<[u8]>,
    len: usize,
}

enum Source {
    Plain(Box<dyn Read + Send>),
    /// Full buffers come, empty ones go back. A buffer of length 0 is the end.
    Thread {
        full: Receiver<io::Result<Buffer>>,
        empty: Sender<Buffer>,
    },
    Ended,
    /// An error was handed out: what follows is not the file's end.
    Failed,
}

impl Input {
    /// Bytes in one buffer.
    pub const BUFFER: usize = 256 * 1024;
    /// Buffers between the decompressing thread and the reader: with the one being read this
    /// bounds the memory of one source to 1.25 MiB beside the decompressor's own.
    pub const BUFFERS: usize = 4;
    /// How many bytes [`Input::head`] shows at most.
    pub const HEAD: usize = 64 * 1024;

    /// Opens a file, or standard input when `name` is `-`.
    ///
    /// # Errors
    /// The file cannot be opened, or its first bytes cannot be read.
    pub fn open(name: &str) -> Result<Self, ReadError> {
        if name == "-" {
            return Self::from_reader(STANDARD_INPUT, Box::new(io::stdin()));
        }
        let file = open_file(name)?;
        Self::from_reader(name, Box::new(file))
    }

    /// As [`Input::open`], counting what is read of the file in `read_bytes`.
    ///
    /// # Errors
    /// As [`Input::open`].
    pub fn open_counted(name: &str, read_bytes: Arc<AtomicU64>) -> Result<Self, ReadError> {
        if name == "-" {
            return Self::open(name);
        }
        let file = open_file(name)?;
        Self::from_reader(name, Box::new(Counted { file, read_bytes }))
    }

    /// The bytes of any reader; `name` is what errors call it.
    ///
    /// # Errors
    /// Its first bytes cannot be read, or no thread can be started.
    pub fn from_reader(name: &str, reader: Box<dyn Read + Send>) -> Result<Self, ReadError> {
        let mut input = Self {
            name: name.to_owned(),
            compression: Compression::Plain,
            source: Source::Plain(reader),
            current: Buffer::new(),
            at: 0,
        };
        let magic = input.fill_to(4).map(Compression::of);
        input.compression = magic.map_err(|source| input.error(source))?;
        if input.compression != Compression::Plain {
            input.start_thread().map_err(|source| input.error(source))?;
        }
        Ok(input)
    }

    /// The name that errors use: the file's, or `standard input`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How the source is packed.
    pub fn compression(&self) -> Compression {
        self.compression
    }

    /// The first bytes, decompressed and not consumed: [`Input::HEAD`] of them, or all there are
    /// if those are fewer.
    ///
    /// # Errors
    /// The source cannot be read or decompressed that far.
    pub fn head(&mut self) -> Result<&[u8], ReadError> {
        if let Err(source) = self.fill_to(Self::HEAD) {
            return Err(self.error(source));
        }
        let rest = &self.current.bytes[self.at..self.current.len];
        Ok(&rest[..rest.len().min(Self::HEAD)])
    }

    /// Puts the file's name and what was being done around an error of this source.
    pub fn error(&self, source: io::Error) -> ReadError {
        let doing = match self.compression {
            Compression::Plain => "reading",
            Compression::Gzip => "decompressing gzip",
            Compression::Zstd => "decompressing zstd",
        };
        ReadError::Io { file: self.name.clone(), doing, source }
    }

    /// Everything not yet consumed, which is at least `least` bytes unless the source ends first.
    ///
    /// Buffers of the thread are full but for the last one, so they need no filling up.
    fn fill_to(&mut self, least: usize) -> io::Result<&[u8]> {
        if self.at == self.current.len {
            self.refill()?;
        }
        while self.current.len - self.at < least
            && let Source::Plain(reader) = &mut self.source
        {
            if self.at > 0 {
                self.current.bytes.copy_within(self.at..self.current.len, 0);
                (self.current.len, self.at) = (self.current.len - self.at, 0);
            }
            match read_some(reader, &mut self.current.bytes[self.current.len..])? {
                0 => self.source = Source::Ended,
                n => self.current.len += n,
            }
        }
        Ok(&self.current.bytes[self.at..self.current.len])
    }

    fn start_thread(&mut self) -> io::Result<()> {
        let Source::Plain(rest) = std::mem::replace(&mut self.source, Source::Ended) else { return Ok(()) };
        let packed = Cursor::new(self.current.bytes[..self.current.len].to_vec()).chain(rest);
        let packed = BufReader::with_capacity(Self::BUFFER / 2, packed);
        let mut unpacked: Box<dyn Read + Send> = match self.compression {
            Compression::Zstd => Box::new(zstd::stream::read::Decoder::with_buffer(packed)?),
            _ => Box::new(flate2::bufread::MultiGzDecoder::new(packed)),
        };
        let (full_out, full) = bounded(Self::BUFFERS);
        let (empty, empty_in) = bounded::<Buffer>(Self::BUFFERS);
        for _ in 0..Self::BUFFERS {
            empty.try_send(Buffer::new()).map_err(io::Error::other)?;
        }
        thread::Builder::new()
            .name("decompress".to_owned())
            .spawn(move || decompress(&mut unpacked, &empty_in, &full_out))?;
        self.source = Source::Thread { full, empty };
        (self.current.len, self.at) = (0, 0);
        Ok(())
    }

    #[cold]
    fn refill(&mut self) -> io::Result<()> {
        (self.current.len, self.at) = (0, 0);
        let filled = match &mut self.source {
            Source::Ended => return Ok(()),
            Source::Failed => Err(io::Error::other("an earlier read of it has failed")),
            Source::Plain(reader) => read_some(reader, &mut self.current.bytes).map(|n| {
                self.current.len = n;
            }),
            Source::Thread { full, empty } => match full.recv() {
                Ok(Ok(buffer)) => {
                    let used = std::mem::replace(&mut self.current, buffer);
                    // A full channel or an ended thread needs no buffer back.
                    let _ = empty.try_send(used);
                    Ok(())
                }
                Ok(Err(error)) => Err(error),
                Err(_) => Err(io::Error::other("the decompressing thread ended early")),
            },
        };
        match &filled {
            Err(_) => self.source = Source::Failed,
            Ok(()) if self.current.len == 0 => self.source = Source::Ended,
            Ok(()) => {}
        }
        filled
    }
}

impl Buffer {
    fn new() -> Self {
        Self { bytes: vec![0; Input::BUFFER].into_boxed_slice(), len: 0 }
    }
}

/// Fills empty buffers until the source ends or fails, or the other side has gone.
fn decompress(from: &mut dyn Read, empty: &Receiver<Buffer>, full: &Sender<io::Result<Buffer>>) {
    while let Ok(mut buffer) = empty.recv() {
        buffer.len = 0;
        let mut failure = None;
        while buffer.len < buffer.bytes.len() {
            match read_some(from, &mut buffer.bytes[buffer.len..]) {
                Ok(0) => break,
                Ok(n) => buffer.len += n,
                Err(error) => {
                    failure = Some(error);
                    break;
                }
            }
        }
        let ended = buffer.len == 0;
        // What was good before the damage still goes out first.
        if (!ended || failure.is_none()) && full.send(Ok(buffer)).is_err() {
            return;
        }
        if let Some(error) = failure {
            let _ = full.send(Err(error));
            return;
        }
        if ended {
            return;
        }
    }
}

fn read_some(from: &mut dyn Read, to: &mut [u8]) -> io::Result<usize> {
    loop {
        match from.read(to) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}

impl BufRead for Input {
    #[inline]
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.at == self.current.len {
            self.refill()?;
        }
        Ok(&self.current.bytes[self.at..self.current.len])
    }

    #[inline]
    fn consume(&mut self, amount: usize) {
        self.at = (self.at + amount).min(self.current.len);
    }
}

impl Read for Input {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let n = self.fill_buf()?.read(out)?;
        self.consume(n);
        Ok(n)
    }
}
