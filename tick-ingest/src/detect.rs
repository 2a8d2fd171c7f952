//! Finds a source's format by its content.

use std::io::Read;

use crate::format::Format;
use crate::formats::binance_stream::{self, BinanceStream};
use crate::formats::csv;
use crate::formats::dbn::DbnReader;
use crate::formats::mapped_csv::NO_SYMBOL_COLUMN;
use crate::formats::ticks::TicksReader;
use crate::input::{Compression, Input, STANDARD_INPUT};
use crate::lines::{BYTE_ORDER_MARK, TextReader, excerpt};
use crate::symbol_in_name::note_by_name;
use crate::{Batch, ReadError, ReadOptions, Reader, encoding};

/// A source of known format.
pub struct Opened {
    /// What it holds.
    pub format: Format,
    /// How that is packed.
    pub compression: Compression,
    /// Which records it holds, in a format that has several schemas and names the one.
    pub schema: Option<&'static str>,
    /// Decodes it.
    pub reader: Box<dyn Reader>,
}

/// The first bytes of a tick file.
pub const TICKS_MAGIC: &[u8; 8] = b"ORCHTIKS";

/// Opens a file, or standard input when `name` is `-`, as whatever its content is.
///
/// # Errors
/// It cannot be read, is empty or of no known format, or an option that its format needs is missing.
pub fn open(name: &str, options: &ReadOptions) -> Result<Opened, ReadError> {
    open_input(Input::open_counted(name, options.read_bytes.clone())?, options)
}

/// Opens the bytes of any reader; `name` is what errors call it.
///
/// # Errors
/// As [`open`].
pub fn open_reader(
    name: &str,
    reader: Box<dyn Read + Send>,
    options: &ReadOptions,
) -> Result<Opened, ReadError> {
    open_input(Input::from_reader(name, reader)?, options)
}

fn open_input(mut input: Input, options: &ReadOptions) -> Result<Opened, ReadError> {
    let name = input.name().to_owned();
    let compression = input.compression();
    let head = input.head()?;
    let opened = |format, reader| Ok(Opened { format, compression, schema: None, reader });
    match head {
        [b'D', b'B', b'N', version, ..] if *version < b' ' => {
            let reader = DbnReader::open(&name, Box::new(input), options)?;
            let schema = reader.schema();
            return Ok(Opened { format: Format::Dbn, compression, schema, reader: Box::new(reader) });
        }
        _ if head.starts_with(TICKS_MAGIC) => {
            return match compression {
                Compression::Plain if name != STANDARD_INPUT => {
                    opened(Format::Ticks, Box::new(TicksReader::open(&name, options)?))
                }
                _ => Err(not_mappable(&name)),
            };
        }
        // A text may begin with these letters; Parquet never has text behind them.
        [b'P', b'A', b'R', b'1', next, ..] if next.is_ascii_control() && !next.is_ascii_whitespace() => {
            return open_parquet(&name, compression, options);
        }
        [b'P', b'A', b'R', b'E', next, ..] if next.is_ascii_control() && !next.is_ascii_whitespace() => {
            return Err(encrypted(&name));
        }
        _ => {}
    }
    let mut input = encoding::to_utf8_lines(input)?;
    let head = input.head()?;
    let text = head.strip_prefix(BYTE_ORDER_MARK).unwrap_or(head);
    if binance_stream::is_known_by(text) {
        let reader = TextReader::new(input, BinanceStream::new(options.zone.clone()), options);
        return opened(Format::BinanceStream, Box::new(reader));
    }
    if !names_ascii_columns(options) {
        encoding::expect_utf8(&name, text, compression)?;
    }
    match csv::detect(&name, text, options)? {
        Some((format, parser)) => {
            let reader: Box<dyn Reader> = Box::new(TextReader::new(input, parser, options));
            let by_name = csv::symbol_of_name(&name, format, options);
            opened(
                format,
                match by_name {
                    Some(symbol) => Box::new(Noted { reader, note: Some(note_by_name(&symbol)) }),
                    None => reader,
                },
            )
        }
        None => Err(unknown(&name, head, compression)),
    }
}

