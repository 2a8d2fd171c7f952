//! Hub messages as values, so that those of two servers can be compared.

use std::collections::BTreeSet;

use serde_json::{Map, Number, Value as Json, json};

use crate::data::to_hex;
use crate::messagepack;

const SEPARATOR: u8 = 0x1e;
const INVOCATION: u64 = 1;
const STREAM_ITEM: u64 = 2;
const COMPLETION: u64 = 3;
const STREAM_INVOCATION: u64 = 4;
const CANCEL: u64 = 5;
const PING: u64 = 6;
const CLOSE: u64 = 7;
const ACK: u64 = 8;

/// Cuts the bytes of one direction of a connection into messages, and makes each a value. What is no whole message is kept as
/// `{"rest": …}`.
pub(crate) fn messages(protocol: &str, bytes: &[u8]) -> Vec<Json> {
    let mut messages = Vec::new();
    let mut rest = bytes;
    while let Some((message, after)) = next(protocol, rest) {
        messages.push(message);
        rest = after;
    }
    if !rest.is_empty() {
        messages.push(json!({"rest": to_hex(rest)}));
    }
    messages
}

fn next<'a>(protocol: &str, bytes: &'a [u8]) -> Option<(Json, &'a [u8])> {
    // The answer to the handshake is JSON, whatever the protocol; no MessagePack message of 123 bytes was recorded.
    if protocol == "messagepack" && bytes.first() != Some(&b'{') {
        let (length, rest) = prefix(bytes)?;
        let (message, after) = rest.split_at_checked(length)?;
        return Some((by_value(messagepack::value(message)?.0), after));
    }
    let end = bytes.iter().position(|byte| *byte == SEPARATOR)?;
    let text = String::from_utf8_lossy(&bytes[..end]);
    let message = serde_json::from_str(&text).unwrap_or_else(|_| json!({"no JSON": text}));
    Some((by_value(message), &bytes[end + 1..]))
}

/// A whole JSON text, by value.
pub(crate) fn from_json(bytes: &[u8]) -> Json {
    serde_json::from_slice(bytes)
        .map_or_else(|_| json!({"no JSON": String::from_utf8_lossy(bytes)}), by_value)
}

/// A message's length, and what follows it.
fn prefix(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let mut length = 0;
    for (index, byte) in bytes.iter().take(5).enumerate() {
        length |= usize::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Some((length, &bytes[index + 1..]));
        }
    }
    None
}

/// JSON without its spelling: `1.0` is `1`, `1E+2` is `100`, and ids, which are new in every run, are all the same.
fn by_value(value: Json) -> Json {
    match value {
        Json::Number(number) => Json::Number(plain(number)),
        Json::String(text) if is_id(&text) => json!("(id)"),
        Json::Array(items) => Json::Array(items.into_iter().map(by_value).collect()),
        Json::Object(fields) => Json::Object(
            fields.into_iter().map(|(name, value)| (name, by_value(value))).collect::<Map<_, _>>(),
        ),
        other => other,
    }
}

fn plain(number: Number) -> Number {
    match number.as_f64() {
        #[expect(clippy::cast_possible_truncation, reason = "a whole number below 2^53 fits")]
        Some(float) if number.is_f64() && float.fract() == 0.0 && float.abs() < 9e15 => {
            Number::from(float as i64)
        }
        _ => number,
    }
}

/// Whether a text is a connection's id or token: 128 random bits.
fn is_id(text: &str) -> bool {
    let is_letter = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_');
    text.len() == 22 && text.chars().all(is_letter) && text.chars().any(|letter| letter.is_ascii_uppercase())
}

/// A message's type.
pub(crate) fn kind(message: &Json) -> Option<u64> {
    message["type"].as_u64().or_else(|| message[0].as_u64())
}

/// How often they come varies.
pub(crate) fn is_ping(message: &Json) -> bool {
    kind(message) == Some(PING)
}

/// The number of an Ack.
pub(crate) fn ack(message: &Json) -> Option<u64> {
    let number = message["sequenceId"].as_u64().or_else(|| message[1].as_u64());
    (kind(message) == Some(ACK)).then_some(number).flatten()
}

/// The messages whose number does not vary.
pub(crate) fn countable(messages: Vec<Json>) -> Vec<Json> {
    messages.into_iter().filter(|message| !is_ping(message) && ack(message).is_none()).collect()
}

/// Messages whose order and number do not vary, apart from those whose moment does.
#[derive(Debug, Default)]
pub(crate) struct Settled {
    pub(crate) messages: Vec<Json>,
    /// Items that come by the clock, each time one more.
    pub(crate) timed: Vec<Json>,
    /// How streams ended that the client cancelled.
    pub(crate) cancelled: BTreeSet<String>,
}

