//! Messages as MessagePack.

use bytes::Bytes;

use super::messagepack_bytes::{Elements, Malformed, Writer};
use super::{Codec, ProtocolError};
use crate::message::{Incoming, Invocation, Outcome, Outgoing, Payload};

/// Kinds of a completion.
const ERROR: u64 = 1;
const VOID: u64 = 2;
const RESULT: u64 = 3;

pub(super) fn encode(message: &Outgoing<'_>) -> Bytes {
    // The headers of all elements take less.
    let mut writer = Writer::with_capacity(message.content_bytes() + 32);
    match message {
        Outgoing::Invocation { id, target, arguments } => {
            writer.array(6);
            writer.uint(1);
            writer.empty_map();
            writer.text_or_nil(*id);
            writer.text(target);
            writer.raw(&arguments.bytes);
            // Ids of streams: the server sends none.
            writer.array(0);
        }
        Outgoing::StreamItem { id, item } => {
            writer.array(4);
            writer.uint(2);
            writer.empty_map();
            writer.text(id);
            writer.raw(&item.bytes);
        }
        Outgoing::Completion { id, outcome, is_stream } => completion(&mut writer, id, outcome, *is_stream),
        Outgoing::Ping => {
            writer.array(1);
            writer.uint(6);
        }
        Outgoing::Close { error, allow_reconnect } => {
            writer.array(3);
            writer.uint(7);
            writer.text_or_nil(*error);
            writer.bool(*allow_reconnect);
        }
        Outgoing::Ack { sequence } => numbered(&mut writer, 8, *sequence),
        Outgoing::Sequence { sequence } => numbered(&mut writer, 9, *sequence),
    }
    writer.into_message()
}

fn completion(writer: &mut Writer, id: &str, outcome: &Outcome<&Payload>, is_stream: bool) {
    let has_value = !(is_stream && *outcome == Outcome::Void);
    writer.array(if has_value { 5 } else { 4 });
    writer.uint(3);
    writer.empty_map();
    writer.text(id);
    match outcome {
        Outcome::Error(error) => {
            writer.uint(ERROR);
            writer.text(error);
        }
        Outcome::Result(result) => {
            writer.uint(RESULT);
            writer.raw(&result.bytes);
        }
        Outcome::Void if is_stream => writer.uint(VOID),
        Outcome::Void => {
            writer.uint(RESULT);
            writer.nil();
        }
    }
}

fn numbered(writer: &mut Writer, kind: u64, sequence: u64) {
    writer.array(2);
    writer.uint(kind);
    writer.uint(sequence);
}

pub(super) fn decode(codec: Codec, message: &Bytes) -> Result<Option<Incoming>, ProtocolError> {
    let mut elements = Elements::of_message(message)?;
    let kind = elements.int()?;
    let payloads = Payloads { codec, message };
    Ok(Some(match kind {
        1 | 4 => Incoming::Invocation(invocation(&mut elements, kind == 4, &payloads)?),
        2 => {
            elements.headers()?;
            Incoming::StreamItem { id: required_id(&mut elements)?, item: payloads.item(&mut elements)? }
        }
        3 => {
            elements.headers()?;
            let id = required_id(&mut elements)?;
            Incoming::Completion { id, outcome: outcome(&mut elements, &payloads)? }
        }
        5 => {
            elements.headers()?;
            Incoming::CancelInvocation { id: required_id(&mut elements)? }
        }
        6 => Incoming::Ping,
        7 => close(&mut elements)?,
        8 => Incoming::Ack { sequence: sequence(&mut elements)? },
        9 => Incoming::Sequence { sequence: sequence(&mut elements)? },
        _ => return Ok(None),
    }))
}

