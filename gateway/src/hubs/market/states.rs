//! What is live, as it is sent.

use live::{Candle, LiveMarket, Quote, SourceView};
use tick_sdk::decimal::format_decimal;

use crate::hubs::payloads::{CandleState, QuoteState, SourceState};

const NS_PER_MS: u64 = 1_000_000;

/// The sources, or the one of this name.
pub(super) fn sources(market: &LiveMarket, only: Option<&str>) -> Vec<SourceState> {
    let all = market.sources();
    all.iter().filter(|view| only.is_none_or(|only| only == view.source)).map(SourceState::from).collect()
}

impl From<&SourceView> for SourceState {
    fn from(view: &SourceView) -> Self {
        Self {
            source: view.source.clone(),
            run: view.run.clone(),
            instruments: view.instruments,
            ticks: view.ticks,
            last_at_ms: view.last_ts_recv / NS_PER_MS,
            has_ended: view.has_ended,
        }
    }
}

impl From<&Quote> for QuoteState {
    fn from(quote: &Quote) -> Self {
        let text = |value: Option<i64>| value.map(format_decimal);
        Self {
            source: quote.source.clone(),
            symbol: quote.symbol.clone(),
            version: quote.version,
            bid: text(quote.bid),
            bid_size: text(quote.bid_size),
            ask: text(quote.ask),
            ask_size: text(quote.ask_size),
            last: text(quote.last),
            last_size: text(quote.last_size),
            first: text(quote.first),
            ticks: quote.ticks,
            at_ms: quote.ts_recv / NS_PER_MS,
            seen_ms: quote.seen_ms,
        }
    }
}

impl From<&Candle> for CandleState {
    fn from(candle: &Candle) -> Self {
        Self {
            start_ms: candle.start / NS_PER_MS,
            open: format_decimal(candle.open),
            high: format_decimal(candle.high),
            low: format_decimal(candle.low),
            close: format_decimal(candle.close),
            volume: format_decimal(candle.volume),
            trades: candle.trades,
        }
    }
}
