//! What is known of failed messages as the API gives it.

use std::time::SystemTime;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tick_sdk::api::{ErrorDetailView, ErrorQueueView, ErrorView, ErrorsDone, Page, StayedError, error_kind};
use tick_sdk::contracts::envelope::UtcTime;
use triage::{Acted, Details, Entry, Kind, Shown, Stayed, Survey};

use super::wish::Wish;
use crate::documents::{Key, encode_cursor};

/// Of an original, so many bytes are given.
const MOST_OF_BODY: usize = 1 << 20;
/// Of an id, so many characters tell messages of the same time apart.
const MOST_OF_ID: usize = 255;

fn kind(kind: Kind) -> String {
    let text = match kind {
        Kind::Error => error_kind::ERROR,
        Kind::Skipped => error_kind::SKIPPED,
        Kind::DeadLetter => error_kind::DEAD_LETTER,
        Kind::Parked => error_kind::PARKED,
    };
    text.to_owned()
}

fn unix_ms(time: &str) -> Option<i64> {
    time.parse().ok().map(UtcTime::unix_ms)
}

/// A queue with what lies in it.
pub(super) fn queue(survey: Survey) -> ErrorQueueView {
    let Survey { queue, looked_at, selected: _, oldest, newest, newest_reason } = survey;
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let now = i64::try_from(now.as_millis()).unwrap_or(i64::MAX);
    let age_s = |oldest: &String| Some((now - unix_ms(oldest)?).max(0).unsigned_abs() / 1000);
    ErrorQueueView {
        name: queue.name,
        kind: kind(queue.kind),
        messages: queue.messages,
        consumers: queue.consumers,
        queue_type: queue.queue_type,
        delivery_limit: queue.delivery_limit.and_then(|limit| u64::try_from(limit).ok()),
        looked_at,
        oldest_age_s: oldest.as_ref().and_then(age_s),
        oldest_at: oldest,
        newest_at: newest,
        newest_reason,
    }
}

/// A page of messages, the newest first. A look at a quorum queue changes the order in it, so a page begins behind the
/// last message of the one before, wherever that is.
pub(super) fn page(entries: Vec<Entry>, limit: usize, after: Option<Key>) -> Page<ErrorView> {
    let mut all: Vec<_> = entries.into_iter().map(|entry| (key(&entry), entry)).collect();
    all.sort_by(|one, other| one.0.cmp(&other.0));
    // A message may lie in a queue twice.
    let mut same = (Key::new(), 0);
    for (key, _) in &mut all {
        same = if same.0 == *key { (same.0, same.1 + 1) } else { (key.clone(), 0) };
        *key = key.clone().number(same.1);
    }
    all.retain(|(key, _)| after.as_ref().is_none_or(|after| key > after));
    let next = all.get(limit).and_then(|_| all.get(limit - 1));
    let next = next.map(|(last, _)| encode_cursor(last, ""));
    Page { items: all.into_iter().take(limit).map(|(_, entry)| message(entry)).collect(), next }
}

/// What is newer has a smaller one.
fn key(entry: &Entry) -> Key {
    let at = entry.failed_at.as_ref().or(entry.sent_at.as_ref());
    let ms = at.and_then(|at| unix_ms(at)).and_then(|ms| u64::try_from(ms).ok()).unwrap_or(0);
    let id: String = entry.id.chars().take(MOST_OF_ID).collect();
    Key::new().number(u64::MAX - ms).text(&id)
}

/// A message.
fn message(entry: Entry) -> ErrorView {
    let kind = kind(entry.kind);
    let Entry { id, queue, kind: _, reason, exception_type, failed_at, sent_at, message_type, .. } = entry;
    ErrorView {
        id,
        queue,
        kind,
        reason,
        exception_type,
        failed_at,
        sent_at,
        message_type,
        message_id: entry.message_id,
        command_id: entry.command_id,
        endpoint: entry.endpoint,
        bytes: entry.bytes as u64,
    }
}

