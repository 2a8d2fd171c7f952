//! Ticks and candles of past runs, read from the captures of their replays.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{StatusCode, Uri};
use live::{Candle, Interval};
use tick_sdk::api::{CandleView, CandlesView, ReplayView, TickView, TicksView};
use tick_sdk::contracts::ticks::StartReplay;
use tick_sdk::decimal::format_decimal;
use tick_sdk::{Price, Tick};

use super::query::Query;
use super::read::{Known, tagged};
use super::refusal::Refusal;
use super::{Answer, GatewayState, Named, Shared, name_of};
use crate::documents::{DocumentError, DocumentStore, Documents, IndexQuery};
use crate::instant::text_of_ns;
use crate::projections::replays::REPLAYS;
use crate::ticks::{CandlesAsked, FoundCandles, LookupError, TickLookup, TicksAsked};

/// Ticks of an answer where no count is given.
const USUAL_TICKS: usize = 50;
/// The most ticks of an answer.
const MOST_TICKS: usize = 1_000;
/// The most candles of an answer, and as many as there are where no count is given.
const MOST_CANDLES: usize = 2_000;
/// A run's replay is looked for among so many, the latest.
const MOST_REPLAYS: usize = 10_000;
/// So many of them at a time.
const REPLAYS_AT_ONCE: usize = 500;

pub(super) async fn ticks(State(state): Shared, named: Named, known: Known, uri: Uri) -> Answer {
    let run = name_of(named)?;
    let query = state.query(&uri, &["symbol", "around", "count"], |query| {
        let around = query.parsed("around", |text| {
            text.parse::<u64>().map_err(|_| "is no receive time in ns since the UNIX epoch".to_owned())
        });
        (query.text("symbol"), around, count(query, USUAL_TICKS, MOST_TICKS))
    });
    let (symbol, around, count) = query.await?;
    let (symbol, around) = (required(symbol, "symbol")?, required(around, "around")?);
    let (lookup, plan) = state.captures_of(&run).await?;
    let asked = TicksAsked { plan, symbol: symbol.clone(), around, each: count.div_ceil(2) };
    let found = blocking(move || lookup.ticks(&asked)).await?;
    let later = found.iter().filter(|tick| tick.ts_recv > around).count() as u64;
    let ticks = found.iter().map(tick_view).collect();
    Ok(tagged(&known, &TicksView { run, symbol, around, later, ticks }))
}

pub(super) async fn candles(State(state): Shared, named: Named, known: Known, uri: Uri) -> Answer {
    let run = name_of(named)?;
    let query = state.query(&uri, &["symbol", "interval", "to", "count"], |query| {
        let interval = query.parsed("interval", |text| {
            let interval = text.parse().ok().and_then(Interval::of_seconds);
            let known = Interval::ALL.map(|interval| (interval as u32).to_string()).join(", ");
            interval.ok_or_else(|| format!("is none of: {known}"))
        });
        (query.text("symbol"), interval, query.instant("to"), count(query, MOST_CANDLES, MOST_CANDLES))
    });
    let (symbol, interval, to, count) = query.await?;
    let (symbol, interval) = (required(symbol, "symbol")?, interval.unwrap_or(Interval::Minute));
    let (lookup, plan) = state.captures_of(&run).await?;
    let asked = CandlesAsked { plan, symbol: symbol.clone(), interval, to, count };
    let FoundCandles { candles, is_complete } = blocking(move || lookup.candles(&asked)).await?;
    let candles = candles.iter().map(candle_view).collect();
    Ok(tagged(&known, &CandlesView { run, symbol, interval: interval as u32, candles, is_complete }))
}

fn count(query: &Query, usual: usize, most: usize) -> usize {
    let count = query.parsed("count", |text| {
        let count = text.parse().ok().filter(|count| (1..=most).contains(count));
        count.ok_or_else(|| format!("is no whole number from 1 to {most}"))
    });
    count.unwrap_or(usual)
}

fn required<T>(given: Option<T>, name: &str) -> Result<T, Refusal> {
    let refused =
        || Refusal::bad_request("the query lacks something: see errors").parameter(name, "is missing");
    given.ok_or_else(refused)
}

impl GatewayState {
    /// Who reads captures, and what the run's replay played.
    async fn captures_of(&self, run: &str) -> Result<(Arc<dyn TickLookup>, StartReplay), Refusal> {
        let lookup = self.ticks.clone().ok_or_else(|| {
            Refusal::not_found("this server reads no captures: ask one that has the folder of captures")
        })?;
        let wanted = run.to_owned();
        let plan = self.documents.blocking(move |documents| plan_of(documents, &wanted)).await?;
        let plan = plan.ok_or_else(|| {
            Refusal::not_found(format!(
                "there is no replay of run {run}: ticks are read from a replay's captures"
            ))
        });
        Ok((lookup, plan?))
    }
}

/// What the replay of a run played. Their order is that of time, so that the latest are found soon.
fn plan_of(documents: &Documents, run: &str) -> Result<Option<StartReplay>, DocumentError> {
    let text = format!("\"run\":{}", serde_json::Value::from(run));
    let mut query = IndexQuery {
        index: 0,
        from: None,
        to: None,
        is_descending: true,
        after: None,
        limit: REPLAYS_AT_ONCE,
    };
    for _ in 0..MOST_REPLAYS / REPLAYS_AT_ONCE {
        let found = documents.page(&REPLAYS, &query)?;
        let bodies = found.iter().map(|found| &found.document.body).filter(|body| body.contains(&text));
        let mut replays = bodies.filter_map(|body| serde_json::from_str::<ReplayView>(body).ok());
        if let Some(replay) = replays.find(|replay| replay.run.as_deref() == Some(run)) {
            return Ok(Some(replay.plan));
        }
        let Some(last) = found.last().filter(|_| found.len() == REPLAYS_AT_ONCE) else { return Ok(None) };
        query.after = Some((last.key.clone(), last.document.id.clone()));
    }
    Ok(None)
}

/// What is looked up on a thread that may block.
pub(super) async fn blocking<T: Send + 'static>(
    look: impl FnOnce() -> Result<T, LookupError> + Send + 'static,
) -> Result<T, Refusal> {
    match tokio::task::spawn_blocking(look).await {
        Ok(found) => Ok(found?),
        Err(failed) => std::panic::resume_unwind(failed.into_panic()),
    }
}

impl From<LookupError> for Refusal {
    fn from(error: LookupError) -> Self {
        let detail = error.to_string();
        match error {
            LookupError::NotThere(_) => Self::not_found(detail),
            LookupError::Unreadable(_) => Self::new(StatusCode::UNPROCESSABLE_ENTITY, detail),
            LookupError::Busy => Self::new(StatusCode::SERVICE_UNAVAILABLE, detail).retry_after(1),
        }
    }
}

fn tick_view(tick: &Tick) -> TickView {
    TickView {
        ts_event: tick.ts_event,
        ts_recv: tick.ts_recv,
        at: text_of_ns(tick.ts_recv),
        kind: tick.kind.name().to_owned(),
        side: tick.side.name().to_owned(),
        price: tick.price().as_ref().map(Price::to_string),
        size: format_decimal(tick.size),
        is_last: tick.is_last(),
    }
}

fn candle_view(candle: &Candle) -> CandleView {
    CandleView {
        start_ms: candle.start / 1_000_000,
        open: format_decimal(candle.open),
        high: format_decimal(candle.high),
        low: format_decimal(candle.low),
        close: format_decimal(candle.close),
        volume: format_decimal(candle.volume),
        trades: candle.trades,
    }
}
