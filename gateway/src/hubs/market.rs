//! `/hubs/market`: prices, as often as asked for, and candles.
//!
//! Groups are of one gateway: whoever watches at another is in a group there, of the market as that gateway knows it.

use std::sync::Arc;

use axum::http::request::Parts;
use futures_util::Stream;
use live::{Interval, LiveMarket, Selection};
use signalr::{Context, Event, Hub, HubError, Methods, User};
use tokio::sync::watch;

use super::caller::{Wish, may};
use super::payloads::{CandleState, CandleWatch, MarketSnapshot, MarketWatch, QuoteState, SourceState};
use super::tail::updates;

mod candles;
mod groups;
mod states;
mod ticker;

use candles::Candles;
use groups::Groups;

/// Instruments of a watch that have changed: all that have since the last time that all were sent.
static QUOTES: Event<(String, Vec<QuoteState>)> = Event::new("Quotes", &["group", "quotes"]);

/// The sources of a watch, where one has begun, gone on or ended.
static SOURCES: Event<(String, Vec<SourceState>)> = Event::new("Sources", &["group", "sources"]);

/// Updates a second where a watch does not say how many.
const PER_SECOND: u32 = 4;
/// And at most so many: a market hands its changes over so often.
const MOST_PER_SECOND: u32 = 20;
/// Candles of the past where a watch does not say how many.
const CANDLES: u32 = 500;
/// And at most so many: a market keeps no more.
const MOST_CANDLES: u32 = 2_000;

/// Prices and candles of every source.
pub struct MarketHub {
    market: LiveMarket,
    groups: Groups,
    stopping: watch::Receiver<bool>,
}

impl MarketHub {
    pub(super) fn new(market: LiveMarket, stopping: watch::Receiver<bool>) -> Self {
        Self { groups: Groups::new(market.clone()), market, stopping }
    }

    async fn watch(
        self: Arc<Self>,
        context: Context,
        watch: MarketWatch,
    ) -> Result<MarketSnapshot, HubError> {
        let per_second = watch.per_second.unwrap_or(PER_SECOND);
        if !(1..=MOST_PER_SECOND).contains(&per_second) {
            let text = format!("perSecond is {per_second}: ask for 1 to {MOST_PER_SECOND} updates a second");
            return Err(HubError::deliberate(text));
        }
        let mut selection = Selection { source: watch.source, symbols: watch.symbols };
        selection.symbols.sort_unstable();
        selection.symbols.dedup();
        // Whoever is in the group is sent all changes since it began, so that the snapshot may be of any time after that.
        let group = self.groups.enter(&context, &selection, per_second)?;
        context.join(&group).await?;
        if context.is_ended() {
            self.groups.leave_all(context.connection_id());
        }
        let quotes = self.market.quotes(&selection, 0).quotes;
        Ok(MarketSnapshot {
            group: group.as_ref().to_owned(),
            sources: states::sources(&self.market, selection.source.as_deref()),
            quotes: quotes.iter().map(QuoteState::from).collect(),
        })
    }

    async fn unwatch(self: Arc<Self>, context: Context, group: String) -> Result<(), HubError> {
        self.groups.leave(context.connection_id(), &group);
        Ok(context.leave(&group).await?)
    }

    async fn candles(
        self: Arc<Self>,
        _: Context,
        watch: CandleWatch,
    ) -> Result<impl Stream<Item = Result<Vec<CandleState>, HubError>> + Send, HubError> {
        let CandleWatch { source, symbol, interval_s, limit } = watch;
        let known = Interval::ALL.map(|interval| (interval as u32).to_string()).join(", ");
        let interval = Interval::of_seconds(interval_s).ok_or_else(|| {
            HubError::deliberate(format!("there are no candles of {interval_s} s, but of {known} s"))
        })?;
        let limit = limit.unwrap_or(CANDLES);
        if limit > MOST_CANDLES {
            return Err(HubError::deliberate(format!("limit is {limit}: ask for at most {MOST_CANDLES}")));
        }
        let candles = Candles::new(self.market.clone(), source, symbol, interval, limit as usize);
        Ok(updates(candles, self.stopping.clone()))
    }
}

impl Hub for MarketHub {
    fn register(methods: &mut Methods<Self>) {
        methods.call("Watch", ["watch"], Self::watch).docs(
            "Begins to watch instruments; their changes come as `Quotes` of the group. Versions are of one gateway: after a \
             new connection the snapshot takes the place of all that was known.",
        );
        methods.call("Unwatch", ["group"], Self::unwatch).docs("Ends a watch.");
        methods.stream("Candles", ["watch"], Self::candles).docs(
            "The candles of the past, then those that have changed, at most four times a second; of a start the last counts. \
             Where the first of a list is before the ones that are known, all are new.",
        );
        methods.event(&QUOTES).docs(
            "Instruments of a watch that have changed. It may come before `Watch` has returned; of an instrument the \
             greater version counts.",
        );
        methods
            .event(&SOURCES)
            .docs("The sources of a watch, about once a second while one of them begins, goes on or ends.");
    }

    fn authorise(&self, user: Option<&User>, _: &Parts) -> bool {
        may(user, Wish::See)
    }

    async fn on_disconnected(self: Arc<Self>, context: Context, _: Option<String>) {
        self.groups.leave_all(context.connection_id());
    }
}
