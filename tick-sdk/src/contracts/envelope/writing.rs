//! From an [`Envelope`] to bytes.

use std::fmt::{Display, Write};

use serde::Serialize;

use super::{Envelope, EnvelopeError, JsonKind, MAX_BODY_BYTES};

pub(super) fn encode(envelope: &Envelope) -> Result<Vec<u8>, EnvelopeError> {
    if envelope.message_type.is_empty() {
        return Err(EnvelopeError::Missing { field: "messageType" });
    }
    let found = envelope.message.kind();
    if found != JsonKind::Object {
        return Err(EnvelopeError::WrongKind { field: "message", expected: "an object", found });
    }
    let mut body = Body { text: String::with_capacity(envelope.message.as_str().len() + 2048) };
    body.quoted("messageId", &envelope.message_id);
    body.quoted("requestId", &envelope.request_id);
    body.quoted("correlationId", &envelope.correlation_id);
    body.quoted("conversationId", &envelope.conversation_id);
    body.quoted("initiatorId", &envelope.initiator_id);
    body.value("sourceAddress", &envelope.source_address.as_ref().map(|address| address.as_str()))?;
    body.value("destinationAddress", &envelope.destination_address.as_ref().map(|address| address.as_str()))?;
    body.value("responseAddress", &envelope.response_address.as_ref().map(|address| address.as_str()))?;
    body.value("faultAddress", &envelope.fault_address.as_ref().map(|address| address.as_str()))?;
    body.value("messageType", &envelope.message_type)?;
    body.json("message", envelope.message.as_str());
    body.quoted("expirationTime", &envelope.expiration_time);
    body.quoted("sentTime", &envelope.sent_time);
    body.json("headers", &headers(envelope)?);
    body.value("host", &envelope.host)?;
    body.text.push_str("\n}");
    if body.text.len() > MAX_BODY_BYTES {
        return Err(EnvelopeError::TooLong { bytes: body.text.len() });
    }
    Ok(body.text.into_bytes())
}

fn headers(envelope: &Envelope) -> Result<String, EnvelopeError> {
    let mut text = String::from("{");
    for (name, value) in envelope.headers.iter() {
        if text.len() > 1 {
            text.push(',');
        }
        text.push_str(&compact("headers", name)?);
        text.push(':');
        text.push_str(value.as_str());
    }
    text.push('}');
    Ok(text)
}

fn compact(field: &'static str, value: &(impl Serialize + ?Sized)) -> Result<String, EnvelopeError> {
    serde_json::to_string(value).map_err(|source| EnvelopeError::Unwritable { field, source })
}

/// The body as far as it is written.
struct Body {
    text: String,
}

impl Body {
    /// A field whose text needs no escapes.
    fn quoted(&mut self, field: &'static str, value: &Option<impl Display>) {
        match value {
            Some(value) => self.json(field, &format!("\"{value}\"")),
            None => self.json(field, "null"),
        }
    }

    fn value(&mut self, field: &'static str, value: &impl Serialize) -> Result<(), EnvelopeError> {
        self.json(field, &compact(field, value)?);
        Ok(())
    }

    fn json(&mut self, field: &'static str, json: &str) {
        self.text.push(if self.text.is_empty() { '{' } else { ',' });
        new_line(&mut self.text, 1);
        self.text.push('"');
        self.text.push_str(field);
        self.text.push_str("\": ");
        write_indented(&mut self.text, json, 1);
    }
}

fn new_line(text: &mut String, level: usize) {
    text.push('\n');
    text.extend(std::iter::repeat_n("  ", level));
}

/// Writes valid JSON with one value a line, as .NET does. Numbers and escapes stay as they are.
fn write_indented(out: &mut String, json: &str, mut level: usize) {
    out.reserve(json.len());
    let mut rest = json.chars();
    let mut is_open = false;
    while let Some(c) = rest.next() {
        if c.is_ascii_whitespace() {
            continue;
        }
        let closes = matches!(c, '}' | ']');
        if closes {
            level -= 1;
        }
        // After an opening bracket and before a closing one begins a line, unless nothing is between them.
        if is_open != closes {
            new_line(out, level);
        }
        is_open = matches!(c, '{' | '[');
        level += usize::from(is_open);
        match c {
            '"' => write_text(out, &mut rest),
            ':' => out.push_str(": "),
            ',' => {
                out.push(c);
                new_line(out, level);
            }
            _ => out.push(c),
        }
    }
}

/// Writes a text whose opening quote was read, up to its closing one.
fn write_text(out: &mut String, rest: &mut std::str::Chars<'_>) {
    out.push('"');
    let mut is_escaped = false;
    loop {
        // Most of a text stays as it is, and is copied in one piece.
        let text = rest.as_str();
        let plain = text.bytes().position(|byte| !is_plain(byte)).unwrap_or(text.len());
        if plain > 0 && !is_escaped {
            let (copied, left) = text.split_at(plain);
            out.push_str(copied);
            *rest = left.chars();
        }
        let Some(c) = rest.next() else { return };
        if is_escaped_by_dotnet(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                // Writing to a String cannot fail.
                let _ = write!(out, "\\u{unit:04X}");
            }
        } else {
            out.push(c);
        }
        if c == '"' && !is_escaped {
            return;
        }
        is_escaped = c == '\\' && !is_escaped;
    }
}

/// Whether a byte of a text stays as it is, and neither ends the text nor begins an escape.
const fn is_plain(byte: u8) -> bool {
    matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\'
}

/// What .NET's relaxed encoder escapes although JSON need not: all above U+FFFF, control characters,
/// separators other than the blank, and those of private use.
fn is_escaped_by_dotnet(c: char) -> bool {
    let is_separator = c != ' ' && (c.is_whitespace() || c == '\u{180e}');
    c > '\u{ffff}' || c.is_control() || is_separator || ('\u{e000}'..='\u{f8ff}').contains(&c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_written_one_value_a_line() {
        let written = |json: &str| {
            let mut out = String::new();
            write_indented(&mut out, json, 0);
            out
        };
        assert_eq!(
            written(r#"{"a":[1,{}],"b":[],"c":" { , ] \" "}"#),
            "{\n  \"a\": [\n    1,\n    {}\n  ],\n  \"b\": [],\n  \"c\": \" { , ] \\\" \"\n}"
        );
        assert_eq!(written("[ [ ] ]"), "[\n  []\n]");
        assert_eq!(written("\"é😀\u{2028}\u{7f}\""), "\"é\\uD83D\\uDE00\\u2028\\u007F\"");
        assert_eq!(written(r#""\\""#), r#""\\""#);
        assert_eq!(
            written(r#"["a\"b","","\\","é\"" ]"#),
            "[\n  \"a\\\"b\",\n  \"\",\n  \"\\\\\",\n  \"é\\\"\"\n]"
        );
        assert_eq!(written("1.10"), "1.10");
    }
}