/// Sorts what a server sent by what varies. `sent`: what the client sent.
pub(crate) fn settled(received: Vec<Json>, sent: &[Json]) -> Settled {
    let of_kind = |wanted| sent.iter().filter(move |sent| kind(sent) == Some(wanted));
    let cancelled: Vec<_> = of_kind(CANCEL).filter_map(id).collect();
    let timed: Vec<_> =
        of_kind(STREAM_INVOCATION).filter(|sent| target(sent) == Some("Endless")).filter_map(id).collect();
    let client_stops = of_kind(CLOSE).next().is_some();
    let mut settled = Settled::default();
    for message in countable(received) {
        let is_one_of = |ids: &[&str]| id(&message).is_some_and(|id| ids.contains(&id));
        match kind(&message) {
            Some(STREAM_ITEM) if is_one_of(&timed) => settled.timed.push(message),
            Some(COMPLETION) if is_one_of(&cancelled) => _ = settled.cancelled.insert(message.to_string()),
            // Whether the server's Close still comes when the client stops varies, and whether it allows reconnecting.
            Some(CLOSE) if client_stops && message["error"].is_null() && message[1].is_null() => {}
            _ => settled.messages.push(message),
        }
    }
    settled
}

impl Settled {
    /// Whether as much has come as was recorded.
    pub(crate) fn has_all_of(&self, recorded: &Self) -> bool {
        self.messages.len() >= recorded.messages.len()
            && self.timed.len() >= recorded.timed.len()
            && self.cancelled.len() >= recorded.cancelled.len()
    }

    /// How it differs from what was recorded. More items of the clock are none.
    pub(crate) fn differences(&self, what: &str, recorded: &Self) -> Vec<String> {
        let mut found = differences(what, &self.messages, &recorded.messages);
        if !self.timed.starts_with(&recorded.timed) {
            found.push(format!("{what}: timed items {:?}, recorded {:?}", self.timed, recorded.timed));
        }
        if self.cancelled != recorded.cancelled {
            found.push(format!(
                "{what}: cancelled streams end as {:?}, recorded {:?}",
                self.cancelled, recorded.cancelled
            ));
        }
        found
    }
}

fn id(message: &Json) -> Option<&str> {
    message["invocationId"].as_str().or_else(|| message[2].as_str())
}

fn target(message: &Json) -> Option<&str> {
    message["target"].as_str().or_else(|| message[3].as_str())
}

/// The ids of calls that want an answer.
pub(crate) fn calls(sent: &[Json]) -> impl Iterator<Item = &str> {
    sent.iter().filter(|sent| matches!(kind(sent), Some(INVOCATION | STREAM_INVOCATION))).filter_map(id)
}

/// Whether a call of this id was answered.
pub(crate) fn is_answered(received: &[Json], call: &str) -> bool {
    received.iter().any(|message| kind(message) == Some(COMPLETION) && id(message) == Some(call))
}

/// The id of a call of the server that asks for a result (`s1`, `s2`, …).
pub(crate) fn question(message: &Json) -> Option<&str> {
    let id = message["invocationId"].as_str().or_else(|| message[2].as_str())?;
    let is_numbered = id.strip_prefix('s').is_some_and(|number| number.parse::<u64>().is_ok());
    (kind(message) == Some(INVOCATION) && is_numbered).then_some(id)
}

/// The same message with the id of a question left out.
pub(crate) fn without_question(message: &Json) -> Json {
    let mut message = message.clone();
    if question(&message).is_some() {
        let id = if message.is_array() { &mut message[2] } else { &mut message["invocationId"] };
        *id = json!("(question)");
    }
    message
}

/// Replaces the id of a question in a message that the client sends.
pub(crate) fn answer(protocol: &str, message: &[u8], recorded: &str, ours: &str) -> Vec<u8> {
    if protocol == "json" {
        let text = String::from_utf8(message.to_vec()).unwrap();
        return text.replace(&format!("\"{recorded}\""), &format!("\"{ours}\"")).into_bytes();
    }
    let (_, body) = prefix(message).expect("a whole message");
    let packed = |id: &str| [&[0xa0 | u8::try_from(id.len()).unwrap()], id.as_bytes()].concat();
    let (from, to) = (packed(recorded), packed(ours));
    let at = crate::link::find(body, &from).expect("the id is in the message");
    let body = [&body[..at], &to, &body[at + from.len()..]].concat();
    assert!(body.len() < 0x80, "an answer is short");
    [&[u8::try_from(body.len()).unwrap()], body.as_slice()].concat()
}

/// How two lists of messages differ: each pair that does, where one list is as long as the other.
pub(crate) fn differences(what: &str, ours: &[Json], recorded: &[Json]) -> Vec<String> {
    let pairs = ours.iter().zip(recorded).enumerate();
    let differing =
        pairs.filter(|(_, (ours, recorded))| without_question(ours) != without_question(recorded));
    let differing = differing.map(|(index, (ours, recorded))| {
        format!("{what}: message {} is {}, recorded {}", index + 1, short(ours), short(recorded))
    });
    if ours.len() == recorded.len() {
        return differing.collect();
    }
    let mut found: Vec<_> = differing.take(1).collect();
    let shared = ours.len().min(recorded.len());
    let new = ours[shared..].iter().map(|message| format!("{what}: {} was not recorded", short(message)));
    let missing = recorded[shared..].iter().map(|message| format!("{what}: {} is missing", short(message)));
    found.extend(new.chain(missing).take(2));
    found
}

pub(crate) fn short(message: &Json) -> String {
    let text = message.to_string();
    match text.char_indices().nth(200) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
