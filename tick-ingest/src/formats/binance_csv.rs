//! Binance's historical CSV (data.binance.vision): `trades`, `aggTrades` and `bookTicker` files of
//! spot and futures, with header or without.
//!
//! These have one time, the venue's: `ts_recv` is `ts_event`. It is in milliseconds, or in microseconds
//! (spot from 2025 on); a number below 10^14 is taken for milliseconds, so that the two cannot be
//! confused between the years 1973 and 5138. A buyer who is the maker means that the seller took. A trade at
//! price 0 is a marker and no trade; it is counted as `trade at price 0`. A side of the book without a
//! price, or with price and size 0, is empty.

use tick_sdk::Side;

use super::csv::fields::{self, Splitter};
use super::csv::header::Header;
use super::csv::row::{Level, Row};
use super::time_text::{TimeError, TimeFormat};
use crate::lines::{LineParser, TextFormat};
use crate::symbol_in_name::symbol_in_name;
use crate::{BadField, Batch, Format, ReadError, ReadOptions, SymbolIds};

const FIRST_MILLIS: u64 = 100_000_000_000;
const FIRST_MICROS: u64 = 100_000_000_000_000;

/// Finds out whether `first`, the first line, is one of Binance's files, and what it holds.
///
/// # Errors
/// It is one, but its symbol is named nowhere; or it has no header and could be something else.
pub(crate) fn detect(
    name: &str,
    first: &Header,
    options: &ReadOptions,
) -> Result<Option<TextFormat>, ReadError> {
    let by_name = kind_in_name(name);
    let (columns, has_header) = match columns_of_header(first) {
        Some(columns) => (columns, true),
        None => match columns_of_row(first) {
            Some(columns) => (columns, false),
            None => return Ok(None),
        },
    };
    let format = columns.format;
    if !has_header {
        // Seven numbers alone could be anything; a flag in the last column is Binance's own shape.
        let named = by_name.as_ref().map(|(format, _)| *format);
        let sure = named == Some(format) || named.is_none() && format != Format::BinanceBookTicker;
        if !sure && named.is_none() {
            return Ok(None);
        }
        if !sure {
            return Err(ReadError::Format {
                file: name.to_owned(),
                reason: format!(
                    "its name says {}, but its columns, which have no header, are those of {}",
                    kind_name(named.unwrap_or(format)),
                    kind_name(format)
                ),
                advice: format!(
                    "name the file SYMBOL-{}-DATE.csv, or say what its columns are with --map",
                    kind_name(format)
                ),
            });
        }
    }
    let symbol = options.symbol.clone().or(by_name.map(|(_, symbol)| symbol));
    let symbol = symbol.or_else(|| symbol_in_name(name)).ok_or_else(|| ReadError::Format {
        file: name.to_owned(),
        reason: format!(
            "Binance's {} do not name their symbol, and neither does the file's name",
            kind_name(format)
        ),
        advice: format!(
            "give it with --symbol, as in --symbol BTCUSDT, or name the file BTCUSDT-{}-2024-08-08.csv",
            kind_name(format)
        ),
    })?;
    let reader = BinanceCsv {
        splitter: Splitter::new(b',', first.names.len()),
        header_due: has_header,
        market: market(&columns, &symbol),
        columns,
        symbol,
        symbols: SymbolIds::default(),
    };
    Ok(Some((format, Box::new(reader))))
}

fn kind_name(format: Format) -> &'static str {
    match format {
        Format::BinanceTrades => "trades",
        Format::BinanceAggTrades => "aggTrades",
        _ => "bookTicker",
    }
}

