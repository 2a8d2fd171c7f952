//! Captures of Binance's market streams: lines `recv_ns {json}` or bare `{json}`.
//!
//! - The JSON is an event, or a wrapper `{"stream":…,"data":{event}}`. Keys may come in any order;
//!   a key that a tick needs may stand only once. The line of an event that yields ticks is checked
//!   to be JSON to its last byte.
//! - `trade` and `aggTrade` are trades; `m` (the buyer is the maker) means that the seller was the
//!   aggressor. `bookTicker`, and spot's, which is an object without `e` but with `b`, `B`, `a`, `A`,
//!   is a bid and an ask. A side of price 0 and quantity 0 is empty: its price is undefined.
//! - `ts_event` is `T`, else `E`, else `ts_recv`. Both count milliseconds below 10^14 (the year 5138) and
//!   microseconds from there on (in those the year 1973): streams with `timeUnit=MICROSECOND`.
//! - `ts_recv` is the number in front of the JSON, in nanoseconds. A bare line takes the later of its
//!   own event time and the `ts_recv` before it: of the last line that had one in front or had ticks.
//! - Other events are counted by name and skipped as soon as the name is found, so that nothing
//!   else of them is looked at but that the line ends with `}`. An object with `lastUpdateId` is a
//!   `depthSnapshot`, one with `result` a `response`, anything else without `e` an `unnamed event`.

mod fields;
mod json;

use std::borrow::Cow;

use tick_sdk::decimal::{UNDEFINED_PRICE, parse_price, parse_size};
use tick_sdk::{Kind as TickKind, Side, Tick};

use self::fields::{EventKind, Field, Fields, Found};
use self::json::{Kind, Value, eight_digits, unescape};
use crate::lines::LineParser;
use crate::{BadField, Batch, SymbolIds};

/// Parses lines of a capture of Binance's market streams.
#[derive(Debug, Default)]
pub struct BinanceStream {
    symbols: SymbolIds,
    /// Of the last line that had one.
    ts_recv: Option<u64>,
    fields: Fields,
}

impl LineParser for BinanceStream {
    fn line(&mut self, line: &[u8], out: &mut Batch) -> Result<(), BadField> {
        if line.len() >= json::LONGEST {
            return Err(BadField::new("line", "is longer than 1 GiB"));
        }
        let (ts_recv, json) = receive_time(line)?;
        match self.fields.find(line, json)? {
            Found::Event(event) => self.event(event, line, ts_recv, out),
            Found::Skipped(name) => {
                out.counts.skip(&name, 1);
                self.ts_recv = ts_recv.or(self.ts_recv);
                Ok(())
            }
        }
    }
}

impl BinanceStream {
    #[inline]
    fn event(
        &mut self,
        event: EventKind,
        line: &[u8],
        ts_recv: Option<u64>,
        out: &mut Batch,
    ) -> Result<(), BadField> {
        let values = Values { line, fields: &self.fields };
        let (ts_event, ts_recv) = values.times(ts_recv, self.ts_recv)?;
        let market = values.market(event);
        let symbol = values.symbol()?;
        if event == EventKind::BookTicker {
            let (bid, bid_size) = values.side(Field::Bid, Field::BidQuantity)?;
            let (ask, ask_size) = values.side(Field::Ask, Field::AskQuantity)?;
            let id = self.symbols.id(&symbol, market, out).map_err(bad_symbol)?;
            out.counts.saturated_sizes += u64::from(bid_size == u64::MAX) + u64::from(ask_size == u64::MAX);
            out.push(Tick::quote(TickKind::BID, ts_event, ts_recv, bid, bid_size).of(id));
            out.push(Tick::quote(TickKind::ASK, ts_event, ts_recv, ask, ask_size).of(id).last());
        } else {
            let price = values.price(Field::Price)?;
            let size = values.size(Field::Quantity)?;
            let side = values.aggressor()?;
            let id = self.symbols.id(&symbol, market, out).map_err(bad_symbol)?;
            out.counts.saturated_sizes += u64::from(size == u64::MAX);
            out.push(Tick::trade(ts_event, ts_recv, price, size, side).of(id));
        }
        self.ts_recv = Some(ts_recv);
        Ok(())
    }
}

