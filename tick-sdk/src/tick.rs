//! The tick: one trade, one best bid or one best ask, in 40 bytes.

use bytemuck::{Pod, Zeroable};

use crate::Price;
use crate::decimal::UNDEFINED_PRICE;

mod archive;

/// One trade, best bid or best ask.
///
/// A strategy reads its price with [`Tick::price`] or [`Tick::trade_price`]; the fields are raw numbers, as
/// its layout is its wire format and its file format: 40 bytes, little-endian, no padding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct Tick {
    /// The venue's own time, in nanoseconds since the UNIX epoch; equal to `ts_recv` where the
    /// source has none.
    pub ts_event: u64,
    /// When the capture received it, in nanoseconds since the UNIX epoch. Replay is in this order.
    pub ts_recv: u64,
    /// In 1e-9 of the quote unit; [`i64::MAX`] where that side of the book is empty. See [`Tick::price`].
    pub price: i64,
    /// In 1e-9 of the base unit; [`u64::MAX`] stands for everything that is larger.
    pub size: u64,
    /// Dense id, meaningful within one (run, shard) or within one `.ticks` file.
    pub instrument: u32,
    /// Trade, bid or ask.
    pub kind: Kind,
    /// The aggressor of a trade; [`Side::NONE`] for quotes.
    pub side: Side,
    /// [`Flags::LAST`] ends the ticks of one source event.
    pub flags: Flags,
}

/// What a tick says.
///
/// A number rather than an enum, so that every bit pattern that arrives in a frame is a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Pod, Zeroable)]
#[repr(transparent)]
pub struct Kind(pub u8);

impl Kind {
    /// A trade at `price`.
    pub const TRADE: Self = Self(1);
    /// The best bid is now `price`.
    pub const BID: Self = Self(2);
    /// The best ask is now `price`.
    pub const ASK: Self = Self(3);

    /// `trade`, `bid`, `ask`, or `unknown` for a number that this version does not know.
    pub const fn name(self) -> &'static str {
        match self {
            Self::TRADE => "trade",
            Self::BID => "bid",
            Self::ASK => "ask",
            _ => "unknown",
        }
    }

    /// The kind of this name; `None` for a name other than the three of [`Kind::name`].
    pub fn from_name(name: &[u8]) -> Option<Self> {
        match name {
            b"trade" => Some(Self::TRADE),
            b"bid" => Some(Self::BID),
            b"ask" => Some(Self::ASK),
            _ => None,
        }
    }
}

/// Who was the aggressor of a trade.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Pod, Zeroable)]
#[repr(transparent)]
pub struct Side(pub u8);

impl Side {
    /// Unknown, or a quote.
    pub const NONE: Self = Self(0);
    /// The buyer took.
    pub const BUY: Self = Self(1);
    /// The seller took.
    pub const SELL: Self = Self(2);

    /// `buy`, `sell` or the empty string.
    pub const fn name(self) -> &'static str {
        match self {
            Self::BUY => "buy",
            Self::SELL => "sell",
            _ => "",
        }
    }
}

/// Bits about the event a tick belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Pod, Zeroable)]
#[repr(transparent)]
pub struct Flags(pub u16);

impl Flags {
    /// No bit set: more ticks of the same source event follow.
    pub const NONE: Self = Self(0);
    /// The last tick of one source event: only now is the book consistent.
    pub const LAST: Self = Self(1);

    /// Whether every bit of `other` is set.
    #[inline]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

impl Tick {
    /// A trade, which is an event of its own.
    pub const fn trade(ts_event: u64, ts_recv: u64, price: i64, size: u64, side: Side) -> Self {
        Self { ts_event, ts_recv, price, size, instrument: 0, kind: Kind::TRADE, side, flags: Flags::LAST }
    }

    /// A best bid or best ask without [`Flags::LAST`].
    pub const fn quote(kind: Kind, ts_event: u64, ts_recv: u64, price: i64, size: u64) -> Self {
        Self { ts_event, ts_recv, price, size, instrument: 0, kind, side: Side::NONE, flags: Flags::NONE }
    }

    /// The same tick of instrument `id`.
    #[must_use]
    pub const fn of(mut self, id: u32) -> Self {
        self.instrument = id;
        self
    }

    /// The same tick as the last of its source event.
    #[must_use]
    pub const fn last(mut self) -> Self {
        self.flags = Flags(self.flags.0 | Flags::LAST.0);
        self
    }

    /// Whether this is the last tick of its source event.
    #[inline]
    pub const fn is_last(&self) -> bool {
        self.flags.contains(Flags::LAST)
    }

    /// The price; `None` where that side of the book is empty.
    #[inline]
    pub const fn price(&self) -> Option<Price> {
        Price::from_raw(self.price)
    }

    /// The price of a trade; `None` for a quote.
    #[inline]
    pub fn trade_price(&self) -> Option<Price> {
        if self.kind == Kind::TRADE { self.price() } else { None }
    }

    /// The price in quote units, as every strategy computes it: raw × 1e-9.
    #[inline]
    pub fn price_f64(&self) -> f64 {
        self.price as f64 * 1e-9
    }

    /// The size in base units: raw × 1e-9.
    #[inline]
    pub fn size_f64(&self) -> f64 {
        self.size as f64 * 1e-9
    }

    /// Whether the price is one, and not the mark of an empty side.
    #[inline]
    pub const fn has_price(&self) -> bool {
        self.price != UNDEFINED_PRICE
    }
}

const _: () = {
    use core::mem::{align_of, offset_of, size_of};
    assert!(cfg!(target_endian = "little"), "ticks are little-endian in memory, on the wire and in files");
    assert!(size_of::<Tick>() == 40 && align_of::<Tick>() == 8);
    assert!(offset_of!(Tick, ts_event) == 0);
    assert!(offset_of!(Tick, ts_recv) == 8);
    assert!(offset_of!(Tick, price) == 16);
    assert!(offset_of!(Tick, size) == 24);
    assert!(offset_of!(Tick, instrument) == 32);
    assert!(offset_of!(Tick, kind) == 36);
    assert!(offset_of!(Tick, side) == 37);
    assert!(offset_of!(Tick, flags) == 38);
};
