//! A message that was decoded, as this crate sends it.

use bytes::Bytes;
use signalr::message::{Incoming, Outcome, Outgoing, Payload};
use signalr::protocol::{Codec, Protocol};

/// Encodes it again. Only what a server sends can be.
pub(crate) fn again(codec: Codec, message: &Incoming, allow_reconnect: bool) -> Bytes {
    match message {
        Incoming::Invocation(call) => codec.encode(&Outgoing::Invocation {
            id: call.id.as_deref(),
            target: &call.target,
            arguments: &array(codec, &call.arguments),
        }),
        Incoming::StreamItem { id, item } => codec.encode(&Outgoing::StreamItem { id, item }),
        Incoming::Completion { id, outcome } => {
            let outcome = match outcome {
                Outcome::Void => Outcome::Void,
                Outcome::Result(result) => Outcome::Result(result),
                Outcome::Error(error) => Outcome::Error(error.clone()),
            };
            codec.encode(&Outgoing::Completion { id, outcome, is_stream: true })
        }
        Incoming::CancelInvocation { .. } => panic!("a server cancels nothing"),
        Incoming::Ping => codec.encode(&Outgoing::Ping),
        Incoming::Close { error } => {
            codec.encode(&Outgoing::Close { error: error.as_deref(), allow_reconnect })
        }
        Incoming::Ack { sequence } => codec.encode(&Outgoing::Ack { sequence: *sequence }),
        Incoming::Sequence { sequence } => codec.encode(&Outgoing::Sequence { sequence: *sequence }),
    }
}

/// One payload of all arguments.
pub(crate) fn array(codec: Codec, arguments: &[Payload]) -> Payload {
    let values: Vec<&[u8]> = arguments.iter().map(|argument| &argument.bytes[..]).collect();
    let bytes = match codec.protocol {
        Protocol::Json => [b"[", &values.join(&b","[..])[..], b"]"].concat(),
        Protocol::MessagePack => {
            let mut bytes = Vec::new();
            rmp::encode::write_array_len(&mut bytes, values.len() as u32).unwrap();
            bytes.extend(values.concat());
            bytes
        }
    };
    Payload { codec, bytes: bytes.into() }
}
