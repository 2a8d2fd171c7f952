//! Lists that come as a page of JSON, or whole as CSV or JSON lines, streamed.

use std::sync::Arc;

use axum::body::Body;
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde::Serialize;
use tokio::sync::mpsc;

use super::refusal::Refusal;
use crate::documents::{DocumentError, Documents};

/// A stream is sent in parts of about this size.
const PART_BYTES: usize = 64 << 10;
/// So many parts wait to be sent, so that whoever reads slowly costs no more.
const PARTS: usize = 4;

/// What a client takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Json,
    Csv,
    JsonLines,
}

/// Where a stream's lines go.
pub(super) struct Lines {
    parts: mpsc::Sender<Result<Bytes, DocumentError>>,
    part: Vec<u8>,
    format: Format,
}

impl Lines {
    /// The head of the columns, which only CSV has.
    pub(super) fn head(&mut self, columns: &str) {
        if self.format == Format::Csv {
            self.part.extend_from_slice(columns.as_bytes());
        }
    }

    /// The next item: `row` appends it as a line of CSV, with its line break. Whether the client still reads.
    pub(super) fn item<T: Serialize>(
        &mut self,
        row: impl FnOnce(&mut Vec<u8>),
        view: impl FnOnce() -> T,
    ) -> bool {
        if self.format == Format::Csv {
            row(&mut self.part);
        } else {
            // Items are texts and numbers, which all have a place in JSON.
            let _ = serde_json::to_writer(&mut self.part, &view());
            self.part.push(b'\n');
        }
        if self.part.len() < PART_BYTES {
            return true;
        }
        let full = std::mem::replace(&mut self.part, Vec::with_capacity(PART_BYTES + 1024));
        self.parts.blocking_send(Ok(full.into())).is_ok()
    }
}

/// Sends the head at once, and the lines as `write` makes them. When they cannot be read on the connection is cut, for a
/// client to see that it does not have all.
pub(super) fn stream(
    documents: Arc<Documents>,
    format: Format,
    write: impl FnOnce(&Documents, &mut Lines) -> Result<(), DocumentError> + Send + 'static,
) -> Response {
    let (parts, read) = mpsc::channel::<Result<Bytes, DocumentError>>(PARTS);
    tokio::task::spawn_blocking(move || {
        let mut lines = Lines { parts, part: Vec::with_capacity(PART_BYTES + 1024), format };
        let written = write(&documents, &mut lines);
        // Who has gone away needs no more, and does not need to be told.
        let _ = match written {
            Ok(()) => lines.parts.blocking_send(Ok(lines.part.into())),
            Err(error) => {
                tracing::error!(%error, "a stream is cut");
                lines.parts.blocking_send(Err(error))
            }
        };
    });
    let body =
        futures_util::stream::unfold(read, |mut read| async { read.recv().await.map(|part| (part, read)) });
    let kind = match format {
        Format::Csv => "text/csv; charset=utf-8; header=present",
        Format::JsonLines | Format::Json => "application/x-ndjson",
    };
    ([(CONTENT_TYPE, HeaderValue::from_static(kind))], Body::from_stream(body)).into_response()
}

/// The format that the client likes best; JSON where it says nothing.
pub(super) fn accepted(headers: &HeaderMap) -> Result<Format, Refusal> {
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
            "this comes as application/json, text/csv or application/x-ndjson",
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
