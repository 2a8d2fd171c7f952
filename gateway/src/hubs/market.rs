//! `/hubs/market`: prices, as often as asked for, and candles.

use std::sync::Arc;

use futures_util::Stream;
use live::LiveMarket;
use signalr::{Context, Event, Hub, HubError, Methods};

use super::payloads::{CandleState, CandleWatch, MarketSnapshot, MarketWatch, QuoteState};

/// Instruments of a watch that have changed: all that have since the last time that all were sent.
static QUOTES: Event<(String, Vec<QuoteState>)> = Event::new("Quotes", &["group", "quotes"]);

/// Prices and candles of every source.
pub struct MarketHub {
    market: LiveMarket,
}

impl MarketHub {
    pub(super) fn new(market: LiveMarket) -> Self {
        Self { market }
    }

    async fn watch(
        self: Arc<Self>,
        context: Context,
        watch: MarketWatch,
    ) -> Result<MarketSnapshot, HubError> {
        let _ = (&self.market, context, watch);
        Ok(MarketSnapshot::default())
    }

    async fn unwatch(self: Arc<Self>, context: Context, group: String) -> Result<(), HubError> {
        Ok(context.leave(&group).await?)
    }

    fn candles(self: Arc<Self>, _: Context, watch: CandleWatch) -> impl Stream<Item = Vec<CandleState>> {
        let _ = watch;
        futures_util::stream::empty()
    }
}

impl Hub for MarketHub {
    fn register(methods: &mut Methods<Self>) {
        methods
            .call("Watch", ["watch"], Self::watch)
            .docs("Begins to watch instruments; their changes come as `Quotes` of the group.");
        methods.call("Unwatch", ["group"], Self::unwatch).docs("Ends a watch.");
        methods
            .stream("Candles", ["watch"], Self::candles)
            .docs("The candles of the past, then those that have changed; of a start the last counts.");
        methods.event(&QUOTES).docs("Instruments of a watch that have changed.");
    }
}
