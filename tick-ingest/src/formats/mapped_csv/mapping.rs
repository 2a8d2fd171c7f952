//! The mapping's text: `time=ts:ms,symbol=sym,price=px,size=qty,side=aggressor`.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use crate::formats::csv::limits::MAX_COLUMNS;
use crate::formats::time_text::TimeFormat;

/// Which columns of a CSV are what.
///
/// As text, items separated by commas: `time=COLUMN:UNIT` (the venue's time), `recv=COLUMN:UNIT`
/// (when it was received; the venue's time where there is none), `symbol=COLUMN`; for trades
/// `price=`, `size=` and `side=` or `maker=`; for quotes `bid=`, `bid_size=`, `ask=`, `ask_size=`;
/// `delimiter=` a character, or `tab`, `comma`, `space`; `header=yes|no`. A column is its name, or `#`
/// and its number, counted from 1; a UNIT is `s`, `ms`, `us`, `ns`, `rfc3339` or a strftime pattern.
/// A comma, a colon, a backslash or a leading `#` in a name is written behind a backslash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// The venue's own time.
    pub time: TimeColumn,
    /// When the tick was received; where there is no such column, the venue's time.
    pub recv: Option<TimeColumn>,
    /// The instrument; where there is no such column, the file's symbol is an option.
    pub symbol: Option<Column>,
    /// What a row is.
    pub rows: Rows,
    /// An ASCII character.
    pub delimiter: u8,
    /// Whether the first line names the columns.
    pub header: bool,
}

/// A column that holds a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimeColumn {
    /// Where it is.
    pub column: Column,
    /// How it is written.
    pub format: TimeFormat,
}

/// Where a column is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Column {
    /// By its name in the header.
    Name(String),
    /// By its place, counted from 1.
    Number(usize),
}

/// What a row is, and where its parts are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rows {
    /// One trade a row.
    Trades {
        /// The trade's price.
        price: Column,
        /// Its size; 0 where there is no such column.
        size: Option<Column>,
        /// What says who was the aggressor.
        aggressor: Aggressor,
    },
    /// Both sides of the book in a row; an empty price is an empty side.
    Quotes {
        /// The best bid.
        bid: Column,
        /// Its size; 0 where there is no such column.
        bid_size: Option<Column>,
        /// The best ask.
        ask: Column,
        /// Its size; 0 where there is no such column.
        ask_size: Option<Column>,
    },
}

/// What says who was the aggressor of a trade.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Aggressor {
    /// Nothing does.
    Unknown,
    /// The aggressor's side, in any case: `buy`, `b`, `bid`, `bought`, `1`; `sell`, `s`, `sold`, `a`,
    /// `ask`, `-1`, `2`; and for one that is unknown `unknown`, `u`, `none`, `n`, `0` or empty.
    Side(Column),
    /// Whether the buyer was the maker, so that the seller took: `true`, `t`, `yes`, `y`, `1` or
    /// `false`, `f`, `no`, `n`, `0`, in any case.
    BuyerIsMaker(Column),
}

impl Aggressor {
    pub(super) const BUY: &[&str] = &["buy", "b", "bid", "bought", "1"];
    pub(super) const SELL: &[&str] = &["sell", "s", "sold", "a", "ask", "-1", "2"];
    pub(super) const UNKNOWN: &[&str] = &["", "unknown", "u", "none", "n", "0"];
    pub(super) const TRUE: &[&str] = &["true", "t", "yes", "y", "1"];
    pub(super) const FALSE: &[&str] = &["false", "f", "no", "n", "0"];

    pub(super) fn side(&self) -> Option<&Column> {
        if let Self::Side(column) = self { Some(column) } else { None }
    }

    pub(super) fn buyer_is_maker(&self) -> Option<&Column> {
        if let Self::BuyerIsMaker(column) = self { Some(column) } else { None }
    }
}

/// Why a text is not a mapping.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum MappingError {
    /// An item without `=`, or with nothing behind it.
    #[error("--map: {0:?} should be KEY=VALUE, as in price=px (a comma in a column's name is written \\,)")]
    NoValue(String),
    /// A key that is not one.
    #[error(
        "--map: {0:?} is not a valid key; keys are time, recv, symbol, price, size, side, maker, bid, bid_size, ask, ask_size, delimiter, header"
    )]
    UnknownKey(String),
    /// A key that comes twice.
    #[error("--map: {0} is given twice")]
    Repeated(String),
    /// A key without which there are no ticks.
    #[error("--map: {0} is missing; a trade needs time and price, a quote time, bid and ask")]
    Missing(&'static str),
    /// Two keys that exclude each other.
    #[error("--map: {0} and {1} cannot go together; a row is a trade (price) or a quote (bid, ask)")]
    Together(&'static str, &'static str),
    /// A time without unit.
    #[error(
        "--map: {0} needs a unit, as in {0}=COLUMN:ms; units are s, ms, us, ns, rfc3339 or a strftime pattern"
    )]
    NoUnit(String),
    /// A unit that is not one.
    #[error("--map: {0}")]
    Unit(String),
    /// A column number that is not one.
    #[error("--map: {0:?} is not a valid column number; they count from #1 to #4096")]
    Number(String),
    /// A delimiter that is not one.
    #[error(
        "--map: delimiter {0:?} should be one character that is not a letter, digit, quote, sign or point, or tab, comma, space"
    )]
    Delimiter(String),
    /// A header that is neither there nor not there.
    #[error("--map: header={0} should be header=yes or header=no")]
    Header(String),
}

