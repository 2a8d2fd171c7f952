//! The values of one event, read as what their fields are.

use std::borrow::Cow;
use std::cell::Cell;

use tick_sdk::Side;
use tick_sdk::decimal::{
    DecimalError, Inexact, UNDEFINED_PRICE, UNIT_DECIMALS, parse_price, parse_scaled_price,
    parse_scaled_size, parse_size,
};

use super::fields::{EventKind, Field, Fields};
use super::json::{Kind, Value, unescape};
use super::numbers::{nanoseconds, unusual_number, whole_number};
use super::received;
use crate::formats::csv::absent::is_absent;
use crate::formats::time_text::Zone;
use crate::{BadField, Batch};

/// The values of one line, read as what their fields are.
pub(super) struct Values<'a> {
    line: &'a [u8],
    fields: &'a Fields,
    /// How many numbers had digits behind 1e-9 that floating-point arithmetic had made.
    pub(super) rounded: Cell<u64>,
}

impl<'a> Values<'a> {
    pub(super) fn new(line: &'a [u8], fields: &'a Fields) -> Self {
        Self { line, fields, rounded: Cell::new(0) }
    }

    /// `ts_event` and `ts_recv`, from the receive time of this line and of the one before it.
    #[inline]
    pub(super) fn times(&self, own: Option<u64>, before: Option<u64>) -> Result<(u64, u64), BadField> {
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
    pub(super) fn symbol(&self) -> Result<Cow<'a, [u8]>, BadField> {
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
    pub(super) fn price(&self, field: Field) -> Result<i64, BadField> {
        let text = self.decimal(field)?;
        parse_price(&text)
            .or_else(|error| self.fine(field, error, || parse_scaled_price(&text, UNIT_DECIMALS)))
    }

    #[inline]
    pub(super) fn size(&self, field: Field) -> Result<u64, BadField> {
        let text = self.decimal(field)?;
        parse_size(&text).or_else(|error| self.fine(field, error, || parse_scaled_size(&text, UNIT_DECIMALS)))
    }

    /// A number that is not exactly one of a tick, but may be so to within what floating-point arithmetic adds.
    #[cold]
    fn fine<N>(
        &self,
        field: Field,
        error: DecimalError,
        parse: impl FnOnce() -> Result<(N, Inexact), DecimalError>,
    ) -> Result<N, BadField> {
        let parsed = if error == DecimalError::TooFine { parse() } else { Err(error) };
        let (number, inexact) = parsed.map_err(|error| BadField::new(field.key(), error.to_string()))?;
        self.rounded.set(self.rounded.get() + u64::from(inexact == Inexact::Rounded));
        Ok(number)
    }

    /// Price and size of one side of the book; both 0 say that it is empty.
    #[inline]
    pub(super) fn side(&self, price: Field, size: Field) -> Result<(i64, u64), BadField> {
        let Ok(raw_price) = self.price(price) else { return self.unusual_side(price, None, size) };
        let Ok(raw_size) = self.size(size) else { return self.unusual_side(price, Some(raw_price), size) };
        Ok(if (raw_price, raw_size) == (0, 0) { (UNDEFINED_PRICE, 0) } else { (raw_price, raw_size) })
    }

    /// A side whose price or size is not a number: empty, where it says that there is none.
    #[cold]
    fn unusual_side(
        &self,
        price: Field,
        raw_price: Option<i64>,
        size: Field,
    ) -> Result<(i64, u64), BadField> {
        self.needed(size)?;
        let raw_price = match raw_price {
            Some(raw_price) => raw_price,
            None if self.is_absent(price)? => return Ok((UNDEFINED_PRICE, 0)),
            None => self.price(price)?,
        };
        let raw_size = if self.is_absent(size)? { 0 } else { self.size(size)? };
        Ok(if (raw_price, raw_size) == (0, 0) { (UNDEFINED_PRICE, 0) } else { (raw_price, raw_size) })
    }

    fn is_absent(&self, field: Field) -> Result<bool, BadField> {
        let value = self.needed(field)?;
        Ok(match value.kind() {
            Kind::Null => true,
            Kind::Text | Kind::Digits | Kind::Number => is_absent(value.text(self.line)),
            _ => false,
        })
    }

    /// The time that a wrapper, or the event's own object, gives beside the event's keys.
    #[cold]
    pub(super) fn received(
        &self,
        value: Value,
        zone: &Zone,
        out: &mut Batch,
    ) -> Result<Option<u64>, BadField> {
        let text = value.text(self.line);
        match value.kind() {
            Kind::Null => Ok(None),
            Kind::Text | Kind::Digits | Kind::Number => received::parse(text, zone, out).map(Some),
            Kind::EscapedText => {
                let bad = |reason: &'static str| BadField::new("receive time", reason);
                let text = unescape(text).map_err(|broken| bad(broken.message()))?;
                received::parse(&text, zone, out).map(Some)
            }
            _ => Err(BadField::new("receive time", "is not a time")),
        }
    }

    /// What a trade of futures is instead of a market trade: `X`, such as `INSURANCE_FUND`, `ADL` or `NA`.
    #[inline]
    pub(super) fn no_market_trade(&self) -> Option<Cow<'a, str>> {
        let kind = self.fields.get(Field::ExecutionType)?.text(self.line);
        if kind == b"MARKET" { None } else { Some(String::from_utf8_lossy(kind)) }
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
    pub(super) fn aggressor(&self) -> Result<Side, BadField> {
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

    /// The market, where the event's shape shows it: contracts settled in coins are named after a pair with
    /// USD itself; only spot's book ticker has no `e`; trades and aggregate trades of spot have `M`, trades of
    /// futures `X`, and only futures have `ps`.
    #[inline]
    pub(super) fn market(&self, event: EventKind, symbol: &[u8]) -> Option<&'static str> {
        let has = |field| self.fields.has(field);
        match event {
            _ if is_coin_margined(symbol) => Some("binance-coinm"),
            EventKind::BookTicker if has(Field::Event) || has(Field::Pair) => Some("binance-usdm"),
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

/// `BTCUSD_PERP`, `BTCUSD_240927`, not `BTCUSDT_240927`.
#[inline]
fn is_coin_margined(symbol: &[u8]) -> bool {
    let pair = match symbol {
        [pair @ .., b'_', _, _, _, _] | [pair @ .., b'_', _, _, _, _, _, _] => pair,
        _ => return false,
    };
    pair.ends_with(b"USD")
}

#[cold]
pub(super) fn bad_symbol(reason: &'static str) -> BadField {
    BadField::new("s", reason)
}

#[cold]
fn no_time() -> BadField {
    BadField::new("line", "has no time: neither T nor E nor a receive time, and none stands before it")
}
