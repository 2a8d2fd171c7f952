//! Frames by hand: what ends a connection, and what does not; and the numbers of stateful connections.

use std::time::{Duration, Instant};

use serde_json::Value as Json;
use signalr::Options;
use signalr::conversation::{Conversation, Due, Ended, Step};
use signalr::message::Incoming;
use signalr::protocol::{Codec, Protocol};

use crate::data::{list, payload, probes, text, to_hex};
use crate::view;

const SECOND: Duration = Duration::from_secs(1);
const CLOSED_WITH_ERROR: &str = "Connection closed with an error.";

/// A length above the limit is refused when it is read. ASP.NET Core waits for the bytes.
const REFUSED_EARLIER: [&str; 3] = [
    "messagepack: length 2^31-1",
    "messagepack: length above the limit, limit 512",
    // What follows is taken for the length of the next message.
    "messagepack: length longer than the content",
];

#[derive(Debug, PartialEq)]
enum Outcome {
    GoesOn,
    Refused(String),
    Ended,
}

#[test]
fn every_probe_ends_the_connection_or_does_not_as_with_aspnet_core() {
    let mut seen = 0;
    for case in probes("probes-websocket") {
        let name = text(&case["name"]);
        let is_of_protocol =
            ["handshake:", "json:", "messagepack:"].iter().any(|kind| name.starts_with(kind));
        if !is_of_protocol {
            continue;
        }
        seen += 1;
        let expected = if REFUSED_EARLIER.contains(&name) { Outcome::Ended } else { recorded(&case) };
        assert_eq!(outcome(&case, &expected), expected, "{name}");
    }
    assert!(seen > 300, "only {seen} probes");
}

fn recorded(case: &Json) -> Outcome {
    for received in list(&case["received"]) {
        let bytes = payload(received);
        if let Some(refusal) = bytes.strip_prefix(b"{\"error\":") {
            let text = serde_json::from_slice(refusal.strip_suffix(b"}\x1e").unwrap()).unwrap();
            return Outcome::Refused(text);
        }
        if to_hex(&bytes).contains(&to_hex(CLOSED_WITH_ERROR.as_bytes())) {
            return Outcome::Ended;
        }
    }
    Outcome::GoesOn
}

fn outcome(case: &Json, expected: &Outcome) -> Outcome {
    let now = Instant::now();
    let max_message_bytes = if case["hub"] == "/hubs/small" { 512 } else { 32 * 1024 };
    let options = Options { max_message_bytes, ..Options::default() };
    let mut conversation = Conversation::begin(&options, now, false, false, false);
    for sent in list(&case["sent"]) {
        if sent["opcode"] == "close" {
            break;
        }
        conversation.receive(now, &payload(sent).into());
        loop {
            match conversation.next_step() {
                Ok(None) => break,
                Ok(Some(Step::Message(Incoming::Close { .. }))) => return Outcome::GoesOn,
                Ok(Some(_)) => {}
                Err(Ended::Handshake(text)) => return Outcome::Refused(text),
                Err(_) => return Outcome::Ended,
            }
        }
    }
    match conversation.on_time(now + 15 * SECOND) {
        Some(Due::End(Ended::Handshake(text))) if *expected != Outcome::GoesOn => Outcome::Refused(text),
        _ => Outcome::GoesOn,
    }
}

/// ASP.NET Core does not count an item of a stream that it does not know, though clients do.
const COUNTS_ONE_MORE: &str = "stateful: Acks and their time";

#[test]
fn stateful_probes_are_counted_as_by_aspnet_core() {
    let mut seen = 0;
    for case in probes("probes-stateful") {
        let name = text(&case["name"]);
        let log = list(&case["log"]);
        // Two sockets at once, and frames that the log only describes.
        let is_other = name.contains("takeover")
            || log.iter().any(|entry| entry["note"].as_str().is_some_and(|note| note.starts_with("sent:")));
        if is_other {
            continue;
        }
        seen += 1;
        let (answered, mut acknowledged) = recorded_answers(log);
        if name.starts_with(COUNTS_ONE_MORE) {
            acknowledged = acknowledged.map(|number| number + 1);
        }
        let (delivered, count) = counted(log, !name.contains("did not ask"));
        assert_eq!(delivered, answered, "{name}");
        if let Some(acknowledged) = acknowledged {
            assert_eq!(count, Some(acknowledged), "{name}");
        }
    }
    assert!(seen > 20, "only {seen} probes");
}

fn codec(log: &[Json]) -> Codec {
    let is_binary = log.iter().any(|entry| entry["hex"].is_string());
    if is_binary { view::MESSAGE_PACK } else { view::JSON }
}

/// The ids of the calls that were answered, and the last Ack.
fn recorded_answers(log: &[Json]) -> (Vec<String>, Option<u64>) {
    let mut answered = Vec::new();
    let mut acknowledged = None;
    for entry in log.iter().filter(|entry| entry["from"] == "server" && entry["opcode"].is_string()) {
        let bytes = payload(entry);
        if bytes == b"{}\x1e" || entry["opcode"] == "close" {
            continue;
        }
        for message in view::decode(codec(log), &bytes) {
            match message {
                Incoming::Completion { id, .. } if !answered.contains(&id) => answered.push(id),
                Incoming::Ack { sequence } => acknowledged = Some(sequence),
                _ => {}
            }
        }
    }
    (answered, acknowledged)
}

/// The ids of the calls that are acted on, and the number to acknowledge last.
fn counted(log: &[Json], may_be_stateful: bool) -> (Vec<String>, Option<u64>) {
    let now = Instant::now();
    let mut conversation = Conversation::begin(&Options::default(), now, may_be_stateful, false, false);
    let mut delivered = Vec::new();
    let mut acknowledged = None;
    for entry in log {
        let time = now + Duration::from_millis(entry["t"].as_u64().unwrap_or_default());
        while let Some(due) = conversation.on_time(time) {
            let Due::Ack(number) = due else { return (delivered, acknowledged) };
            acknowledged = Some(number);
        }
        if entry["status"] == 101 && entry["socket"] != 1 {
            conversation.reattached(time);
        }
        if entry["from"] != "client" || !entry["opcode"].is_string() || entry["opcode"] == "close" {
            continue;
        }
        conversation.receive(time, &payload(entry).into());
        while let Ok(Some(step)) = conversation.next_step() {
            match step {
                Step::Message(Incoming::Invocation(call)) if call.target != "Abort" => {
                    delivered.extend(call.id)
                }
                Step::Opened { codec, .. } => {
                    assert!(matches!(codec.protocol, Protocol::Json | Protocol::MessagePack))
                }
                _ => {}
            }
        }
    }
    (delivered, acknowledged)
}
