//! What a delivery from a queue of failed messages says about itself.

use broker::{Delivery, Table, Value};
use serde_json::{Map, Value as Json, json};
use tick_feed::rabbitmq::DeadLetter;
use tick_sdk::api::ErrorHost;
use tick_sdk::contracts::envelope::{Address, Envelope, UtcTime};
use uuid::Uuid;

use crate::entry::{Details, Entry, Kind, Shown};

const REASON: &str = "MT-Reason";
const EXCEPTION_TYPE: &str = "MT-Fault-ExceptionType";
const MESSAGE: &str = "MT-Fault-Message";
const STACK_TRACE: &str = "MT-Fault-StackTrace";
const TIMESTAMP: &str = "MT-Fault-Timestamp";
const INPUT_ADDRESS: &str = "MT-Fault-InputAddress";
const CONSUMER_TYPE: &str = "MT-Fault-ConsumerType";
const MESSAGE_TYPE: &str = "MT-Fault-MessageType";
const FAULT_ADDRESS: &str = "MT-Fault-Address";
const RETRY_COUNT: &str = "MT-Fault-RetryCount";

/// RabbitMQ writes into it how often a message came back to a quorum queue.
pub(crate) const DELIVERY_COUNT: &str = "x-delivery-count";
/// RabbitMQ.Client's number of a publish, which means nothing to anybody else.
pub(crate) const DOTNET_SEQUENCE: &str = "x-dotnet-pub-seq-no";
/// RabbitMQ gives a message to the queues that it names, too.
pub(crate) const CARBON_COPY: &str = "CC";

const MAX_REASON: usize = 2_048;
const MAX_STACK: usize = 16_384;
const URN: &str = "urn:message:";

/// Whether a requeued message loses this header, as with a retry of ServiceControl; but where raw JSON has its faults
/// sent to is the sender's wish.
pub(crate) fn is_of_failure(name: &str) -> bool {
    let is_of_fault = name.starts_with("MT-Fault") && name != FAULT_ADDRESS;
    is_of_fault || name == REASON || is_of_way(name)
}

/// Whether a header says how a message came here, and not what it is.
pub(crate) fn is_of_way(name: &str) -> bool {
    [DELIVERY_COUNT, DOTNET_SEQUENCE, CARBON_COPY].contains(&name)
}

/// Why a message lies where it does: it says so itself, else its queue does.
fn kind_of(headers: &Table, queue: &str) -> Kind {
    if DeadLetter::is_in(headers) {
        return Kind::DeadLetter;
    }
    match headers.text(REASON).as_deref() {
        Some("fault") => Kind::Error,
        Some("dead-letter") => Kind::Skipped,
        _ => Kind::of_queue(queue),
    }
}

/// A delivery from this queue, as a list has it.
pub(crate) fn entry(queue: &str, delivery: &Delivery) -> Entry {
    Reading::of(queue, delivery).entry()
}

/// All that is known of a delivery from this queue.
pub(crate) fn shown(queue: &str, delivery: Delivery) -> Shown {
    let reading = Reading::of(queue, &delivery);
    let (entry, details) = (reading.entry(), reading.details());
    Shown { entry, details, body: delivery.body }
}

/// The data plane's letter in a delivery.
pub(crate) fn letter(delivery: &Delivery) -> DeadLetter {
    DeadLetter::of(&delivery.properties.headers)
}

struct Reading<'a> {
    queue: &'a str,
    delivery: &'a Delivery,
    headers: &'a Table,
    kind: Kind,
    envelope: Result<Envelope, String>,
}

impl<'a> Reading<'a> {
    fn of(queue: &'a str, delivery: &'a Delivery) -> Self {
        let headers = &delivery.properties.headers;
        let kind = kind_of(headers, queue);
        let envelope = match kind {
            Kind::DeadLetter => Err("it is a message of a feed".to_owned()),
            _ => Envelope::decode(&delivery.body).map_err(|error| error.to_string()),
        };
        Self { queue, delivery, headers, kind, envelope }
    }

