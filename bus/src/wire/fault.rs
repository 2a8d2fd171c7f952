//! Faults: that a message could not be carried out, or not be read.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use tick_sdk::contracts::envelope::{Envelope, EnvelopeError, Host, JsonText, UtcTime, exchange};
use tick_sdk::contracts::{CommandId, CommandKind, ConversationId, Kind, MessageId};

use super::delivery::{Delivery, Unreadable};
use super::incoming::IncomingRequest;
use super::reply::{initiator_of, reply_to};
use super::writer::passed_on;
use super::{Original, Properties, Publication, Stamp, Target, Writer};

pub(super) const FAULT_EXCHANGE: &str = "MassTransit:Fault";
pub(super) const RECEIVE_FAULT_EXCHANGE: &str = "MassTransit:ReceiveFault";
const FAULT_URN: &str = "urn:message:MassTransit:Fault";
const RECEIVE_FAULT_URN: &str = "urn:message:MassTransit:ReceiveFault";
/// How many attempts failed before the last one.
pub(super) const RETRY_COUNT: &str = "MT-Fault-RetryCount";
/// An exception's texts are cut here in a fault's body.
const LONGEST_TEXT: usize = 16_384;

/// Why a message was not carried out, as a fault and an error queue say it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Failure {
    /// What went wrong; what caused it stands in it.
    pub exception: Exception,
    /// Who tried: the handler's path. `None` where no handler had it.
    pub handler: Option<String>,
    /// How often it was tried again before it was given up.
    pub retries: u32,
}

/// An error as .NET services know errors.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Exception {
    /// The error's path.
    #[serde(rename = "exceptionType")]
    pub kind: String,
    /// What caused it.
    #[serde(rename = "innerException")]
    pub inner: Option<Box<Self>>,
    /// Where it happened, a step a line.
    pub stack_trace: String,
    /// What it says.
    pub message: String,
    /// The program.
    pub source: String,
    /// Values that go with it; an object, or none.
    pub data: Option<JsonText>,
}

impl Failure {
    /// Of a handler's reason, after so many attempts.
    pub fn of_handler(handler: &str, reason: &str, attempts: u32) -> Self {
        let exception = Exception {
            kind: "bus::HandlerError".to_owned(),
            stack_trace: format!("   at {handler}, attempt {attempts}: {reason}"),
            message: reason.to_owned(),
            source: "orchard".to_owned(),
            ..Exception::default()
        };
        Self { exception, handler: Some(handler.to_owned()), retries: attempts.saturating_sub(1) }
    }

    /// Of a delivery that cannot be read.
    pub fn of_unreadable(reason: &Unreadable) -> Self {
        let message = reason.to_string();
        let exception = Exception {
            kind: reason.kind().to_owned(),
            stack_trace: format!("   at bus::wire::Reader::read: {message}"),
            message,
            source: "orchard".to_owned(),
            ..Exception::default()
        };
        Self { exception, ..Self::default() }
    }

    /// What began it.
    pub(super) fn innermost(&self) -> &Exception {
        let mut exception = &self.exception;
        while let Some(inner) = &exception.inner {
            exception = inner;
        }
        exception
    }
}

impl Exception {
    /// The same with its texts cut.
    fn cut(&self) -> Self {
        Self {
            kind: beginning(&self.kind, LONGEST_TEXT),
            inner: self.inner.as_ref().map(|inner| Box::new(inner.cut())),
            stack_trace: beginning(&self.stack_trace, LONGEST_TEXT),
            message: beginning(&self.message, LONGEST_TEXT),
            source: beginning(&self.source, LONGEST_TEXT),
            data: self.data.clone(),
        }
    }
}

