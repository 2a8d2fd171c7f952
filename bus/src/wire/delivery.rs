//! What a delivery is.

use thiserror::Error;
use tick_sdk::contracts::envelope::{CONTENT_TYPE, Envelope, EnvelopeError, type_urn};
use tick_sdk::contracts::{CommandId, CommandKind, EventKind, Kind, KnownCommand, KnownEvent, KnownRequest};

use super::incoming::{self, Incoming};
use super::{Properties, fault, raw};

/// A message as a broker delivered it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Delivery {
    /// The exchange that it was published to.
    pub exchange: String,
    /// Its routing key.
    pub key: String,
    /// Its properties and headers.
    pub properties: Properties,
    /// The message itself.
    pub body: Vec<u8>,
}

/// Why a delivery cannot be read: it goes to `_error`, and a `ReceiveFault` says so.
#[derive(Debug, Error)]
pub enum Unreadable {
    /// Its body is no envelope, or the message no such contract.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    /// .NET reads it as a message in which everything is absent.
    #[error(
        "the body is an envelope, but its content type is that of raw JSON: send it with content type {CONTENT_TYPE}"
    )]
    EnvelopeAsRaw,
    /// Its types are not named, and there are several that it might be.
    #[error(
        "the body is raw JSON of no named type, and this endpoint takes {takes}: name one in the header MT-MessageType"
    )]
    AnyOfSeveral {
        /// How many types.
        takes: usize,
    },
    /// Nobody could be answered.
    #[error(
        "the request {request} has no {field}: send it with a request client, or with `requestId` and `responseAddress`"
    )]
    NoAnswerWanted {
        /// The contract.
        request: &'static str,
        /// The envelope's field.
        field: &'static str,
    },
}

impl Unreadable {
    /// What stands as `exceptionType` in its fault.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Envelope(EnvelopeError::TooLong { .. }) => "bus::wire::Unreadable::TooLong",
            Self::Envelope(EnvelopeError::TooDeep) => "bus::wire::Unreadable::TooDeep",
            Self::Envelope(EnvelopeError::NotUtf8 { .. }) => "bus::wire::Unreadable::NotUtf8",
            Self::Envelope(EnvelopeError::NameTwice { .. }) => "bus::wire::Unreadable::NameTwice",
            Self::Envelope(EnvelopeError::Message { .. }) => "bus::wire::Unreadable::Message",
            Self::Envelope(_) => "bus::wire::Unreadable::Envelope",
            Self::EnvelopeAsRaw => "bus::wire::Unreadable::EnvelopeAsRaw",
            Self::AnyOfSeveral { .. } => "bus::wire::Unreadable::AnyOfSeveral",
            Self::NoAnswerWanted { .. } => "bus::wire::Unreadable::NoAnswerWanted",
        }
    }
}

