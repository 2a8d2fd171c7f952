//! Databento's own CSV, which is read as its [DBN](super::dbn) is.
//!
//! | columns | schemas | ticks of a row |
//! |---|---|---|
//! | `action`, `side`, `price`, `size` | `trades`, `mbo` | trade, of action T alone |
//! | these and `bid_px_00`, … | `mbp-1`, `mbp-10`, `cmbp-1` | trade of action T, then the quote (the book after it) |
//! | the same | `tbbo`, `tcbbo` | the quote (the book before it), then trade of action T |
//! | `bid_px_00`, … without `action` | `bbo-1s`, `bbo-1m`, `cbbo-1s`, `cbbo-1m` | the quote; both times are `ts_recv` |
//!
//! Only the file's name distinguishes `tbbo` from `mbp-1`; one that names neither is taken as `mbp-1`, and a
//! note says so. `ohlcv`, `definition`, `statistics`, `status` and `imbalance` are refused by name.
//!
//! **Numbers.** Prices are integers of 1e-9 or decimals, all of a file alike; times are nanoseconds or RFC 3339.
//! An undefined price or time is empty, `NaN`, or the largest integer of its type.
//!
//! **Symbols** are the column `symbol`, else `instrument_id`; the market is the dataset of the `publisher_id`.
//! What is skipped has the names that it has in DBN.

use ::dbn::publishers::Publisher;
use ::dbn::{RType, UNDEF_ORDER_SIZE, UNDEF_PRICE, UNDEF_TIMESTAMP};

use tick_sdk::decimal::Inexact;

use self::columns::{Columns, Kind, Schema, schema_of};
use super::csv::absent::is_absent;
use super::csv::fields::{self, Fields, Splitter};
use super::csv::header::{Header, first_lines};
use super::dbn::event::{Book, Event, Quote, Quotes, TRADE, send_trade};
use super::dbn::plan::READ_SCHEMAS;
use super::dbn::tally::{UNCHANGED, action_name, note_flags, type_name};
use super::time_text::TimeFormat;
use crate::lines::{LineParser, TextFormat};
use crate::{BadField, Batch, Format, ReadError, SymbolIds};

mod columns;

/// Reads the file `name` that begins with `head` if it is Databento's, which its header, in `head`'s first line,
/// says.
///
/// # Errors
/// Its schema has no ticks, or its prices cannot be in Databento's unit.
pub(crate) fn detect(name: &str, head: &[u8]) -> Result<Option<TextFormat>, ReadError> {
    let Some(first) = first_lines(head).next() else { return Ok(None) };
    let delimiter = if first.contains(&b'\t') { b'\t' } else { b',' };
    let header = Header::cut(first, delimiter);
    let (kind, columns) = match schema_of(name, &header) {
        Schema::Foreign => return Ok(None),
        Schema::Refused(schema) => {
            return Err(refused(
                name,
                format!("is Databento CSV of schema {schema}, which is not read"),
                READ_SCHEMAS,
            ));
        }
        Schema::Read(kind, columns) => (kind, columns),
    };
    // A deeper or consolidated book has columns of its own.
    let other = header.column("bid_px_01").or(header.column("bid_pb_00")).is_some();
    let could_be_tbbo = !other && !name.to_ascii_lowercase().contains("mbp");
    let mut reader = DatabentoCsv {
        splitter: Splitter::new(delimiter, header.names.len()),
        header: header.line,
        rows: false,
        kind,
        columns,
        prices: Prices::default(),
        publisher: Vec::new(),
        market: None,
        symbols: SymbolIds::default(),
        quotes: Quotes::default(),
        note: kind == Kind::Book(Book::After) && could_be_tbbo,
    };
    reader.learn_style(name, head)?;
    Ok(Some((Format::DatabentoCsv, Box::new(reader))))
}

fn refused(name: &str, reason: String, advice: &str) -> ReadError {
    ReadError::Format { file: name.to_owned(), reason, advice: advice.to_owned() }
}

/// How a file writes its prices.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Style {
    /// As integers of 1e-9.
    Raw,
    /// As decimals.
    Decimal,
}

impl Style {
    fn of(text: &[u8]) -> Self {
        let digits = text.strip_prefix(b"-").unwrap_or(text);
        if digits.iter().all(u8::is_ascii_digit) { Self::Raw } else { Self::Decimal }
    }
}

/// Reads the prices of a file.
#[derive(Default)]
struct Prices {
    /// `None` until one is defined.
    style: Option<Style>,
    /// How many of the row had digits behind 1e-9 that floating-point arithmetic had made.
    rounded: u64,
}

impl Prices {
    /// A price in units of 1e-9, undefined where there is none.
    fn parse(&mut self, text: &[u8], name: &'static str) -> Result<i64, BadField> {
        let text = text.trim_ascii();
        if self.style.is_none() && is_absent(text) {
            return Ok(UNDEF_PRICE);
        }
        match self.style.get_or_insert(Style::of(text)) {
            Style::Raw => match std::str::from_utf8(text).map(str::parse) {
                Ok(Ok(price)) => Ok(price),
                _ if is_absent(text) => Ok(UNDEF_PRICE),
                _ => Err(BadField::new(name, "is not an integer of 1e-9, as the prices before it are")),
            },
            Style::Decimal => match fields::inexact_price(text, name) {
                Ok((price, inexact)) => {
                    self.rounded += u64::from(inexact == Inexact::Rounded);
                    Ok(price)
                }
                Err(_) if is_absent(text) => Ok(UNDEF_PRICE),
                Err(error) => Err(error),
            },
        }
    }
}

