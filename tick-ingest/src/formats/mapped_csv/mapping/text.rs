//! The mapping's text: `time=ts:ms,symbol=sym,price=px,size=qty,side=aggressor`.

use std::str::FromStr;

use jiff::civil::Date;

use super::{
    Aggressor, Column, EmptySide, Mapping, MappingError, NumberColumn, NumberStyle, RowFilter, Rows,
    TableLayout, TimeColumn,
};
use crate::formats::csv::limits::MAX_COLUMNS;

/// In the order in which they are written.
pub(super) const COLUMN_KEYS: [&str; 12] = [
    "time", "recv", "symbol", "price", "size", "side", "maker", "bid", "bid_size", "ask", "ask_size", "only",
];

/// The keys beside those of columns.
const OTHER_KEYS: [&str; 10] =
    ["date", "empty", "delimiter", "header", "skip", "comment", "trailer", "ragged", "decimal", "thousands"];

impl FromStr for Mapping {
    type Err = MappingError;

    fn from_str(text: &str) -> Result<Self, MappingError> {
        let mut items = Items(Vec::new());
        for item in split_unescaped(text, ',') {
            items.add(item)?;
        }
        let time = items.time("time")?.ok_or(MappingError::Missing("time"))?;
        let recv = items.time("recv")?;
        let date = items.take("date").map(parse_date).transpose()?;
        let symbol = items.column("symbol")?;
        let rows = items.rows()?;
        let only = items.take("only").map(parse_filter).transpose()?;
        let header = items.take("header").map(|text| yes_or_no("header", text)).transpose()?;
        let layout = items.layout()?;
        let mut mapping = Self { time, recv, date, symbol, rows, only, layout };
        mapping.layout.header = header.unwrap_or_else(|| mapping.names_columns());
        mapping.check_units()?;
        mapping.layout.numbers.check()?;
        Ok(mapping)
    }
}

impl Mapping {
    /// Whether any column goes by its name, so that there must be a header.
    pub(super) fn names_columns(&self) -> bool {
        let clocks = [Some(&self.time), self.recv.as_ref()].into_iter().flatten();
        let clocks = clocks.filter_map(|time| time.clock.as_ref());
        let columns = COLUMN_KEYS.iter().filter_map(|key| self.column_of(key));
        columns.chain(clocks).any(|column| matches!(column, Column::Name(_)))
    }
}

impl Mapping {
    /// Both sides of a book are in the same unit, which a scale below 1e-9 is.
    fn check_units(&self) -> Result<(), MappingError> {
        let unit = |key| self.number_of(key).map(|number| number.scale.min(UNIT));
        for (bid, ask) in [("bid", "ask"), ("bid_size", "ask_size")] {
            if unit(bid).zip(unit(ask)).is_some_and(|(bid, ask)| bid != ask) {
                return Err(MappingError::Scales(bid, ask));
            }
        }
        Ok(())
    }
}

/// The scale that a tick's unit is where nothing says otherwise.
const UNIT: i8 = -9;

