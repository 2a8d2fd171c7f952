//! Reads lines by a mapping.

use tick_sdk::Side;

use super::codes::{aggressor, taker};
use super::mapping::{Column, Mapping, Rows};
use crate::formats::csv::fields::{self, Fields, Splitter};
use crate::formats::csv::header::Header;
use crate::formats::csv::row::{Level, Row};
use crate::formats::time_text::TimeFormat;
use crate::lines::LineParser;
use crate::{BadField, Batch, ReadError, ReadOptions, SymbolIds};

/// Reads a CSV by a mapping.
pub struct MappedCsv {
    splitter: Splitter,
    mapping: Mapping,
    /// The next line is the header.
    at_header: bool,
    time: usize,
    recv: Option<(usize, TimeFormat)>,
    symbol: Symbol,
    rows: RowColumns,
    symbols: SymbolIds,
}

enum Symbol {
    Column(usize),
    Always(Vec<u8>),
}

/// [`Rows`], with the columns' places.
#[derive(Clone, Copy)]
enum RowColumns {
    Trades { price: usize, size: Option<usize>, side: Option<usize>, maker: Option<usize> },
    Quotes { bid: usize, bid_size: Option<usize>, ask: usize, ask_size: Option<usize> },
}

impl MappedCsv {
    /// For the file `name`, whose first line is `first`.
    ///
    /// # Errors
    /// The mapping names a column that is not there, or nothing names the symbol.
    pub fn new(
        name: &str,
        first: &[u8],
        mapping: &Mapping,
        options: &ReadOptions,
    ) -> Result<Self, ReadError> {
        let header = Header::cut(first, mapping.delimiter);
        let place = |column: &Column| place(name, column, &header, mapping.header);
        let optional = |column: &Option<Column>| column.as_ref().map(place).transpose();
        let symbol = match (&mapping.symbol, &options.symbol) {
            (Some(column), _) => Symbol::Column(place(column)?),
            (None, Some(symbol)) => Symbol::Always(symbol.clone().into_bytes()),
            (None, None) => return Err(no_symbol(name)),
        };
        let rows = match &mapping.rows {
            Rows::Trades { price, size, aggressor } => RowColumns::Trades {
                price: place(price)?,
                size: optional(size)?,
                side: aggressor.side().map(place).transpose()?,
                maker: aggressor.buyer_is_maker().map(place).transpose()?,
            },
            Rows::Quotes { bid, bid_size, ask, ask_size } => RowColumns::Quotes {
                bid: place(bid)?,
                bid_size: optional(bid_size)?,
                ask: place(ask)?,
                ask_size: optional(ask_size)?,
            },
        };
        let recv = mapping.recv.as_ref().map(|recv| Ok((place(&recv.column)?, recv.format.clone())));
        Ok(Self {
            splitter: Splitter::new(mapping.delimiter, header.names.len()),
            at_header: mapping.header,
            time: place(&mapping.time.column)?,
            recv: recv.transpose()?,
            symbol,
            rows,
            mapping: mapping.clone(),
            symbols: SymbolIds::default(),
        })
    }

    #[inline]
    fn row(&mut self, line: &[u8], out: &mut Batch) -> Result<(), BadField> {
        let fields = self.splitter.split(line)?;
        let text = |column: usize| fields.get(column).trim_ascii();
        let ts_event = fields::time(&self.mapping.time.format, text(self.time), "time")?;
        let ts_recv = match &self.recv {
            Some((column, format)) => fields::time(format, text(*column), "recv")?,
            None => ts_event,
        };
        let row = self.rows.parse(&fields)?;
        let symbol = match &self.symbol {
            Symbol::Column(column) => text(*column),
            Symbol::Always(symbol) => symbol,
        };
        let id = self.symbols.id(symbol, None, out);
        let id = id.map_err(|reason| BadField::new("symbol", reason))?;
        row.push(ts_event, ts_recv, id, out);
        Ok(())
    }

    /// Adds the column's own name to the mapping's name for it.
    #[cold]
    fn name_column(&self, error: BadField) -> BadField {
        match self.mapping.column_of(&error.field) {
            Some(column) => BadField::new(format!("{} (column {column})", error.field), error.reason),
            None => error,
        }
    }
}

impl LineParser for MappedCsv {
    fn line(&mut self, line: &[u8], out: &mut Batch) -> Result<(), BadField> {
        if self.at_header {
            self.at_header = false;
            return Ok(());
        }
        self.row(line, out).map_err(|error| self.name_column(error))
    }
}

impl RowColumns {
    #[inline(always)]
    fn parse<'a>(self, fields: &Fields<'a>) -> Result<Row<'a>, BadField> {
        let text = |column: usize| fields.get(column).trim_ascii();
        let level = |price: usize, price_name, size: Option<usize>, size_name| {
            Level::parse(text(price), price_name, size.map_or(&b"0"[..], text), size_name)
        };
        let side_of_book = |price: usize, price_name, size, size_name| {
            if text(price).is_empty() { Ok(Level::EMPTY) } else { level(price, price_name, size, size_name) }
        };
        match self {
            Self::Trades { price, size, side, maker } => {
                let level = level(price, "price", size, "size")?;
                let side = match (side, maker) {
                    (Some(column), _) => aggressor(text(column))?,
                    (None, Some(column)) => taker(text(column))?,
                    (None, None) => Side::NONE,
                };
                Ok(Row::Trade(level, side))
            }
            Self::Quotes { bid, bid_size, ask, ask_size } => Ok(Row::Quote {
                bid: side_of_book(bid, "bid", bid_size, "bid_size")?,
                ask: side_of_book(ask, "ask", ask_size, "ask_size")?,
            }),
        }
    }
}

fn place(file: &str, column: &Column, header: &Header, has_header: bool) -> Result<usize, ReadError> {
    let wrong = |reason: String| ReadError::Format {
        file: file.to_owned(),
        reason,
        advice: format!("--map can name these columns: {}", listed(header, has_header)),
    };
    match column {
        Column::Number(number) if (1..=header.names.len()).contains(number) => Ok(number - 1),
        Column::Number(number) => Err(wrong(format!(
            "its first line has {} columns, and --map names #{number}",
            header.names.len()
        ))),
        Column::Name(name) if !has_header => {
            Err(wrong(format!("--map names column {name} and says that there is no header")))
        }
        Column::Name(name) => {
            let mut places = (0..header.names.len()).filter(|i| header.names[*i] == *name);
            let place = places.next().ok_or_else(|| wrong(format!("its header has no column {name}")))?;
            if places.next().is_some() {
                return Err(wrong(format!("its header has column {name} more than once: give its number")));
            }
            Ok(place)
        }
    }
}

fn listed(header: &Header, has_header: bool) -> String {
    const SHOWN: usize = 30;
    const LENGTH: usize = 40;
    let column = |(i, name): (usize, &String)| {
        let number = i + 1;
        if !has_header {
            return format!("#{number}");
        }
        format!("#{number} {}", name.chars().take(LENGTH).collect::<String>().escape_debug())
    };
    let shown: Vec<String> = header.names.iter().enumerate().take(SHOWN).map(column).collect();
    shown.join(", ") + if header.names.len() > SHOWN { ", …" } else { "" }
}

fn no_symbol(file: &str) -> ReadError {
    ReadError::Format {
        file: file.to_owned(),
        reason: "no column of --map is the symbol".to_owned(),
        advice: "name one with symbol=COLUMN in --map, or give the file's symbol with --symbol".to_owned(),
    }
}