struct DatabentoCsv {
    splitter: Splitter,
    header: Vec<u8>,
    /// Whether a row was seen: only then is a header a repeated one.
    rows: bool,
    kind: Kind,
    columns: Columns,
    prices: Prices,
    /// The publisher of the last row, and the dataset that it is of.
    publisher: Vec<u8>,
    market: Option<&'static str>,
    symbols: SymbolIds,
    quotes: Quotes,
    /// Whether to say that the file is taken as `mbp-1`.
    note: bool,
}

impl LineParser for DatabentoCsv {
    fn line(&mut self, line: &[u8], out: &mut Batch) -> Result<(), BadField> {
        if line == self.header {
            if self.rows {
                out.counts.skip("repeated header", 1);
            }
            return Ok(());
        }
        self.rows = true;
        self.row(line, out)
    }
}

/// One row, but for its instrument.
struct Record {
    event: Event,
    quote: Option<Quote>,
    book: Book,
}

impl DatabentoCsv {
    fn row(&mut self, line: &[u8], out: &mut Batch) -> Result<(), BadField> {
        let fields = self.splitter.split(line)?;
        self.prices.rounded = 0;
        let mut record = match parse(self.kind, &self.columns, &mut self.prices, &fields)? {
            Parsed::Record(record) => record,
            Parsed::Skip(name) => {
                out.counts.skip(name, 1);
                return Ok(());
            }
        };
        if let Some(publisher) = self.columns.publisher_id {
            set_publisher(fields.get(publisher), &mut self.publisher, &mut self.market, &mut record.event)?;
        }
        let text = |column: Option<usize>| column.map_or(&b""[..], |column| fields.get(column).trim_ascii());
        let symbol = match text(self.columns.symbol) {
            b"" => text(self.columns.instrument_id),
            symbol => symbol,
        };
        let id = self.symbols.id(symbol, self.market, out);
        let id = id.map_err(|reason| BadField::new("symbol", reason))?;
        out.counts.rounded += self.prices.rounded;
        note_flags(record.event.flags, &mut out.counts);
        if std::mem::take(&mut self.note) {
            out.counts.note("taken as mbp-1, whose quote is the book after a trade: a file of tbbo must have tbbo in its name");
        }
        self.send(&record, id, out);
        Ok(())
    }

    fn send(&mut self, Record { event, quote, book }: &Record, id: u32, out: &mut Batch) {
        let before = out.ticks.len();
        if let (Some(quote), Book::Before) = (quote, book) {
            self.quotes.send(event, *quote, id, out);
        }
        if event.action == TRADE
            && let Err(reason) = send_trade(event, id, out)
        {
            out.counts.skip(reason.name(), 1);
        }
        if let (Some(quote), Book::After) = (quote, book) {
            self.quotes.send(event, *quote, id, out);
        }
        if out.ticks.len() == before && event.action != TRADE {
            out.counts.skip(UNCHANGED, 1);
        }
    }

    /// Finds out how the first rows write prices.
    fn learn_style(&mut self, name: &str, head: &[u8]) -> Result<(), ReadError> {
        const ROWS: usize = 1000;
        /// A millionth, in units of 1e-9: no instrument trades below it alone.
        const LEAST: u64 = 1_000;
        let mut largest = 0;
        for line in first_lines(head).skip(1).take(ROWS) {
            let Ok(fields) = self.splitter.split(line) else { continue };
            for price in self.columns.prices().map(|column| fields.get(column).trim_ascii()) {
                if Style::of(price) == Style::Decimal && fields::inexact_price(price, "").is_ok() {
                    self.prices.style = Some(Style::Decimal);
                    return Ok(());
                }
                let digits = price.strip_prefix(b"-").unwrap_or(price);
                let number = fields::parse_digits(digits).filter(|number| *number != UNDEF_PRICE as u64);
                largest = largest.max(number.unwrap_or(0));
            }
        }
        if (1..LEAST).contains(&largest) {
            let reason = format!(
                "is Databento CSV whose prices are integers up to {largest}, too small to be in Databento's unit of 1e-9"
            );
            return Err(refused(
                name,
                reason,
                "say which column is what with --map, as in --map time=ts_event:ns,symbol=symbol,price=price,size=size,side=side,only=action:T",
            ));
        }
        self.prices.style = (largest > 0).then_some(Style::Raw);
        Ok(())
    }
}

