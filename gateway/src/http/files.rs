//! The files that can be replayed.

use axum::extract::State;
use axum::http::Uri;
use tick_sdk::api::{FileView, Page};

use super::read::value;
use super::{Answer, Shared};
use crate::documents::{Key, encode_cursor};

pub(super) async fn list(State(state): Shared, uri: Uri) -> Answer {
    let read = state.query(&uri, &["limit", "cursor"], |query| (query.limit(), query.cursor()));
    let (limit, cursor) = read.await?;
    let captures = state.captures.clone();
    let all = state.documents.blocking(move |_| captures.map(|captures| captures.files())).await;
    let after = cursor.map(|(_, path)| path).unwrap_or_default();
    let mut rest = all.unwrap_or_default().into_iter().filter(|file| file.path > after);
    let items: Vec<FileView> = rest.by_ref().take(limit).collect();
    let next = rest.next().and(items.last()).map(|last| encode_cursor(&Key::new(), &last.path));
    Ok(value(&Page { items, next }))
}
