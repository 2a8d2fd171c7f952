//! Long polling: requests that wait for messages. The client's own messages come by POST, as with Server-Sent Events.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{Response, StatusCode};
use futures_util::StreamExt;
use tokio::time::timeout;

use super::answer::{self, Refusal};
use super::guards::Polling;
use super::link::Link;
use crate::outbox::{Attachment, Taken};

/// Sent in one answer, unless one message is longer.
const ANSWER_BYTES: usize = 64 * 1024;

/// Answers a poll, but the first one.
pub(super) async fn poll(polling: Polling, attachment: Attachment, poll_timeout: Duration) -> Response<Body> {
    let mut messages = Vec::new();
    let taken = polling.link.outbox.take(attachment, ANSWER_BYTES, &mut messages);
    match timeout(poll_timeout, taken).await {
        Ok(Taken::Messages(_)) => answer::messages(messages),
        Ok(Taken::Closed) => {
            polling.closes();
            answer::text(StatusCode::NO_CONTENT, "")
        }
        Ok(Taken::Superseded) => answer::text(StatusCode::NO_CONTENT, ""),
        Err(_) => answer::text(StatusCode::OK, ""),
    }
}

/// Takes what a client sends. While another request of the connection brings something, and while the inbox is full, it waits;
/// a client that stops in the middle is given up after `body_timeout`.
pub(super) async fn receive(
    link: Arc<Link>,
    body: Body,
    body_timeout: Duration,
) -> Result<Response<Body>, Refusal> {
    let _turn = tokio::select! {
        turn = link.posts.lock() => turn,
        () = link.inbox.ended() => return Err(Refusal::UnknownId),
    };
    let mut body = body.into_data_stream();
    while let Some(bytes) = timeout(body_timeout, body.next()).await.map_err(|_| Refusal::BodyTooSlow)? {
        let mut bytes = bytes.map_err(|_| Refusal::BodyCut)?;
        while !bytes.is_empty() {
            let room = link.inbox.room().await.ok_or(Refusal::UnknownId)?;
            link.inbox.push(&bytes.split_to(room.min(bytes.len())));
        }
    }
    Ok(answer::text(StatusCode::OK, ""))
}