/// What `some/path/BTCUSDT-aggTrades-2024-08-08.csv.gz` says: the kind of rows and the symbol.
pub(super) fn kind_in_name(name: &str) -> Option<(Format, String)> {
    let file = name.rsplit(['/', '\\']).next()?;
    let mut parts = file.split(['-', '.']);
    let symbol = parts.next().filter(|symbol| !symbol.is_empty())?;
    let format = match parts.next()?.to_ascii_lowercase().as_str() {
        "trades" => Format::BinanceTrades,
        "aggtrades" => Format::BinanceAggTrades,
        "bookticker" => Format::BinanceBookTicker,
        _ => return None,
    };
    Some((format, symbol.to_owned()))
}

/// Where the columns are that a tick is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Columns {
    format: Format,
    time: usize,
    row: RowColumns,
    /// Only spot says whether a trade was the best match.
    spot: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RowColumns {
    Trade { price: usize, size: usize, maker: usize },
    Book { bid: usize, bid_size: usize, ask: usize, ask_size: usize },
}

/// Spot and futures, older and newer files and Binance's own description of them write their names
/// differently: `isBuyerMaker`, `is_buyer_maker`, `Was the buyer the maker`.
fn columns_of_header(first: &Header) -> Option<Columns> {
    let plain = |name: &String| name.to_ascii_lowercase().replace(|c: char| !c.is_ascii_alphanumeric(), "");
    let names = first.names.iter().map(plain).collect();
    let header = Header { line: Vec::new(), names };
    let column = |names: &[&str]| names.iter().find_map(|name| header.column(name));
    if let Some(maker) = column(&["isbuyermaker", "wasthebuyerthemaker"]) {
        let agg_trade = column(&["aggtradeid", "aggregatetradeid"]);
        let format = match (agg_trade, column(&["id", "tradeid"])) {
            (Some(_), _) => Format::BinanceAggTrades,
            (None, Some(_)) => Format::BinanceTrades,
            (None, None) => return None,
        };
        let price = header.column("price")?;
        let size = column(&["qty", "quantity"])?;
        let time = column(&["time", "timestamp", "transacttime"])?;
        let spot = column(&["isbestmatch", "wasthetradethebestpricematch"]).is_some();
        return Some(Columns { format, time, row: RowColumns::Trade { price, size, maker }, spot });
    }
    let book = ["bestbidprice", "bestbidqty", "bestaskprice", "bestaskqty", "transactiontime"];
    header.columns(&book).map(|[bid, bid_size, ask, ask_size, time]| Columns {
        format: Format::BinanceBookTicker,
        time,
        row: RowColumns::Book { bid, bid_size, ask, ask_size },
        spot: false,
    })
}

/// A row without header is known by its number of columns and by where its flags stand.
fn columns_of_row(first: &Header) -> Option<Columns> {
    let texts: Vec<&[u8]> = first.names.iter().map(String::as_bytes).collect();
    let is_time = |column: usize| parse_time(texts[column]).is_ok_and(|ns| ns > 1_000_000_000_000_000_000);
    let is_flag = |column: usize| maker(texts[column]).is_ok();
    let is_number = |column: usize| fields::inexact_size(texts[column], "").is_ok();
    let is_id = |column: usize| fields::parse_digits(texts[column]).is_some();
    let trade = |format, time, maker, spot| Columns {
        format,
        time,
        row: RowColumns::Trade { price: 1, size: 2, maker },
        spot,
    };
    if !(6..=8).contains(&texts.len()) || !is_id(0) || !(1..4).all(is_number) {
        return None;
    }
    match texts.len() {
        6 if is_time(4) && is_flag(5) => Some(trade(Format::BinanceTrades, 4, 5, false)),
        7 if is_time(4) && is_flag(5) && is_flag(6) => Some(trade(Format::BinanceTrades, 4, 5, true)),
        7 if is_id(3) && is_id(4) && is_time(5) && is_flag(6) => {
            Some(trade(Format::BinanceAggTrades, 5, 6, false))
        }
        8 if is_id(3) && is_id(4) && is_time(5) && is_flag(6) && is_flag(7) => {
            Some(trade(Format::BinanceAggTrades, 5, 6, true))
        }
        7 if is_number(4) && is_time(5) && is_time(6) => Some(Columns {
            format: Format::BinanceBookTicker,
            time: 5,
            row: RowColumns::Book { bid: 1, bid_size: 2, ask: 3, ask_size: 4 },
            spot: false,
        }),
        _ => None,
    }
}

