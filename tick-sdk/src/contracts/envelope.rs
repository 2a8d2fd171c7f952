//! The envelope that commands and events travel in, as MassTransit 8 writes and reads it.
//!
//! Nothing here does I/O or reads a clock: bytes and times are arguments. [`Envelope::decode`] takes what
//! .NET services write, with every name in any case; [`Envelope::encode`] gives what they read, with every
//! field in its place and `null` where there is nothing.
//!
//! ```
//! use tick_sdk::contracts::accounts::CreateUser;
//! use tick_sdk::contracts::envelope::{Envelope, Ids};
//! use tick_sdk::contracts::{CommandId, ConversationId, MessageId};
//!
//! let command_id = CommandId::new();
//! let ids = Ids {
//!     message_id: MessageId::new(),
//!     command_id,
//!     conversation_id: ConversationId(command_id.0),
//!     initiator_id: None,
//! };
//! let wish = CreateUser { email: "zoe@example.com".into(), name: "Zoë".into() };
//! let bytes = Envelope::of(&wish, ids)?.encode()?;
//!
//! let envelope = Envelope::decode(&bytes)?;
//! assert_eq!(envelope.correlation_id, Some(command_id));
//! assert_eq!(envelope.message_type[0], "urn:message:Orchard.Contracts:CreateUser");
//! assert_eq!(envelope.read::<CreateUser>()?, wish);
//! # Ok::<(), tick_sdk::contracts::envelope::EnvelopeError>(())
//! ```
//!
//! What .NET would read silently wrong is refused here: a name that stands twice in an object, a number that
//! does not fit. Comments and trailing commas are refused too.

use serde::Serialize;
use uuid::Uuid;

use super::{CommandId, Contract, ConversationId, Kind, MessageId};

mod address;
mod any_case;
mod check;
mod error;
mod finite;
mod headers;
mod json_text;
mod names;
mod properties;
mod reading;
mod time;
mod writing;

pub use address::{Address, InvalidAddress};
pub use error::{EnvelopeError, JsonKind};
pub use headers::Headers;
pub use json_text::JsonText;
pub use names::{exchange, type_urn, type_urns, urns_of};
pub use properties::{CONTENT_TYPE, HeaderValue, Properties};
pub use time::{InvalidTime, UtcTime};

/// The longest body that is read or written.
pub const MAX_BODY_BYTES: usize = 4 << 20;

/// How many objects and lists may stand within each other, the envelope and its message among them.
pub const MAX_LEVELS: usize = 64;

/// One message with all that is known about its way.
///
/// Ids that are absent, null or blank are `None`; so are addresses and times.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Envelope {
    /// Names this message and means nothing else; always written.
    pub message_id: Option<MessageId>,
    /// The request that this is, or answers.
    pub request_id: Option<Uuid>,
    /// A command's own id; of an event, the command that caused it.
    pub correlation_id: Option<CommandId>,
    /// The first of the tree of causes; always written.
    pub conversation_id: Option<ConversationId>,
    /// The command in whose handler this was sent.
    pub initiator_id: Option<CommandId>,
    /// The sender's endpoint.
    pub source_address: Option<Address>,
    /// Where it was sent; may carry a query, so never compare it as text.
    pub destination_address: Option<Address>,
    /// Where an answer goes.
    pub response_address: Option<Address>,
    /// Where a fault goes, before [`response_address`](Self::response_address).
    pub fault_address: Option<Address>,
    /// URNs of the type and of all that it is besides; receivers match any of them. Without one that a
    /// receiver knows, the message is skipped.
    pub message_type: Vec<String>,
    /// The contract: a JSON object.
    pub message: JsonText,
    /// After this time nobody needs it; receivers do not check.
    pub expiration_time: Option<UtcTime>,
    /// When it was sent.
    pub sent_time: Option<UtcTime>,
    /// What consumers see as headers.
    pub headers: Headers,
    /// The program that sent it.
    pub host: Host,
}

/// The program that sent a message.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Host {
    /// The machine's name.
    pub machine_name: Option<String>,
    /// The program's name.
    pub process_name: Option<String>,
    /// Its process id, 0 where unknown: .NET takes no null here.
    pub process_id: i32,
    /// The assembly, or the program's name again.
    pub assembly: Option<String>,
    /// Its version.
    pub assembly_version: Option<String>,
    /// The version of what it runs on.
    pub framework_version: Option<String>,
    /// MassTransit's version; none where another library wrote the message.
    pub mass_transit_version: Option<String>,
    /// The operating system with its version.
    pub operating_system_version: Option<String>,
}

/// The ids of a message that is about to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ids {
    /// New for each message.
    pub message_id: MessageId,
    /// Of a command its own id; of an event the id of the command that caused it.
    pub command_id: CommandId,
    /// That of the message being handled, or a new one.
    pub conversation_id: ConversationId,
    /// The command being handled, where there is one.
    pub initiator_id: Option<CommandId>,
}

impl Envelope {
    /// An envelope around `contract`, with its URNs. The command's id stands in the message too, where .NET
    /// services look for it: as `commandId` of a command, as `correlationId` of an event.
    pub fn of<C: Contract>(contract: &C, ids: Ids) -> Result<Self, EnvelopeError> {
        let id = C::Kind::ID_PROPERTY.map(|property| (property, ids.command_id.0));
        Ok(Self {
            message_id: Some(ids.message_id),
            correlation_id: Some(ids.command_id),
            conversation_id: Some(ids.conversation_id),
            initiator_id: ids.initiator_id,
            message_type: type_urns::<C>(),
            message: JsonText::message(contract, id)?,
            ..Self::default()
        })
    }

    /// Whether the message is of this contract, as far as its URNs say.
    pub fn is<C: Contract>(&self) -> bool {
        let urn = type_urn(C::NAME);
        self.message_type.iter().any(|known| known.eq_ignore_ascii_case(&urn))
    }

    /// The message as this contract: names in any case, and null where something may be absent.
    pub fn read<C: Contract>(&self) -> Result<C, EnvelopeError> {
        if !self.is::<C>() {
            return Err(EnvelopeError::OtherType {
                expected: type_urn(C::NAME),
                found: self.message_type.clone(),
            });
        }
        any_case::read(self.message.as_str())
            .map_err(|source| EnvelopeError::Message { contract: C::NAME, source })
    }

    /// The id that a command's receiver knows it by: its correlation id, else `commandId` in the message.
    pub fn command_id(&self) -> Option<CommandId> {
        self.correlation_id.or_else(|| {
            any_case::read::<NamedCommand>(self.message.as_str()).ok().and_then(|named| named.command_id)
        })
    }

    /// Reads a body as it came off the wire. Refuses whatever could be understood in two ways, and names it.
    pub fn decode(body: &[u8]) -> Result<Self, EnvelopeError> {
        reading::decode(body)
    }

    /// The body as it goes over the wire: indented UTF-8 without a byte order mark.
    pub fn encode(&self) -> Result<Vec<u8>, EnvelopeError> {
        writing::encode(self)
    }
}

/// Reads a message as the contract `C`, with names in any case, and gives it as this program
/// writes it: so the same wish has the same text, whoever wrote it.
pub fn normalize<C: Contract>(message: &str) -> Result<String, EnvelopeError> {
    let unreadable = |source| EnvelopeError::Message { contract: C::NAME, source };
    let contract: C = any_case::read(message).map_err(unreadable)?;
    serde_json::to_string(&contract).map_err(unreadable)
}

/// The property by which .NET services find a command's id.
#[derive(serde::Deserialize)]
struct NamedCommand {
    #[serde(rename = "commandId", default)]
    command_id: Option<CommandId>,
}