/// A contract that a [`Reader`] takes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Taken {
    Command(&'static KnownCommand),
    Event(&'static KnownEvent),
    Request(&'static KnownRequest),
}

/// Says what a delivery is to one endpoint, or to one who listens.
#[derive(Debug)]
pub struct Reader {
    /// What is taken, by URN.
    taken: Vec<(String, Taken)>,
    /// Whether it also takes what carries a marker interface or is a fault, whatever its type.
    listens: bool,
    /// Whether raw JSON is read.
    takes_raw_json: bool,
}

impl Reader {
    /// Takes the commands and requests of this endpoint that the program knows.
    pub fn of_endpoint(endpoint: &str) -> Self {
        let commands = KnownCommand::of_endpoint(endpoint).into_iter().map(Taken::Command);
        let requests = KnownRequest::of_endpoint(endpoint).into_iter().map(Taken::Request);
        Self::of(commands.chain(requests), false)
    }

    /// Takes every event and every command, known or not, that carries its marker interface, and every fault: what
    /// others publish, and copies of what is sent to them.
    pub fn listening() -> Self {
        let commands = KnownCommand::all().into_iter().map(Taken::Command);
        let events = KnownEvent::all().into_iter().map(Taken::Event);
        Self::of(commands.chain(events), true)
    }

    /// As [`Reader::listening`], with only the contracts of these endpoints known: a message of another is taken as it
    /// is.
    pub fn listening_with(endpoints: &[&str]) -> Self {
        let commands = endpoints.iter().flat_map(|name| KnownCommand::of_endpoint(name)).map(Taken::Command);
        let events = endpoints.iter().flat_map(|name| KnownEvent::of_context(name)).map(Taken::Event);
        Self::of(commands.chain(events), true)
    }

    fn of(taken: impl Iterator<Item = Taken>, listens: bool) -> Self {
        let named = taken.map(|taken| {
            let name = match taken {
                Taken::Command(command) => command.name,
                Taken::Event(event) => event.name,
                Taken::Request(request) => request.name,
            };
            (type_urn(name), taken)
        });
        Self { taken: named.collect(), listens, takes_raw_json: false }
    }

    /// The same, which reads raw JSON too: bodies without an envelope, of content type `application/json`.
    #[must_use]
    pub fn with_raw_json(mut self) -> Self {
        self.takes_raw_json = true;
        self
    }

    /// What a delivery is. A command that names no id at all, neither in its envelope nor in its message, is known by
    /// `new_id` from then on: such a message is handled once a delivery.
    pub fn read(&self, delivery: Delivery, new_id: CommandId) -> Incoming {
        match self.try_read(&delivery, new_id) {
            Ok(Some(read)) => read.into_incoming(delivery),
            Ok(None) => Incoming::Skipped(delivery),
            Err(reason) => Incoming::Unreadable { delivery, reason },
        }
    }

    fn try_read(&self, delivery: &Delivery, new_id: CommandId) -> Result<Option<incoming::Read>, Unreadable> {
        let is_raw = self.takes_raw_json && raw::is_raw(&delivery.properties);
        let mut envelope = if is_raw { raw::envelope(delivery)? } else { Envelope::decode(&delivery.body)? };
        if is_raw && envelope.message_type.is_empty() {
            envelope.message_type.push(self.only_type()?);
        }
        if self.listens && fault::is_fault(&envelope) {
            return Ok(Some(incoming::fault(&envelope, new_id)));
        }
        match self.taken(&envelope) {
            Some(Taken::Command(known)) => {
                let message = (known.normalize)(envelope.message.as_str())?;
                Ok(Some(incoming::command(known, &envelope, message, delivery, new_id, !self.listens)))
            }
            Some(Taken::Event(known)) => {
                let message = (known.normalize)(envelope.message.as_str())?;
                Ok(Some(incoming::event(known.name, known.version, &envelope, message, delivery, new_id)))
            }
            Some(Taken::Request(known)) => {
                let message = (known.normalize)(envelope.message.as_str())?;
                incoming::request(known, envelope, message).map(Some)
            }
            None if self.listens => Ok(self.of_others(&envelope, delivery, new_id)),
            None => Ok(None),
        }
    }

    /// The first of the envelope's types that is taken.
    fn taken(&self, envelope: &Envelope) -> Option<Taken> {
        let of_urn = |urn: &String| {
            let mut taken = self.taken.iter();
            taken.find(|(known, _)| known.eq_ignore_ascii_case(urn)).map(|(_, taken)| *taken)
        };
        envelope.message_type.iter().find_map(of_urn)
    }

    /// A command or an event that this program has no contract of.
    fn of_others(
        &self,
        envelope: &Envelope,
        delivery: &Delivery,
        new_id: CommandId,
    ) -> Option<incoming::Read> {
        let carries = |marker: Option<&str>| {
            marker
                .map(type_urn)
                .is_some_and(|urn| envelope.message_type.iter().any(|known| known.eq_ignore_ascii_case(&urn)))
        };
        let name = incoming::contract_name(envelope.message_type.first()?);
        if carries(EventKind::MARKER) {
            let message = envelope.message.as_str().to_owned();
            return Some(incoming::event(name, 1, envelope, message, delivery, new_id));
        }
        carries(CommandKind::MARKER).then(|| incoming::command_of_others(name, envelope, delivery, new_id))
    }

    /// The type of raw JSON that names none.
    fn only_type(&self) -> Result<String, Unreadable> {
        match self.taken.as_slice() {
            [(urn, _)] => Ok(urn.clone()),
            several => Err(Unreadable::AnyOfSeveral { takes: several.len() }),
        }
    }
}

impl Delivery {
    /// As [`Original::was_moved`](super::Original::was_moved).
    pub fn was_moved(&self) -> bool {
        self.properties.headers.text("MT-Host-MachineName").is_some()
    }

    /// Its envelope, where it has one that can be read; of raw JSON, what its headers say.
    pub(super) fn envelope(&self) -> Option<Envelope> {
        match Envelope::decode(&self.body) {
            Ok(envelope) => Some(envelope),
            Err(_) if raw::is_raw(&self.properties) => raw::envelope(self).ok(),
            Err(_) => None,
        }
    }
}
