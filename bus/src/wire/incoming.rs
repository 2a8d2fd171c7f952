//! What came from a broker.

use tick_sdk::contracts::envelope::{Envelope, JsonText};
use tick_sdk::contracts::{CommandId, ConversationId, KnownCommand, KnownRequest, MessageId, NAMESPACE};
use uuid::Uuid;

use super::delivery::{Delivery, Unreadable};
use super::fault::{self, FaultMessage};
use super::publication::{CALLER, CONTEXT, POSITION};
use super::{Original, Properties};
use crate::store::NewCommand;

/// What a delivery is.
#[derive(Debug)]
pub enum Incoming {
    /// A command, for the inbox. At an endpoint the delivery stands in it as its original; to one who listens it is
    /// a copy of what somebody else carries out, without it.
    Command(IncomingCommand),
    /// A question that is to be answered at once.
    Request(Box<IncomingRequest>),
    /// What has happened elsewhere.
    Event(IncomingEvent),
    /// A command of somebody failed.
    Fault(IncomingFault),
    /// Nobody handles its type here: it goes to `_skipped`.
    Skipped(Delivery),
    /// It goes to `_error`, and a `ReceiveFault` says why.
    Unreadable {
        /// The delivery, intact.
        delivery: Delivery,
        /// Why.
        reason: Unreadable,
    },
}

/// A command as it came.
#[derive(Clone, Debug, PartialEq)]
pub struct IncomingCommand {
    /// The command with the id that the inbox knows it by: the envelope's `correlationId`, else the message's
    /// `commandId`, else the header `MT-OriginalMessageId`, else its `messageId`.
    pub command: NewCommand,
    /// When it was sent, in ms since the UNIX epoch, where that is said.
    pub sent_ms: Option<u64>,
}

/// An event as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IncomingEvent {
    /// Its own id: it is taken once.
    pub message_id: MessageId,
    /// The contract's name: within the namespace of Orchard without it, else with its own, as `Crm:LeadWon`.
    pub name: String,
    /// The contract's version, as far as this program knows it.
    pub version: u32,
    /// The command that caused it.
    pub command_id: Option<CommandId>,
    /// The tree of causes it belongs to.
    pub conversation_id: Option<ConversationId>,
    /// The command that caused that one, as far as it is said.
    pub initiator_id: Option<CommandId>,
    /// When it was sent, in ms since the UNIX epoch, where that is said.
    pub sent_ms: Option<u64>,
    /// The message as JSON.
    pub body: String,
    /// Where it stands in a log of this program's, if it is one of its own.
    pub log: Option<LogPosition>,
}

/// An event's place in the log of a context.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogPosition {
    /// The context.
    pub context: String,
    /// The position.
    pub position: u64,
}

/// A fault as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IncomingFault {
    /// Its own id: it is taken once.
    pub message_id: MessageId,
    /// The command that failed, where it is said.
    pub command_id: Option<CommandId>,
    /// The tree of causes it belongs to.
    pub conversation_id: Option<ConversationId>,
    /// The contract of what failed; `None` where it could not be read.
    pub contract: Option<String>,
    /// The endpoint where it failed, where it is said.
    pub endpoint: Option<String>,
    /// Why: the type and message of each exception, the outermost first.
    pub reason: String,
    /// When it was sent, in ms since the UNIX epoch, where that is said.
    pub sent_ms: Option<u64>,
}

/// A request as it came.
#[derive(Clone, Debug, PartialEq)]
pub struct IncomingRequest {
    /// The contract's name.
    pub name: &'static str,
    /// The message as JSON, as this program writes it.
    pub message: String,
    /// Its envelope, with `requestId` and `responseAddress`.
    pub envelope: Envelope,
    /// The delivery.
    pub delivery: Delivery,
}

