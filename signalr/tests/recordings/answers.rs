//! Answers to requests, compared field by field.

use serde_json::Value as Json;

use crate::data::{payload, text};
use crate::link::{Seen, find};
use crate::messages::{self, countable, messages};
use crate::server::headers;

/// The server's name and date are its own, and how a body is framed is between it and the client's HTTP.
const NOT_COMPARED: [&str; 4] = ["date", "server", "content-length", "transfer-encoding"];

/// How an answer differs from a recorded one.
pub(crate) fn differences(ours: &Seen, recorded: &Json, protocol: &str) -> Vec<String> {
    let mut differences = Vec::new();
    let Some(head) = &ours.head else { return vec!["no answer".to_owned()] };
    if u64::from(head.status) != recorded["status"].as_u64().unwrap() {
        differences.push(format!("status {}, recorded {}", head.status, recorded["status"]));
    }
    if recorded["reason"].is_string() && head.reason != text(&recorded["reason"]) {
        differences.push(format!("reason {}, recorded {}", head.reason, recorded["reason"]));
    }
    let (ours_sorted, theirs_sorted) = (compared(&head.headers), compared(&headers(recorded)));
    if ours_sorted != theirs_sorted {
        differences.push(format!("headers {ours_sorted:?}, recorded {theirs_sorted:?}"));
    }
    differences.extend(body(ours, recorded, protocol));
    differences
}

/// Headers that are compared, in an order that does not vary.
pub(crate) fn compared(headers: &[(String, String)]) -> Vec<(String, String)> {
    let all = headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.clone()));
    let mut compared: Vec<_> = all.filter(|(name, _)| !NOT_COMPARED.contains(&name.as_str())).collect();
    for (name, value) in &mut compared {
        if name == "connection" || name == "upgrade" {
            value.make_ascii_lowercase();
        }
    }
    compared.sort();
    compared
}

fn body(ours: &Seen, recorded: &Json, protocol: &str) -> Vec<String> {
    let theirs = payload(&recorded["body"]);
    let is_open = recorded["bodyEnded"] == false;
    if ours.status() != Some(101) && ours.is_body_ended == is_open {
        return vec![if is_open { "the body ends".to_owned() } else { "the body does not end".to_owned() }];
    }
    if ours.body == theirs {
        return Vec::new();
    }
    let kind = headers(recorded).into_iter().find(|(name, _)| name == "Content-Type").map(|(_, value)| value);
    let hub_messages = |bytes: &[u8]| countable(messages(protocol, bytes));
    match kind.as_deref() {
        Some("application/json") => {
            let value = |bytes: &[u8]| messages::from_json(bytes);
            let (ours, theirs) = (value(&ours.body), value(&theirs));
            (ours != theirs).then(|| format!("body {ours}, recorded {theirs}")).into_iter().collect()
        }
        Some("application/octet-stream") => {
            messages::differences("body", &hub_messages(&ours.body), &hub_messages(&theirs))
        }
        Some("text/event-stream") if protocol != "none" => {
            let (ours, theirs) = (events(&ours.body), events(&theirs));
            messages::differences("events", &hub_messages(&ours), &hub_messages(&theirs))
        }
        _ => vec![format!("body {:?}, recorded {:?}", lossy(&ours.body), lossy(&theirs))],
    }
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// What the events of a stream carry, put together; the opening comment is none.
pub(crate) fn events(body: &[u8]) -> Vec<u8> {
    let mut carried = Vec::new();
    let mut rest = body;
    while let Some(end) = find(rest, b"\r\n") {
        carried.extend_from_slice(rest[..end].strip_prefix(b"data: ".as_slice()).unwrap_or_default());
        rest = &rest[end + 2..];
    }
    carried
}
