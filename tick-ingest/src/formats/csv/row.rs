//! What one row of a CSV says, before its instrument is known.

use tick_sdk::decimal::{Inexact, UNDEFINED_PRICE};
use tick_sdk::{Kind, Side, Tick};

use super::absent::{begins_as_number, is_absent};
use super::fields;
use crate::{BadField, Batch};

/// A price and a size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Level {
    pub(crate) price: i64,
    pub(crate) size: u64,
    /// In what they are not what their texts say: the price, and the size.
    pub(crate) inexact: [Inexact; 2],
}

impl Level {
    /// An empty side of the book.
    pub(crate) const EMPTY: Self = Self { price: UNDEFINED_PRICE, size: 0, inexact: [Inexact::No; 2] };

    /// Both from their fields.
    ///
    /// # Errors
    /// One of them is not exactly a number; the error carries its name.
    #[inline(always)]
    pub(crate) fn parse(
        price: &[u8],
        price_name: &'static str,
        size: &[u8],
        size_name: &'static str,
    ) -> Result<Self, BadField> {
        let (price, price_inexact) = fields::inexact_price(price, price_name)?;
        let (size, size_inexact) = fields::inexact_size(size, size_name)?;
        Ok(Self { price, size, inexact: [price_inexact, size_inexact] })
    }

    /// One side of the book, which may be absent: see [`Level::or_absent`].
    ///
    /// # Errors
    /// One of the fields is neither a number nor says that there is none.
    #[inline(always)]
    pub(crate) fn parse_side(
        price: &[u8],
        price_name: &'static str,
        size: &[u8],
        size_name: &'static str,
    ) -> Result<Self, BadField> {
        if !begins_as_number(price) && is_absent(price) {
            return Ok(Self::EMPTY);
        }
        let level = Self::parse(price, price_name, size, size_name);
        Self::or_absent(level, price, size, |size| Self::parse(price, price_name, size, size_name))
    }

    /// What was read of one side of the book, or [`Level::EMPTY`] where its texts say that it is absent:
    /// no price by any of the names for nothing, or price 0 with size 0. A price whose size has such a
    /// name has size 0, read by `parse` again.
    #[inline(always)]
    pub(crate) fn or_absent(
        level: Result<Self, BadField>,
        price: &[u8],
        size: &[u8],
        parse: impl FnOnce(&[u8]) -> Result<Self, BadField>,
    ) -> Result<Self, BadField> {
        let level = match level {
            Ok(level) if level.price != 0 => return Ok(level),
            Ok(level) => level,
            Err(_) if is_absent(price) => return Ok(Self::EMPTY),
            Err(_) if is_absent(size) => parse(b"0")?,
            Err(error) => return Err(error),
        };
        Ok(if (level.price, level.size) == (0, 0) { Self::EMPTY } else { level })
    }

    /// Counts what its numbers lost, once its line is known to be good.
    #[inline]
    pub(crate) fn count_inexact(&self, out: &mut Batch) {
        if self.inexact != [Inexact::No; 2] {
            self.inexact.iter().for_each(|inexact| fields::count_inexact(*inexact, out));
        }
    }
}

/// A trade, or both sides of the book.
#[derive(Clone, Copy)]
pub(crate) enum Row {
    Trade(Level, Side),
    Quote { bid: Level, ask: Level },
}

impl Row {
    /// Appends its ticks: a trade, or a bid and then an ask with LAST.
    #[inline]
    pub(crate) fn push(&self, ts_event: u64, ts_recv: u64, instrument: u32, out: &mut Batch) {
        match self {
            Self::Trade(level, side) => {
                level.count_inexact(out);
                out.push(Tick::trade(ts_event, ts_recv, level.price, level.size, *side).of(instrument));
            }
            Self::Quote { bid, ask } => {
                bid.count_inexact(out);
                ask.count_inexact(out);
                let quote =
                    |kind, level: &Level| Tick::quote(kind, ts_event, ts_recv, level.price, level.size);
                out.push(quote(Kind::BID, bid).of(instrument));
                out.push(quote(Kind::ASK, ask).of(instrument).last());
            }
        }
    }
}
