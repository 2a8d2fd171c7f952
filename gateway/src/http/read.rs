//! Reads: one document, or a page of an index, as their text is stored.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde::Serialize;
use tick_sdk::api::command_state;
use tick_sdk::contracts::CommandId;
use tokio::time::{Instant, timeout_at};
use uuid::Uuid;

use super::GatewayState;
use super::query::Query;
use super::refusal::Refusal;
use crate::documents::{Collection, DocumentStore, Found, IndexQuery, Key, Text, encode_cursor};
use crate::projections::commands::COMMANDS;

/// An id that is not known yet is waited for so long at least: whoever asks has it from somebody, who has it from the
/// answer that it was accepted.
pub(super) const UNKNOWN_WAIT: Duration = Duration::from_secs(2);
/// What a command makes is waited for so long where `after` names it.
const AFTER_WAIT: Duration = Duration::from_secs(10);
/// Every read has this parameter.
const AFTER: &str = "after";

impl GatewayState {
    /// The query of a read, once what the command of its `after` made can be read. `check` reads the parameters, so
    /// that a wrong query waits for nothing.
    pub(super) async fn query<T>(
        &self,
        uri: &Uri,
        known: &[&str],
        check: impl FnOnce(&Query) -> T,
    ) -> Result<T, Refusal> {
        if uri.query().is_none() {
            return Ok(check(&Query::of(uri, known)));
        }
        let mut all = known.to_vec();
        all.push(AFTER);
        let query = Query::of(uri, &all);
        let after = query.command_id(AFTER);
        let checked = check(&query);
        query.check()?;
        if let Some(after) = after {
            self.wait_after(after).await?;
        }
        Ok(checked)
    }

    async fn wait_after(&self, command_id: CommandId) -> Result<(), Refusal> {
        let body = self.command_when(command_id, AFTER_WAIT, UNKNOWN_WAIT, is_final).await?;
        let detail = match body {
            Some(text) if is_final(&text) => return Ok(()),
            Some(_) => {
                format!(
                    "what command {command_id} makes cannot be read yet: ask again, or ask for its status"
                )
            }
            None => unknown(command_id, UNKNOWN_WAIT),
        };
        Err(Refusal::new(StatusCode::CONFLICT, detail).retry_after(1))
    }

    /// A command's status, as soon as `is_enough`, or as it is when the time is over: `wait`, or `unknown_wait` as long
    /// as there is no such command.
    pub(super) async fn command_when(
        &self,
        command_id: CommandId,
        wait: Duration,
        unknown_wait: Duration,
        is_enough: impl Fn(&Text) -> bool,
    ) -> Result<Option<Text>, Refusal> {
        let mut buffer = Uuid::encode_buffer();
        let id: &str = command_id.0.hyphenated().encode_lower(&mut buffer);
        let body = self.documents.read(&COMMANDS, id).await?;
        if body.as_ref().is_some_and(|body| wait.is_zero() || is_enough(body)) {
            return Ok(body);
        }
        let _waiting = self.waiting.try_acquire().map_err(|_| {
            let detail = "too many requests wait: ask again without `wait`";
            Refusal::new(StatusCode::SERVICE_UNAVAILABLE, detail).retry_after(1)
        })?;
        let begun = Instant::now();
        let watch = self.documents.watch(id);
        let mut stopping = self.stopping.clone();
        loop {
            let changed = watch.changed();
            let asked = Instant::now();
            let body = self.documents.read(&COMMANDS, id).await?;
            let until = begun + if body.is_some() { wait } else { unknown_wait };
            // When the time is over, it is read once more.
            if body.as_ref().is_some_and(&is_enough) || asked >= until {
                return Ok(body);
            }
            tokio::select! {
                _ = timeout_at(until, changed) => {}
                // It also ends when the sender is gone.
                _ = stopping.wait_for(|is_stopping| *is_stopping) => {
                    return body.map(Some).ok_or_else(stops);
                }
            }
        }
    }

    /// A document by its id.
    pub(super) async fn one(
        &self,
        collection: &'static Collection,
        id: &str,
        known: &Known,
        what: &str,
    ) -> Result<Response, Refusal> {
        let body = self.documents.read(collection, id).await?;
        let body = body.ok_or_else(|| Refusal::not_found(format!("there is no {what} {id}")))?;
        Ok(document(known, body))
    }

    /// A page of an index.
    pub(super) async fn page(
        &self,
        collection: &'static Collection,
        query: IndexQuery,
    ) -> Result<Response, Refusal> {
        let limit = query.limit;
        // One more than was asked for says whether there is a next page.
        let query = IndexQuery { limit: limit + 1, ..query };
        let found = self.documents.blocking(move |documents| documents.page(collection, &query)).await?;
        Ok(listed(&found, limit))
    }
}

