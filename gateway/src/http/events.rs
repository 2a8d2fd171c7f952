//! Events, read straight from the contexts' logs.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::http::Uri;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bus::{EventSource, StoreError, StoredEvent};
use serde_json::Value;
use tick_sdk::api::{EventView, Page};
use tick_sdk::contracts::CommandId;

use super::query::{Query, no_cursor};
use super::read::value;
use super::refusal::Refusal;
use super::{Answer, Shared};
use crate::instant::text_of_ms;

/// So many events are looked at for a page; when fewer of them match, the page has a next one all the same.
const MOST_LOOKED_AT: usize = 20_000;

/// Which events are wanted.
struct Wanted {
    context: Option<String>,
    name: Option<String>,
    command_id: Option<CommandId>,
    is_latest: bool,
    limit: usize,
    /// By context, the last event that was seen.
    after: Option<BTreeMap<String, u64>>,
}

pub(super) async fn list(State(state): Shared, uri: Uri) -> Answer {
    let contexts = state.source.contexts();
    let known = ["context", "name", "command", "position", "latest", "limit", "cursor"];
    let wanted = state.query(&uri, &known, |query| wanted(query, &contexts)).await?;
    let source = state.source.clone();
    let page = state.documents.blocking(move |_| page(&*source, &wanted)).await;
    let page = page.map_err(|error| Refusal::unavailable("the logs of events", error))?;
    Ok(value(&page))
}

fn wanted(query: &Query, contexts: &[String]) -> Wanted {
    let context = query.parsed("context", |text| {
        let found = contexts.iter().find(|context| context.eq_ignore_ascii_case(text)).cloned();
        found.ok_or_else(|| format!("is no context; there are: {}", contexts.join(", ")))
    });
    let mut after = query.parsed("cursor", |text| {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok();
        bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()).ok_or_else(no_cursor)
    });
    let position = query.parsed("position", |text| {
        text.parse::<u64>()
            .ok()
            .filter(|at| i64::try_from(*at).is_ok())
            .ok_or_else(|| "is no position".to_owned())
    });
    if let Some(position) = position {
        match &context {
            Some(context) => {
                after.get_or_insert_with(|| BTreeMap::from([(context.clone(), position)]));
            }
            None => query.add("position", "needs `context` beside it"),
        }
    }
    Wanted {
        context,
        name: query.text("name"),
        command_id: query.command_id("command"),
        is_latest: query.truth("latest").unwrap_or(false),
        limit: query.limit(),
        after,
    }
}

/// Merges the contexts by time. Within a context the order is the log's.
fn page(source: &dyn EventSource, wanted: &Wanted) -> Result<Page<EventView>, StoreError> {
    let mut contexts = source.contexts();
    contexts.retain(|context| wanted.context.as_ref().is_none_or(|only| only == context));
    let mut logs = Vec::new();
    for context in contexts {
        let position = match &wanted.after {
            Some(after) => after.get(&context).copied().unwrap_or(0),
            None if wanted.is_latest => source.head(&context)?.saturating_sub(wanted.limit as u64),
            None => 0,
        };
        logs.push(Log { context, position, read: Vec::new().into_iter().peekable(), is_at_end: false });
    }
    let mut items = Vec::new();
    let mut looked_at = 0;
    let is_more = loop {
        let Some(next) = earliest(source, &mut logs)? else { break false };
        if items.len() == wanted.limit || looked_at == MOST_LOOKED_AT {
            break true;
        }
        looked_at += 1;
        let log = &mut logs[next];
        let Some(event) = log.read.next() else { continue };
        log.position = event.position;
        let is_named = wanted.name.as_ref().is_none_or(|name| name.eq_ignore_ascii_case(&event.name));
        if is_named && (wanted.command_id.is_none() || wanted.command_id == event.command_id) {
            items.push(view(&log.context, event));
        }
    };
    let next = is_more.then(|| {
        let positions: BTreeMap<_, _> = logs.iter().map(|log| (&log.context, log.position)).collect();
        URL_SAFE_NO_PAD.encode(serde_json::to_vec(&positions).unwrap_or_default())
    });
    Ok(Page { items, next })
}

struct Log {
    context: String,
    position: u64,
    read: std::iter::Peekable<std::vec::IntoIter<StoredEvent>>,
    is_at_end: bool,
}

/// Events of a log are read so many at a time.
const READ: usize = 500;

fn earliest(source: &dyn EventSource, logs: &mut [Log]) -> Result<Option<usize>, StoreError> {
    let mut earliest: Option<(u64, usize)> = None;
    for (place, log) in logs.iter_mut().enumerate() {
        if log.read.peek().is_none() && !log.is_at_end {
            let read = source.events_after(&log.context, log.position, READ)?;
            log.is_at_end = read.is_empty();
            log.read = read.into_iter().peekable();
        }
        let Some(event) = log.read.peek() else { continue };
        if earliest.is_none_or(|(at, _)| event.at_ms < at) {
            earliest = Some((event.at_ms, place));
        }
    }
    Ok(earliest.map(|(_, place)| place))
}

fn view(context: &str, event: StoredEvent) -> EventView {
    EventView {
        context: context.to_owned(),
        position: event.position,
        message_id: event.message_id,
        name: event.name,
        version: event.version,
        command_id: event.command_id,
        correlation_id: event.conversation_id,
        caused_by: event.initiator_id,
        at: text_of_ms(event.at_ms),
        // A body that cannot be read as JSON is shown as the text that it is.
        body: serde_json::from_str(&event.body).unwrap_or(Value::String(event.body)),
    }
}
