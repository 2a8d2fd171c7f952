//! Which schema a Databento CSV is of, and where its columns are.

use crate::formats::csv::header::Header;
use crate::formats::dbn::event::Book;

/// Where the columns are that ticks are made of.
#[derive(Clone, Copy)]
pub(super) struct Columns {
    pub(super) ts_event: Option<usize>,
    pub(super) ts_recv: Option<usize>,
    pub(super) rtype: Option<usize>,
    pub(super) publisher_id: Option<usize>,
    pub(super) instrument_id: Option<usize>,
    pub(super) symbol: Option<usize>,
    pub(super) flags: Option<usize>,
    pub(super) trade: Option<TradeColumns>,
    pub(super) top: Option<TopColumns>,
}

#[derive(Clone, Copy)]
pub(super) struct TradeColumns {
    pub(super) action: usize,
    pub(super) side: usize,
    pub(super) price: usize,
    pub(super) size: usize,
}

#[derive(Clone, Copy)]
pub(super) struct TopColumns {
    pub(super) bid_px: usize,
    pub(super) ask_px: usize,
    pub(super) bid_sz: usize,
    pub(super) ask_sz: usize,
}

/// What a row yields.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Trades alone: `trades`, `mbo`.
    Trades,
    /// Trades, and the best bid and ask before or after each row.
    Book(Book),
    /// The best bid and ask of an interval.
    Interval,
}

/// What a header says.
pub(super) enum Schema {
    /// It is not Databento's.
    Foreign,
    /// One that is not read, by name.
    Refused(&'static str),
    /// One that is read.
    Read(Kind, Columns),
}

/// Columns that only one schema without ticks has.
const REFUSED: [(&str, &str); 9] = [
    ("open", "ohlcv (bars)"),
    ("stat_type", "statistics"),
    ("auction_type", "imbalance"),
    ("trading_event", "status"),
    ("is_trading", "status"),
    ("min_price_increment", "definition"),
    ("security_type", "definition"),
    ("stype_out_symbol", "symbol mapping"),
    ("is_last", "system or error messages"),
];

/// Finds the schema and the columns of the file `name` by its header.
pub(super) fn schema_of(name: &str, header: &Header) -> Schema {
    let column = |name| header.column(name);
    let has = |name| column(name).is_some();
    let own = has("publisher_id") || has("ts_in_delta");
    if !own || !(has("ts_event") || has("ts_recv")) || !(has("instrument_id") || has("symbol")) {
        return Schema::Foreign;
    }
    if let Some((_, schema)) = REFUSED.iter().find(|(name, _)| has(name)) {
        return Schema::Refused(schema);
    }
    let trade = header.columns(&["action", "side", "price", "size"]);
    let top = header.columns(&["bid_px_00", "ask_px_00", "bid_sz_00", "ask_sz_00"]);
    let kind = match (trade, top) {
        (Some(_), Some(_)) => Kind::Book(if is_tbbo(name) { Book::Before } else { Book::After }),
        (Some(_), None) => Kind::Trades,
        (None, Some(_)) if !has("action") => Kind::Interval,
        _ => return Schema::Refused("that has not all columns of trades or quotes"),
    };
    let columns = Columns {
        ts_event: column("ts_event"),
        ts_recv: column("ts_recv"),
        rtype: column("rtype"),
        publisher_id: column("publisher_id"),
        instrument_id: column("instrument_id"),
        symbol: column("symbol"),
        flags: column("flags"),
        trade: trade.map(|[action, side, price, size]| TradeColumns { action, side, price, size }),
        top: top.map(|[bid_px, ask_px, bid_sz, ask_sz]| TopColumns { bid_px, ask_px, bid_sz, ask_sz }),
    };
    Schema::Read(kind, columns)
}

/// Only a file's name distinguishes `tbbo` from `mbp-1`: `glbx-mdp3-20240701.tbbo.csv.zst`.
fn is_tbbo(name: &str) -> bool {
    name.rsplit(['/', '\\']).next().unwrap_or_default().to_ascii_lowercase().contains("tbbo")
}

impl Columns {
    /// The columns of prices.
    pub(super) fn prices(&self) -> impl Iterator<Item = usize> {
        let trade = self.trade.map(|trade| trade.price);
        let top = self.top.map(|top| [top.bid_px, top.ask_px]);
        trade.into_iter().chain(top.into_iter().flatten())
    }
}
