//! Round trips in order of run, strategy and closing, read part by part.

use std::collections::VecDeque;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use tick_sdk::contracts::results::{ClosedTrade, TradesClosed};

use super::TRADES;
use crate::documents::{DocumentError, DocumentStore, Found, IndexQuery, Key};

/// Which round trips are wanted; those that are absent say nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct TradeFilter {
    pub(crate) run: Option<String>,
    pub(crate) strategies: Vec<String>,
    pub(crate) symbols: Vec<String>,
    pub(crate) side: Option<&'static str>,
    /// Closed at this receive time or later.
    pub(crate) from: Option<u64>,
    /// Closed before this receive time.
    pub(crate) to: Option<u64>,
}

/// A round trip with everything that names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ReadTrade {
    pub(crate) run: Arc<str>,
    pub(crate) strategy: Arc<str>,
    pub(crate) number: u64,
    pub(crate) trade: ClosedTrade,
}

/// Where a page of round trips ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    run: String,
    strategy: String,
    number: u64,
}

impl Place {
    /// As text for a URL.
    pub(crate) fn to_cursor(&self) -> String {
        let Self { run, strategy, number } = self;
        URL_SAFE_NO_PAD.encode(serde_json::json!([run, strategy, number]).to_string())
    }

    /// What [`Place::to_cursor`] made; `None` for any other text.
    pub(crate) fn from_cursor(cursor: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
        let (run, strategy, number) = serde_json::from_slice(&bytes).ok()?;
        Some(Self { run, strategy, number })
    }
}

/// What came of looking for a round trip.
pub(crate) enum Stepped {
    /// It was found.
    Found(ReadTrade),
    /// So many did not match that this is enough for now; go on behind this place.
    Paused(Place),
    /// There are no more.
    Ended,
}

/// Reads round trips in the order of their places.
pub(crate) struct OrderedTrades<'a> {
    store: &'a dyn DocumentStore,
    filter: TradeFilter,
    /// Those up to here are left out.
    after: Option<Place>,
    /// The part that was read last: its key and id.
    last_part: Option<(Key, String)>,
    read: VecDeque<ReadTrade>,
    is_exhausted: bool,
}

impl<'a> OrderedTrades<'a> {
    /// Begins behind a place, or with the first round trip.
    pub(crate) fn new(store: &'a dyn DocumentStore, filter: TradeFilter, after: Option<Place>) -> Self {
        Self { store, filter, after, last_part: None, read: VecDeque::new(), is_exhausted: false }
    }

    /// The next round trip, with how many others were looked at before it was found; at most `limit` are.
    pub(crate) fn next_within(&mut self, limit: &mut usize) -> Result<Stepped, DocumentError> {
        loop {
            let Some(trade) = self.read.pop_front() else {
                if self.is_exhausted {
                    return Ok(Stepped::Ended);
                }
                self.read_part()?;
                continue;
            };
            *limit = limit.saturating_sub(1);
            if self.filter.takes(&trade) {
                return Ok(Stepped::Found(trade));
            }
            if *limit == 0 {
                return Ok(Stepped::Paused(trade.place()));
            }
        }
    }

    fn read_part(&mut self) -> Result<(), DocumentError> {
        let Some(Found { key, document }) = self.next_part()? else {
            self.is_exhausted = true;
            return Ok(());
        };
        let part: TradesClosed = serde_json::from_str(&document.body).map_err(|error| {
            let (id, reason) = (document.id.clone(), error.to_string());
            DocumentError::Damaged { collection: TRADES.name, id, reason }
        })?;
        self.last_part = Some((key, document.id));
        let (run, strategy): (Arc<str>, Arc<str>) = (part.run.into(), part.strategy.into());
        let after = self.after.as_ref();
        let after = after.filter(|after| after.run == *run && after.strategy == *strategy);
        let after = after.map(|after| after.number);
        let trades = (part.first..).zip(part.trades).filter(|(number, _)| Some(*number) > after);
        let named =
            |(number, trade)| ReadTrade { run: run.clone(), strategy: strategy.clone(), number, trade };
        self.read = trades.map(named).collect();
        Ok(())
    }

    /// The next part, at first the one that holds the place behind which this begins.
    fn next_part(&self) -> Result<Option<Found>, DocumentError> {
        let prefix = self.filter.prefix();
        let mut query = IndexQuery {
            index: 0,
            to: prefix.after_all(),
            from: Some(prefix.clone()),
            is_descending: false,
            after: self.last_part.clone(),
            limit: 1,
        };
        if let (None, Some(Place { run, strategy, number })) = (&self.last_part, &self.after) {
            let series = Key::new().text(run).text(strategy);
            let behind = series.clone().number(number.saturating_add(1));
            let within = IndexQuery {
                from: Some(series),
                to: Some(behind.clone()),
                is_descending: true,
                ..query.clone()
            };
            if let Some(found) = self.store.page(&TRADES, &within)?.pop() {
                return Ok(Some(found));
            }
            query.from = Some(behind.max(prefix));
        }
        Ok(self.store.page(&TRADES, &query)?.pop())
    }
}

impl ReadTrade {
    /// Its place in the order.
    pub(crate) fn place(&self) -> Place {
        let (run, strategy) = (self.run.as_ref().to_owned(), self.strategy.as_ref().to_owned());
        Place { run, strategy, number: self.number }
    }
}

impl TradeFilter {
    fn takes(&self, read: &ReadTrade) -> bool {
        let is_among = |names: &[String], name: &str| names.is_empty() || names.iter().any(|one| one == name);
        let ReadTrade { run, strategy, trade, .. } = read;
        self.run.as_ref().is_none_or(|wanted| **wanted == **run)
            && is_among(&self.strategies, strategy)
            && is_among(&self.symbols, &trade.symbol)
            && self.side.is_none_or(|side| side == trade.side)
            && self.from.is_none_or(|from| trade.closed_at_ns >= from)
            && self.to.is_none_or(|to| trade.closed_at_ns < to)
    }

    /// What the keys of all parts begin with that may have a wanted one.
    fn prefix(&self) -> Key {
        match (&self.run, self.strategies.as_slice()) {
            (Some(run), [strategy]) => Key::new().text(run).text(strategy),
            (Some(run), _) => Key::new().text(run),
            (None, _) => Key::new(),
        }
    }
}
