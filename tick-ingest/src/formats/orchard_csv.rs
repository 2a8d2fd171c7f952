//! Orchard's own CSV: every tick as one line, lossless both ways.
//!
//! `ts_event,ts_recv,symbol,kind,side,price,size,flags`: times in nanoseconds since the UNIX epoch;
//! kind `trade`, `bid` or `ask`; side `buy`, `sell` or empty; price and size in exact decimal text,
//! an empty price for an empty side of the book; flags as a number.

use std::io::{self, Write};

use thiserror::Error;
use tick_sdk::decimal::{Inexact, UNDEFINED_PRICE, write_decimal, write_digits};
use tick_sdk::{Flags, Kind, Side, Tick};

use super::csv::fields::{self, Fields, Splitter};
use super::time_text::TimeFormat;
use crate::lines::LineParser;
use crate::{BadField, Batch, SymbolIds};

/// The first line, which is how the format is known.
pub const HEADER: &str = "ts_event,ts_recv,symbol,kind,side,price,size,flags";

const COLUMNS: usize = 8;
/// What a line can hold of a symbol; readers refuse a longer one.
const SYMBOL_BYTES: usize = 256;

/// Reads Orchard's own CSV.
pub struct OrchardCsv {
    splitter: Splitter,
    symbols: SymbolIds,
}

impl OrchardCsv {
    /// For a file that begins with [`HEADER`].
    pub fn new() -> Self {
        Self { splitter: Splitter::new(b',', COLUMNS), symbols: SymbolIds::default() }
    }

    #[inline]
    fn row(&mut self, line: &[u8], out: &mut Batch) -> Result<(), BadField> {
        let fields = self.splitter.split(line)?;
        let (mut tick, inexact) = parse(&fields)?;
        let symbol = self.symbols.id(fields.get(2), None, out);
        tick.instrument = symbol.map_err(|reason| BadField::new("symbol", reason))?;
        if inexact != [Inexact::No; 2] {
            inexact.iter().for_each(|inexact| fields::count_inexact(*inexact, out));
        }
        out.push(tick);
        Ok(())
    }
}

impl Default for OrchardCsv {
    fn default() -> Self {
        Self::new()
    }
}

impl LineParser for OrchardCsv {
    fn line(&mut self, line: &[u8], out: &mut Batch) -> Result<(), BadField> {
        match self.row(line, out) {
            // Files that were joined have a header in their middle, too.
            Err(_) if line == HEADER.as_bytes() => Ok(()),
            result => result,
        }
    }
}

#[inline]
fn parse(fields: &Fields<'_>) -> Result<(Tick, [Inexact; 2]), BadField> {
    let (price, price_inexact) = match fields.get(5) {
        b"" => (UNDEFINED_PRICE, Inexact::No),
        text => fields::inexact_price(text, "price")?,
    };
    let (size, size_inexact) = fields::inexact_size(fields.get(6), "size")?;
    let tick = Tick {
        ts_event: fields::time(&TimeFormat::Nanos, fields.get(0), "ts_event")?,
        ts_recv: fields::time(&TimeFormat::Nanos, fields.get(1), "ts_recv")?,
        price,
        size,
        instrument: 0,
        kind: Kind::from_name(fields.get(3))
            .ok_or_else(|| BadField::new("kind", "is not trade, bid or ask"))?,
        side: side(fields.get(4))?,
        flags: flags(fields.get(7))?,
    };
    Ok((tick, [price_inexact, size_inexact]))
}

#[inline]
fn side(text: &[u8]) -> Result<Side, BadField> {
    match text {
        b"" => Ok(Side::NONE),
        b"buy" => Ok(Side::BUY),
        b"sell" => Ok(Side::SELL),
        _ => Err(BadField::new("side", "is not buy, sell or empty")),
    }
}

#[inline]
fn flags(text: &[u8]) -> Result<Flags, BadField> {
    if let [digit @ b'0'..=b'9'] = text {
        return Ok(Flags(u16::from(digit - b'0')));
    }
    let number = fields::parse_digits(text).and_then(|number| u16::try_from(number).ok());
    number.map(Flags).ok_or_else(|| BadField::new("flags", "is not a number from 0 to 65535"))
}