    fn entry(&self) -> Entry {
        let envelope = self.envelope.as_ref().ok();
        let properties = &self.delivery.properties;
        let message_id = envelope.and_then(|envelope| Some(envelope.message_id?.0.to_string()));
        let message_id = message_id.or_else(|| self.raw("MessageId")).or(properties.message_id.clone());
        let command_id = envelope.and_then(|envelope| Some(envelope.correlation_id?.0.to_string()));
        let command_id =
            command_id.or_else(|| self.raw("CorrelationId")).or(properties.correlation_id.clone());
        Entry {
            id: message_id.clone().unwrap_or_else(|| self.made_id()),
            queue: self.queue.to_owned(),
            kind: self.kind,
            reason: cut(self.reason(), MAX_REASON),
            exception_type: self.text(EXCEPTION_TYPE).map(|text| cut(text, MAX_REASON)),
            failed_at: self.failed_at(),
            sent_at: envelope.and_then(|envelope| Some(envelope.sent_time?.to_string())),
            message_type: self.message_types().first().map(|urn| cut(urn.replacen(URN, "", 1), MAX_REASON)),
            message_id,
            command_id,
            endpoint: self.endpoint(),
            bytes: self.delivery.body.len(),
        }
    }

    fn details(&self) -> Details {
        let envelope = self.envelope.as_ref().ok();
        let address = |of: fn(&Envelope) -> &Option<Address>| {
            envelope.and_then(|envelope| of(envelope).as_ref().map(|address| address.as_str().to_owned()))
        };
        let uuid = |id: Option<Uuid>| id.map(|id| id.to_string());
        let conversation = envelope.and_then(|envelope| Some(envelope.conversation_id?.0));
        let initiator = envelope.and_then(|envelope| Some(envelope.initiator_id?.0));
        Details {
            stack_trace: self.text(STACK_TRACE).map(|text| cut(text, MAX_STACK)),
            consumer_type: self.text(CONSUMER_TYPE),
            retries: self.headers.integer(RETRY_COUNT),
            input_address: self.text(INPUT_ADDRESS),
            host: self.host(),
            unreadable: self.envelope.as_ref().err().filter(|_| self.kind != Kind::DeadLetter).cloned(),
            message_types: self.message_types(),
            request_id: uuid(envelope.and_then(|envelope| envelope.request_id))
                .or_else(|| self.raw("RequestId")),
            initiator_id: uuid(initiator).or_else(|| self.raw("MT-InitiatorId")),
            conversation_id: uuid(conversation).or_else(|| self.raw("ConversationId")),
            source_address: address(|envelope| &envelope.source_address)
                .or_else(|| self.raw("MT-Source-Address")),
            destination_address: address(|envelope| &envelope.destination_address),
            response_address: address(|envelope| &envelope.response_address)
                .or_else(|| self.raw("MT-Response-Address")),
            fault_address: address(|envelope| &envelope.fault_address).or_else(|| self.raw(FAULT_ADDRESS)),
            came_by: self.came_by(),
            exchange: self.delivery.exchange.clone(),
            routing_key: self.delivery.routing_key.clone(),
            content_type: self.delivery.properties.content_type.clone(),
            headers: plain_table(self.headers),
        }
    }

    fn text(&self, name: &str) -> Option<String> {
        self.headers.text(name).filter(|text| !text.trim().is_empty())
    }

    /// What raw JSON, which has no envelope, has in its headers instead.
    fn raw(&self, name: &str) -> Option<String> {
        self.envelope.as_ref().err().and_then(|_| self.text(name))
    }

    fn message_types(&self) -> Vec<String> {
        let of_envelope = self.envelope.as_ref().ok().map(|envelope| envelope.message_type.clone());
        let of_envelope = of_envelope.filter(|types| !types.is_empty());
        of_envelope
            .or_else(|| Some(self.text("MT-MessageType")?.split(';').map(str::to_owned).collect()))
            .or_else(|| self.text(MESSAGE_TYPE).map(|name| vec![name]))
            .unwrap_or_default()
    }

    fn reason(&self) -> String {
        match self.kind {
            Kind::DeadLetter => letter(self.delivery).reason,
            Kind::Skipped => "its endpoint handles no message of this type".to_owned(),
            Kind::Error => self.text(MESSAGE).unwrap_or_else(|| "it does not say why".to_owned()),
            Kind::Parked => self.text(MESSAGE).unwrap_or_else(|| "it does not say why it is here".to_owned()),
        }
    }