#[cold]
fn bad_symbol(reason: &'static str) -> BadField {
    BadField::new("s", reason)
}

/// The number in front of the JSON, and where the JSON begins.
#[inline]
fn receive_time(line: &[u8]) -> Result<(Option<u64>, usize), BadField> {
    let is_space = |byte: &u8| matches!(byte, b' ' | b'\t');
    let start = line.iter().position(|byte| !is_space(byte)).unwrap_or(line.len());
    let rest = &line[start..];
    if rest.first() == Some(&b'{') {
        return Ok((None, start));
    }
    // The times of our days have 19 digits; no number is longer than 64, and a line may be.
    const USUAL: usize = 19;
    const LONGEST: usize = 64;
    let usual = rest.get(USUAL).is_some_and(is_space) && rest[..USUAL].iter().all(u8::is_ascii_digit);
    let length = if usual { Some(USUAL) } else { rest.iter().take(LONGEST).position(is_space) };
    let Some(length) = length else {
        return Err(BadField::new("line", "is neither {json} nor a receive time in ns and {json}"));
    };
    let ts_recv = whole_number(&rest[..length]).map_err(|reason| BadField::new("receive time", reason))?;
    Ok((Some(ts_recv), start + length))
}

#[inline]
fn whole_number(digits: &[u8]) -> Result<u64, &'static str> {
    // 19 digits cannot overflow the sum.
    if digits.len() > 19 || digits.is_empty() {
        return unusual_number(digits);
    }
    let mut number: u64 = 0;
    let mut rest = digits;
    while let Some((eight, behind)) = rest.split_first_chunk::<8>() {
        let Some(value) = eight_digits(u64::from_le_bytes(*eight)) else { return unusual_number(digits) };
        number = number * 100_000_000 + value;
        rest = behind;
    }
    for byte in rest {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return unusual_number(digits);
        }
        number = number * 10 + u64::from(digit);
    }
    Ok(number)
}

#[cold]
fn unusual_number(text: &[u8]) -> Result<u64, &'static str> {
    match text {
        [b'-', ..] => Err("is negative, and times count from 1970"),
        _ if text.is_empty() || !text.iter().all(u8::is_ascii_digit) => Err("is not a whole number"),
        _ => {
            let text = std::str::from_utf8(text).unwrap_or_default();
            text.parse().map_err(|_| "does not fit 64 bits")
        }
    }
}

/// Milli- or microseconds, distinguished by magnitude, as nanoseconds.
#[inline]
fn nanoseconds(time: u64) -> Result<u64, &'static str> {
    const FIRST_MICROSECONDS: u64 = 100_000_000_000_000;
    let unit = if time < FIRST_MICROSECONDS { 1_000_000 } else { 1_000 };
    time.checked_mul(unit).ok_or("lies beyond the year 2554, which nanoseconds in 64 bits cannot hold")
}

/// The values of one line, read as what their fields are.
struct Values<'a> {
    line: &'a [u8],
    fields: &'a Fields,
}

impl<'a> Values<'a> {
    /// `ts_event` and `ts_recv`, from the receive time of this line and of the one before it.
    #[inline]
    fn times(&self, own: Option<u64>, before: Option<u64>) -> Result<(u64, u64), BadField> {
        let field = if self.fields.has(Field::TransactTime) { Field::TransactTime } else { Field::EventTime };
        let Some(value) = self.fields.get(field) else {
            let ts_recv = own.or(before).ok_or_else(no_time)?;
            return Ok((ts_recv, ts_recv));
        };
        let text = value.text(self.line);
        let bad = |reason| BadField::new(field.key(), reason);
        let time = match value.kind() {
            Kind::Digits => whole_number(text),
            Kind::Number => unusual_number(text),
            _ => Err("is not a number"),
        };
        let ts_event = time.and_then(nanoseconds).map_err(bad)?;
        Ok((ts_event, own.unwrap_or_else(|| before.unwrap_or(0).max(ts_event))))
    }