impl NumberStyle {
    fn check(self) -> Result<(), MappingError> {
        match (self.decimal_comma, self.thousands) {
            (true, Some(b',')) => Err(MappingError::OneMark("comma")),
            (false, Some(b'.')) => Err(MappingError::OneMark("point")),
            _ => Ok(()),
        }
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
        if !COLUMN_KEYS.contains(&key) && !OTHER_KEYS.contains(&key) {
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

    fn number(&mut self, key: &'static str) -> Result<Option<NumberColumn>, MappingError> {
        let Some(value) = self.take(key) else { return Ok(None) };
        let column = split_unescaped(value, ':').next().unwrap_or("");
        let scale = match value.get(column.len() + 1..) {
            None => 0,
            Some(text) => parse_scale(text).ok_or_else(|| MappingError::Value {
                key,
                value: value.to_owned(),
                expected: "COLUMN, or COLUMN and a scale that is a power of ten, as in px:1e-4 or lots:100",
            })?,
        };
        Ok(Some(NumberColumn { column: parse_column(column)?, scale }))
    }

    fn time(&mut self, key: &str) -> Result<Option<TimeColumn>, MappingError> {
        let Some(value) = self.take(key) else { return Ok(None) };
        let columns = split_unescaped(value, ':').next().unwrap_or("");
        let unit = value.get(columns.len() + 1..).filter(|unit| !unit.is_empty());
        let unit = unit.ok_or_else(|| MappingError::NoUnit(key.to_owned()))?;
        let format = unescape(unit).parse().map_err(MappingError::Unit)?;
        let day = split_unescaped(columns, '+').next().unwrap_or("");
        let clock = columns.get(day.len() + 1..).map(parse_column).transpose()?;
        Ok(Some(TimeColumn { column: parse_column(day)?, clock, format }))
    }

    fn layout(&mut self) -> Result<TableLayout, MappingError> {
        let is = |key, text: Option<&str>, names: [&str; 2], expected| match text {
            None => Ok(false),
            Some(text) if text == names[0] => Ok(false),
            Some(text) if text == names[1] => Ok(true),
            Some(text) => Err(MappingError::Value { key, value: text.to_owned(), expected }),
        };
        let decimal_comma =
            is("decimal", self.take("decimal"), ["point", "comma"], "decimal=point or decimal=comma")?;
        let empty = self.take("empty");
        let unchanged = is("empty", empty, ["absent", "unchanged"], "empty=absent or empty=unchanged")?;
        let skip = self.take("skip").map_or(Ok(0), |text| {
            text.parse().map_err(|_| MappingError::Value {
                key: "skip",
                value: text.to_owned(),
                expected: "the number of lines before the header, as in skip=2",
            })
        })?;
        Ok(TableLayout {
            delimiter: self.take("delimiter").map_or(Ok(b','), parse_delimiter)?,
            header: false,
            skip,
            comment: self.take("comment").map(unescape),
            trailer: self.take("trailer").map(unescape),
            ragged: self.take("ragged").map_or(Ok(false), |text| yes_or_no("ragged", text))?,
            numbers: NumberStyle {
                decimal_comma,
                thousands: self.take("thousands").map(parse_thousands).transpose()?,
            },
            empty: if unchanged { EmptySide::Unchanged } else { EmptySide::Absent },
        })
    }

    fn rows(&mut self) -> Result<Rows, MappingError> {
        let (price, size) = (self.number("price")?, self.number("size")?);
        let aggressor = match (self.take("side"), self.column("maker")?) {
            (None, None) => Aggressor::Unknown,
            (Some(side), None) => parse_side(side)?,
            (None, Some(maker)) => Aggressor::BuyerIsMaker(maker),
            (Some(_), Some(_)) => return Err(MappingError::Together("side", "maker")),
        };
        let (bid, bid_size) = (self.number("bid")?, self.number("bid_size")?);
        let (ask, ask_size) = (self.number("ask")?, self.number("ask_size")?);
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

fn yes_or_no(key: &'static str, text: &str) -> Result<bool, MappingError> {
    match text {
        "yes" => Ok(true),
        "no" => Ok(false),
        _ => Err(MappingError::Value { key, value: text.to_owned(), expected: "yes or no" }),
    }
}

fn parse_date(text: &str) -> Result<Date, MappingError> {
    text.parse().map_err(|_| MappingError::Value {
        key: "date",
        value: text.to_owned(),
        expected: "a day, as in date=2024-06-01",
    })
}

fn parse_thousands(text: &str) -> Result<u8, MappingError> {
    let named = THOUSANDS.iter().find(|(_, name)| *name == text);
    named.map(|(byte, _)| *byte).ok_or_else(|| MappingError::Value {
        key: "thousands",
        value: text.to_owned(),
        expected: "comma, point, space or apostrophe",
    })
}

fn parse_filter(text: &str) -> Result<RowFilter, MappingError> {
    let (column, texts) = column_and_texts(text)?;
    let texts = texts.ok_or_else(|| MappingError::Value {
        key: "only",
        value: text.to_owned(),
        expected: "a column and the texts that are taken, as in only=action:T or only=type:trade|fill",
    })?;
    Ok(RowFilter { column, texts })
}

fn parse_side(text: &str) -> Result<Aggressor, MappingError> {
    let (column, texts) = column_and_texts(text)?;
    match texts.as_deref() {
        None => Ok(Aggressor::Side(column)),
        Some([buy, sell]) if buy != sell => {
            Ok(Aggressor::SideTexts { column, buy: buy.clone(), sell: sell.clone() })
        }
        Some(_) => Err(MappingError::Value {
            key: "side",
            value: text.to_owned(),
            expected: "a column, or a column and its texts for bought and sold, as in side=type:0|1",
        }),
    }
}

/// `COLUMN` or `COLUMN:A|B`.
fn column_and_texts(text: &str) -> Result<(Column, Option<Vec<String>>), MappingError> {
    let column = split_unescaped(text, ':').next().unwrap_or("");
    let texts = text.get(column.len() + 1..);
    let texts = texts.map(|texts| split_unescaped(texts, '|').map(unescape).collect());
    Ok((parse_column(column)?, texts))
}

/// `1e-9`, `0.01`, `1`, `100`: the power of ten.
fn parse_scale(text: &str) -> Option<i8> {
    const LIMIT: i8 = 18;
    let power = if let Some(exponent) = text.strip_prefix("1e").or_else(|| text.strip_prefix("1E")) {
        exponent.parse().ok()?
    } else if let Some(zeros) = text.strip_prefix("0.").and_then(|rest| rest.strip_suffix('1')) {
        zeros.bytes().all(|byte| byte == b'0').then(|| i8::try_from(zeros.len() + 1).ok().map(|n| -n))??
    } else {
        let zeros = text.strip_prefix('1')?;
        zeros.bytes().all(|byte| byte == b'0').then(|| i8::try_from(zeros.len()).ok())??
    };
    (-LIMIT..=LIMIT).contains(&power).then_some(power)
}

/// What may stand between groups of three digits, and its name.
pub(super) const THOUSANDS: [(u8, &str); 4] =
    [(b',', "comma"), (b'.', "point"), (b' ', "space"), (b'\'', "apostrophe")];