    fn failed_at(&self) -> Option<String> {
        if self.kind == Kind::DeadLetter {
            let ms = Some(letter(self.delivery).at / 1_000_000).filter(|ms| *ms > 0)?;
            return UtcTime::from_unix_ms(ms).map(|time| time.to_string());
        }
        let time: UtcTime = self.text(TIMESTAMP)?.parse().ok()?;
        Some(time.to_string())
    }

    /// Where it failed; the queue's name and the original's destination know it, too.
    fn endpoint(&self) -> Option<String> {
        if self.kind == Kind::DeadLetter {
            return Some(letter(self.delivery).queue).filter(|queue| !queue.is_empty());
        }
        let of_fault = || {
            let address: Address = self.text(INPUT_ADDRESS)?.parse().ok()?;
            Some(address.name().to_owned())
        };
        let of_queue = || {
            let before = |suffix: &str| self.queue.strip_suffix(suffix).map(str::to_owned);
            before("_error").or_else(|| before("_skipped"))
        };
        let of_envelope = || {
            let address = self.envelope.as_ref().ok()?.destination_address.as_ref()?;
            Some(address.name().to_owned())
        };
        let is_name = |name: &String| !name.is_empty();
        of_fault()
            .filter(is_name)
            .or_else(|| of_queue().filter(is_name))
            .or_else(|| of_envelope().filter(is_name))
    }

    fn host(&self) -> ErrorHost {
        let text = |name: &str| self.text(&format!("MT-Host-{name}"));
        ErrorHost {
            machine: text("MachineName"),
            process: text("ProcessName"),
            process_id: text("ProcessId"),
            version: text("AssemblyVersion"),
            mass_transit_version: text("MassTransitVersion"),
        }
    }

    fn came_by(&self) -> Option<String> {
        if self.kind != Kind::DeadLetter {
            return None;
        }
        let letter = letter(self.delivery);
        let exchange = if letter.exchange.is_empty() { "the default exchange" } else { &letter.exchange };
        Some(format!("{exchange}, routing key '{}'", letter.routing_key))
    }

    /// The same for the same message, wherever and whenever it is looked at.
    fn made_id(&self) -> String {
        let letter = letter(self.delivery);
        let mut text = [letter.queue.as_bytes(), &letter.at.to_be_bytes()].concat();
        text.extend_from_slice(self.text(TIMESTAMP).unwrap_or_default().as_bytes());
        text.extend_from_slice(&self.delivery.body);
        Uuid::new_v5(&Uuid::NAMESPACE_OID, &text).to_string()
    }
}

fn cut(mut text: String, limit: usize) -> String {
    if let Some((end, _)) = text.char_indices().nth(limit) {
        text.truncate(end);
        text.push('…');
    }
    text
}

/// Headers as they are read: numbers as numbers, text as text.
fn plain_table(table: &Table) -> Map<String, Json> {
    table.iter().map(|(name, value)| (name.to_owned(), plain(value))).collect()
}

fn plain(value: Value) -> Json {
    match value {
        Value::Text(text) => text.into(),
        Value::Octets(bytes) | Value::Bytes(bytes) => String::from_utf8_lossy(&bytes).into(),
        Value::Boolean(value) => value.into(),
        Value::I8(value) => value.into(),
        Value::U8(value) => value.into(),
        Value::I16(value) => value.into(),
        Value::U16(value) => value.into(),
        Value::I32(value) => value.into(),
        Value::U32(value) => value.into(),
        Value::Integer(value) => value.into(),
        Value::F32(value) => json!(value),
        Value::F64(value) => json!(value),
        Value::Decimal { scale, digits } => json!(f64::from(digits) / 10f64.powi(scale.into())),
        Value::Timestamp(seconds) => seconds.into(),
        Value::List(values) => values.into_iter().map(plain).collect(),
        Value::Table(table) => plain_table(&table).into(),
        Value::Void => Json::Null,
    }
}

#[cfg(test)]
mod tests;
