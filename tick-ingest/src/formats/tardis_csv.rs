//! Tardis CSV: `trades` and `quotes`, with times in microseconds.
//!
//! `timestamp` is `ts_event`, `local_timestamp` is `ts_recv`, `exchange` is the symbols' market. Columns
//! are found by their names, in any order. A quote is a bid tick, then an ask tick with LAST; a side
//! without a price, or with price and size 0, is empty, and its size 0. A trade of price and size 0 is a
//! marker of its venue and no trade; it is counted as `trade at price 0`.

use tick_sdk::Side;

use super::csv::fields::{self, Splitter};
use super::csv::header::Header;
use super::csv::row::{Level, Row};
use super::time_text::TimeFormat;
use crate::lines::LineParser;
use crate::{BadField, Batch, Format, SymbolIds};

const COMMON: [&str; 4] = ["exchange", "symbol", "timestamp", "local_timestamp"];
const TRADES: [&str; 4] = ["id", "side", "price", "amount"];
const QUOTES: [&str; 4] = ["bid_price", "bid_amount", "ask_price", "ask_amount"];

/// What a header says about a Tardis file.
pub(crate) enum Tardis {
    /// Another format altogether.
    No,
    /// Tardis, but neither trades nor quotes.
    OtherSchema,
    /// One that is read.
    Read(Format, Box<dyn LineParser>),
}

/// Finds the columns of a Tardis file by its header.
pub(crate) fn detect(header: &Header) -> Tardis {
    let Some(common) = header.columns(&COMMON) else { return Tardis::No };
    let parser = |format, rows| {
        let reader = TardisCsv {
            splitter: Splitter::new(b',', header.names.len()),
            header: header.line.clone(),
            after_header: false,
            common,
            rows,
            exchange: Vec::new(),
            market: String::new(),
            symbols: SymbolIds::default(),
        };
        Tardis::Read(format, Box::new(reader))
    };
    // Liquidations and book changes have the columns of trades and more, and are none.
    if header.names.len() != COMMON.len() + TRADES.len() {
        return Tardis::OtherSchema;
    }
    if let Some([_, side, price, amount]) = header.columns(&TRADES) {
        return parser(Format::TardisTrades, Rows::Trades { side, price, amount });
    }
    match header.columns(&QUOTES) {
        Some([bid, bid_amount, ask, ask_amount]) => {
            parser(Format::TardisQuotes, Rows::Quotes { bid, bid_amount, ask, ask_amount })
        }
        None => Tardis::OtherSchema,
    }
}

struct TardisCsv {
    splitter: Splitter,
    header: Vec<u8>,
    after_header: bool,
    common: [usize; 4],
    rows: Rows,
    exchange: Vec<u8>,
    market: String,
    symbols: SymbolIds,
}

#[derive(Clone, Copy)]
enum Rows {
    Trades { side: usize, price: usize, amount: usize },
    Quotes { bid: usize, bid_amount: usize, ask: usize, ask_amount: usize },
}

impl LineParser for TardisCsv {
    fn line(&mut self, line: &[u8], out: &mut Batch) -> Result<(), BadField> {
        match self.row(line, out) {
            // Files that were joined have a header in their middle, too.
            Err(_) if line == self.header => {
                if std::mem::replace(&mut self.after_header, true) {
                    out.counts.skip("repeated header", 1);
                }
                Ok(())
            }
            result => result,
        }
    }
}

impl TardisCsv {
    #[inline]
    fn row(&mut self, line: &[u8], out: &mut Batch) -> Result<(), BadField> {
        let fields = self.splitter.split(line)?;
        let [exchange, symbol, timestamp, local_timestamp] = self.common.map(|column| fields.get(column));
        let ts_event = fields::time(&TimeFormat::Micros, timestamp, "timestamp")?;
        let ts_recv = fields::time(&TimeFormat::Micros, local_timestamp, "local_timestamp")?;
        let row = match self.rows {
            Rows::Trades { side, price, amount } => {
                let level = Level::parse(fields.get(price), "price", fields.get(amount), "amount")?;
                let side = aggressor(fields.get(side))?;
                if level.price == 0 && level.size == 0 {
                    out.counts.skip("trade at price 0", 1);
                    return Ok(());
                }
                Row::Trade(level, side)
            }
            Rows::Quotes { bid, bid_amount, ask, ask_amount } => Row::Quote {
                bid: Level::parse_side(fields.get(bid), "bid_price", fields.get(bid_amount), "bid_amount")?,
                ask: Level::parse_side(fields.get(ask), "ask_price", fields.get(ask_amount), "ask_amount")?,
            },
        };
        if exchange != self.exchange {
            set_exchange(exchange, &mut self.exchange, &mut self.market)?;
        }
        let id = self.symbols.id(symbol, Some(&self.market), out);
        let id = id.map_err(|reason| BadField::new("symbol", reason))?;
        row.push(ts_event, ts_recv, id, out);
        Ok(())
    }
}

/// One exchange a file: the same symbol of two exchanges would become one instrument.
#[cold]
fn set_exchange(exchange: &[u8], known: &mut Vec<u8>, market: &mut String) -> Result<(), BadField> {
    const LENGTH: usize = 256;
    let name = std::str::from_utf8(exchange).map_err(|_| BadField::new("exchange", "is not UTF-8"))?;
    if name.is_empty() || name.len() > LENGTH {
        return Err(BadField::new("exchange", "is empty or longer than 256 bytes"));
    }
    if !known.is_empty() {
        let reason = format!("is {name}, and {market} before; give each exchange a file of its own");
        return Err(BadField::new("exchange", reason));
    }
    known.extend_from_slice(exchange);
    name.clone_into(market);
    Ok(())
}

#[inline]
fn aggressor(text: &[u8]) -> Result<Side, BadField> {
    match text {
        b"buy" => Ok(Side::BUY),
        b"sell" => Ok(Side::SELL),
        b"unknown" | b"" => Ok(Side::NONE),
        _ => Err(BadField::new("side", "is not buy, sell or unknown")),
    }
}