/// Why a tick was not written.
#[derive(Debug, Error)]
pub enum CsvWriteError {
    /// A field has no text that would be read back as the same.
    #[error(
        "a tick of {symbol:?} has {field} {value}, which this CSV has no text for\n  write a .ticks file instead"
    )]
    NoText {
        /// The tick's symbol.
        symbol: String,
        /// The tick's field.
        field: &'static str,
        /// What it holds.
        value: String,
    },
    /// The symbol cannot stand in a line.
    #[error("symbol {symbol:?} {reason}\n  write a .ticks file instead")]
    Symbol {
        /// The symbol.
        symbol: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The operating system refused.
    #[error("writing CSV: {0}")]
    Io(#[from] io::Error),
}

/// Writes Orchard's own CSV.
///
/// Lines are gathered to [`CsvTickWriter::BUFFER`] bytes; [`CsvTickWriter::finish`] writes the last.
#[derive(Debug)]
pub struct CsvTickWriter<W: Write> {
    out: W,
    lines: Vec<u8>,
}

impl<W: Write> CsvTickWriter<W> {
    /// How many bytes are gathered before they are written.
    pub const BUFFER: usize = 1 << 16;

    /// Begins with the header.
    pub fn new(out: W) -> Self {
        let mut lines = Vec::with_capacity(Self::BUFFER + 1024);
        lines.extend_from_slice(HEADER.as_bytes());
        lines.push(b'\n');
        Self { out, lines }
    }

    /// Writes one tick of `symbol`; nothing of it where there is an error other than of the output.
    ///
    /// # Errors
    /// The output's own; a tick or a symbol that would not be read back as it is: a kind or side
    /// without a name, a price below −([`i64::MAX`] − 1), a symbol that is empty, longer than 256
    /// bytes or has a control character (a line break would end the line).
    pub fn write(&mut self, tick: &Tick, symbol: &str) -> Result<(), CsvWriteError> {
        check(tick, symbol)?;
        let line = &mut self.lines;
        write_digits(tick.ts_event, line);
        line.push(b',');
        write_digits(tick.ts_recv, line);
        line.push(b',');
        write_symbol(symbol, line);
        line.push(b',');
        line.extend_from_slice(tick.kind.name().as_bytes());
        line.push(b',');
        line.extend_from_slice(tick.side.name().as_bytes());
        line.push(b',');
        if tick.has_price() {
            write_decimal(tick.price.into(), line);
        }
        line.push(b',');
        write_decimal(tick.size.into(), line);
        line.push(b',');
        write_digits(tick.flags.0.into(), line);
        line.push(b'\n');
        if line.len() >= Self::BUFFER {
            self.out.write_all(line)?;
            line.clear();
        }
        Ok(())
    }

    /// Writes what is gathered and gives the output back.
    ///
    /// # Errors
    /// The output's own.
    pub fn finish(mut self) -> io::Result<W> {
        self.out.write_all(&self.lines)?;
        self.out.flush()?;
        Ok(self.out)
    }
}

#[inline]
fn check(tick: &Tick, symbol: &str) -> Result<(), CsvWriteError> {
    let named = (Kind::TRADE.0..=Kind::ASK.0).contains(&tick.kind.0) && tick.side.0 <= Side::SELL.0;
    let short = !symbol.is_empty() && symbol.len() <= SYMBOL_BYTES;
    if named && short && tick.price > -i64::MAX && !symbol.bytes().any(|b| b.is_ascii_control()) {
        return Ok(());
    }
    Err(why_not(tick, symbol))
}

#[cold]
fn why_not(tick: &Tick, symbol: &str) -> CsvWriteError {
    let no_text = |field, value| CsvWriteError::NoText { symbol: symbol.to_owned(), field, value };
    let bad_symbol = |reason| CsvWriteError::Symbol { symbol: symbol.to_owned(), reason };
    if !(Kind::TRADE.0..=Kind::ASK.0).contains(&tick.kind.0) {
        no_text("kind", tick.kind.0.to_string())
    } else if tick.side.0 > Side::SELL.0 {
        no_text("side", tick.side.0.to_string())
    } else if tick.price <= -i64::MAX {
        no_text("price", tick.price.to_string())
    } else if symbol.is_empty() {
        bad_symbol("is empty")
    } else if symbol.len() > SYMBOL_BYTES {
        bad_symbol("is longer than 256 bytes")
    } else {
        bad_symbol("has a control character, which a line of CSV cannot hold")
    }
}

#[inline]
fn write_symbol(symbol: &str, line: &mut Vec<u8>) {
    if !symbol.bytes().any(|byte| matches!(byte, b',' | b'"')) {
        return line.extend_from_slice(symbol.as_bytes());
    }
    line.push(b'"');
    for byte in symbol.bytes() {
        if byte == b'"' {
            line.push(b'"');
        }
        line.push(byte);
    }
    line.push(b'"');
}
