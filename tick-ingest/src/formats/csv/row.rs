//! What one row of a CSV says, before its instrument is known.

use tick_sdk::decimal::UNDEFINED_PRICE;
use tick_sdk::{Kind, Side, Tick};

use super::fields;
use crate::{BadField, Batch};

/// A price and a size, and the text of the size, which shows whether it was too large.
#[derive(Clone, Copy)]
pub(crate) struct Level<'a> {
    pub(crate) price: i64,
    pub(crate) size: u64,
    pub(crate) size_text: &'a [u8],
}

impl<'a> Level<'a> {
    /// An empty side of the book.
    pub(crate) const EMPTY: Self = Self { price: UNDEFINED_PRICE, size: 0, size_text: b"" };

    /// Both from their fields.
    ///
    /// # Errors
    /// One of them is not exactly a number; the error carries its name.
    #[inline(always)]
    pub(crate) fn parse(
        price: &[u8],
        price_name: &'static str,
        size: &'a [u8],
        size_name: &'static str,
    ) -> Result<Self, BadField> {
        let price = fields::price(price, price_name)?;
        Ok(Self { price, size: fields::size(size, size_name)?, size_text: size })
    }
}

/// A trade, or both sides of the book.
#[derive(Clone, Copy)]
pub(crate) enum Row<'a> {
    Trade(Level<'a>, Side),
    Quote { bid: Level<'a>, ask: Level<'a> },
}

impl Row<'_> {
    /// Appends its ticks: a trade, or a bid and then an ask with LAST.
    #[inline]
    pub(crate) fn push(&self, ts_event: u64, ts_recv: u64, instrument: u32, out: &mut Batch) {
        match self {
            Self::Trade(level, side) => {
                fields::count_saturated(level.size, level.size_text, out);
                out.push(Tick::trade(ts_event, ts_recv, level.price, level.size, *side).of(instrument));
            }
            Self::Quote { bid, ask } => {
                fields::count_saturated(bid.size, bid.size_text, out);
                fields::count_saturated(ask.size, ask.size_text, out);
                let quote =
                    |kind, level: &Level<'_>| Tick::quote(kind, ts_event, ts_recv, level.price, level.size);
                out.push(quote(Kind::BID, bid).of(instrument));
                out.push(quote(Kind::ASK, ask).of(instrument).last());
            }
        }
    }
}