impl Mapping {
    /// The column behind one of the text's keys.
    pub(super) fn column_of(&self, key: &str) -> Option<&Column> {
        match (key, &self.rows) {
            ("time", _) => Some(&self.time.column),
            ("recv", _) => self.recv.as_ref().map(|recv| &recv.column),
            ("symbol", _) => self.symbol.as_ref(),
            ("price", Rows::Trades { price, .. }) => Some(price),
            ("size", Rows::Trades { size, .. }) => size.as_ref(),
            ("side", Rows::Trades { aggressor, .. }) => aggressor.side(),
            ("maker", Rows::Trades { aggressor, .. }) => aggressor.buyer_is_maker(),
            ("bid", Rows::Quotes { bid, .. }) => Some(bid),
            ("bid_size", Rows::Quotes { bid_size, .. }) => bid_size.as_ref(),
            ("ask", Rows::Quotes { ask, .. }) => Some(ask),
            ("ask_size", Rows::Quotes { ask_size, .. }) => ask_size.as_ref(),
            _ => None,
        }
    }

    fn names_columns(&self) -> bool {
        COLUMN_KEYS.iter().any(|key| matches!(self.column_of(key), Some(Column::Name(_))))
    }
}

/// In the order in which they are written.
const COLUMN_KEYS: [&str; 11] =
    ["time", "recv", "symbol", "price", "size", "side", "maker", "bid", "bid_size", "ask", "ask_size"];

impl FromStr for Mapping {
    type Err = MappingError;

    fn from_str(text: &str) -> Result<Self, MappingError> {
        let mut items = Items(Vec::new());
        for item in split_unescaped(text, ',') {
            items.add(item)?;
        }
        let time = items.time("time")?.ok_or(MappingError::Missing("time"))?;
        let recv = items.time("recv")?;
        let symbol = items.column("symbol")?;
        let rows = items.rows()?;
        let delimiter = items.take("delimiter").map_or(Ok(b','), parse_delimiter)?;
        let header = items.take("header").map(parse_header).transpose()?;
        let mut mapping = Self { time, recv, symbol, rows, delimiter, header: false };
        mapping.header = header.unwrap_or_else(|| mapping.names_columns());
        Ok(mapping)
    }
}