/// At most so many characters of a text, counted as .NET counts them.
pub(super) fn beginning(text: &str, most: usize) -> String {
    let mut units = 0;
    let is_within = |c: &char| {
        units += c.len_utf16();
        units <= most
    };
    text.chars().take_while(is_within).collect()
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Fault<'a> {
    fault_id: MessageId,
    faulted_message_id: Option<MessageId>,
    timestamp: String,
    exceptions: [Exception; 1],
    host: &'a Host,
    fault_message_types: &'a [String],
    message: &'a RawValue,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ReceiveFault<'a> {
    fault_id: MessageId,
    timestamp: String,
    faulted_message_id: Option<MessageId>,
    exceptions: [Exception; 1],
    host: &'a Host,
    fault_message_types: Option<&'a [String]>,
    content_type: Option<&'a str>,
}

impl Writer {
    /// That a command of the contract `name` was not carried out: for its `faultAddress`, else its
    /// `responseAddress`, else for whoever listens.
    ///
    /// # Errors
    /// The original cannot be read any more, or the fault not be written.
    pub fn fault(
        &self,
        name: &str,
        command_id: CommandId,
        original: &Original,
        failure: &Failure,
        stamp: Stamp,
    ) -> Result<Publication, EnvelopeError> {
        let mut envelope = original.envelope().ok_or(EnvelopeError::Missing { field: "message" })?;
        envelope.correlation_id = envelope.correlation_id.or(Some(command_id));
        let published = Target::fault_of_command(name);
        self.fault_of(&envelope, &original.delivery.properties, name, published, failure, stamp)
    }

    /// That a request could not be answered.
    ///
    /// # Errors
    /// The fault cannot be written.
    pub fn fault_of_request(
        &self,
        request: &IncomingRequest,
        failure: &Failure,
        stamp: Stamp,
    ) -> Result<Publication, EnvelopeError> {
        let published = Target::Fault { contract: request.name.to_owned(), marker: None };
        let properties = &request.delivery.properties;
        self.fault_of(&request.envelope, properties, request.name, published, failure, stamp)
    }

    fn fault_of(
        &self,
        failed: &Envelope,
        properties: &Properties,
        name: &str,
        published: Target,
        failure: &Failure,
        stamp: Stamp,
    ) -> Result<Publication, EnvelopeError> {
        let marker = match &published {
            Target::Fault { marker, .. } => marker.as_deref(),
            _ => CommandKind::MARKER,
        };
        let message_type = fault_urns(name, marker);
        let message = self.fault_message(failed, failure, stamp)?;
        let mut envelope = self.answering(failed, failure)?;
        envelope.correlation_id = failed.correlation_id;
        envelope.initiator_id = initiator_of(failed);
        envelope.message_type = message_type;
        envelope.message = message;
        let target = self.fault_target(&mut envelope, failed, properties, published);
        self.publication(envelope, target, stamp)
    }

    /// The fault around the message that failed; around its id alone where both together would be too much.
    fn fault_message(
        &self,
        failed: &Envelope,
        failure: &Failure,
        stamp: Stamp,
    ) -> Result<JsonText, EnvelopeError> {
        let around = |message: &str| {
            let fault = Fault {
                fault_id: stamp.message_id,
                faulted_message_id: failed.message_id,
                timestamp: stamp.at.to_string(),
                exceptions: [failure.exception.cut()],
                host: &self.host,
                fault_message_types: &failed.message_type,
                message: serde_json::from_str(message).map_err(EnvelopeError::Json)?,
            };
            JsonText::message(&fault, None)
        };
        // A fault adds some lines, and two blanks to each of the message's own.
        const MOST: usize = tick_sdk::contracts::envelope::MAX_BODY_BYTES / 4;
        let message = failed.message.as_str();
        let whole = if message.len() <= MOST { around(message) } else { Err(EnvelopeError::TooDeep) };
        match whole {
            Err(EnvelopeError::TooDeep) => {
                let id = failed.command_id().map(|id| format!("{{\"commandId\":\"{id}\"}}"));
                around(id.as_deref().unwrap_or("{}"))
            }
            other => other,
        }
    }

    /// That a delivery cannot be read: where its envelope can be, for the address that it names, else for whoever
    /// listens.
    ///
    /// # Errors
    /// The fault cannot be written.
    pub fn receive_fault(
        &self,
        delivery: &Delivery,
        failure: &Failure,
        stamp: Stamp,
    ) -> Result<Publication, EnvelopeError> {
        let failed = delivery.envelope().unwrap_or_default();
        let fault = ReceiveFault {
            fault_id: stamp.message_id,
            timestamp: stamp.at.to_string(),
            faulted_message_id: failed.message_id,
            exceptions: [failure.exception.cut()],
            host: &self.host,
            fault_message_types: None,
            content_type: delivery.properties.content_type.as_deref(),
        };
        let mut envelope = self.answering(&failed, failure)?;
        envelope.message_type = vec![RECEIVE_FAULT_URN.to_owned(), FAULT_URN.to_owned()];
        envelope.message = JsonText::message(&fault, None)?;
        let target = self.fault_target(&mut envelope, &failed, &delivery.properties, Target::ReceiveFault);
        envelope.conversation_id.get_or_insert(ConversationId(stamp.message_id.0));
        self.publication(envelope, target, stamp)
    }

    /// An envelope that belongs to a message that failed.
    fn answering(&self, failed: &Envelope, failure: &Failure) -> Result<Envelope, EnvelopeError> {
        let mut headers = passed_on(&failed.headers)?;
        if failure.retries > 0 {
            headers.set(RETRY_COUNT, &failure.retries)?;
        }
        let redeliveries = failed.headers.read::<u32>("MT-Redelivery-Count").unwrap_or_default();
        if redeliveries > 0 {
            headers.set("MT-Fault-RedeliveryCount", &redeliveries)?;
        }
        Ok(Envelope {
            request_id: failed.request_id,
            conversation_id: failed.conversation_id,
            headers,
            ..Envelope::default()
        })
    }

    /// Where a fault goes; an answer ends with the request.
    fn fault_target(
        &self,
        envelope: &mut Envelope,
        failed: &Envelope,
        properties: &Properties,
        published: Target,
    ) -> Target {
        let address = failed.fault_address.as_ref().or(failed.response_address.as_ref());
        let target = address.and_then(|address| reply_to(&self.home, address, properties));
        let Some(target) = target else { return published };
        envelope.destination_address = address.cloned();
        if failed.fault_address.is_none() {
            envelope.expiration_time = failed.expiration_time;
        }
        target
    }
}

/// The exchange of the faults of a contract: `MassTransit:Fault--Orchard.Contracts:CreateUser--`.
pub(super) fn exchange_of(name: &str) -> String {
    format!("{FAULT_EXCHANGE}--{}--", exchange(name))
}

/// The URNs of a fault: of the contract's own, of its marker's, and of all faults.
fn fault_urns(name: &str, marker: Option<&str>) -> Vec<String> {
    let of_name = |name: &str| format!("{FAULT_URN}[[{}]]", exchange(name));
    let names = [Some(name), marker];
    names.into_iter().flatten().map(of_name).chain([FAULT_URN.to_owned()]).collect()
}

/// Whether a message is a fault, of any contract or of none.
pub(super) fn is_fault(envelope: &Envelope) -> bool {
    envelope.message_type.iter().any(|urn| {
        let beginning = urn.get(..FAULT_URN.len()).unwrap_or_default();
        urn.eq_ignore_ascii_case(RECEIVE_FAULT_URN) || beginning.eq_ignore_ascii_case(FAULT_URN)
    })
}

/// The URN of the contract that a fault is of.
pub(super) fn contract_of(envelope: &Envelope) -> Option<String> {
    let of_fault = |urn: &String| {
        let name = urn.split_once("[[")?.1.strip_suffix("]]")?;
        Some(format!("urn:message:{name}"))
    };
    envelope.message_type.iter().find_map(of_fault)
}

/// A fault as others write it.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct FaultMessage {
    exceptions: Vec<Option<OtherException>>,
    /// The message that failed.
    pub(super) message: Option<Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct OtherException {
    exception_type: Option<String>,
    message: Option<String>,
    inner_exception: Option<Box<Self>>,
}

impl FaultMessage {
    /// Types and messages of the exceptions, the outermost first; cut where it is long.
    pub(super) fn reason(&self) -> String {
        const LONGEST: usize = 4096;
        let mut reasons = Vec::new();
        for outer in self.exceptions.iter().flatten() {
            let mut next = Some(outer);
            while let Some(exception) = next {
                let parts = [&exception.exception_type, &exception.message];
                let parts: Vec<_> = parts.into_iter().flatten().map(String::as_str).collect();
                reasons.push(parts.join(": "));
                next = exception.inner_exception.as_deref();
            }
        }
        reasons.retain(|reason| !reason.is_empty());
        if reasons.is_empty() {
            return "no reason is given".to_owned();
        }
        beginning(&reasons.join("; "), LONGEST)
    }
}

/// A time as a header of an error queue has it, with seven decimals.
pub(super) fn with_all_decimals(time: UtcTime) -> String {
    let text = time.to_string();
    let text = text.trim_end_matches('Z');
    let (seconds, decimals) = text.split_once('.').unwrap_or((text, ""));
    format!("{seconds}.{decimals:0<7}Z")
}

/// A contract as .NET names its type: `Orchard.Contracts.CreateUser`.
pub(super) fn type_name(name: &str) -> String {
    exchange(name).replace(':', ".")
}