    /// A string, with its escapes resolved.
    #[inline]
    fn symbol(&self) -> Result<Cow<'a, [u8]>, BadField> {
        let value = self.needed(Field::Symbol)?;
        match value.kind() {
            Kind::Text => Ok(Cow::Borrowed(value.text(self.line))),
            Kind::EscapedText => {
                unescape(value.text(self.line)).map_err(|broken| bad_symbol(broken.message()))
            }
            _ => Err(bad_symbol("is not a string")),
        }
    }

    #[inline]
    fn price(&self, field: Field) -> Result<i64, BadField> {
        let text = self.decimal(field)?;
        parse_price(&text).map_err(|error| BadField::new(field.key(), error.to_string()))
    }

    #[inline]
    fn size(&self, field: Field) -> Result<u64, BadField> {
        let text = self.decimal(field)?;
        parse_size(&text).map_err(|error| BadField::new(field.key(), error.to_string()))
    }

    /// Price and size of one side of the book; both 0 say that it is empty.
    #[inline]
    fn side(&self, price: Field, size: Field) -> Result<(i64, u64), BadField> {
        match (self.price(price)?, self.size(size)?) {
            (0, 0) => Ok((UNDEFINED_PRICE, 0)),
            both => Ok(both),
        }
    }

    /// The text of a number, which Binance writes as a string.
    #[inline]
    fn decimal(&self, field: Field) -> Result<Cow<'a, [u8]>, BadField> {
        let value = self.needed(field)?;
        let text = value.text(self.line);
        match value.kind() {
            Kind::Text | Kind::Digits | Kind::Number => Ok(Cow::Borrowed(text)),
            Kind::EscapedText => {
                unescape(text).map_err(|broken| BadField::new(field.key(), broken.message()))
            }
            _ => Err(BadField::new(field.key(), "is not a decimal number")),
        }
    }

    #[inline]
    fn aggressor(&self) -> Result<Side, BadField> {
        match self.needed(Field::BuyerIsMaker)?.kind() {
            Kind::True => Ok(Side::SELL),
            Kind::False => Ok(Side::BUY),
            _ => Err(BadField::new("m", "is neither true nor false")),
        }
    }

    #[inline]
    fn needed(&self, field: Field) -> Result<Value, BadField> {
        self.fields.get(field).ok_or_else(|| BadField::new(field.key(), "is missing"))
    }

    /// The market, where the event's shape shows it: only spot's book ticker has no `e`; trades and
    /// aggregate trades of spot have `M`, trades of futures `X`; coin-margined futures have `ps`.
    fn market(&self, event: EventKind) -> Option<&'static str> {
        let has = |field| self.fields.has(field);
        match event {
            _ if has(Field::Pair) => None,
            EventKind::BookTicker if has(Field::Event) => Some("binance-usdm"),
            EventKind::BookTicker => Some("binance-spot"),
            EventKind::Trade if has(Field::ExecutionType) && !has(Field::BestMatch) => Some("binance-usdm"),
            EventKind::Trade | EventKind::AggTrade if has(Field::BestMatch) => Some("binance-spot"),
            // Spot writes `M` in every aggregate trade; taking one without for spot's would merge
            // two markets silently, the other error is reported and asks for --prefix.
            EventKind::AggTrade => Some("binance-usdm"),
            EventKind::Trade => None,
        }
    }
}

#[cold]
fn no_time() -> BadField {
    BadField::new("line", "has no time: neither T nor E nor a receive time, and none stands before it")
}