/// Parquet says at its end where its rows are, so it must be a file of its own.
#[cfg(feature = "parquet")]
fn open_parquet(name: &str, compression: Compression, options: &ReadOptions) -> Result<Opened, ReadError> {
    use crate::formats::parquet::ParquetReader;

    let refused = |reason: &str, advice: &str| {
        let (reason, advice) = (reason.to_owned(), advice.to_owned());
        Err(ReadError::Format { file: name.to_owned(), reason, advice })
    };
    if compression != Compression::Plain {
        let reason = format!("is Parquet packed with {}, which cannot be read", compression.name());
        return refused(&reason, "unpack it into a file: Parquet is packed within");
    }
    if name == STANDARD_INPUT {
        return refused("is Parquet, which is read from its end", "give it as a file");
    }
    if !std::path::Path::new(name).is_file() {
        return refused("is Parquet, which is read from its end", "unpack it into a file");
    }
    let (format, reader) = ParquetReader::open(name, options)?;
    Ok(Opened { format, compression, schema: None, reader: Box::new(reader) })
}

#[cfg(not(feature = "parquet"))]
fn open_parquet(name: &str, _: Compression, _: &ReadOptions) -> Result<Opened, ReadError> {
    Err(ReadError::Format {
        file: name.to_owned(),
        reason: "is Parquet, which this build leaves out".to_owned(),
        advice: "build with it, as in `cargo run --release --features parquet -- …`, or write it out as CSV"
            .to_owned(),
    })
}

fn encrypted(name: &str) -> ReadError {
    ReadError::Format {
        file: name.to_owned(),
        reason: "is encrypted Parquet".to_owned(),
        advice: "write it out without encryption first".to_owned(),
    }
}

/// A reader that has something to say of its source.
struct Noted {
    reader: Box<dyn Reader>,
    /// `None` once it is said.
    note: Option<String>,
}

impl Reader for Noted {
    fn read(&mut self, out: &mut Batch) -> Result<bool, ReadError> {
        let Some(note) = self.note.take() else { return self.reader.read(out) };
        let read = self.reader.read(out);
        // Which instrument that is, and why, is what this note says.
        out.counts.notes.retain(|other| !other.starts_with(NO_SYMBOL_COLUMN));
        out.counts.note(&note);
        read
    }
}

/// Whether a mapping finds its columns in a header of any encoding.
fn names_ascii_columns(options: &ReadOptions) -> bool {
    let mapping = options.mapping.as_ref().or(options.mapping_of_unknown.as_ref());
    mapping.is_some_and(|mapping| mapping.to_string().is_ascii())
}

fn not_mappable(name: &str) -> ReadError {
    ReadError::Format {
        file: name.to_owned(),
        reason: "is a .ticks file that cannot be mapped into memory, as it is packed or a stream".to_owned(),
        advice: "unpack it into a file".to_owned(),
    }
}

fn unknown(name: &str, head: &[u8], compression: Compression) -> ReadError {
    const FORMATS: &str = "read are captures of Binance's streams, CSV of Binance and Tardis, DBN and .ticks, \
         each plain, gzip, zstd or in a zip archive; any other CSV with a mapping of its columns, see --map";
    let packed = if compression == Compression::Plain { "" } else { " behind its compression" };
    let start = head.trim_ascii_start();
    let reason = match start {
        [] if head.is_empty() => format!("is empty{packed}"),
        [] => format!("holds only blanks{packed}"),
        [b'P', b'K', 3 | 5, ..] => format!("is a zip archive{packed}; unpack it first"),
        [b'B', b'Z', b'h', ..] | [0xfd, b'7', b'z', b'X', b'Z', ..] | [0x04, 0x22, 0x4d, 0x18, ..] => {
            "is packed with bzip2, xz or lz4; unpack it first, or pack it with gzip or zstd".to_owned()
        }
        [b'{' | b'[', ..] => {
            format!("is JSON{packed}, but none of Binance's streams; it begins with: {}", first_line(start))
        }
        _ => format!("is of no known format; it begins{packed} with: {}", first_line(start)),
    };
    ReadError::Format { file: name.to_owned(), reason, advice: FORMATS.to_owned() }
}

fn first_line(head: &[u8]) -> String {
    excerpt(head.split(|byte| *byte == b'\n').next().unwrap_or_default())
}