/// Contracts settled in coins are named after a pair with USD itself: `BTCUSD_PERP`.
fn market(columns: &Columns, symbol: &str) -> &'static str {
    if columns.spot {
        "binance-spot"
    } else if symbol.contains("USD_") {
        "binance-coinm"
    } else {
        "binance-usdm"
    }
}

struct BinanceCsv {
    splitter: Splitter,
    /// Whether the first line is a header, and to come.
    header_due: bool,
    columns: Columns,
    symbol: String,
    market: &'static str,
    symbols: SymbolIds,
}

impl LineParser for BinanceCsv {
    fn line(&mut self, line: &[u8], out: &mut Batch) -> Result<(), BadField> {
        self.row(line, out).or_else(|error| self.header(line, error, out))
    }
}

impl BinanceCsv {
    /// Files that were joined have a header in their middle, too, also where the first has none; of
    /// several spellings.
    #[cold]
    fn header(&mut self, line: &[u8], error: BadField, out: &mut Batch) -> Result<(), BadField> {
        let header = Header::cut(line, b',');
        let Some(columns) = columns_of_header(&header) else { return Err(error) };
        if columns != self.columns || header.names.len() != self.splitter.columns() {
            let reason =
                "is the header of another kind of file, which begins here: give the files one by one";
            return Err(BadField::new("line", reason));
        }
        if !std::mem::take(&mut self.header_due) {
            out.counts.skip("repeated header", 1);
        }
        Ok(())
    }

    #[inline]
    fn row(&mut self, line: &[u8], out: &mut Batch) -> Result<(), BadField> {
        let fields = self.splitter.split(line)?;
        let ts_event = parse_time(fields.get(self.columns.time))?;
        let row = match self.columns.row {
            RowColumns::Trade { price, size, maker: flag } => {
                let level = Level::parse(fields.get(price), "price", fields.get(size), "quantity")?;
                let side = maker(fields.get(flag))?;
                if level.price == 0 {
                    out.counts.skip("trade at price 0", 1);
                    return Ok(());
                }
                Row::Trade(level, side)
            }
            RowColumns::Book { bid, bid_size, ask, ask_size } => Row::Quote {
                bid: Level::parse_side(
                    fields.get(bid),
                    "best_bid_price",
                    fields.get(bid_size),
                    "best_bid_qty",
                )?,
                ask: Level::parse_side(
                    fields.get(ask),
                    "best_ask_price",
                    fields.get(ask_size),
                    "best_ask_qty",
                )?,
            },
        };
        let id = self.symbols.id(self.symbol.as_bytes(), Some(self.market), out);
        let id = id.map_err(|reason| BadField::new("symbol", reason))?;
        row.push(ts_event, ts_event, id, out);
        Ok(())
    }
}

#[inline]
fn parse_time(text: &[u8]) -> Result<u64, BadField> {
    let Some(time) = fields::parse_digits(text) else {
        return fields::time(&TimeFormat::Millis, text, "time");
    };
    if time < FIRST_MILLIS {
        return Err(BadField::new("time", "is before 1973 in milliseconds, which Binance's times are in"));
    }
    let unit = if time < FIRST_MICROS { 1_000_000 } else { 1_000 };
    time.checked_mul(unit).ok_or_else(|| BadField::new("time", TimeError::After2554.to_string()))
}

#[inline]
fn maker(text: &[u8]) -> Result<Side, BadField> {
    match text {
        b"true" | b"True" | b"TRUE" => Ok(Side::SELL),
        b"false" | b"False" | b"FALSE" => Ok(Side::BUY),
        _ => Err(BadField::new("is_buyer_maker", "is not true or false")),
    }
}