/// What was read of a delivery, which is not yet part of it.
pub(super) enum Read {
    Command { command: IncomingCommand, keeps_original: bool },
    Request { name: &'static str, message: String, envelope: Box<Envelope> },
    Event(IncomingEvent),
    Fault(IncomingFault),
}

impl Read {
    pub(super) fn into_incoming(self, delivery: Delivery) -> Incoming {
        match self {
            Self::Command { mut command, keeps_original } => {
                command.command.original = keeps_original.then(|| Original { delivery }.to_bytes());
                Incoming::Command(command)
            }
            Self::Request { name, message, envelope } => {
                let request = IncomingRequest { name, message, envelope: *envelope, delivery };
                Incoming::Request(Box::new(request))
            }
            Self::Event(event) => Incoming::Event(event),
            Self::Fault(fault) => Incoming::Fault(fault),
        }
    }
}

/// A command of a contract that this program knows. Where it carries it out itself the original is kept.
pub(super) fn command(
    known: &KnownCommand,
    envelope: &Envelope,
    body: String,
    delivery: &Delivery,
    new_id: CommandId,
    keeps_original: bool,
) -> Read {
    let command_id = inbox_key(envelope, &delivery.properties, new_id);
    let command = NewCommand {
        command_id,
        conversation_id: envelope.conversation_id.unwrap_or(ConversationId(command_id.0)),
        initiator_id: envelope.initiator_id,
        name: known.name.to_owned(),
        version: known.version,
        endpoint: known.endpoint.to_owned(),
        caller: caller(envelope, &delivery.properties),
        body,
        original: None,
    };
    Read::Command { command: IncomingCommand { command, sent_ms: sent_ms(envelope) }, keeps_original }
}

/// A command that this program has no contract of: whose endpoint it is, its address says.
pub(super) fn command_of_others(
    name: &str,
    envelope: &Envelope,
    delivery: &Delivery,
    new_id: CommandId,
) -> Read {
    let command_id = inbox_key(envelope, &delivery.properties, new_id);
    let destination = envelope.destination_address.as_ref();
    let command = NewCommand {
        command_id,
        conversation_id: envelope.conversation_id.unwrap_or(ConversationId(command_id.0)),
        initiator_id: envelope.initiator_id,
        name: name.to_owned(),
        version: 1,
        endpoint: destination.map_or(delivery.exchange.as_str(), |address| address.name()).to_owned(),
        caller: caller(envelope, &delivery.properties),
        body: envelope.message.as_str().to_owned(),
        original: None,
    };
    Read::Command { command: IncomingCommand { command, sent_ms: sent_ms(envelope) }, keeps_original: false }
}

/// The id that tells a command from all others, whatever way and however often it comes.
fn inbox_key(envelope: &Envelope, properties: &Properties, new_id: CommandId) -> CommandId {
    let first_message = || envelope.headers.read::<Uuid>("MT-OriginalMessageId");
    let of_property = || properties.message_id.as_deref()?.parse::<MessageId>().ok();
    envelope
        .command_id()
        .or_else(|| first_message().map(CommandId))
        .or_else(|| envelope.message_id.or_else(of_property).map(|id| CommandId(id.0)))
        .unwrap_or(new_id)
}

pub(super) fn event(
    name: &str,
    version: u32,
    envelope: &Envelope,
    body: String,
    delivery: &Delivery,
    new_id: CommandId,
) -> Read {
    let headers = &delivery.properties.headers;
    let position = headers.integer(POSITION).and_then(|position| u64::try_from(position).ok());
    let log = headers.text(CONTEXT).zip(position);
    let command_id = envelope.correlation_id;
    Read::Event(IncomingEvent {
        message_id: envelope.message_id.unwrap_or(MessageId(new_id.0)),
        name: name.to_owned(),
        version,
        command_id,
        conversation_id: envelope.conversation_id,
        // In the handler of a command, its own id stands here.
        initiator_id: envelope.initiator_id.filter(|initiator| Some(*initiator) != command_id),
        sent_ms: sent_ms(envelope),
        body,
        log: log.map(|(context, position)| LogPosition { context: context.to_owned(), position }),
    })
}

pub(super) fn request(
    known: &'static KnownRequest,
    envelope: Envelope,
    message: String,
) -> Result<Read, Unreadable> {
    let missing = match (&envelope.request_id, &envelope.response_address) {
        (None, _) => Some("requestId"),
        (_, None) => Some("responseAddress"),
        _ => None,
    };
    match missing {
        Some(field) => Err(Unreadable::NoAnswerWanted { request: known.name, field }),
        None => Ok(Read::Request { name: known.name, message, envelope: Box::new(envelope) }),
    }
}

/// A fault; what cannot be read of it is as good as absent, so that none is lost.
pub(super) fn fault(envelope: &Envelope, new_id: CommandId) -> Read {
    let fault: FaultMessage = envelope.message.read().unwrap_or_default();
    let named = fault.message.as_ref().and_then(|message| JsonText::parse(&message.to_string()).ok());
    let of_message = || Envelope { message: named?, ..Envelope::default() }.command_id();
    Read::Fault(IncomingFault {
        message_id: envelope.message_id.unwrap_or(MessageId(new_id.0)),
        command_id: envelope.correlation_id.or_else(of_message),
        conversation_id: envelope.conversation_id,
        contract: fault::contract_of(envelope).map(|name| contract_name(&name).to_owned()),
        endpoint: envelope.source_address.as_ref().map(|address| address.name().to_owned()),
        reason: fault.reason(),
        sent_ms: sent_ms(envelope),
    })
}

/// `urn:message:Orchard.Contracts:X` as `X`, and `urn:message:Other:Y` as `Other:Y`.
pub(super) fn contract_name(urn: &str) -> &str {
    let name = urn.strip_prefix("urn:message:").unwrap_or(urn);
    let of_orchard = name.strip_prefix(NAMESPACE).and_then(|name| name.strip_prefix(':'));
    of_orchard.unwrap_or(name)
}

fn sent_ms(envelope: &Envelope) -> Option<u64> {
    envelope.sent_time.and_then(|time| u64::try_from(time.unix_ms()).ok())
}

/// Who asked: the caller that Orchard's own senders name, else the program, else its address.
fn caller(envelope: &Envelope, properties: &Properties) -> String {
    const LONGEST: usize = 200;
    let program = envelope.host.process_name.as_deref();
    let address = envelope.source_address.as_ref().map(|address| address.name());
    let name = properties.headers.text(CALLER).or(program).or(address).unwrap_or("unknown");
    name.chars().take(LONGEST).collect()
}
