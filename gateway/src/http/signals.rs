//! Signals: a page as JSON, or all of them as CSV or as JSON lines, streamed.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use tick_sdk::api::{Page, SignalView};
use tick_sdk::decimal::{format_decimal, parse_price};
use tick_sdk::signal::SIGNAL_COLUMNS;
use tokio::sync::mpsc;

use super::query::{Query, no_cursor};
use super::read::value;
use super::refusal::Refusal;
use super::{Answer, Shared};
use crate::documents::{DocumentError, Documents};
use crate::instant::text_of_ns;
use crate::projections::signals::{Looked, OrderedSignals, Place, ReadSignal, SignalFilter, write_row};

/// So many signals are looked at for a page; when fewer of them match, the page has a next one all the same.
const MOST_LOOKED_AT: usize = 200_000;
/// A stream is sent in parts of about this size.
const PART_BYTES: usize = 64 << 10;
/// So many parts wait to be sent, so that whoever reads slowly costs no more.
const PARTS: usize = 4;

/// What a client takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Json,
    Csv,
    JsonLines,
}

struct Wanted {
    filter: SignalFilter,
    after: Option<Place>,
    limit: Option<usize>,
}

pub(super) async fn list(State(state): Shared, headers: HeaderMap, uri: Uri) -> Answer {
    let format = accepted(&headers)?;
    let known = ["run", "strategy", "symbol", "side", "from", "to", "minPrice", "limit", "cursor"];
    let wanted = state.query(&uri, &known, |query| wanted(query, format)).await?;
    if format != Format::Json {
        return Ok(stream(state.documents.clone(), wanted, format));
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
    Wanted {
        filter: SignalFilter {
            run: query.text("run").map(|run| run.to_ascii_lowercase()),
            strategies: query.all("strategy"),
            symbols: query.all("symbol"),
            side: query.one_of("side", &["buy", "sell", "flat"]),
            from: query.instant("from"),
            to: query.instant("to"),
            min_price,
        },
        after: query.parsed("cursor", cursor),
        limit: Some(limit).filter(|limit| *limit != usize::MAX),
    }
}

fn page(documents: &Documents, wanted: Wanted) -> Result<Page<SignalView>, DocumentError> {
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

/// Sends the head at once, and the signals as they are read. When they cannot be read on the connection is cut,
/// for a client to see that it does not have all.
fn stream(documents: Arc<Documents>, wanted: Wanted, format: Format) -> Response {
    let (parts, read) = mpsc::channel::<Result<Bytes, DocumentError>>(PARTS);
    tokio::task::spawn_blocking(move || {
        if let Err(error) = write_all(&documents, wanted, format, &parts) {
            tracing::error!(%error, "a stream of signals is cut");
            // Who has gone away does not need to be told.
            let _ = parts.blocking_send(Err(error));
        }
    });
    let body =
        futures_util::stream::unfold(read, |mut read| async { read.recv().await.map(|part| (part, read)) });
    let kind = match format {
        Format::Csv => "text/csv; charset=utf-8; header=present",
        Format::JsonLines | Format::Json => "application/x-ndjson",
    };
    ([(CONTENT_TYPE, HeaderValue::from_static(kind))], Body::from_stream(body)).into_response()
}

fn write_all(
    documents: &Documents,
    wanted: Wanted,
    format: Format,
    parts: &mpsc::Sender<Result<Bytes, DocumentError>>,
) -> Result<(), DocumentError> {
    let mut signals = OrderedSignals::new(documents, wanted.filter, wanted.after);
    let mut part = Vec::with_capacity(PART_BYTES + 1024);
    if format == Format::Csv {
        part.extend_from_slice(SIGNAL_COLUMNS.as_bytes());
    }
    let mut looks = usize::MAX;
    let mut rest = wanted.limit.unwrap_or(usize::MAX);
    while rest > 0 {
        let Looked::Found(signal) = signals.next_within(&mut looks)? else { break };
        rest -= 1;
        match format {
            Format::Csv => write_row(&signal, &mut part),
            Format::JsonLines | Format::Json => {
                // A signal is texts and numbers, which all have a place in JSON.
                let _ = serde_json::to_writer(&mut part, &view(&signal));
                part.push(b'\n');
            }
        }
        if part.len() >= PART_BYTES {
            let full = std::mem::replace(&mut part, Vec::with_capacity(PART_BYTES + 1024));
            if parts.blocking_send(Ok(full.into())).is_err() {
                return Ok(());
            }
        }
    }
    // Who has gone away needs no more.
    let _ = parts.blocking_send(Ok(part.into()));
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

/// The format that the client likes best; JSON where it says nothing.
fn accepted(headers: &HeaderMap) -> Result<Format, Refusal> {
    let mut best: Option<(f32, Format)> = None;
    let mut is_asked = false;
    for part in
        headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok()).flat_map(|v| v.split(','))
    {
        let mut parameters = part.split(';').map(str::trim);
        let media = parameters.next().unwrap_or_default().to_ascii_lowercase();
        if media.is_empty() {
            continue;
        }
        is_asked = true;
        let format = match media.as_str() {
            "*/*" | "application/*" | "application/json" => Format::Json,
            "text/csv" | "text/*" => Format::Csv,
            "application/x-ndjson"
            | "application/ndjson"
            | "application/jsonl"
            | "application/x-jsonlines" => Format::JsonLines,
            _ => continue,
        };
        let quality =
            parameters.find_map(|parameter| parameter.strip_prefix("q=")?.parse().ok()).unwrap_or(1.0);
        if quality > 0.0 && best.is_none_or(|(before, _)| quality > before) {
            best = Some((quality, format));
        }
    }
    match best {
        Some((_, format)) => Ok(format),
        None if !is_asked => Ok(Format::Json),
        None => Err(Refusal::new(
            StatusCode::NOT_ACCEPTABLE,
            "signals come as application/json, text/csv or application/x-ndjson",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn format(accept: &'static str) -> Option<Format> {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static(accept));
        accepted(&headers).ok()
    }

    #[test]
    fn the_format_is_the_one_that_is_liked_best() {
        assert_eq!(accepted(&HeaderMap::new()).ok(), Some(Format::Json));
        assert_eq!(format("text/csv"), Some(Format::Csv));
        assert_eq!(format("application/x-ndjson, */*;q=0.1"), Some(Format::JsonLines));
        assert_eq!(format("text/html,application/xhtml+xml,*/*;q=0.8"), Some(Format::Json));
        assert_eq!(format("application/json;q=0.5, text/csv;q=0.9"), Some(Format::Csv));
        assert_eq!(format("image/png"), None);
        assert_eq!(format(""), Some(Format::Json));
    }
}
