use bytes::Bytes;

use super::{Codec, ProtocolError};
use crate::message::{Incoming, Outgoing};

pub(super) fn encode(message: &Outgoing<'_>) -> Bytes {
    let _ = message;
    todo!()
}

pub(super) fn decode(codec: Codec, message: &Bytes) -> Result<Option<Incoming>, ProtocolError> {
    let _ = (codec, message);
    todo!()
}
