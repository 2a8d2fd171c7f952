//! The two hub protocols, without input and output: bytes to messages and back.

mod frames;
mod handshake;
mod json;
mod json_text;
mod keys;
mod messagepack;
mod messagepack_bytes;
#[cfg(test)]
mod tests;

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

pub use frames::{FrameError, Splitter};
pub use handshake::{HandshakeError, HandshakeRequest, handshake_answer, handshake_refusal};

use keys::{Read, Write};

use crate::message::{Incoming, Outgoing, Payload};
use crate::options::Keys;

/// How deep arrays and objects may stand in each other, the message itself included.
const MAX_DEPTH: usize = 64;

/// A hub protocol by its name in the handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// `json`: texts that end with the byte 0x1E.
    Json,
    /// `messagepack`: binary messages with their length in front.
    MessagePack,
}

impl Protocol {
    /// By its name in any case.
    fn named(name: &str) -> Option<Self> {
        [Self::Json, Self::MessagePack]
            .into_iter()
            .find(|protocol| protocol.name().eq_ignore_ascii_case(name))
    }

    /// As the handshake calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::MessagePack => "messagepack",
        }
    }
}

/// A protocol, and how it names the fields of structs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Codec {
    /// Which protocol.
    pub protocol: Protocol,
    /// How MessagePack names the fields of structs; JSON has them as serde does.
    pub keys: Keys,
}

impl Codec {
    /// One whole message, with its separator or length.
    pub fn encode(self, message: &Outgoing<'_>) -> Bytes {
        match self.protocol {
            Protocol::Json => json::encode(message),
            Protocol::MessagePack => messagepack::encode(message),
        }
    }

    /// Reads one message without its separator or length. A type that is not known is `None`.
    pub fn decode(self, message: &Bytes) -> Result<Option<Incoming>, ProtocolError> {
        match self.protocol {
            Protocol::Json => json::decode(self, message),
            Protocol::MessagePack => messagepack::decode(self, message),
        }
    }

    /// Encodes one value of an application. JSON has no form for NaN and infinite numbers: they are an error, as with
    /// ASP.NET Core.
    pub fn encode_value(self, value: &impl Serialize) -> Result<Payload, PayloadError> {
        let only_finite = self.protocol == Protocol::Json;
        let value = Write { inner: value, only_finite, pascal_case: self.is_pascal_case() };
        let mut bytes = Vec::new();
        match self.protocol {
            Protocol::Json => value.serialize(&mut serde_json::Serializer::new(&mut bytes))?,
            Protocol::MessagePack => {
                let serializer = rmp_serde::Serializer::new(&mut bytes).with_struct_map();
                match self.keys {
                    Keys::AsInJson => value.serialize(&mut serializer.with_human_readable())?,
                    Keys::PascalCase => value.serialize(&mut serializer.with_binary())?,
                }
            }
        }
        Ok(Payload { codec: self, bytes: bytes.into() })
    }

    /// Decodes one value of an application.
    pub fn decode_value<T: DeserializeOwned>(self, bytes: &[u8]) -> Result<T, PayloadError> {
        if self.protocol == Protocol::Json {
            return Ok(serde_json::from_slice(bytes)?);
        }
        let mut deserializer = rmp_serde::Deserializer::from_read_ref(bytes);
        Ok(match self.keys {
            Keys::AsInJson => {
                T::deserialize(Read::new(&mut deserializer.with_human_readable(), self.is_pascal_case()))?
            }
            Keys::PascalCase => T::deserialize(Read::new(&mut deserializer, self.is_pascal_case()))?,
        })
    }

    fn is_pascal_case(self) -> bool {
        self.protocol == Protocol::MessagePack && self.keys == Keys::PascalCase
    }
}

/// A message that cannot be read: it ends the connection.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason} at byte {offset} of the message")]
pub struct ProtocolError {
    /// What is wrong, and where in the message.
    pub reason: String,
    /// From the start of the message.
    pub offset: usize,
}

/// A value that cannot be encoded, or is not of the type that is asked for.
#[derive(Debug, thiserror::Error)]
pub enum PayloadError {
    /// Of JSON.
    #[error("JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// MessagePack that cannot be written.
    #[error("MessagePack: {0}")]
    MessagePackWrite(#[from] rmp_serde::encode::Error),
    /// MessagePack that cannot be read.
    #[error("MessagePack: {0}")]
    MessagePackRead(#[from] rmp_serde::decode::Error),
}
