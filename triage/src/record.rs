//! What was discarded, so that it can be published again by hand.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use broker::{Delivery, Properties, Table, Value};
use serde_json::{Map, Value as Json, json};
use thiserror::Error;

use crate::entry::Entry;

/// The file of what is discarded: a JSON object a line, with all that the broker had of a message.
///
/// | member | is |
/// |---|---|
/// | `discardedAt` | when, ISO 8601 in UTC |
/// | `entry` | the message as a list has it |
/// | `exchange`, `routingKey` | how it came to the queue |
/// | `properties` | AMQP's, without headers |
/// | `headers` | `{"name": {"S": "text"}}`, with AMQP's letter of the value's type |
/// | `body` | text, or `{"base64"}` |
#[derive(Clone, Debug)]
pub struct Record {
    path: PathBuf,
    file: Arc<Mutex<File>>,
}

/// The file cannot be written.
#[derive(Debug, Error)]
#[error("{}: {reason}\n  nothing is discarded that is not written down and on the disk", path.display())]
pub struct RecordError {
    path: PathBuf,
    #[source]
    reason: io::Error,
}

impl Record {
    /// Opens the file, or makes it; what is in it stays.
    ///
    /// # Errors
    /// See [`RecordError`].
    pub fn open(path: &Path) -> Result<Self, RecordError> {
        let failed = |reason| RecordError { path: path.to_owned(), reason };
        let file = OpenOptions::new().create(true).append(true).open(path).map_err(failed)?;
        // The file's name must be on the disk as well.
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)?;
        Ok(Self { path: path.to_owned(), file: Arc::new(Mutex::new(file)) })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes lines, and returns when they are on the disk.
    pub(crate) async fn write(&self, lines: Vec<u8>) -> Result<(), RecordError> {
        let file = self.file.clone();
        let writing = tokio::task::spawn_blocking(move || {
            let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
            file.write_all(&lines).and_then(|()| file.sync_data())
        });
        let written = writing.await.unwrap_or_else(|error| Err(io::Error::other(error)));
        written.map_err(|reason| RecordError { path: self.path.clone(), reason })
    }
}

/// A message as a line of the file.
pub(crate) fn line(entry: &Entry, delivery: &Delivery, now: &str) -> Vec<u8> {
    let body = match std::str::from_utf8(&delivery.body) {
        Ok(text) => json!(text),
        Err(_) => json!({ "base64": STANDARD.encode(&delivery.body) }),
    };
    let record = json!({
        "discardedAt": now,
        "entry": entry,
        "exchange": delivery.exchange,
        "routingKey": delivery.routing_key,
        "properties": properties(&delivery.properties),
        "headers": table(&delivery.properties.headers),
        "body": body,
    });
    format!("{record}\n").into_bytes()
}

fn properties(properties: &Properties) -> Json {
    let Properties {
        content_type,
        content_encoding,
        headers: _,
        is_persistent,
        priority,
        correlation_id,
        reply_to,
        expiration,
        message_id,
        timestamp,
        kind,
        user_id,
        app_id,
    } = properties;
    let all = json!({
        "contentType": content_type,
        "contentEncoding": content_encoding,
        "deliveryMode": if *is_persistent { 2 } else { 1 },
        "priority": priority,
        "correlationId": correlation_id,
        "replyTo": reply_to,
        "expiration": expiration,
        "messageId": message_id,
        "timestamp": timestamp,
        "type": kind,
        "userId": user_id,
        "appId": app_id,
    });
    let Json::Object(all) = all else { return all };
    all.into_iter().filter(|(_, value)| !value.is_null()).collect::<Map<_, _>>().into()
}

fn table(table: &Table) -> Json {
    table.iter().map(|(name, value)| (name.to_owned(), typed(value))).collect::<Map<_, _>>().into()
}

/// A value under AMQP's letter of its type, as RabbitMQ has them.
fn typed(value: Value) -> Json {
    match value {
        Value::Text(text) => json!({ "S": text }),
        Value::Octets(bytes) => json!({ "S": { "base64": STANDARD.encode(bytes) } }),
        Value::Boolean(value) => json!({ "t": value }),
        Value::I8(value) => json!({ "b": value }),
        Value::U8(value) => json!({ "B": value }),
        Value::I16(value) => json!({ "s": value }),
        Value::U16(value) => json!({ "u": value }),
        Value::I32(value) => json!({ "I": value }),
        Value::U32(value) => json!({ "i": value }),
        Value::Integer(value) => json!({ "l": value }),
        // JSON has no number for what is not finite.
        Value::F32(value) => json!({ "f": value, "text": value.to_string() }),
        Value::F64(value) => json!({ "d": value, "text": value.to_string() }),
        Value::Decimal { scale, digits } => json!({ "D": [scale, digits] }),
        Value::Timestamp(seconds) => json!({ "T": seconds }),
        Value::Bytes(bytes) => json!({ "x": { "base64": STANDARD.encode(bytes) } }),
        Value::List(values) => json!({ "A": values.into_iter().map(typed).collect::<Vec<_>>() }),
        Value::Table(inner) => json!({ "F": table(&inner) }),
        Value::Void => json!({ "V": null }),
    }
}
