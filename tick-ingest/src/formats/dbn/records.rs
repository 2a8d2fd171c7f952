//! From records to ticks.

use ::dbn::{
    BboMsg, CbboMsg, Cmbp1Msg, HasRType, MboMsg, Mbp1Msg, Mbp10Msg, Metadata, RecordHeader, RecordRef,
    TradeMsg,
};

use super::event::{Book, Event, Quote, Quotes, TRADE, send_trade};
use super::header::{begins_file, damaged, format_error};
use super::malformed::Malformed;
use super::plan::{Plan, READ_SCHEMAS, plan_of};
use super::symbols::Symbols;
use super::tally::{NOTED_FLAGS, Tally};
use crate::{Batch, Counts, ReadError};

/// Which ticks each record yields, and what that depends on from one to the next.
pub(super) struct Records {
    /// By type of record.
    plan: [Plan; 256],
    symbols: Symbols,
    quotes: Quotes,
    decoded: u64,
    tally: Tally,
}

impl Records {
    /// # Errors
    /// The schema has no ticks, or the header's mappings make no sense.
    pub(super) fn new(file: &str, metadata: &Metadata) -> Result<Self, ReadError> {
        let plan = plan_of(metadata.schema).map_err(|schema| {
            format_error(file, &format!("is DBN of schema {schema}, which is not read"), READ_SCHEMAS)
        })?;
        let symbols = Symbols::new(metadata).map_err(|error| damaged(file, &error))?;
        Ok(Self { plan, symbols, quotes: Quotes::default(), decoded: 0, tally: Tally::default() })
    }

    /// How many records were decoded.
    pub(super) fn decoded(&self) -> u64 {
        self.decoded
    }

    /// Appends the ticks of `records`.
    ///
    /// # Errors
    /// What is wrong with the record after those that [`decoded`](Self::decoded) then counts.
    pub(super) fn decode(&mut self, records: &[RecordRef<'_>], out: &mut Batch) -> Result<(), Malformed> {
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
    fn record(&mut self, record: RecordRef<'_>, out: &mut Batch) -> Result<(), Malformed> {
        let rtype = record.header().rtype;
        match self.plan[usize::from(rtype)] {
            Plan::Mbo => self.trade_only(view::<MboMsg>(record)?.into(), out),
            Plan::Trade => self.trade_only(view::<TradeMsg>(record)?.into(), out),
            Plan::TradeThenQuote => self.book::<Mbp1Msg>(record, Book::After, out),
            Plan::QuoteThenTrade => self.book::<Mbp1Msg>(record, Book::Before, out),
            Plan::DeepTradeThenQuote => self.book::<Mbp10Msg>(record, Book::After, out),
            Plan::ConsolidatedTradeThenQuote => self.book::<Cmbp1Msg>(record, Book::After, out),
            Plan::ConsolidatedQuoteThenTrade => self.book::<Cmbp1Msg>(record, Book::Before, out),
            Plan::Quote => {
                let record = view::<BboMsg>(record)?;
                self.quote_only(&record.hd, record.ts_recv, record.into(), out)
            }
            Plan::ConsolidatedQuote => {
                let record = view::<CbboMsg>(record)?;
                self.quote_only(&record.hd, record.ts_recv, record.into(), out)
            }
            Plan::SymbolMapping => {
                self.tally.by_type[usize::from(rtype)] += 1;
                Ok(self.symbols.map(record)?)
            }
            Plan::Skip if rtype == b'B' && begins_file(record.header()) => Err(Malformed::another_file()),
            Plan::Skip => {
                self.tally.by_type[usize::from(rtype)] += 1;
                Ok(())
            }
        }
    }

    #[inline]
    fn trade_only(&mut self, event: Event, out: &mut Batch) -> Result<(), Malformed> {
        if event.action != TRADE {
            self.tally.by_action[usize::from(event.action)] += 1;
            return Ok(());
        }
        let event = event.with_times()?;
        let id = self.symbols.id(event.instrument, event.ts_recv, out)?;
        self.flags(event.flags);
        self.trade(&event, id, out);
        Ok(())
    }

    #[inline]
    fn book<R: HasRType<Header = RecordHeader>>(
        &mut self,
        record: RecordRef<'_>,
        book: Book,
        out: &mut Batch,
    ) -> Result<(), Malformed>
    where
        for<'a> &'a R: Into<Event> + Into<Quote>,
    {
        let record = view::<R>(record)?;
        let event = Into::<Event>::into(record).with_times()?;
        let quote = Into::<Quote>::into(record);
        let id = self.symbols.id(event.instrument, event.ts_recv, out)?;
        self.flags(event.flags);
        let before = out.ticks.len();
        if book == Book::Before {
            self.quotes.send(&event, quote, id, out);
        }
        if event.action == TRADE {
            self.trade(&event, id, out);
        }
        if book == Book::After {
            self.quotes.send(&event, quote, id, out);
        }
        self.tally.unchanged += u64::from(out.ticks.len() == before && event.action != TRADE);
        Ok(())
    }

    fn quote_only(
        &mut self,
        header: &RecordHeader,
        ts_recv: u64,
        quote: Quote,
        out: &mut Batch,
    ) -> Result<(), Malformed> {
        let event = Event::of_interval(header.instrument_id, ts_recv)?;
        let id = self.symbols.id(event.instrument, ts_recv, out)?;
        let before = out.ticks.len();
        self.quotes.send(&event, quote, id, out);
        self.tally.unchanged += u64::from(out.ticks.len() == before);
        Ok(())
    }

    #[inline]
    fn flags(&mut self, flags: u8) {
        if flags & NOTED_FLAGS != 0 {
            self.tally.flags |= flags;
        }
    }

    #[inline]
    fn trade(&mut self, event: &Event, id: u32, out: &mut Batch) {
        if let Err(reason) = send_trade(event, id, out) {
            self.tally.no_trades[reason as usize] += 1;
        }
    }
}

/// The record as a `R`, whose type it says to be of.
///
/// The length comes first: the decoder's own view panics on one that is too short.
#[inline]
fn view<R: HasRType<Header = RecordHeader>>(record: RecordRef<'_>) -> Result<&R, String> {
    let bytes = record.header().record_size();
    if bytes < size_of::<R>() {
        return Err(format!("is {bytes} bytes long, too short for its type ({} bytes)", size_of::<R>()));
    }
    record.try_get::<R>().map_err(|error| error.to_string())
}
