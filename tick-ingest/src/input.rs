//! The bytes of a file or of standard input, decompressed on a thread of their own.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use crossbeam_channel::{Receiver, Sender, bounded};

use self::gzip::GzipMembers;
use self::zip::Member;
use self::zstd_frames::ZstdFrames;
use crate::ReadError;
use crate::sources::Place;

mod counted;
mod gzip;
pub(crate) mod zip;
mod zstd_frames;

/// What standard input is called in errors and reports.
pub const STANDARD_INPUT: &str = "standard input";

/// The decompressed bytes of one source.
///
/// Gzip (any number of members), zstd (any number of frames) and zip archives are known by their first
/// bytes, never by the file's name. They are decompressed on a thread of their own, which runs at most
/// [`Input::BUFFERS`] buffers ahead and ends when the `Input` is dropped; plain bytes are read
/// directly. A zip archive is a folder: its files are `a.zip/member.csv`, and the only one is the archive's. It is a [`Read`] and a [`BufRead`], whose `fill_buf` hands out a buffer without copying.
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
    /// A file in a zip archive, deflated or stored.
    Zip,
}

impl Compression {
    /// `plain`, `gzip`, `zstd` or `zip`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
            Self::Zip => "zip",
        }
    }

    fn of(head: &[u8]) -> Self {
        match head {
            [0x1f, 0x8b, ..] => Self::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Self::Zstd,
            // A skippable frame, which parallel compressors write first.
            [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Self::Zstd,
            _ if zip::is_zip(head) => Self::Zip,
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

fn legacy_dbz(name: &str) -> ReadError {
    ReadError::Format {
        file: name.to_owned(),
        reason: "is DBZ, the format that came before DBN".to_owned(),
        advice:
            "convert it with Databento's dbn program, as in dbn OLD.dbz -o NEW.dbn, or fetch it again as DBN"
                .to_owned(),
    }
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

    /// Opens a file, a file in a zip archive, or standard input when `name` is `-`.
    ///
    /// # Errors
    /// The file cannot be opened, or its first bytes cannot be read; an archive is damaged, encrypted, or has
    /// several files or none.
    pub fn open(name: &str) -> Result<Self, ReadError> {
        Self::open_counted(name, Arc::default())
    }

    /// As [`Input::open`], counting what is read of the file in `read_bytes`.
    ///
    /// # Errors
    /// As [`Input::open`].
    pub fn open_counted(name: &str, read_bytes: Arc<AtomicU64>) -> Result<Self, ReadError> {
        if name == "-" {
            return Self::from_reader(STANDARD_INPUT, Box::new(io::stdin()));
        }
        if let Place::Member { archive, member } = Place::of(name) {
            return Self::of_member(archive, &zip::member(archive, member)?, read_bytes);
        }
        let file = open_file(name)?;
        let counted = Counted { file, read_bytes: read_bytes.clone() };
        let input = Self::begin(name, Box::new(counted), Compression::Plain)?;
        if input.compression != Compression::Zip {
            return Ok(input);
        }
        match &zip::data_members(name)?[..] {
            [member] => Self::of_member(name, member, read_bytes),
            members => Err(several_members(name, members)),
        }
    }

    /// The bytes of any reader; `name` is what errors call it.
    ///
    /// # Errors
    /// Its first bytes cannot be read, no thread can be started, or it is a zip archive.
    pub fn from_reader(name: &str, reader: Box<dyn Read + Send>) -> Result<Self, ReadError> {
        let input = Self::begin(name, reader, Compression::Plain)?;
        match input.compression {
            Compression::Zip => Err(zip_in_a_stream(name)),
            _ => Ok(input),
        }
    }

    fn of_member(archive: &str, member: &Member, read_bytes: Arc<AtomicU64>) -> Result<Self, ReadError> {
        let reader = zip::open(archive, member, read_bytes)?;
        Self::begin(&format!("{archive}/{}", member.name), reader, Compression::Zip)
    }

    /// Finds out how the bytes of `reader` are packed, which come out of an `outer` packing; a zip archive is left
    /// to the caller.
    fn begin(name: &str, reader: Box<dyn Read + Send>, outer: Compression) -> Result<Self, ReadError> {
        let source = Source::Plain(reader);
        let (name, current) = (name.to_owned(), Buffer::new());
        let mut input = Self { name, compression: outer, source, current, at: 0 };
        let magic = input.fill_to(4).map(Compression::of);
        let inner = magic.map_err(|source| input.error(source))?;
        match (outer, inner) {
            (Compression::Zip, Compression::Zip) => return Err(zip_in_a_zip(&input.name)),
            (_, Compression::Plain) => {}
            (_, inner) => input.compression = inner,
        }
        if inner == Compression::Zstd && input.begins_with_dbz() {
            return Err(legacy_dbz(&input.name));
        }
        if input.compression != Compression::Plain && (outer, inner) != (Compression::Plain, Compression::Zip)
        {
            input.start_thread(inner).map_err(|source| input.error(source))?;
        }
        Ok(input)
    }

    /// The same source, whose bytes `adapt` changes on their way.
    pub(crate) fn adapted<R: Read + Send + 'static>(self, adapt: impl FnOnce(Self) -> R) -> Self {
        let (name, compression) = (self.name.clone(), self.compression);
        let source = Source::Plain(Box::new(adapt(self)));
        Self { name, compression, source, current: Buffer::new(), at: 0 }
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
            Compression::Zip => "unpacking it",
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

    /// Whether the skippable frame that it begins with is the header of a DBZ file: decompressed, its
    /// records would come without one.
    #[cold]
    fn begins_with_dbz(&mut self) -> bool {
        const MAGIC: std::ops::Range<usize> = 8..11;
        // An error shows again, and with its place, when the source is read.
        self.fill_to(MAGIC.end).is_ok_and(|head| head[0] != 0x28 && head.get(MAGIC) == Some(b"DBZ"))
    }

    /// Unpacks what is packed as `inner` on a thread; what comes out of an archive runs there, too.
    fn start_thread(&mut self, inner: Compression) -> io::Result<()> {
        let rest = match std::mem::replace(&mut self.source, Source::Ended) {
            Source::Plain(rest) => rest,
            _ => Box::new(io::empty()),
        };
        let packed = Cursor::new(self.current.bytes[..self.current.len].to_vec()).chain(rest);
        let buffered = |packed| BufReader::with_capacity(Self::BUFFER / 2, packed);
        let mut unpacked: Box<dyn Read + Send> = match inner {
            Compression::Zstd => Box::new(ZstdFrames::new(buffered(packed))?),
            Compression::Gzip => Box::new(GzipMembers::new(buffered(packed))),
            Compression::Plain | Compression::Zip => Box::new(packed),
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

#[cold]
fn several_members(name: &str, members: &[Member]) -> ReadError {
    let first = members.first().map(|member| member.name.as_str()).unwrap_or_default();
    ReadError::Format {
        file: name.to_owned(),
        reason: format!("is a zip archive of {} data files", members.len()),
        advice: format!("name one of them, as {name}/{first}"),
    }
}

#[cold]
fn zip_in_a_stream(name: &str) -> ReadError {
    ReadError::Format {
        file: name.to_owned(),
        reason: "is a zip archive read as a stream, and its directory stands at its end".to_owned(),
        advice: "name the archive as a file, or unpack it on the way: unzip -p FILE | orchard …".to_owned(),
    }
}

#[cold]
fn zip_in_a_zip(name: &str) -> ReadError {
    ReadError::Format {
        file: name.to_owned(),
        reason: "is a zip archive within a zip archive".to_owned(),
        advice: "unpack the outer one first".to_owned(),
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