fn invocation(
    elements: &mut Elements<'_>,
    is_stream: bool,
    payloads: &Payloads<'_>,
) -> Result<Invocation, ProtocolError> {
    elements.headers()?;
    let id = elements.text_or_nil()?.filter(|id| !id.is_empty());
    if is_stream && id.is_none() {
        return Err(elements.error("a stream needs an invocation id"));
    }
    let target = elements.text()?;
    if target.is_empty() {
        return Err(elements.error("the target is empty"));
    }
    let (arguments, are_whole) = payloads.arguments(elements)?;
    let has_stream_ids = are_whole && !elements.is_at_end();
    let stream_ids = if has_stream_ids { stream_ids(elements)? } else { Vec::new() };
    Ok(Invocation { id, target, arguments, stream_ids, is_stream })
}

fn stream_ids(elements: &mut Elements<'_>) -> Result<Vec<String>, ProtocolError> {
    let mut inner = elements.array()?;
    let mut ids = Vec::new();
    while !inner.is_at_end() {
        ids.push(inner.text()?);
    }
    elements.resume_after(&inner);
    Ok(ids)
}

fn outcome(elements: &mut Elements<'_>, payloads: &Payloads<'_>) -> Result<Outcome<Payload>, ProtocolError> {
    match u64::try_from(elements.int()?).unwrap_or_default() {
        ERROR => Ok(Outcome::Error(elements.text_or_nil()?.unwrap_or_default())),
        VOID => Ok(Outcome::Void),
        RESULT => {
            let range = elements.skip().map_err(|malformed| elements.cannot_read(malformed))?;
            Ok(Outcome::Result(payloads.slice(range)))
        }
        _ => Err(elements.error("an unknown kind of completion")),
    }
}

fn close(elements: &mut Elements<'_>) -> Result<Incoming, ProtocolError> {
    let error = elements.text_or_nil()?;
    if !elements.is_at_end() {
        elements.bool()?;
    }
    Ok(Incoming::Close { error })
}

fn required_id(elements: &mut Elements<'_>) -> Result<String, ProtocolError> {
    let id = elements.text()?;
    if id.is_empty() { Err(elements.error("the invocation id is empty")) } else { Ok(id) }
}

fn sequence(elements: &mut Elements<'_>) -> Result<u64, ProtocolError> {
    // Numbers start with 1: what is below is as good as 0.
    elements.int().map(|sequence| sequence.try_into().unwrap_or(0))
}

/// Slices of the message that are values of the application.
struct Payloads<'a> {
    codec: Codec,
    message: &'a Bytes,
}

impl Payloads<'_> {
    /// Arguments that are no array, absent or cut off become a single payload that no type is read from, and are not whole:
    /// they fail the call, and not the connection.
    fn arguments(&self, elements: &mut Elements<'_>) -> Result<(Vec<Payload>, bool), ProtocolError> {
        let Ok(mut inner) = elements.array() else {
            return Ok((vec![self.unreadable()], false));
        };
        let mut arguments = Vec::new();
        while !inner.is_at_end() {
            match inner.skip() {
                Ok(range) => arguments.push(self.slice(range)),
                Err(Malformed::NotMessagePack) => return Ok((vec![self.unreadable()], false)),
                Err(Malformed::TooDeep) => return Err(inner.cannot_read(Malformed::TooDeep)),
            }
        }
        elements.resume_after(&inner);
        Ok((arguments, true))
    }

    /// One that is absent or cut off fails the stream, and not the connection.
    fn item(&self, elements: &mut Elements<'_>) -> Result<Payload, ProtocolError> {
        match elements.skip() {
            Ok(range) => Ok(self.slice(range)),
            Err(Malformed::NotMessagePack) => Ok(self.unreadable()),
            Err(Malformed::TooDeep) => Err(elements.cannot_read(Malformed::TooDeep)),
        }
    }

    fn slice(&self, range: std::ops::Range<usize>) -> Payload {
        Payload { codec: self.codec, bytes: self.message.slice(range) }
    }

    fn unreadable(&self) -> Payload {
        Payload { codec: self.codec, bytes: Bytes::new() }
    }
}
