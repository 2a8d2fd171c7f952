//! Captures of Binance's market streams: lines `RECEIVED {json}` or bare `{json}`.
//!
//! - The JSON is an event, a list of events, or a wrapper: Binance's `{"stream":…,"data":{event}}`, or one's
//!   own around either, such as `{"ts":…,"msg":{…}}`, whose payload may also be JSON as a string. Keys
//!   may come in any order; a key that a tick needs may stand only once. The line of an event that
//!   yields ticks is checked to be JSON to its last byte.
//! - `trade` and `aggTrade` are trades; `m` (the buyer is the maker) means that the seller was the
//!   aggressor. `bookTicker`, and spot's, which is an object without `e` but with `b`, `B`, `a`, `A`,
//!   is a bid and an ask. A side of price 0 and quantity 0, or without a price (`null`, empty, `NaN`), is
//!   empty: its price is undefined.
//! - A `trade` whose `X` is not `MARKET` (`INSURANCE_FUND`, `ADL`, `NA`, …) is no market trade: it is
//!   counted as `trade` with that name. Nor is a trade at price 0, whatever its `X`.
//! - `ts_event` is `T`, else `E`, else `ts_recv`. Both count milliseconds below 10^14 (the year 5138) and
//!   microseconds from there on (in those the year 1973): streams with `timeUnit=MICROSECOND`.
//! - `ts_recv` is the time in front of the JSON, a number of s, ms, µs or ns by its magnitude or a time as RFC
//!   3339 says, of the zone that the user gives where it names none, behind which stand blanks, a comma or the like; or a key of the outermost object such as
//!   `ts`, `recv`, `local_timestamp`. A line without takes the later of its own event time and the
//!   `ts_recv` before it: of the last line that had one or had ticks.
//! - Other events are counted by name and skipped as soon as the name is found, so that nothing
//!   else of them is looked at but that the line ends with `}`. An object with `lastUpdateId` is a
//!   `depthSnapshot`, one with `result` a `response`, anything else without `e` an `unnamed event`.
//! - A list is read event by event, or not at all: one that is malformed makes its line malformed.

mod fields;
mod json;
mod numbers;
mod received;
mod values;

use memchr::memmem;
use tick_sdk::{Kind as TickKind, Tick};

use self::fields::{EventKind, Field, Fields, Found};
use self::json::{Kind, Scanner, Value, unescape};
use self::received::receive_time;
use self::values::{Values, bad_symbol};
use crate::formats::time_text::Zone;
use crate::lines::LineParser;
use crate::{BadField, Batch, SymbolIds};

/// Parses lines of a capture of Binance's market streams.
#[derive(Debug, Default)]
pub struct BinanceStream {
    symbols: SymbolIds,
    /// Of the last line that had one.
    ts_recv: Option<u64>,
    fields: Fields,
    zone: Zone,
}

/// Whether the first line that is not empty begins like a capture's, and somewhere in the head
/// stands a key that Binance's streams have.
pub(crate) fn is_known_by(head: &[u8]) -> bool {
    let line = head.trim_ascii_start();
    let line = line.strip_prefix(b"-").unwrap_or(line);
    let has = |key: &[u8]| memmem::find(head, key).is_some();
    // The second of a pair is how it stands in JSON within a string.
    let known = ["\"e\"", "\"e\\\"", "\"lastUpdateId\"", "\"stream\"", "\"stream\\\"", "\"result\""];
    let book = ["\"b\"", "\"B\"", "\"a\"", "\"A\""];
    received::split(line).is_some()
        && (known.iter().any(|key| has(key.as_bytes())) || book.iter().all(|key| has(key.as_bytes())))
}

impl LineParser for BinanceStream {
    fn line(&mut self, line: &[u8], out: &mut Batch) -> Result<(), BadField> {
        if line.len() >= json::LONGEST {
            return Err(BadField::new("line", "is longer than 1 GiB"));
        }
        let (ts_recv, json) = receive_time(line, &self.zone, out)?;
        self.json::<false>(line, json, ts_recv, out)
    }
}

impl BinanceStream {
    /// For a capture whose receive times are of `zone` where they name none.
    pub fn new(zone: Zone) -> Self {
        Self { zone, ..Self::default() }
    }

    /// The JSON of `line` from `start` on; with `CHECK`, nothing but whether it is malformed.
    #[inline(always)]
    fn json<const CHECK: bool>(
        &mut self,
        line: &[u8],
        start: usize,
        ts_recv: Option<u64>,
        out: &mut Batch,
    ) -> Result<(), BadField> {
        match self.fields.find(line, start)? {
            Found::Event(event) => self.event::<CHECK>(event, line, ts_recv, out),
            Found::Skipped(name) => {
                skip::<CHECK>(&name, ts_recv, &mut self.ts_recv, out);
                Ok(())
            }
            Found::Payload(payload) => self.payload::<CHECK>(payload, line, ts_recv, out),
        }
    }

