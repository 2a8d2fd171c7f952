//! The first message of each side, which is JSON whatever the protocol.

use bytes::Bytes;

use super::Protocol;

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
    /// Reads it, without its separator.
    pub fn read(message: &[u8]) -> Result<Self, HandshakeError> {
        let _ = message;
        todo!()
    }
}

/// The answer that accepts: `{}` and the separator.
pub fn handshake_answer() -> Bytes {
    Bytes::from_static(b"{}\x1e")
}

/// The answer that refuses.
pub fn handshake_refusal(text: &str) -> Bytes {
    let _ = text;
    todo!()
}
