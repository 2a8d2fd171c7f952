//! The first message of each side, which is JSON whatever the protocol.

use bytes::Bytes;
use serde_json::json;

use super::Protocol;
use super::frames::SEPARATOR;
use super::json_text::{self, Value};

/// The highest version of the hub protocol.
const MAX_VERSION: i32 = 2;
const NOT_UNDERSTOOD: &str = "An unexpected error occurred during connection handshake.";

/// What a client asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandshakeRequest {
    /// The protocol of all later messages.
    pub protocol: Protocol,
    /// 1, or 2 for a stateful connection.
    pub version: u32,
}

/// A handshake that is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct HandshakeError {
    /// As ASP.NET Core words it for the client.
    pub text: String,
}

impl HandshakeRequest {
    /// Reads it, without its separator. As ASP.NET Core does, a version below 1 is taken for 1.
    pub fn read(message: &[u8]) -> Result<Self, HandshakeError> {
        let (name, version) = read_properties(message).ok_or_else(|| refused(NOT_UNDERSTOOD))?;
        let Some(protocol) = Protocol::named(&name) else {
            return Err(refused(format!("The protocol '{name}' is not supported.")));
        };
        if version > MAX_VERSION {
            return Err(refused(format!(
                "The server does not support version {version} of the '{name}' protocol."
            )));
        }
        Ok(Self { protocol, version: if version == MAX_VERSION { 2 } else { 1 } })
    }
}

fn read_properties(message: &[u8]) -> Option<(String, i32)> {
    let mut protocol = None;
    let mut version = None;
    json_text::read_object(message, |name, value: Value<'_>| {
        match name {
            "protocol" => protocol = Some(value.text()?),
            "version" => version = Some(value.int()?),
            _ => {}
        }
        Ok(())
    })
    .ok()?;
    Some((protocol?, version?))
}

fn refused(text: impl Into<String>) -> HandshakeError {
    HandshakeError { text: text.into() }
}

/// The answer that accepts: `{}` and the separator.
pub fn handshake_answer() -> Bytes {
    Bytes::from_static(b"{}\x1e")
}

/// The answer that refuses.
pub fn handshake_refusal(text: &str) -> Bytes {
    let mut answer = json!({ "error": text }).to_string().into_bytes();
    answer.push(SEPARATOR);
    answer.into()
}
