//! Finds a source's format by its content.

use std::io::Read;

use memchr::memmem;

use crate::format::Format;
use crate::formats::binance_stream::BinanceStream;
use crate::formats::csv;
use crate::formats::dbn::DbnReader;
use crate::formats::ticks::TicksReader;
use crate::input::{Compression, Input, STANDARD_INPUT};
use crate::lines::{BYTE_ORDER_MARK, TextReader, excerpt};
use crate::{ReadError, ReadOptions, Reader};

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
        _ => {}
    }
    let text = head.strip_prefix(BYTE_ORDER_MARK).unwrap_or(head);
    if is_binance_stream(text) {
        let reader = TextReader::new(input, BinanceStream::default(), options);
        return opened(Format::BinanceStream, Box::new(reader));
    }
    match csv::detect(&name, text, options)? {
        Some((format, parser)) => opened(format, Box::new(TextReader::new(input, parser, options))),
        None => Err(unknown(&name, head, compression)),
    }
}

/// Whether the first line that is not empty begins like a capture's, and somewhere in the head
/// stands a key that Binance's streams have.
fn is_binance_stream(head: &[u8]) -> bool {
    let line = head.trim_ascii_start();
    let line = line.strip_prefix(b"-").unwrap_or(line);
    let digits = line.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let json = line[digits..].trim_ascii_start();
    let apart = digits == 0 || json.len() < line.len() - digits;
    let has = |key: &[u8]| memmem::find(head, key).is_some();
    let known = [&b"\"e\""[..], b"\"lastUpdateId\"", b"\"stream\"", b"\"result\""];
    let book = [&b"\"b\""[..], b"\"B\"", b"\"a\"", b"\"A\""];
    json.first() == Some(&b'{') && apart && (known.into_iter().any(has) || book.into_iter().all(has))
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
         each plain, gzip or zstd; any other CSV with a mapping of its columns, see --map";
    let packed = if compression == Compression::Plain { "" } else { " behind its compression" };
    let start = head.trim_ascii_start();
    let reason = match start {
        [] if head.is_empty() => format!("is empty{packed}"),
        [] => format!("holds only blanks{packed}"),
        [b'P', b'K', 3 | 5, ..] => "is a zip archive; unpack it first".to_owned(),
        [b'B', b'Z', b'h', ..] | [0xfd, b'7', b'z', b'X', b'Z', ..] | [0x04, 0x22, 0x4d, 0x18, ..] => {
            "is packed with bzip2, xz or lz4; unpack it first, or pack it with gzip or zstd".to_owned()
        }
        [b'P', b'A', b'R', b'1', ..] => "is Parquet; write it out as CSV first".to_owned(),
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
