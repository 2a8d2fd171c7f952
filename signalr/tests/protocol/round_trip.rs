//! What one side writes the other reads.

use proptest::collection::vec;
use proptest::prelude::*;
use signalr::message::{Incoming, Invocation, Outcome, Payload};
use signalr::protocol::Codec;

use crate::sent;
use crate::view::{JSON, MESSAGE_PACK};

type Value = (Option<String>, i64, Vec<u8>);

fn value() -> impl Strategy<Value = Value> {
    (any::<Option<String>>(), any::<i64>(), vec(any::<u8>(), 0..4))
}

fn encoded(codec: Codec) -> impl Strategy<Value = Payload> {
    value().prop_map(move |value| Payload::of(codec, &value).unwrap())
}

fn id() -> impl Strategy<Value = String> {
    ".{1,12}"
}

/// Everything that a server sends and that stands in what is read.
fn message(codec: Codec) -> impl Strategy<Value = Incoming> {
    let call =
        (proptest::option::of(id()), id(), vec(encoded(codec), 0..20)).prop_map(|(id, target, arguments)| {
            Incoming::Invocation(Invocation {
                id,
                target,
                arguments,
                stream_ids: Vec::new(),
                is_stream: false,
            })
        });
    let outcome = prop_oneof![
        Just(Outcome::Void),
        encoded(codec).prop_map(Outcome::Result),
        any::<String>().prop_map(Outcome::Error),
    ];
    prop_oneof![
        call,
        (id(), encoded(codec)).prop_map(|(id, item)| Incoming::StreamItem { id, item }),
        (id(), outcome).prop_map(|(id, outcome)| Incoming::Completion { id, outcome }),
        Just(Incoming::Ping),
        any::<Option<String>>().prop_map(|error| Incoming::Close { error }),
        (0..i64::MAX as u64).prop_map(|sequence| Incoming::Ack { sequence }),
        (0..i64::MAX as u64).prop_map(|sequence| Incoming::Sequence { sequence }),
    ]
}

fn codec_and_messages() -> impl Strategy<Value = (Codec, Vec<Incoming>)> {
    prop_oneof![Just(JSON), Just(MESSAGE_PACK)]
        .prop_flat_map(|codec| (Just(codec), vec(message(codec), 0..8)))
}

proptest! {
    #[test]
    fn what_is_written_is_read((codec, messages) in codec_and_messages()) {
        let bytes: Vec<u8> = messages.iter().flat_map(|message| sent::again(codec, message, true)).collect();
        prop_assert_eq!(crate::view::decode(codec, &bytes), messages);
    }

    #[test]
    fn any_value_comes_back(value in value(), is_json in any::<bool>()) {
        let codec = if is_json { JSON } else { MESSAGE_PACK };
        prop_assert_eq!(Payload::of(codec, &value).unwrap().read::<Value>().unwrap(), value);
    }
}