/// A message in full.
pub(super) fn detail(shown: Shown) -> ErrorDetailView {
    let Shown { entry, details, body } = shown;
    let (text, base64, is_body_cut) = original(entry.kind, &body);
    let Details {
        stack_trace, consumer_type, retries, input_address, host, unreadable, message_types, ..
    } = details;
    ErrorDetailView {
        message: message(entry),
        stack_trace,
        consumer_type,
        retries: retries.and_then(|retries| u64::try_from(retries).ok()),
        input_address,
        host,
        unreadable,
        message_types,
        request_id: details.request_id,
        initiator_id: details.initiator_id,
        conversation_id: details.conversation_id,
        source_address: details.source_address,
        destination_address: details.destination_address,
        response_address: details.response_address,
        fault_address: details.fault_address,
        came_by: details.came_by,
        exchange: details.exchange,
        routing_key: details.routing_key,
        content_type: details.content_type,
        headers: details.headers.into(),
        body: text,
        body_base64: base64,
        is_body_cut,
    }
}

/// The original as text, or as base64; and whether it is cut.
fn original(kind: Kind, body: &[u8]) -> (Option<String>, Option<String>, bool) {
    let is_cut = body.len() > MOST_OF_BODY;
    // Frames of a feed are bytes, whatever they look like.
    match std::str::from_utf8(body).ok().filter(|_| kind != Kind::DeadLetter) {
        Some(text) => {
            let end = text.floor_char_boundary(MOST_OF_BODY.min(text.len()));
            (Some(text[..end].to_owned()), None, is_cut)
        }
        None => (None, Some(STANDARD.encode(&body[..body.len().min(MOST_OF_BODY)])), is_cut),
    }
}

/// What became of the selected messages.
pub(super) fn done(acted: Acted, wish: &Wish, is_cut: bool, record: Option<String>) -> ErrorsDone {
    let Acted { looked_at, selected, done, stayed, stays, first } = acted;
    let stays =
        stays.into_iter().map(|Stayed { entry, reason }| StayedError { message: message(entry), reason });
    ErrorsDone {
        is_dry_run: wish.is_dry_run,
        looked_at,
        selected,
        done,
        stayed,
        stays: stays.collect(),
        first: first.into_iter().map(message).collect(),
        is_cut,
        record: record.filter(|_| done > 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_the_newest_first_and_leave_nothing_out() {
        let entry = |id: &str, failed_at: Option<&str>| Entry {
            id: id.to_owned(),
            failed_at: failed_at.map(str::to_owned),
            ..Entry::default()
        };
        let all = vec![
            entry("old", Some("2026-01-01T00:00:00Z")),
            entry("undated", None),
            entry("twice", Some("2026-01-02T00:00:00Z")),
            entry("new", Some("2026-01-03T00:00:00.5Z")),
            entry("twice", Some("2026-01-02T00:00:00Z")),
        ];
        let mut after = None;
        let mut ids = Vec::new();
        loop {
            let page = page(all.clone(), 2, after);
            assert!(page.items.len() <= 2);
            ids.extend(page.items.into_iter().map(|one| one.id));
            let Some(next) = page.next else { break };
            after = crate::documents::decode_cursor(&next).map(|(key, _)| key);
        }
        assert_eq!(ids, ["new", "twice", "twice", "old", "undated"]);
    }

    #[test]
    fn an_original_is_text_or_base64_and_bounded() {
        assert_eq!(original(Kind::Error, b"{}"), (Some("{}".to_owned()), None, false));
        assert_eq!(original(Kind::DeadLetter, b"{}"), (None, Some("e30=".to_owned()), false));
        assert_eq!(original(Kind::Error, &[255]), (None, Some("/w==".to_owned()), false));
        let long = "é".repeat(MOST_OF_BODY);
        let (text, _, is_cut) = original(Kind::Error, long.as_bytes());
        assert!(is_cut && text.is_some_and(|text| text.len() == MOST_OF_BODY));
    }
}
