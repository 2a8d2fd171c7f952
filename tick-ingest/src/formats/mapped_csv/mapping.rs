//! Which columns of a table are what: a mapping's parts. Its text is in `text`.

use jiff::civil::Date;
use thiserror::Error;

use crate::formats::time_text::TimeFormat;

mod text;
mod writing;

/// Which columns of a table are what, and how the table is written.
///
/// As text, items separated by commas:
///
/// | item | meaning |
/// |---|---|
/// | `time=COLUMN:UNIT` | the venue's time |
/// | `recv=COLUMN:UNIT` | when it was received; the venue's time where there is none |
/// | `date=2024-06-01` | the day of all rows, where the time columns hold only a time of day |
/// | `symbol=COLUMN` | the instrument |
/// | `price=`, `size=`, `side=` or `maker=` | a trade |
/// | `side=COLUMN:BUY\|SELL` | the aggressor by a vendor's own texts |
/// | `bid=`, `bid_size=`, `ask=`, `ask_size=` | a quote |
/// | `only=COLUMN:A\|B` | rows with another text in this column are passed over, counted by it |
/// | `empty=absent\|unchanged` | an empty side of a quote: an empty side of the book, or the side's last one |
/// | `delimiter=` | one character, or `tab`, `comma`, `space` |
/// | `header=yes\|no` | whether the first line names the columns |
/// | `skip=N` | lines before the header |
/// | `comment=TEXT`, `trailer=TEXT` | lines that begin with this are passed over |
/// | `ragged=yes` | fields that a line lacks at its end are empty, and empty ones may be too many |
/// | `decimal=point\|comma`, `thousands=comma\|point\|space\|apostrophe` | how numbers are written |
///
/// A column is its name, or `#` and its number, counted from 1. A UNIT is `s`, `ms`, `us`, `ns`, `auto`
/// (one of these four by magnitude, row by row), `rfc3339` or a strftime pattern. `time=DATE+TIME:UNIT`
/// joins two columns with a blank between their texts; `time=DATE+TIME:%Y%m%d+ms` reads the second as
/// so many ms since midnight. A price or size may have a scale, a power of ten: `price=px:1e-4` counts
/// in units of 0.0001. A scale below 1e-9 makes it the unit of this file's ticks instead of 1e-9.
/// A comma, a colon, a plus sign, a backslash or a leading `#` in a name is written behind a backslash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// The venue's own time.
    pub time: TimeColumn,
    /// When the tick was received; where there is no such column, the venue's time.
    pub recv: Option<TimeColumn>,
    /// The day of all rows, where the time columns hold only a time of day.
    pub date: Option<Date>,
    /// The instrument; where there is no such column, the file's symbol is an option.
    pub symbol: Option<Column>,
    /// What a row is.
    pub rows: Rows,
    /// Which rows are taken; all where nothing is said.
    pub only: Option<RowFilter>,
    /// How the table is written.
    pub layout: TableLayout,
}

/// How a table is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableLayout {
    /// An ASCII character.
    pub delimiter: u8,
    /// Whether the first line, after those that are skipped, names the columns.
    pub header: bool,
    /// Lines before the header, or before the first row.
    pub skip: u32,
    /// Lines that begin with this are passed over.
    pub comment: Option<String>,
    /// Lines that begin with this are passed over: they end a file, and several joined files have several.
    pub trailer: Option<String>,
    /// Fields that a line lacks at its end are empty; beyond the last column only empty ones may stand.
    pub ragged: bool,
    /// How numbers are written.
    pub numbers: NumberStyle,
    /// What an empty side of a quote means.
    pub empty: EmptySide,
}

impl Default for TableLayout {
    /// A header, commas between fields, numbers such as 1234.5.
    fn default() -> Self {
        Self {
            delimiter: b',',
            header: true,
            skip: 0,
            comment: None,
            trailer: None,
            ragged: false,
            numbers: NumberStyle::default(),
            empty: EmptySide::default(),
        }
    }
}

/// How numbers are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NumberStyle {
    /// Whether a comma stands before the decimals.
    pub decimal_comma: bool,
    /// What stands between groups of three digits: a comma, a point, a blank or an apostrophe.
    pub thousands: Option<u8>,
}

/// What an empty side of a quote means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EmptySide {
    /// The side of the book is empty.
    #[default]
    Absent,
    /// The side is as it was in the instrument's row before.
    Unchanged,
}

/// Rows that are taken, by the text of one column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowFilter {
    /// Where it is.
    pub column: Column,
    /// Texts of rows that are taken.
    pub texts: Vec<String>,
}

