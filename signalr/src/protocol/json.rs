//! Messages as JSON.

use std::io::Write as _;

use bytes::Bytes;

use super::frames::SEPARATOR;
use super::json_text::{self, Value};
use super::{Codec, ProtocolError};
use crate::message::{Incoming, Invocation, Outcome, Outgoing, Payload};

pub(super) fn encode(message: &Outgoing<'_>) -> Bytes {
    // Enough where texts need few escapes.
    let mut json = Vec::with_capacity(message.content_bytes() + 64);
    match message {
        Outgoing::Invocation { id, target, arguments } => {
            json.extend_from_slice(b"{\"type\":1");
            if let Some(id) = id {
                text_property(&mut json, "invocationId", id);
            }
            text_property(&mut json, "target", target);
            raw_property(&mut json, "arguments", arguments);
        }
        Outgoing::StreamItem { id, item } => {
            json.extend_from_slice(b"{\"type\":2");
            text_property(&mut json, "invocationId", id);
            raw_property(&mut json, "item", item);
        }
        Outgoing::Completion { id, outcome, is_stream } => {
            json.extend_from_slice(b"{\"type\":3");
            text_property(&mut json, "invocationId", id);
            match outcome {
                Outcome::Error(error) => text_property(&mut json, "error", error),
                Outcome::Result(result) => raw_property(&mut json, "result", result),
                Outcome::Void if *is_stream => {}
                Outcome::Void => json.extend_from_slice(b",\"result\":null"),
            }
        }
        Outgoing::Ping => json.extend_from_slice(b"{\"type\":6"),
        Outgoing::Close { error, allow_reconnect } => {
            json.extend_from_slice(b"{\"type\":7");
            if let Some(error) = error {
                text_property(&mut json, "error", error);
            }
            if *allow_reconnect {
                json.extend_from_slice(b",\"allowReconnect\":true");
            }
        }
        Outgoing::Ack { sequence } => numbered(&mut json, 8, *sequence),
        Outgoing::Sequence { sequence } => numbered(&mut json, 9, *sequence),
    }
    json.extend_from_slice(&[b'}', SEPARATOR]);
    json.into()
}

fn text_property(json: &mut Vec<u8>, name: &str, text: &str) {
    write(json, format_args!(",\"{name}\":"));
    // Every text has a form, and writing to a vector never fails.
    let _ = serde_json::to_writer(json, text);
}

fn raw_property(json: &mut Vec<u8>, name: &str, payload: &Payload) {
    write(json, format_args!(",\"{name}\":"));
    json.extend_from_slice(&payload.bytes);
}

fn numbered(json: &mut Vec<u8>, kind: u8, sequence: u64) {
    write(json, format_args!("{{\"type\":{kind},\"sequenceId\":{sequence}"));
}

fn write(json: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    // Writing to a vector never fails.
    let _ = json.write_fmt(text);
}

pub(super) fn decode(codec: Codec, message: &Bytes) -> Result<Option<Incoming>, ProtocolError> {
    let properties = Properties::read(message)?;
    let Some(kind) = properties.kind else {
        return Err(missing("type"));
    };
    let payload = |value: Value<'_>| Payload { codec, bytes: message.slice(value.range()) };
    Ok(Some(match kind {
        1 | 4 => Incoming::Invocation(properties.invocation(kind == 4, payload)?),
        2 => {
            let item = properties.item.ok_or_else(|| missing("item"))?;
            Incoming::StreamItem { id: properties.required_id()?, item: payload(item) }
        }
        3 => Incoming::Completion { outcome: properties.outcome(payload)?, id: properties.required_id()? },
        5 => Incoming::CancelInvocation { id: properties.required_id()? },
        6 => Incoming::Ping,
        7 => Incoming::Close { error: properties.error },
        8 => Incoming::Ack { sequence: properties.required_sequence()? },
        9 => Incoming::Sequence { sequence: properties.required_sequence()? },
        _ => return Ok(None),
    }))
}

/// All properties that a type knows, in whatever order they come; of equal ones the last is kept.
#[derive(Default)]
struct Properties<'a> {
    kind: Option<i32>,
    id: Option<String>,
    target: Option<String>,
    arguments: Option<Value<'a>>,
    stream_ids: Vec<String>,
    item: Option<Value<'a>>,
    result: Option<Value<'a>>,
    error: Option<String>,
    sequence: Option<i64>,
}

impl<'a> Properties<'a> {
    fn read(message: &'a [u8]) -> Result<Self, ProtocolError> {
        let mut read = Self::default();
        json_text::read_object(message, |name, value| read.take(name, value))?;
        Ok(read)
    }

    fn take(&mut self, name: &str, value: Value<'a>) -> Result<(), ProtocolError> {
        match name {
            "type" => self.kind = Some(value.int()?),
            "invocationId" => self.id = Some(value.text()?),
            "target" => self.target = Some(value.text()?),
            "arguments" => self.arguments = Some(value.array()?),
            "streamIds" => self.stream_ids = texts(value)?,
            "item" => self.item = Some(value),
            "result" => self.result = Some(value),
            "error" => self.error = Some(value.text()?),
            "allowReconnect" => drop(value.bool()?),
            "headers" => value.each_member(|_, header| header.text().map(drop))?,
            "sequenceId" => self.sequence = Some(value.int()?),
            _ => {}
        }
        Ok(())
    }

    fn invocation(
        self,
        is_stream: bool,
        payload: impl Fn(Value<'a>) -> Payload,
    ) -> Result<Invocation, ProtocolError> {
        let id = self.id.filter(|id| !id.is_empty());
        if is_stream && id.is_none() {
            return Err(missing("invocationId"));
        }
        let mut arguments = Vec::new();
        self.arguments.ok_or_else(|| missing("arguments"))?.each_element(|argument| {
            arguments.push(payload(argument));
            Ok(())
        })?;
        let target = self.target.ok_or_else(|| missing("target"))?;
        Ok(Invocation { id, target, arguments, stream_ids: self.stream_ids, is_stream })
    }

    fn outcome(&self, payload: impl Fn(Value<'a>) -> Payload) -> Result<Outcome<Payload>, ProtocolError> {
        match (&self.error, self.result) {
            (None, None) => Ok(Outcome::Void),
            (None, Some(result)) => Ok(Outcome::Result(payload(result))),
            (Some(error), None) => Ok(Outcome::Error(error.clone())),
            (Some(_), Some(result)) => {
                let offset = result.range().start;
                Err(ProtocolError { reason: "a completion with both error and result".to_owned(), offset })
            }
        }
    }

    fn required_id(self) -> Result<String, ProtocolError> {
        self.id.filter(|id| !id.is_empty()).ok_or_else(|| missing("invocationId"))
    }

    fn required_sequence(self) -> Result<u64, ProtocolError> {
        // Numbers start with 1: what is below is as good as 0.
        self.sequence.map(|sequence| sequence.try_into().unwrap_or(0)).ok_or_else(|| missing("sequenceId"))
    }
}

fn texts(array: Value<'_>) -> Result<Vec<String>, ProtocolError> {
    let mut texts = Vec::new();
    array.each_element(|element| {
        texts.push(element.text()?);
        Ok(())
    })?;
    Ok(texts)
}

fn missing(name: &str) -> ProtocolError {
    ProtocolError { reason: format!("the property '{name}' is missing"), offset: 0 }
}
