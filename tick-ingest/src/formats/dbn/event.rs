//! What records have in common, and the ticks of a trade and of a quote.

use ::dbn::publishers::Publisher;
use ::dbn::{
    Action, BboMsg, CbboMsg, Cmbp1Msg, MboMsg, Mbp1Msg, Mbp10Msg, TradeMsg, UNDEF_ORDER_SIZE, UNDEF_PRICE,
    UNDEF_TIMESTAMP,
};
use tick_sdk::decimal::{UNDEFINED_PRICE, UNITS_PER_ONE};
use tick_sdk::{Flags, Kind, Side, Tick};

use crate::Batch;

/// The action of a trade.
pub(crate) const TRADE: u8 = Action::Trade as u8;

/// What the types of record have in common, under the same names.
#[derive(Clone, Copy)]
pub(crate) struct Event {
    pub(crate) publisher: u16,
    pub(crate) instrument: u32,
    pub(crate) ts_event: u64,
    pub(crate) ts_recv: u64,
    pub(crate) price: i64,
    pub(crate) size: u32,
    pub(crate) action: u8,
    pub(crate) side: u8,
    pub(crate) flags: u8,
}

/// Best bid and best ask in a tick's units; an empty side has the undefined price and size 0.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Quote {
    bid_price: i64,
    ask_price: i64,
    bid_size: u64,
    ask_size: u64,
}

impl Quote {
    /// From price and size of each side as records have them: a side is empty where its price is undefined, or
    /// price and size are 0.
    #[inline]
    pub(crate) fn new([bid_price, ask_price]: [i64; 2], [bid_size, ask_size]: [u32; 2]) -> Self {
        let side = |price: i64, units: u32| match price {
            UNDEF_PRICE => (UNDEFINED_PRICE, 0),
            0 if units == 0 => (UNDEFINED_PRICE, 0),
            price => (price, size(units)),
        };
        let (bid_price, bid_size) = side(bid_price, bid_size);
        let (ask_price, ask_size) = side(ask_price, ask_size);
        Self { bid_price, ask_price, bid_size, ask_size }
    }
}

/// Whether a record gives the book before its trade, or after it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Book {
    Before,
    After,
}

/// Why a record of a trade yields none.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoTrade {
    WithoutPrice,
    /// Reported to one of FINRA's facilities, not made on an exchange.
    OffExchange,
    /// Agreed beside the exchange's book and reported to it, as blocks are.
    OffMarket,
}

impl NoTrade {
    pub(crate) const ALL: [Self; 3] = [Self::WithoutPrice, Self::OffExchange, Self::OffMarket];

    /// As it is counted.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::WithoutPrice => "trade without price",
            Self::OffExchange => "off-exchange trade (FINRA TRF)",
            Self::OffMarket => "off-market trade (XOFF)",
        }
    }
}

/// The last quote sent of each instrument, by id; ids are dense, and bounded by the symbols a source may have.
#[derive(Default)]
pub(crate) struct Quotes(Vec<Option<Quote>>);

impl Quotes {
    /// Appends the ticks of a quote that differs from the last one.
    #[inline(always)]
    pub(crate) fn send(&mut self, event: &Event, quote: Quote, id: u32, out: &mut Batch) {
        let place = id as usize;
        if place >= self.0.len() {
            self.0.resize(place + 1, None);
        }
        let last_sent = self.0[place].replace(quote);
        if last_sent == Some(quote) {
            return;
        }
        // A side that stays empty is not sent again.
        let bid = quote.bid_price != UNDEF_PRICE
            || last_sent.is_none_or(|last_sent| last_sent.bid_price != UNDEF_PRICE);
        let ask = quote.ask_price != UNDEF_PRICE
            || last_sent.is_none_or(|last_sent| last_sent.ask_price != UNDEF_PRICE);
        let tick = |kind, price, size, flags| Tick {
            flags,
            ..Tick::quote(kind, event.ts_event, event.ts_recv, price, size).of(id)
        };
        if bid {
            let flags = if ask { Flags::NONE } else { Flags::LAST };
            out.push(tick(Kind::BID, quote.bid_price, quote.bid_size, flags));
        }
        if ask {
            out.push(tick(Kind::ASK, quote.ask_price, quote.ask_size, Flags::LAST));
        }
    }
}

/// Appends the tick of a trade.
///
/// # Errors
/// The record yields none.
#[inline]
pub(crate) fn send_trade(event: &Event, id: u32, out: &mut Batch) -> Result<(), NoTrade> {
    if event.price == UNDEF_PRICE {
        return Err(NoTrade::WithoutPrice);
    }
    if let Some(reason) = off_book(event.publisher) {
        return Err(reason);
    }
    let side = match event.side {
        b'A' => Side::SELL,
        b'B' => Side::BUY,
        _ => Side::NONE,
    };
    out.push(Tick::trade(event.ts_event, event.ts_recv, event.price, size(event.size), side).of(id));
    Ok(())
}

