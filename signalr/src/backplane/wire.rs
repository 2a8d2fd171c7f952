//! An envelope as bytes: a version, the length of a header in MessagePack, the header, and the messages as they are.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{Envelope, Recipients};

/// Instances of another version are not understood.
const VERSION: u8 = 1;

#[derive(Serialize, Deserialize)]
enum Header {
    Send { to: Recipients, key: Option<String>, json_bytes: usize },
    Join { connection: String, group: String },
    Leave { connection: String, group: String },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum WireError {
    #[error("an envelope of another version: run the same version on all instances")]
    Version,
    #[error("an envelope that is cut or malformed")]
    Malformed,
}

pub(super) fn encode(envelope: Envelope) -> Result<Bytes, rmp_serde::encode::Error> {
    let (header, json, messagepack) = match envelope {
        Envelope::Send { to, key, json, messagepack } => {
            (Header::Send { to, key, json_bytes: json.len() }, json, messagepack)
        }
        Envelope::Join { connection, group } => {
            (Header::Join { connection, group }, Bytes::new(), Bytes::new())
        }
        Envelope::Leave { connection, group } => {
            (Header::Leave { connection, group }, Bytes::new(), Bytes::new())
        }
    };
    let header = rmp_serde::to_vec(&header)?;
    let mut bytes = Vec::with_capacity(5 + header.len() + json.len() + messagepack.len());
    bytes.push(VERSION);
    bytes.extend_from_slice(&u32::try_from(header.len()).unwrap_or(u32::MAX).to_be_bytes());
    bytes.extend_from_slice(&header);
    bytes.extend_from_slice(&json);
    bytes.extend_from_slice(&messagepack);
    Ok(bytes.into())
}

pub(super) fn decode(mut bytes: Bytes) -> Result<Envelope, WireError> {
    if bytes.first() != Some(&VERSION) {
        return Err(WireError::Version);
    }
    let length = bytes.get(1..5).and_then(|length| length.try_into().ok()).map(u32::from_be_bytes);
    let mut bytes = length.map(|length| (length as usize, bytes.split_off(5))).ok_or(WireError::Malformed)?;
    if bytes.0 > bytes.1.len() {
        return Err(WireError::Malformed);
    }
    let header = bytes.1.split_to(bytes.0);
    let messages = bytes.1;
    match rmp_serde::from_slice(&header).map_err(|_| WireError::Malformed)? {
        Header::Send { to, key, json_bytes } if json_bytes <= messages.len() => Ok(Envelope::Send {
            to,
            key,
            json: messages.slice(..json_bytes),
            messagepack: messages.slice(json_bytes..),
        }),
        Header::Send { .. } => Err(WireError::Malformed),
        Header::Join { connection, group } => Ok(Envelope::Join { connection, group }),
        Header::Leave { connection, group } => Ok(Envelope::Leave { connection, group }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn envelopes() -> [Envelope; 3] {
        let to = Recipients::GroupExcept { group: "prices".to_owned(), without: vec!["a".to_owned()] };
        let send = Envelope::Send {
            to,
            key: Some("BTC".to_owned()),
            json: Bytes::from_static(b"{}\x1e"),
            messagepack: Bytes::from_static(&[1, 2, 3]),
        };
        let join = Envelope::Join { connection: "c".to_owned(), group: "g".to_owned() };
        [send, join, Envelope::Leave { connection: "c".to_owned(), group: "g".to_owned() }]
    }

    #[test]
    fn what_is_decoded_is_what_was_encoded() {
        for envelope in envelopes() {
            assert_eq!(decode(encode(envelope.clone()).unwrap()), Ok(envelope));
        }
    }

    #[test]
    fn another_version_and_every_cut_header_are_refused() {
        let whole = encode(envelopes()[0].clone()).unwrap();
        for cut in 1..whole.len() - 6 {
            assert_eq!(decode(whole.slice(..cut)), Err(WireError::Malformed), "{cut}");
        }
        assert_eq!(decode(Bytes::from_static(&[9, 0, 0, 0, 0])), Err(WireError::Version));
        assert_eq!(decode(Bytes::new()), Err(WireError::Version));
    }
}
