//! From records to ticks.

use ::dbn::{
    Action, BboMsg, Cmbp1Msg, HasRType, MboMsg, Mbp1Msg, Metadata, RecordRef, TradeMsg, UNDEF_ORDER_SIZE,
    UNDEF_PRICE, UNDEF_TIMESTAMP,
};
use tick_sdk::decimal::{UNDEFINED_PRICE, UNITS_PER_ONE};
use tick_sdk::{Flags, Kind, Side, Tick};

use super::header::{damaged, format_error};
use super::plan::{Plan, plan_of};
use super::symbols::Symbols;
use super::tally::Tally;
use crate::{Batch, Counts, ReadError};

/// Which ticks each record yields, and what that depends on from one to the next.
pub(super) struct Records {
    /// By type of record.
    plan: [Plan; 256],
    symbols: Symbols,
    /// The last quote sent, by id; ids are dense, and bounded by the symbols a source may have.
    quotes: Vec<Option<Quote>>,
    decoded: u64,
    tally: Tally,
}

/// What the types of record have in common, under the same names.
#[derive(Clone, Copy)]
struct Event {
    instrument: u32,
    ts_event: u64,
    ts_recv: u64,
    price: i64,
    size: u32,
    action: u8,
    side: u8,
}

/// Best bid and best ask in a tick's units; an empty side has the undefined price and size 0.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Quote {
    bid_price: i64,
    ask_price: i64,
    bid_size: u64,
    ask_size: u64,
}

/// Whether a record gives the book before its trade, or after it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Book {
    Before,
    After,
}

const TRADE: u8 = Action::Trade as u8;

impl Records {
    /// # Errors
    /// The schema has no ticks, or the header's mappings make no sense.
    pub(super) fn new(file: &str, metadata: &Metadata) -> Result<Self, ReadError> {
        let plan = plan_of(metadata.schema).map_err(|schema| {
            let advice =
                "ticks come from the schemas trades, tbbo, mbp-1, cmbp-1, bbo-1s, bbo-1m, tcbbo and mbo";
            format_error(file, &format!("is DBN of schema {schema}, which is not read"), advice)
        })?;
        let symbols = Symbols::new(metadata).map_err(|error| damaged(file, &error))?;
        Ok(Self { plan, symbols, quotes: Vec::new(), decoded: 0, tally: Tally::default() })
    }

    /// How many records were decoded.
    pub(super) fn decoded(&self) -> u64 {
        self.decoded
    }