/// Publishers of trades that were not made on the venue's book.
const OFF_BOOK: [(Publisher, NoTrade); 21] = [
    (Publisher::XnasNlsFinn, NoTrade::OffExchange),
    (Publisher::XnasNlsFinc, NoTrade::OffExchange),
    (Publisher::XnysTradesFiny, NoTrade::OffExchange),
    (Publisher::EqusPlusFinn, NoTrade::OffExchange),
    (Publisher::EqusPlusFiny, NoTrade::OffExchange),
    (Publisher::EqusPlusFinc, NoTrade::OffExchange),
    (Publisher::EqusAllFinn, NoTrade::OffExchange),
    (Publisher::EqusAllFiny, NoTrade::OffExchange),
    (Publisher::EqusAllFinc, NoTrade::OffExchange),
    (Publisher::XnasBasicFinn, NoTrade::OffExchange),
    (Publisher::XnasBasicFinc, NoTrade::OffExchange),
    (Publisher::EqusSipFinn, NoTrade::OffExchange),
    (Publisher::EqusSipFiny, NoTrade::OffExchange),
    (Publisher::EqusSipFinc, NoTrade::OffExchange),
    (Publisher::IfeuImpactXoff, NoTrade::OffMarket),
    (Publisher::NdexImpactXoff, NoTrade::OffMarket),
    (Publisher::IfusImpactXoff, NoTrade::OffMarket),
    (Publisher::IfllImpactXoff, NoTrade::OffMarket),
    (Publisher::XeurEobiXoff, NoTrade::OffMarket),
    (Publisher::XeeeEobiXoff, NoTrade::OffMarket),
    (Publisher::XcbfPitchXoff, NoTrade::OffMarket),
];

/// Why a publisher's trades are no market trades, if they are none.
#[inline]
fn off_book(publisher: u16) -> Option<NoTrade> {
    const PUBLISHERS: usize = 256;
    const REASONS: [Option<NoTrade>; PUBLISHERS] = {
        let mut reasons = [None; PUBLISHERS];
        let mut i = 0;
        while i < OFF_BOOK.len() {
            reasons[OFF_BOOK[i].0 as usize] = Some(OFF_BOOK[i].1);
            i += 1;
        }
        reasons
    };
    *REASONS.get(usize::from(publisher))?
}

impl Event {
    /// What a quote of an interval has: both times are the interval's end, for the venue's is the last trade's.
    ///
    /// # Errors
    /// It has no end.
    pub(crate) fn of_interval(instrument: u32, ts_recv: u64) -> Result<Self, String> {
        if ts_recv == UNDEF_TIMESTAMP {
            return Err("has no ts_recv, which is the time of its interval".to_owned());
        }
        Ok(Self {
            publisher: 0,
            instrument,
            ts_event: ts_recv,
            ts_recv,
            price: UNDEF_PRICE,
            size: 0,
            action: 0,
            side: 0,
            flags: 0,
        })
    }

    /// With each of the two times standing in for the other where that one is missing.
    ///
    /// # Errors
    /// There is neither.
    #[inline]
    pub(crate) fn with_times(mut self) -> Result<Self, String> {
        if self.ts_recv == UNDEF_TIMESTAMP || self.ts_event == UNDEF_TIMESTAMP {
            let time = self.ts_recv.min(self.ts_event);
            if time == UNDEF_TIMESTAMP {
                return Err("has neither ts_recv nor ts_event".to_owned());
            }
            (self.ts_recv, self.ts_event) = (time, time);
        }
        Ok(self)
    }
}

/// The types of record that have an action have these fields under the same names.
macro_rules! event_of {
    ($($record:ty),+) => {$(
        impl From<&$record> for Event {
            #[inline]
            fn from(record: &$record) -> Self {
                Self {
                    publisher: record.hd.publisher_id,
                    instrument: record.hd.instrument_id,
                    ts_event: record.hd.ts_event,
                    ts_recv: record.ts_recv,
                    price: record.price,
                    size: record.size,
                    action: record.action as u8,
                    side: record.side as u8,
                    flags: record.flags.raw(),
                }
            }
        }
    )+};
}

event_of!(MboMsg, TradeMsg, Mbp1Msg, Mbp10Msg, Cmbp1Msg);

/// So do those that have the top of the book, whichever type of level it is.
macro_rules! quote_of {
    ($($record:ty),+) => {$(
        impl From<&$record> for Quote {
            #[inline]
            fn from(record: &$record) -> Self {
                let top = &record.levels[0];
                Self::new([top.bid_px, top.ask_px], [top.bid_sz, top.ask_sz])
            }
        }
    )+};
}

quote_of!(Mbp1Msg, Mbp10Msg, Cmbp1Msg, BboMsg, CbboMsg);

/// A size in a tick's unit; the largest one fits, and an undefined one is 0.
#[inline]
fn size(units: u32) -> u64 {
    if units == UNDEF_ORDER_SIZE { 0 } else { u64::from(units) * UNITS_PER_ONE as u64 }
}

const _: () = {
    assert!(UNDEF_PRICE == UNDEFINED_PRICE, "an empty side is written alike");
    assert!(::dbn::FIXED_PRICE_SCALE == UNITS_PER_ONE, "prices have the same unit");
    assert!((u32::MAX as u64).checked_mul(UNITS_PER_ONE as u64).is_some(), "no size saturates");
};

#[cfg(test)]
mod tests {
    use ::dbn::publishers::Venue;

    use super::*;

    #[test]
    fn every_publisher_of_off_book_trades_is_known() {
        for (number, publisher) in (0..=u16::MAX).filter_map(|n| Some((n, Publisher::try_from(n).ok()?))) {
            let expected = match publisher.venue() {
                Venue::Finn | Venue::Finc | Venue::Finy => Some(NoTrade::OffExchange),
                Venue::Xoff => Some(NoTrade::OffMarket),
                _ => None,
            };
            assert!(off_book(number) == expected, "{publisher}");
        }
    }
}
