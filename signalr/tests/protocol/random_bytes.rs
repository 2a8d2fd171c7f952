//! Whatever comes, nothing panics and nothing above the limit is kept. `PROPTEST_CASES` sets how much is tried.

use std::time::Instant;

use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::Value as Json;
use signalr::conversation::{Conversation, Step};
use signalr::message::{Incoming, Outcome, Payload};
use signalr::protocol::{Codec, HandshakeRequest, Protocol};
use signalr::{Keys, Options};

use crate::view::{JSON, MESSAGE_PACK};

const CODECS: [Codec; 3] =
    [JSON, MESSAGE_PACK, Codec { protocol: Protocol::MessagePack, keys: Keys::PascalCase }];

/// Pieces from which messages are made, so that chance comes far.
fn json() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        "[\\[\\]{}:,\"\\\\ ]",
        Just("\"type\":".to_owned()),
        Just("{\"type\":1,\"target\":\"A\",\"arguments\":[".to_owned()),
        "\"(invocationId|target|arguments|streamIds|headers|item|result|error|sequenceId|allowReconnect)\":",
        "-?[0-9]{1,3}(\\.[0-9])?([eE][+-]?[0-9])?",
        "\"(\\\\u[0-9a-fA-F]{2,4}|\\\\[nx\"]|[a-z])\"?",
        "true|false|null",
        Just("\u{1e}".to_owned()),
        "\\PC{0,3}",
    ];
    let text = vec(piece, 0..40).prop_map(|pieces| pieces.concat().into_bytes());
    (text, vec((any::<prop::sample::Index>(), any::<u8>()), 0..2)).prop_map(damaged)
}

fn message_pack() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        vec(any::<u8>(), 1..3),
        vec(0x90..0xa4u8, 1..3),
        (0..12u8).prop_map(|kind| vec![0x95, kind, 0x80, 0xa1, b'1', 0xa1, b'A', 0x91]),
        Just(vec![0xdd, 0xff, 0xff, 0xff, 0xff]),
        Just(vec![0xdb, 0xff, 0xff, 0xff, 0xff]),
        vec(Just(0x91u8), 50..70),
        (0xc0..0xdfu8, vec(any::<u8>(), 0..6)).prop_map(|(marker, rest)| [vec![marker], rest].concat()),
    ];
    let bytes = vec(piece, 0..12).prop_map(|pieces| pieces.concat());
    (bytes, vec((any::<prop::sample::Index>(), any::<u8>()), 0..2)).prop_map(damaged)
}

fn damaged((mut bytes, damage): (Vec<u8>, Vec<(prop::sample::Index, u8)>)) -> Vec<u8> {
    for (index, byte) in damage {
        if !bytes.is_empty() {
            let at = index.index(bytes.len());
            bytes[at] = byte;
        }
    }
    bytes
}

fn read_all(payload: &Payload) {
    let _ = payload.read::<Json>();
    let _ = payload.read::<(i32, String)>();
    let _ = payload.read::<Option<Vec<f64>>>();
    let _ = payload.read::<serde::de::IgnoredAny>();
}

fn decode(codec: Codec, bytes: &[u8]) {
    let message = Bytes::copy_from_slice(bytes);
    let whole = message.as_ptr_range();
    let Ok(Some(decoded)) = codec.decode(&message) else { return };
    let payloads = match decoded {
        Incoming::Invocation(call) => call.arguments,
        Incoming::StreamItem { item, .. } => vec![item],
        Incoming::Completion { outcome: Outcome::Result(result), .. } => vec![result],
        _ => Vec::new(),
    };
    for payload in payloads {
        assert!(payload.bytes.is_empty() || whole.contains(&payload.bytes.as_ptr()));
        read_all(&payload);
    }
}

/// Whether JSON that this crate takes is JSON for another reader, too, but for what stands behind it.
fn is_json(bytes: &[u8]) -> bool {
    let mut values = serde_json::Deserializer::from_slice(bytes).into_iter::<Json>();
    values.next().is_some_and(|value| value.is_ok())
}

fn converse(bytes: &[u8], handshake: &[u8], cuts: &[usize]) {
    let now = Instant::now();
    let options = Options { max_message_bytes: 200, ..Options::default() };
    let mut conversation = Conversation::begin(&options, now, true, false, false);
    let mut rest = Bytes::from([handshake, bytes].concat());
    for cut in cuts.iter().copied().chain([usize::MAX]) {
        conversation.receive(now, &rest.split_to(cut.min(rest.len())));
        while let Ok(Some(step)) = conversation.next_step() {
            if let Step::Message(Incoming::Invocation(call)) = step {
                call.arguments.iter().for_each(read_all);
            }
        }
        if cut % 3 == 0 {
            conversation.reattached(now);
        }
    }
    let _ = conversation.due();
    let _ = conversation.on_time(now + options.client_timeout);
}

proptest! {
    #[test]
    fn any_bytes_are_decoded_or_refused(bytes in vec(any::<u8>(), 0..80)) {
        let _ = HandshakeRequest::read(&bytes);
        for codec in CODECS {
            decode(codec, &bytes);
        }
    }

    #[test]
    fn near_messages_in_json_are_decoded_or_refused(bytes in json()) {
        let _ = HandshakeRequest::read(&bytes);
        decode(JSON, &bytes);
        let is_utf_8 = std::str::from_utf8(&bytes).is_ok();
        let has_surrogate = bytes.windows(2).any(|pair| pair == b"\\u");
        if is_utf_8 && !has_surrogate && JSON.decode(&Bytes::copy_from_slice(&bytes)).is_ok() {
            prop_assert!(is_json(&bytes));
        }
    }

    #[test]
    fn near_messages_in_messagepack_are_decoded_or_refused(bytes in message_pack()) {
        for codec in &CODECS[1..] {
            decode(*codec, &bytes);
        }
    }

    #[test]
    fn any_conversation_goes_on_or_ends(
        text in json(),
        binary in message_pack(),
        cuts in vec(0..60usize, 0..6),
    ) {
        converse(&text, b"", &cuts);
        converse(&text, b"{\"protocol\":\"json\",\"version\":2}\x1e", &cuts);
        converse(&binary, b"{\"protocol\":\"messagepack\",\"version\":2}\x1e", &cuts);
    }
}
