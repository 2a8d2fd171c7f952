//! Messages as readable values, the same for both protocols.

use serde_json::{Value as Json, json};
use signalr::Keys;
use signalr::message::{Incoming, Outcome, Payload};
use signalr::protocol::{Codec, Protocol, Splitter};

use crate::messagepack;

pub(crate) const JSON: Codec = Codec { protocol: Protocol::Json, keys: Keys::AsInJson };
pub(crate) const MESSAGE_PACK: Codec = Codec { protocol: Protocol::MessagePack, keys: Keys::AsInJson };

/// A message as it was decoded.
pub(crate) fn of_message(message: &Incoming) -> Json {
    match message {
        Incoming::Invocation(call) => with_id(
            call.id.as_ref(),
            json!({
                "type": if call.is_stream { 4 } else { 1 },
                "target": call.target,
                "arguments": call.arguments.iter().map(of_payload).collect::<Vec<_>>(),
                "streamIds": call.stream_ids,
            }),
        ),
        Incoming::StreamItem { id, item } => json!({"type": 2, "invocationId": id, "item": of_payload(item)}),
        Incoming::Completion { id, outcome } => match outcome {
            Outcome::Void => json!({"type": 3, "invocationId": id}),
            Outcome::Result(result) => json!({"type": 3, "invocationId": id, "result": of_payload(result)}),
            Outcome::Error(error) => json!({"type": 3, "invocationId": id, "error": error}),
        },
        Incoming::CancelInvocation { id } => json!({"type": 5, "invocationId": id}),
        Incoming::Ping => json!({"type": 6}),
        Incoming::Close { error: None } => json!({"type": 7}),
        Incoming::Close { error } => json!({"type": 7, "error": error}),
        Incoming::Ack { sequence } => json!({"type": 8, "sequenceId": sequence}),
        Incoming::Sequence { sequence } => json!({"type": 9, "sequenceId": sequence}),
    }
}

fn of_payload(payload: &Payload) -> Json {
    match payload.codec.protocol {
        Protocol::Json => serde_json::from_slice(&payload.bytes).expect("an argument is JSON"),
        Protocol::MessagePack => messagepack::value(&payload.bytes).expect("an argument is MessagePack").0,
    }
}

/// A message as another reader than this crate's sees it.
pub(crate) fn of_bytes(codec: Codec, message: &[u8]) -> Json {
    if codec.protocol == Protocol::MessagePack {
        return of_array(&messagepack::value(message).expect("MessagePack").0);
    }
    let mut message: Json = serde_json::from_slice(message).expect("JSON");
    let properties = message.as_object_mut().expect("an object");
    properties.remove("allowReconnect");
    if matches!(properties["type"].as_u64(), Some(1 | 4)) {
        properties.entry("streamIds").or_insert(json!([]));
    }
    message
}

fn of_array(array: &Json) -> Json {
    let kind = &array[0];
    let id = array[2].as_str().map(str::to_owned);
    match kind.as_u64().expect("a type") {
        1 | 4 => {
            let stream_ids = array.get(5).cloned().unwrap_or(json!([]));
            let call =
                json!({"type": kind, "target": array[3], "arguments": array[4], "streamIds": stream_ids});
            with_id(id.as_ref(), call)
        }
        2 => json!({"type": 2, "invocationId": id, "item": array[3]}),
        3 => match array[3].as_u64().expect("a kind") {
            1 => json!({"type": 3, "invocationId": id, "error": array[4]}),
            2 => json!({"type": 3, "invocationId": id}),
            _ => json!({"type": 3, "invocationId": id, "result": array[4]}),
        },
        5 => json!({"type": 5, "invocationId": id}),
        7 if array[1].is_null() => json!({"type": 7}),
        7 => json!({"type": 7, "error": array[1]}),
        8 | 9 => json!({"type": kind, "sequenceId": array[1]}),
        _ => json!({"type": kind}),
    }
}

fn with_id(id: Option<&String>, mut message: Json) -> Json {
    if let Some(id) = id {
        message["invocationId"] = json!(id);
    }
    message
}

/// Whole messages, cut by the simplest means.
pub(crate) fn cut(codec: Codec, mut bytes: &[u8]) -> Vec<&[u8]> {
    let mut messages = Vec::new();
    while !bytes.is_empty() {
        let (start, end, next) = match codec.protocol {
            Protocol::Json => {
                let end = bytes.iter().position(|byte| *byte == 0x1e).expect("a separator");
                (0, end, end + 1)
            }
            Protocol::MessagePack => {
                let start = 1 + bytes.iter().position(|byte| byte & 0x80 == 0).expect("a length");
                let length = bytes[..start]
                    .iter()
                    .rev()
                    .fold(0, |length, byte| length << 7 | usize::from(byte & 0x7f));
                (start, start + length, start + length)
            }
        };
        messages.push(&bytes[start..end]);
        bytes = &bytes[next..];
    }
    messages
}

/// Cuts and decodes all messages with this crate.
pub(crate) fn decode(codec: Codec, bytes: &[u8]) -> Vec<Incoming> {
    let mut splitter = Splitter::new(codec.protocol, bytes.len().max(1));
    splitter.push(&bytes.to_vec().into());
    let mut decoded = Vec::new();
    while let Some(message) = splitter.next_message().expect("messages") {
        decoded.extend(codec.decode(&message).expect("a message"));
    }
    decoded
}