/// The items of a mapping's text that nobody has taken yet.
struct Items<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Items<'a> {
    fn add(&mut self, item: &'a str) -> Result<(), MappingError> {
        let (key, value) = item.split_once('=').unwrap_or((item, ""));
        let key = key.trim();
        if value.is_empty() {
            return Err(MappingError::NoValue(item.to_owned()));
        }
        if !COLUMN_KEYS.contains(&key) && key != "delimiter" && key != "header" {
            return Err(MappingError::UnknownKey(key.to_owned()));
        }
        if self.0.iter().any(|(known, _)| *known == key) {
            return Err(MappingError::Repeated(key.to_owned()));
        }
        self.0.push((key, value));
        Ok(())
    }

    fn take(&mut self, key: &str) -> Option<&'a str> {
        let at = self.0.iter().position(|(known, _)| *known == key)?;
        Some(self.0.swap_remove(at).1)
    }

    fn column(&mut self, key: &str) -> Result<Option<Column>, MappingError> {
        self.take(key).map(parse_column).transpose()
    }

    fn time(&mut self, key: &str) -> Result<Option<TimeColumn>, MappingError> {
        let Some(value) = self.take(key) else { return Ok(None) };
        let column = split_unescaped(value, ':').next().unwrap_or("");
        let unit = value.get(column.len() + 1..).filter(|unit| !unit.is_empty());
        let unit = unit.ok_or_else(|| MappingError::NoUnit(key.to_owned()))?;
        let format = unescape(unit).parse().map_err(MappingError::Unit)?;
        Ok(Some(TimeColumn { column: parse_column(column)?, format }))
    }

    fn rows(&mut self) -> Result<Rows, MappingError> {
        let (price, size) = (self.column("price")?, self.column("size")?);
        let aggressor = match (self.column("side")?, self.column("maker")?) {
            (None, None) => Aggressor::Unknown,
            (Some(side), None) => Aggressor::Side(side),
            (None, Some(maker)) => Aggressor::BuyerIsMaker(maker),
            (Some(_), Some(_)) => return Err(MappingError::Together("side", "maker")),
        };
        let (bid, bid_size) = (self.column("bid")?, self.column("bid_size")?);
        let (ask, ask_size) = (self.column("ask")?, self.column("ask_size")?);
        let of_trades = [
            ("price", price.is_some()),
            ("size", size.is_some()),
            ("side or maker", aggressor != Aggressor::Unknown),
        ];
        let of_quotes = [
            ("bid", bid.is_some()),
            ("bid_size", bid_size.is_some()),
            ("ask", ask.is_some()),
            ("ask_size", ask_size.is_some()),
        ];
        let first =
            |keys: &[(&'static str, bool)]| keys.iter().find(|(_, given)| *given).map(|(key, _)| *key);
        match (first(&of_trades), first(&of_quotes)) {
            (Some(trade), Some(quote)) => Err(MappingError::Together(trade, quote)),
            (_, None) => {
                Ok(Rows::Trades { price: price.ok_or(MappingError::Missing("price"))?, size, aggressor })
            }
            (None, Some(_)) => Ok(Rows::Quotes {
                bid: bid.ok_or(MappingError::Missing("bid"))?,
                bid_size,
                ask: ask.ok_or(MappingError::Missing("ask"))?,
                ask_size,
            }),
        }
    }
}

/// The pieces between separators that have no backslash before them, escapes and all.
fn split_unescaped(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let mut escaped = false;
    text.split(move |c: char| {
        let separates = c == separator && !escaped;
        escaped = c == '\\' && !escaped;
        separates
    })
}

fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        out.push(if c == '\\' { chars.next().unwrap_or(c) } else { c });
    }
    out
}

fn parse_column(text: &str) -> Result<Column, MappingError> {
    let Some(number) = text.strip_prefix('#') else {
        let name = unescape(text).trim().to_owned();
        return if name.is_empty() {
            Err(MappingError::NoValue(text.to_owned()))
        } else {
            Ok(Column::Name(name))
        };
    };
    let number = number.parse().ok().filter(|number| (1..=MAX_COLUMNS).contains(number));
    number.map(Column::Number).ok_or_else(|| MappingError::Number(text.to_owned()))
}

fn parse_delimiter(text: &str) -> Result<u8, MappingError> {
    let wrong = || MappingError::Delimiter(text.to_owned());
    match text {
        "tab" | "\\t" | "\t" => Ok(b'\t'),
        "comma" => Ok(b','),
        "space" => Ok(b' '),
        _ => match unescape(text).as_bytes() {
            [c] if c.is_ascii_punctuation() && !br#""'+-.#"#.contains(c) => Ok(*c),
            [b' '] => Ok(b' '),
            _ => Err(wrong()),
        },
    }
}

fn parse_header(text: &str) -> Result<bool, MappingError> {
    match text {
        "yes" => Ok(true),
        "no" => Ok(false),
        _ => Err(MappingError::Header(text.to_owned())),
    }
}

impl fmt::Display for Column {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "#{number}"),
            Self::Name(name) => {
                f.write_str(if name.starts_with('#') { "\\" } else { "" })?;
                write_escaped(name, &[',', ':', '\\'], f)
            }
        }
    }
}

fn write_escaped(text: &str, special: &[char], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    text.chars().try_for_each(|c| {
        f.write_str(if special.contains(&c) { "\\" } else { "" })?;
        write!(f, "{c}")
    })
}

impl fmt::Display for Mapping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for key in COLUMN_KEYS {
            let Some(column) = self.column_of(key) else { continue };
            write!(f, "{separator}{key}={column}")?;
            separator = ",";
            let time = match key {
                "time" => Some(&self.time),
                "recv" => self.recv.as_ref(),
                _ => None,
            };
            if let Some(time) = time {
                f.write_str(":")?;
                write_escaped(&time.format.to_string(), &[',', '\\'], f)?;
            }
        }
        match self.delimiter {
            b',' => {}
            b'\t' => f.write_str(",delimiter=tab")?,
            b' ' => f.write_str(",delimiter=space")?,
            b'\\' => f.write_str(",delimiter=\\\\")?,
            other => write!(f, ",delimiter={}", char::from(other))?,
        }
        if self.header == self.names_columns() {
            return Ok(());
        }
        f.write_str(if self.header { ",header=yes" } else { ",header=no" })
    }
}
