//! Round trips: a page as JSON, or all of them as CSV or as JSON lines, streamed.

use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use tick_sdk::api::{Page, TradeView};
use tick_sdk::contracts::results::ClosedTrade;
use tick_sdk::signal::TRADE_COLUMNS;

use super::query::{Query, no_cursor};
use super::read::value;
use super::streamed::{Format, Lines, accepted, stream};
use super::{Answer, Shared};
use crate::documents::{DocumentError, Documents};
use crate::instant::text_of_ns;
use crate::projections::signals::write_field;
use crate::projections::trades::{OrderedTrades, Place, ReadTrade, Stepped, TradeFilter};

/// So many round trips are looked at for a page; when fewer of them match, the page has a next one all the same.
const MOST_LOOKED_AT: usize = 100_000;

struct Wanted {
    filter: TradeFilter,
    after: Option<Place>,
    limit: usize,
}

pub(super) async fn list(State(state): Shared, headers: HeaderMap, uri: Uri) -> Answer {
    let format = accepted(&headers)?;
    let known = ["run", "strategy", "symbol", "side", "from", "to", "limit", "cursor"];
    let wanted = state.query(&uri, &known, |query| wanted(query, format)).await?;
    if format != Format::Json {
        let write = |documents: &Documents, lines: &mut Lines| write_all(documents, wanted, lines);
        return Ok(stream(state.documents.clone(), format, write));
    }
    let page = state.documents.blocking(move |documents| page(documents, wanted)).await?;
    Ok(value(&page))
}

fn wanted(query: &Query, format: Format) -> Wanted {
    let cursor = |text: &str| Place::from_cursor(text).ok_or_else(no_cursor);
    Wanted {
        filter: TradeFilter {
            run: query.text("run").map(|run| run.to_ascii_lowercase()),
            strategies: query.all("strategy"),
            symbols: query.all("symbol"),
            side: query.one_of("side", &["buy", "sell", "flat"]),
            from: query.instant("from"),
            to: query.instant("to"),
        },
        after: query.parsed("cursor", cursor),
        limit: query.limit_or(if format == Format::Json { 100 } else { usize::MAX }),
    }
}

fn page(documents: &Documents, wanted: Wanted) -> Result<Page<TradeView>, DocumentError> {
    let mut trades = OrderedTrades::new(documents, wanted.filter, wanted.after);
    let mut items: Vec<TradeView> = Vec::new();
    let mut last = None;
    let mut looks = MOST_LOOKED_AT;
    let next = loop {
        match trades.next_within(&mut looks)? {
            Stepped::Found(_) if items.len() == wanted.limit => break last,
            Stepped::Found(trade) => {
                last = Some(trade.place());
                items.push(view(&trade));
            }
            Stepped::Paused(place) => break Some(place),
            Stepped::Ended => break None,
        }
    };
    Ok(Page { items, next: next.map(|place| place.to_cursor()) })
}

fn write_all(documents: &Documents, wanted: Wanted, lines: &mut Lines) -> Result<(), DocumentError> {
    let mut trades = OrderedTrades::new(documents, wanted.filter, wanted.after);
    lines.head(TRADE_COLUMNS);
    let mut looks = usize::MAX;
    for _ in 0..wanted.limit {
        let Stepped::Found(trade) = trades.next_within(&mut looks)? else { break };
        if !lines.item(|line| write_row(&trade, line), || view(&trade)) {
            break;
        }
    }
    Ok(())
}

fn view(read: &ReadTrade) -> TradeView {
    let ClosedTrade { symbol, side, opened_at_ns, closed_at_ns, entry, exit, fees, profit } =
        read.trade.clone();
    TradeView {
        run: read.run.as_ref().to_owned(),
        strategy: read.strategy.as_ref().to_owned(),
        number: read.number,
        symbol,
        side,
        opened_at_ns,
        opened_at: text_of_ns(opened_at_ns),
        closed_at_ns,
        closed_at: text_of_ns(closed_at_ns),
        entry,
        exit,
        fees,
        profit,
    }
}

/// Appends a round trip as `orchard replay --trades` writes it.
fn write_row(read: &ReadTrade, out: &mut Vec<u8>) {
    let ClosedTrade { symbol, side, opened_at_ns, closed_at_ns, entry, exit, fees, profit } = &read.trade;
    for text in [&*read.run, &*read.strategy, symbol] {
        write_field(text, out);
        out.push(b',');
    }
    let rest = format!("{side},{opened_at_ns},{closed_at_ns},{entry},{exit},{fees},{profit}\n");
    out.extend_from_slice(rest.as_bytes());
}