    // Always into the one loop that every line passes; other callers go through `again`.
    #[inline(always)]
    fn event<const CHECK: bool>(
        &mut self,
        event: EventKind,
        line: &[u8],
        mut ts_recv: Option<u64>,
        out: &mut Batch,
    ) -> Result<(), BadField> {
        let values = Values::new(line, &self.fields);
        if ts_recv.is_none()
            && let Some(received) = self.fields.get(Field::Received)
        {
            ts_recv = values.received(received, &self.zone, out)?;
        }
        if event == EventKind::Trade
            && let Some(kind) = values.no_market_trade()
        {
            let name = format!("trade {kind}");
            skip::<CHECK>(&name, ts_recv, &mut self.ts_recv, out);
            return Ok(());
        }
        let (ts_event, own_or_later) = values.times(ts_recv, self.ts_recv)?;
        let symbol = values.symbol()?;
        let market = values.market(event, &symbol);
        if event == EventKind::BookTicker {
            let (bid, bid_size) = values.side(Field::Bid, Field::BidQuantity)?;
            let (ask, ask_size) = values.side(Field::Ask, Field::AskQuantity)?;
            if CHECK {
                check_symbol(&symbol)?;
            } else {
                let id = self.symbols.id(&symbol, market, out).map_err(bad_symbol)?;
                out.counts.rounded += values.rounded.get();
                out.counts.saturated_sizes +=
                    u64::from(bid_size == u64::MAX) + u64::from(ask_size == u64::MAX);
                out.push(Tick::quote(TickKind::BID, ts_event, own_or_later, bid, bid_size).of(id));
                out.push(Tick::quote(TickKind::ASK, ts_event, own_or_later, ask, ask_size).of(id).last());
            }
        } else {
            let price = values.price(Field::Price)?;
            let size = values.size(Field::Quantity)?;
            let side = values.aggressor()?;
            if price == 0 {
                skip::<CHECK>("trade at price 0", ts_recv, &mut self.ts_recv, out);
                return Ok(());
            }
            if CHECK {
                check_symbol(&symbol)?;
            } else {
                let id = self.symbols.id(&symbol, market, out).map_err(bad_symbol)?;
                out.counts.rounded += values.rounded.get();
                out.counts.saturated_sizes += u64::from(size == u64::MAX);
                out.push(Tick::trade(ts_event, own_or_later, price, size, side).of(id));
            }
        }
        self.ts_recv = Some(own_or_later);
        Ok(())
    }

    /// A list of events, or JSON within a string, which stands in a wrapper or is the line itself.
    #[cold]
    #[inline(never)]
    fn payload<const CHECK: bool>(
        &mut self,
        payload: Value,
        line: &[u8],
        mut ts_recv: Option<u64>,
        out: &mut Batch,
    ) -> Result<(), BadField> {
        if ts_recv.is_none()
            && let Some(received) = self.fields.get(Field::Received)
        {
            ts_recv = Values::new(line, &self.fields).received(received, &self.zone, out)?;
        }
        let text = payload.text(line);
        if payload.kind() == Kind::Nested {
            return self.list::<CHECK>(text, ts_recv, out);
        }
        let text = unescape(text).map_err(|broken| BadField::new("payload", broken.message()))?;
        self.again::<CHECK>(&text, ts_recv, out)
    }

    /// JSON within the JSON of a line.
    #[cold]
    #[inline(never)]
    fn again<const CHECK: bool>(
        &mut self,
        json: &[u8],
        ts_recv: Option<u64>,
        out: &mut Batch,
    ) -> Result<(), BadField> {
        self.json::<CHECK>(json, 0, ts_recv, out)
    }

    /// Each event of a list, once all of them are known to be good.
    fn list<const CHECK: bool>(
        &mut self,
        list: &[u8],
        ts_recv: Option<u64>,
        out: &mut Batch,
    ) -> Result<(), BadField> {
        let before = self.ts_recv;
        let checked = for_each_object(list, |event| self.again::<true>(event, ts_recv, out));
        if CHECK {
            return checked;
        }
        self.ts_recv = before;
        checked?;
        for_each_object(list, |event| self.again::<false>(event, ts_recv, out))
    }
}

/// Counts an event that is not a tick, whose receive time still holds for a bare line behind it.
#[inline]
fn skip<const CHECK: bool>(name: &str, ts_recv: Option<u64>, before: &mut Option<u64>, out: &mut Batch) {
    *before = ts_recv.or(*before);
    if !CHECK {
        out.counts.skip(name, 1);
    }
}

/// Hands out the objects of a list, which was checked to be JSON.
fn for_each_object(list: &[u8], mut take: impl FnMut(&[u8]) -> Result<(), BadField>) -> Result<(), BadField> {
    let bad = |reason: &'static str| BadField::new("list", reason);
    let mut scan = Scanner::new(list, 1);
    if scan.peek() == b']' {
        return Ok(());
    }
    loop {
        let value = scan.value().map_err(|broken| bad(broken.message()))?;
        let text = value.text(list);
        if !text.starts_with(b"{") {
            return Err(bad("holds something that is not an object"));
        }
        take(text)?;
        if !scan.another(b']').map_err(|broken| bad(broken.message()))? {
            return Ok(());
        }
    }
}

/// What [`SymbolIds::id`] would refuse of a symbol.
fn check_symbol(symbol: &[u8]) -> Result<(), BadField> {
    const LENGTH: usize = 256;
    match symbol {
        [] => Err(bad_symbol("is empty")),
        _ if symbol.len() > LENGTH => Err(bad_symbol("is longer than 256 bytes")),
        _ if std::str::from_utf8(symbol).is_err() => Err(bad_symbol("is not UTF-8")),
        _ => Ok(()),
    }
}