/// A column, or two joined ones, that hold a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimeColumn {
    /// Where it is; of two, the first.
    pub column: Column,
    /// Where the time of day is, if it has a column of its own.
    pub clock: Option<Column>,
    /// How it is written.
    pub format: TimeFormat,
}

/// A column of prices or sizes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NumberColumn {
    /// Where it is.
    pub column: Column,
    /// The column counts in units of ten to this power.
    pub scale: i8,
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
        price: NumberColumn,
        /// Its size; 0 where there is no such column.
        size: Option<NumberColumn>,
        /// What says who was the aggressor.
        aggressor: Aggressor,
    },
    /// Both sides of the book in a row; an empty price is an empty side.
    Quotes {
        /// The best bid.
        bid: NumberColumn,
        /// Its size; 0 where there is no such column.
        bid_size: Option<NumberColumn>,
        /// The best ask.
        ask: NumberColumn,
        /// Its size; 0 where there is no such column.
        ask_size: Option<NumberColumn>,
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
    /// The aggressor's side by a vendor's own texts, of which one says that it bought and one that it
    /// sold; an empty field says nothing.
    SideTexts {
        /// Where it is.
        column: Column,
        /// The aggressor bought.
        buy: String,
        /// The aggressor sold.
        sell: String,
    },
    /// Whether the buyer was the maker, so that the seller took: `true`, `t`, `yes`, `y`, `1`, `buy`, `b`
    /// or `false`, `f`, `no`, `n`, `0`, `-1`, `sell`, `s`, in any case.
    BuyerIsMaker(Column),
}

impl Aggressor {
    pub(super) const BUY: &[&str] = &["buy", "b", "bid", "bought", "1"];
    pub(super) const SELL: &[&str] = &["sell", "s", "sold", "a", "ask", "-1", "2"];
    pub(super) const UNKNOWN: &[&str] = &["", "unknown", "u", "none", "n", "0"];
    pub(super) const TRUE: &[&str] = &["true", "t", "yes", "y", "1", "buy", "b"];
    pub(super) const FALSE: &[&str] = &["false", "f", "no", "n", "0", "-1", "sell", "s"];

    pub(super) fn side(&self) -> Option<&Column> {
        match self {
            Self::Side(column) | Self::SideTexts { column, .. } => Some(column),
            Self::Unknown | Self::BuyerIsMaker(_) => None,
        }
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
        "--map: {0:?} is not a valid key; keys are time, recv, date, symbol, price, size, side, maker, bid, bid_size, ask, ask_size, only, empty, delimiter, header, skip, comment, trailer, ragged, decimal, thousands"
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
        "--map: {0} needs a unit, as in {0}=COLUMN:ms; units are s, ms, us, ns, auto, rfc3339 or a strftime pattern"
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
    /// Two columns whose ticks would be of different units.
    #[error(
        "--map: {0} and {1} have scales of different units; where one is below 1e-9, the other is the same"
    )]
    Scales(&'static str, &'static str),
    /// One character for two things.
    #[error("--map: decimal={0} and thousands={0} cannot go together; one character would be both")]
    OneMark(&'static str),
    /// A value that is none of those that its key has.
    #[error("--map: {key}={value} should be {expected}")]
    Value {
        /// The key.
        key: &'static str,
        /// What stands behind it.
        value: String,
        /// What may stand there, as in "yes or no".
        expected: &'static str,
    },
}

impl Mapping {
    /// The column behind one of the text's keys; of a time in two columns the first.
    pub(super) fn column_of(&self, key: &str) -> Option<&Column> {
        if let Some(number) = self.number_of(key) {
            return Some(&number.column);
        }
        match (key, &self.rows) {
            ("time", _) => Some(&self.time.column),
            ("recv", _) => self.recv.as_ref().map(|recv| &recv.column),
            ("symbol", _) => self.symbol.as_ref(),
            ("only", _) => self.only.as_ref().map(|only| &only.column),
            ("side", Rows::Trades { aggressor, .. }) => aggressor.side(),
            ("maker", Rows::Trades { aggressor, .. }) => aggressor.buyer_is_maker(),
            _ => None,
        }
    }

    /// The column of numbers behind one of the text's keys.
    pub(super) fn number_of(&self, key: &str) -> Option<&NumberColumn> {
        match (key, &self.rows) {
            ("price", Rows::Trades { price, .. }) => Some(price),
            ("size", Rows::Trades { size, .. }) => size.as_ref(),
            ("bid", Rows::Quotes { bid, .. }) => Some(bid),
            ("bid_size", Rows::Quotes { bid_size, .. }) => bid_size.as_ref(),
            ("ask", Rows::Quotes { ask, .. }) => Some(ask),
            ("ask_size", Rows::Quotes { ask_size, .. }) => ask_size.as_ref(),
            _ => None,
        }
    }
}