    /// Appends the ticks of `records`.
    ///
    /// # Errors
    /// What is wrong with the record after those that [`decoded`](Self::decoded) then counts.
    pub(super) fn decode(&mut self, records: &[RecordRef<'_>], out: &mut Batch) -> Result<(), String> {
        for record in records {
            out.at_line(self.decoded + 1);
            self.record(*record, out)?;
            self.decoded += 1;
        }
        Ok(())
    }

    /// Adds what was counted since the last call to `counts`.
    pub(super) fn count(&mut self, counts: &mut Counts) {
        self.tally.add_to(self.decoded, counts);
    }

    #[inline]
    fn record(&mut self, record: RecordRef<'_>, out: &mut Batch) -> Result<(), String> {
        let rtype = record.header().rtype;
        match self.plan[usize::from(rtype)] {
            Plan::Mbo => self.trade_only(view::<MboMsg>(record)?.into(), out),
            Plan::Trade => self.trade_only(view::<TradeMsg>(record)?.into(), out),
            Plan::TradeThenQuote => self.book::<Mbp1Msg>(record, Book::After, out),
            Plan::QuoteThenTrade => self.book::<Mbp1Msg>(record, Book::Before, out),
            Plan::ConsolidatedTradeThenQuote => self.book::<Cmbp1Msg>(record, Book::After, out),
            Plan::ConsolidatedQuoteThenTrade => self.book::<Cmbp1Msg>(record, Book::Before, out),
            Plan::Quote => self.quote_only(view::<BboMsg>(record)?, out),
            Plan::SymbolMapping => {
                self.tally.by_type[usize::from(rtype)] += 1;
                self.symbols.map(record)
            }
            Plan::Skip => {
                self.tally.by_type[usize::from(rtype)] += 1;
                Ok(())
            }
        }
    }

    #[inline]
    fn trade_only(&mut self, event: Event, out: &mut Batch) -> Result<(), String> {
        if event.action != TRADE {
            self.tally.by_action[usize::from(event.action)] += 1;
            return Ok(());
        }
        let event = event.with_times()?;
        let id = self.symbols.id(event.instrument, event.ts_recv, out)?;
        self.trade(&event, id, out);
        Ok(())
    }

    #[inline]
    fn book<R: HasRType<Header = ::dbn::RecordHeader>>(
        &mut self,
        record: RecordRef<'_>,
        book: Book,
        out: &mut Batch,
    ) -> Result<(), String>
    where
        for<'a> &'a R: Into<Event> + Into<Quote>,
    {
        let record = view::<R>(record)?;
        let event = Into::<Event>::into(record).with_times()?;
        let quote = Into::<Quote>::into(record);
        let id = self.symbols.id(event.instrument, event.ts_recv, out)?;
        let before = out.ticks.len();
        if book == Book::Before {
            self.quote(&event, quote, id, out);
        }
        if event.action == TRADE {
            self.trade(&event, id, out);
        }
        if book == Book::After {
            self.quote(&event, quote, id, out);
        }
        self.tally.unchanged += u64::from(out.ticks.len() == before && event.action != TRADE);
        Ok(())
    }

    fn quote_only(&mut self, record: &BboMsg, out: &mut Batch) -> Result<(), String> {
        let (instrument, ts_recv) = (record.hd.instrument_id, record.ts_recv);
        if ts_recv == UNDEF_TIMESTAMP {
            return Err("has no ts_recv, which is the time of its interval".to_owned());
        }
        let id = self.symbols.id(instrument, ts_recv, out)?;
        let event =
            Event { instrument, ts_event: ts_recv, ts_recv, price: UNDEF_PRICE, size: 0, action: 0, side: 0 };
        let before = out.ticks.len();
        self.quote(&event, record.into(), id, out);
        self.tally.unchanged += u64::from(out.ticks.len() == before);
        Ok(())
    }

    #[inline]
    fn trade(&mut self, event: &Event, id: u32, out: &mut Batch) {
        if event.price == UNDEF_PRICE {
            self.tally.without_price += 1;
            return;
        }
        let side = match event.side {
            b'A' => Side::SELL,
            b'B' => Side::BUY,
            _ => Side::NONE,
        };
        out.push(Tick::trade(event.ts_event, event.ts_recv, event.price, size(event.size), side).of(id));
    }

    #[inline(always)]
    fn quote(&mut self, event: &Event, quote: Quote, id: u32, out: &mut Batch) {
        let place = id as usize;
        if place >= self.quotes.len() {
            self.quotes.resize(place + 1, None);
        }
        let last_sent = self.quotes[place].replace(quote);
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

impl Event {
    /// With each of the two times standing in for the other where that one is missing.
    #[inline]
    fn with_times(mut self) -> Result<Self, String> {
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
                    instrument: record.hd.instrument_id,
                    ts_event: record.hd.ts_event,
                    ts_recv: record.ts_recv,
                    price: record.price,
                    size: record.size,
                    action: record.action as u8,
                    side: record.side as u8,
                }
            }
        }
    )+};
}

event_of!(MboMsg, TradeMsg, Mbp1Msg, Cmbp1Msg);

/// So do those that have the top of the book, whichever type of level it is.
macro_rules! quote_of {
    ($($record:ty),+) => {$(
        impl From<&$record> for Quote {
            #[inline]
            fn from(record: &$record) -> Self {
                let top = &record.levels[0];
                Self {
                    bid_price: top.bid_px,
                    ask_price: top.ask_px,
                    bid_size: if top.bid_px == UNDEF_PRICE { 0 } else { size(top.bid_sz) },
                    ask_size: if top.ask_px == UNDEF_PRICE { 0 } else { size(top.ask_sz) },
                }
            }
        }
    )+};
}

quote_of!(Mbp1Msg, Cmbp1Msg, BboMsg);

/// The record as a `R`, whose type it says to be of.
///
/// The length comes first: the decoder's own view panics on one that is too short.
#[inline]
fn view<R: HasRType<Header = ::dbn::RecordHeader>>(record: RecordRef<'_>) -> Result<&R, String> {
    let bytes = record.header().record_size();
    if bytes < size_of::<R>() {
        return Err(format!("is {bytes} bytes long, too short for its type ({} bytes)", size_of::<R>()));
    }
    record.try_get::<R>().map_err(|error| error.to_string())
}

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
