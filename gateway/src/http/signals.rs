//! Signals: a page as JSON, or all of them as CSV or as JSON lines, streamed.

use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use tick_sdk::api::{Page, SignalView};
use tick_sdk::decimal::{format_decimal, parse_price};
use tick_sdk::signal::SIGNAL_COLUMNS;

use super::query::{Query, no_cursor};
use super::read::value;
use super::streamed::{Format, Lines, accepted, stream};
use super::{Answer, Shared};
use crate::documents::{DocumentError, Documents};
use crate::instant::text_of_ns;
use crate::projections::signals::{
    Looked, OrderedSignals, Place, ReadSignal, SignalFilter, latest_signals, write_row,
};

/// So many signals are looked at for a page; when fewer of them match, the page has a next one all the same.
const MOST_LOOKED_AT: usize = 200_000;

/// Of the last signals so many are given where nothing is said.
const MOST_LATEST: usize = 1_000;

struct Wanted {
    filter: SignalFilter,
    after: Option<Place>,
    /// Only the last so many.
    latest: Option<usize>,
    limit: Option<usize>,
}

pub(super) async fn list(State(state): Shared, headers: HeaderMap, uri: Uri) -> Answer {
    let format = accepted(&headers)?;
    let known = ["run", "strategy", "symbol", "side", "from", "to", "minPrice", "latest", "limit", "cursor"];
    let wanted = state.query(&uri, &known, |query| wanted(query, format)).await?;
    if format != Format::Json {
        let write = |documents: &Documents, lines: &mut Lines| write_all(documents, wanted, lines);
        return Ok(stream(state.documents.clone(), format, write));
    }
    let page = state.documents.blocking(move |documents| page(documents, wanted)).await?;
    Ok(value(&page))
}

fn wanted(query: &Query, format: Format) -> Wanted {
    let min_price = query.parsed("minPrice", |text| {
        parse_price(text.as_bytes()).map_err(|error| format!("is no price: it {error}"))
    });
    let cursor = |text: &str| Place::from_cursor(text).ok_or_else(no_cursor);
    let limit = query.limit_or(if format == Format::Json { 100 } else { usize::MAX });
    let run = query.text("run").map(|run| run.to_ascii_lowercase());
    let after = query.parsed("cursor", cursor);
    let is_latest = query.truth("latest").unwrap_or(false);
    let side = query.one_of("side", &["buy", "sell", "flat"]);
    if is_latest && (run.is_none() || after.is_some()) {
        query.add(
            "latest",
            "needs `run` beside it and no `cursor`: for those before, give the first one's time as `to`",
        );
    }
    if is_latest && (side.is_some() || min_price.is_some()) {
        // Where few match, all of the run would be looked at.
        query.add(
            "latest",
            "goes with no `side` and no `minPrice`: leave out what you do not want of those that come",
        );
    }
    Wanted {
        filter: SignalFilter {
            run,
            strategies: query.all("strategy"),
            symbols: query.all("symbol"),
            side,
            from: query.instant("from"),
            to: query.instant("to"),
            min_price,
        },
        after,
        latest: is_latest.then_some(if limit == usize::MAX { MOST_LATEST } else { limit }),
        limit: Some(limit).filter(|limit| *limit != usize::MAX),
    }
}

fn page(documents: &Documents, wanted: Wanted) -> Result<Page<SignalView>, DocumentError> {
    if let Some(most) = wanted.latest {
        let items = latest_signals(documents, &wanted.filter, most)?.iter().map(view).collect();
        return Ok(Page { items, next: None });
    }
    let limit = wanted.limit.unwrap_or(usize::MAX);
    let mut signals = OrderedSignals::new(documents, wanted.filter, wanted.after);
    let mut items: Vec<SignalView> = Vec::new();
    let mut last = None;
    let mut looks = MOST_LOOKED_AT;
    let next = loop {
        match signals.next_within(&mut looks)? {
            Looked::Found(_) if items.len() == limit => break last,
            Looked::Found(signal) => {
                last = Some(signal.place());
                items.push(view(&signal));
                if looks == 0 {
                    break last;
                }
            }
            Looked::Paused(place) => break Some(place),
            Looked::Ended => break None,
        }
    };
    Ok(Page { items, next: next.map(|place| place.to_cursor()) })
}

fn write_all(documents: &Documents, wanted: Wanted, lines: &mut Lines) -> Result<(), DocumentError> {
    lines.head(SIGNAL_COLUMNS);
    if let Some(most) = wanted.latest {
        let mut latest = latest_signals(documents, &wanted.filter, most)?.into_iter();
        latest.all(|signal| lines.item(|line| write_row(&signal, line), || view(&signal)));
        return Ok(());
    }
    let mut signals = OrderedSignals::new(documents, wanted.filter, wanted.after);
    let mut looks = usize::MAX;
    let mut rest = wanted.limit.unwrap_or(usize::MAX);
    while rest > 0 {
        let Looked::Found(signal) = signals.next_within(&mut looks)? else { break };
        rest -= 1;
        if !lines.item(|line| write_row(&signal, line), || view(&signal)) {
            break;
        }
    }
    Ok(())
}

fn view(signal: &ReadSignal) -> SignalView {
    SignalView {
        run: signal.run.as_ref().to_owned(),
        strategy: signal.strategy.as_ref().to_owned(),
        symbol: signal.symbol.as_ref().to_owned(),
        shard: signal.shard,
        seq: signal.seq,
        n: signal.n,
        ts_event: signal.ts_event,
        ts_recv: signal.ts_recv,
        at: text_of_ns(signal.ts_event),
        side: signal.side.to_owned(),
        price: signal.price.map(format_decimal),
    }
}