/// What is said of a command that did not come within this time.
pub(super) fn unknown(command_id: CommandId, waited: Duration) -> String {
    let seconds = waited.as_secs_f64();
    format!(
        "there is no command {command_id}, nor came one within {seconds} s: ask again where it was answered 202"
    )
}

fn stops() -> Refusal {
    let detail = "the server stops, and does not know the command yet: ask again when it is there";
    Refusal::new(StatusCode::SERVICE_UNAVAILABLE, detail).retry_after(1)
}

/// A page of those keys of an index that begin with `prefix`.
pub(super) fn of_prefix(index: usize, prefix: Key, query: &Query) -> IndexQuery {
    let (limit, after) = (query.limit(), query.cursor());
    IndexQuery { index, to: prefix.after_all(), from: Some(prefix), is_descending: false, after, limit }
}

fn is_final(text: &Text) -> bool {
    command_state::is_final(state_of(text.as_str()))
}

/// The state in a command's text, without reading all of it.
pub(super) fn state_of(body: &str) -> &str {
    const MEMBER: &str = "\"state\":\"";
    let state = body.find(MEMBER).map_or("", |at| &body[at + MEMBER.len()..]);
    state.split('"').next().unwrap_or_default()
}

/// The tags of the texts that the client has already; they may come without quotes.
#[derive(Debug, Default)]
pub(super) struct Known(Vec<HeaderValue>);

impl<S: Sync> FromRequestParts<S> for Known {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self(parts.headers.get_all(IF_NONE_MATCH).iter().cloned().collect()))
    }
}

impl Known {
    /// Whether the client has anything.
    pub(super) const fn is_any(&self) -> bool {
        !self.0.is_empty()
    }

    /// Whether this text's tag is among them.
    pub(super) fn has(&self, text: &Text) -> bool {
        let bare = std::str::from_utf8(&text.tag).unwrap_or_default().trim_matches('"');
        let given = self.0.iter().filter_map(|given| given.to_str().ok());
        given
            .flat_map(|given| given.split(','))
            .map(str::trim)
            .any(|one| one == "*" || one.strip_prefix("W/").unwrap_or(one).trim_matches('"') == bare)
    }
}

/// A document as the answer, or that the client has it.
pub(super) fn document(known: &Known, text: Text) -> Response {
    let mut answer = if known.has(&text) {
        // Without it a library adds that of no body to HEAD, which is not that of the document (RFC 9110 8.6).
        let length = HeaderValue::from(text.body.len());
        (StatusCode::NOT_MODIFIED, [(CONTENT_LENGTH, length)]).into_response()
    } else {
        json(text.body)
    };
    if let Ok(value) = HeaderValue::from_maybe_shared(text.tag) {
        answer.headers_mut().insert(ETAG, value);
    }
    answer
}

/// A value that is made for this answer, or that the client has it.
pub(super) fn tagged(known: &Known, value: &impl Serialize) -> Response {
    document(known, Text::of(&serde_json::to_string(value).unwrap_or_default()))
}

/// Text that is JSON as the answer.
pub(super) fn json(body: Bytes) -> Response {
    ([(CONTENT_TYPE, HeaderValue::from_static("application/json"))], body).into_response()
}

/// A value as the answer.
pub(super) fn value(value: &impl Serialize) -> Response {
    // DTOs are texts, numbers and lists, which all have a place in JSON.
    json(serde_json::to_vec(value).unwrap_or_default().into())
}

/// The first `limit` documents as a page.
fn listed(found: &[Found], limit: usize) -> Response {
    let shown = &found[..found.len().min(limit)];
    let next = shown.last().filter(|_| found.len() > limit);
    let next = next.map(|last| encode_cursor(&last.key, &last.document.id));
    let bytes: usize = shown.iter().map(|found| found.document.body.len() + 1).sum();
    let mut body = String::with_capacity(bytes + 100);
    body.push_str("{\"items\":[");
    for (place, found) in shown.iter().enumerate() {
        if place > 0 {
            body.push(',');
        }
        body.push_str(&found.document.body);
    }
    body.push_str("],\"next\":");
    match next {
        // A cursor has letters, digits, '-' and '_' only.
        Some(next) => body.extend(["\"", &next, "\"}"]),
        None => body.push_str("null}"),
    }
    json(body.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_known_with_and_without_quotes() {
        let text = Text { body: Bytes::new(), tag: Bytes::from_static(b"\"ab\"") };
        let known = |given: &'static str| Known(vec![HeaderValue::from_static(given)]).has(&text);
        assert!(known("\"ab\"") && known("ab") && known("W/\"ab\"") && known("\"x\", \"ab\"") && known("*"));
        assert!(!known("\"abc\"") && !known(""));
    }

    #[test]
    fn a_state_is_read_of_the_text() {
        let command = tick_sdk::api::CommandView {
            command: "\"state\":\"failed\"".into(),
            state: "completed".into(),
            ..Default::default()
        };
        assert_eq!(state_of(&serde_json::to_string(&command).unwrap()), "completed");
    }
}
