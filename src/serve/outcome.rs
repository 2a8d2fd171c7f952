//! What a replay came to, as its event says it: the figures of `orchard replay --json`.

use strategy_host::market::Instrument;
use tick_ingest::feed::TickSelection;
use tick_sdk::contracts::ticks::{InstrumentPrices, ReplayOutcome as OutcomeEvent, StartReplay};
use tick_sdk::decimal::format_decimal;

use crate::replay::ReplayOutcome;

/// The outcome as an event has it.
pub(super) fn outcome_event(outcome: &ReplayOutcome) -> OutcomeEvent {
    OutcomeEvent {
        ticks: outcome.feed.ticks,
        signals: outcome.signals(),
        first_ts_recv: outcome.feed.span.map(|span| span.0),
        last_ts_recv: outcome.feed.span.map(|span| span.1),
        elapsed_seconds: outcome.elapsed.as_secs_f64(),
        bad_lines: outcome.feed.counts.bad_lines,
        instruments: outcome.instruments.iter().map(prices).collect(),
    }
}

fn prices(instrument: &Instrument) -> InstrumentPrices {
    let decimal = |price: Option<i64>| price.map(format_decimal);
    InstrumentPrices {
        symbol: instrument.symbol.clone(),
        ticks: instrument.ticks(),
        last_trade: decimal(instrument.last_trade),
        bid: decimal(instrument.last_bid),
        ask: decimal(instrument.last_ask),
        last_ts_recv: (instrument.ticks() > 0).then_some(instrument.last_ts_recv),
    }
}

/// Why nothing was played, where the plan's selection left nothing: it may be misspelt, as with `orchard replay`.
pub(super) fn nothing_played(
    plan: &StartReplay,
    selection: &TickSelection,
    outcome: &ReplayOutcome,
) -> Option<String> {
    let feed = &outcome.feed;
    if feed.ticks > 0 || feed.interrupted {
        return None;
    }
    let has_span = selection.from.is_some() || selection.to.is_some();
    match feed.offered {
        None if selection.symbols.is_some() => {
            Some(format!("no tick of the symbols {}: see how the files spell them", plan.symbols.join(", ")))
        }
        Some((first, last)) if has_span => {
            let time = crate::duration::format_time;
            let (first, last) = (time(first), time(last));
            Some(format!("no tick is within from and to: the files' ticks are from {first} to {last} UTC"))
        }
        _ => None,
    }
}