enum Parsed {
    Record(Record),
    /// A row without ticks, by the name that it is counted by.
    Skip(&'static str),
}

fn parse(
    kind: Kind,
    columns: &Columns,
    prices: &mut Prices,
    fields: &Fields<'_>,
) -> Result<Parsed, BadField> {
    let rtype = match columns.rtype {
        Some(column) => Some(record_type(fields.get(column))?),
        None => None,
    };
    if let Some(rtype) = rtype
        && !is_of(kind, rtype)
    {
        return Ok(Parsed::Skip(type_name(rtype as u8)));
    }
    let mut event = Event {
        publisher: 0,
        instrument: 0,
        ts_event: time(columns.ts_event, fields, "ts_event")?,
        ts_recv: time(columns.ts_recv, fields, "ts_recv")?,
        price: UNDEF_PRICE,
        size: 0,
        action: 0,
        side: 0,
        flags: columns.flags.map_or(0, |column| fields::parse_digits(fields.get(column)).unwrap_or(0) as u8),
    };
    if let Some(trade) = columns.trade {
        event.action = letter(fields.get(trade.action));
        event.side = letter(fields.get(trade.side));
        if kind == Kind::Trades && event.action != TRADE {
            return Ok(Parsed::Skip(action_name(event.action)));
        }
        event.price = prices.parse(fields.get(trade.price), "price")?;
        event.size = size(fields.get(trade.size), "size")?;
    }
    let quote = match columns.top {
        Some(top) => Some(Quote::new(
            [
                prices.parse(fields.get(top.bid_px), "bid_px_00")?,
                prices.parse(fields.get(top.ask_px), "ask_px_00")?,
            ],
            [size(fields.get(top.bid_sz), "bid_sz_00")?, size(fields.get(top.ask_sz), "ask_sz_00")?],
        )),
        None => None,
    };
    let timed = match kind {
        Kind::Interval => Event::of_interval(0, event.ts_recv),
        Kind::Trades | Kind::Book(_) => event.with_times(),
    };
    let event = timed.map_err(|reason| BadField::new("line", reason))?;
    let book = match (kind, rtype) {
        (_, Some(RType::Tcbbo)) => Book::Before,
        (Kind::Book(book), Some(RType::Mbp1) | None) => book,
        _ => Book::After,
    };
    Ok(Parsed::Record(Record { event, quote, book }))
}

/// Whether rows of this type have what the file's columns hold.
fn is_of(kind: Kind, rtype: RType) -> bool {
    match kind {
        Kind::Trades => matches!(
            rtype,
            RType::Mbp0 | RType::Mbo | RType::Mbp1 | RType::Mbp10 | RType::Cmbp1 | RType::Tcbbo
        ),
        Kind::Book(_) => matches!(rtype, RType::Mbp1 | RType::Mbp10 | RType::Cmbp1 | RType::Tcbbo),
        Kind::Interval => matches!(rtype, RType::Bbo1S | RType::Bbo1M | RType::Cbbo1S | RType::Cbbo1M),
    }
}

fn record_type(text: &[u8]) -> Result<RType, BadField> {
    let number = fields::parse_digits(text.trim_ascii()).and_then(|number| u8::try_from(number).ok());
    let rtype = number.and_then(|number| RType::try_from(number).ok());
    rtype.ok_or_else(|| BadField::new("rtype", "is not the number of a type of record"))
}

/// The one letter of an action or a side; 0 where there is none, or more.
fn letter(text: &[u8]) -> u8 {
    if let [letter] = text.trim_ascii() { *letter } else { 0 }
}

/// A time, undefined where there is none.
fn time(column: Option<usize>, fields: &Fields<'_>, name: &'static str) -> Result<u64, BadField> {
    let Some(text) = column.map(|column| fields.get(column).trim_ascii()) else { return Ok(UNDEF_TIMESTAMP) };
    match fields::parse_digits(text) {
        // Written so where it is undefined, and where decimals are.
        Some(0) => Ok(UNDEF_TIMESTAMP),
        Some(time) => Ok(time),
        None if is_absent(text) => Ok(UNDEF_TIMESTAMP),
        None if text.iter().all(u8::is_ascii_digit) => fields::time(&TimeFormat::Nanos, text, name),
        None => fields::time(&TimeFormat::Rfc3339, text, name),
    }
}

fn size(text: &[u8], name: &'static str) -> Result<u32, BadField> {
    let text = text.trim_ascii();
    match fields::parse_digits(text).map(u32::try_from) {
        Some(Ok(size)) => Ok(size),
        None if is_absent(text) => Ok(UNDEF_ORDER_SIZE),
        _ => Err(BadField::new(name, "is not a whole number below 2^32")),
    }
}

/// Takes in the publisher of a row; one file mostly has one.
fn set_publisher(
    text: &[u8],
    known: &mut Vec<u8>,
    market: &mut Option<&'static str>,
    event: &mut Event,
) -> Result<(), BadField> {
    let number = fields::parse_digits(text.trim_ascii()).and_then(|number| u16::try_from(number).ok());
    event.publisher =
        number.ok_or_else(|| BadField::new("publisher_id", "is not a whole number below 2^16"))?;
    if text != known.as_slice() {
        *market = Publisher::try_from(event.publisher).ok().map(|publisher| publisher.dataset().as_str());
        text.clone_into(known);
    }
    Ok(())
}
